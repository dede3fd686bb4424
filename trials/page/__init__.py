"""One self-contained page of a results folder, and an index over many, made from the tables alone."""

from pathlib import Path
from typing import Any

from trials import plots
from trials.page import compared, measured, record
from trials.page.figures import Picture
from trials.page.rendering import told, write_page
from trials.plots.tables import read, read_table

PLACES = [f"{'*/' * depth}report.html" for depth in range(1, 5)]
"Where an index looks for reports: at most four folders down."


def write(folder: Path, question: str, conclusion: str) -> Path:
    """Writes a results folder's figures and report.html from its tables; the page loads nothing from elsewhere.

    Equal tables and an equal run.json give equal bytes. `conclusion` is a sentence, or empty.
    """
    tables, rows, run = read(folder), read_table(folder / "trials.csv"), record.run(folder)
    published, pairs = (read_table(folder / f"{name}.csv") for name in ("published", "comparisons"))
    drawn = plots.draw(folder, tables)
    experiment = rows[0]["experiment"] if rows else str(run.get("experiment", folder.name))
    content: dict[str, Any] = {
        "facts": {"experiment": experiment, "question": question, "conclusion": conclusion, "extent": ""},
        "published": compared.published(published),
        "published_curves": compared.published_curves(published),
        "matrix": compared.matrix(pairs),
        "comparisons": compared.comparisons(pairs),
        "trials": len(rows),
        "failures": record.failures(rows),
        "run": record.facts(run, rows),
        "commands": record.commands(run, experiment),
        "figures": dict.fromkeys(plots.FIGURES) | {name: Picture.of(name, each) for name, each in drawn.items()},
        "measured": None,
    }
    if tables is not None:
        content["facts"]["extent"] = measured.extent(tables)
        content["measured"] = measured.grids(tables)
    return write_page(folder / "report.html", content)


def write_index(results: Path) -> Path | None:
    """Writes index.html over the reports in a folder of results, with relative links.

    It says what the reports say of themselves, so that it opens no table. Somebody else's page of that name
    stays as it is: then None.
    """
    index = results / "index.html"
    if index.is_file() and not told(index):
        return None
    paths = sorted(path for place in PLACES for path in results.glob(place))
    reports = {path.relative_to(results).as_posix(): told(path) for path in paths}
    return write_page(index, {"reports": {path: facts for path, facts in reports.items() if facts}})
