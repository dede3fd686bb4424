"""S002, problem 1: what do batch norm and dropout do to LeNet-5 on MNIST?

The document trains each network once, without a seed, and its networks differ in more than their
layers: `bn_hidden` alone sees normalised images, and sees them in the file's order in every epoch;
all others see raw intensities, shuffled. Here each variant is trained as its own cell was, in
document order (which cell was live for the two with dropout cannot be known: the execution counts
run backwards). The comparison without that confusion:

    python run_trials.py --experiment batch_norm_dropout_mnist --set shuffle=true --set mean=none --set std=none

The document asks for dropout of 0.2 on the input and 0.5 on hidden layers; its code has none on the
image, 0.2 after the first convolution and 0.5 further on. Both are here. Its "valid" set is MNIST's
test set, which selects nothing; its validation loss multiplies each of 40 batches' mean losses by 96,
the size of the last training batch, and divides by 10,000: that is 0.384 times the plain mean over
the batches, and so it is compared. The true mean loss is `test_loss`.
"""

import csv
from pathlib import Path

from models import lenet5_batch_norm_dropout
from trials.experiment import BATCH_LOSS, Data, Experiment, Protocol, Published, Variant

# The usual constants, those of MNIST at 28x28, though the images are resized before.
NORMALIZED = {"mean": 0.1307, "std": 0.3081}
HIDDEN = {"batch_norm": True}
AS_CODED = {"first_dropout": 0.2, "dropout": 0.5}
PER_SPECIFICATION = {"input_dropout": 0.2, "first_dropout": 0.5, "dropout": 0.5}
MISCOUNTED = 40 * 96 / 10_000


def published() -> tuple[Published, ...]:
    """The document's 40 rows: percent become fractions, epochs count from 1."""
    with open(Path(__file__).with_name("published_hpml_lab3.csv"), encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    figures = []
    for row in rows:
        where = {"variant": row["variant"], "epoch": int(row["epoch"]) + 1}
        measured = {
            "train_loss": (float(row["train_loss"]), 1.0),
            BATCH_LOSS: (float(row["valid_loss"]), MISCOUNTED),
            "train_accuracy": (float(row["train_accuracy_percent"]) / 100, 1.0),
            "test_accuracy": (float(row["valid_accuracy_percent"]) / 100, 1.0),
        }
        figures += [
            Published(
                value=value,
                runs=1,
                source="S002-P1",
                metric=metric,
                where=where,
                factor=factor,
                note="as the document computes it: 40 batch means x 96 / 10,000" if metric == BATCH_LOSS else "",
            )
            for metric, (value, factor) in measured.items()
        ]
    return tuple(figures)


def variant(name: str, **options: object) -> Variant:
    return Variant(name, lenet5_batch_norm_dropout, options)


EXPERIMENT = Experiment(
    name="batch_norm_dropout_mnist",
    question="What do batch norm and dropout do to the learning curves of LeNet-5 on MNIST?",
    source="S002-P1",
    data=Data("mnist", size=(32, 32), scale=255),
    variants=(
        Variant("bn_hidden", lenet5_batch_norm_dropout, HIDDEN, protocol={"shuffle": False}, data=NORMALIZED),
        variant("bn_all", **HIDDEN, input_batch_norm=True),
        variant("dropout", **AS_CODED),
        variant("bn_dropout", **HIDDEN, **AS_CODED),
        variant("dropout_per_spec", **PER_SPECIFICATION),
        variant("bn_dropout_per_spec", **HIDDEN, **PER_SPECIFICATION),
    ),
    protocol=Protocol(
        epochs=10,
        loss={"class_name": "SparseCategoricalCrossentropy", "config": {"from_logits": True}},
        optimizer="sgd",
        learning_rate=0.1,
        batch_size=256,
        record=("train", "test", BATCH_LOSS, "batch_norm"),
    ),
    trials=10,
    published=published(),
)
