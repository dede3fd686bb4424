"""The texts of small builders, experiments that use them, and what is told of them."""

from trials.check import MODEL, _judged, check
from trials.check.cases import plan
from trials.experiment import Data, Experiment, Protocol, Variant

STACK = "keras.Sequential([keras.Input(input_shape), {}keras.layers.Dense(classes, activation='softmax')])"


USED = "scale = self.scale + self.spare"
LAYER = """
class Own(layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones")
        self.spare = self.add_weight(shape=(), initializer="ones")
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x, training=False):
        {}

"""


def layer(*call):
    return LAYER.format("\n        ".join(call))


def returning(inside, options="", before=""):
    """The text of a builder that returns a small network with these layers inside."""
    return f"{before}\n\ndef build(*, input_shape, classes{options}):\n    return {STACK.format(inside)}\n"


def first_failure(*arguments, **known):
    """The first violated requirement as it is told; what comes after is not checked."""
    return next((str(finding) for finding in check(*arguments, **known) if finding.status == "FAILED"), "")


EXPERIMENT = {
    "name": "asked",
    "question": "?",
    "data": Data("iris", test_fraction=0.2),
    "protocol": Protocol(epochs=1, loss="sparse_categorical_crossentropy"),
}


def experiment(build, options=None, **changed):
    return Experiment(**{**EXPERIMENT, "variants": (Variant("only", build, options or {}),), **changed})


def tell(words, build, *experiments):
    """What comes out for the one requirement with these words."""
    return told_of(plan(build, experiments, None, None)[0], words)


def told_of(case, words):
    (name,) = (name for name in MODEL if words in name)
    return str(_judged(name, lambda: MODEL[name](case), ""))
