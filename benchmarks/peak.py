"""How much arithmetic this machine does at best, and how much of it a training needs.

The limit is the rate of single-precision matrix products in TensorFlow, one thread a core, all cores at the same
time: the best of several sizes. A training step is counted as three times the forward pass: the product itself,
and one for the gradient of each of its two factors. Pooling, normalisation and the optimizer count nothing.
"""

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from analysis import describe
from benchmarks.work import Work
from trials import datasets, environment, outline

SIZES = (256, 512, 1024, 2048)
SECONDS = 1.0
PASSES = 3
"Products of a training step for one of the forward pass."

_together: Any = None


def products() -> dict[int, float]:
    """Floating-point operations a second of square matrix products, by size: the sum over all cores."""
    spawn, cores = multiprocessing.get_context("spawn"), environment.cores()
    with ProcessPoolExecutor(cores, spawn, initializer=_hold, initargs=(spawn.Barrier(cores),)) as pool:
        rates = list(pool.map(_rates, range(cores)))
    return {size: sum(rate[size] for rate in rates) for size in SIZES}


def _hold(barrier: Any) -> None:
    global _together  # noqa: PLW0603  (a barrier reaches a process only as it starts)
    _together = barrier


def _rates(core: int) -> dict[int, float]:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[core]})
    environment.prepare_process("cpu")
    import tensorflow as tf

    found = {}
    for size in SIZES:
        a, b = tf.random.normal((size, size)), tf.random.normal((size, size))
        tf.matmul(a, b)
        _together.wait()
        count, started = 0, time.perf_counter()
        while (passed := time.perf_counter() - started) < SECONDS:
            tf.matmul(a, b)
            count += 1
        found[size] = 2 * size**3 * count / passed
    return found


def operations(work: Work) -> int:
    """Floating-point operations that one training sample needs, of a work with one configuration."""
    (configuration,) = work.trained(1, 1).configurations()
    shape, classes = datasets.shape(configuration.data)
    call = outline.plan(
        configuration.variant.builder, options=configuration.options, input_shape=shape, classes=classes
    )
    return 2 * PASSES * describe.totals(describe.rows(outline.model(call))).multiply_adds
