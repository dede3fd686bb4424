"""What is said of a run that was stopped, and the commands that continue it."""

import argparse
import shlex
import sys

from trials import backend

begun: list[str] = []
"The experiments of this process's run that have a results folder to go on with, in the order of the command."


def told() -> str:
    """A sentence, and below it the commands; empty where this process trains nothing.

    --fresh is said again for the experiments whose earlier results are still in their place, and for no other.
    """
    words = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    words.add_argument("--experiment", nargs="*", action="extend", default=[])
    words.add_argument("--fresh", action="store_true")
    named, others = words.parse_known_args(sys.argv[1:])
    if not named.experiment:
        return ""
    done, waiting = named.experiment[: len(begun)], named.experiment[len(begun) :]
    if not named.fresh:
        commands = [sys.argv[1:]]
    else:
        commands = [["--experiment", *done, *others]] * bool(done)
        commands += [["--experiment", *waiting, *others, "--fresh"]] * bool(waiting)
    said = "What is done is kept; this continues:"
    if named.fresh and not done:
        said = "Nothing is trained yet, and earlier results, if any, are still in their place; this begins anew:"
    return "\n  ".join([said, *(shlex.join([*backend.given(), "python", sys.argv[0], *each]) for each in commands)])
