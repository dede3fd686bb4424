"""Data that cannot be trained on, and files of data that are damaged."""

import gzip
import os
import pickle
import struct
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.errors.case import INLINE, Case, own
from trials import datasets, formats


def data(expression: str, *named: str, before: str = "", **files: str | bytes) -> Case:
    """An experiment on such data."""
    found = {name.replace("_", "."): content for name, content in files.items()}
    return Case(INLINE, named, {**own(f"experiment(data={expression})", before), **found})


def npz(**arrays: Any) -> Callable[[Path], None]:
    return lambda folder: np.savez(folder / "d.npz", **arrays)


def returning(expression: str, *named: str, more: str = "test_fraction=0.5") -> Case:
    return data(f"Data(f, {more})", *named, before=f"def f(): return {expression}")


CSV = "Data('d.csv', label='y', test_fraction=0.5)"
NPZ = "Data('d.npz', test_fraction=0.5)"
TWO = "np.eye(4), [0, 1, 0, 1]"
DATA = [
    data("Data('irs')", "'irs'", "'iris'"),
    data("Data('no.csv')", "no.csv", "experiment file's folder"),
    data("Data('iris')", "Data.test_fraction"),
    data("Data('d.csv', test_fraction=0.5)", "Data.label", "Columns: a, y", d_csv="a,y\n1,2\n"),
    data("Data('d.csv', label='z', test_fraction=0.5)", "'z'", "Columns: a, y", d_csv="a,y\n1,2\n"),
    data("Data('d.csv', label='y', features=('y',), test_fraction=0.5)", "'y'", "Columns: a, y", d_csv="a,y\n1,2\n"),
    data(CSV, "'y'", "no feature columns", d_csv="y\n2\n"),
    data(CSV, "d.csv", "sound copy", d_csv="a,y\n1,2,3\n"),
    data(CSV, "d.csv", "100,000", "NPZ", d_csv="," * 100_000),
    data(CSV, "'red'", "numbers", d_csv="a,y\nred,2\n"),
    data(CSV, "1 of 1 rows", "Fill or remove", d_csv="a,y\n1,\n"),
    data(NPZ, "d.npz", "sound copy", d_npz=b"PK"),
    replace(data(NPZ, "holds x, z", "x and y"), arrange=npz(x=1, z=2)),
    replace(data(NPZ, "x.npy", "Python objects"), arrange=npz(x=np.array([None]), y=1)),
    replace(
        data(NPZ, "bytes", "more than the 99", "smaller file"),
        arrange=npz(x=np.eye(9), y=1),
        patches={"trials.datasets.available_memory": lambda: 99},
    ),
    returning("1 / 0", "'f'", "ZeroDivisionError"),
    returning("5", "'f'", "(x, y)"),
    returning("(np.eye(2), [0, 1]), (np.eye(3), [0, 1, 1])", "(2,)", "(3,)", more=""),
    returning(f"({TWO}), ({TWO})", "Data.test_fraction"),
    returning("[1, 2], [0, 1]", "(2,)", "(samples, ...)"),
    returning("np.eye(3), [0, 1]", "3 samples", "2 labels"),
    returning("np.zeros((0, 1)), []", "empty"),
    returning("np.full((4, 1), np.nan), [0, 1, 0, 1]", "4 values", "NaN"),
    returning("np.eye(4), np.array([0, 'a', None, 1], object)", "labels", "text and numbers"),
    returning("np.eye(4), [5] * 4", "one class", "5"),
    returning("np.eye(4), [0.5, 1, 2, 3]", "0.5", "regression"),
    returning("np.full((4, 1), 1e300), [0, 1, 0, 1]", "float32", "Data.scale"),
    returning("np.eye(4), [0, 1, 2, 3]", "'binary'", "4 classes", more="test_fraction=0.5, labels='binary'"),
    returning(TWO, "(4, 4)", "height, width", more="test_fraction=0.5, size=(2, 2)"),
    returning(TWO, "split of 4 from 4", "none to train on", more="test_fraction=0.99"),
    returning("np.eye(4), [0, 1, 1, 1]", "evenly", more="test_fraction=0.5, stratified=True"),
    returning(TWO, "2 values", "4 channels", more="test_fraction=0.5, mean=(1.0, 2.0), std=1.0"),
    returning(TWO, "float32", "Data.std", more="test_fraction=0.5, mean=0.0, std=1e-60"),
    returning(f"({TWO}), (np.eye(4), [0, 1, 2, 1])", "2 of the data's 3 classes", "Data.stratified", more=""),
]


