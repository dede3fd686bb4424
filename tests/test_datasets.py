import dataclasses
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.conftest import needs_data
from trials import datasets, environment
from trials.datasets import DATASETS, Samples, extent, load, resize
from trials.errors import UserError
from trials.experiment import Data
from trials.splits import counts, split


def own(x, y):
    """A user's function that returns these arrays."""
    return lambda: (np.asarray(x), np.asarray(y))


def numbered(n, classes=2):
    """Samples whose single feature is their index."""
    return Samples(np.arange(n, dtype=np.float32)[:, np.newaxis], np.arange(n, dtype=np.int32) % classes, 0, classes)


# preprocessing and labels


def test_scale_divides():
    samples = load(Data(own([[10, 20], [30, 40]], [0, 1]), scale=10, test_fraction=0.5))
    assert samples.x.tolist() == [[1, 2], [3, 4]]
    assert samples.x.dtype == np.float32


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([1, 2, 3], [0, 1, 2]),
        ([7, -5, 7], [1, 0, 1]),
        (["setosa", "virginica", "setosa"], [0, 1, 0]),
        ([False, True, True], [0, 1, 1]),
        ([2.0, 1.0, 2.0], [1, 0, 1]),
        ([[1], [2], [1]], [0, 1, 0]),
    ],
)
def test_labels_become_0_to_classes_minus_1_in_their_order(labels, expected):
    samples = load(Data(own([[0.0], [1.0], [2.0]], labels), test_fraction=0.5))
    assert (samples.y.tolist(), samples.classes) == (expected, max(expected) + 1)
    assert samples.y.dtype == np.int32


def test_resize_is_pillows_bilinear_worked_by_hand():
    # Twice as wide: new centres lie at 0.25, 0.75, 1.25 and 1.75 pixels, so neighbours mix 3:1.
    row = [0, 0.25, 0.75, 1]
    plain = resize(np.array([0, 1], np.float32).reshape(1, 1, 2, 1), (1, 4))
    np.testing.assert_allclose(plain.ravel(), row)
    whole = resize(np.array([0, 100], np.uint8).reshape(1, 1, 2, 1), (1, 4))
    assert (whole.ravel().tolist(), whole.dtype) == ([0, 25, 75, 100], np.uint8)
    # Half as wide: the filter widens with the step (weights 3:3:1 of 7 at the edge), it does not skip pixels.
    narrow = resize(np.array([7, 7, 0, 0], np.float32).reshape(1, 1, 4, 1), (1, 2))
    np.testing.assert_allclose(narrow.ravel(), [6, 1], rtol=1e-6)


def test_resize_takes_height_first_and_keeps_samples_and_channels_apart():
    images = np.zeros((2, 3, 5, 3), np.uint8)
    images[1, :, :, 2] = 9
    resized = resize(images, (4, 8))
    assert resized.shape == (2, 4, 8, 3)
    assert (resized[1, :, :, 2] == 9).all()
    assert resized.sum() == 9 * 4 * 8


def test_a_size_is_applied_before_the_scale():
    images = np.array([[0, 100], [0, 100]], np.uint8).reshape(2, 1, 2, 1)
    samples = load(Data(own(images, [0, 1]), size=(1, 4), scale=100, test_fraction=0.5))
    np.testing.assert_allclose(samples.x[0].ravel(), [0, 0.25, 0.75, 1])


def test_the_checksum_knows_every_value_type_and_the_test_part():
    one = numbered(6)
    others = [
        dataclasses.replace(one, x=one.x + 1),
        dataclasses.replace(one, x=one.x.astype(np.float64)),
        dataclasses.replace(one, x=one.x.reshape(3, 2)),
        dataclasses.replace(one, y=one.y[::-1].copy()),
        dataclasses.replace(one, fixed_test=1),
    ]
    assert len({samples.checksum() for samples in (one, *others)}) == 6
    assert one.checksum() == numbered(6).checksum()


# users' own data


def test_a_function_may_bring_its_own_test_part():
    def source():
        return ([[0], [1]], ["a", "b"]), ([[2]], ["b"])

    samples = load(Data(source))
    assert (samples.x.tolist(), samples.y.tolist(), samples.fixed_test) == ([[0], [1], [2]], [0, 1, 1], 1)


def test_files_are_found_beside_the_experiment(tmp_path):
    (tmp_path / "a.csv").write_text("width,kind\n1,x\n2,y\n", encoding="utf-8")
    x, y = np.array([[1.0], [2.0]]), np.array([5, 6])
    np.savez(tmp_path / "a.npz", x=x, y=y)
    np.savez(tmp_path / "b.npz", x_train=x, y_train=y, x_test=x[:1], y_test=y[:1])
    by_csv = load(Data("a.csv", label="kind", test_fraction=0.5), base=tmp_path)
    by_npz = load(Data("a.npz", test_fraction=0.5), base=tmp_path)
    assert by_csv.checksum() == by_npz.checksum()
    assert load(Data("b.npz"), base=tmp_path).fixed_test == 1


