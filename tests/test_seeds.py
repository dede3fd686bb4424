import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trials.seeds import Stream, batch_order, dropout_states, integer, sequence

SEEDS = st.integers(0, 2**64)


def test_streams_and_orders_of_seed_0_are_those_behind_every_published_result():
    assert [integer(0, stream) for stream in Stream] == [3757552657, 673228719, 3241444873, 3685993406]
    assert batch_order(0, 1, 10).tolist() == [0, 6, 4, 2, 1, 8, 7, 9, 5, 3]
    assert batch_order(0, 2, 10).tolist() == [8, 7, 1, 5, 6, 0, 3, 2, 9, 4]
    assert dropout_states(0, 2).tolist() == [[3685993406, 3082302701], [753534295, 4087185121]]


@settings(deadline=None)
@given(SEEDS)
def test_the_streams_of_a_seed_differ_and_repeat(seed):
    drawn = {tuple(sequence(seed, stream).generate_state(4)) for stream in Stream}
    assert len(drawn) == len(Stream)
    assert drawn == {tuple(sequence(seed, stream).generate_state(4)) for stream in Stream}


@pytest.mark.parametrize("stream", Stream)
def test_no_two_of_many_neighbouring_seeds_share_a_stream(stream):
    assert len({tuple(sequence(seed, stream).generate_state(2)) for seed in range(2000)}) == 2000


@pytest.mark.parametrize("pair", [(a, b) for a in Stream for b in Stream if a < b])
def test_streams_are_uncorrelated(pair):
    first, second = (np.random.default_rng(sequence(0, stream)).normal(size=10_000) for stream in pair)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.04  # four standard errors


@settings(deadline=None)
@given(SEEDS, st.integers(1, 1000), st.integers(0, 300))
def test_an_order_visits_every_sample_once_and_repeats(seed, epoch, samples):
    order = batch_order(seed, epoch, samples)
    assert sorted(order) == list(range(samples))
    assert order.dtype == np.int32
    np.testing.assert_array_equal(order, batch_order(seed, epoch, samples))


@settings(deadline=None)
@given(SEEDS, st.integers(1, 1000))
def test_orders_differ_by_epoch_and_by_seed(seed, epoch):
    order = batch_order(seed, epoch, 100).tolist()
    assert order != batch_order(seed, epoch + 1, 100).tolist()
    assert order != batch_order(seed + 1, epoch, 100).tolist()


@settings(deadline=None)
@given(SEEDS, st.integers(1, 1000), st.integers(0, 300))
def test_without_shuffle_the_order_is_that_of_the_data(seed, epoch, samples):
    order = batch_order(seed, epoch, samples, shuffle=False)
    assert order.tolist() == list(range(samples))
    assert order.dtype == np.int32


def test_every_sample_is_as_likely_to_come_first():
    counts = np.bincount([batch_order(seed, 1, 5)[0] for seed in range(2000)], minlength=5)
    assert abs(counts - 400).max() < 72  # four standard deviations of a binomial count


@settings(deadline=None)
@given(SEEDS, st.integers(0, 20))
def test_more_seed_generators_leave_the_states_of_the_first_ones(seed, count):
    states = dropout_states(seed, count + 1)
    assert states.shape == (count + 1, 2)
    assert states.dtype == np.uint32
    np.testing.assert_array_equal(states[:count], dropout_states(seed, count))
