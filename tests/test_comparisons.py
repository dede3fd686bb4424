import pytest

from trials.comparisons import COLUMNS, Measured, comparison_rows, conclusion


def measured(variant, accuracies, test_to_train=0.0, **values):
    return Measured(variant, values, dict(enumerate(accuracies)), test_to_train)


def flat(start, n=10):
    """Accuracies with a spread, the same shape for every start."""
    return [start + 0.01 * (seed % 3) for seed in range(n)]


def jittered(start, n=10):
    """As `flat` but for the sign of a small step, so that paired differences from `flat` go both ways."""
    return [start + 0.01 * (seed % 3) + 0.004 * (-1) ** seed for seed in range(n)]


def shown(rows):
    return [(row["family"], row["first"], row["second"], row["verdict"]) for row in rows]


def test_all_pairs_of_variants_are_compared():
    rows = comparison_rows([measured("a", flat(0.5)), measured("b", flat(0.6)), measured("c", jittered(0.5))])
    assert shown(rows) == [
        ("variants", "a", "b", "second is better"),
        ("variants", "a", "c", "no difference shown"),
        ("variants", "b", "c", "first is better"),
    ]
    assert all(tuple(row) == COLUMNS for row in rows)
    # all ten differences one way: 2 of 2^10 patterns reach it; three comparisons
    assert rows[0]["p"] == 2**-9
    assert [row["p_holm"] for row in rows] == [3 * 2**-9, 1.0, 3 * 2**-9]


def test_variants_are_compared_at_equal_swept_values_and_neighbours_along_ascending_numbers():
    rows = comparison_rows([measured(name, flat(0.5), units=units) for name in "ab" for units in (30, 4, 200)])
    assert [row[:3] for row in shown(rows)] == [
        ("variants", "a units=30", "b units=30"),
        ("variants", "a units=4", "b units=4"),
        ("variants", "a units=200", "b units=200"),
        ("units", "a units=4", "a units=30"),
        ("units", "a units=30", "a units=200"),
        ("units", "b units=4", "b units=30"),
        ("units", "b units=30", "b units=200"),
    ]


def test_values_that_are_no_numbers_keep_their_declared_order_and_other_sweeps_stay_equal():
    points = [("tanh", 2), ("tanh", 1), ("relu", 2), ("relu", 1)]
    rows = comparison_rows([measured("a", flat(0.5), activation=act, units=units) for act, units in points])
    assert [row[:3] for row in shown(rows)] == [
        ("activation", "a activation=tanh units=2", "a activation=relu units=2"),
        ("activation", "a activation=tanh units=1", "a activation=relu units=1"),
        ("units", "a activation=tanh units=1", "a activation=tanh units=2"),
        ("units", "a activation=relu units=1", "a activation=relu units=2"),
    ]


@pytest.mark.parametrize(("n", "verdict"), [(5, "too few trials"), (6, "second is better")])
def test_one_comparison_needs_six_pairs(n, verdict):
    (row,) = comparison_rows([measured("a", flat(0.5, n)), measured("b", flat(0.6, n))])
    assert row["verdict"] == verdict
    assert row["note"] == ("1 comparison needs at least 6 pairs" if n == 5 else "")


def test_one_trial_compares_by_its_difference_alone():
    (row,) = comparison_rows([measured("a", [0.5]), measured("b", [0.75])])
    filled = {name: value for name, value in row.items() if value is not None}
    assert filled == {
        "family": "variants",
        "first": "a",
        "second": "b",
        "n": 1,
        "difference_mean": 0.25,
        "verdict": "too few trials",
        "note": "1 comparison needs at least 6 pairs",
    }


def test_seeds_without_a_partner_are_left_out_and_noted():
    second = Measured("b", {}, dict.fromkeys(range(2, 12), 0.9))
    (row,) = comparison_rows([measured("a", flat(0.5)), second])
    assert (row["n"], row["note"]) == (8, "4 trials without a partner of the same seed left out")
    (row,) = comparison_rows([measured("a", flat(0.5)), Measured("b", {}, {99: 0.9})])
    assert (row["n"], row["verdict"], row["difference_mean"]) == (0, "no pairs", None)


def test_a_comparison_without_pairs_still_counts_in_its_family():
    rows = comparison_rows([measured("a", flat(0.5, 6)), measured("b", flat(0.6, 6)), measured("c", [])])
    assert [row["verdict"] for row in rows] == ["too few trials", "no pairs", "no pairs"]
    assert rows[0]["note"] == "3 comparisons need at least 7 pairs"


@pytest.mark.parametrize("sides", ["both", "second"])
def test_resampled_splits_take_the_corrected_t_and_say_so(sides):
    split = 30 / 120
    first = measured("a", flat(0.5), split if sides == "both" else 0.0)
    (row,) = comparison_rows([first, measured("b", jittered(0.502), split)])
    (plain,) = comparison_rows([measured("a", flat(0.5)), measured("b", jittered(0.502))])
    width = row["difference_ci95_high"] - row["difference_ci95_low"]
    assert width / (plain["difference_ci95_high"] - plain["difference_ci95_low"]) == pytest.approx((0.35 / 0.1) ** 0.5)
    assert row["p"] > plain["p"]
    assert row["note"] == "splits are resampled: Nadeau and Bengio's corrected t"


