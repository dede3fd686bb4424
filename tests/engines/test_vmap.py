"""Many seeds in one program: each lane is its seed's own trial, whatever its neighbours do."""

import dataclasses

import numpy as np
import pytest

from tests.conftest import on_jax
from tests.contract import small_networks
from trials import datasets
from trials.engines import Trainer
from trials.engines.lanes import Start, program
from trials.engines.results import Unit
from trials.errors import UserError
from trials.experiment import Configuration, Data, Experiment, Protocol, Variant

pytestmark = on_jax
SEEDS = ((1, 0), (2, 1), (3, 2))


def perceptron(*, input_shape, classes):
    import keras

    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(8, "relu"), keras.layers.Dense(classes)])


def batch_norm(*, input_shape, classes):
    import keras

    layers = [keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dense(classes)]
    return keras.Sequential([keras.Input(input_shape), *layers])


def moody(*, input_shape, classes):
    """Fails where its first weight comes out negative: for some seeds."""
    model = perceptron(input_shape=input_shape, classes=classes)
    if float(model.layers[0].kernel.numpy()[0, 0]) < 0:
        raise RuntimeError("not with these weights")
    return model


def half(*, input_shape, classes):
    import keras

    layers = [keras.layers.Dense(8, "relu", dtype="mixed_float16"), keras.layers.Dense(classes, dtype="float32")]
    model = keras.Sequential([keras.Input(input_shape), *layers])
    model.dtype_policy = keras.DTypePolicy("mixed_float16")
    return model


def ordered(*, input_shape, classes):
    """Tells the host of every batch, in order: what lanes cannot do."""
    import keras
    from jax.experimental import io_callback

    class Telling(keras.layers.Layer):
        def call(self, x):
            io_callback(lambda x: None, None, x, ordered=True)
            return x

    return keras.Sequential([keras.Input(input_shape), Telling(), keras.layers.Dense(classes)])


IRIS = Data("iris", test_fraction=0.2, validation_fraction=0.2, mean="train", std="train")


def experiment(builder=perceptron, data=IRIS, sweep=None, **protocol) -> Experiment:
    protocol = Protocol(**{"epochs": 3, "batch_size": 16, **protocol}, loss=small_networks.LOGITS)
    return Experiment("own", "?", data, (Variant("v", builder),), protocol, sweep=sweep or {})


def units(it: Experiment, seeds=SEEDS, **more) -> list[Unit]:
    return [Unit(index, c, seeds, **{"engine": "vmap", **more}) for index, c in enumerate(it.configurations())]


def run(it: Experiment, seeds=SEEDS, **more):
    trainer, found = Trainer(datasets.load(it.data)), []
    asked = units(it, seeds, **more)
    for place, unit in enumerate(asked, 1):
        found.append(list(trainer.run(unit, later=asked[place:])))
    return found


def figures(result):
    return result.status, result.metrics, result.curve


def test_a_lane_does_not_depend_on_its_neighbours_nor_on_its_place():
    dropout = dataclasses.replace(experiment(), variants=(Variant("v", small_networks.dropout),))
    for it in (experiment(), dropout):
        (together,) = run(it, lanes=4)
        (backwards,) = run(it, SEEDS[::-1], lanes=4)
        (alone,) = run(it, SEEDS[2:], lanes=4)
        assert [figures(one) for one in together] == [figures(one) for one in backwards[::-1]]
        assert figures(together[2]) == figures(alone[0])
        assert {one.status for one in together} == {"ok"}
        assert len({one.metrics["test_loss"] for one in together}) == 3


def test_what_a_single_lane_gives_is_what_two_give():
    """XLA rounds otherwise in a program without an axis of lanes: there is none."""
    it = experiment()
    (one,), (two,) = run(it, SEEDS[:1]), run(it, SEEDS[:2])
    assert figures(one[0]) == figures(two[0])
    assert one[0].notes == {"lanes": 2}


def test_learning_rates_train_in_one_program_as_they_do_alone():
    it = experiment(sweep={"learning_rate": (0.01, 0.05)})
    first, second = run(it, lanes=6)
    for rate, found in ((0.01, first), (0.05, second)):
        (alone,) = run(experiment(learning_rate=rate), lanes=6)
        assert [figures(one) for one in found] == [figures(one) for one in alone]
    assert first[0].metrics != second[0].metrics


def test_learning_rates_are_compiled_once(monkeypatch):
    from trials.engines.vmap import VmapSession

    compiled, original = [], VmapSession._compile
    monkeypatch.setattr(VmapSession, "_compile", lambda *given: (compiled.append(given), original(*given)))
    run(experiment(sweep={"learning_rate": (0.01, 0.05), "batch_size": (16, 32)}))
    assert len(compiled) == 2  # one for each size of batches


