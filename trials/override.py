"""An experiment as the command line asks for it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from trials.declared_values import require
from trials.errors import UserError, unknown
from trials.experiment import DATA_NAMES, FIELDS, PROTOCOL_NAMES, Experiment, Variant


def override(
    experiment: Experiment,
    *,
    trials: int | None = None,
    epochs: int | None = None,
    variants: tuple[str, ...] = (),
    values: Mapping[str, tuple[Any, ...]] | None = None,
) -> Experiment:
    """The experiment as the command line asks for it.

    Raises UserError for names the experiment does not have and for values it cannot take.
    """
    changed = dict(values or {})
    if epochs is not None:
        require("epochs" not in changed, "The number of epochs is given twice: --epochs and --set epochs.")
        changed["epochs"] = (epochs,)
    if variants:
        experiment = _choose_variants(experiment, variants)
    if trials is not None:
        experiment = dataclasses.replace(experiment, trials=trials)
    for name in changed:
        if name not in experiment.settable():
            raise unknown("option", name, experiment.settable())
    swept = {name: new for name, new in changed.items() if len(new) > 1 or name in experiment.sweep}
    fixed = {name: new[0] for name, new in changed.items() if name not in swept}
    return _sweep(_fix(experiment, fixed), swept)


def everywhere(declared: Experiment, asked: Experiment, **changes: Any) -> Experiment:
    """What the same changes make of all variants; `asked` where they do not fit those that were not asked for."""
    try:
        return override(declared, **changes)
    except UserError:
        return asked


def _choose_variants(experiment: Experiment, names: tuple[str, ...]) -> Experiment:
    """These variants, and of the sweep what one of them takes."""
    known = {variant.name: variant for variant in experiment.variants}
    for name in names:
        if name not in known:
            raise unknown(f"variant of '{experiment.name}'", name, known)
    kept = tuple(variant for variant in experiment.variants if variant.name in names)
    taken = {*FIELDS, *(option for variant in kept for option in variant.accepts())}
    sweep = {name: values for name, values in experiment.sweep.items() if name in taken}
    published = tuple(each for each in experiment.published if each.where.keys() <= {"variant", "epoch", *sweep})
    return dataclasses.replace(experiment, variants=kept, sweep=sweep, published=published)


def _fix(experiment: Experiment, values: Mapping[str, Any]) -> Experiment:
    """Options and fields set to one value, for all variants."""
    fields = {name: value for name, value in values.items() if name in FIELDS}
    variants = (_with_options(variant, values) for variant in experiment.variants)
    return dataclasses.replace(
        experiment,
        variants=tuple(_without(variant, fields) for variant in variants),
        protocol=dataclasses.replace(experiment.protocol, **_only(fields, PROTOCOL_NAMES)),
        data=dataclasses.replace(experiment.data, **_only(fields, DATA_NAMES)),
    )


def _only(values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in names}


def _without(variant: Variant, fields: Mapping[str, Any]) -> Variant:
    """The variant without ways of its own in these fields."""
    protocol = {name: value for name, value in variant.protocol.items() if name not in fields}
    data = {name: value for name, value in variant.data.items() if name not in fields}
    return dataclasses.replace(variant, protocol=protocol, data=data)


def _with_options(variant: Variant, values: Mapping[str, Any]) -> Variant:
    taken = {name: value for name, value in values.items() if name in variant.accepts()}
    return dataclasses.replace(variant, options={**variant.options, **taken}) if taken else variant


def _sweep(experiment: Experiment, values: Mapping[str, tuple[Any, ...]]) -> Experiment:
    return dataclasses.replace(experiment, sweep={**experiment.sweep, **values})
