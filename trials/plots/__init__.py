"""The figures of a results folder, drawn from its tables alone."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from trials.plots.accuracies import accuracies_figure
from trials.plots.batch_norm import batch_norm_figure
from trials.plots.curves import curves_figure
from trials.plots.page import STYLE, take_header
from trials.plots.sweep import sweep_figure
from trials.plots.tables import Tables, read

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES: dict[str, Callable[[Tables], "Figure | None"]] = {
    "convergence": partial(curves_figure, kind="accuracy"),
    "losses": partial(curves_figure, kind="loss"),
    "sweep": sweep_figure,
    "accuracies": accuracies_figure,
    "batch_norm": batch_norm_figure,
}


@dataclass(frozen=True)
class Drawing:
    """A figure as SVG without its headline and caption, which stand beside it."""

    title: str
    caption: str
    svg: bytes


def draw(folder: Path) -> list[Path]:
    """Draws every figure that the tables in `folder` can fill into `folder/figures`.

    Returns the figures' paths. A figure of an earlier drawing that the tables no longer fill is removed.
    """
    from matplotlib import style

    tables, drawn = read(folder), []
    with style.context(("default", STYLE)):
        for name, figure_of in FIGURES.items():
            path = folder / "figures" / f"{name}.svg"
            figure = None if tables is None else figure_of(tables)
            if figure is None:
                path.unlink(missing_ok=True)
                continue
            path.parent.mkdir(exist_ok=True)
            partial_file = path.with_name(f".{path.name}.part")
            partial_file.write_bytes(svg(figure, name))
            partial_file.replace(path)
            drawn.append(path)
    return drawn


def drawings(tables: Tables) -> dict[str, Drawing]:
    """Every figure that the tables can fill, by name, for a page that has the words of its own."""
    from matplotlib import style

    found = {}
    with style.context(("default", STYLE)):
        for name, figure_of in FIGURES.items():
            figure = figure_of(tables)
            if figure is not None:
                found[name] = Drawing(*take_header(figure), svg(figure, name))
    return found


def svg(figure: "Figure", name: str) -> bytes:
    """The figure as a file, without a date, for equal bytes."""
    stream = BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Title": name.replace("_", " ")})
    return stream.getvalue()
