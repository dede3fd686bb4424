"""Trains in this process, one trial after another."""

from collections.abc import Sequence

from trials.datasets import Samples
from trials.engines import Trainer
from trials.engines.results import Unit
from trials.environment import prepare_process
from trials.executors.listener import Listener


def run(units: Sequence[Unit], samples: Samples, device: str, listener: Listener) -> None:
    """Checks every unit's model, then trains all units, reporting to the listener as trials end."""
    device = prepare_process(device)
    trainer = Trainer(samples)
    checked = [trainer.check(unit) for unit in units]
    listener.on_start(device)
    for unit in checked:
        for result in trainer.run(unit, lambda: listener.on_epochs(1)):
            listener.on_result(unit, result)
