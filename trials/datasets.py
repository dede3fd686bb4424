"""Named datasets and users' own, from the file to the arrays a trial trains on."""

import hashlib
import importlib.util
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trials import formats
from trials.environment import available_memory
from trials.errors import UserError, first_line, unknown
from trials.experiment import DATA_NAMES, Data

Arrays = tuple[np.ndarray, np.ndarray]


IMAGE_BYTES = 2**27
"Nearly three times what the largest file of an MNIST holds; more is no MNIST, and is not read."


@dataclass(frozen=True)
class Samples:
    """A dataset in memory: images or features `x`, labels 0 to classes-1 `y`.

    `fixed_test` counts the samples at the end of `x` and `y` that are the published test set.
    """

    x: np.ndarray
    y: np.ndarray
    fixed_test: int
    classes: int

    def checksum(self) -> str:
        """sha256 over the arrays' types, shapes and bytes."""
        digest = hashlib.sha256(str(self.fixed_test).encode())
        for array in (self.x, self.y):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Named:
    """What is known of a named dataset without reading it."""

    read: Callable[[Path | None], tuple[Arrays, Arrays | None]]
    shape: tuple[int, ...]
    classes: int
    train: int
    test: int
    about: str


def _bundled_csv(name: str, compressed: bool) -> np.ndarray:
    # scikit-learn's own loader costs over a second of imports; the file is the same.
    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise UserError("scikit-learn is not installed.\nInstall it with: pip install -r requirements.txt")
    path = Path(spec.origin).parent / "datasets" / "data" / name
    return np.loadtxt(path, delimiter=",", skiprows=0 if compressed else 1, dtype=np.float32)


def _read_iris(_: Path | None) -> tuple[Arrays, None]:
    table = _bundled_csv("iris.csv", compressed=False)
    return (table[:, :4], table[:, 4].astype(np.int32)), None


def _read_digits(_: Path | None) -> tuple[Arrays, None]:
    table = _bundled_csv("digits.csv.gz", compressed=True)
    return (table[:, :64].reshape(-1, 8, 8, 1), table[:, 64].astype(np.int32)), None


def _idx_reader(folder: str, keras_name: str) -> Callable[[Path | None], tuple[Arrays, Arrays | None]]:
    names = {
        "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
    }

    def read(directory: Path | None) -> tuple[Arrays, Arrays]:
        found = _find(directory, folder, [name for pair in names.values() for name in pair])
        if found is None:
            return _from_keras(
                keras_name, directory, folder, [f"{name}.gz" for pair in names.values() for name in pair]
            )
        train = _idx_pair(found[names["train"][0]], found[names["train"][1]], 60_000)
        return train, _idx_pair(found[names["test"][0]], found[names["test"][1]], 10_000)

    return read


def _idx_pair(images: Path, labels: Path, samples: int) -> Arrays:
    x, y = (formats.read_idx(path, IMAGE_BYTES) for path in (images, labels))
    if x.shape != (samples, 28, 28) or x.dtype != np.uint8:
        raise formats.damaged(images, f"it holds {x.shape} {x.dtype} instead of ({samples}, 28, 28) uint8")
    if y.shape != (samples,):
        raise formats.damaged(labels, f"it holds {y.shape} labels instead of ({samples},)")
    _check_labels(y, 10, labels)
    return x[..., np.newaxis], y.astype(np.int32)


def _check_labels(y: np.ndarray, classes: int, path: Path) -> None:
    if y.size and not 0 <= int(y.min()) <= int(y.max()) < classes:
        raise formats.damaged(path, f"its labels run from {y.min()} to {y.max()} instead of 0 to {classes - 1}")


