"""The default with TensorFlow: a whole epoch is one graph call, traced once for all seeds.

The step is Keras's own `train_step`, so that everything a model or a protocol brings (penalties,
batch statistics, dropout, schedules, class weights) means what it means in `fit`; only the Python
between the steps is gone.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from trials.engines.drawing import Drawing
from trials.engines.folding import folded
from trials.engines.fused_adam import fused_adam
from trials.engines.model import (
    compile_model,
    optimise_graphs,
    sample_losses,
    seed_generators,
    threshold,
    weights_of,
)
from trials.errors import UnsupportedError, first_line
from trials.experiment import Configuration, Identifier
from trials.splits import ALIGNMENT, Parts

EVALUATION_BATCH = 250  # on a CPU what a batch leaves between layers then stays in its cache (benchmarks/log.md)
LIGHT = 10_000  # parameters
PLAIN = {"Functional", "Sequential", "InputLayer", "Flatten", "Dense", "Activation", "ReLU", "Softmax"}
# Kernels that hold a state of their own, which one traced graph could not set back for each seed.
RESEEDED = {
    "RandomUniform",
    "RandomUniformInt",
    "RandomStandardNormal",
    "TruncatedNormal",
    "RandomShuffle",
    "RandomGamma",
    "RandomPoissonV2",
    "Multinomial",
}


class GraphSession:
    """Holds one traced model; each seed's fresh weights and states are copied into it."""

    def __init__(self, configuration: Configuration, classes: int, drawing: Drawing | None = None) -> None:
        self.configuration = configuration
        self.classes = classes
        self.parameters = 0
        self.model: Any = None
        self._drawing = drawing or Drawing(configuration, classes)
        self._held: Parts | None = None

    def start(self, seed: int, parts: Parts, ahead: Sequence[int]) -> None:
        optimise_graphs(True)  # whatever ran in this process before
        values = self._drawing.take(seed, parts["train"][0].shape[1:], ahead)
        if self.model is None:
            self._trace(parts)
        if self._is_light:
            optimise_graphs(False)
        for held, value in zip(self._state, values, strict=True):
            held.assign(value)
        for held, value in zip(self.model.optimizer.variables, self._optimizer_start, strict=True):
            held.assign(value)
        self.load(parts)

    def load(self, parts: Parts) -> None:
        """Puts the arrays on the device, unless they are there."""
        if self._held is not parts:
            with tf.device(self._device):
                self.parts = {name: (self._tensor(x), tf.constant(y)) for name, (x, y) in parts.items()}
            self._held = parts

    def _tensor(self, x: np.ndarray) -> Any:
        """The array as a tensor; on a CPU without the two copies that TensorFlow would make of it, if it can be."""
        if self._device.startswith("/CPU") and x.flags.carray and x.ctypes.data % ALIGNMENT == 0:
            return tf.experimental.dlpack.from_dlpack(x.__dlpack__())
        return tf.constant(x)

    def _trace(self, parts: Parts) -> None:
        """Compiles the first model drawn and traces its epoch and its evaluation.

        Raises UnsupportedError where the model cannot be traced.
        """
        self._device = "/GPU:0" if tf.config.list_logical_devices("GPU") else "/CPU:0"
        model = self._drawing.template
        self._state = list(model.variables)
        self._is_light = self._device.startswith("/CPU") and _is_light(model)
        compile_model(model, self.configuration)
        self._optimizer_start = [np.array(variable.numpy()) for variable in model.optimizer.variables]
        x, y = parts["train"]
        signature = (tf.TensorSpec((len(x), *x.shape[1:]), x.dtype), tf.TensorSpec((len(y), *y.shape[1:]), y.dtype))
        any_length = tuple(tf.TensorSpec((None, *spec.shape[1:]), spec.dtype) for spec in signature)
        try:
            with _fast_forms(model, self._device):
                self._run_epoch = self._traced_epoch(model, x, y, *signature)
                one_batch = max(len(labels) for _, labels in parts.values()) <= EVALUATION_BATCH
                evaluate = self._batch_evaluation(model) if one_batch else self._evaluation(model)
                evaluation = tf.function(evaluate, autograph=False)
                self._run_evaluation = evaluation.get_concrete_function(*any_length)
        except Exception as error:  # a layer that cannot be traced fails in its own way
            raise UnsupportedError(first_line(error)) from error
        drawing = RESEEDED & _operations(self._run_epoch.graph)
        if drawing:
            raise UnsupportedError(f"it draws from TensorFlow's global generator ({', '.join(sorted(drawing))})")
        self.model = model
        self.parameters = model.count_params()

    def _traced_epoch(self, model: Any, x: np.ndarray, y: np.ndarray, *signature: Any) -> Any:
        """The epoch as one graph, compiled by XLA where it can and may be; what it can is known once it has run."""
        steps, order = self._epoch(model, len(x)), tf.TensorSpec((len(x),), tf.int32)
        if _may_be_compiled(model, self._device):
            compiled = tf.function(steps, autograph=False, jit_compile=True).get_concrete_function(*signature, order)
            with contextlib.suppress(tf.errors.OpError):
                compiled(tf.constant(x), tf.constant(y), tf.range(len(x)))
                return compiled
        return tf.function(steps, autograph=False).get_concrete_function(*signature, order)

    def _epoch(self, model: Any, samples: int) -> Any:
        batch = self.configuration.protocol.batch_size
        whole, rest = divmod(samples, batch)
        open_end = self._is_light and rest > 0
        if open_end:  # traced once, for batches of any size: a second trace takes longer than it saves
            whole, rest = whole + 1, 0
        weigh = self._sample_weights()

        def step(x: Any, y: Any, chosen: Any) -> Any:
            labels = tf.gather(y, chosen)
            data = (tf.gather(x, chosen), labels)
            return model.train_step(data if weigh is None else (*data, weigh(labels)))["loss"]

        def epoch(x: Any, y: Any, order: Any) -> Any:
            model.reset_metrics()

            def body(index: Any, _: Any) -> tuple[Any, Any]:
                here = index * batch
                chosen = order[here : here + batch] if open_end else tf.slice(order, [here], [batch])
                return index + 1, step(x, y, chosen)

            loss = tf.constant(0.0)
            if whole:
                _, loss = tf.while_loop(lambda index, _: index < whole, body, (0, loss), parallel_iterations=1)
            return step(x, y, order[whole * batch :]) if rest else loss

        return epoch

    def _sample_weights(self) -> Any:
        table = self.configuration.protocol.class_weight
        if not table:
            return None
        values = tf.constant([table.get(index, 1.0) for index in range(self.classes)], tf.float32)

        def weigh(labels: Any) -> Any:
            if labels.shape.rank > 1:
                labels = tf.argmax(labels, -1) if labels.shape[-1] > 1 else labels[:, 0]
            return tf.gather(values, tf.cast(labels, tf.int32))

        return weigh

    def _batch_evaluation(self, model: Any) -> Any:
        measure = measures(self.configuration.protocol.loss)
        return lambda x, y: measure(y, model(x, training=False))

    def _evaluation(self, model: Any) -> Any:
        of_batch = self._batch_evaluation(model)

        def evaluation(x: Any, y: Any) -> tuple[Any, Any]:
            batches = -(-tf.shape(x)[0] // EVALUATION_BATCH)

            def body(batch: Any, right: Any, loss: Any) -> tuple[Any, Any, Any]:
                here = slice(batch * EVALUATION_BATCH, (batch + 1) * EVALUATION_BATCH)
                found = of_batch(x[here], y[here])
                return batch + 1, right.write(batch, found[0]), loss.write(batch, found[1])

            right, loss = (tf.TensorArray(kind, batches, infer_shape=False) for kind in (tf.bool, tf.float32))
            _, right, loss = tf.while_loop(
                lambda batch, *_: batch < batches, body, (0, right, loss), parallel_iterations=1
            )
            return right.concat(), loss.concat()

        return evaluation

    def train_epoch(self, order: np.ndarray) -> float:
        return float(self._run_epoch(*self.parts["train"], tf.constant(order)))

    def evaluate(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        right, losses = self._run_evaluation(*self.parts[part])
        return right.numpy(), losses.numpy()

    def weights(self) -> list[np.ndarray]:
        return weights_of(self.model)

    def restore(self, weights: list[np.ndarray]) -> None:
        self.model.set_weights(weights)


def measures(identifier: Identifier) -> Callable[[Any, Any], tuple[Any, Any]]:
    """Whether each of some outputs is right for its label, and its loss."""
    losses, cut = sample_losses(identifier), threshold(identifier)

    def measure(y: Any, outputs: Any) -> tuple[Any, Any]:
        if outputs.shape[-1] == 1:
            right = (outputs[..., 0] > cut) == (y[..., 0] > 0.5)
        else:
            truth = tf.argmax(y, -1) if y.shape.rank == outputs.shape.rank else tf.cast(y, tf.int64)
            right = tf.argmax(outputs, -1) == truth
        return right, tf.cast(losses(y, outputs), tf.float32)

    return measure


@contextlib.contextmanager
def _fast_forms(model: Any, device: str) -> Iterator[None]:
    """Within: the model traces in the forms that are faster on a CPU, where they give the same."""
    if _is_delicate(model) or not device.startswith("/CPU"):
        yield
        return
    with folded(model), fused_adam(model.optimizer):
        yield


def _is_light(model: Any) -> bool:
    """Whether TensorFlow takes longer to optimise the graph than that saves on a CPU, for the same network.

    Where layers draw it is not the same: their masks are others.
    """
    kinds = {type(layer) for layer in model._flatten_layers()}
    plain = all(kind.__module__.startswith("keras.") and kind.__name__ in PLAIN for kind in kinds)
    return plain and model.count_params() <= LIGHT and not seed_generators(model)


def _may_be_compiled(model: Any, device: str) -> bool:
    """Whether XLA makes one program of an epoch: on a GPU, where small operations wait for their start.

    It draws other numbers for dropout than TensorFlow does.
    """
    return device.startswith("/GPU") and not _is_delicate(model) and not seed_generators(model)


def _is_delicate(model: Any) -> bool:
    """Whether only the very same operations give the same results.

    Parameters ahead of a normalization have gradients of nothing but rounding, which Adam turns into full steps.
    """
    return any(re.search("Normalization|Attention", type(layer).__name__) for layer in model._flatten_layers())


def _operations(graph: Any) -> set[str]:
    """The types of all operations in a traced graph and in the functions it calls."""
    definition = graph.as_graph_def()
    nodes = [*definition.node, *(node for function in definition.library.function for node in function.node_def)]
    return {node.op for node in nodes}
