"""The fused update is Keras's Adam, and only Adam's."""

import numpy as np
import pytest


def trained(keras, optimizer, fused):
    from trials.engines.fused_adam import fused_adam

    variable = keras.Variable(np.linspace(-1, 1, 50, dtype="float32"))
    optimizer.build([variable])
    gradients = np.random.default_rng(0).normal(size=(20, 50)).astype("float32")
    own = "apply" in vars(optimizer)
    for gradient in gradients:
        if fused:
            with fused_adam(optimizer):
                optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        else:
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
    assert ("apply" in vars(optimizer)) == own
    return [variable.numpy(), *(held.numpy() for held in optimizer.variables)]


@pytest.mark.parametrize(
    "options",
    [{}, {"learning_rate": 0.1, "beta_1": 0.5, "beta_2": 0.99, "epsilon": 1e-3}, {"learning_rate": "schedule"}],
    ids=str,
)
def test_twenty_steps_end_where_kerass_own_end(options, keras):
    def optimizer():
        rate = options.get("learning_rate")
        schedule = {"learning_rate": keras.optimizers.schedules.CosineDecay(0.1, 30)} if rate == "schedule" else {}
        return keras.optimizers.Adam(**{**options, **schedule})

    for ours, theirs in zip(trained(keras, optimizer(), True), trained(keras, optimizer(), False), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize(
    "options", [{"amsgrad": True}, {"weight_decay": 0.1}, {"clipnorm": 1.0}, {"use_ema": True}], ids=str
)
def test_what_is_more_than_adam_is_kerass_own(options, keras):
    from trials.engines.fused_adam import fused_adam

    optimizer = keras.optimizers.Adam(**options)
    optimizer.build([keras.Variable([1.0])])
    with fused_adam(optimizer):
        assert "apply" not in vars(optimizer)
    nadam = keras.optimizers.Nadam()
    with fused_adam(nadam):
        assert "apply" not in vars(nadam)
