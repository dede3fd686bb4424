"""Two engines side by side: the first training steps of `fit`, and where another's differ from them."""

import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trials import backend
from trials.datasets import Samples
from trials.engines import Trainer, graph_session
from trials.engines.lanes import Lane, Start, has_lanes
from trials.engines.model import compile_model, fresh_model
from trials.engines.results import Unit
from trials.environment import import_keras
from trials.errors import UnsupportedError
from trials.experiment import Configuration
from trials.seeds import batch_order
from trials.splits import Parts

STEPS = 5
TOLERANCE = 1e-4
"Relative (L2): what two engines may differ by after STEPS steps, as rounding alone makes them."
ON_JAX = 1e-3
"The same for lanes and `fit`, which are other programs: running means follow biases of nothing but rounding."
ROUNDING = 1e-4
"Of the largest gradient: what is smaller is taken for rounding."


@dataclass(frozen=True)
class Trained:
    """The first steps of `fit`, and in words where the fast engine's differ from them."""

    losses: list[float]
    differences: list[str]
    unsupported: str = ""
    "Why the fast engine cannot train it."


def train(configuration: Configuration, samples: Samples, parts: Parts, seed: int) -> Trained:
    """STEPS steps with `fit`, and with the backend's fast engine where it can train the model."""
    from trials.engines.fit import FitSession

    batches = first_batches(parts, configuration.protocol.batch_size, seed)
    reason = Trainer(samples).check(Unit(0, configuration, ((1, seed),), "auto")).reason
    with precise():
        fit = FitSession(configuration, samples.classes)
        if not reason:
            try:
                fast = fast_session(configuration, samples.classes, parts, seed)
                excepted = without_gradient(configuration, samples.classes, batches[0], seed)
                return side_by_side(fit, [fast], batches, seed, excepted, tolerance())
            except UnsupportedError as error:
                reason = str(error)
        return Trained(side_by_side(fit, [], batches, seed).losses, [], reason)


def tolerance() -> float:
    """What the two may differ by on the current backend."""
    return ON_JAX if backend.current() == "jax" else TOLERANCE


@contextlib.contextmanager
def precise() -> Iterator[None]:
    """Within, JAX computes in double precision, TensorFlow as always: there both engines run the very same kernels.

    Lanes and `fit` are programs of other rounding. In single precision that flips a ReLU or a pooling's choice in one
    of some ten steps, by which a gradient changes by per cents: too much to tell it from a mistake.
    """
    if backend.current() != "jax":
        yield
        return
    import jax

    config = import_keras().config

    def set_(name: str) -> None:
        jax.config.update("jax_enable_x64", name == "float64")
        config.set_floatx(name)
        config.set_dtype_policy(name)

    set_("float64")
    try:
        yield
    finally:
        set_("float32")


def fast_session(configuration: Configuration, classes: int, parts: Parts, seed: int) -> Any:
    """What trains one seed on such parts as the current backend's fast engine does."""
    if backend.engine_of("auto") == "vmap":
        from trials.engines.vmap import VmapSession

        return OneOfThree(VmapSession(configuration, classes), configuration)
    session = graph_session(configuration, classes, parts, [seed])
    return OneOfThree(session, configuration) if has_lanes(session) else session


