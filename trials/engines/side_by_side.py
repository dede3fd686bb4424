"""Small dense networks of many seeds side by side in one graph: their kernels stacked, each product a batched one.

Which networks these are, `rows` says. Most of what they take is not their arithmetic but what surrounds each operation,
which serves all seeds here, and a trace, which serves all widths. What a seed gives does not depend on which others are
trained beside it.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trials.engines.drawing import Drawing
from trials.engines.fused_adam import rates
from trials.engines.graph import EVALUATION_BATCH, measures
from trials.engines.lanes import Start, Values, put_back
from trials.engines.model import compile_model, keras_optimizer, optimise_graphs, sample_losses
from trials.engines.rows import Row
from trials.engines.watched import replaced
from trials.experiment import Configuration
from trials.splits import LaneParts

BLOCK = 16
"""Numbers that a core takes at a time. What is left over at the end of an array TensorFlow computes one by one, to
other last bits: so lanes come in blocks, and the last ones, as many as hold so many numbers, are idle."""
MOST_LANES = 2 * BLOCK
"With the idle ones. More are hardly faster, and the first result waits for all."


class Stacked:
    """The variables of all lanes and the traced functions over them; shapes are free, but for the data's."""

    def __init__(self, row: Row, configuration: Configuration, outputs: int, x: np.ndarray, y: np.ndarray) -> None:
        self.key = row.key
        self._layers = row.layers
        self._outputs = outputs
        self._own = configuration.data.resampled
        "Whether each lane has samples of its own."
        self._batch = configuration.protocol.batch_size
        self._losses = sample_losses(configuration.protocol.loss)
        self._measure = measures(configuration.protocol.loss)
        self._optimizer = keras_optimizer(configuration.protocol)
        self.variables = [_free(len(held.shape) + 1) for layer in row.layers for held in layer.variables]
        self._moments = [(_free(len(held.shape)), _free(len(held.shape))) for held in self.variables]
        many = (None, None) if self._own else (None,)
        samples = [tf.TensorSpec((*many, *array.shape[1:]), array.dtype) for array in (x, y)]
        orders = tf.TensorSpec((None, None), tf.int32)
        with _cross_entropies_in_steps():
            self.run_epoch = tf.function(self._epoch, autograph=False).get_concrete_function(*samples, orders)
            self.run_evaluation = tf.function(self._evaluation, autograph=False).get_concrete_function(*samples)

    def start(self, values: Sequence[np.ndarray]) -> None:
        """Takes the variables' values, each stacked along the lanes, and forgets all steps."""
        for variable, moments, value in zip(self.variables, self._moments, values, strict=True):
            variable.assign(value)
            for moment in moments:
                moment.assign(np.zeros_like(value))
        self._optimizer.iterations.assign(0)

    def _epoch(self, x: Any, y: Any, orders: Any) -> Any:
        lanes, samples = tf.unstack(tf.shape(orders))

        def body(start: Any, total: Any) -> tuple[Any, Any]:
            chosen = orders[:, start : start + self._batch]
            size = tf.cast(tf.shape(chosen)[1], tf.float32)
            with tf.GradientTape() as tape:
                some_x, some_y = (tf.gather(each, chosen, batch_dims=int(self._own)) for each in (x, y))
                losses = self._losses(some_y, self._forward(some_x))
                mean = tf.reduce_sum(losses, 1) / size
            self._update(tape.gradient(mean, self.variables))
            return start + self._batch, total + mean * size

        _, total = tf.while_loop(lambda start, _: start < samples, body, (0, tf.zeros([lanes])), parallel_iterations=1)
        return total / tf.cast(samples, tf.float32)

    def _evaluation(self, x: Any, y: Any) -> tuple[Any, Any]:
        if not self._own:
            lanes = tf.shape(self.variables[0])[:1]
            x, y = (tf.broadcast_to(each, tf.concat([lanes, tf.shape(each)], 0)) for each in (x, y))
        return self._measure(y, self._forward(x))

    def _forward(self, x: Any) -> Any:
        """Outputs of shape (lanes, samples, outputs) for inputs of shape (lanes, samples, ...)."""
        variables = iter(self.variables)
        for layer in self._layers:
            if type(layer) is keras.layers.Dense:
                x = tf.matmul(x, next(variables))
                x = layer.activation(_with_bias(x, next(variables)) if layer.use_bias else x)
            elif type(layer) is keras.layers.Flatten:  # always another tensor: Keras's losses find no logits behind it
                flat = len(x.shape) == 3
                x = tf.identity(x) if flat else tf.reshape(x, [*tf.unstack(tf.shape(x)[:2]), int(np.prod(x.shape[2:]))])
            else:
                x = layer.call(x)
        x.set_shape((None, None, self._outputs))  # in place: from this very tensor Keras's losses find the logits
        return x

    def _update(self, gradients: Sequence[Any]) -> None:
        given = rates(self._optimizer)
        for gradient, variable, (m, v) in zip(gradients, self.variables, self._moments, strict=True):
            tf.raw_ops.ResourceApplyAdam(var=variable.handle, m=m.handle, v=v.handle, grad=gradient, **given)
        self._optimizer.iterations.assign_add(1)


def _with_bias(x: Any, bias: Any) -> Any:
    """As one operation over all lanes: its gradient is summed sample after sample, as that of one lane alone is."""
    by_sample = tf.transpose(x, [1, 0, 2])
    flat = tf.reshape(by_sample, [tf.shape(by_sample)[0], -1])
    return tf.transpose(tf.reshape(tf.nn.bias_add(flat, tf.reshape(bias, [-1])), tf.shape(by_sample)), [1, 0, 2])


