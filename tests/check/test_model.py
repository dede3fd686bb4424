"""A model that violates one requirement is told so in words."""

from itertools import islice

import pytest

from tests.check.small_builders import USED, experiment, first_failure, layer, returning, tell, told_of
from trials.check import check
from trials.check.cases import plan
from trials.experiment import Data, Protocol

DRAW = """
import numpy


def draw(shape, dtype=None):
    return keras.ops.convert_to_tensor({}.normal(size=shape), dtype)

"""
CASES = {
    "fails": (
        "def build(*, input_shape, classes):\n    return 1 / 0\n",
        "it returns an uncompiled keras.Model, built: The builder 'build' failed for build: ZeroDivisionError",
    ),
    "another kind": (
        "def build(*, input_shape, classes):\n    return layers.Dense(classes)\n",
        "built: The builder 'build' must return a keras.Model. Received: Dense.",
    ),
    "compiled": (
        returning("").replace("return ", "model = ") + "    model.compile(loss='mse')\n    return model\n",
        "built: received a compiled model; leave compile to the protocol",
    ),
    "late weights": (
        "class Late(keras.Model):\n    def __init__(self):\n        super().__init__()\n"
        "        self.last = layers.Dense(3)\n\n    def build(self, shape):\n        pass\n\n"
        "    def call(self, x):\n        return self.last(x)\n\n\n"
        "def build(*, input_shape, classes):\n    return Late()\n",
        "built: 2 variables come only with the first call",
    ),
    "another width": (returning("").replace("classes, activation", "5, activation"), "Received: (None, 5)"),
    "not finite": (
        returning("layers.Rescaling(0), layers.Lambda(keras.ops.log), "),
        "inference and in training mode: 300 of 300 outputs are NaN or infinite in inference mode",
    ),
    "not finite in training": (
        returning("Own(), ", before=layer(USED, "return x * scale / (0 if training else 1)")),
        "outputs are NaN or infinite in training mode",
    ),
    "noise in inference": (
        returning("Own(), ", before=layer(USED, "return x * scale * keras.random.uniform(())")),
        "inference repeats exactly and changes nothing: two calls differ by up to",
    ),
    "counts calls": (
        returning("Own(), ", before=layer(USED, "self.count.assign_add(1)", "return x * scale")),
        "inference repeats exactly and changes nothing: inference changes",
    ),
    "batch statistics": (
        returning("Own(), ", before=layer(USED, "return (x - keras.ops.mean(x, 0)) * scale")),
        "a sample's output does not depend on the rest of its batch: among other samples it differs by",
    ),
    "fixed seed": (
        returning("layers.Dense(4), ").replace("    return", "    keras.utils.set_random_seed(1)\n    return"),
        "another seed gives others: another seed starts with the same weights; fix no seed",
    ),
    "unseeded": (
        returning("layers.Dense(4, kernel_initializer=draw), ", before=DRAW.format("numpy.random.default_rng()")),
        "another seed gives others: one seed starts",
    ),
    "grows": (
        returning("layers.Dense(next(numbers)), ", before="import itertools\nnumbers = itertools.count(1)\n"),
        "another seed gives others: two calls with one seed return different networks",
    ),
    "shared layer": (
        returning("shared, ", before="shared = layers.Dense(4)\n"),
        "calls share no variables and leave nothing behind: two calls share",
    ),
    "changes Keras": (
        returning("").replace("    return", "    keras.config.set_epsilon(0.1)\n    return"),
        "leave nothing behind: it sets Keras's epsilon to 0.1 for everything that comes after",
    ),
    "remembers": (
        returning(
            "layers.Dense(4, 'relu' if next(numbers) % 2 else 'tanh'), ",
            before="import itertools\nnumbers = itertools.count()\n",
        ),
        "another seed gives others: two calls with one seed return different networks",
    ),
    "no gradient": (
        returning("Own(), ", before=layer("return x * self.scale")),
        "every trainable variable gets a gradient: no gradient reaches",
    ),
    "cut off": (
        returning("layers.Dense(4), layers.Lambda(keras.ops.stop_gradient), "),
        "every trainable variable gets a gradient: no gradient reaches",
    ),
    "nothing to train": (
        returning("").replace("return ", "model = ") + "    model.trainable = False\n    return model\n",
        "every trainable variable gets a gradient: the model has no trainable variable",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_with_the_model(builder, name):
    text, told = CASES[name]
    assert told in first_failure(builder(text))


def test_weights_that_a_file_does_not_hold_are_named(builder):
    forgetful = layer(USED, "return x * scale", "", "def save_own_variables(self, store):", "    store['a'] = 0")
    told = tell("weights survive", builder(returning("Own(), ", before=forgetful.replace("        def", "    def"))))
    assert told.startswith("FAILED  weights survive a .weights.h5 file: ")


def test_a_loss_that_becomes_infinite_is_told_with_its_step(builder):
    build = builder(returning("layers.Dense(4), "))
    protocol = Protocol(epochs=1, loss="mse", optimizer="sgd", learning_rate=1e30)
    asked = experiment(build, data=Data("iris", test_fraction=0.2, labels="one_hot"), protocol=protocol)
    assert tell("loss finite", build, asked).startswith(
        "FAILED  5 training steps keep the loss finite: the loss became nan in step 2 of 5"
    )


def test_recorded_batch_norms_need_names_of_their_own(builder):
    protocol = Protocol(epochs=1, loss="sparse_categorical_crossentropy", record=("batch_norm",))
    unnamed = builder(returning("layers.BatchNormalization(), "))
    told = tell("fixed names", unnamed, experiment(unnamed, protocol=protocol))
    assert told.startswith("FAILED ") and told.endswith("give each a name of its own with name=...")
    named = builder(returning("layers.BatchNormalization(name='first'), "))
    assert tell("fixed names", named, experiment(named, protocol=protocol)).endswith(": first")


def test_a_model_that_the_graph_engine_cannot_train_is_no_violation(builder):
    noise = layer(USED, "return x * scale + (tensorflow.random.normal(()) if training else 0)")
    build = builder(returning("Own(), ", before="import tensorflow\n" + noise))
    case = plan(build, (), None, None)[0]
    told = told_of(case, "fast engine")
    assert told.startswith("skipped the fast engine trains what fit trains: it would be trained by fit")
    assert "RandomStandardNormal" in told
    assert told_of(case, "loss finite").startswith("ok ")


def test_a_large_model_is_built_and_called_and_no_more(builder):
    found = list(check(builder(returning("layers.Dense(4), ")), largest=34))  # 4 * 4 + 4 + 4 * 3 + 3 parameters
    assert [finding.status for finding in found] == ["ok"] * 6 + ["skipped"] * 10
    assert found[-1].said.startswith("35 parameters; above 34 ")
    at_most = islice(check(builder(returning("")), largest=15), 7)  # 4 * 3 + 3
    assert [finding.status for finding in at_most] == ["ok"] * 7
