"""All seeds of a configuration at the same time, in one compiled program (Keras on JAX).

A lane is one seed's weights, optimizer and dropout states. `jax.vmap` runs Keras's own `train_step` over all
lanes, `lax.scan` over the batches of an epoch. This is what fills a GPU with small networks.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from trials.engines.lanes import Start, Values, put_back
from trials.engines.model import compile_model, fresh_model, sample_losses, threshold
from trials.engines.results import MOST_SEEDS
from trials.engines.stacked import stacked
from trials.environment import cores, total_memory
from trials.errors import UnsupportedError, first_line
from trials.experiment import Configuration
from trials.splits import LaneParts

EVALUATION_BATCH = 100
"Samples of each lane: an evaluation then holds about as much at a time as a training step."
FEWEST = 2
"Lanes of a program: for a single one XLA makes another, which rounds otherwise."
MEMORY = 0.8
"The part of the device's memory that a program may take."
KINDS = ("trainable", "other", "optimizer")
"The states of a lane: what gradients move, batch statistics and seed generators, what the optimizer keeps."
Array = Any
State = dict[str, list[Array]]


class VmapSession:
    """Holds the compiled programs of a configuration and the states of its lanes, stacked along the first axis."""

    def __init__(self, configuration: Configuration, classes: int) -> None:
        self.configuration = configuration
        self.classes = classes
        self.parameters = 0
        self.model: Any = None
        self.state: State = {}
        self.parts: dict[str, tuple[Array, ...]] = {}
        self._size = 0
        "Lanes of the programs; where fewer are started the others are idle."
        self._measured: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._copies: list[np.ndarray] = []

    def room(self, wanted: int, seed: int, parts: LaneParts) -> int:
        """How many lanes there are, of so many wanted: as the device has memory. `seed` is one to be trained.

        Compiles the programs, the first time. Raises UnsupportedError where the model cannot be traced over lanes.
        """
        if not self._size:
            self._build(seed, parts)
            self._compile(max(FEWEST, min(wanted, MOST_SEEDS)), parts)
        return self._size

    def trace(self, seed: int, parts: LaneParts) -> None:
        """Raises UnsupportedError where the model cannot be traced over lanes."""
        self._build(seed, parts)
        self._lowered(FEWEST, parts)

    def fresh(self, seed: int, parts: LaneParts, ahead: Sequence[int] = ()) -> Values:
        """The values of this seed's fresh model."""
        return [np.array(variable.numpy()) for variable in self._fresh_model(seed, parts).variables]

    def _fresh_model(self, seed: int, parts: LaneParts) -> Any:
        return fresh_model(self.configuration, parts["train"][0].shape[1:], self.classes, seed)

    def _build(self, seed: int, parts: LaneParts) -> None:
        model = self._fresh_model(seed, parts)
        place = {id(variable): number for number, variable in enumerate(model.variables)}
        self._places = {
            "trainable": [place[id(variable)] for variable in model.trainable_variables],
            "other": [place[id(variable)] for variable in model.non_trainable_variables],
        }
        self.model = compile_model(model, self.configuration)
        self._optimizer_start = [np.array(variable.numpy()) for variable in model.optimizer.variables]
        self.parameters = model.count_params()

    def _compile(self, size: int, parts: LaneParts) -> None:
        """Makes the programs for so many lanes, or for as many as fit into memory."""
        while True:
            epoch, evaluations = self._lowered(size, parts)
            try:
                self._epoch = epoch.compile()
                self._evaluations = {name: lowered.compile() for name, lowered in evaluations.items()}
                need = max(map(_bytes, (self._epoch, *self._evaluations.values())))
            except jax.errors.JaxRuntimeError as error:
                if size == FEWEST or "RESOURCE_EXHAUSTED" not in str(error):
                    raise UnsupportedError(first_line(error)) from error
                need = _memory()
            if size == FEWEST or need <= MEMORY * _memory():
                self._size = size
                return
            size = max(FEWEST, size // 2)

    def _lowered(self, size: int, parts: LaneParts) -> tuple[Any, dict[str, Any]]:
        """The traced epoch, and the traced evaluation of each split, of so many lanes."""
        state, axes = self._shapes(size), _axes(parts)
        shapes = {
            name: tuple(_shape(array, *[size] * (axis == 0)) for array, axis in zip(arrays, axes, strict=True))
            for name, arrays in parts.items()
        }
        order = jax.ShapeDtypeStruct((size, len(parts["train"][1])), "int32")
        live = jax.ShapeDtypeStruct((size,), bool)
        epoch = jax.jit(jax.vmap(self._one_epoch, in_axes=(0, axes, 0, 0)), donate_argnums=0)
        evaluation = jax.jit(jax.vmap(self._one_evaluation, in_axes=(0, axes)))
        weights = {kind: state[kind] for kind in self._places}
        try:
            with stacked(self.model):
                traced = epoch.lower(state, shapes["train"], order, live)
                return traced, {name: evaluation.lower(weights, given) for name, given in shapes.items()}
        except Exception as error:  # a layer that cannot be traced over lanes fails in its own way
            raise UnsupportedError(first_line(error)) from error

    def _shapes(self, size: int) -> dict[str, list[Any]]:
        variables = self.model.variables
        found = {kind: [_shape(variables[place], size) for place in places] for kind, places in self._places.items()}
        return {**found, "optimizer": [_shape(value, size) for value in self._optimizer_start]}

    def start(self, starts: Sequence[Start]) -> None:
        """Takes what each lane starts with. All have the same parts, unless every trial draws its own."""
        self.state, self.parts = {}, {}  # those of earlier lanes go first: there may be no room for both
        values = [self._stack(column) for column in zip(*(start.values for start in starts), strict=True)]
        self.state = {kind: [values[place] for place in places] for kind, places in self._places.items()}
        rates = [start.configuration.protocol.learning_rate for start in starts]
        self.state["optimizer"] = [
            self._stack([_started(variable, value, rate) for rate in rates])
            for variable, value in zip(self.model.optimizer.variables, self._optimizer_start, strict=True)
        ]
        self.load([start.parts for start in starts])

    def load(self, parts: Sequence[LaneParts]) -> None:
        """Takes each lane's arrays; of those that all share, the first one's."""
        shared: dict[int, Array] = {}  # each part may hold all samples: the device is to hold them once

        def placed(name: str, place: int, axis: int | None) -> Array:
            first = parts[0][name][place]
            if axis is not None:
                return self._stack([each[name][place] for each in parts])
            if id(first) not in shared:
                shared[id(first)] = jnp.asarray(first)
            return shared[id(first)]

        axes = list(enumerate(_axes(parts[0])))
        self.parts = {name: tuple(placed(name, place, axis) for place, axis in axes) for name in parts[0]}
        self._changed()

    def _stack(self, values: Sequence[np.ndarray] | np.ndarray) -> Array:
        """One a lane; idle lanes hold the first."""
        return jnp.asarray(np.stack([*values, *[values[0]] * (self._size - len(values))]))

    def train_epoch(self, orders: np.ndarray, live: np.ndarray) -> np.ndarray:
        """An epoch of every lane in its order: int32 (lanes, samples). Those not live, bool (lanes,), stay as they are.

        Returns the mean losses that were minimised: float (lanes,).
        """
        live = np.pad(live, (0, self._size - len(live)))
        self.state, losses = self._epoch(self.state, self.parts["train"], self._stack(orders), live)
        self._changed()
        return np.asarray(losses)

    def _one_epoch(self, state: State, part: tuple[Array, ...], order: Array, live: Array) -> tuple[State, Array]:
        column, y, read = _columns(part)
        batch = self.configuration.protocol.batch_size
        whole, rest = divmod(order.shape[0], batch)
        sums = [jnp.zeros(variable.shape, variable.dtype) for variable in self.model.metrics_variables]

        def step(carry: Any, chosen: Array) -> tuple[Any, Array]:
            labels = y[chosen]
            logs, carry = self.model.train_step(carry, (read(column[chosen]), labels, self._sample_weights(labels)))
            return carry, logs["loss"]

        carry, loss = (*(state[kind] for kind in KINDS), sums), jnp.zeros(())
        if whole:
            carry, losses = jax.lax.scan(step, carry, order[: whole * batch].reshape(whole, batch))
            loss = losses[-1]
        if rest:
            carry, loss = step(carry, order[whole * batch :])
        after = dict(zip(KINDS, carry, strict=False))
        return jax.tree.map(lambda new, old: jnp.where(live, new, old), after, state), loss

    def _sample_weights(self, labels: Array) -> Array | None:
        table = self.configuration.protocol.class_weight
        if not table:
            return None
        if labels.ndim > 1:
            labels = labels.argmax(-1) if labels.shape[-1] > 1 else labels[:, 0]
        values = [table.get(index, 1.0) for index in range(self.classes)]
        return jnp.asarray(values, "float32")[labels.astype("int32")]

    def evaluate(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Of every lane, whether each sample is right, and its loss: bool and float (lanes, n), in inference mode."""
        if part not in self._measured:
            state = {kind: self.state[kind] for kind in self._places}
            right, losses = self._evaluations[part](state, self.parts[part])
            self._measured[part] = np.asarray(right), np.asarray(losses)
        return self._measured[part]

    def _one_evaluation(self, state: State, part: tuple[Array, ...]) -> tuple[Array, Array]:
        column, y, read = _columns(part)
        losses, cut = sample_losses(self.configuration.protocol.loss), threshold(self.configuration.protocol.loss)

        def measure(chosen: Array, y: Array) -> tuple[Array, Array]:
            outputs, _ = self.model.stateless_call(state["trainable"], state["other"], read(chosen), training=False)
            if outputs.shape[-1] == 1:
                right = (outputs[:, 0] > cut) == (y[:, 0] > 0.5)
            else:
                right = outputs.argmax(-1) == (y.argmax(-1) if y.ndim > 1 else y)
            return right, losses(y, outputs).astype("float32")

        whole, rest = divmod(len(y), EVALUATION_BATCH)
        found = [measure(column[len(y) - rest :], y[len(y) - rest :])] if rest else []
        if whole:
            head = [a[: len(a) - rest].reshape(whole, EVALUATION_BATCH, *a.shape[1:]) for a in (column, y)]
            batches = jax.lax.map(lambda batch: measure(*batch), tuple(head))
            found.insert(0, tuple(values.reshape(-1) for values in batches))
        right, values = map(jnp.concatenate, zip(*found, strict=True))
        return right, values

    def weights(self) -> list[np.ndarray]:
        """The current values of the model's variables, each stacked along the lanes."""
        if not self._copies:
            held = {
                at: value
                for kind, places in self._places.items()
                for at, value in zip(places, self.state[kind], strict=True)
            }
            self._copies = [np.asarray(held[at]) for at in range(len(held))]
        return self._copies

    def restore(self, values: Mapping[int, Values]) -> None:
        """Puts such values of some lanes back."""
        if not values:
            return
        copies = put_back(self.weights(), values)
        for kind, places in self._places.items():
            self.state[kind] = [jnp.asarray(copies[place]) for place in places]
        self._changed()

    def _changed(self) -> None:
        self._measured, self._copies = {}, []


def _axes(parts: LaneParts) -> tuple[int | None, ...]:
    """The axis of the lanes in each array of a part: there is none where all share it."""
    return (None, None) if len(parts["train"]) == 2 else (None, 0, 0, 0, 0)


def _columns(part: tuple[Array, ...]) -> tuple[Array, Array, Callable[[Array], Array]]:
    """Of a lane's part, what stands for its samples, its labels, and how samples become inputs."""
    x, y, *own = part
    if not own:
        return x, y, lambda samples: samples
    rows, mean, std = own

    def read(chosen: Array) -> Array:
        above = x[chosen] - mean  # XLA would multiply by the inverse of std, which rounds otherwise than `split`
        return above / jax.lax.optimization_barrier(jnp.broadcast_to(std, above.shape))

    return rows, y, read


def _started(variable: Any, value: np.ndarray, rate: Any) -> np.ndarray:
    """What a variable of an optimizer starts with, under a constant learning rate of the lane's own."""
    own = variable.path.endswith("learning_rate") and isinstance(rate, float | int)
    return np.asarray(rate, value.dtype) if own else value


def _shape(value: Any, *lanes: int) -> Any:
    return jax.ShapeDtypeStruct((*lanes, *value.shape), value.dtype)


def _bytes(program: Any) -> int:
    found = program.memory_analysis()
    needed = found.argument_size_in_bytes + found.output_size_in_bytes + found.temp_size_in_bytes
    return int(needed - found.alias_size_in_bytes)


def _memory() -> int:
    """Bytes a program may count on: a GPU's, or a core's share of the machine's, whatever else runs now."""
    known = jax.devices()[0].memory_stats()
    return int(known["bytes_limit"]) if known else total_memory() // cores()
