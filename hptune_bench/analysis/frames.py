"""The records of one workload, cleaned once, so that every analysis starts from the same numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from hptune_bench.analysis.data_draws import shared_draws
from hptune_bench.analysis.stock_clock import stock_seconds
from hptune_bench.core.tuner_info import REFERENCES, Clock, Role, TunerInfo, by_order, undeclared, with_role
from hptune_bench.core.tuner_info import primary as primary_of
from hptune_bench.store.manifest import tuners_of
from hptune_bench.store.results import Results

USABLE = ("completed", "truncated")
"""Trial statuses that are no failure."""

RUN_COLUMNS = (
    *("workload", "tuner", "seed", "status", "reason", "trials", "failed", "epochs", "unspent", "elapsed_s", "train_s"),
    *("tuner_s", "compile_s", "wall_s", "cpu_s", "best_trial", "best_score", "best_epoch", "stock_would_stop_at"),
    "test_score",
)
TRIAL_COLUMNS = (
    *("workload", "tuner", "seed", "trial", "status", "configuration", "score", "best_epoch", "first_epoch", "epochs"),
    *("charged", "spent_epochs", "elapsed_s", "train_s", "tuner_s", "compile_s", "incumbent", "test_score"),
    *("resumed_from", "restarted_from", "error"),
)
NOISE_COLUMNS = ("workload", "tuner", "seed", "repeat", "status", "configuration", "score", "test_score")
TEXT = ("workload", "tuner", "status", "reason", "configuration", "error")


@dataclass(frozen=True)
class Records:
    """One workload.

    Attributes:
        name: as in the CSV files.
        about: the workload's entry in the manifest (an empty mapping where there is none).
        title, data_label, test_metric: from the manifest, else name, "" and "test_score".
        excess: whether the irreducible loss of the validation split is known and was subtracted in ``validation``.
        infos: what each tuner declares, of the manifest's tuners and all that ran.
        tuners: names in reporting order: references first, then the primary tuners, then the others.
        primary: tuners of the primary comparisons; against: the reference of them.
        checkpoint_trials: also compare after this many trials; None: no.
        seeds: planned number of seeds.
        draws: data draws that the seeds of a replay share (see ``data_draws``); None: every seed has data of its own.
        judged_by: the score that comparisons use: ``test``, or ``validation`` where no test score was recorded at all.
        runs: columns of ``runs.csv`` and: ``final_test`` (test score of the selected model: +inf for failed runs and
            for runs that found nothing, NaN for unfinished ones and where there is no test split),
            ``final_validation`` (the same for the validation score, excess loss where ``excess``), ``failed_run``,
            ``finished``. A run that has trials but no row in ``runs.csv`` yet has a row here, unfinished.
        trials: columns of ``trials.csv`` ordered by tuner, seed, trial, and: ``validation`` (score, excess loss where
            ``excess``), ``stock_s`` (stock clock at the end of the trial, seconds; NaN without a stock clock).
        noise: rows of ``noise.csv`` with ``validation``.
        stock_clock: rows of the campaign's stock clock for this workload.
    """

    name: str
    about: Mapping[str, Any]
    title: str
    data_label: str
    test_metric: str
    excess: bool
    infos: Mapping[str, TunerInfo]
    tuners: tuple[str, ...]
    primary: tuple[str, ...]
    against: str
    checkpoint_trials: int | None
    seeds: int
    draws: int | None
    judged_by: Literal["test", "validation"]
    runs: pd.DataFrame
    trials: pd.DataFrame
    noise: pd.DataFrame
    stock_clock: pd.DataFrame

    @property
    def hyperparameters(self) -> tuple[str, ...]:
        """Names in the order of the space; from the ``hp:`` columns where the manifest has no space."""
        named = tuple(str(hp["name"]) for hp in self.about.get("space") or ())
        return named or tuple(str(c)[3:] for c in self.trials.columns if str(c).startswith("hp:"))

    def label(self, tuner: str) -> str:
        """A tuner in plain words."""
        return self.infos[tuner].label

    def with_role(self, role: Role) -> str | None:
        """The tuner with a role that ran, the first of several in the order of tables; None where there is none."""
        return with_role({name: self.infos[name] for name in self.tuners}, role)

    @property
    def searches(self) -> tuple[str, ...]:
        """The tuners that look for better configurations, in reporting order."""
        return tuple(name for name in self.tuners if self.infos[name].searches)

    @property
    def trained_once(self) -> tuple[str, ...]:
        """The tuners that train one configuration once: a line in a figure."""
        return tuple(name for name in self.tuners if self.infos[name].trains_once)

    @property
    def baselines(self) -> tuple[str, ...]:
        """The primary reference and random search, as far as it ran: what speed is held against."""
        return tuple(dict.fromkeys((self.against, self.with_role("random") or self.against)))

    def finals(self, tuner: str, score: Literal["test", "validation"] | None = None) -> pd.Series:
        """One score (default: ``judged_by``) per finished run of a tuner, indexed by seed, ascending."""
        rows = self.runs[(self.runs["tuner"] == tuner) & self.runs["finished"]]
        return rows.set_index("seed")[f"final_{score or self.judged_by}"].sort_index()


def clocks_of(infos: Mapping[str, TunerInfo]) -> dict[str, Clock]:
    """How the stock clock charges each tuner."""
    return {name: info.clock for name, info in infos.items()}


def judging(workloads: Iterable[Records]) -> str:
    """What the score that judges is called where several workloads stand in one sentence."""
    found = {records.judged_by for records in workloads}
    return f"{found.pop()} score" if len(found) == 1 else "test score (validation score where there is no test split)"


def by_workload(campaign: Results) -> tuple[Records, ...]:
    """The campaign's workloads in the order of the manifest, then those that only the CSV files know."""
    abouts: dict[str, Mapping[str, Any]] = dict(campaign.manifest.get("workloads") or {})
    frames = [_with(frame, columns) for frame, columns in _sources(campaign)]
    for frame in frames[:2]:
        for name in frame["workload"].unique():
            abouts.setdefault(str(name), {})
    return tuple(_records(campaign, name, about, *frames) for name, about in abouts.items())


