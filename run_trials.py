"""The command line: parse, call, exit code."""

import argparse
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from experiments import EXPERIMENTS, find
from trials import __version__
from trials.environment import require_tensorflow
from trials.errors import Terminated, UserError, unknown
from trials.override import everywhere, override
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


def folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("must name a folder. Received: ''")
    return Path(text)


def lengths(text: str) -> tuple[int, ...]:
    return tuple(whole(1)(part) for part in text.split(","))


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
        "--report", nargs="+", type=folder, metavar="DIR", help="write tables and figures of finished results anew"
    )
    do.add_argument(
        "--evaluate", type=folder, metavar="DIR", help="measure kept weights again and compare with the tables"
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
    """Tables and figures from the journals alone; needs no TensorFlow for the zoo's experiments."""
    from trials import page, plots
    from trials import report as reporter
    from trials.datasets import known_extent

    for path in folders:
        folder = existing(path)
        try:
            declared, extra = find.experiment_of(folder)
            written = reporter.write(folder, declared, known_extent(declared.data, extra.get("base")))
            tell(folder)
            drawn = ", ".join(figure.name for figure in plots.draw(path))
            made = page.write(path, declared.question, written.conclusion)
        finally:
            folder.close()
        print(f"{written.text}\n\nTables: {path}{os.sep}  ({', '.join(reporter.tables(path))})")
        print(f"Figures: {path / 'figures'}{os.sep}  ({drawn})" if drawn else "No trial ended well: no figures.")
        print(f"Page: {made}")
        if index := page.write_index(path.parent):
            print(f"All pages: {index}")
    return 0


def evaluate(arguments: argparse.Namespace) -> int:
    """Kept weights, measured again."""
    from trials.datasets import data_directory
    from trials.evaluation import evaluate as measure

    folder = existing(arguments.evaluate, lock=False)
    declared, extra = find.experiment_of(folder)
    return measure(folder, declared, data_directory(arguments.data_dir), extra.get("base"), arguments.device)


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

    chosen = []
    for name in arguments.experiment:
        declared, extra = find.experiment(name)
        changes = {"epochs": arguments.epochs, "values": all_values(arguments.set)}
        variants = tuple(arguments.variants.split(",")) if arguments.variants else ()
        asked = override(declared, trials=arguments.trials, variants=variants, **changes)
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
            device=arguments.device,
            fresh=arguments.fresh,
            quiet=arguments.quiet,
            save_weights=arguments.save_weights,
            command=("python", *sys.argv),
            **extra,
        )
        if arguments.dry_run:
            print(runner.describe(asked, settings))
        else:
            plans.append(runner.Plan(declared, changed, asked, settings))
    return runner.run(plans) if plans else 0


DESCRIBING = ("input_shape", "classes", "batch_size", "dtype", "training", "csv")
USEFUL = {"evaluate": ("data_dir", "device"), "check": ("set",), "describe": ("set", *DESCRIBING)}
"Options that have a use beside these modes; --experiment takes all."


def check_modes(arguments: argparse.Namespace) -> None:
    """Raises UserError for options that would have no effect."""
    modes = ("experiment", "list", "report", "evaluate", "check", "describe", "version", "help")
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
    if arguments.executor == "inline" and arguments.workers != "auto":
        raise UserError(
            f"--workers {arguments.workers} has no use with --executor inline, which trains in this process.\n"
            "Leave one of them out."
        )


def dispatch(arguments: argparse.Namespace) -> int:
    check_modes(arguments)
    if arguments.version:
        print(__version__)
    elif arguments.list is not None:
        print(find.listing(arguments.list))
    elif arguments.report:
        return report(arguments.report)
    elif arguments.evaluate:
        return evaluate(arguments)
    elif arguments.check is not None:
        return check(arguments)
    elif arguments.describe is not None:
        return describe(arguments)
    elif arguments.experiment:
        return run(arguments)
    elif arguments.experiment is not None:
        print("\n".join(EXPERIMENTS))
    else:
        parser().print_help()
    return 0


def _terminate(*_: object) -> NoReturn:
    raise Terminated


def stopped(code: int) -> int:
    """Says how a run goes on; --fresh would begin anew."""
    again = shlex.join(["python", *(word for word in sys.argv if word != "--fresh")])
    kept = f" What is done is kept; this continues:\n  {again}" if "--experiment" in sys.argv else ""
    print(f"Stopped.{kept}", file=sys.stderr)
    return code


def main() -> int:
    """Exit codes: 0 all well, 1 trials failed or a check did, 2 the user's mistake, 130 Ctrl-C, 143 SIGTERM."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return dispatch(parser().parse_args())
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return stopped(130)
    except Terminated:
        return stopped(143)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
