"""What a convolution and a pooling take over lanes, in the forms of `trials/engines/stacked.py` and as they are.

    python -m benchmarks.stacked [--lanes N] [--repetitions N]

LeNet-5's two convolutions and its first pooling at batch 32, forward and back, one thread, medians of turns.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from tabulate import tabulate

from trials import backend, environment

SHAPES = {"first convolution": ((28, 28, 1), (5, 5, 1, 6)), "second convolution": ((14, 14, 6), (5, 5, 6, 16))}
BATCH = 32


def convolutions(x: tuple[int, ...], kernel: tuple[int, ...]) -> dict[str, Callable[..., Any]]:
    """One seed's convolution, as a function of images and kernel."""
    from jax import lax

    from trials.engines.stacked import _as_bands, _as_patches

    windows = x[0] - kernel[0] + 1, x[1] - kernel[1] + 1
    names = ("NHWC", "HWIO", "NHWC")
    return {
        "grouped": lambda x, k: lax.conv_general_dilated(x, k, (1, 1), "VALID", dimension_numbers=names),
        "patches": lambda x, k: _as_patches(x, k, (1, 1), windows),
        "bands": lambda x, k: _as_bands(x, k, (1, 1), windows),
    }


def poolings() -> dict[str, Callable[..., Any]]:
    import jax
    from jax import lax

    from trials.engines.stacked import _largest

    window = (1, 2, 2, 1)
    return {
        "as it is": lambda x: lax.reduce_window(x, -jax.numpy.inf, lax.max, window, window, "VALID"),
        "form": lambda x: _largest(x, 2, 2),
    }


def milliseconds(
    forms: dict[str, Callable[..., Any]], shapes: list[tuple[int, ...]], repetitions: int
) -> dict[str, float]:
    """Of outputs and gradients over all lanes, by form, which take turns."""
    import jax

    numbers = np.random.default_rng(0)
    given = [jax.numpy.asarray(numbers.normal(size=shape).astype("float32")) for shape in shapes]
    places = tuple(range(len(shapes)))
    programs = {
        name: jax.jit(jax.vmap(jax.value_and_grad(lambda *a, form=form: jax.numpy.tanh(form(*a)).sum(), places)))
        for name, form in forms.items()
    }
    taken: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(repetitions + 1):
        for name, program in programs.items():
            started = time.perf_counter()
            jax.block_until_ready(program(*given))
            taken[name].append(1e3 * (time.perf_counter() - started))
    return {name: statistics.median(each[1:]) for name, each in taken.items()}  # the first one compiles


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stacked", allow_abbrev=False)
    parser.add_argument("--lanes", type=int, default=4)
    parser.add_argument("--repetitions", type=int, default=9)
    asked = parser.parse_args()
    backend.use("jax")
    environment.prepare_process("cpu")
    rows = []
    for name, (x, kernel) in SHAPES.items():
        shapes = [(asked.lanes, BATCH, *x), (asked.lanes, *kernel)]
        rows += [[name, *pair] for pair in milliseconds(convolutions(x, kernel), shapes, asked.repetitions).items()]
    pooled = milliseconds(poolings(), [(asked.lanes, BATCH, 28, 28, 6)], asked.repetitions)
    rows += [["first pooling", *pair] for pair in pooled.items()]
    print(tabulate(rows, ["", "form", f"ms, {asked.lanes} lanes"], floatfmt=".2f"))


if __name__ == "__main__":
    main()
