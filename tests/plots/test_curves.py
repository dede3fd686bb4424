"""Learning curves show the tables' numbers."""

import math

import numpy as np
import pytest

from tests.plots.small_tables import EPOCHS, PLAIN, PUBLISHED, SUMMARY, TRIALS, styled
from trials.plots.accuracies import accuracies_figure
from trials.plots.curves import curve, curves_figure
from trials.plots.tables import read


def test_a_curve_is_the_mean_over_the_trials_that_got_so_far(folder):
    tables = read(folder(PLAIN))
    found = curve(tables.epochs["mlp",], "train_accuracy")
    assert found.epoch.tolist() == [1, 2, 3]
    # Of 0.5 and 0.7: mean 0.6, s = sqrt(2 * 0.1^2). The diverged trial's 0.1 is in none.
    np.testing.assert_allclose(found.mean, [0.6, 0.8, 0.9])
    np.testing.assert_allclose(found.std, [math.sqrt(0.02), math.sqrt(0.02), math.nan])
    assert found.n.tolist() == [2, 2, 1]
    assert not len(curve(tables.epochs["mlp",], "validation_accuracy").epoch)


def test_curves_as_drawn(folder):
    figure = styled(curves_figure, read(folder(PLAIN)), "loss")
    (panel,) = figure.axes
    alone, together = (line.get_ydata() for line in panel.lines)
    np.testing.assert_allclose(together, [1.5, 0.9, math.nan])  # of 1 and 2, 0.8 and 1; one trial goes on
    np.testing.assert_allclose(alone, [math.nan, 0.9, 0.6])
    corners = panel.collections[0].get_paths()[0].vertices
    assert corners[:, 1].max() == pytest.approx(1.5 + math.sqrt(0.5))
    assert "Thin lines" in figure.texts[1].get_text()


@pytest.mark.parametrize("low", ["0.1", "0.85"])
def test_panels_share_their_axes(folder, low):
    epochs = [f"e,{variant},1,0,{epoch},0.95,1.0,," for variant in ("mlp", "cnn") for epoch in (1, 2, 3)]
    epochs[-1] = f"e,cnn,1,0,3,{low},1.0,,"
    trials = [TRIALS, PLAIN["trials"][1], PLAIN["trials"][1].replace("mlp", "cnn")]
    summary = [SUMMARY, "mlp,1,0,0.8,,", "cnn,1,0,0.8,,"]
    tables = read(folder({"trials": trials, "summary": summary, "epochs": [EPOCHS, *epochs]}))
    left, right = styled(curves_figure, tables, "accuracy").axes
    assert left.get_ylim() == right.get_ylim()
    assert left.get_ylim()[0] < float(low)
    assert left.get_ylim()[1] > 0.95
    assert left.get_xlim() == right.get_xlim()


def test_one_trial_has_a_line_and_no_spread(folder):
    tables = {"trials": PLAIN["trials"][:2], "summary": [SUMMARY, "mlp,1,0,0.8,,"], "epochs": PLAIN["epochs"][:4]}
    tables = read(folder(tables))
    curves = styled(curves_figure, tables, "accuracy")
    np.testing.assert_allclose(curves.axes[0].lines[1].get_ydata(), [0.5, 0.7, 0.9])
    assert "One trial: no spread." in curves.texts[1].get_text()
    accuracies = styled(accuracies_figure, tables)
    assert [line.get_xdata().tolist() for line in accuracies.axes[0].lines] == [[0.8]]


def test_published_curves_stand_in_their_panel(folder):
    published = [
        PUBLISHED,
        "S1,train_accuracy,variant=mlp epoch=2,0.75,1,,,,inside,",
        "S1,train_accuracy,variant=mlp epoch=1,0.55,1,,,,inside,",
        "S1,train_accuracy,variant=mlp epoch=4,0.95,1,,,,not measured,",  # beyond our three epochs
        "S1,train_accuracy,variant=other epoch=1,0.35,1,,,,not measured,",
        "S1,train_loss,variant=mlp epoch=1,0.65,1,,,,inside,",
    ]
    figure = styled(curves_figure, read(folder(PLAIN, published=published)), "accuracy")
    marks = [line for line in figure.axes[0].lines if line.get_fillstyle() == "none"]
    assert [(list(mark.get_xdata()), list(mark.get_ydata())) for mark in marks] == [([2, 1], [0.75, 0.55])]
    assert "published by S1, a single run" in figure.texts[1].get_text().replace("\n", " ")
