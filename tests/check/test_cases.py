"""What a builder is checked with: options and shapes of its experiments, or the first shape that fits."""

import numpy as np

from tests.check.small_builders import experiment, returning, tell
from trials.check import check
from trials.experiment import Data, Protocol


def about(*arguments):
    return list(check(*arguments, largest=0))[-1].about


def test_images_have_the_size_that_the_experiment_gives_them(builder):
    build = builder(returning("layers.Flatten(), "))
    asked = experiment(build, data=Data("mnist", size=(5, 6), scale=255))
    assert "inputs (5, 6, 1), 10 classes; the defaults" in about(build, [asked])


def own_data():
    return np.zeros((6, 7)), ["a", "b", "c", "d", "a", "b"]


def test_a_users_own_data_is_read_for_its_shape(builder):
    build = builder(returning(""))
    assert "inputs (7,), 4 classes" in about(build, [experiment(build, data=Data(own_data, test_fraction=0.5))])


def test_without_an_experiment_it_is_the_first_known_shape_that_fits(builder):
    build = builder(returning("layers.Conv2D(2, 20), layers.Flatten(), "))
    assert "No experiment uses it; the first known shape that it accepts: inputs (28, 28, 1), 10" in about(build)


def test_a_builder_that_accepts_no_known_shape_is_told_which_were_tried(builder):
    build = builder(returning("layers.Conv2D(2, 40), "))
    found = next(finding for finding in check(build) if finding.status == "FAILED")
    assert "(4,), (8, 8, 1), (28, 28, 1), (32, 32, 3); here (32, 32, 3)" in found.about


def test_a_builder_that_accepts_no_known_shape_is_checked_with_its_default(builder):
    source = returning("layers.Conv2D(2, 40), layers.Flatten(), ").replace(
        "input_shape, classes", "input_shape=(41, 41, 1), classes=5"
    )
    assert "the first known shape that it accepts: inputs (41, 41, 1), 5 classes" in about(builder(source))


def test_a_head_of_one_output_is_trained_on_two_classes(builder):
    found = list(check(builder(returning("").replace("classes, activation='softmax'", "1"))))
    assert {finding.status for finding in found} == {"ok"}
    assert "outputs (None, 1) are logits" in [finding.said for finding in found]


def test_probabilities_where_the_loss_takes_logits_are_remarked(builder):
    build = builder(returning(""))
    loss = {"class_name": "SparseCategoricalCrossentropy", "config": {"from_logits": True}}
    found = check(build, [experiment(build, protocol=Protocol(epochs=1, loss=loss))], largest=0)
    assert "outputs (None, 3) are probabilities, though the loss takes them for logits" in [f.said for f in found]


def test_layers_that_ignore_the_seed_are_named(builder):
    build = builder(returning("layers.Dense(4, name='same', kernel_initializer='identity'), "))
    told = tell("another seed", build)
    assert told.startswith("ok ") and told.endswith("same/kernel start the same from every seed")
    assert "," not in told.rpartition(": ")[2]  # that one alone
