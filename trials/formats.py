"""Reads the files datasets come in: IDX, the CIFAR-10 batches, CSV and NPZ. Nothing is ever executed."""

import gzip
import io
import pickle
import struct
import warnings
import zipfile
import zlib
from collections.abc import Sequence
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
CIFAR_BATCH_BYTES = 2**26
"Twice what a batch of CIFAR-10's Python version has."
NPY_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
CHUNK = 2**20
CSV_COLUMNS = 100_000
"pandas takes 0.1 ms and 3 KB a column, which is 10 s and 0.3 GB for so many."


def damaged(path: Path, what: str) -> UserError:
    return UserError(f"Damaged data file {path}: {what}.\nReplace the file with a sound copy.")


def _read_exactly(stream: Any, path: Path, size: int) -> bytearray:
    """So many bytes and no more; a file that holds fewer takes no more memory than it has."""
    content = bytearray()
    try:
        while part := stream.read(min(CHUNK, size + 1 - len(content))):
            content += part
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
        raise damaged(path, f"its header announces an array of {len(shape)} axes, {shape[:4]} and so on") from error


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
    if path.stat().st_size > CIFAR_BATCH_BYTES:
        raise damaged(path, f"it has {path.stat().st_size} bytes, more than the {CIFAR_BATCH_BYTES} allowed")
    try:
        batch = _ArrayUnpickler(path).load()
        pixels, labels = batch[b"data"].pixels, batch[b"labels"]
        numbers = np.asarray(labels) if all(type(label) is int for label in labels) else np.empty(0)
    except UserError:
        raise
    except Exception as error:  # a pickle stream can fail in any way
        raise damaged(path, f"it is no CIFAR-10 batch ({type(error).__name__})") from error
    if pixels.shape != (records, 3072) or numbers.shape != (records,) or numbers.dtype.kind != "i":
        raise damaged(
            path,
            f"it holds {pixels.shape} pixels and {len(labels)} labels "
            f"instead of ({records}, 3072) and {records} whole numbers",
        )
    return _channels_last(pixels), numbers


def _channels_last(pixels: np.ndarray) -> np.ndarray:
    return pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


class _Type:
    """Stands for a numpy dtype in a pickle."""

    def __init__(self, name: Any, *_: Any) -> None:
        self.name = name

    def __setstate__(self, state: Any) -> None:
        """Byte order and flags: a byte has none."""


class _Array:
    """Stands for a numpy array in a pickle: only bytes and a shape are taken from it."""

    def __init__(self, *_: Any) -> None:
        self.pixels = np.empty(0, np.uint8)

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, column_major, content = state
        if kind.name not in ("u1", b"u1") or column_major:
            raise ValueError("no array of bytes")
        self.pixels = np.frombuffer(content, np.uint8).reshape(shape)


def _latin_1(text: Any, _: Any = None) -> bytes:
    """How pickles before Python 3 hold bytes."""
    return str(text).encode("latin-1")


STAND_INS = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _latin_1,
}


# Python's own unpickler in Python: the one in C takes any amount of memory for a number in the stream.
class _ArrayUnpickler(pickle._Unpickler):
    """Knows arrays of bytes and plain types, nothing that could act; no function of another module is called."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.BytesIO(path.read_bytes()), encoding="bytes")
        self.path = path

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in STAND_INS:
            raise UserError(
                f"{self.path} asks for {module}.{name}, which is not an array or a plain type.\n"
                "It was not opened further."
            )
        return STAND_INS[module, name]


def read_csv(path: Path, label: str | None, features: tuple[str, ...] | None) -> tuple[np.ndarray, np.ndarray]:
    """Features float32 (rows, columns) and the label column as it stands, from a CSV file with a header."""
    import pandas

    with open(path, "rb") as stream:
        if stream.readline(CHUNK).count(b",") >= CSV_COLUMNS:
            raise UserError(
                f"{path} has more than the {CSV_COLUMNS:,} columns allowed.\nGive such data as an NPZ file."
            )
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
    known, more = set(columns), f" and {len(columns) - 20:,} more" if len(columns) > 20 else ""
    there = f"Columns: {', '.join(columns[:20])}{more}."
    if label is None:
        raise UserError(f"{path}: Data.label must name the label's column.\n{there}")
    chosen = [column for column in columns if column != label] if features is None else list(features)
    for name in (label, *chosen):
        if name not in known:
            raise UserError(f"{path} has no column '{name}'.\n{there}")
    if label in chosen:
        raise UserError(f"{path}: the label '{label}' cannot be a feature as well.\n{there}")
    if not chosen:
        raise UserError(f"{path} has no feature columns beside the label '{label}'.")
    return chosen


def npz_names(path: Path) -> list[str]:
    """The names of the arrays in an NPZ file; nothing of them is read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except Exception as error:  # zip errors have many types
        raise damaged(path, f"it cannot be read as NPZ ({first_line(error)})") from error


def read_npz(path: Path, names: Sequence[str], limit: int) -> list[np.ndarray]:
    """These arrays of an NPZ file; object arrays (pickles) are refused, and more than `limit` bytes in all."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [archive.getinfo(f"{name}.npy") for name in names]
            size = sum(member.file_size for member in members)
            if size > limit:
                raise UserError(
                    f"{path} announces {size:,} bytes of data, more than the {limit:,} of memory that are free.\n"
                    "Give a smaller file, or free memory."
                )
            return [_read_npy(archive, member, path) for member in members]
    except UserError:
        raise
    except Exception as error:  # zip, header and dtype errors have many types
        raise damaged(path, f"it cannot be read as NPZ ({first_line(error)})") from error


def _read_npy(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> np.ndarray:
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        if version not in NPY_HEADERS:
            raise damaged(path, f"{member.filename} is in the format {version}, not {', '.join(map(str, NPY_HEADERS))}")
        shape, column_major, dtype = NPY_HEADERS[version](stream)
        if dtype.hasobject:
            raise damaged(path, f"{member.filename} holds Python objects, which are not opened")
        size = int(np.prod(shape, dtype=object)) * dtype.itemsize
        if size != member.file_size - stream.tell():
            raise damaged(path, f"the header of {member.filename} announces {shape} {dtype}, which it does not hold")
        content = _read_exactly(stream, path, size)
    return np.frombuffer(content, dtype).reshape(shape, order="F" if column_major else "C")
