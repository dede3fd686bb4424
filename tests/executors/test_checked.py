from dataclasses import replace

from experiments import EXPERIMENTS
from trials.engines.results import Unit
from trials.executors.checked import checked

CONFIGURATIONS = EXPERIMENTS["iris_hidden_units"].configurations()


def unit(index, *seeds):
    return Unit(index, CONFIGURATIONS[index], tuple((seed + 1, seed) for seed in seeds), "auto")


def test_a_configuration_is_checked_in_its_first_round_and_keeps_its_engine():
    seen, known = [], {}

    def check(units):
        seen.append([each.index for each in units])
        return [replace(each, engine="fit") if each.index == 1 else each for each in reversed(units)]

    assert checked([unit(0, 0, 1), unit(1, 0)], known, check) == [unit(0, 0, 1), replace(unit(1, 0), engine="fit")]
    # A resumed run's first round may lack a configuration.
    later = checked([unit(0, 2), unit(1, 2), unit(2, 2)], known, check)
    assert later == [unit(0, 2), replace(unit(1, 2), engine="fit"), unit(2, 2)]
    assert seen == [[0, 1], [2]]
