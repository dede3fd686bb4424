"""The command: a sound builder passes, a violation is told and counted."""

import textwrap

import pytest

GOOD = """
    import keras
    from keras import layers
    from trials.experiment import Data, Experiment, Protocol, Variant

    def build(*, input_shape, classes, units=8, rate=0.0):
        x = inputs = keras.Input(input_shape)
        x = layers.Dropout(rate)(layers.ReLU()(layers.BatchNormalization()(layers.Dense(units)(x))))
        return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))

    def broken(*, input_shape, classes, more=0):
        return keras.Sequential([keras.Input(input_shape), layers.Dense(classes + 1 + more)])

    EXPERIMENT = Experiment(
        name="own",
        question="Is it sound?",
        data=Data("iris", test_fraction=0.2),
        variants=(Variant("plain", build), Variant("wide", build, {"units": 16, "rate": 0.5})),
        protocol=Protocol(epochs=2, loss="sparse_categorical_crossentropy"),
        sweep={"units": (4, 5, 6)},
    )
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Runs the command line in this process, beside own.py."""
    import run_trials

    def run(*words):
        monkeypatch.setattr("sys.argv", ["run_trials.py", *words])
        return run_trials.main()

    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(textwrap.dedent(GOOD))
    return run


def test_a_sound_builder_passes_the_command(here, keras, tmp_path, capsys):
    assert here("--check", "own.py:build") == 0
    told = capsys.readouterr()
    assert told.err == ""
    lines = told.out.splitlines()
    assert "Data and protocol of experiment own: inputs (4,), 3 classes; units=4, rate=0.5" in lines
    # Dense(4) of 4 inputs has 20 parameters, batch norm 16, half of them moving, Dense(3) 15.
    assert "ok      it returns an uncompiled keras.Model, built: 51 parameters, 43 of them trainable" in lines
    for options in ("units=6, rate=0.5", "units=4", "units=6", "its defaults"):
        assert any(line.startswith(f"ok      builds and fits the data with {options}: ") for line in lines)
    assert lines[-1] == f"{len([line for line in lines if line.startswith('ok ')])} ok"
    assert [path.name for path in tmp_path.iterdir()] == ["own.py"]


@pytest.mark.parametrize(
    ("words", "messages"),
    [
        (["lenet6"], ["Unknown builder 'lenet6'. Did you mean 'lenet'?"]),
        (["nowhere.py:build"], ["nowhere.py cannot be read"]),
        (["own.py:bild"], ["Unknown function in own.py 'bild'. Did you mean 'build'?", "build, broken"]),
        (["own.py"], ["FILE.py:BUILDER", "Received: 'own.py'"]),
        (["own.py:"], ["FILE.py:BUILDER", "Received: 'own.py:'"]),
        (["own:build"], ["FILE.py:BUILDER", "Received: 'own:build'"]),
        (["mlp", "--set", "units=1,2"], ["one value for each option", "--set units=1"]),
        (["mlp", "--set", "unit=1"], ["Unknown option of builder 'mlp' 'unit'. Did you mean 'units'?"]),
        (["mlp", "--trials", "3"], ["--trials needs --experiment NAME"]),
        (["mlp", "--list"], ["not allowed with argument"]),
        ([], ["expected one argument"]),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_a_mistake_in_the_command_is_told_before_anything_is_checked(words, messages, here, capsys):
    assert here("--check", *words) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) <= 3
    for message in messages:
        assert message in told.err


def test_a_violation_is_exit_code_1_and_the_rest_is_skipped(here, keras, capsys):
    assert here("--check", "own.py:broken", "--set", "more=2") == 1
    told = capsys.readouterr()
    assert told.err == ""
    # No experiment uses it: 4 features and 3 classes, as Iris has; it returns 3 + 1 + 2.
    assert "FAILED  outputs and loss fit the data: The builder 'broken' must return outputs of shape" in told.out
    assert "(None, 3) for this data. Received: (None, 6)" in told.out
    assert told.out.splitlines()[-1] == "5 ok, 1 FAILED, 10 skipped"
