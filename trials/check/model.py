"""Requirements of the model that a builder returns."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from trials.check.cases import SEED, Case, kind_of
from trials.check.engines import STEPS, gradients, tolerance
from trials.engines.model import blueprint, check_model, compile_model, load_weights_file, threshold, weights_file
from trials.environment import import_keras
from trials.errors import UnsupportedError, UserError


def returned(case: Case) -> str:
    model = case.model()
    if model.compiled:
        raise UserError("received a compiled model; leave compile to the protocol")
    before = len(model.variables)
    model(case.samples.x[:2], training=False)
    if len(model.variables) != before:
        raise UserError(
            f"{len(model.variables) - before} variables come only with the first call; "
            "call the model once in the builder, or make its layers' weights in build()"
        )
    trainable = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    total = model.count_params()
    return f"{total:,} parameters{'' if trainable == total else f', {trainable:,} of them trainable'}"


def fits(case: Case) -> str:
    model, (x, y) = case.model(), case.parts["train"]
    check_model(model, case.configuration, x[:2], y[:2], case.samples.classes)
    outputs = np.asarray(model(x[:8], training=False))
    loss = case.configuration.protocol.loss
    expected = "logits" if threshold(loss) == 0 else "probabilities"
    crossentropy = "crossentropy" in str(loss if isinstance(loss, str) else loss["class_name"]).lower()
    doubt = f", though the loss takes them for {expected}" if crossentropy and kind_of(outputs) != expected else ""
    return f"outputs (None, {outputs.shape[-1]}) are {kind_of(outputs)}{doubt}"


def finite(case: Case) -> str:
    model = case.model()
    for mode, training in (("inference", False), ("training", True)):
        outputs = np.asarray(model(case.samples.x, training=training))
        if not np.isfinite(outputs).all():
            raise UserError(
                f"{int((~np.isfinite(outputs)).sum())} of {outputs.size} outputs are NaN or infinite in {mode} mode "
                "for standard normal inputs; look for a division, a logarithm or a root"
            )
    return ""


def repeatable(case: Case) -> str:
    model, x = case.model(), case.samples.x[:8]
    before = [np.array(variable.numpy()) for variable in model.variables]
    one, other = (np.asarray(model(x, training=False)) for _ in range(2))
    if not np.array_equal(one, other):
        apart = np.abs(one - other).max()
        raise UserError(f"two calls differ by up to {apart:.2g}; draw nothing at random in inference mode")
    moved = _unequal(model.variables, before)
    if moved:
        raise UserError(f"inference changes {_listed(moved)}; update nothing where training is false")
    return ""


def independent(case: Case) -> str:
    model, x = case.model(), case.samples.x[:8]
    others = np.concatenate([x[:1], 3 * case.samples.x[8:15]])
    one, other = (np.asarray(model(batch, training=False))[0] for batch in (x, others))
    if not np.allclose(one, other, rtol=1e-4, atol=1e-5):
        raise UserError(
            f"among other samples it differs by {np.abs(one - other).max():.2g}; "
            "take no statistics over the batch in inference mode"
        )
    return ""


def fresh(case: Case) -> str:
    one, same, other = case.model(), case.model(), case.model(SEED + 1)
    if _drawing(one) != _drawing(same):
        raise UserError("two calls with one seed return different networks; draw and count nothing outside the builder")
    if differing := _unequal(one.weights, same.weights):
        raise UserError(f"one seed starts {_listed(differing)} in two ways; draw from Keras's initializers alone")
    if _drawing(one) != _drawing(other):
        return "it decides more of the network as well"
    redrawn = _unequal(one.trainable_variables, other.trainable_variables)
    if one.trainable_variables and not redrawn:
        raise UserError("another seed starts with the same weights; fix no seed and load no weights in the builder")
    fixed = [v.path for v in one.trainable_variables if v.path not in redrawn and np.ptp(v.numpy()) > 0]
    return f"but {_listed(fixed)} start the same from every seed" if fixed else ""


def apart(case: Case) -> str:
    one, changed = case.build()
    other = case.model(SEED + 1)
    shared = {id(v) for v in one.variables} & {id(v) for v in other.variables}
    if shared:
        names = [v.path for v in one.variables if id(v) in shared]
        raise UserError(f"two calls share {_listed(names)}; make every layer anew inside the function")
    if changed:
        raise UserError(
            f"it sets Keras's {', '.join(f'{name} to {value}' for name, value in changed.items())} for "
            "everything that comes after; give the dtype or format to the layers"
        )
    again = case.model()
    if _drawing(again) != _drawing(one):
        raise UserError("a later call returns another network; keep nothing outside the function")
    return ""


def _drawing(model: Any) -> str:
    shapes = str([tuple(variable.shape) for variable in model.variables])
    try:
        return blueprint(model) + shapes
    except Exception:  # a subclass may not know its own configuration
        return shapes


def reached(case: Case) -> str:
    model = compile_model(case.model(), case.configuration)
    variables = model.trainable_variables
    if not variables:
        raise UserError("the model has no trainable variable; nothing could be learned")
    found = gradients(model, *case.parts["train"])
    without = [v.path for v, gradient in zip(variables, found, strict=True) if gradient is None]
    if without:
        raise UserError(
            f"no gradient reaches {_listed(without)}; connect them to the output, or make them not trainable"
        )
    return f"{len(variables)} variables"


def learns(case: Case) -> str:
    losses = case.trained.losses
    for number, loss in enumerate(losses, 1):
        if not np.isfinite(loss):
            raise UserError(
                f"the loss became {loss} in step {number} of {STEPS}; "
                "lower the learning rate, or see whether the loss takes logits or probabilities"
            )
    return f"from {losses[0]:.3g} to {losses[-1]:.3g} on random labels"


def same_training(case: Case) -> str:
    trained = case.trained
    if trained.unsupported:
        raise UnsupportedError(f"it would be trained by fit, which is slower: {trained.unsupported}")
    if not np.isfinite(trained.losses).all():
        raise UnsupportedError("its training is not finite")
    if trained.differences:
        raise UserError(f"{_listed(trained.differences)}; train it with --engine fit, and report it")
    return f"after {STEPS} steps every variable within {tolerance():g}"


def saved(case: Case) -> str:
    one, other = (compile_model(case.model(seed), case.configuration) for seed in (SEED, SEED + 1))
    x = case.samples.x[:8]
    load_weights_file(other, weights_file(one))
    if lost := _unequal(one.weights, other.weights):
        raise UserError(f"the file does not bring back {_listed(lost)}; keep layers and weights as attributes")
    if not np.array_equal(one(x, training=False), other(x, training=False)):
        raise UserError("the outputs differ after loading; keep what they depend on in the model's variables")
    return ""


def _unequal(variables: Sequence[Any], values: Sequence[Any]) -> list[str]:
    """The paths of the variables that do not hold exactly these values."""
    pairs = zip(variables, values, strict=True)
    return [variable.path for variable, value in pairs if not np.array_equal(variable, value)]


def named(case: Case) -> str:
    if "batch_norm" not in case.configuration.protocol.record:
        return "none is recorded"
    kind = import_keras().layers.BatchNormalization
    models = case.model(), case.model(SEED + 1)
    one, other = ([layer.name for layer in model._flatten_layers() if isinstance(layer, kind)] for model in models)
    if one != other or len(set(one)) < len(one):
        raise UserError(f"received {_listed(one)}, then {_listed(other)}; give each a name of its own with name=...")
    return _listed(one)


def _listed(names: Sequence[str]) -> str:
    """Up to three of them, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
