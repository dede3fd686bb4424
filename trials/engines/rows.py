"""Which networks can be trained side by side: those of which every part is known to leave the lanes alone."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from trials.engines.fused_adam import is_plain
from trials.engines.model import keras_loss, keras_optimizer
from trials.experiment import Configuration, Identifier
from trials.splits import Parts

MOST_PARAMETERS, MOST_NUMBERS, MOST_OUTPUTS = 20_000, 1_000_000, 100_000
"""Of the network, in the training samples, and of a layer for a batch: beyond, arithmetic is what takes time, idle
lanes take theirs, and all together take memory."""
MOST_OWN_NUMBERS = MOST_NUMBERS // 4
"In all parts, where every lane has its own."
LOSSES = {"categorical_crossentropy", "sparse_categorical_crossentropy", "binary_crossentropy", "mean_squared_error"}
USUAL = {"axis": -1, "reduction": "sum_over_batch_size", "ignore_class": None}
ACTIVATIONS = {"linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "celu", "exponential"}
ACTIVATIONS |= {"tanh", "sigmoid", "hard_sigmoid", "hard_tanh", "softplus", "softsign", "softmax", "log_softmax"}
"Those of Keras that leave a layer's shape, and look at no more than a sample."
PENALTIES = ("kernel_regularizer", "bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint")
OWN = ("name", "units", "kernel_initializer", "bias_initializer")
"What layers that share a trace may differ in."


@dataclass(frozen=True)
class Row:
    """Layers one after another. Those of equal keys can be trained by one graph."""

    layers: Sequence[Any]
    key: str


def as_row(model: Any, configuration: Configuration, parts: Parts) -> Row | None:
    """The layers of a fresh model that, with its protocol, can be trained side by side; None of any other."""
    protocol, data, x = configuration.protocol, configuration.data, parts["train"][0]
    if _are_large(parts, data.resampled) or protocol.class_weight or tf.config.list_logical_devices("GPU"):
        return None
    layers = _in_a_row(model, x.shape[1:])
    if not layers or not all(map(_can_be_stacked, layers)) or model.count_params() > MOST_PARAMETERS:
        return None
    widest = max(layer.output.shape[-1] for layer in layers)
    if widest * min(protocol.batch_size, len(x)) > MOST_OUTPUTS or not is_plain(keras_optimizer(protocol)):
        return None
    if not _is_mean_of_samples(protocol.loss, layers[-1].output.shape[-1]):
        return None
    kinds = [(type(layer).__name__, _common(layer)) for layer in layers]
    return Row(layers, json.dumps([kinds, x.shape[1:], repr((protocol, data))], default=str))


def _are_large(parts: Parts, own: bool) -> bool:
    if own:
        return sum(array.size for part in parts.values() for array in part) > MOST_OWN_NUMBERS
    return parts["train"][0].size > MOST_NUMBERS


def _in_a_row(model: Any, shape: tuple[int, ...]) -> list[Any]:
    """The layers between a model's input of this shape and its output, each of what the one before gives; else none."""
    graph = getattr(model, "_functional", model)
    if not type(model).__module__.startswith("keras.") or not isinstance(graph, keras.Model):
        return []
    layers = graph.layers
    if any(len(layer._inbound_nodes) != 1 for layer in layers):
        return []
    follow = all(after.input is before.output for before, after in itertools.pairwise(layers))
    ends = len(graph.outputs) == 1 and graph.outputs[0] is layers[-1].output
    begins = [(each.shape[1:], each.dtype) for each in graph.inputs] == [(shape, "float32")]
    return layers[1:] if follow and ends and begins else []


def _common(layer: Any) -> dict[str, Any]:
    return {name: value for name, value in layer.get_config().items() if name not in OWN}


def _can_be_stacked(layer: Any) -> bool:
    """Whether it does to each sample, in a stack of lanes, what it does without one."""
    variables = layer.variables
    plain = all(each.trainable and not each.regularizer and not each.constraint for each in variables)
    if layer.compute_dtype != "float32" or any(getattr(layer, each, None) for each in PENALTIES) or not plain:
        return False
    if type(layer) is keras.layers.Dense:
        whole = len(variables) == 1 + layer.use_bias and not layer.lora_enabled and len(layer.input.shape) == 2
        return whole and _is_known(layer.activation)
    if type(layer) is keras.layers.Activation:
        return _is_known(layer.activation)
    if type(layer) is keras.layers.Flatten:
        return layer.data_format == "channels_last"
    return type(layer) is keras.layers.ReLU or (type(layer) is keras.layers.Softmax and layer.axis == -1)


def _is_known(activation: Any) -> bool:
    name = getattr(activation, "__name__", "")
    return name in ACTIVATIONS and activation is getattr(keras.activations, name, None)


def _is_mean_of_samples(identifier: Identifier, outputs: int) -> bool:
    """Whether the loss is one of Keras's that measures each sample along its last axis, and then the mean."""
    loss = keras_loss(identifier)
    function = getattr(loss, "fn", loss)
    name = getattr(function, "__name__", "")
    if name not in LOSSES or not all(each.__module__.startswith("keras.") for each in (function, loss)):
        return False
    config = loss.get_config() if isinstance(loss, keras.losses.Loss) else {}
    usual = all(config.get(each, default) == default for each, default in USUAL.items())
    enough = outputs > 1 or "categorical" not in name  # of a single one Keras makes what no label stands for
    return usual and enough and getattr(loss, "dtype", "float32") == "float32"
