"""What a Keras user would write: build, compile, fit, evaluate each trial, with Keras's defaults."""

import keras

from benchmarks.contenders import lanes
from trials.engines.model import keras_loss, keras_optimizer
from trials.experiment import Configuration
from trials.splits import Parts


def compiled(configuration: Configuration, parts: Parts, classes: int, steps_per_execution: int = 1) -> keras.Model:
    """A fresh model under the protocol."""
    shape = parts["train"][0].shape[1:]
    model = configuration.variant.builder(input_shape=shape, classes=classes, **configuration.options)
    model.compile(
        keras_optimizer(configuration.protocol),
        keras_loss(configuration.protocol.loss),
        metrics=["accuracy"],
        steps_per_execution=steps_per_execution,
    )
    return model


def trial(configuration: Configuration, parts: Parts, classes: int, seed: int, steps_per_execution: int = 1) -> float:
    """Not seeded: a plain loop is not, and Keras draws its seeds from the system."""
    protocol = configuration.protocol
    model = compiled(configuration, parts, classes, steps_per_execution)
    x, y = parts["train"]
    model.fit(x, y, batch_size=protocol.batch_size, epochs=protocol.epochs, shuffle=protocol.shuffle, verbose=0)
    return float(model.evaluate(*parts["test"], verbose=0)[1])


def as_it_is(parts: Parts) -> Parts:
    return parts


if __name__ == "__main__":
    lanes.run(trial, as_it_is)
