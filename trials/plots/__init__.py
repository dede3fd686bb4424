"""The figures of a results folder, drawn from its tables alone."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from trials.plots.accuracies import accuracies_figure
from trials.plots.batch_norm import batch_norm_figure
from trials.plots.curves import curves_figure
from trials.plots.page import STYLE
from trials.plots.sweep import sweep_figure
from trials.plots.tables import Tables, read

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES: dict[str, Callable[[Tables], "Figure | None"]] = {
    "convergence.svg": partial(curves_figure, kind="accuracy"),
    "losses.svg": partial(curves_figure, kind="loss"),
    "sweep.svg": sweep_figure,
    "accuracies.svg": accuracies_figure,
    "batch_norm.svg": batch_norm_figure,
}


def draw(folder: Path) -> list[Path]:
    """Draws every figure that the tables in `folder` can fill into `folder/figures`.

    Returns the figures' paths. A figure of an earlier drawing that the tables no longer fill is removed.
    """
    from matplotlib import style

    tables, drawn = read(folder), []
    for name, figure_of in FIGURES.items():
        path = folder / "figures" / name
        with style.context(("default", STYLE)):
            figure = None if tables is None else figure_of(tables)
            if figure is None:
                path.unlink(missing_ok=True)
                continue
            path.parent.mkdir(exist_ok=True)
            partial_file, title = path.with_name(f".{name}.part"), path.stem.replace("_", " ")
            # Without a date, for equal bytes.
            figure.savefig(partial_file, format="svg", metadata={"Date": None, "Title": title})
            partial_file.replace(path)
            drawn.append(path)
    return drawn
