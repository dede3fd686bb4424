"""Batch norm's parameters are pooled over trials."""

import numpy as np

from tests.plots.small_tables import BATCH_NORM, PLAIN, styled
from trials.plots.batch_norm import batch_norm_figure, layers
from trials.plots.tables import read


def test_batch_norm_pools_trials_and_shows_single_channels_as_points(folder):
    norms = [
        BATCH_NORM,
        *("mlp,1,input,1,1.1,,0,1", "mlp,1,c1_batch_norm,1,0.9,,0,1", "mlp,1,c1_batch_norm,2,1.3,,0,1"),
        *("mlp,2,input,1,1.2,,0,1", "mlp,2,c1_batch_norm,1,0.8,,0,1", "mlp,2,c1_batch_norm,2,1.0,,0,1"),
        "mlp,3,input,1,99,,0,1",  # diverged
    ]
    tables = read(folder(PLAIN, batch_norm=norms))
    pooled = layers(tables.batch_norm["mlp",], "gamma")
    assert {layer: values.tolist() for layer, values in pooled.items()} == {
        "input": [1.1, 1.2],
        "c1_batch_norm": [0.9, 1.3, 0.8, 1.0],
    }
    gamma, beta = styled(batch_norm_figure, tables).axes
    assert [text.get_text() for text in gamma.get_yticklabels()] == ["input", "c1"]
    start, points, median = (np.asarray(line.get_xdata()).tolist() for line in gamma.lines)
    assert start == [1, 1]
    assert points == [1.1, 1.2]
    assert median == [0.95]
    assert (len(gamma.collections), len(beta.collections)) == (1, 0)  # without a shift there is no violin of it
