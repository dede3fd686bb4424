"""The learned scale and shift of every batch-norm layer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from trials.plots.page import COLOURS, LINES, page, wrapped
from trials.plots.tables import Row, Tables, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def batch_norm_figure(tables: Tables) -> "Figure | None":
    """Gamma and beta of every batch norm layer, a row of two panels a configuration; None where there are none."""
    if not tables.batch_norm:
        return None
    chosen = tables.readable(list(tables.batch_norm))
    names = [wrapped(tables.label(each), 60) for each in chosen]
    heights = [0.5 + 0.26 * len(layers(tables.batch_norm[each], "gamma")) for each in chosen]
    title = tables.headline("gamma and beta of batch norm", chosen, len(tables.batch_norm))
    caption = (
        "Violins: channels of all trials pooled, with their median; a layer with a single channel: a point a trial. "
        "Dashed: 1 and 0, where Keras starts."
    )
    figure = page(title, caption, sum(heights) + 0.16 * sum(name.count("\n") for name in names) + 0.3)
    panels = figure.subplots(len(chosen), 2, sharex="col", squeeze=False, height_ratios=heights)
    for pair, each, name in zip(panels, chosen, names, strict=True):
        pair[0].set_title(name, loc="left")
        for panel, parameter, start, colour in zip(pair, ("gamma", "beta"), (1, 0), COLOURS, strict=False):
            panel.axvline(start, color="#777777", linewidth=0.9, linestyle=LINES[1])
            draw_layers(panel, tables.batch_norm[each], parameter, colour)
        pair[1].tick_params(labelleft=False)
    for panel, text in zip(panels[-1], ("gamma (scale)", "beta (shift)"), strict=True):
        panel.set_xlabel(text)
    return figure


def layers(rows: Sequence[Row], parameter: str) -> dict[str, np.ndarray]:
    """Gamma or beta by layer, in the network's order: channels of all trials pooled, empty cells left out."""
    found = {}
    for layer in dict.fromkeys(row["layer"] for row in rows):
        values = numbers((row for row in rows if row["layer"] == layer), parameter)
        found[layer] = values[np.isfinite(values)]
    return found


def draw_layers(panel: "Axes", rows: Sequence[Row], parameter: str, colour: str) -> None:
    """The layers from top to bottom; points where a violin would have nothing to show."""
    found = layers(rows, parameter)
    several = {row["layer"] for row in rows if row["channel"] != "1"}
    for y, (layer, values) in enumerate(found.items()):
        if layer in several and len(np.unique(values)) > 1:
            parts = panel.violinplot([values], [y], orientation="horizontal", widths=0.85, showextrema=False)
            parts["bodies"][0].set(facecolor=colour, alpha=0.45, edgecolor=colour, linewidth=0.8)  # type: ignore[index]
            panel.plot(np.median(values), y, "|", color="black", markersize=9, markeredgewidth=1.6)
        else:
            panel.plot(values, np.full(len(values), y), "o", color=colour, alpha=0.6, markersize=5, markeredgewidth=0)
    panel.set_yticks(range(len(found)), [wrapped(layer.removesuffix("_batch_norm"), 16) for layer in found])
    panel.set_ylim(len(found) - 0.4, -0.6)
    panel.grid(axis="y", visible=False)
