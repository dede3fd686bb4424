"""Figures: which there are, that they show the tables' numbers, and that names cannot harm them."""

import math
import os
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.conftest import ROOT
from trials import plots

TRIALS = "experiment,variant,trial,seed,status,epochs,best_epoch,test_accuracy,test_loss,parameters,error"
SUMMARY = "variant,n,failed,test_accuracy_mean,test_accuracy_ci95_low,test_accuracy_ci95_high"
EPOCHS = "experiment,variant,trial,seed,epoch,train_accuracy,train_loss,validation_accuracy,validation_loss"
PUBLISHED = "source,metric,where,published,runs,measured_mean,prediction95_low,prediction95_high,verdict,note"
BATCH_NORM = "variant,trial,layer,channel,gamma,beta,moving_mean,moving_variance"

# Two trials of one variant; the second stopped after two of three epochs. A third diverged.
PLAIN = {
    "trials": [TRIALS, "e,mlp,1,0,ok,3,3,0.8,,5,", "e,mlp,2,1,ok,2,2,0.9,,5,", "e,mlp,3,2,diverged,1,,,,,loss is NaN"],
    "summary": [SUMMARY, "mlp,2,1,0.85,0.21,1.49"],
    "epochs": [
        EPOCHS,
        *("e,mlp,1,0,1,0.5,1.0,,", "e,mlp,1,0,2,0.7,0.8,,", "e,mlp,1,0,3,0.9,0.6,,"),
        *("e,mlp,2,1,1,0.7,2.0,,", "e,mlp,2,1,2,0.9,1.0,,"),
        "e,mlp,3,2,1,0.1,99.0,,",
    ],
}
SWEEP = {
    "trials": [
        TRIALS.replace("trial,", "units,trial,", 1),
        *("e,mlp,2,1,0,ok,1,1,0.4,,5,", "e,mlp,2,2,1,ok,1,1,0.6,,5,"),
        *("e,mlp,10,1,0,ok,1,1,0.7,,5,", "e,mlp,10,2,1,ok,1,1,0.9,,5,"),
    ],
    "summary": [SUMMARY.replace("n,", "units,n,", 1), "mlp,2,2,0,0.5,0.3,0.7", "mlp,10,2,0,0.8,0.65,0.95"],
}


