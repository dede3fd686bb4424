"""A sweep shows means, intervals and trials on the axis that suits its values."""

import numpy as np
import pytest

from tests.plots.small_tables import PUBLISHED, SWEEP, styled
from trials.plots.sweep import geometric, sweep_figure
from trials.plots.tables import read


def test_a_sweep_shows_means_intervals_and_trials(folder):
    published = [
        PUBLISHED,
        "S1,test_accuracy,,0.75,10,0.65,,,inside,",
        "S1,test_accuracy,variant=mlp units=10,0.85,10,0.8,,,inside,",
    ]
    tables = read(folder(SWEEP, published=published))
    panel = styled(sweep_figure, tables).axes[0]
    assert [line.get_ydata().tolist() for line in panel.lines[:2]] == [[0.4, 0.6], [0.7, 0.9]]
    mean = panel.containers[0][0]
    assert mean.get_ydata().tolist() == [0.5, 0.8]
    assert [float(x) for x in mean.get_xdata()] == pytest.approx([2, 10], abs=0.2)  # moved sideways a little
    low_high = [segment[:, 1] for segment in panel.collections[0].get_segments()]
    np.testing.assert_allclose(low_high, [[0.3, 0.7], [0.65, 0.95]])
    over_both, at_ten = panel.lines[-2:]
    assert list(over_both.get_ydata()) == [0.75, 0.75]
    assert (list(at_ten.get_xdata()), list(at_ten.get_ydata())) == ([10], [0.85])
    assert panel.get_xscale() == "linear"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((10, 20, 30, 40), False),
        ((16, 32, 64), True),
        ((0.3, 0.001, 0.1, 0.003, 0.01, 0.03), True),
        ((10, 20, 50, 100), True),
        ((0, 0.1, 1, 10), False),
        ((1, 1000), False),
    ],
)
def test_a_logarithmic_axis_is_for_even_ratios(values, expected):
    assert geometric(values) is expected
