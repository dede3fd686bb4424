"""Two engines are compared by every variable that can be compared."""

from trials.check.cases import plan
from trials.check.engines import TOLERANCE, differences, without_gradient

TWO_LAYERS = """
    def build(*, input_shape, classes):
        inputs = keras.Input(input_shape)
        x = layers.Dense(2, name="before")(layers.LayerNormalization(scale=False, name="shift")(inputs))
        x = layers.BatchNormalization(name="norm")(x)
        return keras.Model(inputs, layers.Dense(classes, bias_initializer="ones", name="after")(x))
"""


def test_variables_are_compared_by_their_relative_distance(builder):
    one, other = (builder(TWO_LAYERS)(input_shape=(4,), classes=2) for _ in range(2))
    other.set_weights(one.get_weights())
    assert differences(one, other, 0) == []
    other.get_layer("before").bias.assign([1.0, 1.0])
    other.get_layer("after").bias.assign([1.003, 1.004])  # |(0.003, 0.004)| / |(1, 1)| = 0.005 / 1.414
    place = [variable.path for variable in one.variables].index("before/bias")
    assert differences(one, other, TOLERANCE, {place}) == ["after/bias is 0.0035 off (L2, relative)"]
    assert differences(one, other, 0) == ["before/bias is not equal", "after/bias is not equal"]


def test_parameters_that_a_batch_norm_undoes_have_no_gradient_to_compare(builder):
    case = plan(builder(TWO_LAYERS), (), None, None)[0]
    places = without_gradient(case.configuration, case.samples.classes, case.parts, 0)
    assert {case.model().variables[place].path for place in places} == {"before/bias", "shift/beta"}
