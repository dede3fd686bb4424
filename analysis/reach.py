"""How much of the input a unit of each layer sees, and how far apart neighbours look: from the model's own graph.

A receptive field here is that of a unit in the middle, padding included, and so may exceed the image; where
branches meet it is their union. After upsampling units differ, and the figure is an upper bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from analysis import kinds

Shape = tuple[int | None, ...]
ALL = "all"
"The reach of a unit that sees the whole input."


@dataclass(frozen=True)
class Axis:
    """Along one axis unit i sees the input from i * jump + start to i * jump + end."""

    start: Fraction = Fraction(0)
    end: Fraction = Fraction(0)
    jump: Fraction = Fraction(1)
    bound: bool = False
    "Whether this is an upper bound."

    @property
    def size(self) -> int:
        return int(self.end - self.start) + 1

    def seen_through(self, size: int, stride: int, before: int) -> "Axis":
        """From above a window of `size` (dilation included), moved by `stride`, with `before` values of padding."""
        end = self.end + (size - 1 - before) * self.jump
        return Axis(self.start - before * self.jump, end, self.jump * stride, self.bound)

    def spread_by(self, size: int, stride: int, before: int) -> "Axis":
        """From above a transposed convolution: the inverse of a window."""
        start = self.start + Fraction(before - size + 1, stride) * self.jump
        return Axis(start, self.end + Fraction(before, stride) * self.jump, self.jump / stride, True)


Reach = tuple[Axis, ...] | str | None
"An axis for each spatial one of the input, ALL, or None where it is not known."


def of_input(shape: Shape) -> Reach:
    """The reach of the input itself, (length, ..., channels); features have no axes to see along."""
    return (Axis(),) * (len(shape) - 1)


def joined(reaches: Sequence[Reach]) -> Reach:
    """The union of what branches see."""
    found = [reach for reach in reaches if not isinstance(reach, str)]
    if None in found:
        return None
    if len(found) < len(reaches):
        return ALL
    axes = list(zip(*(reach for reach in found if reach is not None), strict=False))
    if len({len(reach or ()) for reach in found}) > 1 or any(len({a.jump for a in pair}) > 1 for pair in axes):
        return None
    return tuple(
        Axis(min(a.start for a in pair), max(a.end for a in pair), pair[0].jump, any(a.bound for a in pair))
        for pair in axes
    )


def above(layer: Any, reaches: Sequence[Reach], inputs: Sequence[Shape], output: Shape) -> Reach:
    """The reach of a layer's outputs, from those of its inputs."""
    reach, name = joined(reaches), kinds.kind(layer)
    if name is None:
        return _declared(layer, reach, inputs[0], output) if hasattr(layer, "cost") else None
    return reach if reach is None or isinstance(reach, str) else _above(layer, name, reach, inputs, output)


def _above(layer: Any, name: str, reach: tuple[Axis, ...], inputs: Sequence[Shape], output: Shape) -> Reach:
    if name in kinds.GLOBAL_POOLINGS or name in ("Flatten", "GroupNormalization") or (name, reach) == ("Dense", ()):
        return ALL
    if name in kinds.PADDINGS:
        return _shifted(layer, reach)
    if name in kinds.TRANSPOSED | kinds.UPSAMPLINGS:
        return _spread(layer, reach)
    if name in kinds.CONVOLUTIONS | kinds.DEPTHWISE | kinds.SEPARABLE | kinds.POOLINGS:
        return _windowed(layer, reach, inputs[0], output)
    return reach if _keeps_places(layer, name, inputs, output) else None


def _windowed(layer: Any, reach: tuple[Axis, ...], shape: Shape, output: Shape) -> Reach:
    """Above a convolution or a pooling."""
    lengths = getattr(layer, "kernel_size", None) or layer.pool_size
    dilation = _each(getattr(layer, "dilation_rate", 1), reach)
    size = tuple((k - 1) * d + 1 for k, d in zip(_each(lengths, reach), dilation, strict=True))
    places = slice(1, None) if layer.data_format == "channels_first" else slice(-1)
    return _through(reach, size, layer.strides, layer.padding, shape[places], output[places])


def _declared(layer: Any, reach: Reach, shape: Shape, output: Shape) -> Reach:
    """As the layer's own `cost` says."""
    window = layer.cost(shape, output).get("window")
    if window is None or reach is None or ALL in (window, reach):
        return None if window is None or reach is None else ALL
    size, strides, padding = window
    return _through(reach, size, strides, padding, shape[:-1], output[:-1])


def _through(
    reach: Any, size: Any, strides: Any, padding: str, lengths: Sequence[Any], outputs: Sequence[Any]
) -> Reach:
    found = []
    for axis, k, s, length, places in zip(
        reach, _each(size, reach), _each(strides, reach), lengths, outputs, strict=True
    ):
        if padding == "same" and s > 1 and (length is None or places is None):
            return None  # TensorFlow pads by what is missing at the end
        missing = k - 1 if s == 1 else max((places - 1) * s + k - length, 0)
        before = {"valid": 0, "same": missing // 2, "causal": k - 1}[padding]
        found.append(axis.seen_through(k, s, before))
    return tuple(found)


def _spread(layer: Any, reach: tuple[Axis, ...]) -> Reach:
    if hasattr(layer, "kernel_size"):
        stride: Sequence[int] = _each(layer.strides, reach)
        size: Sequence[int] = [
            (k - 1) * d + 1 for k, d in zip(layer.kernel_size, _each(layer.dilation_rate, reach), strict=True)
        ]
    elif getattr(layer, "interpolation", "nearest") == "nearest":
        size = stride = _each(layer.size, reach)
    else:
        return None
    same = getattr(layer, "padding", "valid") == "same"
    befores = [max(k - s, 0) // 2 if same else 0 for k, s in zip(size, stride, strict=True)]
    return tuple(a.spread_by(k, s, before) for a, k, s, before in zip(reach, size, stride, befores, strict=True))


def _shifted(layer: Any, reach: tuple[Axis, ...]) -> Reach:
    given, sign = (layer.padding, 1) if hasattr(layer, "padding") else (layer.cropping, -1)
    pairs = (given,) if len(reach) == 1 else given
    return tuple(axis.seen_through(1, 1, sign * before) for axis, (before, _) in zip(reach, pairs, strict=True))


def _keeps_places(layer: Any, name: str, inputs: Sequence[Shape], output: Shape) -> bool:
    """Whether unit i of the output is made of unit i of each input."""
    last = len(output)
    if name == "Concatenate":
        return layer.axis in (-1, last)
    if name in ("LayerNormalization", "UnitNormalization"):
        return layer.axis in (-1, last, [-1], [last])
    if name in kinds.VIEWS:
        return output == inputs[0]
    places = kinds.POINTWISE | kinds.MERGES | kinds.DROPOUTS | {"BatchNormalization", "RMSNormalization", "Dense"}
    return name in places


def _each(value: Any, reach: tuple[Axis, ...]) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * len(reach)
