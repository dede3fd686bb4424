"""How many trials: a declared number, or round after round of them until every mean is known as well as asked."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import stdev

from trials.engines.results import TrialResult
from trials.errors import UserError

ROUND = 6
"""Trials of every configuration that a round adds: whatever the workers, so that they cannot change the number. The
first round is the least that says something of spread; more seldom looks at the interval flatter it less."""
MOST = 100
COVERAGE = "Where the number is so chosen, 93 to 95 % of intervals cover."
"By simulation, with normal accuracies: an interval that is narrow by luck stops the rounds."


@dataclass(frozen=True)
class Until:
    """Trials until the widest 95 % t interval of a mean test accuracy is no wider than `points`.

    `points` is the full width in percentage points, `most` the number of trials never exceeded.
    """

    points: float
    most: int = MOST

    def first(self, recorded: int) -> int:
        """How many trials the first round leads to, `recorded` being there already: whole rounds, if cut short.

        Raises UserError where more are recorded than allowed.
        """
        if recorded > self.most:
            raise UserError(
                f"There are {recorded} trials already, more than --max-trials {self.most}.\n"
                f"Use --max-trials {recorded} or more, or --results DIR for a new folder."
            )
        return self.next(max(0, recorded - 1) // ROUND * ROUND)

    def next(self, trials: int) -> int:
        """How many trials one more round leads to."""
        return min(trials + ROUND, self.most)

    def reached(self, widths: Mapping[str, float | None]) -> bool:
        """Whether all `widths` are known and narrow enough."""
        return all(width is not None and width <= self.points for width in widths.values())

    def told(self, trials: int, widths: Mapping[str, float | None]) -> str:
        """That the number of trials was chosen so, and what was reached."""
        known = {label: width for label, width in widths.items() if width is not None}
        widest = max(known, key=lambda label: known[label], default="")
        now = f"the widest is {known[widest]:.2f} ({widest})" if known else "none is known"
        goal = f"every 95 % interval of a mean test accuracy is at most {self.points:g} points wide"
        if self.reached(widths):
            return f"{trials} trials each, a number chosen so that {goal}: {now}. {COVERAGE}"
        missed = sum(width is None or width > self.points for width in widths.values())
        return (
            f"{trials} trials each, the most allowed (--max-trials), yet not {goal}: "
            f"{missed} of {len(widths)} are wider, {now}."
        )


def width(results: Sequence[TrialResult]) -> float | None:
    """The full width of the 95 % t interval of the mean test accuracy, in percentage points.

    None where fewer than two trials ended well.
    """
    from trials.statistics import t_quantile

    good = (result.metrics["test_accuracy"] for result in results if result.status == "ok")
    accuracies = [accuracy for accuracy in good if accuracy is not None]
    if len(accuracies) < 2:
        return None
    return 100 * 2 * t_quantile(len(accuracies) - 1) * stdev(accuracies) / math.sqrt(len(accuracies))
