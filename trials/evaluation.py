"""Kept weights measured again: do they give the test accuracies that the tables hold?"""

from pathlib import Path

from tabulate import tabulate

from trials import recorded
from trials.engines.results import Figures, TrialResult
from trials.errors import UserError
from trials.experiment import Experiment
from trials.journal import Record
from trials.store import Folder
from trials.tables import grouped


def evaluate(folder: Folder, declared: Experiment, directory: Path | None, base: Path | None, device: str) -> int:
    """Loads every trial's weights, measures them on the test set and prints a line a configuration.

    Returns 0 where every recorded test accuracy is met exactly, else 1. Raises UserError where
    weights were not kept or are damaged, and where data or builder are not those of the folder.
    """
    records = [record for record in folder.ordered(declared) if record.result.status == "ok"]
    if not records:
        raise UserError(f"No trial in {folder.path} ended well: there are no weights to measure.\nRun the experiment.")
    contents = {id(record): _weights(folder, record) for record in records}
    groups = [(recorded.configuration(declared, group[0]), group) for group in grouped(records)]
    trainer, _ = recorded.trainer(folder, declared, directory, base, device)
    lines, equal = [], True
    for index, (configuration, group) in enumerate(groups):
        met, largest = 0, 0.0
        for record in group:
            unit = recorded.unit(index, configuration, record)
            found, kept = trainer.evaluate(unit, contents[id(record)]), _figures(record.result)
            met += found.accuracy == kept.accuracy
            largest = max(largest, abs(found.loss - kept.loss))
        equal = equal and met == len(group)
        lines.append([configuration.label, len(group), met, f"{largest:.2g}"])
    print(tabulate(lines, ["", "weights", "same test accuracy", "largest difference in test loss"]))
    for name, (then, now) in recorded.other_versions(folder).items():
        print(f"{name} was {then}, now it is {now}: figures may differ for that reason.")
    print(f"\n{'All' if equal else 'Not all'} recorded test accuracies are met exactly.")
    return 0 if equal else 1


def _weights(folder: Folder, record: Record) -> bytes:
    content = folder.weights(record)
    if content is None:
        which = f"trial {record.result.trial} of {record.key['variant']}"
        kept = "are missing or damaged" if record.result.weights_sha256 else "were not kept"
        raise UserError(f"The weights of {which} {kept} in {folder.path}.\nRun the experiment with --save-weights.")
    return content


def _figures(result: TrialResult) -> Figures:
    """The test figures of the kept weights: of the last evaluation, where the reported ones average a trajectory."""
    epoch = result.curve[(result.best_epoch or result.epochs) - 1]
    if epoch.test is not None:
        return epoch.test
    accuracy, loss = result.metrics["test_accuracy"], result.metrics["test_loss"]
    assert accuracy is not None and loss is not None
    return Figures(accuracy, loss)
