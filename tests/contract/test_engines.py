"""Every engine trains what Keras's fit trains: same start, same batches, same weights, same figures.

With TensorFlow that is the graph engine; in a process with KERAS_BACKEND=jax it is vmap (`make proofs`).
"""

import dataclasses
from functools import cached_property

import numpy as np
import pytest

from experiments import EXPERIMENTS
from tests.contract import small_networks
from trials import backend, datasets
from trials.check.engines import fast_session, first_batches, precise, side_by_side
from trials.engines import Trainer
from trials.engines.fit import FitSession
from trials.engines.results import Unit
from trials.engines.trial import Session, run_trial
from trials.experiment import Configuration, Data
from trials.splits import Parts, split

SEED = 3
TRAIN = 115
"Samples of a whole training: three batches of 32 and one of 19."
HELD_OUT = 400


@dataclasses.dataclass(frozen=True)
class Case:
    """One network under one protocol, on a few samples of each split."""

    name: str
    configuration: Configuration
    data: Data

    @cached_property
    def samples(self):
        return datasets.load(self.data)

    @cached_property
    def split(self) -> Parts:
        return split(self.samples, self.data, SEED)

    @cached_property
    def parts(self) -> Parts:
        """What a whole training sees."""
        return {
            name: tuple(array[: TRAIN if name == "train" else HELD_OUT] for array in arrays)
            for name, arrays in self.split.items()
        }

    @cached_property
    def batches(self) -> list[Parts]:
        """What the first steps see."""
        parts = {**self.parts, "train": self.split["train"]}
        return first_batches(parts, self.configuration.protocol.batch_size, SEED)


def zoo_cases() -> list[Case]:
    """Every variant of every experiment, those with the same builder and options once, on data that is always there.

    Rounding is amplified chaotically: after twelve epochs on 628 digits two runs of `fit` whose weights differ by 1e-7
    disagree as much as two engines. Hence three epochs on few, and curves and selection with the small networks.
    """
    found = {}
    for experiment in EXPERIMENTS.values():
        for variant in experiment.variants:
            configuration = next(c for c in experiment.configurations() if c.variant.name == variant.name)
            protocol = configuration.protocol
            short = dataclasses.replace(
                protocol, epochs=3, batch_size=32, record=(), select="last", evaluate_every=None
            )
            data = experiment.data
            if data.source != "iris":
                size = data.size or datasets.DATASETS[data.source].shape[:2]
                data = Data("digits", size=size, scale=16, test_fraction=0.5)
            case = Case(f"{experiment.name}-{variant.name}", dataclasses.replace(configuration, protocol=short), data)
            found.setdefault((variant.builder, str(sorted(variant.options.items()))), case)
    return list(found.values())


def small_cases() -> list[Case]:
    return [Case(e.name, e.configurations()[0], e.data) for e in small_networks.EXPERIMENTS]


class Oracle(FitSession):
    """Keras's fit, built and compiled once: a second start puts back what the first began with.

    Up to a rounding of each weight, where `rounding` is not 0.
    """

    first = None
    rounding = 0

    def start(self, seed, parts, ahead):
        if self.first is None:
            super().start(seed, parts, ahead)
            self.first = [np.array(variable.numpy()) for variable in self.state()]
        numbers = np.random.default_rng(self.rounding)
        for variable, value in zip(self.state(), self.first, strict=True):
            weights = self.rounding and value.dtype.kind == "f"
            off = np.finfo(np.float32).eps * numbers.uniform(-1, 1, value.shape) if weights else 0
            variable.assign((value + off * value).astype(value.dtype))
        self.load(parts)

    def state(self):
        return [*self.model.variables, *self.model.optimizer.variables]


