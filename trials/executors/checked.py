"""Each configuration's model is checked once, before its first trial, whatever the number of rounds."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from trials.engines.results import Unit

Checked = dict[int, Unit]
"Units as they were checked, by the index of their configuration: they hold the engine that trains it."


def checked(units: Sequence[Unit], known: Checked, check: Callable[[list[Unit]], Sequence[Unit]]) -> list[Unit]:
    """The units as they will be trained; those of new configurations are checked and become known."""
    known |= {unit.index: unit for unit in check([unit for unit in units if unit.index not in known])}
    return [replace(known[unit.index], seeds=unit.seeds, lanes=unit.lanes) for unit in units]
