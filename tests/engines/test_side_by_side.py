"""Small dense networks: which are trained side by side, and that a seed's results do not show it."""

import dataclasses

import numpy as np
import pytest

from models import lenet5, mlp
from tests.contract import small_networks
from trials import backend, datasets
from trials.engines import Trainer, graph_session
from trials.engines.lanes import Start, has_lanes, run_together
from trials.engines.model import fresh_model
from trials.engines.results import Unit
from trials.engines.trial import run_trial
from trials.experiment import Configuration, Data, Protocol, Variant
from trials.splits import split

pytestmark = pytest.mark.skipif(backend.current() == "jax", reason="the graph engine is TensorFlow's")
IRIS = Data("iris", test_fraction=0.2, validation_fraction=0.1, labels="one_hot")
PROTOCOL = Protocol(
    epochs=3, loss="categorical_crossentropy", optimizer="adam", learning_rate=0.05, batch_size=32, record=("train",)
)
SMALL = {e.name: e.configurations()[0] for e in small_networks.EXPERIMENTS}


def iris(builder=mlp, data=None, protocol=None, **options):
    return Configuration(
        Variant("v", builder),
        options,
        dataclasses.replace(PROTOCOL, **(protocol or {})),
        dataclasses.replace(IRIS, **(data or {})),
    )


def seeds(*numbers):
    return tuple((number + 1, number) for number in numbers)


def trained(configuration, pairs, trainer=None, **more):
    trainer = trainer or Trainer(datasets.load(configuration.data))
    return list(trainer.run(Unit(0, configuration, pairs, "graph", **more)))


def outcome(result):
    """All of a result that is the trial's own."""
    return dataclasses.replace(result, seconds=0.0)


def is_side_by_side(configuration, samples=None):
    samples = samples or datasets.load(configuration.data)
    return has_lanes(graph_session(configuration, samples.classes, split(samples, configuration.data, 0), (0, 1)))


def layers(*given, **protocol):
    """A configuration whose network are these layers, made anew for each model."""

    def builder(*, input_shape, classes):
        import keras

        return keras.Sequential([keras.Input(input_shape), *(make(keras.layers) for make in given)])

    return iris(builder, protocol=protocol)


HEAD = lambda layers: layers.Dense(3, activation="softmax")  # noqa: E731


@pytest.mark.parametrize(
    "configuration",
    [
        iris(units=10),
        iris(units=1),
        iris(units=30, protocol={"batch_size": 1}),
        iris(units=7, protocol={"batch_size": 5}),
        iris(units=33, protocol={"batch_size": 1000}),
        layers(HEAD),
        layers(lambda layers: layers.Dense(13, activation="gelu"), lambda layers: layers.ReLU(0.5), HEAD),
        layers(lambda layers: layers.Dense(9, use_bias=False), lambda layers: layers.Activation("tanh"), HEAD),
        iris(units=8, data={"labels": "index"}, protocol={"loss": "sparse_categorical_crossentropy"}),
        iris(units=8, protocol={"select": "validation_loss", "patience": 1, "epochs": 8, "learning_rate": 0.3}),
        SMALL["sigmoid"],
    ],
)
def test_a_seed_gives_the_same_alone_and_beside_any_others(configuration, keras):
    assert is_side_by_side(configuration)
    many = {result.trial: outcome(result) for result in trained(configuration, seeds(*range(40)))}
    assert {result.status for result in many.values()} == {"ok"}
    for group in [(0,), (39, 0), (5, 7, 11), (*range(3, 20),)]:
        for result in trained(configuration, seeds(*group)):
            assert outcome(result) == many[result.trial]


@pytest.mark.parametrize("units", [5, 40])
def test_it_is_what_one_seed_after_another_gives(units, keras):
    """The graph of one seed's own computes the same, in another order at most."""
    from trials.engines.graph import GraphSession

    configuration = iris(units=units)
    samples = datasets.load(configuration.data)
    parts = split(samples, configuration.data, 0)
    for result in trained(configuration, seeds(0, 1, 2)):
        session = GraphSession(configuration, samples.classes)
        alone = run_trial(session, result.trial, result.seed, (), configuration.protocol, parts, lambda: None)
        assert alone.metrics == pytest.approx(result.metrics, rel=1e-5)
        assert [e.train_loss for e in alone.curve] == pytest.approx([e.train_loss for e in result.curve], rel=1e-5)
        assert alone.parameters == result.parameters == units * units + 9 * units + 3


