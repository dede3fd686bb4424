"""A builder's model without the memory of its weights: for whoever wants its layers and shapes alone."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trials import datasets
from trials.environment import import_keras
from trials.errors import UserError, first_line
from trials.experiment import Builder, Experiment, check_options

Shape = tuple[int, ...]
GIVEN = {"input_shape": "--input-shape H,W,C", "classes": "--classes N"}
"What a call takes beside the builder's options, and how it is given on the command line."


@dataclass(frozen=True)
class Call:
    """How a builder is called, and where its input shape and classes come from."""

    builder: Builder
    arguments: Mapping[str, Any]
    source: str

    def __str__(self) -> str:
        shape, classes = self.arguments.get("input_shape"), self.arguments.get("classes")
        parts = [f"input {'x'.join(map(str, shape))}"] if shape else []
        parts += [f"{classes} classes"] if classes else []
        parts += [f"{name}={value}" for name, value in self.arguments.items() if name not in GIVEN]
        return f"{': '.join([self.builder.__name__, *([', '.join(parts)] if parts else [])])} ({self.source})"


def plan(
    builder: Builder,
    experiments: Sequence[Experiment] = (),
    options: Mapping[str, Any] | None = None,
    input_shape: Shape | None = None,
    classes: int | None = None,
    base: Path | None = None,
) -> Call:
    """The call of a builder for what is asked, else what an experiment gives it, else its own defaults.

    Raises UserError for what it does not take, and where shape or classes are nowhere said.
    """
    check_options(builder, options or {})
    wanted = [name for name in GIVEN if name in inspect.signature(builder).parameters]
    pairs = {"input_shape": input_shape, "classes": classes}
    asked = {name: value for name, value in pairs.items() if value is not None}
    for name in asked:
        if name not in wanted:
            raise UserError(f"The builder '{builder.__name__}' takes no {name}.\nLeave out {GIVEN[name]}.")
    complete = asked and len(asked) == len(wanted)
    known, source = ({}, "as given") if complete else _known(builder, experiments, base)
    given = {**known, **asked}
    for name in wanted:
        if name not in given:
            raise UserError(
                f"No experiment uses '{builder.__name__}' and it has no default {name}.\nGive it with {GIVEN[name]}."
            )
    return Call(builder, {**{name: given[name] for name in wanted}, **(options or {})}, source)


def _known(builder: Builder, experiments: Sequence[Experiment], base: Path | None) -> tuple[dict[str, Any], str]:
    for experiment in experiments:
        for variant in experiment.variants:
            if variant.builder is builder:
                shape, classes = datasets.shape(experiment.data, base)
                return {"input_shape": shape, "classes": classes}, f"as in experiment {experiment.name}"
    parameters = inspect.signature(builder).parameters
    own = {name: parameters[name].default for name in GIVEN if name in parameters}
    return {name: value for name, value in own.items() if value is not inspect.Parameter.empty}, "its defaults"


def model(call: Call) -> Any:
    """The model, built; its variables have shapes and no values unless the builder insists.

    Raises UserError where the builder fails or returns no model.
    """
    keras = import_keras()
    try:
        with keras.StatelessScope(initialize_variables=False):
            built = _built(call)
    except Exception:  # some builders compute with their variables, which takes real ones
        try:
            built = _built(call)
        except Exception as error:
            raise UserError(f"The builder failed for {call}: {first_line(error)}") from error
    finally:
        _leave_without_values()
    if not isinstance(built, keras.Model):
        raise UserError(
            f"The builder '{call.builder.__name__}' must return a keras.Model. Received: {type(built).__name__}."
        )
    return built


def _built(call: Call) -> Any:
    built = call.builder(**call.arguments)
    shape = call.arguments.get("input_shape")
    if shape and isinstance(built, import_keras().Model) and not built.built:
        built.build((None, *shape))
    return built


def _leave_without_values() -> None:
    """Keras keeps a list of the variables still to be initialised, and would do so with the next model."""
    from keras.src.backend.common import global_state

    global_state.set_global_attribute("uninitialized_variables", [])