def _find(directory: Path | None, folder: str, names: list[str]) -> dict[str, Path] | None:
    """The files of a dataset in DIR/folder or DIR, gzipped or plain; None if no DIR was given or none is there."""
    if directory is None:
        return None
    # The two MNISTs use the same file names: DIR itself counts only where a name says which it is.
    tells = directory.name == folder or "idx" not in names[0]
    for base in (directory / folder, *([directory] if tells else [])):
        found = {name: path for name in names for path in (base / name, base / f"{name}.gz") if path.is_file()}
        missing = [name for name in names if name not in found]
        if found and missing:
            raise UserError(
                f"{base} holds only a part of {folder}: {', '.join(missing)} missing.\n"
                "Put the missing files (plain or .gz) beside the others."
            )
        if found:
            return found
    return None


def _read_cifar10(directory: Path | None) -> tuple[Arrays, Arrays]:
    layouts = (
        (
            "cifar-10-batches-bin",
            [f"data_batch_{n}.bin" for n in range(1, 6)],
            "test_batch.bin",
            formats.read_cifar_binary,
        ),
        ("cifar-10-batches-py", [f"data_batch_{n}" for n in range(1, 6)], "test_batch", formats.read_cifar_python),
    )
    for folder, batches, test, reader in layouts:
        found = _find(directory, folder, [*batches, test])
        if found is not None:
            return _cifar_part(reader, [found[name] for name in batches]), _cifar_part(reader, [found[test]])
    folder, batches, test, _ = layouts[0]
    return _from_keras("cifar10", directory, folder, [*batches, test])


def _cifar_part(reader: Callable[[Path], Arrays], paths: list[Path]) -> Arrays:
    parts = [reader(path) for path in paths]
    for (_, labels), path in zip(parts, paths, strict=True):
        _check_labels(labels, 10, path)
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts]).astype(np.int32)


def _from_keras(name: str, directory: Path | None, folder: str, files: list[str]) -> tuple[Arrays, Arrays]:
    """From Keras's own cache, or downloaded by it."""
    from trials.environment import import_keras

    keras = import_keras()
    try:
        (x, y), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    except Exception as error:  # whatever the network or the cache does
        where = f"{directory}/{folder}" if directory else f"DIR/{folder} and pass --data-dir DIR"
        raise UserError(
            f"The data of '{name}' was not found{f' in {directory}' if directory else ''} "
            f"and could not be downloaded ({first_line(error)[:120]}).\n"
            f"Put {', '.join(files)} into {where} (or set TRIALS_DATA_DIR)."
        ) from error

    def shaped(images: np.ndarray, labels: np.ndarray) -> Arrays:
        return images.reshape(*images.shape[:3], -1), labels.reshape(-1).astype(np.int32)

    return shaped(x, y), shaped(x_test, y_test)


DATASETS: dict[str, Named] = {
    "iris": Named(
        _read_iris, (4,), 3, 150, 0, "150 flowers, 4 lengths in cm, 3 species (Fisher 1936), with scikit-learn"
    ),
    "digits": Named(
        _read_digits, (8, 8, 1), 10, 1797, 0, "1,797 handwritten digits, 8x8, 0 to 16 (UCI), with scikit-learn"
    ),
    "mnist": Named(
        _idx_reader("mnist", "mnist"),
        (28, 28, 1),
        10,
        60_000,
        10_000,
        "70,000 handwritten digits, 28x28, 0 to 255 (LeCun 1998)",
    ),
    "fashion_mnist": Named(
        _idx_reader("fashion-mnist", "fashion_mnist"),
        (28, 28, 1),
        10,
        60_000,
        10_000,
        "70,000 images of clothes, 28x28, 0 to 255 (Xiao 2017)",
    ),
    "cifar10": Named(
        _read_cifar10, (32, 32, 3), 10, 50_000, 10_000, "60,000 colour images, 32x32, 0 to 255 (Krizhevsky 2009)"
    ),
}


def data_directory(given: str | None) -> Path | None:
    """`--data-dir`, or TRIALS_DATA_DIR. Raises UserError if it is named but does not exist."""
    named = given or os.environ.get("TRIALS_DATA_DIR")
    if not named:
        return None
    if not Path(named).is_dir():
        raise UserError(
            f"The data folder '{named}' does not exist.\nGive an existing folder with --data-dir or TRIALS_DATA_DIR."
        )
    return Path(named)


