import dataclasses
import pickle

from benchmarks import cluster
from experiments import EXPERIMENTS
from trials.engines.results import TrialResult, Unit


def test_a_canned_task_answers_each_seed_of_each_unit():
    configuration, *_ = EXPERIMENTS["iris_hidden_units"].configurations()
    unit = Unit(0, configuration, ((1, 0), (2, 1)), "auto")
    other = dataclasses.replace(unit, index=1, seeds=((3, 2),))
    name, *results = cluster.canned(None, TrialResult(9, 9, "ok"), False, pickle.dumps([unit, other]))
    assert isinstance(name, str)
    assert [(result.trial, result.seed) for result in results] == [(1, 0), (2, 1), (3, 2)]
