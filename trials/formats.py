"""Reads the files datasets come in: IDX, the CIFAR-10 batches, CSV and NPZ. Nothing is ever executed."""

import gzip
import pickle
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from trials.errors import UserError, first_line

IDX_TYPES: dict[int, np.dtype] = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
CIFAR_RECORD = 1 + 3 * 32 * 32
ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


def damaged(path: Path, what: str) -> UserError:
    return UserError(f"Damaged data file {path}: {what}.\nReplace the file with a sound copy.")


def _read_exactly(stream: Any, path: Path, size: int) -> bytes:
    try:
        content = stream.read(size + 1)  # never more than declared, whatever the file holds
    except (OSError, EOFError, zlib.error) as error:
        raise damaged(path, f"it cannot be decompressed ({error})") from error
    if len(content) != size:
        held = "more" if len(content) > size else f"only {len(content)}"
        raise damaged(path, f"its header announces {size} bytes of data, it holds {held}")
    return content


def read_idx(path: Path, limit: int = 2**31) -> np.ndarray:
    """An array from an IDX file, gzipped or plain (LeCun, the MNIST page).

    Raises UserError when the header is wrong or the content is shorter or longer than it says.
    """
    with open(path, "rb") as probe:
        compressed = probe.read(2) == b"\x1f\x8b"
    with gzip.open(path, "rb") if compressed else open(path, "rb") as stream:
        magic = _read_header(stream, path, 4)
        dtype = IDX_TYPES.get(magic[2])
        if magic[:2] != b"\0\0" or dtype is None:
            raise damaged(path, f"it does not start as an IDX file does (first bytes {magic.hex()})")
        shape = struct.unpack(f">{magic[3]}I", _read_header(stream, path, 4 * magic[3]))
        size = int(np.prod(shape, dtype=object)) * dtype.itemsize
        if size > limit:
            raise damaged(path, f"its header announces {size} bytes, more than the {limit} allowed")
        content = _read_exactly(stream, path, size)
    try:
        return np.frombuffer(content, dtype).reshape(shape)
    except ValueError as error:  # more axes than an array can have, or sizes beyond any memory
        raise damaged(path, f"its header announces the shape {shape[:4]}...") from error


def _read_header(stream: Any, path: Path, size: int) -> bytes:
    try:
        content = stream.read(size)
    except (OSError, EOFError, zlib.error) as error:
        raise damaged(path, f"it cannot be decompressed ({error})") from error
    if len(content) != size:
        raise damaged(path, "it ends within its header")
    return content


def read_cifar_binary(path: Path, records: int = 10_000) -> tuple[np.ndarray, np.ndarray]:
    """Images (records, 32, 32, 3) and labels of one file of CIFAR-10's binary version."""
    size = path.stat().st_size
    if size != records * CIFAR_RECORD:
        raise damaged(path, f"it has {size} bytes instead of {records * CIFAR_RECORD}")
    table = np.fromfile(path, np.uint8).reshape(records, CIFAR_RECORD)
    return _channels_last(table[:, 1:]), table[:, 0]


def read_cifar_python(path: Path, records: int = 10_000) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of one file of CIFAR-10's Python version, unpickled without running code."""
    try:
        with open(path, "rb") as stream:
            batch = _ArrayUnpickler(stream, path).load()
        pixels, labels = np.asarray(batch[b"data"]), np.asarray(batch[b"labels"])
    except UserError:
        raise
    except Exception as error:  # a pickle stream can fail in any way
        raise damaged(path, f"it is no CIFAR-10 batch ({type(error).__name__})") from error
    if (
        pixels.dtype != np.uint8
        or pixels.shape != (records, 3072)
        or labels.shape != (records,)
        or labels.dtype.kind not in "iu"
    ):
        raise damaged(
            path,
            f"it holds {pixels.shape} {pixels.dtype} pixels and {labels.shape} labels "
            f"instead of ({records}, 3072) uint8 and ({records},)",
        )
    return _channels_last(pixels), labels


def _channels_last(pixels: np.ndarray) -> np.ndarray:
    return pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


class _ArrayUnpickler(pickle.Unpickler):
    """Admits numpy arrays and plain types, nothing that could act."""

    def __init__(self, stream: Any, path: Path) -> None:
        super().__init__(stream, encoding="bytes")
        self.path = path

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ADMITTED:
            raise UserError(
                f"{self.path} asks for {module}.{name}, which is not an array or a plain type.\n"
                "It was not opened further."
            )
        return super().find_class(module, name)


def read_csv(path: Path, label: str | None, features: tuple[str, ...] | None) -> tuple[np.ndarray, np.ndarray]:
    """Features float32 (rows, columns) and the label column as it stands, from a CSV file with a header."""
    import pandas

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)  # rows longer than the header
            table = pandas.read_csv(path, index_col=False, keep_default_na=False, na_values=[""])
    except (ValueError, UnicodeError, OSError, OverflowError, pandas.errors.ParserWarning) as error:
        raise damaged(path, f"it cannot be read as CSV ({first_line(error)})") from error
    chosen = _feature_columns(path, [str(name) for name in table.columns], label, features)
    try:
        x = table[chosen].to_numpy(np.float32)
    except (ValueError, OverflowError) as error:
        raise UserError(f"{path}: the feature columns must hold numbers ({first_line(error)}).") from error
    incomplete = int(table[[label, *chosen]].isna().any(axis=1).sum())
    if incomplete:
        raise UserError(f"{path}: {incomplete} of {len(table)} rows have empty cells.\nFill or remove them.")
    return x, table[label].to_numpy()


def _feature_columns(path: Path, columns: list[str], label: str | None, features: tuple[str, ...] | None) -> list[str]:
    there = f"Columns: {', '.join(columns)}."
    if label is None:
        raise UserError(f"{path}: Data.label must name the label's column.\n{there}")
    chosen = [column for column in columns if column != label] if features is None else list(features)
    for name in (label, *chosen):
        if name not in columns:
            raise UserError(f"{path} has no column '{name}'.\n{there}")
    if label in chosen:
        raise UserError(f"{path}: the label '{label}' cannot be a feature as well.\n{there}")
    if not chosen:
        raise UserError(f"{path} has no feature columns beside the label '{label}'.")
    return chosen


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an NPZ file; object arrays (pickles) are refused."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except Exception as error:  # zip, header and dtype errors have many types
        raise damaged(path, f"it cannot be read as NPZ ({type(error).__name__}: {error})") from error
