"""A small complete table whose truth is known by construction; nothing in it was trained."""

from __future__ import annotations

import numpy as np

from hptune_bench.tabular.table import Table, configurations_of


def synthetic_table(seed: int = 0, draws: int = 3, trainings: int = 3, epochs: int = 4) -> Table:
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
    return Table(
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