def said(*configurations):
    return conclusion(configurations, comparison_rows(configurations))


def test_the_conclusion_on_one_configuration_is_its_mean_with_interval():
    assert said(measured("a", [0.5, 0.75, 0.75, 1.0])) == (
        "The mean test accuracy of a is 75.00 % over 4 trials, 95 % interval 42.52 % to 107.48 %."
    )
    assert said(measured("a", [0.5])) == "The mean test accuracy of a is 50.00 % over 1 trial."
    assert said(measured("a", [])) == "No configuration has a test accuracy."


def test_what_has_no_accuracy_does_not_silence_what_has():
    alone = said(measured("a", [0.5]), measured("b", []))
    assert alone == "The mean test accuracy of a is 50.00 % over 1 trial."
    both = said(measured("a", flat(0.5)), measured("b", flat(0.6)), measured("c", []))
    assert both == said(measured("a", flat(0.5)), measured("b", flat(0.6)))


def test_an_option_that_only_some_variants_take_can_be_swept():
    plain, low, high = (
        measured("plain", flat(0.5)),
        measured("net", flat(0.5), rate=1),
        measured("net", flat(0.6), rate=2),
    )
    assert [row["family"] for row in comparison_rows([plain, low, high])] == ["rate"]
    assert said(plain, low, high).startswith("Along rate the mean test accuracy goes from 50.90 % at 1 to 60.90 % at 2")
    assert said(plain, low) == "No swept point has all variants."


def test_the_conclusion_says_against_whom_the_best_is_shown():
    assert said(measured("a", flat(0.5)), measured("b", flat(0.6)), measured("c", jittered(0.6001))) == (
        "c has the highest mean test accuracy, 60.91 %; c is shown better than a; "
        "no difference is shown between c and b; "
        "the smallest true difference that 10 pairs show with 80 % power in a single comparison is 0.42 points."
    )


def test_the_conclusion_on_too_few_trials_says_how_many_it_takes():
    assert said(measured("a", flat(0.5, 3)), measured("b", flat(0.6, 3))) == (
        "b has the highest mean test accuracy, 61.00 %; no difference is shown between b and a; "
        "too few trials: 1 comparison needs at least 6 pairs."
    )


def test_the_conclusion_on_a_sweep_says_from_where_to_where_and_between_which_neighbours():
    widths = {10: flat(0.5), 40: jittered(0.7), 20: flat(0.7)}
    assert said(*(measured("a", accuracies, units=units) for units, accuracies in widths.items())) == (
        "Along units the mean test accuracy goes from 50.90 % at 10 to 70.90 % at 40; "
        "between neighbours a difference is shown from 10 to 20 (+20.00 points)."
    )


def test_the_conclusion_on_a_flat_sweep_says_what_could_have_been_shown():
    assert said(measured("a", flat(0.5), units=1), measured("a", jittered(0.5), units=2)) == (
        "Along units the mean test accuracy goes from 50.90 % at 1 to 50.90 % at 2; "
        "no difference between neighbours is shown; "
        "the smallest true difference that 10 pairs show with 80 % power in a single comparison is 0.42 points."
    )


def test_the_conclusion_on_swept_variants_holds_their_means_over_common_points_and_counts_points():
    assert said(
        measured("a", flat(0.5), units=1),
        measured("a", flat(0.6), units=2),
        measured("a", flat(0.9), units=3),  # b has none there
        measured("b", flat(0.7), units=1),
        measured("b", jittered(0.6), units=2),
    ) == (
        "b has the highest mean test accuracy over 2 swept points, 65.90 %; "
        "b is shown better than a at 1 of 2 points. "
        "Along units the mean test accuracy of a goes from 50.90 % at 1 to 90.90 % at 3 and "
        "of b goes from 70.90 % at 1 to 60.90 % at 2; between neighbours a difference is shown from "
        "a units=1 to a units=2 (+10.00 points), a units=2 to a units=3 (+30.00 points) and "
        "b units=1 to b units=2 (-10.00 points)."
    )


def test_nothing_measured_concludes_nothing():
    assert said(measured("a", []), measured("b", [])) == "No configuration has a test accuracy."


def test_equal_means_share_the_first_place_and_other_seeds_are_no_pairs():
    assert said(measured("a", [0.5, 0.7]), Measured("b", {}, {8: 0.7, 9: 0.5})) == (
        "a and b share the highest mean test accuracy, 60.00 %; no difference is shown between a and b; "
        "no two of their trials have the same seed."
    )


def test_the_best_mean_over_all_points_may_be_shown_worse_at_one():
    found = said(
        measured("a", flat(0.5), units=1),
        measured("a", flat(0.8), units=2),
        measured("b", flat(0.6), units=1),
        measured("b", flat(0.6), units=2),
    )
    assert found.startswith(
        "a has the highest mean test accuracy over 2 swept points, 65.90 %; "
        "a is shown better than b at 1 of 2 points; a is shown worse than b at 1 of 2 points. Along units"
    )
