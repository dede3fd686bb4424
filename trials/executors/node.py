"""In a worker process of a Ray cluster: prepared once, it answers task after task of one run."""

import os
import pickle
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from trials import environment
from trials.datasets import Samples
from trials.errors import UserError, first_line
from trials.executors.cluster import check_versions, versions
from trials.sources import Sent, load_source


@dataclass(frozen=True)
class Setup:
    """What a worker needs beside the samples, sent to each node once."""

    sources: Mapping[str, tuple[str, str]]
    helpers: Mapping[str, tuple[str, str]]
    device: str
    versions: Mapping[str, str]
    variables: Sequence[str]


REPORT_SECONDS = 0.1
"What a machine's name needs to leave the worker, before anything there can end it."
_worker: dict[str, Any] = {}


def _prepare(setup: Setup, samples: Samples, host: str) -> None:
    """As a worker process of this machine is prepared; a node may have joined after the others were looked at."""
    check_versions(host, versions(), setup.versions)
    for name in {*environment.VARIABLES} - {*setup.variables, "CUDA_VISIBLE_DEVICES"}:
        os.environ.pop(name, None)  # Ray's own, or the node's
    load(setup.sources, setup.helpers, host)
    environment.prepare_process(setup.device)
    from trials.engines import Trainer

    _worker.update(host=host, trainer=Trainer(samples))


def load(sources: Mapping[str, tuple[str, str]], helpers: Mapping[str, tuple[str, str]], host: str) -> None:
    """Users' modules, as the driver sent them."""
    sys.meta_path.insert(0, Sent(helpers))
    for module, (path, text) in sources.items():
        try:
            load_source(module, Path(path), text)
        except Exception as error:
            raise UserError(
                f"{path} cannot be imported on the node {host}: {first_line(error)}.\n"
                "Install packages on every node; of a user's own files only modules beside the experiment's are sent "
                "along, so what these read must be there too."
            ) from error


def answer(setup: Setup, samples: Samples, check: bool, pickled: bytes) -> Iterator[Any]:
    """Yields its machine where it is new to the run, the machine's name once it is ready, and what was asked for.

    That is the unit as it was checked, or a result a seed.
    """
    if not _worker:  # it serves this run alone, which has one dataset
        machine = environment.machine()
        yield machine
        time.sleep(REPORT_SECONDS)
        _prepare(setup, samples, machine["host"])
    yield _worker["host"]
    work = pickle.loads(pickled)  # not before the user's modules are there
    for place, unit in enumerate(work, 1):
        if check:
            yield _or_end(partial(_worker["trainer"].check, unit))
            continue
        results = _worker["trainer"].run(unit, later=work[place:])
        while result := _or_end(partial(next, results, None)):
            yield result


def _or_end(call: Callable[[], Any]) -> Any:
    """What it returns. What a builder raises to end its process does so, as in a worker of any other kind."""
    try:
        return call()
    except Exception:
        raise
    except BaseException:
        os._exit(1)