class OneOfThree:
    """A lane between two others of the same seed, which are shown the samples in other orders."""

    def __init__(self, lanes: Any, configuration: Configuration) -> None:
        self.lanes, self.configuration = lanes, configuration
        self._lane = Lane(lanes, 1)

    @property
    def parameters(self) -> int:
        return int(self.lanes.parameters)

    @property
    def model(self) -> Any:
        return self._lane.model

    def start(self, seed: int, parts: Parts, ahead: Sequence[int]) -> None:
        self.lanes.room(3, seed, parts)
        self.lanes.start([Start(self.configuration, self.lanes.fresh(seed, parts), parts)] * 3)

    def load(self, parts: Parts) -> None:
        self.lanes.load([parts] * 3)

    def train_epoch(self, order: np.ndarray) -> float:
        orders = np.stack([order[::-1], order, np.roll(order, 1)])
        return float(self.lanes.train_epoch(orders, np.ones(3, bool))[1])

    def evaluate(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        return self._lane.evaluate(part)

    def weights(self) -> list[np.ndarray]:
        return self._lane.weights()

    def restore(self, weights: Sequence[np.ndarray]) -> None:
        self.lanes.restore({1: weights})


def first_batches(parts: Parts, batch_size: int, seed: int) -> list[Parts]:
    """What the first steps see: training parts of one batch each."""
    x, y = parts["train"]
    size = min(batch_size, len(x) // STEPS)
    order = batch_order(seed, 1, len(x))[: STEPS * size].reshape(STEPS, size)
    return [{**parts, "train": (x[chosen], y[chosen])} for chosen in order]


def side_by_side(
    fit: Any,
    others: Sequence[Any],
    batches: Sequence[Parts],
    seed: int,
    excepted: Collection[int] = (),
    within: float = TOLERANCE,
) -> Trained:
    """A step a batch with each session; after each, all variables are compared but those at the places `excepted`.

    Raises UnsupportedError where a session cannot train the model.
    """
    for session in (fit, *others):
        session.start(seed, batches[0], ())
    found = [f"at the start {text}" for other in others for text in differences(fit.model, other.model, 0)]
    losses = []
    for number, batch in enumerate(batches, 1):
        order = np.arange(len(batch["train"][0]), dtype=np.int32)
        for session in (fit, *others):
            session.load(batch)
        losses.append(fit.train_epoch(order))
        for other in others:
            if not abs((loss := other.train_epoch(order)) - losses[-1]) <= within * abs(losses[-1]):
                found.append(f"after step {number} the loss is {loss:.6g} instead of {losses[-1]:.6g}")
            apart = differences(fit.model, other.model, within, excepted)
            found += [f"after step {number} {text}" for text in apart]
    return Trained(losses, found)


def differences(expected: Any, received: Any, tolerance: float, excepted: Collection[int] = ()) -> list[str]:
    """In words, the variables further apart than `tolerance` (0: not equal); states of dropout are to be equal."""
    found = []
    for place, (ours, theirs) in enumerate(zip(received.variables, expected.variables, strict=True)):
        exact = tolerance == 0 or "seed_generator" in theirs.path
        apart = distance(theirs.numpy(), ours.numpy())
        if exact and apart != 0:
            found.append(f"{theirs.path} is not equal")
        elif not exact and place not in excepted and not apart < tolerance:
            found.append(f"{theirs.path} is {apart:.2g} off (L2, relative)")
    return found


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Relative (L2); NaN where either is not finite."""
    scale = max(float(np.linalg.norm(one)), 1e-12)
    return float(np.linalg.norm(np.asarray(one, np.float64) - np.asarray(other, np.float64))) / scale


def without_gradient(configuration: Configuration, classes: int, batch: Parts, seed: int) -> set[int]:
    """The places, among a model's variables, of parameters whose true gradient is zero.

    A bias that feeds a batch norm is one, and a shift whose effect a later batch norm takes out. What
    is computed for them is rounding, which an optimizer makes steps of that no two engines share.
    """
    x, y = batch["train"]
    model = compile_model(fresh_model(configuration, x.shape[1:], classes, seed), configuration)
    sizes = [0.0 if g is None else float(np.linalg.norm(np.asarray(g))) for g in gradients(model, x, y)]
    pairs = zip(model.trainable_variables, sizes, strict=True)
    nothing = {id(variable) for variable, size in pairs if size < ROUNDING * max(sizes)}
    return {place for place, variable in enumerate(model.variables) if id(variable) in nothing}


def gradients(model: Any, x: np.ndarray, y: np.ndarray) -> list[Any]:
    """The gradient of the loss for each trainable variable of a compiled model, None where there is none."""
    if backend.current() == "jax":
        return _gradients_on_jax(model, x, y)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = model.compute_loss(x, y, model(x, training=True))
    return list(tape.gradient(loss, [variable.value for variable in model.trainable_variables]))


def _gradients_on_jax(model: Any, x: np.ndarray, y: np.ndarray) -> list[Any]:
    import jax

    def loss(trainable: list[Any]) -> Any:
        others = [variable.value for variable in model.non_trainable_variables]
        outputs, _, losses = model.stateless_call(trainable, others, x, training=True, return_losses=True)
        return model.loss(y, outputs).mean() + sum(losses)

    return list(jax.grad(loss)([variable.value for variable in model.trainable_variables]))
