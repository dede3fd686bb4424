"""All seeds of a configuration at the same time, in one compiled program (Keras on JAX).

A lane is one seed's weights, optimizer and dropout states. `jax.vmap` runs Keras's own `train_step` over all
lanes, `lax.scan` over the batches of an epoch. This is what fills a GPU with small networks.
"""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from trials.engines.lanes import Start
from trials.engines.model import compile_model, fresh_model, keras_optimizer, sample_losses, threshold
from trials.engines.results import MOST_SEEDS
from trials.engines.stacked import stacked
from trials.environment import available_memory
from trials.errors import UnsupportedError, first_line
from trials.experiment import Configuration
from trials.splits import Parts

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
    """Holds one compiled program and the states of its lanes, stacked along the first axis."""

    def __init__(self, configuration: Configuration, classes: int) -> None:
        self.configuration = configuration
        self.classes = classes
        self.parameters = 0
        self.model: Any = None
        self.state: State = {}
        self.parts: dict[str, tuple[Array, Array]] = {}
        self._measured: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._copies: list[np.ndarray] = []
        self._size = 0
        "Lanes of the program; where fewer seeds are started the others are idle."

    def room(self, wanted: int, seed: int, parts: Parts) -> int:
        """How many lanes there are, of so many wanted: as the device has memory. `seed` is one to be trained.

        Compiles the program, the first time. Raises UnsupportedError where the model cannot be traced over lanes.
        """
        if self.model is None:
            self._build(seed, parts)
            self._compile(min(wanted, MOST_SEEDS), parts)
        return self._size

    def _model(self, seed: int, parts: Parts) -> Any:
        return fresh_model(self.configuration, parts["train"][0].shape[1:], self.classes, seed)

    def _fresh(self, seed: int, parts: Parts) -> list[np.ndarray]:
        return [np.array(variable.numpy()) for variable in self._model(seed, parts).variables]

    def _optimizer(self, configuration: Configuration) -> list[np.ndarray]:
        """What a fresh optimizer of the configuration starts with."""
        optimizer = keras_optimizer(configuration.protocol)
        optimizer.build(self.model.trainable_variables)
        return [np.array(variable.numpy()) for variable in optimizer.variables]

    def _build(self, seed: int, parts: Parts) -> None:
        model = self._model(seed, parts)
        place = {id(variable): number for number, variable in enumerate(model.variables)}
        self._places = {
            "trainable": [place[id(variable)] for variable in model.trainable_variables],
            "other": [place[id(variable)] for variable in model.non_trainable_variables],
        }
        self.model = compile_model(model, self.configuration)
        self.parameters = model.count_params()

    def _compile(self, wanted: int, parts: Parts) -> None:
        """Makes the program for as many of the lanes wanted as fit into memory."""
        own = 0 if self.configuration.data.resampled else None
        epoch = jax.jit(jax.vmap(self._one_epoch, in_axes=(0, own, own, 0, 0)), donate_argnums=0)
        self._evaluation = jax.jit(jax.vmap(self._one_evaluation, in_axes=(0, own, own)))
        self._size = max(FEWEST, wanted)
        while True:
            with stacked(self.model):
                try:
                    self._epoch = epoch.lower(*self._arguments(parts)).compile()
                except Exception as error:  # a layer that cannot be traced over lanes fails in its own way
                    raise UnsupportedError(first_line(error)) from error
            if self._size == FEWEST or _bytes(self._epoch) <= MEMORY * _memory():
                return
            self._size = max(FEWEST, self._size // 2)

    def _arguments(self, parts: Parts) -> list[Any]:
        """Shapes and dtypes of what the program takes."""

        def shape(value: Any, *lanes: int) -> Any:
            return jax.ShapeDtypeStruct((*lanes, *value.shape), value.dtype)

        variables, own = self.model.variables, [self._size] if self.configuration.data.resampled else []
        state = {kind: [shape(variables[place], self._size) for place in held] for kind, held in self._places.items()}
        state["optimizer"] = [shape(variable, self._size) for variable in self.model.optimizer.variables]
        order = jax.ShapeDtypeStruct((self._size, len(parts["train"][0])), "int32")
        return [
            state,
            *(shape(array, *own) for array in parts["train"]),
            order,
            jax.ShapeDtypeStruct((self._size,), bool),
        ]

    def start(self, starts: Sequence[Start], parts: Sequence[Parts]) -> None:
        """Takes what each lane's fresh model starts with. `parts` are one for each lane, or one for all.

        The lanes' configurations are alike.
        """
        drawn = {seed: self._fresh(seed, parts[0]) for seed in {seed: None for _, seed in starts}}
        values = _columns([drawn[seed] for _, seed in starts])
        self.state = {kind: [self._stack(values[at]) for at in places] for kind, places in self._places.items()}
        optimizers = _columns([self._optimizer(configuration) for configuration, _ in starts])
        self.state["optimizer"] = [self._stack(column) for column in optimizers]
        self.load(parts)

    def load(self, parts: Sequence[Parts]) -> None:
        """Takes other arrays of the same shapes: for each lane its own, or one for all."""
        self.parts = {
            name: tuple(self._on_device([each[name][place] for each in parts]) for place in (0, 1)) for name in parts[0]
        }
        self._changed()

    def _stack(self, values: Sequence[np.ndarray] | np.ndarray) -> Array:
        """One a lane; idle lanes hold the first."""
        return jnp.asarray(np.stack([*values, *[values[0]] * (self._size - len(values))]))

    def _on_device(self, arrays: Sequence[np.ndarray]) -> Array:
        return self._stack(arrays) if self.configuration.data.resampled else jnp.asarray(arrays[0])

    def train_epoch(self, orders: np.ndarray, live: np.ndarray) -> np.ndarray:
        """An epoch of every lane in its order: int32 (lanes, samples). Those not live, bool (lanes,), stay as they are.

        Returns the mean losses that were minimised: float (lanes,).
        """
        live = np.pad(live, (0, self._size - len(live)))
        self.state, losses = self._epoch(self.state, *self.parts["train"], self._stack(orders), live)
        self._changed()
        return np.asarray(losses)

    def _one_epoch(self, state: State, x: Array, y: Array, order: Array, live: Array) -> tuple[State, Array]:
        batch = self.configuration.protocol.batch_size
        whole, rest = divmod(order.shape[0], batch)
        sums = [jnp.zeros(variable.shape, variable.dtype) for variable in self.model.metrics_variables]

        def step(carry: Any, chosen: Array) -> tuple[Any, Array]:
            labels = y[chosen]
            logs, carry = self.model.train_step(carry, (x[chosen], labels, self._sample_weights(labels)))
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
            with stacked(self.model):
                right, losses = self._evaluation({kind: self.state[kind] for kind in self._places}, *self.parts[part])
            self._measured[part] = np.asarray(right), np.asarray(losses)
        return self._measured[part]

    def _one_evaluation(self, state: State, x: Array, y: Array) -> tuple[Array, Array]:
        losses, cut = sample_losses(self.configuration.protocol.loss), threshold(self.configuration.protocol.loss)

        def measure(x: Array, y: Array) -> tuple[Array, Array]:
            outputs, _ = self.model.stateless_call(state["trainable"], state["other"], x, training=False)
            if outputs.shape[-1] == 1:
                right = (outputs[:, 0] > cut) == (y[:, 0] > 0.5)
            else:
                right = outputs.argmax(-1) == (y.argmax(-1) if y.ndim > 1 else y)
            return right, losses(y, outputs).astype("float32")

        whole, rest = divmod(len(x), EVALUATION_BATCH)
        found = [measure(x[len(x) - rest :], y[len(x) - rest :])] if rest else []
        if whole:
            head = [a[: len(a) - rest].reshape(whole, EVALUATION_BATCH, *a.shape[1:]) for a in (x, y)]
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

    def restore(self, lane: int, weights: Sequence[np.ndarray]) -> None:
        """Puts such values of one lane back."""
        for kind, places in self._places.items():
            pairs = zip(self.state[kind], places, strict=True)
            self.state[kind] = [held.at[lane].set(weights[place]) for held, place in pairs]
        self._changed()

    def _changed(self) -> None:
        self._measured, self._copies = {}, []


def _columns(rows: Sequence[Sequence[np.ndarray]]) -> list[Sequence[np.ndarray]]:
    return list(zip(*rows, strict=True))


def _bytes(program: Any) -> int:
    found = program.memory_analysis()
    return int(found.argument_size_in_bytes + found.output_size_in_bytes + found.temp_size_in_bytes)


def _memory() -> int:
    """Bytes of the device."""
    known = jax.devices()[0].memory_stats()
    return int(known["bytes_limit"]) if known else available_memory()
