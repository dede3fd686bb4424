"""What the project's own experiments declare, and that each of them runs."""

import csv
from pathlib import Path

import pytest

from experiments import EXPERIMENTS
from tests.conftest import needs_data
from trials.datasets import DATASETS

NETWORKS = {
    ("lenet5_digits", "lenet5"): (61_706, 61_706),
    ("lenet5_mnist", "lenet5"): (61_706, 61_706),
    ("lenet5_mnist_continued", "lenet5"): (61_706, 61_706),
    ("lenet5_1998_mnist", "lenet5"): (61_706, 61_706),
    ("lenet5_1998_mnist", "lenet5_1998"): (60_000, 60_840),
    ("batch_norm_dropout_mnist", "bn_hidden"): (62_158, 62_610),
    ("batch_norm_dropout_mnist", "bn_all"): (62_160, 62_614),
    ("batch_norm_dropout_mnist", "dropout"): (61_706, 61_706),
    ("batch_norm_dropout_mnist", "bn_dropout"): (62_158, 62_610),
    ("batch_norm_dropout_mnist", "dropout_per_spec"): (61_706, 61_706),
    ("batch_norm_dropout_mnist", "bn_dropout_per_spec"): (62_158, 62_610),
    ("regularizers_fashion_mnist", "none"): (61_706, 61_706),
    ("regularizers_fashion_mnist", "dropout"): (61_706, 61_706),
    ("regularizers_fashion_mnist", "weight_decay"): (61_706, 61_706),
    ("regularizers_fashion_mnist", "batch_norm"): (62_158, 62_610),
    ("lenet_cifar10", "lenet"): (62_006, 62_006),
    ("lenet_cifar10", "batch_norm"): (62_050, 62_094),
    ("lenet_cifar10", "batch_norm_dropout"): (62_050, 62_094),
}
"Trainable parameters and all of them."
IRIS = {10: 193, 20: 583, 30: 1173, 40: 1963, 50: 2953, 60: 4143, 70: 5533, 80: 7123, 90: 8913, 100: 10903}
"Parameters by width u: u*u + 9*u + 3."


def parameters(configuration):
    """Trainable and all parameters of the network, for the data that the experiment declares."""
    known = DATASETS[configuration.data.source]
    shape = (*configuration.data.size, known.shape[-1]) if configuration.data.size else known.shape
    model = configuration.variant.builder(input_shape=shape, classes=known.classes, **configuration.options)
    return sum(weight.shape.num_elements() for weight in model.trainable_weights), model.count_params()


@pytest.mark.parametrize(("experiment", "variant"), NETWORKS, ids="-".join)
def test_the_networks_have_as_many_parameters_as_the_documents_count(experiment, variant, keras):
    (configuration,) = (c for c in EXPERIMENTS[experiment].configurations() if c.variant.name == variant)
    assert parameters(configuration) == NETWORKS[experiment, variant]


@pytest.mark.parametrize("experiment", ["iris_hidden_units", "iris_resplit"])
def test_the_perceptrons_have_u_squared_plus_9_u_plus_3_parameters(experiment, keras):
    found = {(c.variant.name, c.options["units"]): parameters(c) for c in EXPERIMENTS[experiment].configurations()}
    names = [variant.name for variant in EXPERIMENTS[experiment].variants]
    assert found == {(name, units): (count, count) for name in names for units, count in IRIS.items()}


def test_no_variant_is_left_out():
    all_variants = {(name, variant.name) for name, declared in EXPERIMENTS.items() for variant in declared.variants}
    iris = {("iris_hidden_units", "mlp"), ("iris_resplit", "fixed_split"), ("iris_resplit", "resampled_split")}
    assert all_variants == {*NETWORKS} | iris


ROWS = [
    ("bn_hidden", 1, 0.2195, 0.0275, 0.9812, 0.9808),
    ("bn_hidden", 8, 0.0109, 0.0118, 0.9969, 0.9902),
    ("bn_hidden", 10, 0.0071, 0.0123, 0.9974, 0.9901),
    ("bn_all", 1, 0.2244, 0.0291, 0.9825, 0.9810),
    ("bn_all", 6, 0.0195, 0.0359, 0.9778, 0.9693),
    ("bn_all", 10, 0.0100, 0.0102, 0.9991, 0.9921),
    ("dropout", 1, 1.2538, 0.1318, 0.9332, 0.9367),
    ("dropout", 5, 0.1827, 0.0422, 0.9764, 0.9776),
    ("dropout", 10, 0.1278, 0.0268, 0.9841, 0.9835),
    ("bn_dropout", 1, 0.6396, 0.1017, 0.9470, 0.9556),
    ("bn_dropout", 9, 0.0959, 0.0255, 0.9829, 0.9846),
    ("bn_dropout", 10, 0.0945, 0.0295, 0.9792, 0.9802),
]
"Of S002's tables: variant, epoch from 1, train loss, its validation loss, train and validation accuracy as fractions."
METRICS = ("train_loss", "test_loss_over_batches", "train_accuracy", "test_accuracy")
S002 = EXPERIMENTS["batch_norm_dropout_mnist"].published


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}-{row[1]}")
def test_s002s_rows_are_published_figures_as_fractions_from_epoch_1(row):
    variant, epoch, *values = row
    found = {figure.metric: figure.value for figure in S002 if figure.where == {"variant": variant, "epoch": epoch}}
    assert found == pytest.approx(dict(zip(METRICS, values, strict=True)), rel=1e-12)