@pytest.fixture
def folder(tmp_path):
    """Writes tables, given as lines, into a results folder."""

    def write(tables, name="results", **more):
        path = tmp_path / name
        path.mkdir(exist_ok=True)
        for table, lines in {**tables, **more}.items():
            (path / f"{table}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


def styled(draw, *arguments):
    """A figure as `draw` would make it."""
    from matplotlib import style

    with style.context(("default", plots.STYLE)):
        return draw(*arguments)


def renamed(tables, variant):
    return {name: [line.replace("mlp", variant) for line in lines] for name, lines in tables.items()}


def test_importing_loads_nothing_heavy():
    code = "import sys, trials.plots; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"tensorflow", "keras", "matplotlib", "pandas", "models", "experiments"} & set(done.stdout.split())


def test_drawing_changes_no_setting_and_needs_no_screen(folder):
    code = (
        "import sys, pathlib, matplotlib; before = dict(matplotlib.rcParams);"
        "from trials import plots; paths = plots.draw(pathlib.Path(sys.argv[1]));"
        "print(len(paths), before == dict(matplotlib.rcParams), *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(folder(PLAIN))],
        cwd=ROOT,
        env={**os.environ, "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        check=True,
    )
    count, same, *modules = done.stdout.split()
    assert (count, same, done.stderr) == ("3", "True", "")
    assert not {"matplotlib.pyplot", "tensorflow", "keras"} & set(modules)


ONE_EPOCH = [EPOCHS, "e,mlp,1,0,1,0.5,1.0,,", "e,mlp,2,1,1,0.7,2.0,,"]
LOSS_ALONE = [EPOCHS, "e,mlp,1,0,1,,1.0,,", "e,mlp,1,0,2,,0.8,,"]
NORMS = [BATCH_NORM, "mlp,1,bn,1,1.0,0.0,0,1", "mlp,1,bn,2,1.5,0.5,0,1"]
ONE_VALUE = {"trials": SWEEP["trials"][:3], "summary": SWEEP["summary"][:2]}


@pytest.mark.parametrize(
    ("tables", "names"),
    [
        (PLAIN, "convergence losses accuracies"),
        ({**PLAIN, "epochs": ONE_EPOCH}, "accuracies"),
        ({**PLAIN, "epochs": LOSS_ALONE}, "losses accuracies"),
        ({**PLAIN, "epochs": [EPOCHS], "batch_norm": NORMS}, "accuracies batch_norm"),
        (SWEEP, "sweep"),
        (ONE_VALUE, "accuracies"),
        ({name: [line.replace(",10,", ",relu,") for line in lines] for name, lines in SWEEP.items()}, "accuracies"),
        ({"trials": [TRIALS, PLAIN["trials"][3]], "summary": [SUMMARY, "mlp,0,1,,,"]}, ""),
        ({}, ""),
    ],
    ids=["plain", "one epoch", "loss alone", "batch norm", "sweep", "one value", "words", "all diverged", "nothing"],
)
def test_the_tables_decide_which_figures_there_are(folder, tables, names):
    path = folder(tables)
    expected = [path / "figures" / f"{name}.svg" for name in names.split()]
    assert plots.draw(path) == expected
    there = sorted((path / "figures").iterdir()) if expected else []
    assert there == sorted(expected)
    assert expected or not (path / "figures").exists()


def test_two_drawings_are_equal_byte_for_byte(folder):
    drawn = [plots.draw(folder(PLAIN, name, batch_norm=NORMS)) for name in ("a", "b")]
    assert len(drawn[0]) == 4
    for one, other in zip(*drawn, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_an_outdated_figure_goes_and_a_users_own_stays(folder):
    path = folder(SWEEP)
    (path / "figures").mkdir()
    for name in ("losses.svg", "sweep.svg", "mine.svg"):
        (path / "figures" / name).write_text("old")
    plots.draw(path)
    assert sorted(each.name for each in (path / "figures").iterdir()) == ["mine.svg", "sweep.svg"]
    assert (path / "figures" / "mine.svg").read_text() == "old"
    assert (path / "figures" / "sweep.svg").read_text() != "old"


def test_a_curve_is_the_mean_over_the_trials_that_got_so_far(folder):
    tables = plots.read(folder(PLAIN))
    found = plots.curve(tables.epochs["mlp",], "train_accuracy")
    assert found.epoch.tolist() == [1, 2, 3]
    # Of 0.5 and 0.7: mean 0.6, s = sqrt(2 * 0.1^2). The diverged trial's 0.1 is in none.
    np.testing.assert_allclose(found.mean, [0.6, 0.8, 0.9])
    np.testing.assert_allclose(found.std, [math.sqrt(0.02), math.sqrt(0.02), math.nan])
    assert found.n.tolist() == [2, 2, 1]
    assert not len(plots.curve(tables.epochs["mlp",], "validation_accuracy").epoch)


def test_curves_as_drawn(folder):
    figure = styled(plots.curves_figure, plots.read(folder(PLAIN)), "loss")
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
    tables = plots.read(folder({"trials": trials, "summary": summary, "epochs": [EPOCHS, *epochs]}))
    left, right = styled(plots.curves_figure, tables, "accuracy").axes
    assert left.get_ylim() == right.get_ylim()
    assert left.get_ylim()[0] < float(low)
    assert left.get_ylim()[1] > 0.95
    assert left.get_xlim() == right.get_xlim()


def test_one_trial_has_a_line_and_no_spread(folder):
    tables = {"trials": PLAIN["trials"][:2], "summary": [SUMMARY, "mlp,1,0,0.8,,"], "epochs": PLAIN["epochs"][:4]}
    tables = plots.read(folder(tables))
    curves = styled(plots.curves_figure, tables, "accuracy")
    np.testing.assert_allclose(curves.axes[0].lines[1].get_ydata(), [0.5, 0.7, 0.9])
    assert "One trial: no spread." in curves.texts[1].get_text()
    accuracies = styled(plots.accuracies_figure, tables)
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
    figure = styled(plots.curves_figure, plots.read(folder(PLAIN, published=published)), "accuracy")
    marks = [line for line in figure.axes[0].lines if line.get_fillstyle() == "none"]
    assert [(list(mark.get_xdata()), list(mark.get_ydata())) for mark in marks] == [([2, 1], [0.75, 0.55])]
    assert "published by S1, a single run" in figure.texts[1].get_text().replace("\n", " ")


def test_a_published_accuracy_stands_beside_its_variant(folder):
    published = [
        PUBLISHED,
        "S1,test_accuracy,,0.95,1,0.85,,,not like with like,",
        "S1,test_accuracy,variant=other,0.2,1,,,,not measured,",
        "S1,test_accuracy,,0.3,1,,,,not measured,",  # over configurations that are not all here
        "S1,train_accuracy,,0.4,1,0.85,,,inside,",
    ]
    figure = styled(plots.accuracies_figure, plots.read(folder(PLAIN, published=published)))
    x = [np.asarray(line.get_xdata()).tolist() for line in figure.axes[0].lines]
    assert x[0] == [0.8, 0.9]
    assert [0.85] in x
    assert x[-1] == [0.95]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["trial", "mean with 95 % t interval", "published (not like with like)"]


def test_a_sweep_shows_means_intervals_and_trials(folder):
    published = [
        PUBLISHED,
        "S1,test_accuracy,,0.75,10,0.65,,,inside,",
        "S1,test_accuracy,variant=mlp units=10,0.85,10,0.8,,,inside,",
    ]
    tables = plots.read(folder(SWEEP, published=published))
    panel = styled(plots.sweep_figure, tables, plots.sweep_values(tables)).axes[0]
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
    assert plots.geometric(values) is expected


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
    found = plots.accuracy_ticks(np.array(values))
    assert (found[0], found[-1]) == pytest.approx(ticks)


def test_one_low_accuracy_does_not_flatten_the_others(folder):
    accuracies = {"a": 0.95, "b": 0.97, "c": 0.98, "d": 0.1}
    trials = [f"e,{variant},1,0,ok,1,1,{value},,5," for variant, value in accuracies.items()]
    summary = [f"{variant},1,0,{value},," for variant, value in accuracies.items()]
    tables = plots.read(folder({"trials": [TRIALS, *trials], "summary": [SUMMARY, *summary]}))
    figure = styled(plots.accuracies_figure, tables)
    (panel,) = figure.axes
    left, right = panel.transAxes.inverted().transform(panel.transData.transform([(0.9, 0), (0.98, 0)]))[:, 0]
    # Minus the logarithm of the error plus 0.005, with 3 % at both ends: ln(0.105 / 0.025) of 1.06 ln(1.005 / 0.015).
    assert right - left == pytest.approx(1.4351 / (1.06 * 4.2047), abs=1e-4)
    assert "from 0 to 0.99, not linear: stretched towards 1." in figure.texts[1].get_text()
    assert not plots.stretched(np.array([0.7, 0.95, 0.97, 0.98]))
    np.testing.assert_allclose(plots.unstretch(plots.stretch(plots.LADDER)), plots.LADDER, atol=1e-12)


def test_of_many_configurations_every_variant_shows_the_same_values(folder):
    pairs = [(variant, str(units)) for variant in "ab" for units in range(10, 101, 10)]
    trials = [f"e,{variant},{units},1,0,ok,1,1,0.5,,5," for variant, units in pairs]
    summary = [f"{variant},{units},1,0,0.5,," for variant, units in pairs]
    tables = plots.read(folder({"trials": [SWEEP["trials"][0], *trials], "summary": [SWEEP["summary"][0], *summary]}))
    # 12 panels for 2 variants are 6 of the 10 values, at places 0, 1.8, 3.6, 5.4, 7.2 and 9.
    chosen = [(variant, units) for units in ("10", "30", "50", "60", "80", "100") for variant in "ab"]
    assert plots.readable(tables, list(tables.summary)) == chosen
    assert plots.readable(tables, pairs[:3]) == pairs[:3]


def test_batch_norm_pools_trials_and_shows_single_channels_as_points(folder):
    norms = [
        BATCH_NORM,
        *("mlp,1,input,1,1.1,,0,1", "mlp,1,c1_batch_norm,1,0.9,,0,1", "mlp,1,c1_batch_norm,2,1.3,,0,1"),
        *("mlp,2,input,1,1.2,,0,1", "mlp,2,c1_batch_norm,1,0.8,,0,1", "mlp,2,c1_batch_norm,2,1.0,,0,1"),
        "mlp,3,input,1,99,,0,1",  # diverged
    ]
    tables = plots.read(folder(PLAIN, batch_norm=norms))
    pooled = plots.layers(tables.batch_norm["mlp",], "gamma")
    assert {layer: values.tolist() for layer, values in pooled.items()} == {
        "input": [1.1, 1.2],
        "c1_batch_norm": [0.9, 1.3, 0.8, 1.0],
    }
    gamma, beta = styled(plots.batch_norm_figure, tables).axes
    assert [text.get_text() for text in gamma.get_yticklabels()] == ["input", "c1"]
    start, points, median = (np.asarray(line.get_xdata()).tolist() for line in gamma.lines)
    assert start == [1, 1]
    assert points == [1.1, 1.2]
    assert median == [0.95]
    assert (len(gamma.collections), len(beta.collections)) == (1, 0)  # without a shift there is no violin of it


@pytest.mark.parametrize(
    ("name", "as_drawn"),
    [
        ("<script>alert(1)</script>&--", "<script>alert(1)</script>&--"),
        ("$x_$", "$x_$"),
        ("$\\frac{$", "$\\frac{$"),
        ("_hidden", "_hidden"),
        ("\u7f51\u7edc\x07", "\\u7f51\\u7edc\\x07"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_names_are_drawn_as_they_are(folder, name, as_drawn):
    tables = renamed(SWEEP, name)
    tables["summary"].append(tables["summary"][1].replace(name, "other"))  # two variants: names are shown
    tables["trials"].append(tables["trials"][1].replace(name, "other"))
    path = folder(tables)
    (svg,) = plots.draw(path)
    elements = {element.tag.split("}")[1] for element in ElementTree.parse(svg).iter()}
    assert "script" not in elements
    found = plots.read(path)
    figure = styled(plots.sweep_figure, found, plots.sweep_values(found))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [as_drawn, "other"]
    assert not any(text.get_parse_math() for text in figure.legends[0].get_texts())


def test_long_names_keep_both_ends():
    text = plots.wrapped("a" * 100 + "one", 20, 2)
    assert [len(line) <= 20 for line in text.split("\n")] == [True, True]
    assert text.startswith("aaa")
    assert text.endswith("aone")
