"""The graph engine as a GPU has it, an epoch compiled by XLA: what it trains is what `fit` trains."""

import pytest

from tests.contract import small_networks
from trials import datasets
from trials.check.engines import first_batches, side_by_side
from trials.splits import split

CASES = {case.name: case for case in small_networks.EXPERIMENTS}


@pytest.mark.parametrize("name", ["weight_decay", "residual_schedule"])
def test_the_first_steps_are_those_of_fit(name, monkeypatch, keras):
    from trials.engines import graph
    from trials.engines.fit import FitSession

    allowed = graph._may_be_compiled
    monkeypatch.setattr(graph, "_may_be_compiled", lambda model, device: allowed(model, "/GPU:0"))
    case = CASES[name]
    configuration, samples = case.configurations()[0], datasets.load(case.data)
    batches = first_batches(split(samples, case.data, 3), 32, 3)
    fit, compiled = (kind(configuration, samples.classes) for kind in (FitSession, graph.GraphSession))
    assert side_by_side(fit, [compiled], batches, 3).differences == []
    assert compiled._run_epoch.function_def.attr["_XlaMustCompile"].b


def test_an_epoch_of_several_batches_is_compiled_too(monkeypatch, keras):
    from trials.engines import graph
    from trials.engines.trial import run_trial

    case = small_networks.case(small_networks.weight_decay, batch_size=32, epochs=2)
    configuration, samples = case.configurations()[0], datasets.load(case.data)
    parts = split(samples, case.data, 3)
    assert len(parts["train"][1]) % 32 and len(parts["train"][1]) > 64
    curves = []
    for compiled in (False, True):
        monkeypatch.setattr(graph, "_may_be_compiled", lambda model, device, may=compiled: may)
        session = graph.GraphSession(configuration, samples.classes)
        result = run_trial(session, 1, 3, (), configuration.protocol, parts, lambda: None)
        assert result.error == ""
        assert session._run_epoch.function_def.attr["_XlaMustCompile"].b is compiled
        curves.append([epoch.train_loss for epoch in result.curve])
    assert curves[0] == pytest.approx(curves[1], rel=1e-4)


def through_numpy(*, input_shape, classes):
    import keras
    import tensorflow as tf

    class Doubled(keras.layers.Layer):
        def call(self, x):
            y = tf.numpy_function(lambda array: 2 * array, [x], tf.float32)
            return tf.ensure_shape(y, x.shape) + 0 * x

    layers = [keras.layers.Flatten(), Doubled(), keras.layers.Dense(classes)]
    return keras.Sequential([keras.Input(input_shape), *layers])


def test_what_xla_cannot_compile_is_trained_without(monkeypatch, keras):
    from trials.engines import graph
    from trials.engines.trial import run_trial

    monkeypatch.setattr(graph, "_may_be_compiled", lambda model, device: True)
    case = small_networks.case(through_numpy, epochs=2)
    configuration, samples = case.configurations()[0], datasets.load(case.data)
    session = graph.GraphSession(configuration, samples.classes)
    result = run_trial(session, 1, 3, (), configuration.protocol, split(samples, case.data, 3), lambda: None)
    assert (result.status, result.error) == ("ok", "")
    assert not session._run_epoch.function_def.attr["_XlaMustCompile"].b


@pytest.mark.parametrize(
    ("builder", "device", "expected"),
    [
        (small_networks.weight_decay, "/GPU:0", True),
        (small_networks.weight_decay, "/CPU:0", False),
        (small_networks.dropout, "/GPU:0", False),  # XLA would draw other masks
        (small_networks.batch_norm, "/GPU:0", False),
    ],
)
def test_xla_compiles_only_what_stays_the_same(builder, device, expected, keras):
    from trials.engines.graph import _may_be_compiled

    assert _may_be_compiled(builder(input_shape=(8, 8, 1), classes=10), device) is expected