def idx(*shape: int, content: bytes = b"", kind: int = 8) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape) + content


def image_files(**changed: Any) -> Callable[[Path], None]:
    """The four files of MNIST, of which some are others."""
    images, labels = idx(1, 28, 28, content=bytes(784)), idx(1, content=b"\7")
    files = {"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels}
    files |= {"t10k-images-idx3-ubyte": images, "t10k-labels-idx1-ubyte": labels}

    def arrange(folder: Path) -> None:
        (folder / "mnist").mkdir()
        for name, content in {
            **files,
            **{f"train-{kind}-idx{3 if kind == 'images' else 1}-ubyte": content for kind, content in changed.items()},
        }.items():
            if content is not None:
                (folder / "mnist" / name).write_bytes(content)

    return arrange


MNIST = ("--experiment", "lenet5_mnist", "--data-dir", ".")


def image(named: Sequence[str], **changed: Any) -> Case:
    return Case(MNIST, tuple(named), arrange=image_files(**changed))


def offline(name: str) -> Any:
    raise OSError("no network")


def cifar(kind: str, content: bytes, *named: str) -> Case:
    reader = {"bin": formats.read_cifar_binary, "py": formats.read_cifar_python}[kind]
    return Case(lambda: reader(Path("batch"), records=1), ("batch", *named, "sound copy"), {"batch": content})


IMAGES = [
    image(["train-labels-idx1-ubyte", "beside the others"], labels=None),
    image(["(1, 28, 28)", "(60000, 28, 28)"]),
    image(["first bytes 00000a", "sound copy"], images=idx(1, kind=10)),
    image(["784 bytes", "only 3", "sound copy"], images=idx(1, 28, 28, content=b"123")),
    image(["within its header", "sound copy"], images=b"\0\0\x08\3"),
    image(["more than the 134217728 allowed"], images=idx(2**31, 2)),
    image(["70 axes"], images=idx(*(1,) * 70, content=b"1")),
    image(["cannot be decompressed"], images=b"\x1f\x8b\x08junk"),
    image(["cannot be decompressed"], images=gzip.compress(idx(1, 28, 28, content=bytes(784)))[:-9]),
    Case(
        lambda: datasets._idx_pair(Path("i"), Path("l"), 1),
        ("(2,) labels", "(1,)"),
        {"i": idx(1, 28, 28, content=bytes(784)), "l": idx(2, content=b"12")},
    ),
    Case(
        lambda: datasets._idx_pair(Path("i"), Path("l"), 1),
        ("from 12 to 12", "0 to 9"),
        {"i": idx(1, 28, 28, content=bytes(784)), "l": idx(1, content=b"\x0c")},
    ),
    cifar("bin", b"123", "3 bytes", "3073"),
    cifar("py", b"123", "no CIFAR-10 batch"),
    cifar("py", pickle.dumps({b"data": np.zeros((1, 3), np.uint8), b"labels": [1]}), "(1, 3)", "(1, 3072)"),
    Case(
        lambda: formats.read_cifar_python(Path("batch")),
        ("67108865 bytes", "67108864"),
        arrange=lambda folder: (folder / "batch").touch() or os.truncate(folder / "batch", 2**26 + 1),
    ),
    Case(
        lambda: formats.read_cifar_python(Path("batch")),
        ("builtins.eval", "not opened further"),
        {"batch": b"cbuiltins\neval\n."},
    ),
    Case(
        MNIST,
        ("'mnist'", "no network", "train-images-idx3-ubyte.gz", "TRIALS_DATA_DIR"),
        patches={"keras.datasets.mnist.load_data": lambda: offline("mnist")},
    ),
    Case(
        lambda: formats.read_npz(Path("d.npz"), ["x"], 9**9),
        ("x.npy", "(3, 0)", "(1, 0)"),
        arrange=lambda folder: zipped(folder, b"\x93NUMPY\3\0"),
    ),
    Case(
        lambda: formats.read_npz(Path("d.npz"), ["x"], 9**9),
        ("x.npy", "does not hold"),
        arrange=lambda folder: zipped(
            folder,
            b"\x93NUMPY\1\0" + struct.pack("<H", 59) + b"{'descr': '|u1', 'fortran_order': False, 'shape': (10000,)}",
        ),
    ),
    Case(lambda: formats.read_npz(Path("d.npz"), ["y"], 9**9), ("d.npz", "'y.npy'"), arrange=npz(x=1)),
]


def zipped(folder: Path, content: bytes) -> None:
    with zipfile.ZipFile(folder / "d.npz", "w") as archive:
        archive.writestr("x.npy", content)
