"""The Iris sweep with a new stratified split for every trial.

The fixed 30-flower test set is the real weakness of S003's question 4: all its trials share one
draw of 30 flowers. Here trial i draws its own, the same for every width, so that the spread holds
the luck of the split as well. Everything else is as in `iris_hidden_units`.
"""

import dataclasses

from experiments import iris_hidden_units
from trials.experiment import Data

EXPERIMENT = dataclasses.replace(
    iris_hidden_units.EXPERIMENT,
    name="iris_resplit",
    question="How does the answer of iris_hidden_units spread when every trial draws its own stratified split?",
    data=Data("iris", test_fraction=0.2, split_seed=None, stratified=True, labels="one_hot"),
    published=tuple(
        dataclasses.replace(figure, unlike="the source uses one fixed split that is not stratified")
        for figure in iris_hidden_units.EXPERIMENT.published
    ),
)
