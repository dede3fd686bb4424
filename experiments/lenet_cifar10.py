"""S000 and S001, question 4: what do batch norm and dropout add to LeNet on CIFAR-10?

The documents state the network and ask for its test accuracy, then with batch norm after each pooling,
then with dropout of 0.3 after the two hidden full connections too; they state no optimizer, rate, batch
size, number of epochs or scaling, and publish no figure. The protocol is ours, one for all variants:
intensities from -1 to 1; Adam at its default rate and batches of 64, as most would begin; 20 epochs, by
which the network without regularisers has long begun to overfit, so that a tenth of the training images,
stratified, selects the epoch whose weights are tested.
"""

from models import lenet
from trials.experiment import Data, Experiment, Protocol, Variant

EXPERIMENT = Experiment(
    name="lenet_cifar10",
    question="What do batch norm, and batch norm with dropout, add to LeNet's test accuracy on CIFAR-10?",
    source="S000-Q4, S001-Q4",
    data=Data("cifar10", scale=255, mean=0.5, std=0.5, validation_fraction=0.1, stratified=True),
    variants=(
        Variant("lenet", lenet),
        Variant("batch_norm", lenet, {"batch_norm": True}),
        Variant("batch_norm_dropout", lenet, {"batch_norm": True, "dropout": 0.3}),
    ),
    protocol=Protocol(
        epochs=20,
        loss={"class_name": "SparseCategoricalCrossentropy", "config": {"from_logits": True}},
        optimizer="adam",
        learning_rate=0.001,
        batch_size=64,
        record=("train", "validation"),
        select="validation_accuracy",
    ),
    trials=10,
)
