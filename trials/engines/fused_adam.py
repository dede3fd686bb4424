"""Adam's update as one kernel a variable, where Keras writes a dozen operations: a tenth of a LeNet step."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

EXTRAS = (
    "weight_decay",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "loss_scale_factor",
    "gradient_accumulation_steps",
)


def is_plain(optimizer: Any) -> bool:
    """Whether it is Adam as Kingma and Ba (2015) wrote it, and nothing more."""
    if type(optimizer) is not keras.optimizers.Adam or optimizer.amsgrad or optimizer.use_ema:
        return False
    return all(getattr(optimizer, extra) is None for extra in EXTRAS)


def rates(optimizer: Any) -> dict[str, Any]:
    """What the kernel takes beside the variables for the next of a plain Adam's steps."""
    step = tf.cast(optimizer.iterations.value + 1, tf.float32)
    # The kernel rounds betas before it takes them from 1: 1 - 0.999 comes out 1e-5 too small.
    skew_m, skew_v = ((1 - float(np.float32(beta))) / (1 - beta) for beta in (optimizer.beta_1, optimizer.beta_2))
    return {
        "lr": tf.cast(optimizer.learning_rate, tf.float32) * (skew_v**0.5 / skew_m),
        "beta1_power": tf.pow(tf.constant(optimizer.beta_1, tf.float32), step),
        "beta2_power": tf.pow(tf.constant(optimizer.beta_2, tf.float32), step),
        "beta1": optimizer.beta_1,
        "beta2": optimizer.beta_2,
        "epsilon": optimizer.epsilon * skew_v**0.5,
    }


def _update(optimizer: Any, gradients: Sequence[Any], variables: Sequence[Any]) -> None:
    given = rates(optimizer)
    for gradient, variable in zip(gradients, variables, strict=True):
        index = optimizer._get_variable_index(variable)
        state = {"m": optimizer._momentums[index], "v": optimizer._velocities[index], "var": variable}
        handles = {name: held.value.handle for name, held in state.items()}
        tf.raw_ops.ResourceApplyAdam(grad=gradient, **handles, **given)
    optimizer.iterations.assign_add(1)


@contextmanager
def fused_adam(optimizer: Any) -> Iterator[None]:
    """Within: a plain Adam's updates trace as fused kernels; any other optimizer stays as it is."""
    if not is_plain(optimizer) or not optimizer.built:
        yield
        return
    keras_apply = optimizer.apply

    def apply(gradients: Sequence[Any], variables: Sequence[Any] | None = None) -> None:
        targets = optimizer._trainable_variables if variables is None else variables
        dense = all(isinstance(gradient, tf.Tensor) and gradient.dtype == tf.float32 for gradient in gradients)
        special = any(v.constraint or v.dtype != "float32" or v.overwrite_with_gradient for v in targets)
        if special or not dense:
            keras_apply(gradients, variables)
        else:
            _update(optimizer, gradients, targets)

    optimizer.apply = apply
    try:
        yield
    finally:
        del optimizer.__dict__["apply"]
