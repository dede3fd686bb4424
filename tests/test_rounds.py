import numpy as np
import pytest

from trials import statistics
from trials.engines.results import TrialResult
from trials.errors import UserError
from trials.experiment import METRICS
from trials.rounds import COVERAGE, MOST, ROUND, Known, Until, width


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
    assert width(accuracies) == pytest.approx(49.6828, abs=1e-4)
    figures = statistics.summarize(accuracies)
    assert width(accuracies) == pytest.approx(100 * (figures["ci95_high"] - figures["ci95_low"]))
    assert (width([0.25, 0.25]), width([0.5]), width([])) == (0.0, None, None)


def test_only_trials_that_ended_well_say_something_and_what_never_does_is_not_waited_for():
    known = Known.of(
        12,
        {
            "a": [*results(0.4, 0.6), *results(0.0, 0.1, status="diverged")],
            "b": results(0.5),
            "c": results(0.5, 0.6, status="failed"),
        },
    )
    assert known == Known(12, {"a": width([0.4, 0.6]), "b": None}, ["c"])
    assert Until(40.0).reached(Known(12, {"a": 39.0}, ["c"]))


@pytest.mark.parametrize(
    ("trials", "widths", "reached"),
    [
        (12, {"a": 1.0, "b": 0.2}, True),
        (12, {"a": 1.01, "b": 0.2}, False),
        (12, {"a": None, "b": 0.2}, False),
        (6, {"a": 0.0, "b": 0.2}, False),  # six equal accuracies may be luck
        (12, {"a": 0.0, "b": 0.2}, True),
        (6, {"a": 0.01, "b": 0.2}, True),
    ],
)
def test_every_configuration_must_be_known_well_enough(trials, widths, reached):
    assert Until(1.0).reached(Known(trials, widths, [])) is reached
    assert Until(1.0).ends(Known(trials, widths, [])) is reached
    assert Until(1.0, trials).ends(Known(trials, widths, []))


def test_it_is_told_that_the_number_was_chosen():
    chosen = Until(1.5).told(Known(12, {"mlp units=5": 0.5, "mlp units=9": 1.4}, []))
    assert chosen == (
        "12 trials of each of mlp units=5, mlp units=9, a number chosen so that every 95 % interval of a mean test "
        f"accuracy is at most 1.5 points wide: the widest is 1.40 (mlp units=9). {COVERAGE}"
    )
    assert Until(1.5).told(Known(12, {"a": 0.5}, []), resampled=True).endswith("their intervals are too narrow.")
    assert Until(0.1, 20).told(Known(20, {"a": 0.5, "b": None, "c": 0.05}, ["d"])) == (
        "20 trials of each of 4 configurations, the most that --max-trials allows, yet not every 95 % interval of a "
        "mean test accuracy is at most 0.1 points wide: not so 2 of 3, the widest is 0.50 (a). "
        "Not one trial of d ended well."
    )
    assert "a number chosen so that" in Until(0.1, 6).told(Known(6, {"a": 0.0}, []))  # narrow, if by luck
    assert Until(0.1, 6).ends(Known(3, {}, ["a"]))
    assert Until(0.1, 6).told(Known(6, {}, ["a"])) == "6 trials of each of a. Not one trial of a ended well."


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
    assert f"{100 * min(covered):.0f} to {100 * max(covered):.0f} % cover where accuracies are normal" in COVERAGE