def test_learning_rates_of_a_scaled_loss_train_too():
    """In half precision Keras wraps the optimizer; the rate is the inner one's."""
    it = dataclasses.replace(experiment(sweep={"learning_rate": (0.01, 0.05)}), variants=(Variant("v", half),))
    first, second = run(it)
    assert {one.status for one in (*first, *second)} == {"ok"}
    assert first[0].curve[-1].train_loss != second[0].curve[-1].train_loss


def test_a_lane_that_diverges_leaves_the_others_alone():
    it = experiment(sweep={"learning_rate": (1e30, 0.01)})
    wild, calm = run(it, lanes=6)
    assert [one.status for one in wild] == ["diverged"] * 3
    (alone,) = run(experiment(learning_rate=0.01), lanes=6)
    assert [figures(one) for one in calm] == [figures(one) for one in alone]


def test_lanes_that_stop_early_report_their_best_epoch():
    it = experiment(select="validation_loss", patience=1, epochs=15, learning_rate=0.2, record=("validation",))
    seeds = tuple((seed + 1, seed) for seed in range(5))
    (together,) = run(it, seeds)
    assert len({one.epochs for one in together}) > 1
    for result in together:
        best = result.curve[result.best_epoch - 1].validation.loss
        assert best == min(epoch.validation.loss for epoch in result.curve)
        assert result.metrics["validation_loss"] == pytest.approx(best, rel=1e-6)
    (alone,) = run(it, seeds[1:2], lanes=5)
    assert figures(together[1]) == figures(alone[0])


def test_a_seed_that_fails_does_so_alone():
    from trials.engines.model import fresh_model

    seeds = tuple((seed + 1, seed) for seed in range(6))
    it = experiment(moody)
    plain = experiment().configurations()[0]
    bad = [float(fresh_model(plain, (4,), 3, seed).layers[0].kernel.numpy()[0, 0]) < 0 for _, seed in seeds]
    assert 0 < sum(bad) < 6
    (found,) = run(it, seeds)
    assert [one.status for one in found] == ["failed" if one else "ok" for one in bad]
    assert all("not with these weights" in one.error for one in found if one.status == "failed")
    assert bad[0]  # the first, of which the program would be made
    assert {one.notes["lanes"] for one in found if one.status == "ok"} == {5}


def test_what_cannot_be_traced_over_lanes_is_said():
    (found,) = run(experiment(ordered))
    assert {one.status for one in found} == {"failed"}
    for one in found:
        assert one.error.startswith("the vmap engine cannot train this: ValueError: Cannot `vmap` ordered IO callback")


def test_what_lanes_cannot_train_is_found_before_training():
    (unit,) = units(experiment(ordered))
    with pytest.raises(
        UserError, match=r"cannot train v: ValueError: Cannot `vmap` ordered IO callback\.\nUse --engine"
    ):
        Trainer(datasets.load(IRIS)).check(unit)
    checked = Trainer(datasets.load(IRIS)).check(dataclasses.replace(unit, engine="auto"))
    assert (checked.engine, "vmap" in checked.reason) == ("fit", True)
    (sound,) = units(experiment())
    assert Trainer(datasets.load(IRIS)).check(sound) == sound


def test_where_the_engine_is_to_be_chosen_it_goes_to_fit():
    (found,) = run(experiment(ordered), engine="auto")
    assert {(one.status, one.engine) for one in found} == {("ok", "fit")}
    assert "ordered" in found[0].notes["fallback"]


def test_what_cannot_be_trained_together_is_trained_apart(monkeypatch):
    from trials.engines.vmap import VmapSession

    original = VmapSession.train_epoch

    def short_of_memory(session, orders, live):
        if len(orders) > 1:
            raise RuntimeError("RESOURCE_EXHAUSTED")
        return original(session, orders, live)

    monkeypatch.setattr(VmapSession, "train_epoch", short_of_memory)
    (found,) = run(experiment())
    told = {"lanes": 2, "apart": "RuntimeError: RESOURCE_EXHAUSTED"}
    assert [(one.status, one.notes) for one in found] == [("ok", told)] * 3


def test_lanes_are_as_many_as_memory_allows(monkeypatch):
    from trials.engines import vmap

    seeds = tuple((seed + 1, seed) for seed in range(7))
    (free,) = run(experiment(), seeds)
    assert {one.notes["lanes"] for one in free} == {7}
    needed = {}
    original = vmap.VmapSession._lowered
    monkeypatch.setattr(vmap, "_bytes", lambda program: needed["now"])
    monkeypatch.setattr(
        vmap.VmapSession, "_lowered", lambda it, size, parts: (needed.update(now=size), original(it, size, parts))[1]
    )
    monkeypatch.setattr(vmap, "_memory", lambda: 3 / vmap.MEMORY)
    (short,) = run(experiment(), seeds)
    assert {one.notes["lanes"] for one in short} == {3}
    assert [one.trial for one in short] == [1, 2, 3, 4, 5, 6, 7]
    for ours, theirs in zip(short, free, strict=True):
        assert ours.metrics["test_loss"] == pytest.approx(theirs.metrics["test_loss"], rel=1e-4)