def load(data: Data, directory: Path | None = None, base: Path | None = None) -> Samples:
    """Reads a declared dataset, resized and scaled as declared; labels become 0 to classes-1.

    A file's path is relative to `base`, the folder of the experiment's file.
    """
    train, test = _read(data, directory, base)
    _check_arrays(train, "The data")
    if test is not None:
        _check_arrays(test, "The test data")
        if train[0].shape[1:] != test[0].shape[1:]:
            raise UserError(
                f"Training and test samples differ in shape: {train[0].shape[1:]} and {test[0].shape[1:]}.\n"
                "Both parts must be alike."
            )
    pieces = [train] if test is None else [train, test]
    x = np.concatenate([part[0] for part in pieces])
    y, classes = _class_indices(np.concatenate([np.asarray(part[1]).reshape(-1) for part in pieces]))
    _check_test_part(data, test is not None)
    if data.labels == "binary" and classes != 2:
        raise UserError(f"Data.labels is 'binary', but the data has {classes} classes.\nUse 'index' or 'one_hot'.")
    prepared = _prepared(x, data)
    if not np.isfinite(prepared).all():
        raise UserError(
            "The data holds numbers that float32 cannot hold once they are scaled.\nDivide them: Data.scale."
        )
    return Samples(prepared, y, 0 if test is None else len(test[0]), classes)


def _check_test_part(data: Data, fixed: bool) -> None:
    if not fixed and data.test_fraction is None:
        raise UserError("This data has no test part of its own: declare Data.test_fraction.")
    if fixed and data.test_fraction is not None:
        raise UserError("This data has a test part of its own: Data.test_fraction has no use here.")


def _read(data: Data, directory: Path | None, base: Path | None) -> tuple[Arrays, Arrays | None]:
    if callable(data.source):
        return _called(data.source)
    if data.source in DATASETS:
        return DATASETS[data.source].read(directory)
    path = Path(data.source) if base is None else base / data.source
    if path.suffix.lower() not in (".csv", ".npz"):
        raise unknown("dataset", data.source, DATASETS)
    if not path.is_file():
        raise UserError(
            f"The data file {path} does not exist.\nA relative path starts at the experiment file's folder."
        )
    if path.suffix.lower() == ".csv":
        return formats.read_csv(path, data.label, data.features), None
    return _from_npz(path)


def _from_npz(path: Path) -> tuple[Arrays, Arrays | None]:
    there, pair, parts = formats.npz_names(path), ("x", "y"), ("x_train", "y_train", "x_test", "y_test")
    for names in (pair, parts):
        if set(names) <= set(there):
            x, y, *test = formats.read_npz(path, names, available_memory())
            return (x, y), ((test[0], test[1]) if test else None)
    listed = ", ".join(there[:20]) + (f" and {len(there) - 20} more" if len(there) > 20 else "")
    raise UserError(f"{path} holds {listed or 'nothing'}.\nAllowed: x and y, or x_train, y_train, x_test and y_test.")


def _called(function: Callable[[], Any]) -> tuple[Arrays, Arrays | None]:
    name = getattr(function, "__name__", repr(function))
    try:
        result = function()
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"The dataset function '{name}' failed: {first_line(error)}") from error
    try:
        first, second = result
        if isinstance(first, tuple):
            return (np.asarray(first[0]), np.asarray(first[1])), (np.asarray(second[0]), np.asarray(second[1]))
        return (np.asarray(first), np.asarray(second)), None
    except (TypeError, ValueError, IndexError) as error:
        raise UserError(
            f"The dataset function '{name}' must return (x, y) or ((x_train, y_train), (x_test, y_test)). "
            f"Received: {type(result).__name__}."
        ) from error


