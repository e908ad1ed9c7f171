"""The post's second problem with the learning rates that its last paragraph warns of: 1 to 1,000.

Importing this module does not import TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from hptune_bench.core.space import Configuration, Float, Space
from hptune_bench.workloads.linear_regression import LinearRegression
from hptune_bench.workloads.options import configured


@dataclass(frozen=True)
class LinearRegressionWideRate(LinearRegression):
    """``linear_regression`` with a range of learning rates chosen badly; implements ``core.protocols.Workload``."""

    name = "linear_regression_wide_rate"
    title = "linear regression, rates from 1 to 1,000"
    teaches = (
        "The post ends with a warning: with learning rates between 1 and 1,000, tuning would be pointless. This tests "
        "it. About one configuration in twenty trains (normalised inputs, Adam, a rate below 3 to 5), all others fail: "
        "it shows how a method meets failures, and whether it finds that corner. It says nothing about fine tuning."
    )

    space = Space(
        tuple(
            Float("learning_rate", 1.0, 1000.0, log=True) if hp.name == "learning_rate" else hp
            for hp in LinearRegression.space
        )
    )
    # The copied rate lies outside: about the middle of the range instead. The end nearest to the copied rate would be
    # no guess: it is where the few trainable configurations are. The post's winner lies outside, too.
    untuned: ClassVar[Configuration] = {**LinearRegression.untuned, "learning_rate": 30.0}
    published = None


workload = partial(configured, LinearRegressionWideRate)
