import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trials.datasets import Samples, load
from trials.errors import UserError
from trials.experiment import Data
from trials.splits import ALIGNMENT, counts, drawn, split


def numbered(n, classes=2):
    """Samples whose single feature is their index."""
    return Samples(np.arange(n, dtype=np.float32)[:, np.newaxis], np.arange(n, dtype=np.int32) % classes, 0, classes)


def indices(parts):
    return {name: x[:, 0].astype(int).tolist() for name, (x, _) in parts.items()}


@settings(deadline=None)
@given(st.integers(10, 300), st.floats(0.05, 0.6), st.floats(0.05, 0.6), st.integers(0, 2**32 - 1))
def test_a_split_is_scikit_learns_test_first_then_validation_from_the_rest(n, test, validation, state):
    from sklearn.model_selection import train_test_split

    data = Data("iris", test_fraction=test, validation_fraction=validation, split_seed=state)
    rest, tested = train_test_split(range(n), test_size=test, random_state=state)
    train, validated = train_test_split(rest, test_size=validation, random_state=state)
    parts = split(numbered(n), data, seed=0)
    assert indices(parts) == {"train": train, "validation": validated, "test": tested}
    assert counts(data, n, 0) == {"train": len(train), "validation": len(validated), "test": len(tested)}


@settings(max_examples=25, deadline=None)
@given(st.integers(30, 200), st.integers(2, 4), st.integers(0, 2**32 - 1))
def test_a_stratified_split_is_scikit_learns_and_keeps_the_classes_proportions(n, classes, state):
    from sklearn.model_selection import train_test_split

    samples = numbered(n, classes)
    data = Data("iris", test_fraction=0.3, split_seed=state, stratified=True)
    parts = split(samples, data, seed=0)
    train, test = train_test_split(range(n), test_size=0.3, random_state=state, stratify=samples.y)
    assert indices(parts) == {"train": train, "test": test}
    for _, y in parts.values():
        assert abs(np.bincount(y) - np.bincount(samples.y) * len(y) / n).max() < 1


def test_a_published_test_set_stays_whole_and_validation_comes_from_the_rest():
    samples = dataclasses.replace(numbered(10), fixed_test=4)
    parts = indices(split(samples, Data("mnist", validation_fraction=0.5), seed=0))
    assert parts["test"] == [6, 7, 8, 9]
    assert sorted(parts["train"] + parts["validation"]) == [0, 1, 2, 3, 4, 5]
    assert len(parts["validation"]) == 3


