import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats import power
from statsmodels.stats.multitest import multipletests

from trials.statistics import (
    PAIRED,
    RESAMPLES,
    SUFFIXES,
    bca_interval,
    binomial_standard_error,
    compare,
    detectable_difference,
    differences,
    holm,
    pairs_needed,
    prediction_interval,
    selection_bias,
    sign_flip_p,
    summarize,
    t_p,
    t_quantile,
)

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


@given(st.lists(st.integers(0, 30), min_size=10, max_size=40).filter(lambda values: len(set(values)) > 1))
@settings(max_examples=30, deadline=None)
def test_the_bootstrap_interval_is_scipys_of_the_same_resamples(values):
    x = np.array(values, np.float64)  # whole, so that rounding parts no equal means, as it does in theirs
    theirs = stats.bootstrap((x,), np.mean, n_resamples=RESAMPLES, method="BCa", rng=np.random.default_rng(0))
    interval = theirs.confidence_interval
    assert bca_interval(x) == pytest.approx((interval.low, interval.high), rel=1e-12, abs=1e-12)
    assert bca_interval(x / 30) == pytest.approx((interval.low / 30, interval.high / 30), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("factor", [1e-9, 1e-7, 1e9])
def test_the_bootstrap_interval_scales_with_its_values(factor):
    scaled = np.array(bca_interval(factor * SKEWED)) / factor
    assert scaled == pytest.approx(bca_interval(SKEWED), rel=1e-9)


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


BY_SEED = st.dictionaries(st.integers(0, 30), st.floats(0, 1).map(lambda x: round(x, 4)), max_size=9)


def by_seed(*values):
    return dict(enumerate(values))


def near(expected, **tolerance):
    """approx that lets None equal None."""
    return None if expected is None else pytest.approx(expected, **tolerance)


def test_a_comparison_worked_by_hand():
    # differences 0.25, 0, 0.5, 0.25: mean 0.25, squares of deviations 0 + 0.0625 + 0.0625 + 0 = 0.125
    found = compare(by_seed(0.5, 0.5, 0.25, 0.5), by_seed(0.75, 0.5, 0.75, 0.75))
    std = math.sqrt(0.125 / 3)
    half = 3.182446305284263 * std / 2
    assert tuple(found) == PAIRED
    assert found.pop("detectable_difference") > half
    assert found == pytest.approx(
        {
            "n": 4,
            "difference_mean": 0.25,
            "difference_std": std,
            "difference_ci95_low": 0.25 - half,
            "difference_ci95_high": 0.25 + half,
            "p": 4 / 16,  # the three that move, all up or all down, each with either sign of the one that does not
            "probability_of_improvement": 3.5 / 4,
        },
        rel=1e-9,
    )


def test_only_seeds_that_both_have_are_paired():
    assert differences({3: 0.5, 1: 0.25, 9: 1.0}, {1: 0.5, 3: 0.25, 7: 0.0}).tolist() == [0.25, -0.25]
    assert compare({1: 0.5}, {2: 0.5}) == dict.fromkeys(PAIRED) | {"n": 0}


def test_one_pair_has_a_difference_and_nothing_else():
    assert compare({1: 0.5}, {1: 0.75}) == dict.fromkeys(PAIRED) | {"n": 1, "difference_mean": 0.25}


def test_differences_that_are_equal_but_for_rounding_have_no_spread():
    assert 0.3 - 0.2 != 0.4 - 0.3
    found = compare(by_seed(0.2, 0.8, 0.3), by_seed(0.3, 0.9, 0.4))
    assert (found["difference_std"], found["detectable_difference"]) == (0, None)
    assert found["difference_ci95_low"] == found["difference_ci95_high"] == found["difference_mean"]
    assert found["p"] == 0.25
    tied = compare(by_seed(0.3, 0.1 + 0.2), by_seed(0.1 + 0.2, 0.3))
    assert (tied["probability_of_improvement"], tied["p"]) == (0.5, 1)


def test_sums_that_are_equal_but_for_rounding_count_as_reached():
    # |0.1 + 0.2 - 0.3| is 5.6e-17 and |0.3 - 0.1 - 0.2| is 2.8e-17; every pattern reaches 0
    assert sign_flip_p(np.array([0.3, -0.1, -0.2])) == 1
    # the patterns lie 0.5, 0.1, 0.7 and 0.3 from 0, each with its opposite; two reach 0.5
    assert sign_flip_p(np.array([0.4, -0.1, 0.2])) == 0.5


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.floats(0, 1).map(lambda x: round(x, 4))] * 2), min_size=3, max_size=9))
def test_t_intervals_of_pairs_are_scipys(pairs):
    first, second = (dict(enumerate(side)) for side in zip(*pairs, strict=True))
    found = compare(first, second)
    d = differences(first, second)
    assume(np.ptp(d) > 1e-9)
    tested = stats.ttest_rel(list(second.values()), list(first.values()))
    expected = tested.confidence_interval(0.95)
    assert (found["difference_ci95_low"], found["difference_ci95_high"]) == pytest.approx(tuple(expected), abs=1e-9)
    assert t_p(found["difference_mean"], found["difference_std"] / math.sqrt(len(d)), len(d) - 1) == pytest.approx(
        tested.pvalue, abs=1e-9
    )


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(-4, 4), min_size=2, max_size=10))
def test_exact_sign_flips_are_scipys(steps):
    d = np.array(steps) / 16
    expected = stats.permutation_test((d,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip_p(d) == pytest.approx(expected.pvalue, abs=1e-12)


def test_sign_flips_beyond_enumeration_are_drawn_repeat_and_are_never_zero():
    d = np.random.default_rng(3).normal(0.3, 1, 17)
    everything = np.mean(np.abs(np.array(list(itertools.product([-1, 1], repeat=17))) @ d) >= abs(d.sum()) - 1e-9)
    assert sign_flip_p(d) == sign_flip_p(d.copy()) == pytest.approx(everything, abs=4 * math.sqrt(0.25 / 9999))
    assert sign_flip_p(np.ones(40)) == 1 / 10_000


@pytest.mark.parametrize("n", [2, 5, 16])
def test_the_smallest_p_of_n_pairs(n):
    assert sign_flip_p(np.full(n, 0.1)) == 2.0 ** (1 - n)


@settings(deadline=None)
@given(BY_SEED, BY_SEED, st.sampled_from([0.0, 0.25]))
def test_swapping_the_sides_mirrors_a_comparison(first, second, ratio):
    one, other = compare(first, second, ratio), compare(second, first, ratio)
    for name in ("n", "difference_std", "p", "detectable_difference"):
        assert one[name] == near(other[name], rel=1e-9, abs=1e-12)
    if one["n"]:
        assert one["difference_mean"] == pytest.approx(-other["difference_mean"], abs=1e-12)
    if one["n"] > 1:
        assert one["difference_ci95_low"] == pytest.approx(-other["difference_ci95_high"], abs=1e-12)
        assert one["probability_of_improvement"] == pytest.approx(1 - other["probability_of_improvement"])


@settings(deadline=None)
@given(BY_SEED, BY_SEED, st.integers(-8, 8), st.sampled_from([0.0, 0.25]))
def test_what_both_sides_gain_does_not_change_a_comparison(first, second, shift, ratio):
    moved = [{seed: value + shift / 8 for seed, value in side.items()} for side in (first, second)]
    expected = compare(first, second, ratio)
    assert compare(*moved, ratio) == {name: near(value, rel=1e-6, abs=1e-12) for name, value in expected.items()}


def test_the_corrected_variance_of_resampled_splits_by_hand():
    # differences 1, 2, 3: var 1, n 3, n_test / n_train 1/4: standard error sqrt(1/3 + 1/4) = sqrt(7/12)
    found = compare(by_seed(0, 0, 0), by_seed(1, 2, 3), 30 / 120)
    error = math.sqrt(7 / 12)
    half = 4.302652729911275 * error
    assert (found["difference_ci95_low"], found["difference_ci95_high"]) == pytest.approx((2 - half, 2 + half))
    t = 2 / error  # with two degrees of freedom P(|T| > t) = 1 - t / sqrt(2 + t^2)
    assert found["p"] == pytest.approx(1 - t / math.sqrt(2 + t**2))
    assert compare(by_seed(0, 0), by_seed(1, 1), 0.25)["p"] is None
    assert compare(by_seed(1, 2), by_seed(1, 2), 0.25)["p"] == 1


@pytest.mark.parametrize("n", [3, 6, 10, 50])  # statsmodels has none of 2
def test_the_detectable_difference_has_80_percent_power_by_statsmodels(n):
    expected = power.TTestPower().power(detectable_difference(1.0, n), n, 0.05)
    assert expected == pytest.approx(0.8, abs=1e-6)
    assert detectable_difference(0.02, n) == pytest.approx(0.02 * detectable_difference(1.0, n))


@pytest.mark.parametrize("n", [2, 8])
def test_the_detectable_difference_is_detected_in_80_percent_of_samples(n):
    repetitions = 40_000
    drawn = np.random.default_rng(4).normal(detectable_difference(1.0, n), 1, (repetitions, n))
    found = np.mean(stats.ttest_1samp(drawn, 0, axis=1).pvalue <= 0.05)
    assert abs(found - 0.8) < 0.008  # four standard errors


@pytest.mark.parametrize(("std", "n"), [(0.1, 1), (0.1, 0), (0.0, 5), (None, 5)])
def test_without_spread_or_pairs_nothing_says_what_could_be_detected(std, n):
    assert detectable_difference(std, n) is None


def test_holm_by_hand():
    # sorted 0.01, 0.03, 0.04 times 3, 2, 1: 0.03, 0.06, 0.04, the last raised to 0.06
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.04, None, 0.01]) == pytest.approx([0.08, None, 0.03])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holms_p_is_no_smaller_and_in_the_same_order(p):
    found = holm(p)
    assert all(p[i] <= found[i] <= 1 for i in range(len(p)))
    assert np.all(np.diff(np.array(found)[np.argsort(p)]) >= 0)


