"""What the contenders are given to train, by name."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from experiments import EXPERIMENTS
from trials.experiment import Experiment
from trials.override import override

OURS = "graph_workers"
"The contender that all others are held against: this project as its default command runs."
EVERYBODY = (
    OURS,
    "graph_inline",
    "fit",
    "keras_loop",
    "keras_processes",
    "keras_tuner",
    "torch_loop",
    "torch_processes",
)
USUAL = (OURS, "graph_inline", "keras_loop", "keras_processes", "torch_loop", "torch_processes")
"Without those that differ from a plain Keras loop by what they do around a training, which iris shows."


@dataclass(frozen=True)
class Work:
    """Trainings of one experiment, and what of them is compared.

    `rate`: training samples a second over the whole machine, each process training `trials` of each configuration;
    else the seconds from the start of the command, which trains `trials` of each in all, to its last table.
    """

    about: str
    experiment: str
    trials: int
    epochs: int
    rate: bool = True
    variant: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    contenders: tuple[str, ...] = USUAL

    def trained(self, trials: int, epochs: int, processes: int = 1) -> Experiment:
        """The experiment at this size, where `processes` train at the same time.

        Images are recorded at no epoch, as nobody records them; at the end this project measures all parts, the others
        the test set.
        """
        chosen = override(
            EXPERIMENTS[self.experiment],
            trials=trials * processes if self.rate else trials,
            epochs=epochs,
            variants=(self.variant,) if self.variant else (),
            values={name: (value,) for name, value in self.changes.items()},
        )
        if not self.rate:
            return chosen
        return dataclasses.replace(chosen, protocol=dataclasses.replace(chosen.protocol, record=(), select="last"))


WORKS = {
    "iris": Work(
        "the 100 trials of iris_hidden_units, from process start to tables written",
        "iris_hidden_units",
        trials=10,
        epochs=10,
        rate=False,
        contenders=EVERYBODY,
    ),
    "iris_1000": Work(
        "1,000 trials, 100 of each width, from process start to tables written",
        "iris_hidden_units",
        trials=100,
        epochs=10,
        rate=False,
        contenders=(OURS, "graph_inline", "torch_loop", "torch_processes"),
    ),
    "lenet5_batch_32": Work("LeNet-5 on MNIST, batch 32", "lenet5_mnist", trials=2, epochs=10),
    "lenet5_batch_256": Work(
        "LeNet-5 on MNIST, batch 256", "lenet5_mnist", trials=1, epochs=3, changes={"batch_size": 256}
    ),
    "batch_norm_dropout": Work(
        "LeNet-5 with batch norm and dropout on MNIST at 32x32, batch 256",
        "batch_norm_dropout_mnist",
        trials=1,
        epochs=3,
        variant="bn_dropout",
    ),
    "cifar10": Work("LeNet on CIFAR-10, batch 64", "lenet_cifar10", trials=1, epochs=3, variant="lenet"),
    "lenet5_whole": Work(
        "10 trials x 20 epochs of LeNet-5 on MNIST, batch 32, from process start to tables written",
        "lenet5_mnist",
        trials=10,
        epochs=20,
        rate=False,
    ),
}
USUAL_WORKS = tuple(name for name in WORKS if name != "lenet5_whole")
"What is timed unless works are named: the whole experiment takes a plain Keras loop a quarter of an hour."
