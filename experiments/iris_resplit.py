"""The Iris sweep with a new stratified split for every trial, beside the source's fixed one.

The fixed 30-flower test set is the real weakness of S003's question 4: all its trials share one
draw of 30 flowers. With `resampled_split` trial i draws its own, the same for every width, so that
the spread holds the luck of the split as well. Everything else is as in `iris_hidden_units`.
"""

import dataclasses

from experiments import iris_hidden_units
from models import mlp
from trials.experiment import Variant

EXPERIMENT = dataclasses.replace(
    iris_hidden_units.EXPERIMENT,
    name="iris_resplit",
    question="How much of the spread of iris_hidden_units is the luck of its one split?",
    variants=(
        Variant("fixed_split", mlp),
        Variant("resampled_split", mlp, data={"split_seed": None, "stratified": True}),
    ),
    published=tuple(
        figure
        for published in iris_hidden_units.EXPERIMENT.published
        for figure in (
            dataclasses.replace(published, where={"variant": "fixed_split"}),
            dataclasses.replace(
                published,
                where={"variant": "resampled_split"},
                unlike="the source uses one fixed split that is not stratified",
            ),
        )
    ),
)
