"""What a builder is checked with: options in use, their protocol, and random samples of the data's shape."""

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from trials import datasets
from trials.check.engines import STEPS, Trained, train
from trials.engines.model import fresh_model
from trials.environment import import_keras
from trials.experiment import Builder, Configuration, Data, Experiment, Protocol, Variant, check_options
from trials.splits import Parts, split

SEED = 3
SAMPLES = 20 * STEPS  # of which 80 are trained on: STEPS batches of 16


@dataclass(frozen=True)
class Case:
    """The builder with some options, the protocol it is trained with, and random samples of its data's shape."""

    configuration: Configuration
    samples: datasets.Samples
    about: str

    def model(self, seed: int = SEED) -> Any:
        """A fresh model; what its builder sets in Keras is set back."""
        return self.build(seed)[0]

    def build(self, seed: int = SEED) -> tuple[Any, dict[str, Any]]:
        """A fresh model, and what its builder set in Keras, which is set back."""
        config, before = import_keras().config, _settings()
        try:
            model = fresh_model(self.configuration, self.samples.x.shape[1:], self.samples.classes, seed)
            return model, {name: value for name, value in _settings().items() if value != before[name]}
        finally:
            for name, value in before.items():
                getattr(config, f"set_{name}")(value)

    @cached_property
    def parts(self) -> Parts:
        return split(self.samples, self.configuration.data, SEED)

    @cached_property
    def trained(self) -> Trained:
        return train(self.configuration, self.samples, self.parts, SEED)

    @property
    def changed(self) -> dict[str, Any]:
        """The options that differ from the builder's defaults."""
        parameters = inspect.signature(self.configuration.variant.builder).parameters
        return {name: v for name, v in self.configuration.options.items() if parameters[name].default != v}

    @property
    def options(self) -> str:
        """These in words, nothing for the defaults."""
        return ", ".join(f"{name}={value}" for name, value in self.changed.items())


def _settings() -> dict[str, Any]:
    config = import_keras().config
    return {
        "floatx": config.floatx(),
        "dtype_policy": config.dtype_policy().name,
        "image_data_format": config.image_data_format(),
        "epsilon": config.epsilon(),
    }


def plan(
    builder: Builder, experiments: Sequence[Experiment], options: Mapping[str, Any] | None, base: Path | None
) -> list[Case]:
    """A case for each set of options in use and for the defaults, the fullest first; or one for `options`."""
    check_options(builder, options or {})
    used = [(e, c) for e in experiments for v in e.variants if v.builder is builder for c in _ends(e, v)]
    if not used:
        return [_guessed(builder, options or {})]
    experiment, first = used[0]
    plain = dataclasses.replace(first, variant=Variant("builder", builder, options or {}), values={})
    chosen = [(experiment, plain)] if options else [*used, (experiment, plain)]
    found: dict[str, Case] = {}
    for experiment, configuration in chosen:
        case = _in_use(experiment, configuration, base)
        found.setdefault(str((sorted(case.changed.items()), case.samples.x.shape, case.samples.classes)), case)
    return sorted(found.values(), key=lambda case: -len(case.changed))  # most layers in the one checked in full


def _ends(experiment: Experiment, variant: Variant) -> list[Configuration]:
    """The variant's configuration, or the first and the last of a sweep."""
    found = [configuration for configuration in experiment.configurations() if configuration.variant is variant]
    return [found[0], found[-1]]


def _in_use(experiment: Experiment, configuration: Configuration, base: Path | None) -> Case:
    shape, classes = datasets.shape(configuration.data, base)
    case = _case(configuration, shape, classes, "")
    about = f"Data and protocol of experiment {experiment.name}: inputs {shape}, {classes} classes"
    return dataclasses.replace(case, about=f"{about}; {case.options or 'the defaults'}")


def _case(configuration: Configuration, shape: tuple[int, ...], classes: int, about: str) -> Case:
    generator = np.random.default_rng(SEED)
    # Around 0: where all inputs are positive, whole channels never meet their ReLU's bend, and a batch norm after
    # them leaves their bias a gradient of nothing but rounding, which no two engines share.
    x = generator.standard_normal((SAMPLES, *shape), dtype=np.float32)
    y = generator.permutation(np.arange(SAMPLES) % classes).astype(np.int32)
    # Of the data's declaration only the encoding of the labels is left: the samples stand for prepared ones.
    # Their split is a trial's own, which may lack a class: there may be more classes than samples.
    data = Data("random", test_fraction=0.2, labels=configuration.data.labels, split_seed=None)
    return Case(dataclasses.replace(configuration, data=data), datasets.Samples(x, y, 0, classes), about)


def _guessed(builder: Builder, options: Mapping[str, Any]) -> Case:
    """A case for a builder that no experiment uses: the first known shape it accepts or its default, a fitting loss."""
    variant = Variant(builder.__name__, builder, options)
    known = list(dict.fromkeys((named.shape, named.classes) for named in datasets.DATASETS.values()))
    own = [inspect.signature(builder).parameters[name].default for name in ("input_shape", "classes")]
    if inspect.Parameter.empty not in own:
        known.append((tuple(own[0]), own[1]))  # last: what the networks of papers take is large
    for shape, classes in known:
        case = _case(_configuration(variant), shape, classes, "")
        try:
            outputs = np.asarray(case.model()(case.samples.x[:4], training=False))
        except Exception:  # not its shape; if none is, the requirements below say why
            continue
        head = 2 if outputs.shape[1:] == (1,) else classes
        about = f"No experiment uses it; the first known shape that it accepts: inputs {shape}, {head} classes"
        return _case(_configuration(variant, head == 2, kind_of(outputs)), shape, head, about)
    shapes = ", ".join(str(shape) for shape, _ in known)
    about = f"No experiment uses it, and it accepts none of the known shapes: {shapes}; here {shape}"
    return _case(_configuration(variant), shape, classes, about)


def _configuration(variant: Variant, binary: bool = False, kind: str = "logits") -> Configuration:
    loss = {
        "class_name": "BinaryCrossentropy" if binary else "SparseCategoricalCrossentropy",
        "config": {"from_logits": kind == "logits"},
    }
    data = Data("random", test_fraction=0.2, labels="binary" if binary else "index", split_seed=None)
    return Configuration(variant, {}, Protocol(epochs=1, loss=loss), data)


def kind_of(outputs: np.ndarray) -> str:
    bounded = bool(np.all((outputs >= 0) & (outputs <= 1)))
    sums = outputs.shape[-1] == 1 or np.allclose(outputs.sum(-1), 1, atol=1e-3)
    return "probabilities" if bounded and sums else "logits"
