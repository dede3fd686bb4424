"""Small dense networks are trained side by side, and no seed's results show it."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import mlp
from tests.contract import small_networks
from tests.engines.small_dense import HEAD, IRIS, PROTOCOL, SMALL, iris, is_side_by_side, layers
from trials import backend, datasets
from trials.engines import Trainer, graph_session
from trials.engines.lanes import Start, has_lanes, run_together
from trials.engines.model import compile_model, fresh_model
from trials.engines.results import Unit
from trials.engines.trial import run_trial
from trials.experiment import Configuration, Data, Variant
from trials.splits import _rows, split

pytestmark = pytest.mark.skipif(backend.current() == "jax", reason="the graph engine is TensorFlow's")
KNOWN = (
    "linear",
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "mish",
    "tanh",
    "sigmoid",
    "softplus",
    "softmax",
)
DIGITS = Configuration(
    Variant("v", small_networks.one_hot),
    {},
    dataclasses.replace(PROTOCOL, learning_rate=0.001),
    Data("digits", scale=16, test_fraction=0.2, labels="one_hot"),
)
RESAMPLED = {"split_seed": None, "stratified": True, "mean": "train", "std": "train"}
SPARSE = dataclasses.replace(DIGITS.protocol, loss="sparse_categorical_crossentropy")


def seeds(*numbers):
    return tuple((number + 1, number) for number in numbers)


def trained(configuration, pairs, trainer=None, **more):
    trainer = trainer or Trainer(datasets.load(configuration.data))
    return list(trainer.run(Unit(0, configuration, pairs, "graph", **more)))


def outcome(result):
    """All of a result that is the trial's own."""
    return dataclasses.replace(result, seconds=0.0)


@pytest.mark.parametrize(
    "configuration",
    [
        iris(units=10),
        iris(units=1),
        iris(units=30, protocol={"batch_size": 1}),
        iris(units=7, protocol={"batch_size": 5}),
        iris(units=33, protocol={"batch_size": 1000}),
        DIGITS,
        dataclasses.replace(DIGITS, data=Data("digits", test_fraction=0.2), protocol=SPARSE),
        layers(HEAD),
        layers(lambda layers: layers.Dense(13, activation="gelu"), lambda layers: layers.ReLU(0.5), HEAD),
        layers(lambda layers: layers.Dense(9, use_bias=False), lambda layers: layers.Activation("tanh"), HEAD),
        iris(units=8, data={"labels": "index"}, protocol={"loss": "sparse_categorical_crossentropy"}),
        iris(units=8, protocol={"select": "validation_loss", "patience": 1, "epochs": 8, "learning_rate": 0.3}),
        SMALL["sigmoid"],
        iris(units=10, data=RESAMPLED),
        dataclasses.replace(DIGITS, data=Data("digits", test_fraction=0.2, split_seed=None), protocol=SPARSE),
        iris(units=6, data={**RESAMPLED, "validation_fraction": 0.25}, protocol={"select": "validation_accuracy"}),
    ],
)
def test_a_seed_gives_the_same_alone_and_beside_any_others(configuration, keras):
    assert is_side_by_side(configuration)
    many = {result.trial: outcome(result) for result in trained(configuration, seeds(*range(40)))}
    assert {result.status for result in many.values()} == {"ok"}
    for group in [(0,), (39, 0), (5, 7, 11), (*range(3, 20),)]:
        for result in trained(configuration, seeds(*group)):
            assert outcome(result) == many[result.trial]


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    classes=st.sampled_from([2, 3, 5, 10, 13]),
    features=st.sampled_from([1, 4, 9, 20]),
    batch_size=st.integers(1, 200),
    hidden=st.lists(st.tuples(st.integers(1, 60), st.sampled_from(sorted(KNOWN))), max_size=2),
    head=st.sampled_from(["softmax", "sigmoid"]),
    loss=st.sampled_from(["categorical_crossentropy", "binary_crossentropy", "mean_squared_error"]),
    resampled=st.booleans(),
    lanes=st.integers(2, 31),
    data=st.data(),
)
def test_what_a_seed_gives_never_depends_on_its_neighbours(
    classes, features, batch_size, hidden, head, loss, resampled, lanes, data, keras
):
    def blobs():
        y = np.arange(101) % classes
        x = np.random.default_rng(classes).normal(size=(101, features)) + 0.3 * y[:, np.newaxis]
        return x.astype("float32"), y

    network = [lambda layers, it=it: layers.Dense(it[0], activation=it[1]) for it in hidden]
    network.append(lambda layers: layers.Dense(classes, activation=head))
    configuration = layers(*network, loss=loss, batch_size=batch_size, epochs=2)
    declared = Data(blobs, test_fraction=0.2, labels="one_hot", split_seed=None if resampled else 0)
    configuration = dataclasses.replace(configuration, data=declared)
    assert is_side_by_side(configuration)
    many = {result.trial: outcome(result) for result in trained(configuration, seeds(*range(lanes)))}
    group = data.draw(st.lists(st.integers(0, lanes - 1), min_size=1, unique=True))
    for result in trained(configuration, seeds(*group)):
        assert outcome(result) == many[result.trial]


