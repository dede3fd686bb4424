"""Is the LeNet-5 of 1998 or the one that S003 makes of it better on MNIST, both trained as one trains today?

Same images, same split, same order of batches, Adam at its default rate: what differs is the network, and with it
the loss, for the one ends in a softmax and the other in distances, its logits.
"""

import dataclasses

from experiments import lenet5_mnist
from models import lenet5, lenet5_1998
from trials.experiment import Published, Variant

LOGITS = {"class_name": "SparseCategoricalCrossentropy", "config": {"from_logits": True}}

EXPERIMENT = dataclasses.replace(
    lenet5_mnist.EXPERIMENT,
    name="lenet5_1998_mnist",
    question="Which is better on MNIST, the LeNet-5 of 1998 or the modified one?",
    source="S003-Q2, S003-Q5",
    variants=(Variant("lenet5", lenet5), Variant("lenet5_1998", lenet5_1998, protocol={"loss": LOGITS})),
    protocol=dataclasses.replace(lenet5_mnist.EXPERIMENT.protocol, record=("train", "validation")),
    published=(
        Published(
            value=0.9905,
            runs=1,
            source="LeCun et al. 1998, section III.B",
            where={"variant": "lenet5_1998"},
            unlike="trained on all 60,000 images, by second-order rates, to codes that are drawings",
        ),
    ),
)
