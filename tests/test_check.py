"""A sound builder passes; a builder that violates one requirement is told so in words."""

import functools
import textwrap

import numpy as np
import pytest

from trials.check import MODEL, TOLERANCE, _differences, _judged, _without_gradient, check, plan
from trials.experiment import Data, Experiment, Protocol, Variant
from trials.sources import load_file

STACK = "keras.Sequential([keras.Input(input_shape), {}keras.layers.Dense(classes, activation='softmax')])"


@pytest.fixture
def builder(keras, tmp_path):
    """The function `build` of a file with this text."""

    def made(text, name="build"):
        path = tmp_path / "mine.py"
        path.write_text("import keras\nfrom keras import layers\n\n\n" + textwrap.dedent(text), encoding="utf-8")
        return getattr(load_file(path)[0], name)

    return made


def returning(inside, options="", before=""):
    """The text of a builder that returns a small network with these layers inside."""
    return f"{before}\n\ndef build(*, input_shape, classes{options}):\n    return {STACK.format(inside)}\n"


def first_failure(*arguments, **known):
    """The first violated requirement as it is told; what comes after is not checked."""
    return next((str(finding) for finding in check(*arguments, **known) if finding.status == "FAILED"), "")


GOOD = """
    import keras
    from keras import layers
    from trials.experiment import Data, Experiment, Protocol, Variant

    def build(*, input_shape, classes, units=8, rate=0.0):
        x = inputs = keras.Input(input_shape)
        x = layers.Dropout(rate)(layers.ReLU()(layers.BatchNormalization()(layers.Dense(units)(x))))
        return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))

    def broken(*, input_shape, classes, more=0):
        return keras.Sequential([keras.Input(input_shape), layers.Dense(classes + 1 + more)])

    EXPERIMENT = Experiment(
        name="own",
        question="Is it sound?",
        data=Data("iris", test_fraction=0.2),
        variants=(Variant("plain", build), Variant("wide", build, {"units": 16, "rate": 0.5})),
        protocol=Protocol(epochs=2, loss="sparse_categorical_crossentropy"),
        sweep={"units": (4, 5, 6)},
    )
"""


