"""How much of its input a stack of filters sees, along one spatial axis."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from analysis.convolution import lay_out_axis


class Filter(NamedTuple):
    """One convolution or pooling along one axis."""

    size: int
    stride: int = 1
    dilation: int = 1


def receptive_field(filters: Iterable[Filter]) -> int:
    """The distance from the first to the last input that one output depends on, both included.

    Source: S002, problem 3.3, whose algebra has the signs of F - 1 and of N wrong and which gives no
    number: N layers of F x F with stride 1 see N F - N + 1, three of 5 x 5 see 13. In general 1 + sum of
    (size - 1) * dilation * product of the strides below. Output p starts at input p * `jump`, padding
    not counted. No filter at all sees 1. Raises ValueError for a size, stride or dilation below 1.
    """
    field, step = 1, 1
    for one in _checked(filters):
        field += (one.size - 1) * one.dilation * step
        step *= one.stride
    return field


def jump(filters: Iterable[Filter]) -> int:
    """How many inputs lie between the starts of two neighbouring outputs: the product of the strides.

    Raises ValueError as `receptive_field`.
    """
    return math.prod(one.stride for one in _checked(filters))


def output_size(size: int, filters: Iterable[Filter], *, padding: str = "valid") -> int:
    """How many outputs a stack has for an input of `size`, with the same padding ('valid' or 'same') in all layers.

    Source: S002, problem 3.3: S - N F + N for N filters of F on an input of S, which is what one filter
    of their receptive field leaves. Raises ValueError where a filter does not fit, and as
    `receptive_field`.
    """
    for one in _checked(filters):
        size = lay_out_axis(size, one.size, one.stride, padding, one.dilation).outputs
    return size


def _checked(filters: Iterable[Filter]) -> list[Filter]:
    found = list(filters)
    for one in found:
        if min(one) < 1:
            raise ValueError(f"Size, stride and dilation of a filter must be at least 1. Received: {one}")
    return found