def fails():
    raise ValueError("no disk\nat all")


X, Y = [[0.0], [1.0], [2.0]], [0, 1, 1]
SOURCES = [
    (own([[0], [float("nan")], [float("inf")]], Y), "The data holds 2 values that are NaN or infinite"),
    (own(X, [0.5, 1.5, 2.0]), "The labels are not classes: they hold fractions, as .*\n.*regression is not supported"),
    (own(X, [0.0, 1.0, float("nan")]), "The labels are not classes"),
    (own(X, [3, 3, 3]), "The labels hold only one class: .*3"),
    (own(X, np.eye(3)), "The data has 3 samples but 9 labels.\nOne label a sample: .* not one-hot"),
    (own(X, [0, 1]), "The data has 3 samples but 2 labels"),
    (own([0, 1, 2], Y), r"The data must be numbers of shape \(samples, ...\). Received: int64 \(3,\)"),
    (own([["a"], ["b"], ["c"]], Y), "The data must be numbers"),
    (own(np.zeros((0, 2)), []), "The data is empty"),
    (fails, "The dataset function 'fails' failed: ValueError: no disk$"),
    (lambda: None, r"must return \(x, y\) or \(\(x_train, y_train\), \(x_test, y_test\)\)"),
    (lambda: (1, 2, 3), r"must return \(x, y\)"),
    (lambda: ((X, Y), (X,)), r"must return \(x, y\)"),
    (lambda: ([[1], [2, 3]], Y), r"must return \(x, y\)"),
    (lambda: {"x": X, "y": Y}, "The data must be numbers"),
    (lambda: ((X, Y), (np.zeros((1, 2)), [0])), r"Training and test samples differ in shape: \(1,\) and \(2,\)"),
    (lambda: ((X, Y), ([[float("nan")]], [0])), "The test data holds 1 values"),
    (own([[1e39], [0], [1]], Y), "The data holds numbers that float32 cannot hold once they are scaled"),
    ("irs", "Unknown dataset 'irs'. Did you mean 'iris'?"),
    ("none.csv", "The data file .*none.csv does not exist"),
]


@pytest.mark.parametrize(("source", "message"), SOURCES, ids=[message[:40] for _, message in SOURCES])
def test_data_that_cannot_be_trained_on_is_told_in_at_most_three_lines(tmp_path, source, message):
    with pytest.raises(UserError, match=message) as told:
        load(Data(source, test_fraction=0.5), base=tmp_path)
    assert len(str(told.value).splitlines()) <= 3


def test_labels_that_cannot_be_ordered_are_a_user_error():
    with pytest.raises(UserError):
        load(Data(own(X, np.array(["a", None, "b"], dtype=object)), test_fraction=0.5))


def test_a_user_error_of_a_dataset_function_keeps_its_words():
    def source():
        raise UserError("Mount the disk first.")

    with pytest.raises(UserError, match=r"^Mount the disk first\.$"):
        load(Data(source, test_fraction=0.5))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (Data(own(X, Y)), "This data has no test part of its own: declare Data.test_fraction"),
        (Data("iris", test_fraction=0.5, labels="binary"), "Data.labels is 'binary', but the data has 3 classes"),
        (Data("iris", test_fraction=0.5, size=(8, 8)), r"Data.size resizes images .* Received: \(150, 4\)"),
    ],
)
def test_a_declaration_that_does_not_fit_its_data_is_a_user_error(data, message):
    with pytest.raises(UserError, match=message):
        load(data)


def test_an_npz_with_other_names_says_which_it_holds(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros(1), labels=np.zeros(1))
    with pytest.raises(UserError, match=r"holds x, labels\.\nAllowed: x and y, or x_train, y_train, x_test and y_test"):
        load(Data("a.npz", test_fraction=0.5), base=tmp_path)


# named datasets


def test_iris_and_digits_are_scikit_learns():
    from sklearn.datasets import load_digits, load_iris

    for name, bunch in (("iris", load_iris()), ("digits", load_digits())):
        samples = load(Data(name, test_fraction=0.2))
        np.testing.assert_array_equal(samples.x.reshape(len(samples.x), -1), bunch.data.astype(np.float32))
        np.testing.assert_array_equal(samples.y, bunch.target)


