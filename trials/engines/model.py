"""A fresh model for every trial: built from the trial's seed, checked, compiled."""

import json
import math
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from trials import backend
from trials.environment import import_keras
from trials.errors import UserError, first_line
from trials.experiment import Configuration, Identifier, Protocol
from trials.seeds import Stream, dropout_states, integer

GENERATOR = "seed_generator_state"
"How Keras calls the state of a seed generator (dropout, noise)."


def fresh_model(configuration: Configuration, input_shape: tuple[int, ...], classes: int, seed: int) -> Any:
    """The configuration's model as a trial of this seed starts with it, uncompiled.

    Raises UserError when the builder fails or returns something that cannot be trained on the data.
    """
    keras = import_keras()
    keras.utils.set_random_seed(integer(seed, Stream.WEIGHTS))
    name = getattr(configuration.variant.builder, "__name__", "builder")
    try:
        model = configuration.variant.builder(input_shape=input_shape, classes=classes, **configuration.options)
        if isinstance(model, keras.Model) and not model.built:
            model.build((None, *input_shape))
    except (Exception, SystemExit) as error:
        raise UserError(f"The builder '{name}' failed for {configuration.label}: {first_line(error)}") from error
    if not isinstance(model, keras.Model):
        raise UserError(f"The builder '{name}' must return a keras.Model. Received: {type(model).__name__}.")
    generators = seed_generators(model)
    for variable, state in zip(generators, dropout_states(seed, len(generators)), strict=True):
        variable.assign(state)
    return model


def check_model(model: Any, configuration: Configuration, x: np.ndarray, y: np.ndarray, classes: int) -> None:
    """Compiles a fresh model and shows it a few samples (x, y).

    Raises UserError where it is compiled already, or where its inputs, outputs or loss do not fit the data.
    """
    name = getattr(configuration.variant.builder, "__name__", "builder")
    if model.compiled:
        raise UserError(f"The builder '{name}' must return an uncompiled model: the protocol compiles it.")
    compile_model(model, configuration)
    try:
        outputs = model(x, training=False)
    except Exception as error:
        raise UserError(
            f"The model of '{name}' cannot take inputs of shape {(None, *x.shape[1:])} ({configuration.label}): "
            f"{first_line(error)}"
        ) from error
    received, expected = getattr(outputs, "shape", None), (len(x), y.shape[1] if y.ndim > 1 else classes)
    if received is None or tuple(received) != expected:
        shape = "several outputs" if received is None else (None, *tuple(received)[1:])
        raise UserError(
            f"The builder '{name}' must return outputs of shape {(None, *expected[1:])} for this data. "
            f"Received: {shape} ({configuration.label})."
        )
    try:
        model.compute_loss(x, y, outputs)
    except Exception as error:
        raise UserError(
            f"The loss {configuration.protocol.loss!r} does not fit labels of shape {(None, *y.shape[1:])} "
            f"and outputs of shape {(None, *expected[1:])}: {first_line(error)}"
        ) from error


def blueprint(model: Any) -> str:
    """The model without names, seeds and variables: equal for every seed unless the builder draws more than weights."""
    text = json.dumps(model.get_config(), default=str, sort_keys=True)
    for index, layer in enumerate([model, *model._flatten_layers()]):
        text = text.replace(f'"{layer.name}"', f'"layer {index}"')
    return re.sub(r'"seed": (\d+|null)', "", text)


def weights_file(model: Any) -> bytes:
    """The contents of a Keras `.weights.h5` file with the model's weights; the optimizer's state is left out."""
    with _file_without_optimizer(model) as path:
        model.save_weights(path)
        return path.read_bytes()


def load_weights_file(model: Any, content: bytes) -> None:
    """Puts such weights into a model of the same builder and options; nothing else in the file is read or run.

    Raises UserError where they are none, or not this model's.
    """
    with _file_without_optimizer(model) as path:
        path.write_bytes(content)
        try:
            model.load_weights(path)
        except Exception as error:  # a file of another kind fails in any way
            raise UserError(f"A kept weights file does not fit its model: {first_line(error)[:200]}.") from error


@contextmanager
def _file_without_optimizer(model: Any) -> Iterator[Path]:
    optimizer, model.optimizer = model.optimizer, None
    try:
        with tempfile.TemporaryDirectory(prefix="trials-") as folder:
            yield Path(folder) / "model.weights.h5"
    finally:
        model.optimizer = optimizer


