import gzip
import os
import pickle
import struct
import tempfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from trials import formats
from trials.errors import UserError

TYPES = {"u1": 0x08, "i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}


def idx(array, shape=None):
    shape = array.shape if shape is None else shape
    code = TYPES[array.dtype.str.lstrip("|")]
    return struct.pack(f">HBB{len(shape)}I", 0, code, len(shape), *shape) + array.tobytes()


@pytest.fixture(scope="session")
def path():
    """One file for all, written over and over: a law is tried many times within one test."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "file"


def read_idx(path, content, **options):
    path.write_bytes(content)
    return formats.read_idx(path, **options)


@settings(deadline=None)
@given(
    st.sampled_from(list(TYPES)).flatmap(
        lambda kind: arrays.arrays(np.dtype(kind), arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    ),
    st.booleans(),
)
def test_idx_reads_back_what_was_written_plain_or_gzipped(path, array, compressed):
    content = gzip.compress(idx(array)) if compressed else idx(array)
    read = read_idx(path, content)
    assert (read.dtype, read.shape, read.tobytes()) == (array.dtype, array.shape, array.tobytes())


def test_idx_is_read_byte_by_byte_as_lecun_describes_it(path):
    content = bytes.fromhex("00000b02 00000002 00000003 0001 0002 0003 ffff 0100 7fff")
    assert read_idx(path, content).tolist() == [[1, 2, 3], [-1, 256, 32767]]


SOUND = idx(np.arange(6, dtype="u1").reshape(2, 3))


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (SOUND[:-1], "its header announces 6 bytes of data, it holds only 5"),
        (SOUND + b"x", "its header announces 6 bytes of data, it holds more"),
        (SOUND[:12], "its header announces 6 bytes of data, it holds only 0"),
        (SOUND[:7], "it ends within its header"),
        (SOUND[:3], "it ends within its header"),
        (b"", "it ends within its header"),
        (b"\0\1" + SOUND[2:], r"it does not start as an IDX file does \(first bytes 00010802\)"),
        (b"\0\0\x0a" + SOUND[3:], r"it does not start as an IDX file does \(first bytes 00000a02\)"),
        (b"\x89PNG\r\n", r"it does not start as an IDX file does \(first bytes 89504e47\)"),
    ],
)
def test_a_damaged_idx_file_is_named_with_what_is_wrong(path, compress, content, message):
    with pytest.raises(UserError, match=f"Damaged data file {path}: {message}.\nReplace the file"):
        read_idx(path, compress(content))


@pytest.mark.parametrize(
    "content",
    [gzip.compress(SOUND)[:-9], gzip.compress(SOUND) + b"junk", b"\x1f\x8b\x08junk"],
    ids=["cut off", "junk after it", "only a header"],
)
def test_a_damaged_gzip_stream_is_said_to_be_one(path, content):
    with pytest.raises(UserError, match="it cannot be decompressed"):
        read_idx(path, content)


def test_a_changed_byte_within_a_gzip_stream_never_changes_the_array(path):
    sound = gzip.compress(SOUND, mtime=0)
    for position in range(10, len(sound)):  # before lies the header, whose time and system mean nothing here
        changed = sound[:position] + bytes([sound[position] ^ 1]) + sound[position + 1 :]
        with pytest.raises(UserError):
            read_idx(path, changed)


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_short_file_takes_no_more_memory_than_it_has_whatever_its_header_says(path, compress):
    path.write_bytes(compress(idx(np.zeros(4, "u1"), (2**31 - 1,))))
    tracemalloc.start()
    with pytest.raises(UserError, match="announces 2147483647 bytes of data, it holds only 4"):
        formats.read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22


@pytest.mark.parametrize("shape", [(2**32 - 1,) * 3, (2**31 + 1,)])
def test_a_huge_announced_size_is_refused_before_anything_is_read(path, shape):
    with pytest.raises(UserError, match=r"its header announces [0-9]+ bytes, more than the 2147483648 allowed"):
        read_idx(path, idx(np.zeros(4, "u1"), shape))


def test_the_limit_itself_is_allowed_and_one_byte_more_is_not(path):
    assert read_idx(path, SOUND, limit=6).shape == (2, 3)
    with pytest.raises(UserError, match="announces 6 bytes, more than the 5 allowed"):
        read_idx(path, SOUND, limit=5)


def test_a_gzip_bomb_is_not_read_beyond_the_declared_size(path):
    path.write_bytes(gzip.compress(SOUND + bytes(64 * 2**20)))
    tracemalloc.start()
    with pytest.raises(UserError, match="announces 6 bytes of data, it holds more"):
        formats.read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize(
    ("shape", "size"),
    [((1,) * 65, 1), ((0, 2**32 - 1, 2**32 - 1, 2**32 - 1), 0)],
    ids=["65 axes", "nothing, immensely wide"],
)
def test_an_idx_shape_that_no_array_can_have_is_damage(path, shape, size):
    with pytest.raises(UserError, match="Damaged data file"):
        read_idx(path, idx(np.zeros(size, "u1"), shape))


@settings(deadline=None)
@given(st.binary(max_size=64), st.booleans(), st.sampled_from(list(TYPES.values())), st.integers(0, 4))
def test_idx_answers_any_bytes_after_any_header_with_an_array_or_a_user_error(path, tail, compressed, kind, axes):
    content = bytes([0, 0, kind, axes]) + tail
    path.write_bytes(gzip.compress(content) if compressed else content)
    try:
        formats.read_idx(path, limit=64)
    except UserError as error:
        assert len(str(error).splitlines()) <= 3


# CIFAR-10

PIXELS = np.arange(2 * 3072, dtype=np.uint32).reshape(2, 3072).astype(np.uint8)
PIXELS[0, 0] = 201  # red, first row, first column
PIXELS[0, 1024 + 35] = 202  # green, second row, fourth column
PIXELS[1, 3071] = 203  # blue, last row, last column


def check_images(images):
    assert images.shape == (2, 32, 32, 3)
    assert (images[0, 0, 0, 0], images[0, 1, 3, 1], images[1, 31, 31, 2]) == (201, 202, 203)


def test_the_binary_version_holds_a_label_and_three_planes_a_record(path):
    path.write_bytes(b"\x09" + PIXELS[0].tobytes() + b"\x03" + PIXELS[1].tobytes())
    images, labels = formats.read_cifar_binary(path, records=2)
    check_images(images)
    assert labels.tolist() == [9, 3]


@pytest.mark.parametrize("size", [0, 2 * 3073 - 1, 2 * 3073 + 1])
def test_a_binary_batch_of_another_size_is_damaged(path, size):
    path.write_bytes(bytes(size))
    with pytest.raises(UserError, match=f"it has {size} bytes instead of 6146"):
        formats.read_cifar_binary(path, records=2)


@pytest.mark.parametrize("protocol", range(5))
def test_the_python_version_reads_as_the_binary_one(path, protocol):
    path.write_bytes(pickle.dumps({b"data": PIXELS, b"labels": [9, 3], b"filenames": [b"a", b"b"]}, protocol))
    images, labels = formats.read_cifar_python(path, records=2)
    check_images(images)
    assert labels.tolist() == [9, 3]


def test_a_python_batch_written_by_python_2_is_read(path):
    # numpy.core, and text where today there are bytes
    state = b"(I1\n(I2\nI3072\ntcnumpy\ndtype\n(S'u1'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntbI00\nS"
    made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
    path.write_bytes(b"(dS'data'\n" + made + state + repr(bytes(6144))[1:].encode() + b"\ntbsS'labels'\n(lI9\naI3\nas.")
    images, labels = formats.read_cifar_python(path, records=2)
    assert images.shape == (2, 32, 32, 3)
    assert labels.tolist() == [9, 3]


@pytest.mark.parametrize(
    "batch",
    [
        {b"data": PIXELS, b"labels": [9]},
        {b"data": PIXELS[:1], b"labels": [9, 3]},
        {b"data": PIXELS.astype(np.int64), b"labels": [9, 3]},
        {b"data": PIXELS, b"labels": [0.5, 3]},
        {b"data": PIXELS, b"labels": ["a", "b"]},
        {b"data": PIXELS, b"labels": [10**30, 3]},
        {b"data": PIXELS, b"labels": [[1], [2, 3]]},
        {b"data": PIXELS},
        [1, 2],
        None,
    ],
)
def test_a_python_batch_with_other_contents_is_damaged(path, batch):
    path.write_bytes(pickle.dumps(batch))
    with pytest.raises(UserError, match="Damaged data file"):
        formats.read_cifar_python(path, records=2)


PICKLE_BOMBS = {
    "a far place in the memo": b"Nr\xff\xff\xff\x3f.",
    "a long text": b"\x8e" + struct.pack("<Q", 2**40) + b"x.",
    "a large array": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(J\xff\xff\xff\x7ftS'b'\ntR.",
    "deep": b"(" * 10**5 + b"t" * 10**5 + b".",
    "lists of lists": b"(d" + b"S'labels'\n(lq\0" + b"(h\0h\0lq\0" * 60 + b"sS'data'\nNs.",
}


@pytest.mark.parametrize("content", PICKLE_BOMBS.values(), ids=PICKLE_BOMBS)
def test_a_pickle_that_asks_for_much_memory_gets_none(path, content):
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(UserError, match="Damaged data file"):
        formats.read_cifar_python(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**25


class Acting:
    """Pickles as a call."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(path, tmp_path):
    folder = tmp_path / "made by the pickle"
    path.write_bytes(pickle.dumps({b"data": PIXELS, b"labels": Acting(os.mkdir, (str(folder),))}))
    with pytest.raises(UserError, match=r"file asks for \w+\.mkdir, which is not an array or a plain type"):
        formats.read_cifar_python(path, records=2)
    assert not folder.exists()


@pytest.mark.parametrize("function", [eval, exec, getattr, __import__, np.load, np.fromfile, pickle.loads])
def test_no_function_but_those_that_make_arrays_is_admitted(path, function):
    path.write_bytes(pickle.dumps(Acting(function, ("1",))))
    with pytest.raises(UserError, match="which is not an array or a plain type"):
        formats.read_cifar_python(path)


# CSV


def read_csv(path, text, label="kind", features=None):
    path.write_text(text, encoding="utf-8")
    return formats.read_csv(path, label, features)


def test_csv_features_come_in_the_files_order_or_in_the_named_one(path):
    text = "a,kind,b\n1,x,2\n3,y,4.5\n"
    x, y = read_csv(path, text)
    assert x.dtype == np.float32
    assert (x.tolist(), y.tolist()) == ([[1, 2], [3, 4.5]], ["x", "y"])
    assert read_csv(path, text, features=("b",))[0].tolist() == [[2], [4.5]]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("a,kind\n1,x\n", {"label": None}, "Data.label must name the label's column.\nColumns: a, kind."),
        ("a,kind\n1,x\n", {"label": "sort"}, "has no column 'sort'.\nColumns: a, kind."),
        ("a,kind\n1,x\n", {"features": ("a", "b")}, "has no column 'b'.\nColumns: a, kind."),
        ("a,kind\n1,x\nred,y\n", {}, "the feature columns must hold numbers .*red"),
        ("a,kind\n1,x\n,y\n,\n", {}, "2 of 3 rows have empty cells.\nFill or remove them."),
        ("a,kind\n1,x\n2,\n", {}, "1 of 2 rows have empty cells"),
        ("", {}, "Damaged data file .* it cannot be read as CSV"),
        ("a,kind\n1,x\n1,2,3,4\n", {}, "Damaged data file .* it cannot be read as CSV"),
        ('a,kind\n"1,x\n', {}, "Damaged data file .* it cannot be read as CSV"),
        ("," * 100_000, {}, "has more than the 100,000 columns allowed.\nGive such data as an NPZ file."),
        (f"a{',b' * 30}\n", {}, r"has no column 'kind'.\nColumns: a, b, b.1, .* and 11 more\.$"),
    ],
)
def test_a_csv_mistake_names_the_file_and_what_is_there(path, text, options, message):
    with pytest.raises(UserError, match=message) as told:
        read_csv(path, text, **options)
    assert str(path) in str(told.value)
    assert len(str(told.value).splitlines()) <= 3


