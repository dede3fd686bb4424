"""The arrays of a trial: training, validation and test part, normalised and encoded as declared."""

import gc
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from trials.datasets import Arrays, Samples
from trials.errors import UserError, first_line
from trials.experiment import Data
from trials.loading import absent, collecting_nothing
from trials.seeds import Stream, integer

ALIGNMENT = 64
"Bytes: those of a cache line, and of the widest vector."
Parts = Mapping[str, Arrays]
LaneParts = Mapping[str, tuple[np.ndarray, ...]]
"What lanes take: parts as `split` makes them, which all of them share or each has its own, or its own of `drawn`."


def counts(data: Data, samples: int, fixed_test: int) -> dict[str, int]:
    """How many samples each split gets; a fraction's test part is rounded up, as scikit-learn does."""
    test = fixed_test or int(np.ceil(samples * (data.test_fraction or 0)))
    rest = samples - test
    validation = int(np.ceil(rest * (data.validation_fraction or 0)))
    return {"train": rest - validation, "validation": validation, "test": test}


def split(samples: Samples, data: Data, seed: int) -> dict[str, Arrays]:
    """The arrays of a trial: train, validation and test, inputs float32, labels encoded as declared.

    The split is scikit-learn's `train_test_split(random_state=split_seed)`, test first, then
    validation from the rest; where splits are resampled the state comes from the trial's seed.
    """
    rows = _rows(samples, data, seed)
    parts = {name: (_taken(samples.x, chosen), samples.y[chosen]) for name, chosen in rows.items()}
    if data.mean is not None and data.std is not None:
        scale = _scale(parts["train"][0], data)
        parts = {name: (_scaled(x, *scale, x), y) for name, (x, y) in parts.items()}
    return _encoded(parts, data, samples.classes)


def _taken(x: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """These samples, laid where vector units can load them: then TensorFlow takes them without a copy."""
    size = x[:1].nbytes * len(chosen)
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    found = memory[start : start + size].view(x.dtype).reshape(len(chosen), *x.shape[1:])
    return np.take(x, chosen, axis=0, out=found, mode="clip")  # the default mode would go through a copy


def drawn(samples: Samples, data: Data, seed: int) -> dict[str, tuple[np.ndarray, ...]]:
    """The same arrays without a copy of the samples, which many trials at the same time have no memory for.

    Of each part: all samples, its encoded labels, its places among all samples, int32, and what is to be
    subtracted from them and to divide them, float32.
    """
    rows = {name: chosen.astype(np.int32) for name, chosen in _rows(samples, data, seed).items()}
    scale = np.zeros((), np.float32), np.ones((), np.float32)
    if data.mean is not None and data.std is not None:
        scale = _scale(samples.x[rows["train"]], data)
        _scaled(samples.x, *scale)  # raises where float32 cannot hold one of them
    labelled = _encoded({name: (chosen, samples.y[chosen]) for name, chosen in rows.items()}, data, samples.classes)
    return {name: (samples.x, y, chosen, *scale) for name, (chosen, y) in labelled.items()}


def _rows(samples: Samples, data: Data, seed: int) -> dict[str, np.ndarray]:
    """The places of each part's samples; of a part that is empty, nothing."""
    state = integer(seed, Stream.SPLIT) if data.split_seed is None else data.split_seed
    sizes = counts(data, len(samples.y), samples.fixed_test)
    rest = np.arange(len(samples.y) - samples.fixed_test)
    test = np.arange(len(rest), len(samples.y))
    if not samples.fixed_test:
        rest, test = _divide(rest, samples.y, sizes["test"], state, data.stratified)
    validation = rest[:0]
    if sizes["validation"]:
        rest, validation = _divide(rest, samples.y, sizes["validation"], state, data.stratified)
    found = {"train": rest, "validation": validation, "test": test}
    return {name: chosen for name, chosen in found.items() if len(chosen)}


def _divide(
    indices: np.ndarray, y: np.ndarray, held_out: int, state: int, stratified: bool
) -> tuple[np.ndarray, np.ndarray]:
    if held_out >= len(indices):
        raise UserError(
            f"A split of {held_out} from {len(indices)} samples leaves none to train on.\n"
            "Lower Data.test_fraction or Data.validation_fraction."
        )
    if stratified:
        divided = _train_test_split()
        try:
            kept, out = divided(indices, test_size=held_out, random_state=state, stratify=y[indices])
        except ValueError as error:
            raise UserError(
                f"The data cannot be split evenly over its classes: {first_line(error)}\n"
                "Give more samples of the rare classes, or declare stratified=False."
            ) from error
        return kept, out
    order = np.random.RandomState(state).permutation(len(indices))  # as scikit-learn's ShuffleSplit
    return indices[order[held_out:]], indices[order[:held_out]]


@cache
def _train_test_split() -> Callable[..., Any]:
    """scikit-learn's; most of its import is what a split has no use for."""
    gc.collect()  # what is garbage now would stay
    with collecting_nothing(), absent("pandas"):
        from sklearn.model_selection import train_test_split
    return train_test_split


def _scale(x: np.ndarray, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the standard deviation that are declared, or those of these training samples."""
    axes = tuple(range(x.ndim - 1))
    # Summed in float64: over a data set of images float32 loses most of its digits.
    mean = x.mean(axes, np.float64) if data.mean == "train" else np.asarray(data.mean, np.float64)
    std = x.std(axes, np.float64) if data.std == "train" else np.asarray(data.std, np.float64)
    for name, value in (("mean", mean), ("std", std)):
        if value.shape not in ((), x.shape[-1:]):
            raise UserError(
                f"Data.{name} has {value.size} values, the data {x.shape[-1]} channels or features.\n"
                "Give one number, or as many."
            )
    if data.std == "train":  # a constant feature carries nothing, whatever it is divided by
        std = np.where(x.min(axes) == x.max(axes), 1.0, std)
    return mean.astype(np.float32), std.astype(np.float32)


def _scaled(x: np.ndarray, mean: np.ndarray, std: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # told below
        centred = np.subtract(x, mean, out=out)
        scaled = np.divide(centred, std, out=centred)
    if not np.isfinite(scaled).all():
        raise UserError(
            "The data holds numbers that float32 cannot hold once Data.mean is subtracted and Data.std divides.\n"
            "Set Data.scale, or other values of Data.mean and Data.std."
        )
    return scaled


def check_classes(y: np.ndarray, classes: int, label: str) -> None:
    """Raises UserError where training labels, encoded in any way, lack a class: it would be tested but never learnt."""
    there = len(np.unique(y, axis=0))
    if there < classes:
        raise UserError(
            f"The training part holds samples of only {there} of the data's {classes} classes ({label}).\n"
            "Set Data.stratified or another Data.split_seed, or leave out the classes that are too rare."
        )


def _encoded(parts: dict[str, Arrays], data: Data, classes: int) -> dict[str, Arrays]:
    if data.labels == "one_hot":
        return {name: (x, np.eye(classes, dtype=np.float32)[y]) for name, (x, y) in parts.items()}
    if data.labels == "binary":
        return {name: (x, y.astype(np.float32)[:, np.newaxis]) for name, (x, y) in parts.items()}
    return parts
