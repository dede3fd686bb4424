"""Did two contenders train the same thing? As far as their test accuracies can tell."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from trials.statistics import t_quantile

LEVEL = 0.99
"Of some forty intervals at 95 % two would miss 0 though nothing differs."
Groups = Sequence[Sequence[float]]
"Test accuracies, a group a configuration."


@dataclass(frozen=True)
class Agreement:
    """The difference of two mean test accuracies; None where a group has fewer than two trials."""

    difference: float
    half_width: float | None
    "Of the 99 % interval of the difference."

    def __str__(self) -> str:
        if self.half_width is None:
            return "too few trials"
        return "agrees" if abs(self.difference) <= self.half_width else "differs"


def agreement(ours: Groups, theirs: Groups) -> Agreement:
    """Theirs minus ours, each a mean over the configurations' means, with Welch's interval.

    A configuration is compared with itself alone, so that what differs between configurations is no noise.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"There are {len(ours)} and {len(theirs)} configurations to compare.")
    difference = _mean(theirs) - _mean(ours)
    groups = [*ours, *theirs]
    if min(map(len, groups)) < 2:
        return Agreement(difference, None)
    variances = [statistics.variance(group) / len(group) for group in groups]
    total = sum(variances)
    if total == 0:
        return Agreement(difference, 0.0)
    degrees = total**2 / sum(v**2 / (len(group) - 1) for v, group in zip(variances, groups, strict=True))
    return Agreement(difference, t_quantile(degrees, LEVEL) * math.sqrt(total) / len(ours))


def _mean(groups: Groups) -> float:
    return statistics.mean(statistics.mean(group) for group in groups)
