"""What there is, by name: experiments and builders, the zoo's or those of a user's file."""

import fnmatch
from inspect import isfunction
from pathlib import Path
from typing import Any

from experiments import EXPERIMENTS
from models import BUILDERS, FEATURE_MAPS
from trials import run_record
from trials.errors import UserError, unknown
from trials.experiment import Experiment
from trials.sources import load_file


def experiment(name: str) -> tuple[Experiment, dict[str, Any]]:
    """An experiment by name or from a user's file, and what running it needs beside."""
    if not name.endswith(".py"):
        if name not in EXPERIMENTS:
            raise unknown("experiment", name, EXPERIMENTS)
        return EXPERIMENTS[name], {}
    path = Path(name).absolute()
    module, text = load_file(path)
    found = [thing for thing in vars(module).values() if type(thing) is Experiment]
    chosen = [thing for thing in (getattr(module, "EXPERIMENT", None),) if type(thing) is Experiment] or found
    if len(chosen) != 1:
        raise UserError(f"{name} must define one experiment, as EXPERIMENT = Experiment(...). Found: {len(chosen)}.")
    return chosen[0], {"base": path.parent, "file": str(path), "sources": {module.__name__: (str(path), text)}}


def experiment_of(folder: Any) -> tuple[Experiment, dict[str, Any]]:
    """The experiment that a results folder is of: the zoo's, or that of the user's file that it names."""
    file = run_record.read(folder.path).get("experiment file")
    declared, extra = experiment(str(folder.path / file) if isinstance(file, str) else folder.header["experiment"])
    if declared.name != folder.header["experiment"]:
        raise UserError(
            f"{folder.path} holds results of '{folder.header['experiment']}', "
            f"but {file} now declares '{declared.name}'.\nGive it its name back."
        )
    return declared, extra


def builder(text: str, mode: str) -> tuple[Any, list[Experiment], dict[str, Any]]:
    """A builder by name or from a user's file, the experiments beside it, and the folder of their data."""
    name, colon, function = text.rpartition(":")
    if not colon and not text.endswith(".py"):
        if text in FEATURE_MAPS and mode == "--check":
            raise UserError(f"'{text}' returns feature maps and is not trained.\nSee it with: --describe {text}")
        known = BUILDERS if mode == "--check" else BUILDERS | FEATURE_MAPS
        if text not in known:
            raise unknown("builder", text, known)
        return known[text], list(EXPERIMENTS.values()), {}
    if not name.endswith(".py") or not function:
        raise UserError(
            f"{mode} takes the NAME of a builder, or FILE.py:BUILDER, a file and the function in it. "
            f"Received: '{text}'.\nSee: python run_trials.py --list"
        )
    path = Path(name).absolute()
    module, _ = load_file(path)
    if function not in vars(module):
        raise unknown(f"function in {name}", function, [n for n, thing in vars(module).items() if isfunction(thing)])
    found = [thing for thing in vars(module).values() if type(thing) is Experiment]
    return vars(module)[function], found, {"base": path.parent}


def listing(pattern: str) -> str:
    """Everything there is, by kind, with a line on each."""
    from trials.datasets import DATASETS
    from trials.engines import ENGINES
    from trials.executors import EXECUTORS

    def first_lines(builders: dict[str, Any]) -> dict[str, str]:
        return {name: (builder.__doc__ or "").splitlines()[0] for name, builder in builders.items()}

    kinds = {
        "builders": first_lines(BUILDERS),
        "feature maps (for --describe)": first_lines(FEATURE_MAPS),
        "experiments": {name: experiment.question for name, experiment in EXPERIMENTS.items()},
        "datasets": {name: known.about for name, known in DATASETS.items()},
        "engines": ENGINES,
        "executors": EXECUTORS,
    }
    shown = {
        kind: {name: about for name, about in table.items() if fnmatch.fnmatch(name, pattern)}
        for kind, table in kinds.items()
    }
    if not any(shown.values()):
        raise unknown("name", pattern, [name for table in kinds.values() for name in table])
    width = max(len(name) for table in shown.values() for name in table)
    blocks = [
        "\n".join([kind, *(f"  {name:<{width}}  {about}" for name, about in table.items())])
        for kind, table in shown.items()
        if table
    ]
    return "\n\n".join(blocks)