def test_large_parts_are_measured_batch_by_batch(monkeypatch, keras):
    from trials.engines import side_by_side

    configuration = iris(units=5)
    once = trained(configuration, seeds(0, 1))
    monkeypatch.setattr(side_by_side, "EVALUATION_BATCH", 7)
    for one, other in zip(once, trained(configuration, seeds(0, 1)), strict=True):
        assert one.metrics == pytest.approx(other.metrics, rel=1e-6)
        assert one.metrics["test_accuracy"] == other.metrics["test_accuracy"]


def test_a_graph_serves_all_widths_and_gives_what_their_own_would(keras):
    configurations = [iris(units=units) for units in (3, 50, 20)]
    trainer, graphs = Trainer(datasets.load(IRIS)), set()
    for index, configuration in enumerate(configurations):
        unit = Unit(index, configuration, seeds(0, 1), "graph")
        found = [outcome(result) for result in trainer.run(unit)]
        graphs.add(id(trainer._held[2].stacked))
        assert found == [outcome(result) for result in trained(configuration, seeds(0, 1))]
    assert len(graphs) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_size": 16},
        {"learning_rate": 0.01},
        {"loss": {"class_name": "CategoricalCrossentropy", "config": {"label_smoothing": 0.1}}},
    ],
)
def test_another_protocol_has_a_graph_of_its_own(changes, keras):
    one, other = iris(units=4), iris(units=4, protocol=changes)
    trainer = Trainer(datasets.load(IRIS))
    list(trainer.run(Unit(0, one, seeds(0), "graph")))
    (found,) = trainer.run(Unit(1, other, seeds(0), "graph"))
    assert outcome(found) == outcome(trained(other, seeds(0))[0])
    assert found.curve != trained(one, seeds(0))[0].curve


def test_activations_tell_graphs_apart(keras):
    one, other = (layers(lambda layers, a=a: layers.Dense(4, activation=a), HEAD) for a in ("relu", "tanh"))
    trainer = Trainer(datasets.load(IRIS))
    list(trainer.run(Unit(0, one, seeds(0), "graph")))
    (found,) = trainer.run(Unit(1, other, seeds(0), "graph"))
    assert outcome(found) == outcome(trained(other, seeds(0))[0])


def parallel(*, input_shape, classes):
    import keras

    inputs = keras.Input(input_shape)
    left, right = (keras.layers.Dense(4)(inputs) for _ in range(2))
    return keras.Model(inputs, keras.layers.Dense(classes)(keras.layers.Add()([left, right])))


def twice(*, input_shape, classes):
    import keras

    inputs, shared = keras.Input(input_shape), keras.layers.Dense(4)
    return keras.Model(inputs, keras.layers.Dense(classes)(shared(shared(inputs))))


def two_outputs(*, input_shape, classes):
    import keras

    inputs = keras.Input(input_shape)
    hidden = keras.layers.Dense(4)(inputs)
    return keras.Model(inputs, [hidden, keras.layers.Dense(classes)(hidden)])


def own_model(*, input_shape, classes):
    import keras

    class Own(keras.Model):
        """Which may train in any way."""

    inputs = keras.Input(input_shape)
    return Own(inputs, keras.layers.Dense(classes)(inputs))


def own_layer(*, input_shape, classes):
    import keras

    class Dense(keras.layers.Dense):
        """Whatever it does."""

    return keras.Sequential([keras.Input(input_shape), Dense(classes)])


def frozen(*, input_shape, classes):
    import keras

    layers = [keras.Input(input_shape), keras.layers.Dense(4, trainable=False), keras.layers.Dense(classes)]
    return keras.Sequential(layers)


def nested(*, input_shape, classes):
    import keras

    inner = keras.Sequential([keras.Input(input_shape), keras.layers.Dense(4)])
    return keras.Sequential([keras.Input(input_shape), inner, keras.layers.Dense(classes)])


class Smoothed:
    """An activation that is not Keras's."""

    def __call__(self, x):
        return x * 0.5


PENALISED = {
    "kernel_regularizer": "l2",
    "bias_regularizer": "l2",
    "activity_regularizer": "l2",
    "kernel_constraint": "max_norm",
    "bias_constraint": "max_norm",
}