class Engines:
    """The sessions of one case. Each is compiled once for both tests, which takes longer than all else here."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.fit = Oracle(case.configuration, case.samples.classes)
        self._fast: dict[int, Session] = {}

    def fast(self, parts: Parts) -> Session:
        """One for each number of training samples: it is part of what was traced."""
        return self._fast.setdefault(
            len(parts["train"][0]),
            fast_session(self.case.configuration, self.case.samples.classes, parts, SEED),
        )


@pytest.fixture(scope="module", autouse=True)
def precision(keras):
    with precise():
        yield


@pytest.fixture(scope="module", params=[*zoo_cases(), *small_cases()], ids=lambda case: case.name)
def engines(request, keras):
    """One case after another, with the one thread a trial has everywhere."""
    return Engines(request.param)


def linear(layer) -> bool:
    return getattr(getattr(layer, "activation", None), "__name__", "") == "linear"


def cancelled(model) -> set[str]:
    """Paths of variables whose true gradient is zero, for a batch norm takes every shift of its inputs away again.

    These are the biases directly ahead of one, and the betas of those whose shift passes unchanged through
    an unpadded convolution or a dense layer that is itself directly ahead of one.
    """

    def kind(layer) -> str:
        return type(layer).__name__

    def consumer(layer):
        """The one layer that takes `layer`'s output, if that is its one use."""
        found = [node.operation for node in layer._outbound_nodes]
        returned = any(layer.output is output for output in model.outputs)
        return found[0] if len(found) == 1 and not returned else None

    def shifts(layer) -> bool:
        """Whether what this layer adds to its outputs goes straight into a batch norm."""
        return linear(layer) and kind(consumer(layer)) == "BatchNormalization"

    found = []
    for layer in model.layers:
        if kind(layer) in ("Conv2D", "Dense") and shifts(layer) and layer.use_bias:
            found.append(layer.bias)
        elif kind(layer) == "BatchNormalization":
            after = consumer(layer)
            unpadded = kind(after) == "Dense" or (kind(after) == "Conv2D" and after.padding == "valid")
            if unpadded and shifts(after):
                found.append(layer.beta)
    return {variable.path for variable in found}


def means_behind(model) -> set[str]:
    """Paths of the running means that take up such a bias as it is: Keras's batch norm computes in single precision."""
    biases = cancelled(model)
    held = [layer for layer in model.layers if getattr(getattr(layer, "bias", None), "path", None) in biases]
    return {layer._outbound_nodes[0].operation.moving_mean.path for layer in held}


def test_start_and_first_steps_are_those_of_fit(engines):
    """Equal starting weights and dropout states; after each of five steps every variable within 1e-4."""
    batches, fit = engines.case.batches, engines.fit
    fit.start(SEED, batches[0], ())
    excepted = cancelled(fit.model) | (means_behind(fit.model) if backend.current() == "jax" else set())
    places = [place for place, variable in enumerate(fit.model.variables) if variable.path in excepted]
    assert side_by_side(fit, [engines.fast(batches[0])], batches, SEED, places).differences == []


def trained(session, engines):
    """A whole training, and what the network then says of the test samples."""
    parts, protocol = engines.case.parts, engines.case.configuration.protocol
    result = run_trial(session, 1, SEED, (), protocol, parts, lambda: None)
    assert (result.status, result.error) == ("ok", "")
    return result, np.asarray(session.model(parts["test"][0], training=False))


def disagreements(ours, theirs) -> list[str]:
    """What two trainings give otherwise than rounding explains."""
    (mine, outputs), (other, others) = ours, theirs
    far = [name for name, value in other.metrics.items() if not near(name, mine.metrics[name], value)]
    if outputs.shape[-1] == 1:
        same = (outputs > np.median(others)) == (others > np.median(others))
    else:
        same = outputs.argmax(-1) == others.argmax(-1)
    return far if np.mean(same) >= 0.98 else [*far, f"{np.mean(same):.3f} of the predictions agree"]


def near(metric: str, ours: float | None, theirs: float | None) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return ours == pytest.approx(theirs, rel=0.01) if metric.endswith("loss") else abs(ours - theirs) <= 0.02


def test_a_whole_training_gives_the_figures_of_fit(engines):
    """Where a rounding parts two trainings by fit, as at a tie in a pooling: of one that starts a rounding away."""
    parts, fit = engines.case.parts, engines.fit
    ours, theirs = trained(engines.fast(parts), engines), trained(fit, engines)
    (fast, _), (oracle, _) = ours, theirs
    assert (fast.epochs, fast.best_epoch, fast.parameters) == (oracle.epochs, oracle.best_epoch, oracle.parameters)
    for mine, other in zip(fast.curve, oracle.curve, strict=True):
        assert (mine.validation is None, mine.test is None) == (other.validation is None, other.test is None)
    assert oracle.curve[-1].train_loss < oracle.curve[0].train_loss  # otherwise nothing was trained
    found = [disagreements(ours, theirs)]
    while found[-1] and fit.rounding < 4:
        fit.rounding += 1
        found.append(disagreements(ours, trained(fit, engines)))
    fit.rounding = 0
    assert found[-1] == [], found


def test_every_variant_of_every_experiment_is_a_case():
    cases = {(c.configuration.variant.builder, str(sorted(c.configuration.options.items()))) for c in zoo_cases()}
    for experiment in EXPERIMENTS.values():
        for c in experiment.configurations():
            swept = {**c.options, **{name: values[0] for name, values in experiment.sweep.items()}}
            assert (c.variant.builder, str(sorted(swept.items()))) in cases
    assert len(cases) == 16  # 6 of S002, 4 of S004, 3 of S000, LeNet-5, that of 1998 and the perceptron


