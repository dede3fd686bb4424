"""What grows with the number of trials: a real run of many in one results folder, and the start of the next.

    python -m benchmarks.growth [--trials N] [--configurations N] [--epochs N] [--workers N]

The command line trains a perceptron of 4 units on Iris, N trials of each configuration (by default 10
configurations x 1,000 trials x 1 epoch in 2 workers). While it runs the driver's resident memory, that of its
largest worker and the trials a second are printed for each tenth of the trials. Then the same command runs
again, with nothing missing: the seconds from its start to its word that all trials are there (TensorFlow is not
imported by then), their parts as measured in a process of their own, and the seconds to the end, tables included.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent
MEGABYTE = 2**20

EXPERIMENT = """
from models import mlp
from trials.experiment import Data, Experiment, Protocol, Variant

EXPERIMENT = Experiment(
    name="tiny",
    question="Does anything grow with the number of trials?",
    data=Data("iris", test_fraction=0.2, mean="train", std="train"),
    variants=(Variant("mlp", mlp, {{"units": 4}}),),
    protocol=Protocol(epochs={epochs}, loss="sparse_categorical_crossentropy", record=("train", "test")),
    sweep={{"batch_size": tuple(range(32, 32 + {configurations}))}},
    trials={trials},
)
"""

PARTS = """
import sys, time
from pathlib import Path
started = time.perf_counter()
sys.path.insert(0, {root!r})

def part(name):
    global started
    print(f"  {{name:<40}} {{time.perf_counter() - started:.2f}} s", flush=True)
    started = time.perf_counter()

import run_trials
from experiments import find
from trials import datasets, store
part("import of the command line and the folder")
experiment, _ = find.experiment("tiny.py")
part("experiment file")
datasets.load(experiment.data)
part("data")
folder = store.Folder.existing(Path("results/tiny"), lock=False)
part("journal, read and checked line by line")
folder.check(experiment)
part("configurations compared with the records")
missing = [folder.missing(each, experiment.seeds(0)) for each in experiment.configurations()]
assert not any(missing), missing
part("what is missing")
"""


def command(folder: str, *words: str) -> subprocess.Popen[str]:
    run = [sys.executable, str(ROOT / "run_trials.py"), "--experiment", "tiny.py", *words]
    return subprocess.Popen(run, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def watch(folder: str, trials: int, workers: int) -> None:
    """Prints a line for each tenth of the trials while they are trained."""
    journal = Path(folder) / "results" / "tiny" / "journal.jsonl"
    process = command(folder, "--quiet", "--workers", str(workers))
    driver = psutil.Process(process.pid)
    seen, position, told, since = -1, 0, 0, time.perf_counter()  # the journal's first line is no trial
    while process.poll() is None:
        time.sleep(0.2)
        if journal.is_file():
            with open(journal, "rb") as lines:
                lines.seek(position)
                new = lines.read()
            seen, position = seen + new.count(b"\n"), position + len(new)
        if seen < told + trials // 10 and seen < trials:
            continue
        now = time.perf_counter()
        sizes = [child.memory_info().rss for child in driver.children(recursive=True) if child.is_running()]
        print(
            f"{seen:>6} trials: driver {driver.memory_info().rss / MEGABYTE:.0f} MB, "
            f"largest worker {max(sizes, default=0) / MEGABYTE:.0f} MB, {(seen - told) / (now - since):.0f} trials/s",
            flush=True,
        )
        told, since = seen, now
        if seen >= trials:
            break
    assert process.wait() == 0, process.stderr and process.stderr.read()
    print(f"tables written {time.perf_counter() - since:.1f} s after the last trial", flush=True)


def resume(folder: str) -> None:
    """The same command once more."""
    started = time.perf_counter()
    process = command(folder)
    assert process.stderr is not None
    for line in process.stderr:
        if "are already in" in line:
            print(f"again: after {time.perf_counter() - started:.2f} s: {line.strip()}", flush=True)
    assert process.wait() == 0
    print(f"again: at its end, tables included, after {time.perf_counter() - started:.1f} s; of the start:", flush=True)
    subprocess.run([sys.executable, "-c", PARTS.format(root=str(ROOT))], cwd=folder, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000, help="of each configuration")
    parser.add_argument("--configurations", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sizes = {name: getattr(arguments, name) for name in ("trials", "configurations", "epochs")}
        (Path(folder) / "tiny.py").write_text(EXPERIMENT.format(**sizes))
        watch(folder, arguments.trials * arguments.configurations, arguments.workers)
        resume(folder)


if __name__ == "__main__":
    main()
