import pytest

from benchmarks import __main__ as command
from benchmarks import measure, peak
from benchmarks.contenders import CONTENDERS
from benchmarks.work import OURS, USUAL_WORKS, WORKS

every_work = pytest.mark.parametrize("name", WORKS)


@every_work
def test_a_work_is_an_experiment_that_all_its_contenders_know(name):
    work = WORKS[name]
    assert set(work.contenders) <= set(CONTENDERS)
    assert work.contenders[0] == OURS
    experiment = work.trained(2, 3, processes=4)
    assert experiment.trials == (8 if work.rate else 2)
    for configuration in experiment.configurations():
        assert configuration.protocol.epochs == 3
        assert configuration.protocol.select == "last"
        assert not configuration.data.resampled  # a contender splits once


def test_changes_of_a_work_reach_its_protocol():
    (configuration,) = WORKS["lenet5_batch_256"].trained(1, 1).configurations()
    assert configuration.protocol.batch_size == 256


def test_samples_are_counted_over_trials_epochs_and_configurations():
    assert measure.samples_trained(WORKS["iris"], 10, 10, 2) == 120 * 100 * 10
    assert measure.samples_trained(WORKS["lenet5_batch_32"], 1, 3, 2) == 54_000 * 3 * 2


def test_the_arithmetic_of_a_training_sample():
    """LeNet-5: 416,520 multiply-adds forward, two operations each, three passes."""
    forward = 28 * 28 * 6 * 25 + 10 * 10 * 16 * 25 * 6 + 400 * 120 + 120 * 84 + 84 * 10
    assert peak.operations(WORKS["lenet5_batch_32"]) == 6 * forward


def test_the_usual_works_are_timed_unless_some_are_named(tmp_path):
    assert command.arguments(["--data-dir", str(tmp_path)]).works == ["peak", "overhead", "growth", *USUAL_WORKS]
    assert command.arguments(["iris"]).works == ["iris"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mnist"], "no work 'mnist'"),
        (["iris", "--contenders", "fit,jax"], "no contender 'jax'"),
        (["iris", "cifar10"], "cifar10 needs image data"),
    ],
    ids=["work", "contender", "data"],
)
def test_mistakes_are_refused(words, said, capsys, monkeypatch):
    monkeypatch.delenv("TRIALS_DATA_DIR", raising=False)
    with pytest.raises(SystemExit):
        command.arguments(words)
    assert said in capsys.readouterr().err


def test_a_contender_that_is_not_installed_is_left_out_with_a_word(monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.contenders.versions", lambda: {"keras": "3"})
    assert command.chosen(None, ("fit", "torch_loop", "keras_loop")) == ["fit", "keras_loop"]
    assert "torch_loop is left out: torch is not installed" in capsys.readouterr().err


def test_the_readme_has_a_place_for_the_table():
    assert len(command.PLACE.findall(command.README.read_text(encoding="utf-8"))) == 1
