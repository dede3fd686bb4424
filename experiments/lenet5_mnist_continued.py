"""S003, question 5, as its code runs: one model, never rebuilt, evaluated after every 20 of 200 epochs.

One trial is one such trajectory, weights and Adam's state carried on; its test figure is the mean of
the ten evaluations. The published 0.99152 is that of one trajectory.
"""

import dataclasses

from experiments import lenet5_mnist

EXPERIMENT = dataclasses.replace(
    lenet5_mnist.EXPERIMENT,
    name="lenet5_mnist_continued",
    question="What does S003's own loop measure: the mean of ten evaluations along one training of 200 epochs?",
    protocol=dataclasses.replace(lenet5_mnist.EXPERIMENT.protocol, epochs=200, evaluate_every=20, record=()),
    published=tuple(
        dataclasses.replace(figure, unlike="", note="one trajectory, ten evaluations")
        for figure in lenet5_mnist.EXPERIMENT.published
    ),
)
