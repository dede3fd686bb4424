"""The command line: parse, call, exit code."""

import argparse
import os
import shlex
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

from experiments import EXPERIMENTS, find
from trials import __version__, stopping
from trials.environment import require_tensorflow
from trials.errors import UserError, unknown
from trials.override import everywhere, override
from trials.rounds import MOST, ROUND, Until
from trials.set_values import all_values, one_value_each


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
        "--engine", choices=("auto", "graph", "fit"), default="auto", help="what trains (default auto: graph)"
    )
    how.add_argument("--executor", choices=("auto", "inline", "processes"), default="auto", help="where trials run")
    how.add_argument("--workers", type=workers, default="auto", metavar="N|auto", help="worker processes")
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


def existing(path: Path, lock: bool = True) -> Any:
    """A results folder to be read; what is damaged in it is told."""
    from trials.store import Folder

    opened = Folder.existing(path, lock)
    tell(opened)
    return opened


def tell(folder: Any) -> None:
    for line in folder.news():
        print(line, file=sys.stderr)


def report(folders: list[Path]) -> int:
    """One folder: all that follows from its journal is written anew. Two: they are compared, nothing is written.

    Needs no TensorFlow for the zoo's experiments.
    """
    from trials import report as reporter
    from trials.datasets import known_extent

    if len(folders) > 2:
        raise UserError(
            f"--report takes one folder, to write it anew, or two, to compare them. Received: {len(folders)} folders."
        )
    if len(folders) == 2:
        from trials import between

        print(between.compare(*(existing(path, lock=False) for path in folders)))
        return 0
    (path,) = folders
    folder = existing(path)
    try:
        declared, extra = find.experiment_of(folder)
        written = reporter.write(folder, declared, known_extent(declared.data, extra.get("base")))
        tell(folder)
        print(f"{written.text}\n\n{reporter.tables(path)}")
        print(reporter.write_pages(path, declared.question, written.conclusion))
    finally:
        folder.close()
    return 0


def evaluate(arguments: argparse.Namespace) -> int:
    """Kept weights, measured again."""
    from trials.datasets import data_directory
    from trials.evaluation import evaluate as measure

    folder = existing(arguments.evaluate, lock=False)
    declared, extra = find.experiment_of(folder)
    return measure(folder, declared, data_directory(arguments.data_dir), extra.get("base"), arguments.device)


def verify(arguments: argparse.Namespace) -> int:
    """Recorded trials, trained again."""
    from trials.datasets import data_directory
    from trials.verify import verify as train_again

    folder = existing(arguments.verify, lock=False)
    declared, extra = find.experiment_of(folder)
    directory, trials = data_directory(arguments.data_dir), arguments.trials or 1
    return train_again(folder, declared, directory, extra.get("base"), arguments.device, trials)


def check(arguments: argparse.Namespace) -> int:
    """Checks one builder. Returns 1 where it violates a requirement."""
    options = one_value_each(arguments.set, "--check")
    require_tensorflow()
    builder, experiments, known = find.builder(arguments.check, "--check")
    from trials.check import report

    return report(builder, experiments, options, **known)


def describe(arguments: argparse.Namespace) -> int:
    """Prints what networks cost, layer by layer, and beside each other where there are several."""
    from analysis import describe as describing
    from analysis import table
    from trials import outline

    networks = {}
    for name, planned in described(arguments).items():
        found = networks[name] = describing.rows(outline.model(planned), arguments.training is not None)
        memory = arguments.batch_size, arguments.dtype
        sums = table.summary(found, *memory, arguments.training)
        print(f"{planned}\n\n{table.table(found, *memory)}\n\n{sums}\n")
    if len(networks) > 1:
        print(f"{table.comparison(networks)}\n")
    print(table.NOTES)
    if arguments.csv is not None:
        try:
            describing.write_csv(arguments.csv, networks, arguments.batch_size, arguments.dtype)
        except OSError as error:
            raise UserError(f"The table cannot be written: {error}.\nGive another file with --csv.") from error
        print(f"\nTable: {arguments.csv}")
    return 0