@pytest.mark.parametrize("size", [1, 2, 5, 20])
def test_holms_p_is_statsmodels(size):
    p = np.random.default_rng(size).random(size) ** 4
    p[-1] = p[0]  # a tie
    assert holm(p.tolist()) == pytest.approx(multipletests(p, method="holm")[1].tolist())


@pytest.mark.parametrize(("comparisons", "expected"), [(1, 6), (2, 7), (3, 7), (4, 8), (6, 8), (9, 9), (10, 9)])
def test_pairs_needed_by_hand(comparisons, expected):
    assert pairs_needed(comparisons) == expected
    assert comparisons * 2.0 ** (1 - expected) <= 0.05 < comparisons * 2.0 ** (2 - expected)


def test_the_binomial_standard_error_by_hand():
    assert binomial_standard_error(0.9, 100) == pytest.approx(0.03)
    assert binomial_standard_error(1.0, 30) == 0


def test_picking_the_best_of_like_rows_flatters_by_the_expected_maximum():
    # the larger of two independent normal means of standard error s lies s / sqrt(pi) above the truth
    x = np.random.default_rng(5).normal(0, 1, (2, 100))
    x -= x.mean(axis=1, keepdims=True)
    x[1] -= x[0] * (x[0] @ x[1]) / (x[0] @ x[0])
    x /= x.std(axis=1, keepdims=True)
    assert selection_bias(x) == pytest.approx(1 / math.sqrt(100 * math.pi), rel=0.05)
    assert selection_bias(x) == selection_bias(x.copy())


