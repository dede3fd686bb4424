"""The questions: every experiment there is, by name."""

from experiments import (
    batch_norm_dropout_mnist,
    iris_hidden_units,
    iris_resplit,
    lenet5_1998_mnist,
    lenet5_digits,
    lenet5_mnist,
    lenet5_mnist_continued,
    lenet_cifar10,
    regularizers_fashion_mnist,
)

EXPERIMENTS = {
    module.EXPERIMENT.name: module.EXPERIMENT
    for module in (
        iris_hidden_units,
        iris_resplit,
        lenet5_digits,
        lenet5_mnist,
        lenet5_mnist_continued,
        lenet5_1998_mnist,
        batch_norm_dropout_mnist,
        regularizers_fashion_mnist,
        lenet_cifar10,
    )
}
