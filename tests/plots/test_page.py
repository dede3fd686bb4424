"""Accuracy axes, and names that cannot harm a figure."""

import math
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.plots.small_tables import SUMMARY, SWEEP, TRIALS, styled
from trials.plots import draw
from trials.plots.accuracies import accuracies_figure
from trials.plots.page import LADDER, accuracy_ticks, stretch, stretched, unstretch
from trials.plots.sweep import sweep_figure
from trials.plots.tables import read


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ((0.31, 0.97), (0.2, 1.0)),
        ((0.95, 1.2), (0.94, 1.0)),  # a spread beyond 1
        ((1.0, 1.0), (0.99, 1.0)),
        ((0.0, 0.0), (0.0, 0.01)),
        ((math.nan, 0.9), (0.895, 0.905)),
        ((0.1, 0.95, 0.97, 0.985), (0.0, 0.99)),  # stretched
        ((0.55, 0.95, 0.97, 1.2), (0.5, 1.0)),
    ],
)
def test_accuracy_axes_end_at_round_numbers(values, ticks):
    found = accuracy_ticks(np.array(values))
    assert (found[0], found[-1]) == pytest.approx(ticks)


def test_one_low_accuracy_does_not_flatten_the_others(folder):
    accuracies = {"a": 0.95, "b": 0.97, "c": 0.98, "d": 0.1}
    trials = [f"e,{variant},1,0,ok,1,1,{value},,5," for variant, value in accuracies.items()]
    summary = [f"{variant},1,0,{value},," for variant, value in accuracies.items()]
    tables = read(folder({"trials": [TRIALS, *trials], "summary": [SUMMARY, *summary]}))
    figure = styled(accuracies_figure, tables)
    (panel,) = figure.axes
    left, right = panel.transAxes.inverted().transform(panel.transData.transform([(0.9, 0), (0.98, 0)]))[:, 0]
    # Minus the logarithm of the error plus 0.005, with 3 % at both ends: ln(0.105 / 0.025) of 1.06 ln(1.005 / 0.015).
    assert right - left == pytest.approx(1.4351 / (1.06 * 4.2047), abs=1e-4)
    assert "from 0 to 0.99, not linear: stretched towards 1." in figure.texts[1].get_text()
    assert not stretched(np.array([0.7, 0.95, 0.97, 0.98]))
    np.testing.assert_allclose(unstretch(stretch(LADDER)), LADDER, atol=1e-12)


def renamed(tables, variant):
    return {name: [line.replace("mlp", variant) for line in lines] for name, lines in tables.items()}


@pytest.mark.parametrize(
    ("name", "as_drawn"),
    [
        ("<script>alert(1)</script>&--", "<script>alert(1)</script>&--"),
        ("$x_$", "$x_$"),
        ("\u7f51\u7edc", "\\u7f51\\u7edc"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_names_are_drawn_as_they_are(folder, name, as_drawn):
    tables = renamed(SWEEP, name)
    tables["summary"].append(tables["summary"][1].replace(name, "other"))  # two variants: names are shown
    tables["trials"].append(tables["trials"][1].replace(name, "other"))
    path = folder(tables)
    (drawing,) = draw(path, read(path)).values()
    elements = {element.tag.split("}")[1] for element in ElementTree.fromstring(drawing.svg).iter()}
    assert "script" not in elements
    figure = styled(sweep_figure, read(path))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [as_drawn, "other"]
    assert not any(text.get_parse_math() for text in figure.legends[0].get_texts())
