import csv
import dataclasses
import math

import pytest

from trials import statistics
from trials.datasets import declaration
from trials.engines.results import Epoch, Figures, TrialResult
from trials.experiment import METRICS, Configuration, Data, Experiment, Protocol, Published, Variant
from trials.keys import configuration_key
from trials.override import override
from trials.report import PUBLISHED_COLUMNS, failures, published_rows, published_text, summary_table, write
from trials.store import Folder, Record
from trials.tables import write_tables


def network(input_shape, classes, units=4):
    raise AssertionError("a report never builds")


SMALL = Experiment(
    name="widths",
    question="?",
    data=Data("iris", test_fraction=0.2),
    variants=(Variant("mlp", network),),
    protocol=Protocol(epochs=2, loss="mse"),
    sweep={"units": (10, 20)},
)


def records(units, *accuracies, variant="mlp", status="ok", error="", **others):
    key = configuration_key(Configuration(Variant(variant, network), {"units": units}, SMALL.protocol, SMALL.data))
    return [
        Record(
            key,
            TrialResult(
                trial,
                trial - 1,
                status,
                error=error,
                metrics={**dict.fromkeys(METRICS), "test_accuracy": accuracy, **others} if status == "ok" else {},
            ),
            "2024-05-01T12:00:00+00:00",
            "host",
        )
        for trial, accuracy in enumerate(accuracies, 1)
    ]


def published(value=0.5, runs=1, measured=(), **more):
    """The row of one figure, without a `where` the mean over both widths."""
    declared = dataclasses.replace(SMALL, published=(Published(value, runs, "S1", **more),))
    (row,) = published_rows(declared, measured, declaration(declared.data))
    return row


# 10 units: mean 0.5, s = 0.1, n = 3. A new run falls in 0.5 +- 4.302653 * 0.1 * sqrt(4/3) = 0.5 +- 0.496828.
TEN = records(10, 0.4, 0.5, 0.6)
TWENTY = records(20, 0.7, 0.8, 0.9)
AT_TEN = {"units": 10}


@pytest.mark.parametrize(
    ("value", "runs", "verdict"),
    [
        (0.5, 1, "inside"),
        (0.9968, 1, "inside"),
        (0.9969, 1, "outside"),
        (0.0032, 1, "inside"),
        (0.0031, 1, "outside"),
        (0.9968, 2, "outside"),  # the mean of two runs varies less than one run
    ],
)
def test_a_figure_is_inside_where_such_a_mean_would_fall_in_95_percent(value, runs, verdict):
    assert published(value, runs, TEN, where=AT_TEN)["verdict"] == verdict


def test_the_row_holds_the_figure_the_measurement_and_the_interval():
    row = published(0.7, 1, TEN, where=AT_TEN, note="as printed")
    half = 4.302652730 * 0.1 * math.sqrt(4 / 3)
    expected = {"measured_mean": 0.5, "prediction95_low": 0.5 - half, "prediction95_high": 0.5 + half}
    assert {name: row.pop(name) for name in expected} == pytest.approx(expected)
    assert row == {
        "source": "S1",
        "metric": "test_accuracy",
        "where": "units=10",
        "published": 0.7,
        "runs": 1,
        "verdict": "inside",
        "note": "as printed",
    }


def test_a_figure_without_a_where_is_the_mean_over_all_configurations_each_counting_once():
    row = published(0.65, 1, [*TEN, *records(20, 0.8, 0.8)])
    assert row["measured_mean"] == pytest.approx(0.65)
    assert row["verdict"] == "inside"


def test_a_figure_may_be_of_one_variant_and_of_another_metric():
    both = (Variant("mlp", network), Variant("deep", network))
    figure = Published(0.9, 1, "S1", metric="train_accuracy", where={"variant": "deep", "units": 10})
    declared = dataclasses.replace(SMALL, variants=both, published=(figure,))
    measured = [*TEN, *records(10, 0.1, 0.2, variant="deep", train_accuracy=0.25)]
    (row,) = published_rows(declared, measured, declaration(declared.data))
    assert (row["measured_mean"], row["where"]) == (0.25, "variant=deep units=10")


