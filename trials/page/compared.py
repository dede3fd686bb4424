"""What is held against something else: published figures, and configurations against each other."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from trials.comparisons import VARIANTS
from trials.page.grid import Grid, between, different, mark, number
from trials.plots.tables import Row

JUDGED = ("inside", "outside")
NOMINAL = 0.05


def published(rows: Sequence[Row]) -> Grid | None:
    """The published figures that are not of learning curves, beside ours; None where there are none."""
    return published_grid([row for row in rows if not is_curve(row)])


def is_curve(row: Row) -> bool:
    return "epoch=" in row["where"]


def published_grid(rows: Sequence[Row]) -> Grid | None:
    notes = different(row["note"] for row in rows)
    cells = [
        [
            row["source"],
            row["metric"].replace("_", " "),
            row["where"],
            number(row["published"]),
            row["runs"],
            number(row["measured_mean"]),
            between(row["prediction95_low"], row["prediction95_high"]),
            row["verdict"],
            mark(row["note"], notes),
        ]
        for row in rows
    ]
    head = ["source", "metric", "where", "published", "runs", "measured", "95 % prediction interval", "verdict", "note"]
    caption = "Each published figure beside ours"
    return Grid.filled(caption, head, cells, 3, "published.csv", notes) if cells else None


@dataclass(frozen=True)
class Curves:
    """Published learning curves: how many figures were judged, how many lie outside and would by chance, and where."""

    judged: int
    outside: int
    by_chance: float
    places: Grid | None
    full: Grid | None


def published_curves(rows: Iterable[Row]) -> Curves | None:
    """Of each configuration and metric how many figures lie outside; None without published learning curves."""
    curves = [row for row in rows if is_curve(row)]
    if not curves:
        return None
    judged = [row for row in curves if row["verdict"] in JUDGED]
    places: dict[str, dict[str, list[bool]]] = {}
    for row in judged:
        place = [part.removeprefix("variant=") for part in row["where"].split() if not part.startswith("epoch=")]
        places.setdefault(" ".join(place), {}).setdefault(row["metric"], []).append(row["verdict"] == "outside")
    metrics = list(dict.fromkeys(row["metric"] for row in judged))
    cells = [
        [place, *(f"{sum(found[name])} of {len(found[name])}" if name in found else "" for name in metrics)]
        for place, found in places.items()
    ]
    head = ["configuration", *(name.replace("_", " ") for name in metrics)]
    return Curves(
        judged=len(judged),
        outside=sum(row["verdict"] == "outside" for row in judged),
        by_chance=NOMINAL * len(judged),
        places=Grid("How many lie outside, by configuration and metric", head, cells) if cells else None,
        full=published_grid(curves),
    )


@dataclass(frozen=True)
class Cell:
    """One comparison in a matrix: the difference, its interval, and `higher`, `lower` or nothing."""

    difference: str
    interval: str
    verdict: str
    sign: str


@dataclass(frozen=True)
class Matrix:
    """Row minus column, under the names; None where a pair was not compared."""

    columns: Sequence[str]
    rows: Mapping[str, Sequence[Cell | None]]


def matrix(rows: Iterable[Row]) -> Matrix | None:
    """The comparisons between variants, each once, below the diagonal; None where there are none."""
    pairs = {(row["second"], row["first"]): cell(row) for row in rows if row["family"] == VARIANTS}
    if not pairs:
        return None
    names = list(dict.fromkeys(name for second, first in pairs for name in (first, second)))
    columns = [name for name in names if any(first == name for _, first in pairs)]
    below = [name for name in names if any(second == name for second, _ in pairs)]
    return Matrix(columns, {name: [pairs.get((name, column)) for column in columns] for name in below})


def cell(row: Row) -> Cell:
    """A comparison as a matrix shows it; its sign counts where the adjusted p does."""
    shown = bool(row["p_holm"]) and float(row["p_holm"]) < NOMINAL
    sign = "" if not shown else "higher" if float(row["difference_mean"]) > 0 else "lower"
    interval = between(row["difference_ci95_low"], row["difference_ci95_high"], sign=True)
    return Cell(number(row["difference_mean"], sign=True), interval, row["verdict"], sign)


def comparisons(rows: Sequence[Row]) -> dict[str, Grid]:
    """Every comparison in full, a table a family."""
    families = dict.fromkeys(row["family"] for row in rows)
    return {family: family_grid(family, [row for row in rows if row["family"] == family]) for family in families}


def family_grid(family: str, rows: Sequence[Row]) -> Grid:
    """A family's comparisons, what must be read first in front."""
    notes = different(row["note"] for row in rows)
    cells = [
        [
            row["first"],
            row["second"],
            number(row["difference_mean"], sign=True),
            between(row["difference_ci95_low"], row["difference_ci95_high"], sign=True),
            number(row["p_holm"]),
            row["verdict"],
            row["n"],
            number(row["difference_std"]),
            number(row["p"]),
            number(row["probability_of_improvement"], 2),
            number(row["detectable_difference"]),
            mark(row["note"], notes),
        ]
        for row in rows
    ]
    head = ["first", "second", "difference", "95 % interval", "p (Holm)", "verdict", "n", "std", "p"]
    head += ["probability of improvement", "detectable difference", "note"]
    caption = f"{family}: test accuracy of the second minus that of the first, pairs by seed"
    return Grid.filled(caption, head, cells, 2, "comparisons.csv", notes)
