"""Recorded trials trained again: does every figure come out the same to the last bit?"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trials import recorded
from trials.engines.results import TrialResult
from trials.errors import UserError
from trials.experiment import Experiment
from trials.journal import epoch_row
from trials.store import Folder
from trials.tables import grouped

TOLD = 3
"Of so many differing figures of a trial it is told how they differ."


def verify(
    folder: Folder, declared: Experiment, directory: Path | None, base: Path | None, device: str, trials: int
) -> int:
    """Trains the first `trials` recorded trials of every configuration again, in their engine; writes nothing.

    Prints a line a trial, and what is otherwise than when they were trained. Returns 0 where every
    recorded figure is the same to the last bit, else 1. Raises UserError where there is nothing to
    train again, or where experiment, builder or data are not those of the folder.
    """
    ended = [record for record in folder.ordered(declared) if record.result.status in ("ok", "diverged")]
    if not ended:
        raise UserError(
            f"No trial in {folder.path} came to an end: there is nothing to train again.\nRun the experiment."
        )
    chosen = [group[:trials] for group in grouped(ended)]
    work = [
        (record, recorded.unit(index, recorded.configuration(declared, record), record))
        for index, group in enumerate(chosen)
        for record in group
    ]
    trainer, device = recorded.trainer(folder, declared, directory, base, device)
    compared, different = 0, 0
    for record, unit in work:
        (again,) = trainer.run(unit)
        then, now = _figures(record.result), _figures(again)
        found = [name for name in {**then, **now} if repr(then.get(name)) != repr(now.get(name))]
        compared, different = compared + len(then), different + len(found)
        told = [f"{again.error}." if again.status == "failed" else "", *_told(found, then, now)]
        lanes = record.result.notes.get("lanes"), again.notes.get("lanes")
        told += [f"It was trained in a program of {lanes[0]} seeds, now of {lanes[1]}."] * (lanes[0] != lanes[1])
        print(f"{unit.configuration.label}, trial {again.trial}, seed {again.seed}: " + " ".join(filter(None, told)))
    others = recorded.other_circumstances(folder, device)
    print("\n" + _conclusion(compared, different, len(work), others))
    return 1 if different else 0


def _figures(result: TrialResult) -> dict[str, Any]:
    """Every figure that is recorded of a trial, by name; what was not measured is left out."""
    found = {name: getattr(result, name) for name in ("status", "epochs", "best_epoch", "parameters")}
    found |= result.metrics
    for epoch in result.curve:
        row = epoch_row(epoch)
        number = row.pop("epoch")
        found |= {f"{name} of epoch {number}": value for name, value in row.items()}
    for layer, parameters in result.batch_norm.items():
        for name, values in parameters.items():
            found |= {f"{name} of {layer}, channel {channel}": value for channel, value in enumerate(values, 1)}
    return {name: value for name, value in found.items() if value is not None}


def _told(names: Sequence[str], then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    if not names:
        return [f"all {len(then)} figures are the same."]
    listed = [f"{name} was {then.get(name)}, now it is {now.get(name)}" for name in names[:TOLD]]
    pairs = [(then.get(name), now.get(name)) for name in names]
    sizes = [abs(old - new) for old, new in pairs if isinstance(old, (int, float)) and isinstance(new, (int, float))]
    largest = f", by {max(sizes):.2g} at most" if sizes else ""
    end = "; ..." if len(names) > TOLD else "."
    return [f"{len(names)} of {len(then)} figures differ{largest}: {'; '.join(listed)}{end}"]


def _conclusion(compared: int, different: int, trials: int, others: Mapping[str, tuple[Any, Any]]) -> str:
    lines = [f"{name} was {then}, now it is {now}." for name, (then, now) in others.items()]
    if not different:
        of = f"{trials} trial{'s' * (trials != 1)}"
        return "\n".join([*lines, f"All {compared} recorded figures of {of} are the same to the last bit."])
    if lines:
        lines = ["Otherwise than when they were trained, which may be why:", *lines]
    else:
        lines = ["Versions, processor and settings are those recorded: none of them is why."]
    return "\n".join([*lines, f"{different} of {compared} recorded figures of {trials} trials are not the same."])