@pytest.mark.parametrize("data", [{}, {"split_seed": None}])
@pytest.mark.parametrize("units", [5, 40])
def test_it_is_what_one_seed_after_another_gives(units, data, keras):
    """The graph of one seed's own computes the same, in another order at most."""
    from trials.engines.graph import GraphSession

    configuration = iris(units=units, data=data)
    assert is_side_by_side(configuration)
    samples = datasets.load(configuration.data)
    for result in trained(configuration, seeds(0, 1, 2)):
        parts = split(samples, configuration.data, result.seed)
        session = GraphSession(configuration, samples.classes)
        alone = run_trial(session, result.trial, result.seed, (), configuration.protocol, parts, lambda: None)
        assert alone.metrics == pytest.approx(result.metrics, rel=1e-5)
        assert [e.train_loss for e in alone.curve] == pytest.approx([e.train_loss for e in result.curve], rel=1e-5)
        assert alone.parameters == result.parameters == units * units + 9 * units + 3


def saturated(kind, units, activation=None):
    """A head whose outputs come out as 0 and 1: what a loss is then, Keras tells from the logits."""

    def head(layers):
        import keras

        kernel = keras.initializers.RandomNormal(stddev=30.0, seed=1)
        return getattr(layers, kind)(units, activation=activation, kernel_initializer=kernel)

    return head


FROM_LOGITS = {"class_name": "CategoricalCrossentropy", "config": {"from_logits": True}}


@pytest.mark.parametrize(
    ("network", "labels", "loss"),
    [
        ([saturated("Dense", 3, "softmax")], "one_hot", "categorical_crossentropy"),
        ([saturated("Dense", 3, "softmax")], "one_hot", FROM_LOGITS),
        ([saturated("Dense", 3)], "one_hot", FROM_LOGITS),
        ([saturated("Dense", 3), lambda layers: layers.Softmax()], "one_hot", "categorical_crossentropy"),
        ([saturated("Dense", 3), lambda layers: layers.Activation("softmax")], "one_hot", "categorical_crossentropy"),
        ([saturated("Dense", 3, "softmax")], "index", "sparse_categorical_crossentropy"),
        ([saturated("Dense", 3, "sigmoid")], "one_hot", "binary_crossentropy"),
        ([saturated("Dense", 3)], "one_hot", "mean_squared_error"),
        ([saturated("Dense", 3, "softmax"), lambda layers: layers.Flatten()], "one_hot", "categorical_crossentropy"),
        ([lambda layers: layers.Dense(6), lambda layers: layers.Flatten(), HEAD], "one_hot", "mean_squared_error"),
    ],
)
def test_a_step_is_the_one_that_keras_takes_whatever_the_outputs(network, labels, loss, keras):
    configuration = layers(*network, loss=loss, batch_size=1000)
    configuration = dataclasses.replace(configuration, data=dataclasses.replace(IRIS, labels=labels))
    samples = datasets.load(configuration.data)
    parts = split(samples, configuration.data, 0)
    session = graph_session(configuration, samples.classes, parts, (0, 1))
    assert has_lanes(session)
    session.start([Start(configuration, session.fresh(0, parts), parts)])
    before = session.evaluate("train")[1][0]
    (found,) = session.train_epoch(np.arange(len(parts["train"][1]), dtype=np.int32)[np.newaxis], np.ones(1, bool))[:1]
    model = compile_model(fresh_model(configuration, (4,), samples.classes, 0), configuration)
    expected = model.train_on_batch(*parts["train"])
    assert found == pytest.approx(float(expected), rel=1e-5)
    assert np.mean(before) == pytest.approx(float(expected), rel=1e-5)
    for column, variable in zip(session.weights(), model.variables, strict=True):
        assert column[0] == pytest.approx(variable.numpy(), abs=1e-5)


@pytest.mark.parametrize("data", [{}, RESAMPLED])
def test_large_parts_are_measured_batch_by_batch(data, monkeypatch, keras):
    from trials.engines import side_by_side

    configuration = iris(units=5, data=data)
    once = trained(configuration, seeds(0, 1))
    monkeypatch.setattr(side_by_side, "EVALUATION_BATCH", 7)
    for one, other in zip(once, trained(configuration, seeds(0, 1)), strict=True):
        assert one.metrics == pytest.approx(other.metrics, rel=1e-6)
        assert one.metrics["test_accuracy"] == other.metrics["test_accuracy"]