@settings(deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_a_resampled_split_is_a_trials_own_disjoint_and_repeatable(seed, stratified):
    data = Data("iris", test_fraction=0.2, validation_fraction=0.2, split_seed=None, stratified=stratified)
    parts = indices(split(numbered(100), data, seed))
    assert sorted(index for part in parts.values() for index in part) == list(range(100))
    assert parts == indices(split(numbered(100), data, seed))
    assert parts["test"] != indices(split(numbered(100), data, seed + 1))["test"]


def test_a_fixed_split_does_not_depend_on_the_trials_seed():
    data = Data("iris", test_fraction=0.2, split_seed=3)
    assert indices(split(numbered(50), data, 0)) == indices(split(numbered(50), data, 1))
    other = dataclasses.replace(data, split_seed=4)
    assert indices(split(numbered(50), data, 0)) != indices(split(numbered(50), other, 0))


@pytest.mark.parametrize(
    ("samples", "data", "message"),
    [
        (numbered(4), Data("iris", test_fraction=0.9), "A split of 4 from 4 samples leaves none to train on"),
        (
            Samples(np.zeros((5, 1), np.float32), np.array([0, 0, 0, 0, 1], np.int32), 0, 2),
            Data("iris", test_fraction=0.4, stratified=True),
            "The data cannot be split evenly over its classes",
        ),
    ],
)
def test_a_split_that_cannot_be_made_is_a_user_error(samples, data, message):
    with pytest.raises(UserError, match=message):
        split(samples, data, 0)


# normalisation and labels


def test_mean_is_subtracted_and_std_divides():
    samples = Samples(np.array([[1, 2], [3, 4]], np.float32), np.array([0, 1], np.int32), 1, 2)
    parts = split(samples, Data("iris", mean=1, std=(1.0, 2.0)), 0)
    assert parts["train"][0].tolist() == [[0, 0.5]]
    assert parts["test"][0].tolist() == [[2, 1.5]]


def test_mean_and_std_train_are_those_of_the_training_part_alone():
    samples = Samples(np.array([[0], [4], [100]], np.float32), np.array([0, 1, 1], np.int32), 1, 2)
    parts = split(samples, Data("iris", mean="train", std="train"), 0)
    assert parts["train"][0].tolist() == [[-1], [1]]
    assert parts["test"][0].tolist() == [[49]]
    assert parts["test"][0].dtype == np.float32


def test_mean_and_std_train_of_images_are_one_a_channel():
    images = np.zeros((2, 2, 1, 2), np.float32)
    images[..., 0] = [[[2], [4]], [[4], [6]]]  # mean 4, std sqrt(2)
    images[..., 1] = [[[0], [0]], [[8], [8]]]  # mean 4, std 4
    x, _ = split(
        Samples(np.concatenate([images] * 2), np.array([0, 1, 0, 1]), 2, 2), Data("a", mean="train", std="train"), 0
    )["train"]
    np.testing.assert_allclose(x[..., 0].ravel(), [-(2**0.5), 0, 0, 2**0.5], rtol=1e-6)
    assert x[..., 1].ravel().tolist() == [-1, -1, 1, 1]


@pytest.mark.parametrize(
    "value",
    [0.0, 0.5, pytest.param(0.1)],
)
def test_a_constant_column_becomes_0_and_is_not_divided_by_0(value):
    x = np.full((150, 1), value, np.float32)
    x[-1] += 1  # in the test part
    samples = Samples(x, np.arange(150, dtype=np.int32) % 2, 1, 2)
    parts = split(samples, Data("iris", mean="train", std="train"), 0)
    assert not parts["train"][0].any()
    assert parts["test"][0].tolist() == [[1]]


def test_mean_and_std_train_are_exact_for_many_samples():
    x = np.resize(np.array([0.4, 0.6], np.float32), (1_000_001, 1)).repeat(2, axis=1)
    parts = split(Samples(x, np.zeros(1_000_001, np.int32), 1, 2), Data("a", mean="train", std="train"), 0)
    np.testing.assert_allclose(parts["train"][0][:2], [[-1, -1], [1, 1]], rtol=1e-3)


def test_a_test_parts_labels_may_lack_a_class_and_one_hot_still_has_its_column():
    samples = Samples(np.zeros((4, 1), np.float32), np.array([0, 1, 2, 1], np.int32), 1, 3)
    parts = split(samples, Data("iris", labels="one_hot"), 0)
    assert parts["test"][1].tolist() == [[0, 1, 0]]
    assert sorted(parts["train"][1].tolist(), reverse=True) == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_binary_labels_are_a_float_column():
    _, y = split(dataclasses.replace(numbered(3), fixed_test=1), Data("iris", labels="binary"), 0)["train"]
    assert (y.tolist(), y.dtype) == ([[0], [1]], np.float32)


def test_a_mean_for_another_number_of_channels_is_a_user_error():
    with pytest.raises(UserError):
        split(load(Data("iris", test_fraction=0.2)), Data("iris", test_fraction=0.2, mean=(1.0, 2.0), std=1.0), 0)


@pytest.mark.parametrize("labels", ["index", "one_hot"])
@pytest.mark.parametrize(
    "normalized", [{}, {"mean": "train", "std": "train"}, {"mean": 0.5, "std": (1.0, 2.0, 3.0, 4.0)}]
)
def test_what_is_drawn_without_a_copy_is_the_split_itself(labels, normalized):
    data = Data("iris", test_fraction=0.2, validation_fraction=0.2, split_seed=None, labels=labels, **normalized)
    samples = load(data)
    parts, found = split(samples, data, 7), drawn(samples, data, 7)
    assert parts.keys() == found.keys()
    for name, (x, y) in parts.items():
        all_x, labelled, rows, mean, std = found[name]
        assert all_x is samples.x
        np.testing.assert_array_equal((all_x[rows] - mean) / std, x)
        np.testing.assert_array_equal(labelled, y)
        assert {rows.dtype, mean.dtype, std.dtype} == {np.dtype("int32"), np.dtype("float32")}


def test_what_is_drawn_without_a_copy_must_stay_finite_too():
    samples = dataclasses.replace(numbered(10), x=np.full((10, 1), 3e38, np.float32))
    with pytest.raises(UserError, match=r"float32 cannot hold once Data\.mean"):
        drawn(samples, Data("iris", test_fraction=0.2, split_seed=None, mean=0.0, std=1e-9), 0)


@pytest.mark.parametrize("scale", [{}, {"mean": "train", "std": "train"}])
@pytest.mark.parametrize("fraction", [None, 0.3])
def test_inputs_lie_where_vector_units_load_them(scale, fraction):
    data = Data("iris", test_fraction=0.2, validation_fraction=fraction, **scale)
    samples = numbered(150)
    before = samples.x.copy()
    for x, _ in split(samples, data, 0).values():
        assert x.ctypes.data % ALIGNMENT == 0
        assert x.flags.carray and x.dtype == np.float32
    assert np.array_equal(samples.x, before)
