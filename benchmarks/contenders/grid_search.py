"""KerasTuner: a grid over the configurations, `executions_per_trial` trainings of each.

It keeps the average of the executions alone, so that each one's test accuracy is taken where the model is fitted.
The objective is the training loss: a figure that `fit` has anyway, where a validation part would take time that
the other contenders do not spend. What its checkpoints and its own record cost is KerasTuner's.
"""

import time
from typing import Any

import keras
import keras_tuner

from benchmarks.contenders import lanes
from benchmarks.contenders.keras_loop import compiled
from benchmarks.work import WORKS
from trials import datasets
from trials.experiment import Experiment
from trials.splits import Parts, split


class Networks(keras_tuner.HyperModel):
    def __init__(self, experiment: Experiment, parts: Parts, classes: int) -> None:
        super().__init__()
        self.configurations, self.parts, self.classes = experiment.configurations(), parts, classes
        self.results: list[lanes.Result] = []

    def build(self, hp: Any) -> keras.Model:
        index = hp.Choice("configuration", list(range(len(self.configurations))))
        return compiled(self.configurations[index], self.parts, self.classes)

    def fit(self, hp: Any, model: keras.Model, *data: Any, **options: Any) -> Any:
        history = model.fit(*data, **options)
        index = hp.get("configuration")
        number = 1 + sum(done == index for done, *_ in self.results)
        self.results.append((index, number, float(model.evaluate(*self.parts["test"], verbose=0)[1])))
        return history


def main() -> None:
    asked = lanes.arguments()
    experiment = WORKS[asked.work].trained(asked.trials, asked.epochs)
    samples = datasets.load(experiment.data, datasets.data_directory(None))
    parts = split(samples, experiment.data, asked.seed)
    started = time.perf_counter()
    networks, protocol = Networks(experiment, parts, samples.classes), experiment.configurations()[0].protocol
    tuner = keras_tuner.GridSearch(
        networks,
        objective=keras_tuner.Objective("loss", "min"),
        executions_per_trial=experiment.trials,
        directory=asked.results,
        project_name="grid",
    )
    options = {"batch_size": protocol.batch_size, "epochs": protocol.epochs, "shuffle": protocol.shuffle}
    tuner.search(*parts["train"], **options, verbose=0)
    lanes.write(asked.results, [(time.perf_counter() - started, networks.results)])


if __name__ == "__main__":
    main()