def described(arguments: argparse.Namespace) -> dict[str, Any]:
    """How each named builder is to be called; the mistakes that can be seen without TensorFlow end here."""
    from analysis.describe import BYTES, STATE
    from trials import outline

    if arguments.dtype not in BYTES:
        raise unknown("data type", arguments.dtype, BYTES)
    if arguments.training is not None and arguments.training not in STATE:
        raise unknown("optimizer", arguments.training, STATE)
    if arguments.csv is not None and not arguments.csv.absolute().parent.is_dir():
        raise UserError(
            f"The table cannot be written: there is no folder '{arguments.csv.parent}'.\n"
            "Make it, or give another file with --csv."
        )
    options = one_value_each(arguments.set, "--describe")
    plans = {}
    for name in arguments.describe.split(","):
        builder, experiments, known = find.builder(name, "--describe")
        plans[name] = outline.plan(builder, experiments, options, arguments.input_shape, arguments.classes, **known)
    require_tensorflow()
    return plans


def run(arguments: argparse.Namespace) -> int:
    """Runs the named experiments one after another; the worst exit code counts."""
    from trials import run as runner
    from trials.datasets import data_directory

    until = Until(arguments.until, arguments.max_trials or MOST) if arguments.until else None

    chosen = []
    for name in arguments.experiment:
        declared, extra = find.experiment(name)
        changes = {"epochs": arguments.epochs, "values": all_values(arguments.set)}
        variants = tuple(arguments.variants.split(",")) if arguments.variants else ()
        asked = override(declared, trials=until.most if until else arguments.trials, variants=variants, **changes)
        chosen.append((declared, everywhere(declared, asked, **changes), asked, extra))
    names = [declared.name for declared, *_ in chosen]
    for name in names:
        if names.count(name) > 1:
            raise UserError(
                f"The experiment '{name}' is named twice.\nName it once; --trials and --set ask for more of it."
            )
    directory = data_directory(arguments.data_dir)
    plans = []
    for declared, changed, asked, extra in chosen:
        settings = runner.Settings(
            results=arguments.results,
            data_directory=directory,
            seed=arguments.seed,
            engine=arguments.engine,
            executor=arguments.executor,
            workers=arguments.workers,
            trial_timeout=arguments.trial_timeout,
            device=arguments.device,
            fresh=arguments.fresh,
            quiet=arguments.quiet,
            save_weights=arguments.save_weights,
            until=until,
            command=("python", *sys.argv),
            **extra,
        )
        if arguments.dry_run:
            print(runner.describe(asked, settings))
        else:
            plans.append(runner.Plan(declared, changed, asked, settings))
    return runner.run(plans) if plans else 0


DESCRIBING = ("input_shape", "classes", "batch_size", "dtype", "training", "csv")
USEFUL = {
    "evaluate": ("data_dir", "device"),
    "verify": ("data_dir", "device", "trials"),
    "check": ("set",),
    "describe": ("set", *DESCRIBING),
}
"Options that have a use beside these modes; --experiment takes all."


MODES = {"evaluate": evaluate, "verify": verify, "check": check, "describe": describe}


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
    if arguments.until and arguments.trials:
        raise UserError("--until finds the number of trials itself: leave --trials out, or limit it with --max-trials.")
    if arguments.max_trials and not arguments.until:
        raise UserError("--max-trials needs --until POINTS. A fixed number of trials is asked for with --trials N.")
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


def dispatch(arguments: argparse.Namespace) -> int:
    check_modes(arguments)
    if arguments.version:
        print(__version__)
    elif arguments.list is not None:
        print(find.listing(arguments.list))
    elif arguments.report:
        return report(arguments.report)
    elif mode := next((mode for mode in MODES if getattr(arguments, mode) is not None), None):
        return MODES[mode](arguments)
    elif arguments.experiment:
        return run(arguments)
    elif arguments.experiment is not None:
        print("\n".join(EXPERIMENTS))
    else:
        parser().print_help()
    return 0


_SAYING = threading.Lock()


def stopped(code: int) -> int:
    """Says, once, how a run goes on; --fresh would begin anew."""
    if not _SAYING.acquire(blocking=False):
        return code
    again = shlex.join(["python", *(word for word in sys.argv if word != "--fresh")])
    kept = f" What is done is kept; this continues:\n  {again}" if "--experiment" in sys.argv else ""
    print(f"Stopped.{kept}", file=sys.stderr)
    return code


def main() -> int:
    """Exit codes: 0 all well, 1 trials failed or a check did, 2 the user's mistake, 130 Ctrl-C, 143 SIGTERM."""
    try:
        return dispatch(parser().parse_args())
    except BaseException as error:
        if code := stopping.code_of(error):
            return stopped(code)
        if isinstance(error, UserError):
            print(error, file=sys.stderr)
            return 2
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        raise


if __name__ == "__main__":
    stopping.on_signals(stopped)
    stopping.leave(main())
