"""The randomness of a trial: one recorded seed, four independent streams."""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a stream of a trial's seed decides. The numbers are part of every published result."""

    SPLIT = 0
    WEIGHTS = 1
    ORDER = 2
    DROPOUT = 3


def sequence(seed: int, stream: Stream, *key: int) -> np.random.SeedSequence:
    """The seed sequence of one stream of a trial; `key` (an epoch, say) selects a part of it."""
    return np.random.SeedSequence(seed, spawn_key=(int(stream), *key))


def integer(seed: int, stream: Stream) -> int:
    """One 32-bit integer of a stream, for libraries that take a plain seed."""
    return int(sequence(seed, stream).generate_state(1)[0])


def batch_order(seed: int, epoch: int, samples: int, shuffle: bool = True) -> np.ndarray:
    """The order in which an epoch visits the training samples.

    Returns int32 indices of shape (samples,); `epoch` counts from 1. Without `shuffle`
    the order is that of the data.
    """
    if not shuffle:
        return np.arange(samples, dtype=np.int32)
    generator = np.random.default_rng(sequence(seed, Stream.ORDER, epoch))
    return generator.permutation(np.arange(samples, dtype=np.int32))


def dropout_states(seed: int, count: int) -> np.ndarray:
    """Initial states of a model's `count` seed generators: uint32 of shape (count, 2)."""
    return sequence(seed, Stream.DROPOUT).generate_state(2 * count).reshape(count, 2)
