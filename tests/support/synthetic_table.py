"""Small complete tables: one whose truth is known by construction, and those that a trainer makes."""

from __future__ import annotations

import numpy as np

from hptune_bench.tabular import shards
from hptune_bench.tabular.grid import levels_of
from hptune_bench.tabular.table import CurveTable, configurations_of

DATA, TRAININGS = 2, 3


def synthetic_table(seed: int = 0, draws: int = 3, trainings: int = 3, epochs: int = 4) -> CurveTable:
    """2 x 3 x 4 configurations: ``units`` does nothing, rate 0.1 is best, rate 1 fails without the switch.

    The mean final loss is 1 + (log10(rate) + 1)^2 + 0.2 (switch off); noise: 0.1 for the data draw, 0.02 for a draw and
    a configuration, 0.05 for a training.
    """
    rng = np.random.default_rng(seed)
    levels = {"switch": (False, True), "units": (1, 2, 3), "rate": (0.001, 0.01, 0.1, 1.0)}
    configurations = configurations_of(levels)
    mean = np.array([1 + (np.log10(c["rate"]) + 1) ** 2 + 0.2 * (not c["switch"]) for c in configurations])
    common = rng.normal(0, 0.1, (1, draws, 1)) + rng.normal(0, 0.02, (24, draws, 1))
    final = mean[:, None, None] + common + rng.normal(0, 0.05, (24, draws, trainings))
    curve = final[..., None] + np.arange(epochs)[::-1] * 0.3
    failing = [c["rate"] == 1.0 and not c["switch"] for c in configurations]
    curve[failing] = np.nan
    curves = {"val_loss": curve.astype(np.float32), "test:loss": (curve + 0.01).astype(np.float32)}
    return CurveTable(
        workload="known",
        options={},
        levels=levels,
        configurations=configurations,
        metrics=tuple(curves),
        curves=curves,
        seconds=np.full((24, draws, trainings), 0.5, dtype=np.float32),
        facts=tuple({"cap": 50.0} for _ in range(draws)),
        objective="val_loss",
        direction="min",
        test_metric="loss",
        full_epochs=epochs,
        patience=None,
        monitor="val_loss",
        definition={},
    )


def tabulated(workload, trainer, counts, data=DATA, trainings=TRAININGS) -> CurveTable:
    """A complete table made in this process."""
    levels = levels_of(workload, counts)
    configurations = configurations_of(levels)
    made = [
        shards.train_shard(workload, trainer, configurations, d, trainings, "key", lambda: None)
        for d in range(1, data + 1)
    ]
    fit = workload.fit(configurations[0])
    return CurveTable(
        workload=workload.name,
        options=dict(workload.options),
        levels=levels,
        configurations=configurations,
        metrics=tuple(sorted(made[0].curves)),
        curves={name: np.stack([shard.curves[name] for shard in made], axis=1) for name in made[0].curves},
        seconds=np.stack([shard.seconds for shard in made], axis=1),
        facts=tuple(shard.facts for shard in made),
        objective=workload.objective,
        direction=workload.direction,
        test_metric=workload.test_metric,
        full_epochs=workload.full_epochs,
        patience=fit.patience,
        monitor=fit.monitor,
        definition={"rows": made[0].rows},
    )
