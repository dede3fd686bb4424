"""Did two contenders train the same thing? As far as their test accuracies can tell."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from trials.statistics import ROUNDING, t_quantile

LEVEL = 0.99
"Of some forty intervals at 95 % two would miss 0 though nothing differs."
WIDEST = 0.1
"Half of an interval that still tells something: ten points."
Groups = Sequence[Sequence[float]]
"Test accuracies, a group a configuration."


@dataclass(frozen=True)
class Agreement:
    """The difference of two mean test accuracies; no interval where a configuration has fewer than three trials."""

    difference: float
    half_width: float | None
    "Of the 99 % interval of the difference."

    def __str__(self) -> str:
        if self.half_width is None or self.half_width > WIDEST:
            return "too few trials"
        return "agrees" if abs(self.difference) <= self.half_width + ROUNDING else "differs"


def agreement(ours: Groups, theirs: Groups) -> Agreement:
    """Theirs minus ours, each a mean over the configurations' means, with Student's interval.

    Who trains the same has the same spread, so that a configuration's variance is pooled from both; between
    configurations it may differ, and their degrees of freedom are Welch and Satterthwaite's.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"There are {len(ours)} and {len(theirs)} configurations to compare.")
    difference = _mean(theirs) - _mean(ours)
    pairs = list(zip(ours, theirs, strict=True))
    free = [len(first) + len(second) - 2 for first, second in pairs]
    if min(free) < 1:
        return Agreement(difference, None)
    errors = [
        (_squares(first) + _squares(second)) / degrees * (1 / len(first) + 1 / len(second))
        for (first, second), degrees in zip(pairs, free, strict=True)
    ]
    total = sum(errors)
    if total == 0:
        return Agreement(difference, 0.0)
    degrees = total**2 / sum(error**2 / each for error, each in zip(errors, free, strict=True))
    return Agreement(difference, t_quantile(degrees, LEVEL) * math.sqrt(total) / len(ours))


def _squares(group: Sequence[float]) -> float:
    """The sum of squared deviations from the mean."""
    mean = statistics.mean(group)
    return sum((value - mean) ** 2 for value in group)


def _mean(groups: Groups) -> float:
    return statistics.mean(statistics.mean(group) for group in groups)
