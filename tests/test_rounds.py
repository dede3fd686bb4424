import numpy as np
import pytest

from trials import statistics
from trials.engines.results import TrialResult
from trials.errors import UserError
from trials.experiment import METRICS
from trials.rounds import MOST, ROUND, Until, width


def results(*accuracies, status="ok"):
    return [
        TrialResult(trial, trial - 1, status, metrics={**dict.fromkeys(METRICS), "test_accuracy": accuracy})
        for trial, accuracy in enumerate(accuracies, 1)
    ]


@pytest.mark.parametrize(
    ("recorded", "most", "first"),
    [(0, 100, 6), (1, 100, 6), (6, 100, 6), (7, 100, 12), (12, 100, 12), (13, 100, 18), (7, 10, 10), (10, 10, 10)],
)
def test_the_first_round_is_the_one_that_a_run_was_in_when_it_stopped(recorded, most, first):
    assert Until(1.0, most).first(recorded) == first


def test_the_number_never_exceeds_what_is_allowed():
    until = Until(1.0, 14)
    assert [until.next(trials) for trials in (0, 6, 12, 14)] == [6, 12, 14, 14]
    with pytest.raises(UserError, match="15 trials already, more than --max-trials 14"):
        until.first(15)


def test_a_width_is_that_of_the_t_interval_in_points():
    accuracies = [0.4, 0.5, 0.6]
    # 2 * t(2) * 0.1 / sqrt(3) = 2 * 4.302653 * 0.057735
    assert width(results(*accuracies)) == pytest.approx(49.6828, abs=1e-4)
    figures = statistics.summarize(accuracies)
    assert width(results(*accuracies)) == pytest.approx(100 * (figures["ci95_high"] - figures["ci95_low"]))
    assert width(results(0.25, 0.25)) == 0.0


def test_only_trials_that_ended_well_say_something_of_spread():
    assert width([*results(0.4, 0.6), *results(0.0, 0.1, status="diverged")]) == width(results(0.4, 0.6))
    assert width(results(0.5)) is None
    assert width([]) is None


@pytest.mark.parametrize(
    ("widths", "reached"),
    [({"a": 1.0, "b": 0.2}, True), ({"a": 1.01, "b": 0.2}, False), ({"a": None, "b": 0.2}, False)],
)
def test_every_configuration_must_be_known_well_enough(widths, reached):
    assert Until(1.0).reached(widths) is reached


def test_it_is_told_that_the_number_was_chosen():
    assert Until(1.5).told(12, {"mlp units=5": 0.5, "mlp units=9": 1.4}) == (
        "12 trials each, a number chosen so that every 95 % interval of a mean test accuracy is at most 1.5 points "
        "wide: the widest is 1.40 (mlp units=9). Where the number is so chosen, 93 to 95 % of intervals cover."
    )
    assert Until(0.1, 20).told(20, {"a": 0.5, "b": None, "c": 0.05}) == (
        "20 trials each, the most allowed (--max-trials), yet not every 95 % interval of a mean test accuracy is at "
        "most 0.1 points wide: 2 of 3 are wider, the widest is 0.50 (a)."
    )
    assert Until(0.1, 6).told(6, {"a": None}).endswith("1 of 1 are wider, none is known.")


def test_intervals_of_a_number_so_chosen_cover_as_often_as_is_told():
    """Normal accuracies of standard deviation 1: from goals that the first round meets to those that none does."""
    draws = np.random.default_rng(0).normal(size=(20_000, MOST))
    counts = [Until(1.0).first(1)]
    while counts[-1] < MOST:
        counts.append(Until(1.0).next(counts[-1]))
    assert counts[:3] == [ROUND, 2 * ROUND, 3 * ROUND]
    covered = []
    for goal in (0.4, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0, 3.0):
        covers, open_ = np.zeros(len(draws), bool), np.ones(len(draws), bool)
        for n in counts:
            half = statistics.t_quantile(n - 1) * draws[:, :n].std(axis=1, ddof=1) / np.sqrt(n)
            stops = open_ & ((2 * half <= goal) | (n == MOST))
            covers[stops] = (np.abs(draws[:, :n].mean(axis=1)) <= half)[stops]
            open_ &= ~stops
        covered.append(covers.mean())
    assert (round(min(covered), 2), round(max(covered), 2)) == (0.93, 0.95)
