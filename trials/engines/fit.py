"""The oracle: every trial is built, compiled and trained by Keras's own `fit`. Slow, and always right."""

from collections.abc import Sequence

import numpy as np

from trials.engines.model import compile_model, fresh_model, optimise_graphs, sample_losses, threshold, weights_of
from trials.environment import import_keras
from trials.experiment import Configuration
from trials.splits import Parts


class FitSession:
    """Trains with `model.fit`, one epoch a call, on arrays permuted beforehand."""

    def __init__(self, configuration: Configuration, classes: int) -> None:
        self.configuration = configuration
        self.classes = classes
        self.parameters = 0

    def start(self, seed: int, parts: Parts, ahead: Sequence[int]) -> None:
        import_keras().backend.clear_session()  # graphs of earlier trials would pile up
        self.load(parts)
        input_shape = parts["train"][0].shape[1:]
        self.model = compile_model(fresh_model(self.configuration, input_shape, self.classes, seed), self.configuration)
        self.parameters = self.model.count_params()

    def load(self, parts: Parts) -> None:
        self.parts = parts

    def train_epoch(self, order: np.ndarray) -> float:
        optimise_graphs(True)  # whatever another session in this process had it do
        protocol = self.configuration.protocol
        x, y = self.parts["train"]
        weights = dict(protocol.class_weight) if protocol.class_weight else None
        history = self.model.fit(
            x[order], y[order], batch_size=protocol.batch_size, shuffle=False, class_weight=weights, verbose=0
        )
        return float(history.history["loss"][0])

    def evaluate(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        optimise_graphs(True)
        x, y = self.parts[part]
        outputs = self.model.predict(x, batch_size=1000, verbose=0)
        return self._hits(y, outputs), np.asarray(sample_losses(self.configuration.protocol.loss)(y, outputs))

    def _hits(self, y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        if outputs.shape[-1] == 1:
            return (outputs[:, 0] > threshold(self.configuration.protocol.loss)) == (y[:, 0] > 0.5)
        return outputs.argmax(-1) == (y.argmax(-1) if y.ndim > 1 else y)

    def weights(self) -> list[np.ndarray]:
        return weights_of(self.model)

    def restore(self, weights: list[np.ndarray]) -> None:
        self.model.set_weights(weights)
