import math

import pytest
from scipy import stats

from benchmarks.agreement import agreement


def test_one_configuration_is_student_s_interval():
    ours, theirs = [0.90, 0.92, 0.94], [0.91, 0.95, 0.96, 0.94]
    found = agreement([ours], [theirs])
    interval = stats.ttest_ind(theirs, ours, equal_var=True).confidence_interval(0.99)
    assert found.difference == pytest.approx(0.94 - 0.92)
    assert found.half_width == pytest.approx((interval.high - interval.low) / 2)
    assert str(found) == "agrees"


def test_configurations_far_apart_are_no_noise():
    """Each pooled variance is 0.0002, that of the difference as well: two of them, sqrt(0.0004) / 2 = 0.01."""
    groups = [[0.1, 0.12], [0.9, 0.92]]
    found = agreement(groups, groups)
    assert found.difference == 0
    assert found.half_width == pytest.approx(stats.t.ppf(0.995, 4) * 0.01)


def test_one_trial_borrows_the_other_s_spread():
    """The variance of 0.5 and 0.7 is 0.02, with one degree of freedom; 0.02 * (1/2 + 1/1) = 0.03."""
    assert agreement([[0.5, 0.7]], [[0.6]]).half_width == pytest.approx(stats.t.ppf(0.995, 1) * math.sqrt(0.03))


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        ([[0.90, 0.92, 0.94]], [[0.10, 0.12, 0.14]], "differs"),
        ([[0.5, 0.5]], [[0.5, 0.5]], "agrees"),
        ([[0.5, 0.5]], [[0.6, 0.6]], "differs"),
        ([[0.5]], [[0.6]], "too few trials"),
    ],
    ids=["far apart", "equal without spread", "different without spread", "one trial each"],
)
def test_verdicts(ours, theirs, verdict):
    assert str(agreement(ours, theirs)) == verdict


def test_other_configurations_cannot_be_compared():
    with pytest.raises(ValueError, match="1 and 2 configurations"):
        agreement([[0.5, 0.6]], [[0.5, 0.6], [0.5, 0.6]])