def batch_norm_parameters(model: Any) -> dict[str, dict[str, list[float]]]:
    """By batch-norm layer, in the model's order: gamma, beta, moving mean and moving variance, one number a channel."""
    kind = import_keras().layers.BatchNormalization
    columns = ("gamma", "beta", "moving_mean", "moving_variance")
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, kind)]
    return {
        name: {column: value.numpy().tolist() for column in columns if (value := getattr(norm, column)) is not None}
        for name, norm in zip(_names(norms), norms, strict=True)
    }


def _names(layers: Sequence[Any]) -> list[str]:
    """The layers' own names; one that Keras numbered, or that occurred before, is numbered within the model.

    Keras counts unnamed layers over all that a process has built, which differs between workers.
    """
    found: list[str] = []
    for layer in layers:
        automatic = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(layer).__name__).lower()
        name = automatic if re.fullmatch(rf"{automatic}(_\d+)?", layer.name) else layer.name
        number = sum(other.partition(" (")[0] == name for other in found) + 1
        found.append(name if number == 1 else f"{name} ({number})")
    return found


def seed_generators(model: Any) -> list[Any]:
    """The states of all seed generators (dropout, noise) in the model, in the model's own order."""
    return [variable for variable in model.variables if variable.path.endswith(GENERATOR)]


def compile_model(model: Any, configuration: Configuration) -> Any:
    """Compiles with a fresh optimizer and the protocol's loss; metrics are the runner's own business."""
    protocol = configuration.protocol
    try:
        # XLA is JAX's only compiler; TensorFlow's own is what the graph engine is held to.
        compiled: Any = "auto" if backend.current() == "jax" else False
        model.compile(optimizer=keras_optimizer(protocol), loss=keras_loss(protocol.loss), jit_compile=compiled)
        model.optimizer.build(model.trainable_variables)
        # Summing gradients over one replica changes nothing, but TensorFlow keeps its trace for ever.
        model.optimizer._all_reduce_sum_gradients = list
    except (ValueError, TypeError) as error:
        raise UserError(f"The protocol of {configuration.label} cannot be compiled: {first_line(error)}") from error
    return model


def optimise_graphs(wanted: bool) -> None:
    """Whether TensorFlow optimises a graph before it first runs, from now on; it does by itself. Not JAX's concern."""
    if backend.current() == "tensorflow":
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": not wanted})


def keras_optimizer(protocol: Protocol) -> Any:
    """A fresh optimizer; `learning_rate` may itself be a `{"class_name", "config"}` schedule."""
    keras = import_keras()
    given = protocol.optimizer
    identifier: Mapping[str, Any] = {"class_name": given} if isinstance(given, str) else given
    config = dict(identifier.get("config", {}))
    if protocol.learning_rate is not None:
        config["learning_rate"] = protocol.learning_rate
    if isinstance(config.get("learning_rate"), Mapping):
        schedules = keras.optimizers.schedules
        config["learning_rate"] = schedules.serialize(schedules.deserialize(dict(config["learning_rate"])))
    return keras.optimizers.get({**identifier, "config": config})


def keras_loss(identifier: Identifier) -> Any:
    """The Keras loss that an identifier names."""
    keras = import_keras()
    return keras.losses.get(
        identifier if isinstance(identifier, str) else {**identifier, "config": dict(identifier.get("config", {}))}
    )


def sample_losses(identifier: Identifier) -> Callable[[Any, Any], Any]:
    """The same loss as a function of (labels, outputs) that returns one value a sample."""
    loss = keras_loss(identifier)
    return loss.call if hasattr(loss, "call") else loss


def threshold(identifier: Identifier) -> float:
    """The output from which a binary head says 1: a logit of 0, or a probability of 0.5."""
    logits = not isinstance(identifier, str) and identifier.get("config", {}).get("from_logits", False)
    return 0.0 if logits else 0.5


def is_finite(*values: float | None) -> bool:
    """Whether no figure is NaN or infinite; absent figures do not count."""
    return all(value is None or math.isfinite(value) for value in values)


def weights_of(model: Any) -> list[np.ndarray]:
    """Copies of the model's weights, batch-norm statistics included."""
    return [np.array(weight) for weight in model.get_weights()]