def _sources(campaign: Results) -> list[tuple[pd.DataFrame, tuple[str, ...]]]:
    return [
        (campaign.runs, RUN_COLUMNS),
        (campaign.trials, TRIAL_COLUMNS),
        (campaign.noise, NOISE_COLUMNS),
        (campaign.stock_clock, ("workload", "method", "structure", "overhead_s", "epoch_s")),
    ]


def _with(frame: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """The frame with every column that is relied on; absent ones are empty (text) or NaN."""
    names = tuple(columns)
    frame = frame.assign(**{name: "" if name in TEXT else np.nan for name in names if name not in frame})
    return frame.assign(**{name: frame[name].fillna("").astype(str) for name in names if name in TEXT})


def _records(
    campaign: Results,
    name: str,
    about: Mapping[str, Any],
    runs: pd.DataFrame,
    trials: pd.DataFrame,
    noise: pd.DataFrame,
    stock_clock: pd.DataFrame,
) -> Records:
    benchmark = campaign.manifest.get("benchmark") or {}
    primary = benchmark.get("primary") or {}
    runs, trials, noise, stock_clock = (
        frame[frame["workload"] == name].reset_index(drop=True) for frame in (runs, trials, noise, stock_clock)
    )
    trials = trials.sort_values(["tuner", "seed", "trial"], kind="stable", ignore_index=True)
    runs = _add_unfinished(runs, trials).sort_values(["tuner", "seed"], kind="stable", ignore_index=True)
    ran = runs["tuner"].unique()
    infos = {**{name: undeclared(name) for name in ran}, **tuners_of(campaign.manifest)}
    against = str(primary.get("against") or with_role(infos, REFERENCES[0]) or "")
    primaries = tuple(primary.get("tuners") or primary_of(infos))
    references = [name for role in REFERENCES for name, info in by_order(infos).items() if info.role == role]
    order = list(dict.fromkeys((against, *references, *primaries, *(benchmark.get("tuners") or ()))))
    present = sorted(ran, key=lambda t: (order.index(t) if t in order else len(order), t))
    floor = "fact:validation_noise"
    floors = runs.groupby("seed")[floor].first() if floor in runs else pd.Series(dtype=float)
    excess = bool(len(floors)) and bool(floors.notna().all())
    trials = trials.assign(
        incumbent=trials["incumbent"].isin([True, 1.0, "True", "true"]),
        score=_worst_if_missing(trials["score"]),
        stock_s=stock_seconds(trials, stock_clock, clocks_of(infos)),
    )
    trials["validation"] = trials["score"] - (trials["seed"].map(floors) if excess else 0.0)
    noise = noise.assign(score=_worst_if_missing(noise["score"]))
    noise["validation"] = noise["score"] - (noise["seed"].map(floors) if excess else 0.0)
    noise["test_score"] = pd.to_numeric(noise["test_score"], errors="coerce")
    trials["test_score"] = pd.to_numeric(trials["test_score"], errors="coerce")
    tested = bool(
        trials["test_score"].notna().any() or pd.to_numeric(runs["test_score"], errors="coerce").notna().any()
    )
    checkpoint = benchmark.get("checkpoint_trials")
    return Records(
        name=name,
        about=about,
        title=str(about.get("title") or name),
        data_label=str(about.get("data_label") or ""),
        test_metric=str(about.get("test_metric") or "test_score"),
        excess=excess,
        infos=infos,
        tuners=tuple(present),
        primary=primaries,
        against=against,
        checkpoint_trials=int(checkpoint) if checkpoint else None,
        seeds=int(benchmark.get("seeds") or runs["seed"].nunique()),
        draws=shared_draws(about, runs["seed"]),
        judged_by="test" if tested else "validation",
        runs=_finals(runs, tested, floors if excess else None),
        trials=trials,
        noise=noise,
        stock_clock=stock_clock,
    )


def _worst_if_missing(scores: pd.Series) -> pd.Series:
    return pd.to_numeric(scores, errors="coerce").astype(float).fillna(np.inf)


def _add_unfinished(runs: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """A run that only its trials tell of has not finished: it gets a row, so that it is counted."""
    known = set(zip(runs["tuner"], runs["seed"], strict=True))
    rows = [
        {
            "workload": group["workload"].iloc[0],
            "tuner": tuner,
            "seed": seed,
            "status": "interrupted",
            "reason": "not finished",
            "trials": len(group),
            "failed": int((~group["status"].isin(USABLE)).sum()),
            **{key: group[key].sum() for key in ("epochs", "train_s", "tuner_s", "compile_s")},
            "elapsed_s": group["elapsed_s"].iloc[-1],
        }
        for (tuner, seed), group in trials.groupby(["tuner", "seed"], sort=False)
        if (tuner, seed) not in known
    ]
    if not rows:
        return runs
    return _with(pd.concat([runs.astype(object), pd.DataFrame(rows).astype(object)]).infer_objects(), RUN_COLUMNS)


def _finals(runs: pd.DataFrame, tested: bool, floors: pd.Series | None) -> pd.DataFrame:
    failed = runs["status"] == "failed"
    finished = runs["status"].isin(["done", "failed"])
    validation = _worst_if_missing(runs["best_score"]) - (runs["seed"].map(floors) if floors is not None else 0.0)
    test = pd.to_numeric(runs["test_score"], errors="coerce").astype(float)
    if tested:
        test = test.fillna(np.inf)  # there is a test split, so a run without a test score has found nothing
    return runs.assign(
        failed_run=failed,
        finished=finished,
        final_test=test.mask(failed, np.inf).where(finished),
        final_validation=validation.mask(failed, np.inf).where(finished),
    )