@pytest.mark.parametrize(
    "configuration",
    [
        *(iris(builder) for builder in (parallel, twice, frozen, nested, two_outputs, own_model, own_layer)),
        *(layers(lambda layers, it=it: layers.Dense(3, **it)) for it in ({k: v} for k, v in PENALISED.items())),
        layers(lambda layers: layers.Dense(3, activation=Smoothed())),
        layers(lambda layers: layers.Dense(3, dtype="mixed_float16")),
        layers(lambda layers: layers.Dropout(0.5), HEAD),
        layers(lambda layers: layers.Dense(3), lambda layers: layers.Softmax(axis=0)),
        layers(lambda layers: layers.Dense(6000), HEAD),
        layers(HEAD, optimizer="sgd"),
        layers(HEAD, optimizer={"class_name": "adam", "config": {"clipnorm": 1.0}}),
        layers(HEAD, class_weight={0: 2.0}),
        layers(HEAD, loss="dice"),
        layers(HEAD, loss={"class_name": "CategoricalCrossentropy", "config": {"reduction": "sum"}}),
        iris(data={"split_seed": None}),
        Configuration(Variant("v", lenet5), {}, PROTOCOL, Data("digits", size=(28, 28), test_fraction=0.5)),
    ],
)
def test_whatever_else_a_network_or_its_protocol_brings_is_trained_alone(configuration, keras):
    assert not is_side_by_side(configuration)


def test_much_data_is_trained_alone(keras):
    samples = datasets.load(Data("digits", test_fraction=0.2))
    configuration = dataclasses.replace(SMALL["one_hot"], data=Data("digits", test_fraction=0.2, labels="one_hot"))
    assert is_side_by_side(configuration, datasets.load(configuration.data))
    repeated = dataclasses.replace(samples, x=np.repeat(samples.x, 12, axis=0), y=np.repeat(samples.y, 12, axis=0))
    assert not is_side_by_side(configuration, repeated)


def test_a_lane_that_diverges_leaves_the_others_alone(keras):
    configuration = iris(units=6)
    samples = datasets.load(IRIS)
    parts = split(samples, IRIS, 0)
    session = graph_session(configuration, samples.classes, parts, (0, 1, 2))
    starts = [Start(configuration, session.fresh(seed, parts), parts) for seed in (0, 1, 2)]
    starts[1].values = [value * np.inf for value in starts[1].values]
    first, second, third = (result for result, _ in run_together(session, seeds(0, 1, 2), starts, lambda: None))
    assert (second.status, second.epochs, second.metrics) == ("diverged", 1, {})
    for result in (first, third):
        (alone,) = trained(configuration, seeds(result.seed))
        assert (result.metrics, result.curve) == (alone.metrics, alone.curve)


def test_a_seed_that_has_no_network_fails_in_its_own_turn(keras):
    from trials.seeds import Stream, integer

    unlucky = np.random.RandomState(integer(2, Stream.WEIGHTS)).rand()

    def builder(*, input_shape, classes):
        if np.random.rand() == unlucky:
            raise ValueError("not this one")
        return mlp(input_shape=input_shape, classes=classes)

    results = trained(iris(builder), seeds(0, 1, 2, 3))
    assert [result.status for result in results] == ["ok", "ok", "failed", "ok"]
    assert "not this one" in results[2].error


def test_kept_weights_are_each_lanes_own(keras):
    configuration = iris(units=4, protocol={"select": "validation_accuracy", "epochs": 5})
    trainer = Trainer(datasets.load(IRIS))
    results = trained(configuration, seeds(0, 1, 2), trainer, keep_weights=True)
    assert len({result.weights_sha256 for result in results}) == 3
    for result in results:
        unit = Unit(0, configuration, ((result.trial, result.seed),), "graph")
        found = trainer.evaluate(unit, result.weights)
        assert (found.accuracy, found.loss) == (result.metrics["test_accuracy"], result.metrics["test_loss"])


def test_idle_lanes_hold_the_end_of_every_array(keras):
    from trials.engines.side_by_side import BLOCK, MOST_LANES

    for outputs in (1, 2, 3, 10, 100):
        builder = lambda *, input_shape, classes, outputs=outputs: keras.Sequential(  # noqa: E731
            [keras.Input(input_shape), keras.layers.Dense(outputs)]
        )
        configuration = iris(builder)
        session = graph_session(configuration, 3, split(datasets.load(IRIS), IRIS, 0), (0, 1))
        room = session.room(1000, 0, {})
        assert room > BLOCK // 2
        for count in range(1, room + 1):
            lanes = len(session._stack(np.zeros((count, 1))))
            assert lanes % BLOCK == 0
            assert lanes <= MOST_LANES
            assert (lanes - count) * outputs >= BLOCK


def test_first_values_are_the_fresh_models(keras):
    configuration = iris(units=5)
    samples = datasets.load(IRIS)
    parts = split(samples, IRIS, 0)
    session = graph_session(configuration, samples.classes, parts, (0, 1, 2, 3))
    for seed in (0, 1, 2, 3):
        expected = fresh_model(configuration, (4,), samples.classes, seed).get_weights()
        assert all(map(np.array_equal, session.fresh(seed, parts, (seed + 1,)), expected))
