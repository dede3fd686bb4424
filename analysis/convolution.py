"""A convolution as one matrix, and its backward pass as that matrix's transpose and as another convolution.

Keras's conventions: cross-correlation, channels last, no bias. One example at a time: inputs of shape
(*space, in channels), kernels (*taps, in channels, out channels), outputs (*space, out channels), for
one spatial axis, two, or more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

PerAxis = int | Sequence[int]
Padding = str | Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Axis:
    """How a convolution runs along one spatial axis; `before` and `after` count the padded zeros."""

    size: int
    taps: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1

    @property
    def span(self) -> int:
        """The distance from the first tap to the last, both included."""
        return (self.taps - 1) * self.dilation + 1

    @property
    def outputs(self) -> int:
        """How many positions the kernel takes."""
        return (self.before + self.size + self.after - self.span) // self.stride + 1


def lay_out_axis(
    size: int, taps: int, stride: int = 1, padding: str | tuple[int, int] = "valid", dilation: int = 1
) -> Axis:
    """One axis of a convolution, with its padding counted.

    Source: TensorFlow's documentation of padding: 'same' gives ceil(size / stride) outputs and puts
    the odd zero after, where PyTorch's padding=1 puts it before. `padding` is 'valid', 'same' or the
    zeros (before, after). Raises ValueError for values below 1, another padding, or a kernel that does
    not fit.
    """
    if min(size, taps, stride, dilation) < 1:
        raise ValueError(
            "Size, taps, stride and dilation must be at least 1. "
            f"Received: size={size}, taps={taps}, stride={stride}, dilation={dilation}"
        )
    before, after = _zeros(padding, size, (taps - 1) * dilation + 1, stride)
    axis = Axis(size, taps, stride, before, after, dilation)
    if axis.outputs < 1:
        raise ValueError(f"The kernel spans {axis.span} and must fit into size + padding. Received: {axis}")
    return axis


def _zeros(padding: str | tuple[int, int], size: int, span: int, stride: int) -> tuple[int, int]:
    if isinstance(padding, str) and padding == "valid":
        return 0, 0
    if isinstance(padding, str) and padding == "same":
        total = max((-(-size // stride) - 1) * stride + span - size, 0)
        return total // 2, total - total // 2
    if isinstance(padding, str) or np.shape(padding) != (2,) or min(padding) < 0:
        raise ValueError(f"padding must be 'valid', 'same' or (before, after), not negative. Received: {padding!r}")
    before, after = padding
    return before, after


def convolution_matrix(
    kernel: np.ndarray,
    input_shape: tuple[int, ...],
    *,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation: PerAxis = 1,
    channels_first: bool = False,
) -> np.ndarray:
    """The matrix A with A @ x.ravel() == convolution(x).ravel().

    Source: S001, question 3(a). Its vectors list one channel after the other: `channels_first` orders
    rows and columns so. Without it they are Keras's, one position after the other. The kernel, (*taps,
    in, out), may hold anything: the matrix has its dtype, so that an array of names gives the symbolic
    layout. `input_shape` is (*space, in); `padding` 'valid', 'same' or a pair (before, after) for each
    axis. Returns (outputs, inputs). Raises ValueError for shapes that do not fit and as `lay_out_axis`.
    """
    axes = _axes(kernel, input_shape, strides, padding, dilation)
    positions = tuple(axis.outputs for axis in axes)
    taps, filters = kernel.shape[:-2], kernel.shape[-1]
    matrix: np.ndarray = np.zeros((*positions, filters, *input_shape), kernel.dtype)
    for position in np.ndindex(positions):
        for tap in np.ndindex(taps):
            seen = tuple(
                p * axis.stride + t * axis.dilation - axis.before
                for p, t, axis in zip(position, tap, axes, strict=True)
            )
            if all(0 <= index < axis.size for index, axis in zip(seen, axes, strict=True)):  # else a padded zero
                matrix[(*position, slice(None), *seen)] = kernel[tap].T
    if channels_first:
        matrix = np.moveaxis(matrix, (len(axes), -1), (0, len(axes) + 1))
    return matrix.reshape(np.prod(positions) * filters, -1)


def convolve(
    inputs: np.ndarray,
    kernel: np.ndarray,
    *,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation: PerAxis = 1,
) -> np.ndarray:
    """The convolution itself, as a sliding window and without the matrix.

    Source: Keras's Conv1D and Conv2D, without bias and activation. Takes (*space, in) and (*taps, in,
    out), the other arguments as `convolution_matrix`; returns (*space, out). Raises ValueError as
    `convolution_matrix`.
    """
    axes = _axes(kernel, inputs.shape, strides, padding, dilation)
    rank = len(axes)
    padded = np.pad(inputs, [*((axis.before, axis.after) for axis in axes), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, tuple(axis.span for axis in axes), axis=tuple(range(rank))
    )  # (*positions, in, *span)
    steps = (slice(None, None, axis.stride) for axis in axes)
    windows = windows[(*steps, slice(None), *(slice(None, None, axis.dilation) for axis in axes))]
    spatial = tuple(range(rank))
    return np.tensordot(windows, kernel, axes=((rank, *(rank + 1 + i for i in spatial)), (rank, *spatial)))


def input_gradient(
    output_gradient: np.ndarray,
    kernel: np.ndarray,
    input_shape: tuple[int, ...],
    *,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation: PerAxis = 1,
) -> np.ndarray:
    """The gradient for the inputs as the transposed matrix: A.T @ output gradient.

    Source: S001, question 3(b). Takes (*space, out) and the arguments of `convolution_matrix`; returns
    `input_shape`. Raises ValueError as `convolution_matrix`, or for a gradient of another shape.
    """
    axes = _axes(kernel, input_shape, strides, padding, dilation)
    _check_output_gradient(output_gradient, axes, kernel)
    matrix = convolution_matrix(kernel, input_shape, strides=strides, padding=padding, dilation=dilation)
    return (matrix.T @ output_gradient.ravel()).reshape(input_shape)


def input_gradient_by_convolution(
    output_gradient: np.ndarray,
    kernel: np.ndarray,
    input_shape: tuple[int, ...],
    *,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation: PerAxis = 1,
) -> np.ndarray:
    """The same gradient as a convolution of stride 1 with the flipped kernel (`flipped`).

    Source: S001, question 3(c), whose kernels for the second input channel are not flipped: an error.
    The output gradient gets stride - 1 zeros between its entries and a kernel's span less 1 around
    them ("full" padding: 2 for 3 taps); what then falls on the padding of the forward pass is cut off.
    Arguments, shapes and errors as `input_gradient`.
    """
    axes = _axes(kernel, input_shape, strides, padding, dilation)
    _check_output_gradient(output_gradient, axes, kernel)
    full = [(axis.span - 1, axis.span - 1 + _unseen(axis)) for axis in axes]
    gradient = convolve(_spread(output_gradient, axes), flipped(kernel), padding=full, dilation=dilation)
    return gradient[tuple(slice(axis.before, axis.before + axis.size) for axis in axes)]


def flipped(kernel: np.ndarray) -> np.ndarray:
    """The kernel of the backward pass: taps reversed, in and out channels swapped.

    Source: S001, question 3(c). Takes (*taps, in, out) of any dtype; returns (*taps, out, in).
    """
    return np.flip(kernel, tuple(range(kernel.ndim - 2))).swapaxes(-1, -2)


def _unseen(axis: Axis) -> int:
    """Padded inputs behind the last position of the kernel, which a stride above 1 can leave."""
    return axis.before + axis.size + axis.after - axis.span - (axis.outputs - 1) * axis.stride


def _spread(gradient: np.ndarray, axes: list[Axis]) -> np.ndarray:
    spread = np.zeros((*((axis.outputs - 1) * axis.stride + 1 for axis in axes), gradient.shape[-1]), gradient.dtype)
    spread[tuple(slice(None, None, axis.stride) for axis in axes)] = gradient
    return spread


def _axes(
    kernel: np.ndarray, input_shape: tuple[int, ...], strides: PerAxis, padding: Padding, dilation: PerAxis
) -> list[Axis]:
    rank = kernel.ndim - 2
    if rank < 1 or len(input_shape) != rank + 1 or input_shape[-1] != kernel.shape[-2]:
        raise ValueError(
            "The kernel must be (*taps, in, out) and the input (*space, in), with as many axes of taps as of space. "
            f"Received: kernel {kernel.shape}, input {tuple(input_shape)}"
        )
    paddings: Any = [padding] * rank if isinstance(padding, str) else padding
    each = (
        input_shape[:-1],
        kernel.shape[:-2],
        _per_axis("strides", strides, rank),
        _per_axis("padding", paddings, rank),
        _per_axis("dilation", dilation, rank),
    )
    return [lay_out_axis(*axis) for axis in zip(*each, strict=True)]


def _per_axis(name: str, values: Any, rank: int) -> list[Any]:
    found = [values] * rank if isinstance(values, int) else list(values)
    if len(found) != rank:
        raise ValueError(f"{name} must have one entry for each of {rank} spatial axes. Received: {values}")
    return found


def _check_output_gradient(gradient: np.ndarray, axes: list[Axis], kernel: np.ndarray) -> None:
    expected = (*(axis.outputs for axis in axes), kernel.shape[-1])
    if gradient.shape != expected:
        raise ValueError(f"The output gradient must have the outputs' shape {expected}. Received: {gradient.shape}")
