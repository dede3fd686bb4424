"""A convolutional experiment that runs offline in seconds: LeNet-5 on scikit-learn's digits.

The 8x8 images are resized to the 28x28 that the modified LeNet-5 of S003's question 5 expects;
the rest follows that question, with fewer epochs.
"""

from models import lenet5
from trials.experiment import Data, Experiment, Protocol, Variant

EXPERIMENT = Experiment(
    name="lenet5_digits",
    question="How accurate is the modified LeNet-5 on 8x8 digits, and how much does it vary?",
    data=Data("digits", size=(28, 28), scale=16, test_fraction=0.2, validation_fraction=0.1, stratified=True),
    variants=(Variant("lenet5", lenet5),),
    protocol=Protocol(epochs=5, loss="sparse_categorical_crossentropy", record=("train", "validation")),
    trials=10,
)