SUMS = {"train_loss": 5.6875, "test_loss_over_batches": 1.3782, "train_accuracy": 39.235, "test_accuracy": 39.1644}
"Over the columns of S002's tables, so that no other row can be off."


def test_s002_publishes_40_rows_of_four_figures_each_of_one_run():
    places = {(figure.where["variant"], figure.where["epoch"], figure.metric) for figure in S002}
    variants = ("bn_hidden", "bn_all", "dropout", "bn_dropout")
    assert len(S002) == 160
    assert places == {(v, epoch, metric) for v in variants for epoch in range(1, 11) for metric in METRICS}
    assert {(figure.runs, figure.source) for figure in S002} == {(1, "S002-P1")}
    sums = {metric: sum(figure.value for figure in S002 if figure.metric == metric) for metric in METRICS}
    assert sums == pytest.approx(SUMS, rel=1e-9)


def test_only_s002s_validation_loss_is_off_by_a_factor():
    factors = {figure.metric: (figure.factor, bool(figure.note)) for figure in S002}
    assert factors == {
        "train_loss": (1, False),
        "test_loss_over_batches": (0.384, True),
        "train_accuracy": (1, False),
        "test_accuracy": (1, False),
    }


def test_s002s_cells_differ_as_the_document_has_them_and_not_otherwise():
    found = {
        c.variant.name: (c.protocol.shuffle, c.data.mean, c.data.std)
        for c in EXPERIMENTS["batch_norm_dropout_mnist"].configurations()
    }
    others = ("bn_all", "dropout", "bn_dropout", "dropout_per_spec", "bn_dropout_per_spec")
    assert found == {"bn_hidden": (False, 0.1307, 0.3081), **dict.fromkeys(others, (True, None, None))}


@pytest.mark.parametrize(
    ("name", "value", "runs"),
    [("iris_hidden_units", 2329 / 3000, 10), ("lenet5_mnist", 99_152 / 100_000, 1)],
)
def test_s003_publishes_one_figure_a_question(name, value, runs):
    (figure,) = EXPERIMENTS[name].published
    assert (figure.value, figure.runs, figure.metric) == (pytest.approx(value, abs=1e-8), runs, "test_accuracy")


IMAGES = pytest.mark.slow, needs_data
RUNS = [
    ("iris_hidden_units", ("--trials", "2", "--executor", "inline", "--set", "units=10,100"), 4),
    ("iris_resplit", ("--trials", "2", "--executor", "inline", "--set", "units=10,100"), 8),
    ("lenet5_digits", ("--trials", "2", "--executor", "inline"), 2),
    *(
        pytest.param(name, ("--trials", "1"), trainings, marks=IMAGES)
        for name, trainings in [
            ("lenet5_mnist", 1),
            ("lenet5_mnist_continued", 1),
            ("lenet5_1998_mnist", 2),
            ("batch_norm_dropout_mnist", 6),
            ("regularizers_fashion_mnist", 4),
            ("lenet_cifar10", 3),
        ]
    ),
]


@pytest.mark.parametrize(("name", "words", "trainings"), RUNS)
def test_an_experiment_runs_from_the_command_line_and_learns(name, words, trainings, command, tmp_path):
    done = command("--experiment", name, "--epochs", "1", *words)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / name
    with open(folder / "trials.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["status"] for row in rows] == ["ok"] * trainings
    for row in rows:
        if (name, row["variant"]) in NETWORKS:
            assert int(row["parameters"]) == NETWORKS[name, row["variant"]][1]
            assert float(row["test_accuracy"]) > 0.3  # ten classes, one epoch
        else:
            assert int(row["parameters"]) == IRIS[int(row["units"])]
    recorded = EXPERIMENTS[name].protocol.record
    assert (folder / "batch_norm.csv").is_file() == ("batch_norm" in recorded)
    header = Path(folder / "epochs.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert ("test_loss_over_batches" in header) == ("test_loss_over_batches" in recorded)
