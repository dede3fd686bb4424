"""The zoo: every builder there is, by the name of its network."""

from models.lenet5 import lenet5
from models.mlp import mlp

BUILDERS = {
    "lenet5": lenet5,
    "mlp": mlp,
}
