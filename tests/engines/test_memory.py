"""Models trained one after another leave nothing behind: a process's resident memory does not grow."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

TRAINING = """
import sys
sys.path.insert(0, {root!r})
from trials import environment
environment.prepare_process("cpu")
import psutil
from dataclasses import replace
from experiments import EXPERIMENTS
from trials import datasets
from trials.engines import Trainer
from trials.engines.results import Unit

experiment = EXPERIMENTS["iris_hidden_units"]
first = experiment.configurations()[0]
trainer, done = Trainer(datasets.load(experiment.data)), 0
for trained in {counts}:
    for index in range({units}):
        seeds = tuple((trial, trial - 1) for trial in range(done + 1, trained + 1))
        configuration = replace(first, protocol=replace(first.protocol, epochs=1, {changes}))
        unit = Unit(trained * index, configuration, seeds, {engine!r})
        assert all(result.status == "ok" for result in trainer.run(unit))
    done = trained
    print(psutil.Process().memory_info().rss)
"""


ALONE, SIDE_BY_SIDE = 'optimizer="sgd"', "batch_size=8 + index"


def growth(engine, first, last, units=1, changes=ALONE):
    """By how many megabytes a process grows from the first so many trials to the last, in `units` configurations."""
    code = TRAINING.format(root=str(ROOT), engine=engine, counts=(first, last), units=units, changes=changes)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = (int(line) / 2**20 for line in done.stdout.splitlines()[-2:])
    return after - before


@pytest.mark.slow
@pytest.mark.parametrize("changes", [ALONE, SIDE_BY_SIDE])
def test_a_thousand_trials_in_the_graph_engine_stay_within_50_megabytes(changes):
    assert growth("graph", 100, 1000, changes=changes) <= 50


@pytest.mark.slow
def test_forty_trials_with_fit_stay_within_10_megabytes():
    """Forty, not a thousand: `fit` traces every model anew, which takes a second. Before its optimizers were kept from
    TensorFlow's registry of gradients each trial left 2.5 MB; 30 trials of that are 75."""
    assert growth("fit", 10, 40) <= 10


@pytest.mark.slow
@pytest.mark.parametrize("changes", [ALONE, SIDE_BY_SIDE])
def test_thirty_configurations_stay_within_10_megabytes(changes):
    """Each is traced once, and its trace goes when the next is. Left to Python's own rounds they took 1.3 MB each."""
    assert growth("graph", 1, 2, units=15, changes=changes) <= 10
