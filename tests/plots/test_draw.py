"""Which figures there are, and that drawing leaves nothing else behind."""

import subprocess
import sys
from xml.etree import ElementTree

import pytest

from tests.conftest import ENVIRONMENT, ROOT
from tests.plots.small_tables import BATCH_NORM, EPOCHS, PLAIN, SUMMARY, SWEEP, TRIALS
from trials import plots
from trials.page.figures import local
from trials.plots.tables import read


def test_importing_loads_nothing_heavy():
    code = "import sys, trials.plots; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"tensorflow", "keras", "matplotlib", "pandas", "models", "experiments"} & set(done.stdout.split())


def test_drawing_changes_no_setting_and_needs_no_screen(folder):
    code = (
        "import sys, pathlib, lazy_loader, matplotlib; before = dict(matplotlib.rcParams);"
        "lazy_loader.load('tensorflow');"  # as an experiment may have it that other processes train
        "from trials import plots; path = pathlib.Path(sys.argv[1]); drawn = plots.draw(path, plots.tables.read(path));"
        "print(len(drawn), before == dict(matplotlib.rcParams), *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(folder(PLAIN))],
        cwd=ROOT,
        env={**ENVIRONMENT, "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        check=True,
    )
    count, same, *modules = done.stdout.split()
    assert (count, same, done.stderr) == ("3", "True", "")
    assert not {"matplotlib.pyplot", "tensorflow.python", "keras"} & set(modules)


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
    drawn = plots.draw(path, read(path))
    assert list(drawn) == names.split()
    there = {each.name: each.read_bytes() for each in (path / "figures").iterdir()} if drawn else {}
    assert there == {f"{name}.svg": drawing.svg for name, drawing in drawn.items()}
    assert drawn or not (path / "figures").exists()


def test_two_drawings_are_equal_byte_for_byte(folder):
    one, other = (plots.draw(path, read(path)) for path in (folder(PLAIN, name, batch_norm=NORMS) for name in "ab"))
    assert (len(one), one) == (4, other)


def test_an_outdated_figure_goes_and_a_users_own_stays(folder):
    path = folder(SWEEP)
    (path / "figures").mkdir()
    for name in ("losses.svg", "sweep.svg", "mine.svg"):
        (path / "figures" / name).write_text("old")
    plots.draw(path, read(path))
    assert sorted(each.name for each in (path / "figures").iterdir()) == ["mine.svg", "sweep.svg"]
    assert (path / "figures" / "mine.svg").read_text() == "old"
    assert (path / "figures" / "sweep.svg").read_text() != "old"


HOSTILE = [r"$\frac$", "\x01\x02\x7f", "-->", "]]>", "<script>&'", "%s{}\\", "名前\ufffe", "=1+1", "x" * 99]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
@pytest.mark.parametrize("tables", [PLAIN, SWEEP], ids=["plain", "sweep"])
def test_a_name_of_any_letters_is_drawn_as_text(folder, tables, text):
    """Names of variants and of what was swept; what is drawn is XML, and holds nothing but shapes."""
    named = {
        name: [line.replace("mlp", text).replace("units", text) for line in lines] for name, lines in tables.items()
    }
    path = folder(named)
    drawn = plots.draw(path, read(path))
    assert drawn
    for drawing in drawn.values():
        tags = {local(element.tag) for element in ElementTree.fromstring(drawing.svg).iter()}
        assert not {"script", "text", "image"} & tags