def _cross_entropy(labels: Any, logits: Any) -> Any:
    """Of softmax outputs, step by step: TensorFlow's own operation goes by blocks, at whose ends bits are others."""
    below = logits - tf.stop_gradient(tf.reduce_max(logits, -1, keepdims=True))
    return tf.reduce_sum(labels * (tf.math.log(tf.reduce_sum(tf.exp(below), -1, keepdims=True)) - below), -1)


@contextlib.contextmanager
def _cross_entropies_in_steps() -> Iterator[None]:
    """Within, Keras's losses trace with it."""

    def dense(labels: Any, logits: Any, axis: int = -1) -> Any:
        return _cross_entropy(labels, logits)

    def sparse(labels: Any, logits: Any) -> Any:
        return _cross_entropy(tf.one_hot(labels, tf.shape(logits)[-1]), logits)

    with (
        replaced(tf.nn, "softmax_cross_entropy_with_logits", dense),
        replaced(tf.nn, "sparse_softmax_cross_entropy_with_logits", sparse),
    ):
        yield


def _free(rank: int) -> Any:
    """A variable of this rank and any shape."""
    return tf.Variable(np.zeros((1,) * rank, np.float32), shape=[None] * rank)


class SideBySide:
    """The lanes of one configuration. They take the graph that was traced for a former one, if it can train them."""

    def __init__(self, configuration: Configuration, row: Row, drawing: Drawing, former: Stacked | None = None) -> None:
        self.configuration = configuration
        self.stacked = former if former is not None and former.key == row.key else None
        self.parameters = drawing.template.count_params()
        self._row = row
        self._drawing = drawing
        self._outputs = drawing.template.output_shape[-1]
        self._held: LaneParts = {}
        self._tensors: dict[str, tuple[Any, ...]] = {}
        self._measured: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._copies: list[np.ndarray] = []

    @property
    def model(self) -> Any:
        model = self._drawing.template
        return model if model.compiled else compile_model(model, self.configuration)

    @property
    def _idle(self) -> int:
        return -(-BLOCK // self._outputs)

    def room(self, wanted: int, seed: int, parts: LaneParts) -> int:
        return min(wanted, MOST_LANES - self._idle)

    def fresh(self, seed: int, parts: LaneParts, ahead: Sequence[int] = ()) -> Values:
        values = self._drawing.take(seed, parts["train"][0].shape[1:], ahead)
        shapes = [value.shape for value in values]
        if shapes != (first := [tuple(variable.shape) for variable in self._drawing.template.variables]):
            raise ValueError(f"the network of seed {seed} has variables of shapes {shapes}; the first seed's: {first}")
        return values

    def start(self, starts: Sequence[Start]) -> None:
        optimise_graphs(False)  # that would take longer than it saves
        if self.stacked is None:
            self.stacked = Stacked(self._row, self.configuration, self._outputs, *starts[0].parts["train"])
        self.stacked.start([self._stack(column) for column in zip(*(it.values for it in starts), strict=True)])
        self.load([it.parts for it in starts])

    def load(self, parts: Sequence[LaneParts]) -> None:
        """Takes the arrays of each lane, or those that all share, the first one's."""
        if self.configuration.data.resampled:
            self._tensors = {}  # before the next ones are made
            columns = {name: zip(*(each[name] for each in parts), strict=True) for name in parts[0]}
            self._tensors = {name: tuple(tf.constant(self._stack(it)) for it in both) for name, both in columns.items()}
        elif self._held is not parts[0]:
            self._held = parts[0]
            self._tensors = {name: (tf.constant(x), tf.constant(y)) for name, (x, y) in parts[0].items()}
        self._changed()

    def _stack(self, values: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """One a lane; idle lanes hold the first."""
        idle = self._idle + -(len(values) + self._idle) % BLOCK
        return np.stack([*values, *[values[0]] * idle])

    def train_epoch(self, orders: np.ndarray, live: np.ndarray) -> np.ndarray:
        ended = {int(lane): [column[lane] for column in self.weights()] for lane in np.flatnonzero(~live)}
        losses = self._graph.run_epoch(*self._tensors["train"], tf.constant(self._stack(orders))).numpy()
        self._changed()
        self.restore(ended)
        return np.asarray(losses)

    def evaluate(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        if part not in self._measured:
            x, y = self._tensors[part]
            every = (slice(None),) * self.configuration.data.resampled
            starts = range(0, y.shape[len(every)], EVALUATION_BATCH)
            batches = [(*every, slice(start, start + EVALUATION_BATCH)) for start in starts]
            found = [self._graph.run_evaluation(x[batch], y[batch]) for batch in batches]
            right, losses = (np.concatenate([each.numpy() for each in both], 1) for both in zip(*found, strict=True))
            self._measured[part] = right, losses
        return self._measured[part]

    def weights(self) -> list[np.ndarray]:
        self._copies = self._copies or [variable.numpy() for variable in self._graph.variables]
        return self._copies

    def restore(self, values: Mapping[int, Values]) -> None:
        if not values:
            return
        copies = put_back(self.weights(), values)
        for variable, column in zip(self._graph.variables, copies, strict=True):
            variable.assign(column)
        self._changed()

    @property
    def _graph(self) -> Stacked:
        assert self.stacked is not None, "lanes are started before they are trained"
        return self.stacked

    def _changed(self) -> None:
        self._measured, self._copies = {}, []