def test_a_program_is_made_anew_for_other_lanes():
    """A folder that was extended holds trials of programs of several widths: each is trained again in its own."""
    it = experiment()
    trainer = Trainer(datasets.load(it.data))
    for lanes in (4, 6, 4):
        (found,) = trainer.run(units(it, SEEDS[:1], lanes=lanes)[0])
        assert found.notes == {"lanes": lanes}


def test_every_lane_of_resampled_data_has_its_own_split():
    it = experiment(data=dataclasses.replace(IRIS, split_seed=None))
    (together,) = run(it, lanes=3)
    (alone,) = run(it, SEEDS[1:2], lanes=3)
    assert figures(together[1]) == figures(alone[0])


def test_lanes_of_resampled_data_hold_the_samples_once_and_see_what_a_split_holds():
    """A copy a lane was 3.4 times a data set's size each: a hundred lanes of CIFAR-10 would need 200 GB."""
    from trials.engines.vmap import VmapSession
    from trials.splits import drawn, split

    data = dataclasses.replace(IRIS, split_seed=None)
    (configuration,), samples = experiment(data=data).configurations(), datasets.load(data)
    orders = np.stack([np.random.default_rng(lane).permutation(96).astype(np.int32) for lane in range(3)])
    found = {}
    for divide in (split, drawn):
        parts = [divide(samples, data, seed) for seed in ((0, 1, 2) if divide is drawn else (1, 1, 1))]
        session = VmapSession(configuration, samples.classes)
        session.room(3, 0, parts[0])
        session.start([Start(configuration, session.fresh(0, each), each) for each in parts])
        losses = session.train_epoch(orders, np.ones(3, bool))
        found[divide] = [losses[1], *(session.evaluate(part)[1][1] for part in parts[0])]
    held = [part[0] for part in session.parts.values()]
    assert held[0].shape == samples.x.shape
    assert all(each is held[0] for each in held)
    for ours, theirs in zip(found[drawn], found[split], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize("builder", [perceptron, small_networks.dropout, batch_norm])
def test_weights_of_a_lane_give_its_figures_again(builder):
    it = experiment(builder)
    (found,) = run(it, keep_weights=True)
    assert len({one.weights_sha256 for one in found}) == 3
    trainer = Trainer(datasets.load(it.data))
    for result in found:
        (unit,) = units(it, ((result.trial, result.seed),), lanes=3)
        again = trainer.evaluate(unit, result.weights)
        assert (again.accuracy, again.loss) == (result.metrics["test_accuracy"], result.metrics["test_loss"])


def test_a_best_epoch_is_measured_once_for_all_lanes(monkeypatch):
    from trials.engines.vmap import VmapSession

    counted, original = [], VmapSession._changed
    monkeypatch.setattr(VmapSession, "_changed", lambda session: (counted.append(1), original(session))[1])
    it = experiment(select="validation_loss", epochs=4, learning_rate=0.2)
    run(it, tuple((seed + 1, seed) for seed in range(8)))
    assert len(counted) <= 1 + 4 + 1  # the start, four epochs, and the restored best ones


def test_one_program_serves_what_differs_in_a_constant_learning_rate_alone():
    def one(**protocol) -> Configuration:
        return experiment(**protocol).configurations()[0]

    first = program(one(learning_rate=0.1))
    assert first == program(one(learning_rate=1))
    others = [one(learning_rate=0.1, batch_size=8), one(learning_rate=small_networks.SCHEDULE), one()]
    others.append(dataclasses.replace(one(learning_rate=0.1), data=dataclasses.replace(IRIS, test_fraction=0.3)))
    assert len({first, *map(program, others)}) == 5


def test_a_step_is_one_of_keras():
    """The first weights of a lane are its seed's fresh model's, the orders its own."""
    from trials.engines.model import fresh_model
    from trials.engines.vmap import VmapSession
    from trials.splits import split

    configuration = experiment().configurations()[0]
    samples = datasets.load(IRIS)
    session = VmapSession(configuration, samples.classes)
    parts = split(samples, IRIS, 0)
    assert session.room(3, 7, parts) == 3
    session.start([Start(configuration, session.fresh(seed, parts), parts) for seed in (7, 8)])
    for lane, seed in enumerate((7, 8)):
        fresh = fresh_model(configuration, (4,), 3, seed)
        for held, value in zip(session.weights(), fresh.variables, strict=True):
            np.testing.assert_array_equal(held[lane], value.numpy())
