"""What one use of a layer costs: multiply-adds, connections and values written, by rules for Keras's own layers.

Padding counts as any other input, as in published counts. Pooling, normalisation and everything that
works on each value alone does no multiply-adds here and has no connections to weights; a unit that
pools is connected to the inputs of its window (LeCun et al. 1998, section II.B, counts so).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

from analysis import kinds
from analysis.graph import Call
from analysis.reach import Shape


@dataclass(frozen=True)
class Cost:
    """Of one sample."""

    multiply_adds: int = 0
    connections: int = 0
    "To inputs, without those to biases."
    biases: int = 0
    "Connections to biases: one a unit that has one."
    pools: bool = False


def of_call(call: Call) -> Cost | None:
    """The cost of a layer's use; None where it cannot be counted.

    A layer of someone's own says it with a method `cost(input_shape, output_shape)`, shapes without the
    batch, that returns a mapping with any of `multiply_adds`, `connections`, `biases`, `pools` and
    `window`: (size, strides, padding) of what a unit sees of the input, or "all".
    """
    shapes = (*call.inputs, *call.outputs)
    if any(None in shape for shape in shapes) or len(call.outputs) != 1:
        return None
    name = kinds.kind(call.layer)
    if name is None and hasattr(call.layer, "cost"):
        declared = call.layer.cost(call.inputs[0], call.outputs[0])
        return Cost(**{field: value for field, value in declared.items() if field != "window"})
    rule = RULES.get(name or "")
    return None if rule is None else rule(call.layer, call.inputs[0] if call.inputs else (), call.outputs[0])


def values(call: Call, training: bool = False) -> int | None:
    """How many values a layer's use writes; 0 for what only hands its input on; None where a length is not known."""
    name = kinds.kind(call.layer)
    if name in kinds.VIEWS or (name in kinds.DROPOUTS and not training):
        return 0
    if any(None in shape for shape in call.outputs):
        return None
    return sum(_size(shape) for shape in call.outputs)


def _size(shape: Shape) -> int:
    return prod(length or 0 for length in shape)


def _channels(layer: Any, shape: Shape) -> int:
    return (shape[0] if getattr(layer, "data_format", "") == "channels_first" else shape[-1]) or 0


def _dense(layer: Any, inputs: Shape, output: Shape) -> Cost:
    return _product(layer, _size(output) * (inputs[-1] or 0), output)


def _convolution(layer: Any, inputs: Shape, output: Shape) -> Cost:
    window = prod(layer.kernel_size) * _channels(layer, inputs) // layer.groups
    return _product(layer, _size(output) * window, output)


def _depthwise(layer: Any, inputs: Shape, output: Shape) -> Cost:
    return _product(layer, _size(output) * prod(layer.kernel_size), output)


def _separable(layer: Any, inputs: Shape, output: Shape) -> Cost:
    """Depthwise, then over the channels; the values between the two are never a layer's output."""
    between = _channels(layer, inputs) * layer.depth_multiplier
    places = _size(output) // layer.filters
    return _product(layer, places * between * (prod(layer.kernel_size) + layer.filters), output)


def _transposed(layer: Any, inputs: Shape, output: Shape) -> Cost:
    """Every input value meets every weight of its channel, also where the result is cropped."""
    return _product(layer, _size(inputs) * prod(layer.kernel_size) * layer.filters, output)


def _product(layer: Any, multiply_adds: int, output: Shape) -> Cost:
    return Cost(multiply_adds, multiply_adds, _size(output) if layer.use_bias else 0)


def _pooling(layer: Any, inputs: Shape, output: Shape) -> Cost:
    return Cost(connections=_size(output) * prod(layer.pool_size), pools=True)


def _global_pooling(layer: Any, inputs: Shape, output: Shape) -> Cost:
    return Cost(connections=_size(inputs), pools=True)


def _nothing(layer: Any, inputs: Shape, output: Shape) -> Cost:
    return Cost()


FREE = {
    *("InputLayer", "Permute", "RepeatVector"),
    *(kinds.NORMALIZATIONS | kinds.DROPOUTS | kinds.MERGES | kinds.POINTWISE | kinds.VIEWS),
    *(kinds.PADDINGS | kinds.UPSAMPLINGS),
}
Rule = Callable[[Any, Shape, Shape], Cost]
RULES: dict[str, Rule] = {
    "Dense": _dense,
    **dict.fromkeys(kinds.CONVOLUTIONS, _convolution),
    **dict.fromkeys(kinds.DEPTHWISE, _depthwise),
    **dict.fromkeys(kinds.SEPARABLE, _separable),
    **dict.fromkeys(kinds.TRANSPOSED, _transposed),
    **dict.fromkeys(kinds.POOLINGS, _pooling),
    **dict.fromkeys(kinds.GLOBAL_POOLINGS, _global_pooling),
    **dict.fromkeys(FREE, _nothing),
}