def variant(experiment: str, name: str):
    return next(c for c in EXPERIMENTS[experiment].configurations() if c.variant.name == name)


BIASES = {"c1/bias", "c3/bias", "c5/bias", "f6/bias"}


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        (variant("batch_norm_dropout_mnist", "bn_hidden"), BIASES),
        (variant("batch_norm_dropout_mnist", "bn_all"), {*BIASES, "input_batch_norm/beta"}),
        (variant("batch_norm_dropout_mnist", "bn_dropout"), BIASES),
        (variant("regularizers_fashion_mnist", "batch_norm"), BIASES),
        (variant("lenet_cifar10", "batch_norm"), set()),  # there ReLU and pooling lie between
        (variant("batch_norm_dropout_mnist", "dropout"), set()),
    ],
    ids=lambda value: value.label if isinstance(value, Configuration) else "",
)
def test_only_what_a_batch_norm_cancels_is_excepted(configuration, expected, keras):
    model = configuration.variant.builder(input_shape=(32, 32, 1), classes=10, **configuration.options)
    assert cancelled(model) == expected


@pytest.mark.skipif(backend.current() == "jax", reason="says something of models, with TensorFlow's gradients")
@pytest.mark.parametrize(
    ("between", "expected"),
    [
        ([], {"first/bias", "norm/beta"}),
        ([("Conv2D", {"filters": 2, "kernel_size": 3, "padding": "same"})], {"first/bias"}),
        ([("Conv2D", {"filters": 2, "kernel_size": 3, "activation": "relu"})], {"first/bias"}),
        ([("ReLU", {}), ("Conv2D", {"filters": 2, "kernel_size": 3})], {"first/bias", "between_1/bias"}),
        ([("Conv2D", {"filters": 2, "kernel_size": 3}), ("ReLU", {})], {"first/bias"}),
    ],
)
def test_an_exception_is_only_what_the_gradient_confirms(between, expected, keras):
    """What is excepted has a gradient of nothing but rounding, every other bias and beta has one."""
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    between = between or [("Conv2D", {"filters": 2, "kernel_size": 3})]
    named = expected | (
        {"between_0/bias"} if len(between) == 1 and between[0][1].get("activation") != "relu" else set()
    )
    inputs = keras.Input((12, 12, 1))
    x = keras.layers.Conv2D(3, 3, padding="same", name="first")(inputs)
    x = keras.layers.BatchNormalization(name="norm", beta_initializer="normal")(x)
    for index, (kind, options) in enumerate(between):
        x = getattr(keras.layers, kind)(**options, name=f"between_{index}")(x)
    x = keras.layers.BatchNormalization(name="last")(x)
    model = keras.Model(inputs, keras.layers.Dense(2, name="end")(keras.layers.Flatten()(keras.layers.ReLU()(x))))
    assert cancelled(model) == named
    numbers = np.random.default_rng(0)
    with tf.GradientTape() as tape:
        outputs = model(numbers.normal(size=(16, 12, 12, 1)).astype("float32"), training=True)
        loss = tf.reduce_sum(outputs * numbers.normal(size=(16, 2)).astype("float32"))
    sizes = {
        held.path: float(np.abs(np.asarray(gradient)).max())
        for held, gradient in zip(
            model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True
        )
    }
    shifts = {name: size for name, size in sizes.items() if name.endswith(("bias", "beta"))}
    assert {name for name, size in shifts.items() if size < 1e-4} == named


def test_a_seed_gives_the_same_whatever_was_trained_before_it(keras):
    """No state leaks from trial to trial: weights, optimizer, dropout and batch statistics start afresh."""
    for experiment in small_networks.EXPERIMENTS[:4:3]:  # batch norm, dropout
        samples = datasets.load(experiment.data)
        unit = Unit(0, experiment.configurations()[0], ((1, 0), (2, 1), (3, 2)), "auto", lanes=3)
        *_, third = Trainer(samples).run(unit)
        (alone,) = Trainer(samples).run(dataclasses.replace(unit, seeds=((3, 2),)))
        assert alone.metrics == third.metrics
        assert alone.curve == third.curve


def test_other_seeds_give_other_results(keras):
    experiment = small_networks.EXPERIMENTS[3]
    unit = Unit(0, experiment.configurations()[0], ((1, 0), (2, 1)), "auto")
    first, second = Trainer(datasets.load(experiment.data)).run(unit)
    assert first.metrics["test_loss"] != second.metrics["test_loss"]
