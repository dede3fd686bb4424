"""Results folders that cannot be read, written or gone on with."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments import EXPERIMENTS
from tests.errors.case import IRIS, Case, own, told
from tests.stored import record
from trials import datasets
from trials.datasets import Samples
from trials.engines.model import load_weights_file
from trials.executors.processes import _share
from trials.journal import trial_line
from trials.report import write_pages
from trials.run import Settings, _header
from trials.store import Folder
from trials.written import checksum


def results(
    change: Callable[[Any], Any] = lambda one: one, name: str = "iris_hidden_units", **header: Any
) -> Callable[[Path], None]:
    """A results folder of the zoo's sweep with one trial."""

    def arrange(folder: Path) -> None:
        declared = EXPERIMENTS["iris_hidden_units"]
        common = _header(declared, Settings(), datasets.load(declared.data), datasets.declaration(declared.data))
        opened = Folder(folder / "results" / name, {**common, **header})
        opened.begin("cpu")
        configuration = declared.configurations()[0]
        one = change(record(of=configuration))
        if one is not None:
            opened.add(one)
        opened.close()

    return arrange


def other_key(**parts: Any) -> Callable[[Any], Any]:
    return lambda one: replace(one, key={**one.key, **parts})


def kept(one: Any) -> Any:
    return replace(one, result=replace(one.result, weights=b"w", weights_sha256=checksum(b"w")))


def spoiled(*parts: str) -> Callable[[Path], None]:
    """A results folder in which something of another kind stands in a file's place."""

    def arrange(folder: Path) -> None:
        results()(folder)
        path = (folder / "results" / "iris_hidden_units").joinpath(*parts)
        path.unlink(missing_ok=True)
        path.mkdir()

    return arrange


def two(change: Callable[[Any], Any] = lambda one: one, **header: Any) -> Callable[[Path], None]:
    """Two results folders, of which the second differs so."""

    def arrange(folder: Path) -> None:
        results()(folder)
        results(change, "mine", **header)(folder)

    return arrange


def read_otherwise(**values: Any) -> dict[str, Any]:
    return {"data": datasets.declaration(replace(EXPERIMENTS["iris_hidden_units"].data, **values))}


def two_widths(folder: Path) -> None:
    """Two results folders of two widths each, none in common."""
    declared = EXPERIMENTS["iris_hidden_units"].configurations()
    for name, places in (("iris_hidden_units", (0, 1)), ("mine", (2, 3))):
        results(name=name)(folder)
        journal = folder / "results" / name / "journal.jsonl"
        header = journal.read_text().splitlines(keepends=True)[0]
        journal.write_text(header + "".join(trial_line(record(of=declared[place])) for place in places))


def many_trials(folder: Path) -> None:
    results(lambda one: replace(one, result=replace(one.result, trial=8, seed=7)))(folder)


def occupied(folder: Path) -> None:
    results()(folder)
    (folder / "results" / "index.html").mkdir()


def folder_of(path: Path = Path("results/iris_hidden_units")) -> Folder:
    return Folder(path, {"swept": []})


def other_device() -> None:
    folder = Folder.existing(Path("results/iris_hidden_units"), lock=False)
    folder.begin("gpu")


def begun_meanwhile() -> None:
    first, second = folder_of(), folder_of()
    first.read()
    second.begin("cpu")
    second.close()
    first.begin("cpu")


def held() -> None:
    for _ in range(2):
        held_folders.append(Folder.existing(Path("results/iris_hidden_units")))


held_folders: list[Folder] = []


def adding(fresh: bool = False) -> None:
    folder = folder_of()
    folder.fresh = fresh
    folder.begin("cpu")
    folder.path.joinpath("weights").touch()
    folder.add(kept(record()))


def foreign_weights() -> None:
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile(loss="mse")
    load_weights_file(model, b"weights")


def lost_first_line(folder: Path) -> None:
    results()(folder)
    journal = folder / "results" / "iris_hidden_units" / "journal.jsonl"
    journal.write_bytes(b"x" + journal.read_bytes())


def renamed(folder: Path) -> None:
    results(experiment="other")(folder)
    (folder / "results" / "iris_hidden_units" / "run.json").write_text(json.dumps({"experiment file": "../../own.py"}))


