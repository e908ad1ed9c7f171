"""``hptune_bench.compare``: a benchmark of a model and data that live in this process, as a notebook's do.

TensorFlow is imported when it is called.
"""

from __future__ import annotations

import base64
import functools
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hptune_bench.store import layout

if TYPE_CHECKING:
    import pandas as pd

    from hptune_bench.analysis.campaign import Analysis
    from hptune_bench.benchmark import Benchmark
    from hptune_bench.core.protocols import Workload
    from hptune_bench.workloads.own.settings import Settings

_COLUMNS = {
    "tuner": "tuner",
    "test_median": "median test score",
    "test_low": "lower quartile",
    "test_high": "upper quartile",
    "validation_median": "median validation score",
    "runs": "seeds",
    "trials": "trials",
    "elapsed_s": "seconds",
}


@dataclass(frozen=True)
class ComparisonResult:
    """What came of a comparison. In Jupyter it shows verdict, warnings, table and first figure.

    Attributes:
        folder: the results folder, as ``hptune-bench run`` writes it; ``report.html`` is the whole report.
    """

    folder: Path

    @cached_property
    def _analysis(self) -> Analysis:
        from hptune_bench.analysis import analyse
        from hptune_bench.store.results import read_results

        return analyse(read_results(self.folder, epochs=False), quick=True)

    @property
    def verdict(self) -> tuple[str, ...]:
        """What can be said, in sentences."""
        return tuple(sentence.text for sentence in self._analysis.verdict)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What should be known before believing it."""
        return tuple(warning.text for warning in self._analysis.warnings)

    @property
    def table(self) -> pd.DataFrame:
        """One row per tuner at the full budget; scores are minimised (a maximised metric is negated)."""
        (workload,) = self._analysis.workloads.values()
        from hptune_bench.analysis.comparisons import FULL

        rows = workload.summary[workload.summary["at"] == FULL]
        return rows[list(_COLUMNS)].rename(columns=_COLUMNS).reset_index(drop=True)

    @property
    def figures(self) -> tuple[Path, ...]:
        """The figures of the report."""
        return tuple(sorted((self.folder / layout.PLOTS).glob("*.png")))

    def __str__(self) -> str:
        lines = [f"- {text}" for text in self.verdict]
        return "\n".join([*lines, self.table.to_string(index=False), f"report: {self.folder / 'report.html'}"])

    def _repr_html_(self) -> str:
        verdict = "".join(f"<li>{html.escape(text)}</li>" for text in self.verdict)
        warnings = "".join(f"<li>{html.escape(text)}</li>" for text in self.warnings)
        warned = f"<details><summary>warnings</summary><ul>{warnings}</ul></details>" if warnings else ""
        table = self.table.to_html(index=False, float_format="{:.4g}".format, border=0)
        pictures = [base64.b64encode(path.read_bytes()).decode() for path in self._first_figures()]
        figures = "".join(f'<img style="max-width: 100%" src="data:image/png;base64,{each}">' for each in pictures)
        where = html.escape(str(self.folder / layout.PAGE))
        return f"<ul>{verdict}</ul>{warned}{table}{figures}<p>The whole report: <code>{where}</code></p>"

    def _first_figures(self) -> Sequence[Path]:
        names = [path for path in self.figures if path.stem.startswith("anytime")]
        return (names or self.figures)[:1]


def compare(
    build_model: Any,
    train: Any,
    validation: Any = None,
    test: Any = None,
    epochs: int = 50,
    budget: str = "20trials",
    seeds: int = 5,
    out: str | Path | None = None,
    *,
    tuners: Sequence[str] = (),
    fresh: bool = False,
    trainer: str = "compiled",
    noise_repeats: int = 10,
    stock_clock: bool = True,
    **settings: Any,
) -> ComparisonResult:
    """Compare the hand-written loop with KerasTuner's tuners on a model of one's own, in this process.

    It does what ``hptune-bench run my_model.py:build_model`` does, with one worker, and goes on where an earlier call
    with the same arguments and folder stopped.

    Args:
        build_model: ``build_model(hp)``, or a ``keras_tuner.HyperModel``.
        train: (x, y), or a ``tf.data.Dataset`` of such pairs.
        validation: likewise; None: parted from ``train`` anew for each seed.
        test: likewise; without it (and with ``validation``) tuners are compared on validation rows only.
        epochs: epochs of a full training.
        budget: of each tuner and seed: ``20trials``, ``20trainings``, ``500epochs`` or ``60s``. Trials count short
            trainings, such as Hyperband's, as much as long ones: ``20trainings`` gives all the same epochs.
        seeds: repetitions; below six no test is possible, so that with five the verdict has differences and
            intervals, and says why nothing is decided.
        out: results folder; None: ``results/`` and the function's name.
        tuners: by name; none: the usual ones.
        fresh: discard what the folder holds.
        noise_repeats, stock_clock: what is measured off the budget, see ``benchmark.Benchmark``.
        settings: as in ``own.settings.Settings``: ``batch_size``, ``patience``, ``objective``, ``untuned`` ...

    Raises:
        UserError: something given cannot be used, or the folder holds another comparison.
    """
    from hptune_bench import registry
    from hptune_bench.benchmark import small_benchmark
    from hptune_bench.core.budget import Budget
    from hptune_bench.core.names import plain_name
    from hptune_bench.core.tensorflow import configure_tensorflow
    from hptune_bench.workloads.own.assembly import assembled, fixed_loader

    configure_tensorflow()
    name = plain_name(getattr(build_model, "__name__", type(build_model).__name__).strip("<>"))  # <lambda>
    keys = {"seeds": seeds, "trainer": trainer, "noise_repeats": noise_repeats, "stock_clock": stock_clock}
    infos = registry.tuner_infos()
    benchmark = small_benchmark(name, {"name": name}, Budget.parse(budget), tuners, infos, "compare", **keys)
    said = _settings({"epochs": epochs, **settings})
    loader = fixed_loader({"train": train, "validation": validation, "test": test}, "compare")
    own: Any = assembled(name, build_model, loader, said, {}, name)
    return _run_here(own, benchmark, Path(out) if out is not None else Path("results") / name, fresh)


def _settings(given: Mapping[str, Any]) -> Settings:
    """What the user says of his model.

    Raises:
        UserError: it is nothing that can be said.
    """
    from hptune_bench.core.errors import UserError
    from hptune_bench.core.names import nearest
    from hptune_bench.workloads.own.settings import Settings

    known = [each.name for each in fields(Settings)]
    for key in given:
        if key not in known:
            raise UserError(f"compare: unknown setting {key!r}{nearest(key, known)}")
    return Settings(**given)


def _run_here(own: Workload, benchmark: Benchmark, folder: Path, fresh: bool) -> ComparisonResult:
    """Run the benchmark of a workload that only this process has, in this process, and write its report."""
    from rich.console import Console

    from hptune_bench.cli.observers import PlainObserver
    from hptune_bench.execution.campaign import Campaign
    from hptune_bench.execution.executors.inline import InlineExecutor
    from hptune_bench.report import write_report
    from hptune_bench.store.results import read_results

    campaign = Campaign(
        benchmark=benchmark,
        folder=folder,
        workers=1,
        command=f"hptune_bench.compare({own.name}, ...)",
        observer=PlainObserver(Console(highlight=False, markup=False)),
        source="compare",
        here={own.name: own},
        executor=functools.partial(InlineExecutor, here={own.name: own}),
    )
    campaign.run(fresh=fresh)
    write_report([read_results(folder, epochs=False)], folder)
    return ComparisonResult(folder)