@pytest.mark.parametrize(
    "data",
    [
        Data("iris", test_fraction=0.2),
        Data("iris", test_fraction=0.33, validation_fraction=0.1, stratified=True),
        Data("digits", test_fraction=0.2, validation_fraction=0.1),
        *(
            pytest.param(Data(name, validation_fraction=0.1), marks=needs_data)
            for name in ("mnist", "fashion_mnist", "cifar10")
        ),
    ],
    ids=lambda data: data.source,
)
def test_expected_counts_are_those_of_the_split_and_the_table_tells_shape_and_classes(data):
    samples = load(data, datasets.data_directory(None))
    known = DATASETS[data.source]
    parts = split(samples, data, 0)
    assert {name: len(y) for name, (_, y) in parts.items()} == {
        k: v for k, v in counts(data, *extent(data)).items() if v
    }
    assert (samples.x.shape[1:], samples.classes) == (known.shape, known.classes)
    assert samples.x.dtype == np.float32


def test_expected_counts_of_a_users_function_are_counted():
    data = Data(own(np.zeros((10, 1)), np.arange(10)), test_fraction=0.25, validation_fraction=0.5)
    assert counts(data, *extent(data)) == {"train": 3, "validation": 4, "test": 3}


@needs_data
@pytest.mark.parametrize(
    ("name", "train", "test", "first_labels"),
    [
        ("mnist", [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949], 1135, [5, 0, 4, 1, 9]),
        ("fashion_mnist", [6000] * 10, 1000, [9, 0, 0, 3, 0]),
        ("cifar10", [5000] * 10, 1000, [6, 9, 9, 4, 1]),
    ],
)
def test_the_real_files_hold_what_their_authors_publish(name, train, test, first_labels):
    samples = load(Data(name), datasets.data_directory(None))
    assert (len(samples.y), samples.fixed_test) == (DATASETS[name].train + 10_000, 10_000)
    assert np.bincount(samples.y[:-10_000]).tolist() == train
    assert np.bincount(samples.y[-10_000:])[1] == test
    assert samples.y[:5].tolist() == first_labels
    assert (samples.x.min(), samples.x.max()) == (0, 255)


MNIST = {
    "train-images-idx3-ubyte": ((60_000, 28, 28), 0),
    "train-labels-idx1-ubyte": ((60_000,), 1),
    "t10k-images-idx3-ubyte": ((10_000, 28, 28), 0),
    "t10k-labels-idx1-ubyte": ((10_000,), 2),
}


def write_idx(path: Path, shape, fill):
    content = np.full(np.prod(shape), fill, np.uint8)
    path.write_bytes(struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + content.tobytes())


@pytest.fixture(scope="module")
def mnist_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mnist")
    for name, (shape, fill) in MNIST.items():
        write_idx(folder / name, shape, fill)
    return folder


def linked(mnist_files, folder, without=()):
    folder.mkdir(exist_ok=True)
    for name in MNIST:
        if name not in without:
            (folder / name).symlink_to(mnist_files / name)


@pytest.mark.parametrize("given", [".", "mnist"])
def test_canonical_files_are_found_in_the_data_folder_or_in_the_datasets_own(mnist_files, tmp_path, given):
    linked(mnist_files, tmp_path / "mnist")
    samples = load(Data("mnist"), tmp_path / given)
    assert samples.x.shape == (70_000, 28, 28, 1)
    assert np.bincount(samples.y).tolist() == [60_000, 10_000]


def test_a_partly_filled_data_folder_names_what_is_missing(mnist_files, tmp_path):
    linked(mnist_files, tmp_path / "mnist", without=("t10k-labels-idx1-ubyte",))
    with pytest.raises(UserError, match=r"mnist holds only a part of mnist: t10k-labels-idx1-ubyte missing\.\nPut"):
        load(Data("mnist"), tmp_path)


@pytest.mark.parametrize(
    ("name", "shape", "fill", "message"),
    [
        ("t10k-labels-idx1-ubyte", (10_000,), 10, "its labels run from 10 to 10 instead of 0 to 9"),
        ("t10k-labels-idx1-ubyte", (9_999,), 1, r"it holds \(9999,\) labels instead of \(10000,\)"),
        ("t10k-images-idx3-ubyte", (10_000, 28, 27), 0, r"it holds \(10000, 28, 27\) uint8 instead of"),
    ],
)
def test_a_canonical_file_with_other_contents_is_damaged(mnist_files, tmp_path, name, shape, fill, message):
    linked(mnist_files, tmp_path / "mnist", without=(name,))
    write_idx(tmp_path / "mnist" / name, shape, fill)
    with pytest.raises(UserError, match=f"Damaged data file .*{name}: {message}"):
        load(Data("mnist"), tmp_path)