@pytest.mark.parametrize("measured", [[], TEN, [*TEN, *records(20, 0.8, status="failed")]])
def test_a_figure_over_a_configuration_that_has_no_good_trial_is_not_measured(measured):
    row = published(0.5, 1, measured)
    assert row["verdict"] == "not measured"
    assert "measured_mean" not in row


def test_swept_values_that_the_source_did_not_have_do_not_count():
    assert published(0.65, 1, [*TEN, *TWENTY, *records(30, 0.0, 0.0)])["measured_mean"] == pytest.approx(0.65)


def test_failed_trials_do_not_count():
    measured = [*TEN, *records(10, 0.0, status="diverged")]
    assert published(0.5, 1, measured, where=AT_TEN)["measured_mean"] == pytest.approx(0.5)


SWEPT = {"sweep": {"units": (10, 20)}}


@pytest.mark.parametrize(
    ("declared", "asked", "changed"),
    [
        ({}, {}, None),
        ({}, {"trials": 3}, None),
        ({}, {"variants": ("plain",)}, None),
        (SWEPT, {"values": {"units": (10,)}}, None),
        ({}, {"epochs": 2}, None),
        ({}, {"epochs": 3}, "epochs=3"),
        ({}, {"values": {"batch_size": (32,)}}, None),
        ({}, {"values": {"batch_size": (8,)}}, "batch_size=8"),
        ({}, {"values": {"learning_rate": (0.1,)}}, "learning_rate=0.1"),
        ({}, {"values": {"units": (4,)}}, None),
        ({}, {"values": {"units": (8,)}}, "units=8"),
        ({}, {"epochs": 3, "values": {"units": (8,), "shuffle": (False,)}}, "epochs=3, shuffle=False, units=8"),
        ({"variants": (Variant("plain", network, {"units": 8}),)}, {"values": {"units": (8,)}}, None),
        ({"variants": (Variant("plain", network, protocol={"shuffle": False}),)}, {}, None),
        (
            {"variants": (Variant("plain", network, protocol={"shuffle": False}),)},
            {"values": {"shuffle": (True,)}},
            "shuffle=True",
        ),
        (
            {"variants": (Variant("plain", network, data={"mean": 0.5, "std": 0.5}),)},
            {"values": {"mean": (None,), "std": (None,)}},
            "mean=None, std=None",
        ),
    ],
)
def test_what_the_command_line_changed_makes_a_figure_not_comparable_and_is_named(declared, asked, changed):
    declared = dataclasses.replace(
        SMALL,
        **{"sweep": {}, "variants": (Variant("plain", network),), "published": (Published(0.5, 1, "S1"),)} | declared,
    )
    measured = [
        Record(configuration_key(configuration), one.result, one.finished, one.host)
        for configuration in override(declared, **asked).configurations()
        for one in TEN
    ]
    if declared.sweep:
        declared = dataclasses.replace(declared, published=(Published(0.5, 1, "S1", where=AT_TEN),))
    (row,) = published_rows(declared, measured, declaration(declared.data))
    expected = ("inside", "") if changed is None else ("not comparable", f"changed here: {changed}")
    assert (row["verdict"], row["note"]) == expected


def test_a_figure_is_not_comparable_where_the_data_was_read_otherwise_or_the_builder_has_changed():
    declared = dataclasses.replace(SMALL, published=(Published(0.5, 1, "S1", where=AT_TEN),))
    (row,) = published_rows(declared, TEN, {**declaration(declared.data), "scale": 16})
    assert (row["verdict"], row["note"]) == ("not comparable", "changed here: scale=16")
    changed = [dataclasses.replace(one, key={**one.key, "source": "0" * 64}) for one in TEN]
    (row,) = published_rows(declared, changed, declaration(declared.data))
    assert (row["verdict"], row["note"]) == ("not comparable", "changed here: the source")