def test_a_sound_builder_passes_the_command(command, tmp_path):
    (tmp_path / "own.py").write_text(textwrap.dedent(GOOD))
    done = command("--check", "own.py:build")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "Data and protocol of experiment own: inputs (4,), 3 classes; units=4, rate=0.5" in lines
    # Dense(4) of 4 inputs has 20 parameters, batch norm 16, half of them moving, Dense(3) 15.
    assert "ok      it returns an uncompiled keras.Model, built: 51 parameters, 43 of them trainable" in lines
    for options in ("units=6, rate=0.5", "units=4", "units=6", "its defaults"):
        assert any(line.startswith(f"ok      builds and fits the data with {options}: ") for line in lines)
    assert lines[-1] == f"{len([line for line in lines if line.startswith('ok ')])} ok"
    assert [path.name for path in tmp_path.iterdir()] == ["own.py"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Runs the command line in this process, beside own.py."""
    import run_trials

    def run(*words):
        monkeypatch.setattr("sys.argv", ["run_trials.py", *words])
        return run_trials.main()

    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(textwrap.dedent(GOOD))
    return run


@pytest.mark.parametrize(
    ("words", "messages"),
    [
        (["lenet6"], ["Unknown builder 'lenet6'. Did you mean 'lenet'?"]),
        (["nowhere.py:build"], ["nowhere.py cannot be read"]),
        (["own.py:bild"], ["Unknown function in own.py 'bild'. Did you mean 'build'?", "build, broken"]),
        (["own.py"], ["FILE.py:BUILDER", "Received: 'own.py'"]),
        (["own.py:"], ["FILE.py:BUILDER", "Received: 'own.py:'"]),
        (["own:build"], ["FILE.py:BUILDER", "Received: 'own:build'"]),
        (["mlp", "--set", "units=1,2"], ["one value for each option", "--set units=1"]),
        (["mlp", "--set", "unit=1"], ["Unknown option of builder 'mlp' 'unit'. Did you mean 'units'?"]),
        (["mlp", "--trials", "3"], ["--trials needs --experiment NAME"]),
        (["mlp", "--list"], ["not allowed with argument"]),
        ([], ["expected one argument"]),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_a_mistake_in_the_command_is_told_before_anything_is_checked(words, messages, here, capsys):
    assert here("--check", *words) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) <= 3
    for message in messages:
        assert message in told.err


def test_a_violation_is_exit_code_1_and_the_rest_is_skipped(here, keras, capsys):
    assert here("--check", "own.py:broken", "--set", "more=2") == 1
    told = capsys.readouterr()
    assert told.err == ""
    # No experiment uses it: 4 features and 3 classes, as Iris has; it returns 3 + 1 + 2.
    assert "FAILED  outputs and loss fit the data: The builder 'broken' must return outputs of shape" in told.out
    assert "(None, 3) for this data. Received: (None, 6)" in told.out
    assert told.out.splitlines()[-1] == "5 ok, 1 FAILED, 10 skipped"


# --- the function ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "build = lambda *, input_shape, classes: None\n",
            "worker processes find by its name: '<lambda>' cannot be sent",
        ),
        (
            "def outer():\n    def build(*, input_shape, classes):\n        pass\n    return build\nbuild = outer()\n",
            "find by its name: 'outer.<locals>.build' cannot be sent to a worker process",
        ),
        ("class build(keras.Model):\n    pass\n", "find by its name: received <class"),
        (
            "def build(*, input_shape):\n    pass\n",
            "by keyword: received build(*, input_shape); write def build(*, inp",
        ),
        ("def build(input_shape, /, classes):\n    pass\n", "by keyword: received build(input_shape, /, classes)"),
        ("def build(*, input_shape, classes, units):\n    pass\n", "own: 'units' has no default; give it one"),
        (
            "def build(*, input_shape, classes, epochs=3):\n    pass\n",
            "own: 'epochs' is the name of a protocol or data",
        ),
        ("def build(*, input_shape, classes, layer=layers):\n    pass\n", "own: 'layer' has the default <module"),
        (
            "def build(*, input_shape, classes, **more):\n    pass\n",
            "own: received **more, whose names nobody can know",
        ),
    ],
)
def test_what_is_wrong_with_the_function(builder, text, told):
    assert told in first_failure(builder(text))


def test_a_function_without_a_file_has_no_hash(keras):
    names = {"__name__": "nowhere"}
    exec("def build(*, input_shape, classes): pass", names)
    assert "its code can be hashed: The builder" in "\n".join(map(str, check(names["build"])))


def test_nothing_is_built_with_a_function_that_is_wrong():
    found = list(check(functools.partial(dict)))
    assert [finding.status for finding in found if finding.about == "The model"] == ["skipped"] * 12


# --- the model ---------------------------------------------------------------------------------------

LAYER = """
class Own(layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones")
        self.spare = self.add_weight(shape=(), initializer="ones")
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x, training=False):
        {}

"""


def layer(*call):
    return LAYER.format("\n        ".join(call))


DRAW = """
import numpy


def draw(shape, dtype=None):
    return keras.ops.convert_to_tensor({}.normal(size=shape), dtype)

"""
USED = "scale = self.scale + self.spare"
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
    "lost weights": (
        returning(
            "Own(), ",
            before=layer(
                "return x * (self.scale + self.spare)", "", "def save_own_variables(self, store):", "    store['a'] = 0"
            ).replace("        def", "    def"),
        ),
        "weights survive a .weights.h5 file: ",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_with_the_model(builder, name):
    text, told = CASES[name]
    assert told in first_failure(builder(text))


EXPERIMENT = {
    "name": "asked",
    "question": "?",
    "data": Data("iris", test_fraction=0.2),
    "protocol": Protocol(epochs=1, loss="sparse_categorical_crossentropy"),
}


def experiment(build, options=None, **changed):
    return Experiment(**{**EXPERIMENT, "variants": (Variant("only", build, options or {}),), **changed})


def tell(words, build, *experiments):
    """What comes out for the one requirement with these words."""
    (name,) = (name for name in MODEL if words in name)
    case = plan(build, experiments, None, None)[0]
    return str(_judged(name, lambda: MODEL[name](case), ""))


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
    told = tell("graph engine", build)
    assert told.startswith("skipped the graph engine trains what fit trains: it would be trained by fit")
    assert "RandomStandardNormal" in told
    assert tell("loss finite", build).startswith("ok ")


def test_a_large_model_is_built_and_called_and_no_more(builder):
    found = list(check(builder(returning("layers.Dense(4), ")), largest=34))  # 4 * 4 + 4 + 4 * 3 + 3 parameters
    assert [finding.status for finding in found] == ["ok"] * 6 + ["skipped"] * 10
    assert found[-1].said.startswith("35 parameters; above 34 ")
    at_most = check(builder(returning("")), largest=15)  # 4 * 3 + 3
    assert not any(finding.status == "skipped" for finding in at_most)


# --- the data it is checked with -----------------------------------------------------------------------


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


# --- two engines side by side ----------------------------------------------------------------------------


TWO_LAYERS = """
    def build(*, input_shape, classes):
        inputs = keras.Input(input_shape)
        x = layers.Dense(2, name="before")(layers.LayerNormalization(scale=False, name="shift")(inputs))
        x = layers.BatchNormalization(name="norm")(x)
        return keras.Model(inputs, layers.Dense(classes, bias_initializer="ones", name="after")(x))
"""


def test_variables_are_compared_by_their_relative_distance(builder):
    one, other = (builder(TWO_LAYERS)(input_shape=(4,), classes=2) for _ in range(2))
    other.set_weights(one.get_weights())
    assert _differences(one, other, 0) == []
    other.get_layer("before").bias.assign([1.0, 1.0])
    other.get_layer("after").bias.assign([1.003, 1.004])  # |(0.003, 0.004)| / |(1, 1)| = 0.005 / 1.414
    place = [variable.path for variable in one.variables].index("before/bias")
    assert _differences(one, other, TOLERANCE, {place}) == ["after/bias is 0.0035 off (L2, relative)"]
    assert _differences(one, other, 0) == ["before/bias is not equal", "after/bias is not equal"]


def test_parameters_that_a_batch_norm_undoes_have_no_gradient_to_compare(builder):
    case = plan(builder(TWO_LAYERS), (), None, None)[0]
    places = _without_gradient(case.configuration, case.samples.classes, case.parts, 0)
    assert {case.model().variables[place].path for place in places} == {"before/bias", "shift/beta"}