def test_a_graph_serves_all_widths_and_gives_what_their_own_would(keras):
    configurations = [iris(units=units) for units in (3, 50, 20)]
    trainer, graphs = Trainer(datasets.load(IRIS)), []
    for index, configuration in enumerate(configurations):
        unit = Unit(index, configuration, seeds(0, 1), "graph")
        found = [outcome(result) for result in trainer.run(unit)]
        graphs.append(trainer._held[2].stacked)
        assert found == [outcome(result) for result in trained(configuration, seeds(0, 1))]
    assert graphs[0] is graphs[1] is graphs[2]


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


def test_a_seed_that_has_no_split_fails_in_its_own_turn(keras):
    """Where the largest number is in the test part, it is not to be divided by the spread of all others."""

    def outlier():
        x = np.random.default_rng(0).normal(size=(60, 2)) * 1e-25
        x[7] = 1e25
        return x.astype("float32"), np.arange(60) % 3

    data = Data(outlier, test_fraction=0.2, labels="one_hot", **RESAMPLED)
    unlucky = [seed for seed in range(20) if 7 not in _rows(datasets.load(data), data, seed)["train"]]
    assert unlucky
    configuration, trainer = dataclasses.replace(iris(units=4), data=data), Trainer(datasets.load(data))
    results = trained(configuration, seeds(*range(20)), trainer)
    assert has_lanes(trainer._held[2])
    assert [result.seed for result in results if result.status == "failed"] == unlucky
    for result in results:
        (alone,) = trained(configuration, seeds(result.seed))
        assert outcome(result) == outcome(alone)
        assert result.status == "ok" or "float32 cannot hold" in result.error


def test_a_seed_whose_network_has_other_shapes_fails_and_leaves_the_others_alone(keras):
    def builder(*, input_shape, classes):
        return mlp(input_shape=input_shape, classes=classes, units=5 if np.random.rand() < 0.2 else 4)

    from trials.seeds import Stream, integer

    wide = [seed for seed in range(20) if np.random.RandomState(integer(seed, Stream.WEIGHTS)).rand() < 0.2]
    assert wide and 0 not in wide
    results = trained(iris(builder), seeds(*range(20)))
    assert [result.seed for result in results if result.status == "failed"] == wide
    assert all("has variables of shapes" in result.error for result in results if result.status == "failed")
    assert {result.parameters for result in results if result.status == "ok"} == {4**2 + 9 * 4 + 3}


def test_weights_that_follow_from_the_seed_in_another_way_are_each_seeds_own(keras):
    """After a network whose initializers alone are enough, which this one's look like for a single seed."""

    def builder(*, input_shape, classes):
        own = keras.initializers.GlorotUniform(seed=int(np.random.get_state()[1][0]))
        return keras.Sequential(
            [keras.Input(input_shape), keras.layers.Dense(classes, "softmax", kernel_initializer=own)]
        )

    trainer, configuration = Trainer(datasets.load(IRIS)), iris(builder)
    list(trainer.run(Unit(0, iris(units=4), seeds(0, 1, 2), "graph")))
    after = [outcome(result) for result in trainer.run(Unit(1, configuration, seeds(0, 1, 2), "graph"))]
    assert after == [outcome(trained(configuration, seeds(number))[0]) for number in (0, 1, 2)]
    assert len({result.curve[0].train_loss for result in after}) == 3


def test_a_graph_that_fails_costs_no_trial(monkeypatch, keras):
    from trials.engines import side_by_side

    configuration = iris(units=4)
    expected = trained(configuration, seeds(0, 1, 2))

    def fails(*_):
        raise MemoryError("no room")

    monkeypatch.setattr(side_by_side.SideBySide, "train_epoch", fails)
    for result, other in zip(trained(configuration, seeds(0, 1, 2)), expected, strict=True):
        assert (result.status, result.epochs, result.notes) == ("ok", 3, {"apart": "MemoryError: no room"})
        assert result.metrics == pytest.approx(other.metrics, rel=1e-5)


def test_results_that_nobody_will_ask_for_are_not_kept(keras):
    trainer, configuration = Trainer(datasets.load(IRIS)), iris(units=4)
    next(trainer.run(Unit(0, configuration, seeds(*range(10)), "graph")))
    assert len(trainer._ready) == 9
    next(trainer.run(Unit(0, configuration, seeds(1), "graph")))
    assert len(trainer._ready) == 8  # it may be asked for the others
    next(trainer.run(Unit(1, iris(units=5), seeds(0, 1, 2), "graph")))
    assert len(trainer._ready) == 2


@pytest.mark.parametrize("data", [{}, RESAMPLED])
def test_kept_weights_are_each_lanes_own(data, keras):
    configuration = iris(units=4, data=data, protocol={"select": "validation_accuracy", "epochs": 5})
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
        configuration = iris(builder, protocol={"loss": "mean_squared_error"})
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
