"""What the trials of a results folder were trained as, and in which circumstances, so that it can be done again."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trials import datasets, environment, run_record
from trials.engines.results import Unit
from trials.errors import UserError
from trials.experiment import Configuration, Experiment
from trials.journal import Record
from trials.keys import as_trained, at, difference, differences, plain
from trials.store import Folder


def configuration(declared: Experiment, record: Record) -> Configuration:
    """The configuration a record was trained as, whatever the command line had changed.

    Raises UserError where the experiment or its builder is no longer what was trained.
    """
    key = record.key
    here = at(key, declared)
    if here is None:
        raise UserError(
            f"The experiment '{declared.name}' has no variant '{key['variant']}' any more.\nDeclare it as it was."
        )
    found = as_trained(key, here)
    for part, (then, now) in differences(key, found).items():
        if part == "source":
            raise UserError(
                f"The builder '{key['builder']}' is not the one that was trained: its file has changed.\n"
                "run.json names the commit."
            )
        raise UserError(
            f"The {part} of {found.label} is not what was trained: it was {then}, now it is {now}.\n"
            "Declare it as it was."
        )
    return found


def samples(folder: Folder, declared: Experiment, directory: Path | None, base: Path | None) -> datasets.Samples:
    """The data that the folder's trials read. Raises UserError where it is no longer the same."""
    found = datasets.load(declared.data, directory, base)
    if (found.checksum(), plain(datasets.declaration(declared.data))) != (
        folder.header["data checksum"],
        folder.header["data"],
    ):
        raise UserError(
            f"The data of '{declared.name}' is not what {folder.path} was trained and tested on.\nGive that data."
        )
    return found


def trainer(
    folder: Folder, declared: Experiment, directory: Path | None, base: Path | None, device: str
) -> tuple[Any, str]:
    """What trains as the folder's trials were trained, and the device it does so on."""
    found = samples(folder, declared, directory, base)
    device = environment.prepare_process(folder.header.get("device", "auto") if device == "auto" else device)
    from trials.engines import Trainer

    return Trainer(found), device


def unit(index: int, trained: Configuration, record: Record) -> Unit:
    """The record's own trial, to be done again."""
    result = record.result
    return Unit(index, trained, ((result.trial, result.seed),), result.engine, lanes=result.notes.get("lanes", 0))


def other_versions(folder: Folder) -> dict[str, tuple[str, str]]:
    """By package, the version that a folder's trials ran with and another that is installed now."""
    then, now = folder.header["versions"], environment.versions()
    return {
        name: (then.get(name, "absent"), now.get(name, "absent"))
        for name in {**then, **now}
        if then.get(name) != now.get(name)
    }


def other_circumstances(folder: Folder, device: str) -> dict[str, tuple[Any, Any]]:
    """Everything recorded that may decide the last bits and is otherwise now: by name, (then, now).

    That is versions, architecture and device in the journal, and what run.json tells of the folder's last run.
    """
    found: dict[str, tuple[Any, Any]] = dict(other_versions(folder))
    header, now = folder.header, plain({**environment.decisive(), "architecture": environment.architecture()})
    then = {**run_record.read(folder.path), "architecture": header.get("architecture")}
    if header.get("device") != device:
        found["device"] = header.get("device"), device
    return found | dict(_different(then, now))


def _different(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """What differs of the names that both have: an older version of this project recorded fewer."""
    for name in sorted(then.keys() & now.keys()):
        old, new = then[name], now[name]
        if name == "machine" and isinstance(old, dict):
            yield from _different(old, {part: new.get(part, "none") for part in ("processor", "features", "gpus")})
        elif isinstance(old, list) and isinstance(new, list):
            gone, come = (" ".join(sorted(set(a) - set(b))) for a, b in ((old, new), (new, old)))
            if gone or come:
                yield name, (gone or "the same", come or "without")
        elif isinstance(old, dict) and isinstance(new, dict):
            for part in sorted(difference(old, new)[0]):
                yield f"{name}: {part}", (old.get(part, "absent"), new.get(part, "absent"))
        elif old != new:
            yield name, (old, new)
