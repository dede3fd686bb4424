"""From single runs to the published tables: medians, ratios, agreement, and the share of the machine's peak."""

import csv
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas

from benchmarks.agreement import agreement
from benchmarks.contenders import CONTENDERS
from benchmarks.measure import Run
from benchmarks.work import OURS, WORKS

Row = dict[str, Any]


def run_rows(runs: Iterable[Run]) -> list[Row]:
    """A row a run; accuracies of one configuration stand together, configurations are parted by `;`."""
    return [
        {
            **{
                name: getattr(run, name)
                for name in ("work", "contender", "repetition", "processes", "trials", "epochs")
            },
            "samples": run.samples,
            "seconds": round(run.seconds, 3),
            "seconds_to_tables": round(run.to_tables, 3),
            "busy_seconds": round(run.busy, 3),
            "samples_per_second": round(run.rate, 1),
            "accuracies": ";".join(" ".join(f"{value:.6g}" for value in group) for group in run.accuracies),
        }
        for run in runs
    ]


def read(path: Path) -> list[Row]:
    """The rows that `write` wrote; none where there is no such file."""
    return pandas.read_csv(path, keep_default_na=False).to_dict("records") if path.is_file() else []


def has_other_columns(path: Path) -> bool:
    """Whether runs were told there in other columns than today's."""
    rows = read(path)
    return bool(rows) and "seconds_to_tables" not in rows[0]


def read_runs(path: Path) -> list[Run]:
    """The runs that `run_rows` told."""
    return [_run(row) for row in read(path)]


def _run(row: Row) -> Run:
    names = ("work", "contender", "repetition", "processes", "trials", "epochs", "samples", "seconds")
    groups = tuple(tuple(map(float, group.split())) for group in row["accuracies"].split(";"))
    more = {"to_tables": row["seconds_to_tables"], "busy": row["busy_seconds"]}
    return Run(**{name: row[name] for name in names}, **more, accuracies=groups)


def ratio(ours: Run, theirs: Run) -> float:
    """How many times as fast this project is: by samples a second, or from the start of a command to its tables."""
    return ours.rate / theirs.rate if WORKS[ours.work].rate else theirs.to_tables / ours.to_tables


def pooled(runs: Sequence[Run]) -> list[list[float]]:
    """The accuracies of all repetitions, a group a configuration."""
    return [
        [value for group in groups for value in group] for groups in zip(*(r.accuracies for r in runs), strict=True)
    ]


def summary_rows(
    runs: Sequence[Run], peak: float | None = None, operations: Mapping[str, int] | None = None
) -> list[Row]:
    """A row a work and contender, in the order in which they first ran.

    `peak` is the machine's rate and `operations` what a sample of a work needs, both in floating-point operations.
    """
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.work, run.contender), []).append(run)
    rows = []
    for (work, contender), found in groups.items():
        reference = groups.get((work, OURS), [])
        rate = statistics.median(run.rate for run in found)
        row: Row = {"work": work, "contender": contender, "repetitions": len(found)}
        row |= {"seconds_median": round(statistics.median(run.seconds for run in found), 3)}
        row |= {"seconds_to_tables_median": round(statistics.median(run.to_tables for run in found), 3)}
        row |= {"samples_per_second_median": round(rate, 1)}
        row |= _ratios(reference, found) | _accuracy(reference, found)
        needed = (operations or {}).get(work)
        row["peak_fraction"] = round(rate * needed / peak, 4) if needed and peak else None
        rows.append(row)
    return rows


def _ratios(reference: Sequence[Run], found: Sequence[Run]) -> Row:
    """Of the pairs that ran in the same turn."""
    turns = {run.repetition: run for run in reference}
    ratios = [ratio(turns[run.repetition], run) for run in found if run.repetition in turns]
    figures = (statistics.median(ratios), min(ratios), max(ratios)) if ratios else (None, None, None)
    names = ("ratio_median", "ratio_lowest", "ratio_highest")
    return {name: None if value is None else round(value, 3) for name, value in zip(names, figures, strict=True)}


def _accuracy(reference: Sequence[Run], found: Sequence[Run]) -> Row:
    groups = pooled(found)
    row: Row = {"accuracy_mean": round(statistics.mean(statistics.mean(group) for group in groups), 5)}
    if not reference:
        return row | dict.fromkeys(("accuracy_difference", "accuracy_difference_ci99_half", "accuracies"))
    held = agreement(pooled(reference), groups)
    half = None if held.half_width is None else round(held.half_width, 5)
    row |= {"accuracy_difference": round(held.difference, 5), "accuracy_difference_ci99_half": half}
    return row | {"accuracies": "" if found[0].contender == OURS else str(held)}


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A CSV file with the columns of the first row; nothing where there are no rows."""
    if not rows:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def text(rows: Sequence[Row]) -> str:
    """The summary as Markdown, a table a work."""
    blocks = []
    for name, work in WORKS.items():
        of_work = [row for row in rows if row["work"] == name]
        if of_work:
            first, last = ("samples a second", "of the peak") if work.rate else ("seconds to the tables", "to the end")
            head = [f"{work.about} (`{name}`):", "", f"| | {first} | ratio | test accuracy | {last} |"]
            blocks.append("\n".join([*head, "|---|---|---|---|---|", *(_line(row, work.rate) for row in of_work)]))
    return "\n\n".join(blocks)


def _line(row: Row, rate: bool) -> str:
    speed = f"{row['samples_per_second_median']:,.0f}" if rate else f"{row['seconds_to_tables_median']:.1f}"
    times = "" if row["ratio_median"] is None else f"{row['ratio_median']:.2f}"
    if times and row["contender"] != OURS:
        times += f" ({row['ratio_lowest']:.2f} to {row['ratio_highest']:.2f})"
    accuracy = f"{row['accuracy_mean']:.4f} {row['accuracies'] or ''}".strip()
    half = row["accuracy_difference_ci99_half"]
    accuracy += f" (±{half:.4f})" if row["accuracies"] and half is not None else ""
    peak = "" if row["peak_fraction"] is None else f"{100 * row['peak_fraction']:.1f} %"
    last = peak if rate else f"{row['seconds_median']:.1f}"
    return f"| {CONTENDERS[row['contender']].about} | {speed} | {times} | {accuracy} | {last} |"


def limits(products: Mapping[int, float], overhead: Sequence[Mapping[str, Any]]) -> str:
    """The machine's peak and the runner's own cost, a sentence each."""
    told = []
    if products:
        size = max(products, key=lambda n: products[n])
        told.append(
            f"The peak, {products[size] / 1e9:,.0f} billion floating-point operations a second, is the rate of "
            f"{size}x{size} single-precision matrix products in TensorFlow, one thread a core, all cores at once."
        )
    for work in dict.fromkeys(row["work"] for row in overhead):
        rows = [row for row in overhead if row["work"] == work]
        columns = ("overhead", "engine_seconds", "checks_seconds", "page_seconds")
        share, engine, checks, page = (statistics.median(row[name] for row in rows) for name in columns)
        low, _, high = statistics.quantiles([row["overhead"] for row in rows], n=4, method="inclusive")
        told.append(
            f"Progress, journal and tables add {100 * share:.1f} % ({100 * low:.1f} to {100 * high:.1f} in half of "
            f"{len(rows)} turns) to {rows[0]['trials']} trials of `{WORKS[work].experiment}` that take {engine:.1f} s "
            f"in the same process; the checks of their models before the first take {checks:.2f} s, figures and page "
            f"at the end {page:.2f} s more."
        )
    return " ".join(told)