def test_a_row_far_above_the_others_was_not_picked_by_luck():
    x = np.random.default_rng(6).normal(0, 0.01, (3, 20)) + np.array([[0], [5], [1]])
    assert abs(selection_bias(x)) < 1e-4


def test_selection_has_no_bias_without_spread_and_none_is_known_of_one_row_or_seed():
    assert selection_bias(np.full((3, 7), 0.1)) == 0
    assert selection_bias(np.ones((1, 5))) is None
    assert selection_bias(np.ones((5, 1))) is None


def test_luck_that_all_rows_share_picks_none_of_them():
    luck = np.random.default_rng(7).normal(0, 1, 20)
    assert abs(selection_bias(np.stack([luck, luck + 1e-3]))) < 0.01


def covered(drawn, ratio=0.0):
    """The share of rows, shape (repetitions, n), whose interval holds a true difference of 0."""
    # mean +- half is linear in the spread: one comparison of unit spread gives the factor for every row
    n = drawn.shape[1]
    unit = np.zeros(n)
    unit[:2] = np.array([1, -1]) * math.sqrt((n - 1) / 2)
    found = compare(dict.fromkeys(range(n), 0.0), by_seed(*unit), ratio)
    assert found["difference_std"] == pytest.approx(1)
    half = (found["difference_ci95_high"] - found["difference_ci95_low"]) / 2
    return np.mean(np.abs(drawn.mean(axis=1)) <= half * drawn.std(axis=1, ddof=1))


@pytest.mark.parametrize("n", [2, 6, 20])
def test_the_paired_interval_holds_the_true_difference_in_95_percent_of_samples(n):
    first, second = np.random.default_rng(8).normal(0.7, 0.1, (2, 40_000, n))
    luck = np.random.default_rng(9).normal(0, 0.3, (40_000, n))  # of the seed, in both
    assert abs(covered((second + luck) - (first + luck)) - 0.95) < 0.01


def test_the_corrected_interval_holds_where_trials_share_examples_and_the_plain_one_does_not():
    # Nadeau and Bengio's model: differences correlated by n_test / (n_test + n_train)
    ratio, n = 0.25, 10
    rho = ratio / (1 + ratio)
    generator = np.random.default_rng(10)
    shared, own = generator.normal(size=(40_000, 1)), generator.normal(size=(40_000, n))
    drawn = math.sqrt(rho) * shared + math.sqrt(1 - rho) * own
    assert abs(covered(drawn, ratio) - 0.95) < 0.01
    assert covered(drawn) < 0.8