def test_an_empty_cell_outside_the_chosen_columns_does_not_matter(path):
    assert read_csv(path, "a,b,kind\n1,,x\n", features=("a",))[0].tolist() == [[1]]


CSV_SURPRISES = [
    ("a number of 400 digits", f"a,kind\n1{'0' * 400},x\n2,y\n", None),
    ("rows one cell longer than the header", "a,kind\n1,2,3\n4,5,6\n", None),
    ("the label among the features", "a,kind\n1,2\n4,5\n", ("a", "kind")),
    ("no feature column", "kind\n2\n5\n", None),
]


@pytest.mark.parametrize(
    ("text", "features"), [row[1:] for row in CSV_SURPRISES], ids=[row[0] for row in CSV_SURPRISES]
)
def test_a_csv_file_that_cannot_be_meant_is_refused(path, text, features):
    with pytest.raises(UserError):
        read_csv(path, text, features=features)


# NPZ


def read_npz(path, limit=2**20):
    return formats.read_npz(path, formats.npz_names(path), limit)


def npy(shape, kind="|u1", content=b"", version=1):
    """An NPY file with this header, whatever it holds."""
    header = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}}}".encode()
    return (
        b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(header)) + header + content
    )


def npz(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


@settings(deadline=None)
@given(
    st.sampled_from(["u1", "<f4", ">f8", "?", "<U3", "S2"]).flatmap(
        lambda kind: arrays.arrays(np.dtype(kind), arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    ),
    st.booleans(),
    st.sampled_from([np.savez, np.savez_compressed]),
)
def test_npz_reads_back_what_numpy_wrote(path, array, column_major, save):
    given = np.asfortranarray(array) if column_major and array.ndim else array
    with open(path, "wb") as stream:
        save(stream, a=given, b=np.eye(2))
    assert formats.npz_names(path) == ["a", "b"]
    read, eye = read_npz(path)
    assert (read.dtype, read.shape, read.tobytes(), eye.tolist()) == (
        array.dtype,
        array.shape,
        array.tobytes(),
        [[1, 0], [0, 1]],
    )


@pytest.mark.parametrize("save", [np.savez, np.save], ids=["npz", "npy"])
def test_an_npz_with_an_object_array_is_refused_and_runs_nothing(path, tmp_path, save):
    folder = tmp_path / "made by the pickle"
    with open(path, "wb") as stream:
        save(stream, np.array([Acting(os.mkdir, (str(folder),))], dtype=object))
    with pytest.raises(UserError, match="Damaged data file"):
        read_npz(path)
    assert not folder.exists()


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", npy((2**40,)), pickle.dumps([1])], ids=["empty", "torn", "npy", "pickle"]
)
def test_what_is_no_zip_is_damaged(path, content):
    path.write_bytes(content)
    with pytest.raises(UserError, match="it cannot be read as NPZ"):
        read_npz(path)


@pytest.mark.parametrize("cut", [0, 10, 100, -30])
def test_a_torn_npz_is_damaged(tmp_path, cut):
    np.savez(tmp_path / "a.npz", x=np.zeros(50))
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[:cut])
    with pytest.raises(UserError, match="Damaged data file"):
        read_npz(tmp_path / "a.npz")


