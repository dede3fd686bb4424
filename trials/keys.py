"""A trial's key: what decides its numbers, how it names the trial, and the way back to a configuration."""

import functools
import hashlib
import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from trials.experiment import DATA_NAMES, Configuration, Experiment, Protocol
from trials.sources import source_hash

Place = tuple[str, str]
"A variant's name and its swept values as text: what names a configuration within a folder."


def plain(value: Any) -> Any:
    """A declaration as it reads back from the journal, the order of its names included."""
    return json.loads(json.dumps(value, sort_keys=True, default=repr))


def configuration_key(configuration: Configuration) -> dict[str, Any]:
    """Everything that decides a configuration's numbers, beside data, engine, versions and seed."""
    builder = configuration.variant.builder
    return plain(
        {
            "variant": configuration.variant.name,
            "builder": builder.__name__,
            "source": source_of(builder),
            "options": configuration.options,
            "values": dict(configuration.values),
            "protocol": asdict(configuration.protocol),
            "data": {name: getattr(configuration.data, name) for name in DATA_NAMES},
        }
    )


@functools.cache
def source_of(builder: Callable[..., Any]) -> str:
    """Its hash when its process first asked: what runs does not change with its file."""
    return source_hash(builder)


def place(key: Mapping[str, Any]) -> Place:
    return key["variant"], json.dumps(key["values"], sort_keys=True)


def configuration_place(configuration: Configuration) -> Place:
    return place({"variant": configuration.variant.name, "values": plain(dict(configuration.values))})


def weights_name(key: Mapping[str, Any], trial: int) -> str:
    """The file of a trial's weights: `dropout_rate=0.5_trial_3.weights.h5`."""
    values = [f"{name}={value}" for name, value in key["values"].items()]
    label = "_".join([key["variant"], *values])
    safe = re.sub(r"[^\w.+=-]", "-", label)[:100]
    if safe != label:  # two labels must not become one
        safe += "_" + hashlib.sha256(label.encode()).hexdigest()[:8]
    return f"{safe}_trial_{trial}.weights.h5"


def differences(key: Mapping[str, Any], configuration: Configuration) -> dict[str, tuple[Any, Any]]:
    """What a recorded key has otherwise than this configuration: by part, (recorded, wanted).

    Of options, protocol and data only the names that differ; an option that was not given counts as its default.
    """
    wanted = configuration_key(configuration)
    parameters = inspect.signature(configuration.variant.builder).parameters
    absent = {name: plain(parameters[name].default) for name in configuration.variant.accepts()}
    found = {}
    for part in ("builder", "source", "options", "protocol", "data"):
        old, new = key.get(part), wanted[part]
        if part == "options":
            old, new = {**absent, **(old or {})}, {**absent, **new}
        if old != new:
            found[part] = difference(old, new)
    return found


def difference(old: Any, new: Any) -> tuple[Any, Any]:
    """Of two declarations, only the parts that differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        return {name: old.get(name) for name in names}, {name: new.get(name) for name in names}
    return old, new


def at(key: Mapping[str, Any], experiment: Experiment) -> Configuration | None:
    """The experiment's configuration at a record's place; None where it has no such variant (any more)."""
    variants = {variant.name: variant for variant in experiment.variants}
    if key["variant"] not in variants:
        return None
    values = {}
    for name, recorded in key["values"].items():
        declared = [value for value in experiment.sweep.get(name, ()) if plain(value) == recorded]
        values[name] = declared[0] if declared else _field(name, recorded)
    return experiment.configuration(variants[key["variant"]], values)


def as_trained(key: Mapping[str, Any], declared: Configuration) -> Configuration:
    """The declared configuration with what the command line had changed when the record was trained.

    What is recorded as declared is taken from the declaration: JSON knows neither tuples nor numbers as names.
    """
    options = _as_recorded(declared.variant.options, key["options"])
    protocol = _as_recorded(asdict(declared.protocol), key["protocol"])
    data = _as_recorded({name: getattr(declared.data, name) for name in DATA_NAMES}, key["data"])
    return replace(
        declared,
        variant=replace(declared.variant, options=options),
        protocol=Protocol(**protocol),
        data=replace(declared.data, **data),
    )


def _as_recorded(declared: Mapping[str, Any], recorded: Mapping[str, Any]) -> dict[str, Any]:
    same = {name for name, value in declared.items() if name in recorded and plain(value) == recorded[name]}
    return {name: declared[name] if name in same else _field(name, value) for name, value in recorded.items()}


def _field(name: str, recorded: Any) -> Any:
    """A recorded value that nothing declares any more: fields of the data hold no lists."""
    return tuple(recorded) if name in (*DATA_NAMES, "record") and isinstance(recorded, list) else recorded