def test_the_files_of_mnist_in_the_data_folder_are_not_taken_for_fashion_mnist(mnist_files, tmp_path, monkeypatch):
    linked(mnist_files, tmp_path)
    monkeypatch.setattr(datasets, "_from_keras", lambda *_: None)  # no download in a test
    with pytest.raises(TypeError):  # they are not read: Keras is asked next
        load(Data("fashion_mnist"), tmp_path)


def test_a_short_cifar_batch_is_damaged(tmp_path):
    for name in [*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]:
        (tmp_path / name).write_bytes(bytes(3073))
    with pytest.raises(UserError, match=r"data_batch_1\.bin: it has 3073 bytes instead of 30730000"):
        load(Data("cifar10"), tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnist", "t10k-labels-idx1-ubyte.gz into {}/mnist"),
        ("fashion_mnist", "t10k-labels-idx1-ubyte.gz into {}/fashion-mnist"),
        ("cifar10", "test_batch.bin into {}/cifar-10-batches-bin"),
    ],
)
def test_without_files_and_network_the_way_out_names_files_and_folder(monkeypatch, tmp_path, name, message):
    def load_data():
        raise OSError("no route to host")

    offline = SimpleNamespace(datasets=SimpleNamespace(**{name: SimpleNamespace(load_data=load_data)}))
    monkeypatch.setattr(environment, "import_keras", lambda: offline)
    with pytest.raises(UserError) as told:
        load(Data(name), tmp_path)
    assert "OSError: no route to host" in str(told.value)
    assert f"{message.format(tmp_path)} (or set TRIALS_DATA_DIR)" in str(told.value)


def test_the_data_folder_is_the_given_one_then_the_environments(monkeypatch, tmp_path):
    monkeypatch.setenv("TRIALS_DATA_DIR", str(tmp_path))
    assert datasets.data_directory(None) == tmp_path
    with pytest.raises(UserError, match=r"The data folder '.*elsewhere' does not exist"):
        datasets.data_directory(str(tmp_path / "elsewhere"))
    monkeypatch.delenv("TRIALS_DATA_DIR")
    assert datasets.data_directory(None) is None


def test_a_declaration_reads_as_plain_values():
    def flowers():
        raise AssertionError

    plain = datasets.declaration(Data(flowers, size=(2, 3), mean=(0.5,), std="train"))
    assert (plain["source"], plain["size"], plain["labels"]) == ("flowers()", [2, 3], "index")


def test_a_declaration_leaves_out_what_variants_may_differ_in():
    one = Data("iris", test_fraction=0.2)
    other = dataclasses.replace(one, validation_fraction=0.1, stratified=True, split_seed=None, mean=0.5, std=2)
    assert datasets.declaration(one) == datasets.declaration(other)
    for changes in ({"test_fraction": 0.3}, {"scale": 2}, {"labels": "one_hot"}, {"size": (4, 4)}):
        assert datasets.declaration(dataclasses.replace(one, **changes)) != datasets.declaration(one)


CELLS = st.sampled_from(
    ["", "0", "1", "x", "nan", "inf", "1e999", "9" * 400, '"', '"a,b"', "true", "2024-01-01", "é", "\0"]
)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.lists(CELLS, max_size=4), max_size=8), st.sampled_from(["y", "a", "0", None]), st.booleans())
def test_any_csv_file_is_loaded_or_refused_in_a_sentence(tmp_path_factory, rows, label, headed):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    table = [["a", "y"], *rows] if headed else rows
    path.write_text("\n".join(map(",".join, table)), encoding="utf-8")
    try:
        samples = load(Data("any.csv", label=label, test_fraction=0.5), base=path.parent)
    except UserError as error:
        assert 1 <= len(str(error).splitlines()) <= 3
    else:
        assert np.isfinite(samples.x).all()
        assert set(samples.y.tolist()) == set(range(samples.classes))


@settings(deadline=None, max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from(["x", "y", "x_train", "y_train", "x_test", "y_test"]),
        st.sampled_from(["u1", "<f4", ">f8", "?", "<U3", "S2", "<c8", "<M8[s]"]).flatmap(
            lambda kind: arrays.arrays(
                np.dtype(kind), arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
            )
        ),
        min_size=2,
    )
)
def test_any_npz_file_is_loaded_or_refused_in_a_sentence(tmp_path_factory, held):
    path = tmp_path_factory.getbasetemp() / "any.npz"
    np.savez(path, **held)
    try:
        samples = load(Data("any.npz", test_fraction=None if "x_test" in held else 0.5), base=path.parent)
    except UserError as error:
        assert 1 <= len(str(error).splitlines()) <= 3
    else:
        assert np.isfinite(samples.x).all()