LIES = {
    "a tebibyte": npy((2**40,)),
    "more than there is": npy((3,), content=b"12"),
    "less than there is": npy((3,), content=b"1234"),
    "no axis of that length": npy((-1,), content=b"1"),
    "an overflow": npy((2**62, 2**62)),
    "long texts": npy((3,), "<U100000000", b"123"),
    "objects": npy((1,), "|O", b"12345678"),
    "no type": npy((1,), "|x9", b"1"),
    "a later format": npy((1,), version=3, content=b"1"),
    "a long header": b"\x93NUMPY\x02\0" + struct.pack("<I", 2**31) + b"{}",
    "nothing": b"",
    "deep": npy("(" * 5000 + ")" * 5000),
}


@pytest.mark.parametrize("content", LIES.values(), ids=LIES)
def test_an_array_that_is_not_what_its_header_says_takes_no_memory(path, content):
    npz(path, x=content)
    tracemalloc.start()
    with pytest.raises(UserError, match="Damaged data file"):
        read_npz(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**21


def test_a_zip_bomb_is_refused_before_it_is_opened(path):
    npz(path, x=npy((2**26,), content=bytes(2**26)), y=npy((1,), content=b"1"))
    assert path.stat().st_size < 2**17
    tracemalloc.start()
    with pytest.raises(UserError, match=r"announces 67,1\d\d,\d+ bytes of data, more than the 1,048,576 of memory"):
        read_npz(path)
    assert formats.read_npz(path, ["y"], 2**20)[0].tolist() == [ord("1")]  # what is not asked for costs nothing
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**21


READERS = {
    "idx": formats.read_idx,
    "cifar binary": lambda path: formats.read_cifar_binary(path, records=1),
    "cifar python": lambda path: formats.read_cifar_python(path, records=1),
    "csv": lambda path: formats.read_csv(path, "0", None),
    "npz": read_npz,
}
STARTS = [
    b"",
    b"\x1f\x8b\x08\0\0\0\0\0\0\xff",
    b"\x80\x04",
    b"\x80\x02}",
    b"(",
    b"PK\x03\x04",
    b"\x93NUMPY\x01\0",
    b"0,1\n",
]


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@settings(deadline=None)
@given(st.sampled_from(STARTS), st.binary(max_size=200))
def test_no_reader_lets_anything_but_a_user_error_out(path, reader, start, tail):
    path.write_bytes(start + tail)
    try:
        reader(path)
    except UserError as error:
        assert len(str(error).splitlines()) <= 3