def _check_arrays(part: Arrays, what: str) -> None:
    x, y = part
    if x.ndim < 2 or x.dtype.kind not in "uifb":
        raise UserError(f"{what} must be numbers of shape (samples, ...). Received: {x.dtype} {x.shape}.")
    if len(x) != len(np.asarray(y).reshape(-1)):
        raise UserError(
            f"{what} has {len(x)} samples but {np.asarray(y).size} labels.\n"
            "One label a sample: a class index or name, not one-hot."
        )
    if len(x) == 0:
        raise UserError(f"{what} is empty: there is no sample in it.")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise UserError(
            f"{what} holds {int((~np.isfinite(x)).sum())} values that are NaN or infinite.\nReplace or remove them."
        )


def _class_indices(y: np.ndarray) -> tuple[np.ndarray, int]:
    try:
        values, indices = np.unique(y, return_inverse=True)
    except TypeError as error:
        raise UserError(
            "The labels mix kinds that cannot be told apart (text and numbers, or gaps).\n"
            "Give all of them as text, or as numbers."
        ) from error
    if len(values) < 2:
        raise UserError(f"The labels hold only one class: {values[0]}.\nAt least two are needed.")
    if y.dtype.kind == "f" and not np.array_equal(values, np.round(values)):
        raise UserError(
            f"The labels are not classes: they hold fractions, as {values[values != np.round(values)][0]}.\n"
            "This runner averages accuracies; regression is not supported."
        )
    return indices.astype(np.int32), len(values)


def _prepared(x: np.ndarray, data: Data) -> np.ndarray:
    if data.size is not None:
        x = resize(x, data.size)
    with np.errstate(over="ignore"):  # what float32 cannot hold is told by the caller
        scaled = x if data.scale is None else x / np.float32(data.scale)
        return scaled.astype(np.float32, order="C")  # or each split would copy all of it


def resize(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Images (n, h, w, channels) resized with Pillow's bilinear filter, as torchvision's Resize does.

    uint8 images are rounded to uint8 again, all others are resized as float32.
    """
    from PIL import Image

    if images.ndim != 4:
        raise UserError(
            f"Data.size resizes images of shape (samples, height, width, channels). Received: {images.shape}."
        )
    if images.shape[1:3] == size:
        return images
    planes = images if images.dtype == np.uint8 else images.astype(np.float32)
    planes = np.ascontiguousarray(planes.transpose(0, 3, 1, 2)).reshape(-1, *images.shape[1:3])
    resized = [np.asarray(Image.fromarray(plane).resize(size[::-1], Image.Resampling.BILINEAR)) for plane in planes]
    return np.stack(resized).reshape(len(images), -1, *size).transpose(0, 2, 3, 1)


def shape(data: Data, base: Path | None = None) -> tuple[tuple[int, ...], int]:
    """Shape of a prepared sample and number of classes; only data of the user's own is read."""
    if not isinstance(data.source, str) or data.source not in DATASETS:
        samples = load(data, None, base)
        return samples.x.shape[1:], samples.classes
    known = DATASETS[data.source]
    if data.size is None:
        return known.shape, known.classes
    return resize(np.zeros((1, *known.shape), np.uint8), data.size).shape[1:], known.classes


def extent(data: Data, directory: Path | None = None, base: Path | None = None) -> tuple[int, int]:
    """How many samples there are, and how many of them a published test set; named datasets are not read."""
    if isinstance(data.source, str) and data.source in DATASETS:
        known = DATASETS[data.source]
        _check_test_part(data, known.test > 0)
        return known.train + known.test, known.test
    samples = load(data, directory, base)
    return len(samples.y), samples.fixed_test


def known_extent(data: Data, base: Path | None = None) -> tuple[int, int] | None:
    """The same, None where data of the user's own cannot be read any more."""
    try:
        return extent(data, None, base)
    except UserError:
        return None


def declaration(data: Data) -> dict[str, Any]:
    """What is read and how it is encoded, as plain values: what all trials of a folder have in common."""
    plain = {**asdict(data), "source": data.source if isinstance(data.source, str) else f"{data.source.__name__}()"}
    return json.loads(json.dumps({name: value for name, value in plain.items() if name not in DATA_NAMES}))
