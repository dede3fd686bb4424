"""The command line: parse, call, exit code."""

import argparse
import os
import sys
import threading
from pathlib import Path
from typing import Any

from experiments import EXPERIMENTS, find
from trials import __version__, again, backend, stopping
from trials.arguments import check_modes, parser
from trials.errors import UserError, unknown
from trials.override import everywhere, override
from trials.rounds import MOST, Until
from trials.set_values import all_values, one_value_each


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
    backend.use(backend.of(folder.header["versions"]))
    declared, extra = find.experiment_of(folder)
    return measure(folder, declared, data_directory(arguments.data_dir), extra.get("base"), arguments.device)


def verify(arguments: argparse.Namespace) -> int:
    """Recorded trials, trained again."""
    from trials.datasets import data_directory
    from trials.verify import verify as train_again

    folder = existing(arguments.verify, lock=False)
    backend.use(backend.of(folder.header["versions"]))
    declared, extra = find.experiment_of(folder)
    directory, trials = data_directory(arguments.data_dir), arguments.trials or 1
    return train_again(folder, declared, directory, extra.get("base"), arguments.device, trials)


def check(arguments: argparse.Namespace) -> int:
    """Checks one builder. Returns 1 where it violates a requirement."""
    options = one_value_each(arguments.set, "--check")
    backend.check_installed()
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
    backend.check_installed()
    return plans


def run(arguments: argparse.Namespace) -> int:
    """Runs the named experiments one after another; the worst exit code counts."""
    from trials import dry_run
    from trials import run as runner
    from trials.datasets import data_directory

    until = Until(arguments.until, arguments.max_trials or MOST) if arguments.until else None
    here = "cpu" if arguments.executor == "ray" else arguments.device  # this machine's GPU says nothing of a cluster's
    backend.choose(arguments.engine, here)
    backend.share_gpus(here, arguments.workers)
    if arguments.trial_timeout is not None and backend.engine_of(arguments.engine) == "vmap":
        raise UserError(
            f"--trial-timeout {arguments.trial_timeout:g} cannot be kept by the vmap engine, which trains all seeds at "
            "the same time.\nLeave it out, or use --engine graph or fit."
        )
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
            address=arguments.address or "auto",
            workers=arguments.workers,
            trial_timeout=arguments.trial_timeout,
            device=arguments.device,
            fresh=arguments.fresh,
            quiet=arguments.quiet,
            save_weights=arguments.save_weights,
            until=until,
            command=(*backend.given(), "python", *sys.argv),
            **extra,
        )
        if arguments.dry_run:
            print(dry_run.describe(asked, settings))
        else:
            plans.append(runner.Plan(declared, changed, asked, settings))
    return runner.run(plans) if plans else 0


MODES = {"evaluate": evaluate, "verify": verify, "check": check, "describe": describe}


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
    """Says, once, how a run goes on."""
    if not _SAYING.acquire(blocking=False):
        return code
    print(f"Stopped. {again.told()}".rstrip(), file=sys.stderr)
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