REPORT, EVALUATE, VERIFY = (f"{mode} results/iris_hidden_units" for mode in ("--report", "--evaluate", "--verify"))
BOTH = f"{REPORT} results/mine"
OTHER_SAMPLES = {"data checksum": "0"}
FOLDERS = [
    Case(foreign_weights, ("kept weights file", "fit its model")),
    told("--report nowhere", "nowhere", "journal.jsonl", "results/iris_hidden_units"),
    told(REPORT, "lost its first line", "--fresh", arrange=lost_first_line),
    told(" ".join(IRIS), "lost its first line", "--fresh", arrange=lost_first_line),
    told(
        REPORT,
        "'other'",
        "own.py now declares 'own'",
        "Give it its name back",
        files=own("experiment()"),
        arrange=renamed,
    ),
    told(" ".join(IRIS), "first seed was 5, now it is 0", "--fresh", "--results", arrange=results(**{"first seed": 5})),
    told(
        " ".join(IRIS),
        "engine was vmap, now it is graph",
        "Continue them with --engine vmap, or use --fresh",
        arrange=results(engine="vmap", versions={"jax": "0.1"}),
        patches={"trials.backend.GIVEN": None},
    ),
    told(
        " ".join(IRIS), "protocol of mlp units=10 was ", "--fresh", "--results", arrange=results(other_key(protocol={}))
    ),
    told(f"{' '.join(IRIS)} --results taken", "taken is not a folder", "--results DIR", files={"taken": ""}),
    told(f"{' '.join(IRIS)} --results {'a' * 300}", "File name too long", "--results DIR"),
    told(" ".join(IRIS), "cannot be written", "--results DIR", arrange=spoiled(".lock")),
    Case(other_device, ("the device was cpu, now it is gpu", "--device cpu", "--fresh"), arrange=results()),
    Case(begun_meanwhile, ("Another run has begun", "Run the command again")),
    Case(
        lambda: folder_of().begin("cpu"),
        ("cannot be written", "--results DIR"),
        arrange=lambda folder: (folder / "results/iris_hidden_units/journal.jsonl").mkdir(parents=True),
    ),
    Case(held, ("is in use by process", "--results DIR"), arrange=results()),
    Case(
        lambda: _share(Samples(np.zeros((2, 1)), np.zeros(2, int), 0, 2), Path("nowhere")),
        ("nowhere", "No such file", "TMPDIR"),
    ),
    Case(adding, ("cannot be written", "weights", "the same command continues.")),
    Case(lambda: adding(fresh=True), ("cannot be written", "the same command continues, without --fresh.")),
    told(REPORT, "cannot be written", "(SHA256SUMS)", "--results DIR", arrange=spoiled(".SHA256SUMS.part")),
    told(f"{REPORT} results/iris_hidden_units", "twice", arrange=results()),
    told(BOTH, "iris and digits", "Train both", arrange=two(**read_otherwise(source="digits"), **OTHER_SAMPLES)),
    told(BOTH, "test_fraction is 0.2 and 0.5", "Train both", arrange=two(**read_otherwise(test_fraction=0.5))),
    told(
        BOTH,
        "split_seed 42 / 7",
        "Train both",
        arrange=two(lambda one: other_key(data={**one.key["data"], "split_seed": 7})(one)),
    ),
    told(BOTH, "no swept value in common", "A has units=10, units=20", "B has units=30, units=40", arrange=two_widths),
    told(BOTH, "A has seeds 0 to 0", "no trial of B", arrange=two(lambda one: None)),
    Case(
        lambda: write_pages(Path("results/iris_hidden_units"), "?", ""),
        ("index.html", "--report"),
        arrange=occupied,
    ),
    told(" ".join(IRIS) + " --until 5 --max-trials 6", "8 trials", "--max-trials 8", arrange=many_trials),
    told(VERIFY, "No trial", "Run the experiment", arrange=results(lambda one: None)),
    told(VERIFY, "The builder of mlp", "another", "Declare it", arrange=results(other_key(builder="another"))),
    told(EVALUATE, "No trial", "results/iris_hidden_units", arrange=results(lambda one: None)),
    told(EVALUATE, "trial 1 of mlp", "not kept", "--save-weights", arrange=results()),
    told(EVALUATE, "'gone'", "no variant", arrange=results(lambda one: other_key(variant="gone")(kept(one)))),
    told(EVALUATE, "'mlp'", "has changed", arrange=results(lambda one: other_key(source="0")(kept(one)))),
    told(EVALUATE, "'iris_hidden_units'", "trained and tested on", arrange=results(kept, **{"data checksum": "0"})),
]