def test_a_figure_from_another_kind_of_experiment_is_not_like_with_like_and_says_why():
    row = published(0.5, 1, TEN, where=AT_TEN, unlike="the source never rebuilds", note="one trajectory")
    assert (row["verdict"], row["note"]) == ("not like with like", "the source never rebuilds. one trajectory")
    assert row["measured_mean"] == pytest.approx(0.5)


def test_one_trial_gives_no_interval_and_no_verdict():
    row = published(0.5, 1, records(10, 0.5), where=AT_TEN)
    assert (row["verdict"], row["measured_mean"]) == ("no interval from one trial", 0.5)
    assert "prediction95_low" not in row


def test_a_figure_of_a_metric_that_no_trial_recorded_is_not_measured():
    assert published(0.5, 1, TEN, where=AT_TEN, metric="validation_accuracy")["verdict"] == "not measured"


def test_a_figure_that_every_trial_gave_is_inside():
    declared = dataclasses.replace(SMALL, sweep={"units": (1, 2, 3)}, published=(Published(0.1, 1, "S1"),))
    measured = [one for units in (1, 2, 3) for one in records(units, 0.1, 0.1)]
    (row,) = published_rows(declared, measured, declaration(declared.data))
    assert row["verdict"] == "inside"


def test_published_csv_has_a_row_a_figure(tmp_path):
    figures = (Published(0.5, 1, "S1", where=AT_TEN), Published(0.5, 2, "S2"))
    folder = Folder(tmp_path, {"swept": ["units"], "data": declaration(SMALL.data)})
    folder.begin("cpu")
    for one in TEN:
        folder.add(one)
    declared = dataclasses.replace(SMALL, published=figures)
    text = write(folder, declared, (150, 0)).text
    found = published_rows(declared, TEN, declaration(declared.data))
    folder.close()
    with open(tmp_path / "published.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == PUBLISHED_COLUMNS
    assert [row["verdict"] for row in rows] == ["inside", "not measured"]
    assert [float(rows[0][name]) for name in PUBLISHED_COLUMNS[5:8]] == [
        found[0][name] for name in PUBLISHED_COLUMNS[5:8]
    ]
    assert rows[1]["measured_mean"] == ""
    assert text.startswith("widths: test accuracy (a fraction) over n trials\n\n  units    n    mean")
    assert text.endswith("Published (S2 test accuracy): 0.5000: not measured.")


# what people read


def test_published_and_measured_stand_side_by_side():
    rows = [
        published(0.7, 1, TEN, where=AT_TEN, note="as printed"),
        published(0.7, 1, records(10, 0.5), where=AT_TEN),
        published(0.7, 1, []),
    ]
    assert published_text(rows).splitlines() == [
        "Published (S1 test accuracy units=10): 0.7000; measured: 0.5000, "
        "such a figure would fall in 0.0032 to 0.9968: inside.",
        "  as printed.",
        "Published (S1 test accuracy units=10): 0.7000; measured: 0.5000: no interval from one trial.",
        "Published (S1 test accuracy): 0.7000: not measured.",
    ]


def with_curves(*accuracies):
    """Records whose curves hold these test accuracies, epoch by epoch, and 0.2 as loss over batches."""
    found = records(10, *(curve[-1] for curve in accuracies))
    for one, curve in zip(found, accuracies, strict=True):
        one.result.curve = [Epoch(number, 1.0, test=Figures(value, 0.3, 0.2)) for number, value in enumerate(curve, 1)]
    return found


CURVES = with_curves((0.3, 0.4), (0.4, 0.5), (0.5, 0.6))


def test_a_figure_of_a_learning_curve_is_compared_with_its_epoch_as_the_source_computes_it():
    row = published(0.9, 1, CURVES, where={**AT_TEN, "epoch": 1})
    assert (row["measured_mean"], row["verdict"]) == (pytest.approx(0.4), "outside")
    assert row["prediction95_high"] == pytest.approx(0.4 + 0.496828, abs=1e-6)
    artefact = published(0.1, 1, CURVES, where={**AT_TEN, "epoch": 2}, metric="test_loss_over_batches", factor=0.5)
    assert (artefact["measured_mean"], artefact["verdict"]) == (0.1, "inside")
    assert published(0.9, 1, CURVES, where={**AT_TEN, "epoch": 3})["verdict"] == "not measured"


def test_of_learning_curves_people_read_how_many_cells_are_outside_and_how_many_chance_alone_would_put_there():
    rows = [published(value, 1, CURVES, where={**AT_TEN, "epoch": epoch}) for epoch, value in ((1, 0.4), (2, 1.1))]
    assert published_text(rows).splitlines() == [
        "Published learning curves, 2 cells: 1 outside the 95 % prediction interval of ours; "
        "by chance alone 0.1 would be.",
        "Outside, by variant and metric:",
        "          test accuracy",
        "--------  ---------------",
        "units=10  1 of 2",
    ]


def test_of_learning_curves_that_cannot_be_compared_people_read_why():
    rows = [published(0.5, 1, TEN, where={**AT_TEN, "epoch": 1})]
    assert published_text(rows) == "Published learning curves: 1 figures, not measured."
    changed = [{**rows[0], "verdict": "not comparable", "note": "changed here: epochs=1"}]
    assert published_text([*rows, *changed]) == (
        "Published learning curves: 2 figures, not comparable, not measured; changed here: epochs=1."
    )


def summary(tmp_path, *measured):
    folder = Folder(tmp_path, {"swept": ["units"]})
    folder.begin("cpu")
    for one in measured:
        folder.add(one)
    folder.close()
    return write_tables(folder, SMALL)


def test_the_table_of_one_swept_variant(tmp_path):
    # t(2) * 0.1 / sqrt(3) = 0.2484
    assert summary_table(summary(tmp_path, *TEN, *records(20, 0.75)), ["units"]).splitlines() == [
        "  units    n    mean     std     95 % interval     min     max",
        "-------  ---  ------  ------  ----------------  ------  ------",
        "     10    3  0.5000  0.1000  0.2516 to 0.7484  0.4000  0.6000",
        "     20    1  0.7500                            0.7500  0.7500",
    ]


def test_a_variant_without_a_swept_option_has_an_empty_cell():
    figures = dict.fromkeys(f"test_accuracy_{suffix}" for suffix in statistics.SUFFIXES)
    rows = [
        {"variant": "a", "n": 1, "failed": 0, **figures},
        {"variant": "b", "rate": 0.2, "n": 1, "failed": 0, **figures},
    ]
    assert [line.split() for line in summary_table(rows, ["rate"]).splitlines()[2:]] == [["a", "1"], ["b", "0.2", "1"]]


def test_the_table_of_several_variants_names_them_and_counts_what_failed(tmp_path):
    measured = [*TEN, *records(10, 0.5, variant="deep", status="failed")]
    assert summary_table(summary(tmp_path, *measured), ["units"]).splitlines() == [
        "variant      units    n    failed    mean     std     95 % interval     min     max",
        "---------  -------  ---  --------  ------  ------  ----------------  ------  ------",
        "mlp             10    3         0  0.5000  0.1000  0.2516 to 0.7484  0.4000  0.6000",
        "deep            10    0         1",
    ]


def test_failures_are_told_once_for_each_way_with_the_first_trial():
    measured = [
        *TEN,
        *records(20, 0, 0, status="diverged", error="the loss became nan in epoch 1"),
        *records(30, 0, status="failed", error="ValueError: no"),
        *records(40, 0, status="failed", error="ValueError: no"),
    ]
    assert failures(measured) == [
        "2 diverged: the loss became nan in epoch 1 (first: mlp units=20, trial 1, seed 0)",
        "2 failed: ValueError: no (first: mlp units=30, trial 1, seed 0)",
    ]


def test_without_failures_nothing_is_told():
    assert failures(TEN) == []
