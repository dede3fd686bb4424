"""Every option of the command line, and which make sense together."""

import argparse
import os
from pathlib import Path
from typing import Any, NoReturn

from trials.errors import UserError
from trials.rounds import MOST, ROUND


class Parser(argparse.ArgumentParser):
    """Errors in one sentence, without the usage dump."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message[:1].upper()}{message[1:]}.\nSee: python run_trials.py --help")


def whole(minimum: int) -> Any:
    """An argument type: a whole number from `minimum` on."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = minimum - 1
        if value < minimum:
            raise argparse.ArgumentTypeError(f"must be a whole number of at least {minimum}. Received: '{text}'")
        return value

    return convert


def points(text: str) -> float:
    """An argument type: a width in percentage points."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 100:
        raise argparse.ArgumentTypeError(f"must be percentage points above 0, at most 100. Received: '{text}'")
    return value


def folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("must name a folder. Received: ''")
    return Path(text)


def lengths(text: str) -> tuple[int, ...]:
    return tuple(whole(1)(part) for part in text.split(","))


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0. Received: '{text}'")
    return value


def workers(text: str) -> str | int:
    return text if text == "auto" else whole(1)(text)


def address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if text != "auto" and not (host and "/" not in host and port.isdecimal() and 0 < int(port[:6]) < 2**16):
        raise argparse.ArgumentTypeError(f"must be auto or HOST:PORT, as 10.0.0.1:6379. Received: '{text}'")
    return text


def parser() -> Parser:
    """Every option, grouped for --help."""
    new = Parser(
        prog="run_trials.py",
        description="Trains each configuration of an experiment N times from recorded seeds and tabulates the spread.",
        allow_abbrev=False,
        add_help=False,
    )
    do = new.add_argument_group("what to do (one of)").add_mutually_exclusive_group()
    do.add_argument(
        "--experiment",
        nargs="*",
        action="extend",
        metavar="NAME|FILE.py",
        help="run these experiments; without a name: list them",
    )
    do.add_argument(
        "--list", nargs="?", const="*", metavar="PATTERN", help="builders, experiments, datasets, engines, executors"
    )
    do.add_argument(
        "--report",
        nargs="+",
        type=folder,
        metavar="DIR",
        help="write tables and page of finished results anew; of two folders: compare them, in pairs by seed",
    )
    do.add_argument(
        "--evaluate", type=folder, metavar="DIR", help="measure kept weights again and compare with the tables"
    )
    do.add_argument(
        "--verify",
        type=folder,
        metavar="DIR",
        help="train the first recorded trial of each configuration again (--trials N: the first N), "
        "and say whether every recorded figure comes out the same; nothing is written",
    )
    do.add_argument(
        "--check", metavar="NAME|FILE.py:BUILDER", help="say what a builder must satisfy, and whether it does"
    )
    do.add_argument(
        "--describe",
        metavar="NAME,...|FILE.py:BUILDER",
        help="what networks cost, layer by layer: parameters, multiply-adds, connections, memory, receptive field",
    )
    do.add_argument("--version", action="store_true", help="the version of this project")
    do.add_argument("--help", action="store_true", help="this page")
    what = new.add_argument_group("what to train")
    what.add_argument("--trials", type=whole(1), metavar="N", help="trainings of each configuration")
    what.add_argument(
        "--until",
        type=points,
        metavar="POINTS",
        help=f"rounds of {ROUND} trainings each, until no 95 %% interval of a mean test accuracy is wider, "
        "in percentage points (5: from 2.5 below to 2.5 above)",
    )
    what.add_argument(
        "--max-trials", type=whole(ROUND), metavar="N", help=f"with --until: at most so many of each (default {MOST})"
    )
    what.add_argument("--epochs", type=whole(1), metavar="N", help="epochs of each training")
    what.add_argument(
        "--seed", type=whole(0), default=0, metavar="N", help="seed of the first trial (default 0); trial i has N+i-1"
    )
    what.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=V1,V2",
        help="sweep or fix an option; also NAME=START:STOP:STEP, stop included",
    )
    what.add_argument("--variants", metavar="A,B", help="only these variants")
    how = new.add_argument_group("how")
    how.add_argument(
        "--engine",
        choices=("auto", "graph", "vmap", "fit"),
        default="auto",
        help="what trains (default auto: graph; vmap with KERAS_BACKEND=jax, or on a GPU where JAX can use it)",
    )
    how.add_argument(
        "--executor", choices=("auto", "inline", "processes", "ray"), default="auto", help="where trials run"
    )
    how.add_argument(
        "--address",
        type=address,
        metavar="auto|HOST:PORT",
        help="with --executor ray: the cluster (default auto: that of this machine)",
    )
    how.add_argument(
        "--workers",
        type=workers,
        default="auto",
        metavar="N|auto",
        help="worker processes, or tasks of a cluster at once",
    )
    how.add_argument(
        "--trial-timeout",
        type=seconds,
        metavar="SECONDS",
        help="end a trial that takes longer, as status timeout; trains in worker processes",
    )
    how.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")
    where = new.add_argument_group("files")
    where.add_argument(
        "--data-dir", metavar="DIR", help="image data (default: TRIALS_DATA_DIR, Keras's cache, a download)"
    )
    where.add_argument("--results", type=folder, default=Path("results"), metavar="DIR", help="default: results")
    where.add_argument("--save-weights", action="store_true", help="keep each trial's reported weights (.weights.h5)")
    where.add_argument("--fresh", action="store_true", help="move earlier results aside and start anew")
    where.add_argument("--dry-run", action="store_true", help="say what would be trained, train nothing")
    where.add_argument("--quiet", action="store_true", help="no progress bar, no tables")
    what = new.add_argument_group("what to describe (with --describe)")
    what.add_argument(
        "--input-shape", type=lengths, metavar="H,W,C", help="default: the zoo's experiment's, or its own"
    )
    what.add_argument("--classes", type=whole(1), metavar="N", help="likewise")
    what.add_argument("--batch-size", type=whole(1), default=1, metavar="N", help="for the memory (default 1)")
    what.add_argument("--dtype", default="float32", metavar="TYPE", help="for the memory: float32, bfloat16, float16")
    what.add_argument(
        "--training", metavar="OPTIMIZER", help="add gradients and the state of adam, sgd, ... to the memory"
    )
    what.add_argument("--csv", type=Path, metavar="FILE", help="also write the tables, one row a layer")
    return new


DESCRIBING = ("input_shape", "classes", "batch_size", "dtype", "training", "csv")
USEFUL = {
    "evaluate": ("data_dir", "device"),
    "verify": ("data_dir", "device", "trials"),
    "check": ("set",),
    "describe": ("set", *DESCRIBING),
}
"Options that have a use beside these modes; --experiment takes all."


def check_modes(arguments: argparse.Namespace) -> None:
    """Raises UserError for options that would have no effect."""
    modes = ("experiment", "list", "report", "evaluate", "verify", "check", "describe", "version", "help")
    useful = [*modes, *(name for mode, names in USEFUL.items() if getattr(arguments, mode) for name in names)]
    options = parser()
    given = [
        name for name, value in vars(arguments).items() if value != options.get_default(name) and name not in useful
    ]
    alone = [name for name in given if name in DESCRIBING]
    if alone:
        raise UserError(f"--{alone[0].replace('_', '-')} needs --describe NAME.\nSee: python run_trials.py --list")
    if given and not arguments.experiment:
        raise UserError(f"--{given[0].replace('_', '-')} needs --experiment NAME.\nSee: python run_trials.py --list")
    folders = arguments.report or ()
    if len(folders) > 2:
        raise UserError(
            f"--report takes one folder, to write it anew, or two, to compare them. Received: {len(folders)} folders."
        )
    if arguments.until and arguments.trials:
        raise UserError(
            f"--until finds the number of trials itself. Received: --trials {arguments.trials} beside it.\n"
            "Leave --trials out, or limit the number with --max-trials."
        )
    if arguments.max_trials and not arguments.until:
        raise UserError(
            f"--max-trials {arguments.max_trials} needs --until POINTS.\n"
            "A fixed number of trials is asked for with --trials N."
        )
    if arguments.executor == "inline" and arguments.workers != "auto":
        raise UserError(
            f"--workers {arguments.workers} has no use with --executor inline, which trains in this process.\n"
            "Leave one of them out."
        )
    if arguments.executor == "inline" and arguments.trial_timeout is not None:
        raise UserError(
            f"--trial-timeout {arguments.trial_timeout:g} cannot be kept with --executor inline: what hangs in this "
            "process cannot be ended alone.\nLeave --executor out, or use --executor processes."
        )
    if arguments.executor == "ray" and not arguments.address:
        try:
            arguments.address = address(os.environ.get("RAY_ADDRESS") or "auto")
        except argparse.ArgumentTypeError as error:
            raise UserError(f"RAY_ADDRESS {error}.\nUnset it, or name the cluster with --address HOST:PORT.") from error
    if arguments.address and arguments.executor != "ray":
        raise UserError(f"--address {arguments.address} needs --executor ray: it names a cluster (docs/cluster.md).")
