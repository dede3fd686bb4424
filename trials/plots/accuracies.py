"""Final test accuracies, a row a configuration."""

from typing import TYPE_CHECKING, Any

import numpy as np

from trials.plots.page import COLOURS, draw_published, legend, page, range_text, set_accuracy_axis, wrapped
from trials.plots.tables import Configuration, Tables, comparable, interval, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ROWS = 40


def accuracies_figure(tables: Tables) -> "Figure | None":
    """Test accuracy of every trial beside mean, 95 % interval and published figure.

    None for a sweep over numbers, which has a figure of its own, and for more than MOST_ROWS configurations.
    """
    if tables.sweep_values() is not None or len(tables.summary) > MOST_ROWS:
        return None
    published = tables.published_points()
    accuracies = tables.accuracies(published.values())
    names = [wrapped(tables.label(each), 22) for each in tables.summary]
    several = max(map(len, tables.trials.values())) > 1
    caption = "Points from top to bottom: trials in their order." if several else "One trial: no spread."
    title = tables.headline("test accuracy", list(tables.summary), len(names))
    height = 1.6 + sum(0.5 + 0.15 * name.count("\n") for name in names)
    figure = page(title, caption + range_text(accuracies), height)
    handles: dict[str, Any] = {}
    panel = figure.subplots()
    for y, configuration in enumerate(tables.summary):
        handles |= draw_row(panel, tables, configuration, y)
        if final := published.get(configuration):
            handles[f"published{comparable(final)}"] = draw_published(panel, float(final["published"]), y - 0.18)
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.grid(axis="y", visible=False)
    panel.set_xlabel("test accuracy (fraction)")
    set_accuracy_axis(panel, "x", accuracies)
    legend(figure, handles)
    return figure


def draw_row(panel: "Axes", tables: Tables, configuration: Configuration, y: int) -> dict[str, Any]:
    """Mean and interval above, trials below. Returns the legend's entries."""
    single = numbers(tables.trials[configuration], "test_accuracy")
    heights = y + np.linspace(0.02, 0.3, len(single))
    points = panel.plot(single, heights, "o", color=COLOURS[0], alpha=0.55, markersize=5, markeredgewidth=0)
    mean, whiskers = interval([tables.summary[configuration]])
    if np.isnan(whiskers[0][0]):
        return {"trial": points[0]}
    bar = panel.errorbar(mean, [y - 0.18], xerr=whiskers, fmt="s", color=COLOURS[1], markersize=5, capsize=3)
    return {"trial": points[0], "mean with 95 % t interval": bar}
