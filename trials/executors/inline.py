"""Trains in this process, one trial after another."""

from collections.abc import Iterable, Sequence

from trials.datasets import Samples
from trials.engines import Trainer
from trials.engines.results import Unit
from trials.environment import prepare_process
from trials.executors.checked import Checked, checked
from trials.executors.listener import Listener


def run(rounds: Iterable[Sequence[Unit]], samples: Samples, device: str, listener: Listener) -> None:
    """Checks every model, then trains round after round of units, reporting to the listener as trials end."""
    device = prepare_process(device)
    trainer = Trainer(samples)
    known: Checked = {}
    for units in rounds:
        started = bool(known)
        ready = checked(units, known, lambda new: [trainer.check(unit) for unit in new])
        if not started:
            listener.on_start(device)
        listener.on_round(ready)
        for place, unit in enumerate(ready, 1):
            for result in trainer.run(unit, lambda: listener.on_epochs(1), ready[place:]):
                listener.on_result(unit, result)
