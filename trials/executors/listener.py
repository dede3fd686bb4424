"""What an executor tells the driver."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from trials.engines.results import TrialResult, Unit


class Listener(Protocol):
    """The driver's side: only it writes results."""

    def on_start(self, device: str) -> None:
        """All models are sound; training begins on 'cpu' or 'gpu'."""

    def on_round(self, units: Sequence[Unit]) -> None:
        """These are trained now; when they are, the rounds may go on."""

    def on_epochs(self, count: int) -> None:
        """So many more epochs are trained: told again and again, if need be that there are none."""

    def on_result(self, unit: Unit, result: TrialResult, host: str = "") -> None:
        """A trial has ended; `host` names its machine where that is not the driver's."""

    def on_machines(self, machines: Sequence[Mapping[str, Any]]) -> None:
        """The machines that train, one entry a kind of processor, where they are not the driver's."""

    def on_message(self, text: str) -> None:
        """Something the user should know, in one line."""
