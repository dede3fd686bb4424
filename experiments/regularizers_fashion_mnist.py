"""S004, practical part: which regulariser helps LeNet-5 on Fashion-MNIST?"""

from models import lenet5_regularized
from trials.experiment import Data, Experiment, Protocol, Variant

EXPERIMENT = Experiment(
    name="regularizers_fashion_mnist",
    question="Does dropout, weight decay or batch norm improve LeNet-5 on Fashion-MNIST?",
    source="S004",
    data=Data("fashion_mnist", scale=255, validation_fraction=0.1, stratified=True),
    variants=(
        Variant("none", lenet5_regularized),
        Variant("dropout", lenet5_regularized, {"dropout": 0.5}),
        Variant("weight_decay", lenet5_regularized, {"weight_decay": 1e-4}),
        Variant("batch_norm", lenet5_regularized, {"batch_norm": True}),
    ),
    protocol=Protocol(
        epochs=20,
        loss={"class_name": "SparseCategoricalCrossentropy", "config": {"from_logits": True}},
        optimizer="adam",
        learning_rate=0.001,
        batch_size=64,
        record=("train", "validation", "test"),
        select="validation_accuracy",
    ),
    trials=10,
)
