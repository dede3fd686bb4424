"""Every engine trains what Keras's fit trains: same start, same batches, same weights, same figures."""

import dataclasses

import numpy as np
import pytest

from experiments import EXPERIMENTS
from tests.contract import small_networks
from trials import datasets
from trials.check import train_both
from trials.engines import Trainer
from trials.engines.fit import FitSession
from trials.engines.graph import GraphSession
from trials.engines.results import Unit
from trials.engines.trial import run_trial
from trials.experiment import Configuration, Data
from trials.splits import split

SEED = 3


def zoo_cases():
    """Each builder that an experiment uses, once, with its experiment's protocol on data that is always there."""
    seen = {}
    for experiment in EXPERIMENTS.values():
        for configuration in experiment.configurations():
            images = configuration.variant.builder.__name__ != "mlp"
            data = (
                Data("digits", size=(28, 28), scale=16, test_fraction=0.5, validation_fraction=0.3)
                if images
                else experiment.data
            )
            seen.setdefault(
                (configuration.variant.builder, str(configuration.variant.options)),
                (experiment.name, configuration, data),
            )
    return list(seen.values())


def small_cases():
    return [(e.name, e.configurations()[0], e.data) for e in small_networks.EXPERIMENTS]


CASES = [*zoo_cases(), *small_cases()]
every_case = pytest.mark.parametrize(("name", "configuration", "data"), CASES, ids=[name for name, *_ in CASES])


@pytest.fixture(scope="module", autouse=True)
def one_thread(keras):
    """One thread a trial, as everywhere."""


def prepared(data: Data):
    samples = datasets.load(data)
    return samples, split(samples, data, SEED)


def sessions(configuration: Configuration, samples, parts):
    made = FitSession(configuration, samples.classes), GraphSession(configuration, samples.classes)
    for session in made:
        session.start(SEED, parts, ())
    return made


@every_case
def test_start_and_first_steps_are_those_of_fit(name, configuration, data):
    """Equal starting weights and dropout states; after each of five steps every variable within 1e-4."""
    samples, parts = prepared(data)
    assert train_both(configuration, samples.classes, parts, SEED).differences == []


@every_case
def test_a_whole_training_gives_the_figures_of_fit(name, configuration, data):
    samples, parts = prepared(data)
    trained = sessions(configuration, samples, parts)
    protocol = dataclasses.replace(
        configuration.protocol, epochs=min(configuration.protocol.epochs, 12), evaluate_every=None
    )
    fit, graph = (run_trial(session, 1, SEED, (), protocol, parts, lambda: None) for session in trained)
    assert (graph.status, graph.error) == ("ok", "")
    assert (graph.epochs, graph.best_epoch, graph.parameters) == (fit.epochs, fit.best_epoch, fit.parameters)
    for metric, value in fit.metrics.items():
        if value is None:
            assert graph.metrics[metric] is None
        elif metric.endswith("loss"):
            assert graph.metrics[metric] == pytest.approx(value, rel=0.01)
        else:
            assert abs(graph.metrics[metric] - value) <= 0.02
    for ours, theirs in zip(graph.curve, fit.curve, strict=True):
        assert (ours.validation is None, ours.test is None) == (theirs.validation is None, theirs.test is None)
    theirs, ours = (session.model.predict(parts["test"][0], verbose=0) for session in trained)
    if ours.shape[-1] == 1:
        ours, theirs = ours > np.median(theirs), theirs > np.median(theirs)
        assert np.mean(ours == theirs) >= 0.98
    else:
        assert np.mean(ours.argmax(-1) == theirs.argmax(-1)) >= 0.98


def test_a_seed_gives_the_same_whatever_was_trained_before_it():
    """No state leaks from trial to trial: weights, optimizer, dropout and batch statistics start afresh."""
    for experiment in small_networks.EXPERIMENTS[:4]:
        samples, _ = prepared(experiment.data)
        unit = Unit(0, experiment.configurations()[0], ((1, 0), (2, 1), (3, 2)), "graph")
        *_, third = Trainer(samples).run(unit)
        (alone,) = Trainer(samples).run(dataclasses.replace(unit, seeds=((3, 2),)))
        assert alone.metrics == third.metrics
        assert alone.curve == third.curve


def test_other_seeds_give_other_results():
    experiment = small_networks.EXPERIMENTS[2]
    samples, _ = prepared(experiment.data)
    unit = Unit(0, experiment.configurations()[0], ((1, 0), (2, 1)), "graph")
    first, second = Trainer(samples).run(unit)
    assert first.metrics["test_loss"] != second.metrics["test_loss"]
