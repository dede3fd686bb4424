"""Small records and results folders that tests of the store, the journal and the tables share."""

import csv

from trials.engines.results import Epoch, Figures, TrialResult
from trials.experiment import METRICS, Configuration, Data, Experiment, Protocol, Variant
from trials.journal import Record
from trials.keys import configuration_key
from trials.store import Folder

HEADER = {"experiment": "widths", "swept": ["units"], "first seed": 0, "data": {"source": "iris", "scale": None}}
PROTOCOL = Protocol(epochs=2, loss="mse")
NORMS = {
    "norm": {"gamma": [1.5, 0.1], "beta": [0.0, -2.0], "moving_mean": [3.0, 4.0], "moving_variance": [1e-300, 1.0]},
    "unscaled": {"beta": [0.25], "moving_mean": [0.5], "moving_variance": [0.75]},
}


def network(input_shape, classes, units=4, activation="relu"):
    raise AssertionError("a record never builds")


EXPERIMENT = Experiment(
    name="widths",
    question="?",
    data=Data("iris", test_fraction=0.2),
    variants=(Variant("b", network), Variant("a", network)),
    protocol=PROTOCOL,
    sweep={"units": (10, 20)},
)


def another(input_shape, classes, units=4):
    raise AssertionError("a record never builds")


def configuration(variant="b", protocol=PROTOCOL, **values):
    return Configuration(Variant(variant, network), values or {"units": 10}, protocol, Data("iris", test_fraction=0.2))


def metrics(accuracy=0.5):
    return {**dict.fromkeys(METRICS), "train_loss": 0.1, "test_accuracy": accuracy, "test_loss": 1 / 3}


def record(trial=1, accuracy=0.5, status="ok", of=None, **changes):
    of = of or configuration()
    curve = [Epoch(1, 0.7), Epoch(2, 0.1, 0.9, Figures(0.25, 1e-300), Figures(accuracy, 1 / 3))]
    kept = {"metrics": metrics(accuracy), "curve": curve} if status == "ok" else {"error": f"it {status}"}
    result = TrialResult(
        trial, trial - 1, status, **{"epochs": 2, "best_epoch": 2, "parameters": 83, "engine": "fit", **kept, **changes}
    )
    return Record(configuration_key(of), result, "2024-05-01T12:00:00+00:00", "host")


def opened(path, header=HEADER, **options):
    folder = Folder(path, header, **options)
    folder.read()
    return folder


def written(path, *records, header=HEADER):
    """A results folder with these trials."""
    folder = opened(path, header)
    folder.begin("cpu")
    for one in records:
        folder.add(one)
    folder.close()
    return path / "journal.jsonl"


def reread(path):
    folder = opened(path)
    folder.close()
    return folder


def rows(path):
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
