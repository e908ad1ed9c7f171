# `make bench` and `make test` need only Python 3.11 to 3.13 and make: they set up .venv by themselves.

PYTHON ?= python3
RUNS ?= 10
SEED ?= $(shell date +%s)
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
BENCH := $(RUN) -m hptune_bench

.DEFAULT_GOAL := help
.PHONY: help setup bench smoke publish workloads replay reproduce report speed calibrate quick test fuzz lint format lock clean

help: ## Show what can be done
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## Create .venv and install what the lock file pins

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "Python 3.11 to 3.13 is needed, this is %d.%d: give one with make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv --clear $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

bench: setup ## Run the main job: both problems of the post (20 to 40 minutes on two cores)
	$(BENCH) run benchmarks/post.toml

smoke: setup ## Run every tuner on both problems with tiny budgets
	$(BENCH) run benchmarks/smoke.toml

publish: setup ## Make results/published/post again, with 30 seeds (about fifty minutes on two cores)
	$(BENCH) run benchmarks/post.toml --seeds 30 --out results/published/post
	$(RUN) -m benchmarks.readme

workloads: setup ## Measure what there is to win on each workload (about twenty minutes on two cores)
	$(BENCH) run benchmarks/workloads.toml
	$(BENCH) run benchmarks/as_written.toml
	$(RUN) -m benchmarks.workloads

replay: setup ## Replay the post's problems against the truth, 7 searches a data set (about ten minutes on two cores)
	$(BENCH) run benchmarks/replay.toml
	$(RUN) -m benchmarks.replay

reproduce: setup ## Check the published results, and do a sample of their runs again (all: make reproduce RUNS=all)
	$(BENCH) verify results/published/post --rerun $(RUNS)

report: setup ## Write the report of the main job again
	$(BENCH) report results/post

speed: setup ## Measure the trainers against stock Keras
	$(RUN) -m benchmarks.speed

calibrate: setup ## Try the report's statistics where the truth is known (about ten minutes on two cores)
	$(RUN) -m benchmarks.calibration.rules

quick: setup ## Run the tests that need no training, no process, no figure (about three minutes on two cores)
	$(RUN) -m pytest -n 2 --dist worksteal --quick

test: setup ## Run the tests
	$(RUN) -m pytest -n 2 --dist worksteal -m "not long"

fuzz: setup ## Throw thousands of fresh inputs, and the long tests (again: make fuzz SEED=...)
	FUZZ_SEED=$(SEED) $(RUN) -m pytest -n 2 --dist worksteal -m "fuzz or long"

lint: setup ## Check style and types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

format: setup ## Format the code
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

lock: ## Resolve requirements.lock again (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --fork-strategy fewest \
	  --no-emit-index-url --generate-hashes --no-header -o requirements.lock

clean: ## Remove the environment and caches; results stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
