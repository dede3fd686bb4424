import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from trials.statistics import SUFFIXES, bca_interval, prediction_interval, summarize, t_quantile

FIGURES = st.lists(st.floats(0, 1).map(lambda x: round(x, 4)), min_size=2, max_size=9)


def test_a_summary_worked_by_hand():
    found = summarize([0.75, 0.5, 1.0, 0.75])
    std = math.sqrt(0.125 / 3)
    half = 3.182446305284263 * std / 2  # t table, 3 degrees of freedom, 97.5 %
    assert tuple(found) == SUFFIXES
    assert (found.pop("bca95_low"), found.pop("bca95_high")) == (None, None)
    assert found == pytest.approx(
        {
            "mean": 0.75,
            "std": std,
            "sem": std / 2,
            "ci95_low": 0.75 - half,
            "ci95_high": 0.75 + half,
            "median": 0.75,
            "min": 0.5,
            "max": 1.0,
        },
        rel=1e-9,
    )


def test_nothing_measured_has_no_figures():
    assert summarize([]) == dict.fromkeys(SUFFIXES)


def test_one_value_has_a_mean_and_no_spread():
    known = {"mean": 0.5, "median": 0.5, "min": 0.5, "max": 0.5}
    assert summarize([0.5]) == {**dict.fromkeys(SUFFIXES), **known}


@pytest.mark.parametrize("n", [2, 3, 9])
@pytest.mark.parametrize("value", [0.0, 0.1, 0.9666666388511658])
def test_equal_values_have_exactly_no_spread(n, value):
    found = summarize([value] * n)
    assert (found["std"], found["sem"]) == (0, 0)
    assert found["ci95_low"] == found["ci95_high"] == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("n", [10, 11])
def test_equal_values_have_a_bootstrap_interval_of_that_value(n):
    assert bca_interval(np.full(n, 0.1)) == (0.1, 0.1)


@settings(deadline=None)
@given(FIGURES)
def test_the_t_interval_is_scipys(values):
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95) if len(set(values)) > 1 else (values[0],) * 2
    found = summarize(values)
    assert (found["ci95_low"], found["ci95_high"]) == pytest.approx(tuple(expected), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("degrees", "expected"), [(1, 12.706204736), (2, 4.302652730), (9, 2.262157163), (1e9, 1.959963985)]
)
def test_quantiles_are_those_of_the_printed_t_table(degrees, expected):
    assert t_quantile(degrees) == pytest.approx(expected, rel=1e-9)


def test_the_bootstrap_interval_needs_ten_values():
    nine = np.arange(9.0)
    assert bca_interval(nine) == (None, None)
    assert None not in bca_interval(np.append(nine, 9.0))


SKEWED = np.array([0.71, 0.93, 0.94, 0.95, 0.95, 0.96, 0.96, 0.96, 0.97, 0.97, 0.98, 0.98])


def test_the_bootstrap_interval_is_scipys_up_to_its_resampling():
    found = bca_interval(SKEWED)
    other = stats.bootstrap((SKEWED,), np.mean, n_resamples=50_000, method="BCa", rng=np.random.default_rng(7))
    assert found == pytest.approx(tuple(other.confidence_interval), abs=0.002)


def test_the_bootstrap_interval_repeats_and_follows_the_skew():
    low, high = bca_interval(SKEWED)
    assert (low, high) == bca_interval(SKEWED.copy())
    assert SKEWED.mean() - low > 1.3 * (high - SKEWED.mean())
    summary = summarize(SKEWED)
    assert (summary["bca95_low"], summary["bca95_high"]) == (low, high)


def test_one_groups_prediction_interval_by_hand():
    # mean 2, s = 1, n = 3; a new mean of 4 runs: 2 +- t(2) * sqrt(1/4 + 1/3)
    mean, low, high = prediction_interval([[1.0, 2.0, 3.0]], runs=4)
    half = 4.302652729911275 * math.sqrt(7 / 12)
    assert (mean, low, high) == pytest.approx((2, 2 - half, 2 + half), rel=1e-9)


def test_several_groups_prediction_interval_by_welch_and_satterthwaite_by_hand():
    # s^2 (1/1 + 1/3) is 4/3 and 16/3; their sum is 20/3 with (20/3)^2 / ((4/3)^2/2 + (16/3)^2/2) = 50/17 degrees
    mean, low, high = prediction_interval([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]], runs=1)
    half = stats.t.ppf(0.975, 50 / 17) * math.sqrt(20 / 3) / 2
    assert (mean, low, high) == pytest.approx((3, 3 - half, 3 + half), rel=1e-9)


def test_groups_of_different_sizes_count_alike_in_the_mean():
    mean, _, _ = prediction_interval([[0.0, 1.0], [4.0, 5.0, 6.0, 5.0]], runs=1)
    assert mean == pytest.approx((0.5 + 5) / 2)


@pytest.mark.parametrize("groups", [[], [[0.5]], [[0.5, 0.6], [0.5]], [[0.5, 0.6], []]])
def test_without_two_values_in_each_group_there_is_no_prediction(groups):
    assert prediction_interval(groups, runs=1) is None


@pytest.mark.parametrize(
    "value",
    [
        0.5,
        pytest.param(0.1),
    ],
)
def test_equal_values_predict_that_value(value):
    assert prediction_interval([[value, value]] * 3, runs=1) == (value, value, value)


@settings(deadline=None)
@given(FIGURES, st.integers(1, 20), st.floats(-10, 10), st.floats(0.1, 10))
def test_a_prediction_moves_and_stretches_with_its_figures_and_narrows_with_more_runs(values, runs, shift, factor):
    plain = prediction_interval([values], runs)
    moved = prediction_interval([[shift + factor * value for value in values]], runs)
    assert moved == pytest.approx(tuple(shift + factor * edge for edge in plain), rel=1e-9, abs=1e-9)
    more = prediction_interval([values], runs + 1)
    assert plain[1] <= more[1] <= more[2] <= plain[2]


# What 95 % means: 3000 repetitions have a standard error of 0.4 points.


def test_the_t_interval_holds_the_true_mean_in_95_percent_of_samples():
    drawn = np.random.default_rng(0).normal(0.7, 0.1, (3000, 5))
    found = [summarize(sample) for sample in drawn]
    held = np.mean([summary["ci95_low"] <= 0.7 <= summary["ci95_high"] for summary in found])
    assert abs(held - 0.95) < 0.012


@pytest.mark.parametrize("spreads", [(0.1,), (0.1, 0.1, 0.1), (0.05, 0.15)])
def test_the_prediction_interval_holds_the_mean_of_new_runs_in_95_percent_of_samples(spreads):
    generator = np.random.default_rng(1)
    held, runs = 0, 2
    for _ in range(3000):
        measured = [generator.normal(0.7, spread, 6) for spread in spreads]
        new = np.mean([generator.normal(0.7, spread, runs).mean() for spread in spreads])
        _, low, high = prediction_interval(measured, runs)
        held += low <= new <= high
    assert abs(held / 3000 - 0.95) < 0.012
