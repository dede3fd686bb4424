"""The zoo: every builder there is, by the name of its network."""

from models.lenet5 import lenet, lenet5, lenet5_batch_norm_dropout, lenet5_regularized
from models.mlp import mlp

BUILDERS = {
    builder.__name__: builder
    for builder in (
        lenet,
        lenet5,
        lenet5_batch_norm_dropout,
        lenet5_regularized,
        mlp,
    )
}
