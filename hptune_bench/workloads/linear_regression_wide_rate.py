"""The post's second problem with the learning rates that its last paragraph warns of: 1 to 1,000.

Importing this module does not import TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hptune_bench.core.space import Configuration, Float, Space
from hptune_bench.workloads import options
from hptune_bench.workloads.linear_regression import LinearRegression


def workload(**given: Any) -> LinearRegressionWideRate:
    """The workload with the options of ``linear_regression``.

    Raises:
        UserError: an unknown option, or a value that makes no problem.
    """
    return options.configured(LinearRegressionWideRate, given)


@dataclass(frozen=True)
class LinearRegressionWideRate(LinearRegression):
    """``linear_regression`` with a range of learning rates chosen badly; implements ``interfaces.Workload``."""

    name = "linear_regression_wide_rate"
    title = "linear regression, rates from 1 to 1,000"
    teaches = (
        "The post ends with a warning: with learning rates between 1 and 1,000, tuning would be pointless. This tests "
        "it. About one configuration in twenty trains (normalised inputs, Adam, a rate below 3 to 5), all others fail: "
        "it shows how a method meets failures, and whether it finds that corner. It says nothing about fine tuning."
    )

    @cached_property
    def space(self) -> Space:
        usual = super().space
        rate = Float("learning_rate", 1.0, 1000.0, log=True)
        return Space(tuple(rate if hp.name == rate.name else hp for hp in usual))

    @cached_property
    def untuned(self) -> Configuration:
        """As copied, but for the rate, which lies outside: about the middle of the range instead.

        The end nearest to the copied rate would be no guess: it is where the few trainable configurations are.
        """
        return {**super().untuned, "learning_rate": 30.0}

    @cached_property
    def published(self) -> Configuration | None:
        """The post's winner lies outside."""
        return None
