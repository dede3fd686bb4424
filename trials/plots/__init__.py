"""The figures of a results folder, drawn from its tables alone."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from trials import written
from trials.loading import collecting_nothing, not_yet_loaded_aside
from trials.plots.accuracies import accuracies_figure
from trials.plots.batch_norm import batch_norm_figure
from trials.plots.curves import curves_figure
from trials.plots.page import STYLE, header
from trials.plots.sweep import sweep_figure
from trials.plots.tables import Tables

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
    """A figure as SVG: below `header` points from its top edge all but its headline and caption."""

    title: str
    caption: str
    header: float
    svg: bytes


def draw(folder: Path, tables: Tables | None) -> dict[str, Drawing]:
    """Draws every figure that a folder's tables, as `read`, can fill into `folder/figures`.

    Returns them by name. A figure of an earlier drawing that the tables no longer fill is removed.
    """
    style = _matplotlib()
    drawn = {}
    with style.context(("default", STYLE)), not_yet_loaded_aside():
        for name, figure_of in FIGURES.items():
            figure = None if tables is None else figure_of(tables)
            if figure is None:
                (folder / "figures" / f"{name}.svg").unlink(missing_ok=True)
            else:
                drawn[name] = Drawing(*header(figure), svg(figure, name))
    for name, drawing in drawn.items():
        path = folder / "figures" / f"{name}.svg"
        path.parent.mkdir(exist_ok=True)
        written.replace(path, drawing.svg)
    return drawn


@cache
def _matplotlib() -> ModuleType:
    """Its styles; all that a drawing takes of it is loaded at once, so that no collection looks at it."""
    with collecting_nothing():
        from matplotlib import figure, style  # noqa: F401
        from matplotlib.backends import backend_svg  # noqa: F401
    return style


def svg(figure: "Figure", name: str) -> bytes:
    """The figure as a file, without a date, for equal bytes."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    stream = BytesIO()
    # not as savefig, which draws it once before, for layouts that need to be settled: ours come out the same
    FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None, "Title": name.replace("_", " ")})
    return stream.getvalue()
