"""Side-by-side timing: this project against what people would use instead, on this machine.

    python -m benchmarks                                    every work but the longest
    python -m benchmarks iris lenet5_batch_32               these alone
    python -m benchmarks peak overhead growth               the machine's limit; the runner's cost; 10 to 10,000 trials
    python -m benchmarks lenet5_whole --contenders graph_workers,torch_processes --repetitions 1

Contenders take turns (A B C A B C ...), each in a process of its own. A ratio is how many times as fast this
project's default command is, of runs of the same turn. The accuracies of a contender `agree` where the 99 %
interval of their mean difference to this project's (Student's, within configurations) holds 0. What is measured
takes its place in the tables of --results; what is not named stays, if it was measured on the same machine.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import contenders, growth, measure, overhead, peak, table
from benchmarks.contenders import CONTENDERS
from benchmarks.work import USUAL_WORKS, WORKS
from trials import datasets
from trials.environment import git_state, machine, versions

BESIDE = ("peak", "overhead", "growth")
TABLES = ("runs", "summary", *BESIDE)
README = measure.ROOT / "README.md"
PLACE = re.compile(r"(<!-- benchmarks -->\n).*?(<!-- end of benchmarks -->)", re.DOTALL)


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = [*BESIDE, *WORKS]
    parser.add_argument("works", nargs="*", metavar="WORK", help=f"of: {', '.join(known)}")
    parser.add_argument("--repetitions", type=int, default=2, metavar="N", help="turns of each contender (default 2)")
    parser.add_argument("--trials", type=int, metavar="N", help="of each configuration; of a rate, in each process")
    parser.add_argument("--epochs", type=int, metavar="N")
    parser.add_argument("--contenders", metavar="A,B", help=f"only these of: {', '.join(CONTENDERS)}")
    parser.add_argument("--data-dir", metavar="DIR", help="image data (default: TRIALS_DATA_DIR)")
    parser.add_argument("--results", type=Path, default=Path("results/benchmarks"), metavar="DIR")
    parser.add_argument("--readme", action="store_true", help="also put the table into README.md")
    asked = parser.parse_args(words)
    asked.works = asked.works or [*BESIDE, *USUAL_WORKS]
    asked.contenders = asked.contenders.split(",") if asked.contenders else None
    for what, names, allowed in (("work", asked.works, known), ("contender", asked.contenders or (), CONTENDERS)):
        unknown = [name for name in names if name not in allowed]
        if unknown:
            parser.error(f"there is no {what} '{unknown[0]}'; there are: {', '.join(allowed)}")
    asked.directory = datasets.data_directory(asked.data_dir)
    images = [name for name in asked.works if name == "overhead" or (name in WORKS and not name.startswith("iris"))]
    if images and asked.directory is None:  # a download goes through Keras, which has no place beside PyTorch
        parser.error(f"{images[0]} needs image data: give its folder with --data-dir or TRIALS_DATA_DIR")
    return asked


def chosen(asked: Sequence[str] | None, usual: Sequence[str]) -> list[str]:
    """The contenders of a work that can run here; a line on each that cannot."""
    names = list(asked or usual)
    for name in [name for name in names if not CONTENDERS[name].installed()]:
        package = CONTENDERS[name].package
        print(f"{name} is left out: {package} is not installed (requirements-bench.txt).", file=sys.stderr)
        names.remove(name)
    return names


def timed(asked: argparse.Namespace) -> tuple[list[measure.Run], int]:
    """All runs, in turns, and how many failed; a line on each as it ends."""
    runs, failed = [], 0
    for name in (name for name in asked.works if name in WORKS):
        work = WORKS[name]
        names = chosen(asked.contenders, work.contenders)
        for repetition in range(1, asked.repetitions + 1):
            for who in names:
                size = asked.trials or work.trials, asked.epochs or work.epochs
                try:
                    run = measure.run(name, who, *size, repetition)
                except RuntimeError as error:  # the others' time is not to be lost
                    print(error, file=sys.stderr)
                    failed += 1
                    continue
                runs.append(run)
                times = f"{run.to_tables:.1f} s to the tables, {run.seconds:.1f} s, {run.rate:,.0f} samples/s"
                print(f"{name} {repetition} {who}: {times}", flush=True)
    return runs, failed


def measured(asked: argparse.Namespace) -> int:
    """Measures what was asked for into tables, beside what the folder has of other works; how many runs failed."""
    folder = asked.results
    if "peak" in asked.works:
        rates = peak.products().items()
        table.write(folder / "peak.csv", [{"size": size, "operations_per_second": rate} for size, rate in rates])
    runs, failed = timed(asked)
    kept = [run for run in table.read_runs(folder / "runs.csv") if run.work not in asked.works]
    in_order = [run for name in WORKS for run in (*kept, *runs) if run.work == name]
    table.write(folder / "runs.csv", table.run_rows(in_order))
    if "overhead" in asked.works:
        rows = (overhead.measure(name, *size, asked.repetitions) for name, size in overhead.SIZES.items())
        table.write(folder / "overhead.csv", [row for found in rows for row in found])
    if "growth" in asked.works:
        most = growth.WIDTHS * asked.trials if asked.trials else growth.MOST
        table.write(folder / "growth.csv", list(growth.measure(most)))
    return failed


def told(folder: Path) -> str:
    """All that the folder's tables hold, as Markdown; writes the summary of its runs."""
    products = {row["size"]: row["operations_per_second"] for row in table.read(folder / "peak.csv")}
    runs = table.read_runs(folder / "runs.csv")
    rates = {run.work for run in runs if products and WORKS[run.work].rate}
    needed = {name: peak.operations(WORKS[name]) for name in rates}
    summary = table.summary_rows(runs, max(products.values(), default=None), needed)
    table.write(folder / "summary.csv", summary)
    grown = table.read(folder / "growth.csv")
    parts = table.text(summary), table.limits(products, table.read(folder / "overhead.csv"))
    return "\n\n".join(part for part in (*parts, growth.text(grown) if grown else "") if part)


def main() -> int:
    asked = arguments()
    if asked.directory is not None:
        measure.use(asked.directory)
    facts = {"machine": machine(), "versions": versions() | contenders.versions(), "git": git_state(measure.ROOT)}
    record = asked.results / "machine.json"
    before = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else facts
    elsewhere = any(before[name] != facts[name] for name in ("machine", "versions"))
    if elsewhere or table.has_other_columns(asked.results / "runs.csv"):
        print(
            f"{asked.results} was measured elsewhere, with other versions or otherwise: it begins anew.",
            file=sys.stderr,
        )
        for name in TABLES:
            (asked.results / f"{name}.csv").unlink(missing_ok=True)
    asked.results.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    failed = measured(asked)
    text = told(asked.results)
    print(f"\n{text}")
    if asked.readme:
        README.write_text(PLACE.sub(lambda found: f"{found[1]}{text}\n{found[2]}", README.read_text(encoding="utf-8")))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
