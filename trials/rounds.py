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
COVERAGE = (
    "An interval that is narrow by luck ends the rounds too: of such intervals 93 to 95 % cover where accuracies are "
    "normal, fewer where they have few values or a training sometimes collapses."
)
RESAMPLED = "Splits are resampled, so that trials share samples: their intervals are too narrow."


@dataclass(frozen=True)
class Known:
    """What `trials` of each configuration have shown: by label the full width of the 95 % t interval of its mean test
    accuracy, in percentage points, None where only one trial ended well; `dead` are those of which none did."""

    trials: int
    widths: Mapping[str, float | None]
    dead: Sequence[str]

    @classmethod
    def of(cls, trials: int, results: Mapping[str, Sequence[TrialResult]]) -> "Known":
        good = {label: _accuracies(each) for label, each in results.items()}
        return cls(
            trials,
            {label: width(accuracies) for label, accuracies in good.items() if accuracies},
            [label for label, accuracies in good.items() if not accuracies],
        )

    def widest(self) -> str:
        """The widest interval, in words."""
        known = {label: width for label, width in self.widths.items() if width is not None}
        label = max(known, key=lambda label: known[label], default="")
        return f"the widest is {known[label]:.2f} ({label})" if known else "none is known"


@dataclass(frozen=True)
class Until:
    """Trials until the widest 95 % t interval of a mean test accuracy is no wider than `points`.

    `points` is the full width in percentage points, `most` the number of trials never exceeded. A configuration
    of which no trial ends well is not waited for.
    """

    points: float
    most: int = MOST

    @property
    def goal(self) -> str:
        return f"every 95 % interval of a mean test accuracy is at most {self.points:g} points wide"

    def first(self, recorded: int) -> int:
        """How many trials the first round leads to, `recorded` being there already: whole rounds, if cut short.

        Raises UserError where more are recorded than allowed.
        """
        if recorded > self.most:
            raise UserError(
                f"There are {recorded} trials already, more than --max-trials {self.most} allows.\n"
                f"Use --max-trials {recorded} or more, or --results DIR for a new folder."
            )
        return self.next(max(0, recorded - 1) // ROUND * ROUND)

    def next(self, trials: int) -> int:
        """How many trials one more round leads to."""
        return min(trials + ROUND, self.most)

    def ends(self, known: Known) -> bool:
        """Whether there is no further round."""
        return known.trials == self.most or self.reached(known)

    def reached(self, known: Known) -> bool:
        """Whether every interval is narrow enough; equal accuracies say so only from the second round on."""
        lucky = known.trials <= ROUND and 0 in known.widths.values()
        return not self._missed(known) and not lucky

    def _missed(self, known: Known) -> int:
        """How many means are not known well enough; none where no trial ended well."""
        return sum(width is None or width > self.points for width in known.widths.values())

    def told(self, known: Known, resampled: bool = False) -> str:
        """That the number of trials was chosen so, and what was reached."""
        each = f"{known.trials} trials of each of {_listed([*known.widths, *known.dead])}"
        dead = f" Not one trial of {_listed(known.dead)} ended well." if known.dead else ""
        if not known.widths:
            return f"{each}.{dead}"
        missed = self._missed(known)
        if not missed:
            caution = RESAMPLED if resampled else COVERAGE
            return f"{each}, a number chosen so that {self.goal}: {known.widest()}.{dead} {caution}"
        return (
            f"{each}, the most that --max-trials allows, yet not {self.goal}: not so {missed} of {len(known.widths)}, "
            f"{known.widest()}.{dead}"
        )

    def unfinished(self) -> str:
        """What is true of a run that was stopped before its end."""
        return f"Not yet finished: trials are added until {self.goal}."


def width(accuracies: Sequence[float]) -> float | None:
    """The full width of the 95 % t interval of a mean, in percentage points; None for fewer than two.

    `accuracies` are fractions, one a trial.
    """
    from trials.statistics import t_quantile

    if len(accuracies) < 2:
        return None
    return 100 * 2 * t_quantile(len(accuracies) - 1) * stdev(accuracies) / math.sqrt(len(accuracies))


def _accuracies(results: Sequence[TrialResult]) -> list[float]:
    good = (result.metrics["test_accuracy"] for result in results if result.status == "ok")
    return [accuracy for accuracy in good if accuracy is not None]


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels) if len(labels) <= 3 else f"{len(labels)} configurations"
