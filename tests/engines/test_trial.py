"""What one trial measures, worked by hand on a session that only returns figures."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trials.engines.results import Figures
from trials.engines.trial import figures


def measured(losses, right=None):
    """A session whose evaluation gives these."""
    losses = np.asarray(losses, np.float32)
    right = np.zeros(len(losses), bool) if right is None else np.asarray(right)
    return SimpleNamespace(evaluate=lambda part: (right, losses))


def test_figures_are_means_over_samples_and_on_request_over_batches_with_an_uneven_last_one():
    session = measured([1, 2, 3, 4, 10], [True, True, False, True, False])
    assert figures(session, "test") == Figures(0.6, 4.0, None)
    assert figures(session, "test", 2) == Figures(0.6, 4.0, 5.0)  # batches' means 1.5, 3.5 and 10
    assert figures(session, "test", 4) == Figures(0.6, 4.0, 6.25)  # 2.5 and 10
    assert figures(session, "test", 5) == figures(session, "test", 100) == Figures(0.6, 4.0, 4.0)


@settings(deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_over_batches_of_one_size_both_means_are_the_same(batch, batches, seed):
    found = figures(measured(np.random.default_rng(seed).random(batch * batches)), "test", batch)
    assert found.loss_over_batches == pytest.approx(found.loss, rel=1e-12)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_s002s_statistic_is_0_384_times_the_mean_over_batches(seed, last):
    """It sums 40 batches' mean losses, each times the 96 samples of the last training batch, over 10,000."""
    losses = np.random.default_rng(seed).random(10_000).astype(np.float32)
    losses[-16:] *= np.float32(last)
    means = [float(np.mean(losses[start : start + 256], dtype=np.float64)) for start in range(0, 10_000, 256)]
    assert len(means) == 40
    statistic = sum(96 * mean for mean in means) / 10_000
    found = figures(measured(losses), "test", 256)
    assert 0.384 * found.loss_over_batches == pytest.approx(statistic, rel=1e-12)
    assert 0.375 * found.loss + 0.009 * means[-1] == pytest.approx(statistic, rel=1e-12)
