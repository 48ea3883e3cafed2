"""Numbers to words: quantiles, milliseconds, changes and the noise they drown in."""

import math
from collections.abc import Sequence
from statistics import median

LIMIT = 0.05
"""A change up to here is none (the issue's 5 %)."""


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def ms(seconds: float) -> str:
    value = seconds * 1000
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def percent(share: float) -> str:
    return f"{share * 100:+.1f} %"


def change(well: Sequence[float], ill: Sequence[float]) -> float:
    """Of the medians; +0.05 is 5 % slower."""
    return median(ill) / median(well) - 1


def noise(well: Sequence[float]) -> float:
    """How far healthy runs lie apart, the fastest from the slowest, as a share of their median."""
    return (max(well) - min(well)) / median(well)


def verdict(well: Sequence[float], ill: Sequence[float]) -> str:
    slower = change(well, ill)
    if slower <= LIMIT:
        return "faster" if slower < -LIMIT else "within 5 %"
    return "within noise" if slower <= noise(well) else "WORSE"
