"""What a builder must satisfy so that its trials mean something: each requirement checked, and told in words."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from trials import backend
from trials.check import function, model
from trials.check.cases import Case, plan
from trials.check.engines import STEPS
from trials.environment import prepare_process
from trials.errors import UnsupportedError, UserError, first_line
from trials.experiment import Builder, Experiment


@dataclass(frozen=True)
class Finding:
    """What came out for one requirement; `about` says what it was checked with."""

    status: str
    "`ok`, `FAILED` or `skipped`."
    requirement: str
    said: str = ""
    about: str = ""

    def __str__(self) -> str:
        return f"{self.status:<8}{self.requirement}{': ' if self.said else ''}{self.said}"


FUNCTION: dict[str, Callable[[Any], str]] = {
    "a plain function, which worker processes find by its name": function.plain_function,
    "its code can be hashed": function.hashed,
    "it takes input_shape and classes by keyword": function.keywords,
    "its options have plain defaults and names of their own": function.options,
}
MODEL: dict[str, Callable[[Case], str]] = {
    "it returns an uncompiled keras.Model, built": model.returned,
    "outputs and loss fit the data": model.fits,
    "outputs are finite in inference and in training mode": model.finite,
    "inference repeats exactly and changes nothing": model.repeatable,
    "a sample's output does not depend on the rest of its batch": model.independent,
    "a seed decides the starting weights, another seed gives others": model.fresh,
    "calls share no variables and leave nothing behind": model.apart,
    "every trainable variable gets a gradient": model.reached,
    f"{STEPS} training steps keep the loss finite": model.learns,
    "the fast engine trains what fit trains": model.same_training,
    "weights survive a .weights.h5 file": model.saved,
    "batch-norm layers whose parameters are recorded have fixed names": model.named,
}
CHEAP = 2
"How many of the model's requirements come first: without them no other can be checked, and they cost little."


def report(
    builder: Builder, experiments: Sequence[Experiment] = (), options: Mapping[str, Any] | None = None, **known: Any
) -> int:
    """Prints a line a requirement, as they are found. Returns the exit code: 0, or 1 where one is violated."""
    backend.check_installed()
    counts = {"ok": 0, "FAILED": 0, "skipped": 0}
    about = None
    for finding in check(builder, experiments, options, **known):
        if about is None:  # here, so that a mistake in the options or the data stands alone
            print(f"{getattr(builder, '__name__', type(builder).__name__)}: what the runner requires of a builder")
        if finding.about != about:
            about = finding.about
            print(f"\n{about}")
        print(finding, flush=True)
        counts[finding.status] += 1
    print(f"\n{', '.join(f'{count} {status}' for status, count in counts.items() if count)}")
    return 1 if counts["FAILED"] else 0


def check(
    builder: Builder,
    experiments: Sequence[Experiment] = (),
    options: Mapping[str, Any] | None = None,
    base: Path | None = None,
    largest: int | None = None,
) -> Iterator[Finding]:
    """Every requirement for the fullest options that the experiments use, and in short for their others.

    With `options`, for these alone. Models of more than `largest` parameters are built and called, no more.
    Raises UserError where the options are unknown or the experiments' own data cannot be read.
    """
    found = [_judged(name, partial(requirement, builder), "The function") for name, requirement in FUNCTION.items()]
    if any(finding.status == "FAILED" for finding in found):
        yield from found
        yield from (Finding("skipped", name, "the function must be right first", "The model") for name in MODEL)
        return
    prepare_process("cpu")
    first, *others = plan(builder, experiments, options, base)  # a mistake in the data is told before any finding
    yield from found
    yield from _in_full(first, largest)
    for case in others:
        name = f"builds and fits the data with {case.options or 'its defaults'}"
        yield _judged(name, partial(_short, case), "Other options in use, in short; --set checks them in full")


def _judged(requirement: str, test: Callable[[], str], about: str) -> Finding:
    try:
        return Finding("ok", requirement, test(), about)
    except UnsupportedError as reason:
        return Finding("skipped", requirement, str(reason), about)
    except Exception as error:  # whatever a user's layers do, it is this requirement that fails
        said = str(error) if isinstance(error, UserError) else first_line(error)
        return Finding("FAILED", requirement, " ".join(said.split()), about)


def _in_full(case: Case, largest: int | None) -> Iterator[Finding]:
    blocked = ""
    for number, (name, requirement) in enumerate(MODEL.items()):
        if blocked:
            yield Finding("skipped", name, blocked, case.about)
            continue
        finding = _judged(name, partial(requirement, case), case.about)
        yield finding
        if finding.status == "FAILED" and number < CHEAP:
            blocked = "there is no model that fits the data"
        elif number == CHEAP - 1 and largest is not None and (size := case.model().count_params()) > largest:
            blocked = f"{size:,} parameters; above {largest:,} a model is only built and called"


def _short(case: Case) -> str:
    return ", ".join(requirement(case) for requirement in list(MODEL.values())[:CHEAP])
