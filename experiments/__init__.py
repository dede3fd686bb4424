"""The questions: every experiment there is, by name."""

from experiments import iris_hidden_units, iris_resplit, lenet5_digits, lenet5_mnist, lenet5_mnist_continued

EXPERIMENTS = {
    module.EXPERIMENT.name: module.EXPERIMENT
    for module in (iris_hidden_units, iris_resplit, lenet5_digits, lenet5_mnist, lenet5_mnist_continued)
}
