import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.receptive_field import Filter, jump, output_size, receptive_field

LENET = [Filter(5), Filter(2, 2), Filter(5), Filter(2, 2)]
SIZES = st.integers(1, 7)
STACKS = st.lists(st.builds(Filter, st.integers(1, 4), st.integers(1, 3), st.integers(1, 2)), max_size=4)


def test_three_layers_of_5x5_see_13x13():
    assert receptive_field([Filter(5)] * 3) == 13


def test_lenet_by_hand():
    # 1, +4 = 5, +1 = 6 and steps of 2, +4 * 2 = 14, +1 * 2 = 16 and steps of 4
    assert (receptive_field(LENET), jump(LENET), output_size(32, LENET)) == (16, 4, 5)


def test_dilation_by_hand():
    # 3 taps 2 apart span 5; behind a stride of 3 they add 4 * 3
    assert receptive_field([Filter(2, 3), Filter(3, 1, 2)]) == 2 + 12


def test_without_filters_an_output_is_its_input():
    assert (receptive_field([]), jump([]), output_size(9, [])) == (1, 1, 9)


@given(st.integers(0, 9), SIZES, st.integers(0, 20))
def test_n_filters_of_f_see_and_leave_what_one_of_nf_minus_n_plus_1_does(n, f, outputs_less_one):
    field = n * f - n + 1
    size = field + outputs_less_one
    assert receptive_field([Filter(f)] * n) == field
    assert output_size(size, [Filter(f)] * n) == size - n * f + n == output_size(size, [Filter(field)])


@given(STACKS, STACKS)
def test_stacks_compose(first, second):
    assert jump(first + second) == jump(first) * jump(second)
    assert receptive_field(first + second) - receptive_field(first) == jump(first) * (receptive_field(second) - 1)


@given(STACKS, st.integers(1, 5))
def test_an_unpadded_stack_has_as_many_outputs_as_its_field_has_places(stack, outputs):
    size = receptive_field(stack) + (outputs - 1) * jump(stack)
    assert output_size(size, stack) == outputs
    if outputs > 1:
        assert output_size(size - 1, stack) == outputs - 1


def influence(keras, stack, shape, output, padding="valid"):
    """Which inputs change one output of a Keras stack whose kernels are all ones: booleans of the inputs' shape."""
    import tensorflow as tf

    kind = keras.layers.Conv1D if len(shape) == 1 else keras.layers.Conv2D
    x = tf.ones((1, *shape, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x
        for one in stack:
            y = kind(1, one.size, one.stride, padding=padding, dilation_rate=one.dilation, kernel_initializer="ones")(y)
        chosen = y[(0, *output, 0)]
    return tape.gradient(chosen, x).numpy()[0, ..., 0] != 0


def test_three_layers_of_5x5_in_keras(keras):
    seen = influence(keras, [Filter(5)] * 3, (16, 15), (1, 2))
    assert output_size(16, [Filter(5)] * 3) == 4
    expected = np.zeros((16, 15), bool)
    expected[1:14, 2:15] = True
    np.testing.assert_array_equal(seen, expected)


def test_same_padding_does_not_change_the_field_of_an_inner_output(keras):
    seen = influence(keras, LENET, (40, 40), (5, 5), "same")
    assert seen.sum() == receptive_field(LENET) ** 2
    assert output_size(40, LENET, padding="same") == 10


ONE = st.just(1)  # said, for hypothesis draws what a NamedTuple has a default for
KERAS_FILTERS = st.builds(Filter, st.integers(1, 4), st.integers(1, 3), ONE) | st.builds(
    Filter, st.integers(1, 4), ONE, st.integers(1, 2)
)  # Keras refuses stride and dilation together


@settings(max_examples=15, deadline=None)
@given(stack=st.lists(KERAS_FILTERS, min_size=1, max_size=3), before=st.integers(0, 2), after=st.integers(0, 1))
def test_an_output_of_a_keras_stack_sees_from_its_jump_on_as_far_as_its_field(stack, before, after, keras):
    size = receptive_field(stack) + (before + after) * jump(stack)
    (seen,) = np.nonzero(influence(keras, stack, (size,), (before,)))
    first = before * jump(stack)
    assert (seen[0], seen[-1]) == (first, first + receptive_field(stack) - 1)


@pytest.mark.parametrize("wrong", [Filter(0), Filter(3, 0), Filter(3, 1, 0)])
@pytest.mark.parametrize("answer", [receptive_field, jump, lambda filters: output_size(9, filters)])
def test_filters_that_cannot_be_are_refused(answer, wrong):
    with pytest.raises(ValueError, match=r"at least 1.*Filter\(size="):
        answer([Filter(3), wrong])


def test_an_input_smaller_than_the_field_is_refused():
    with pytest.raises(ValueError, match="must fit"):
        output_size(12, [Filter(5)] * 3)
