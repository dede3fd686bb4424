"""Test accuracy against the values of the one hyperparameter that was swept."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trials.plots.page import draw_published, legend, legend_height, look, page, range_text, set_accuracy_axis, shown
from trials.plots.tables import Tables, comparable, interval, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def sweep_figure(tables: Tables) -> "Figure | None":
    """Mean with its 95 % interval, a line a variant, and every trial; None without a sweep over numbers."""
    values = tables.sweep_values()
    if values is None:
        return None
    names, logarithmic = tables.variants(), geometric(values.values())
    lines, points = published_lines(tables), tables.published_points()
    accuracies = np.append(tables.accuracies(points.values()), list(lines.values()))
    title = tables.headline(f"test accuracy by {tables.swept[0]}", list(tables.summary), len(tables.summary))
    caption = "Lines: mean with its 95 % t interval; faint points: single trials."
    caption += f" Marks are moved a little sideways, to keep them apart.{range_text(accuracies)}"
    figure = page(title, caption, 3.6 + legend_height([*names, *lines]))
    panel = figure.subplots()
    handles = {}
    step = min(0.024, 0.7 * narrowest(values.values(), logarithmic) / len(names))
    for index, name in enumerate(names):
        offset = (index - len(names) / 2) * step
        means, single = (shifted(values, offset + part * step, logarithmic) for part in (0.3, 0.6))
        handles[name] = draw_variant(panel, tables, name, means, single, look(index))
    for text, value in lines.items():
        handles[text] = panel.axhline(value, color="#444444", linestyle=":", linewidth=1.5)
    for (_, cell), final in points.items():
        handles[f"published{comparable(final)}"] = draw_published(panel, values[cell], float(final["published"]))
    label_axes(panel, tables.swept[0], sorted(set(values.values())), logarithmic)
    set_accuracy_axis(panel, "y", accuracies)
    legend(figure, handles)
    return figure


def published_lines(tables: Tables) -> dict[str, float]:
    """Published accuracies that average over a sweep, by what a legend says; equal ones once."""
    lines: dict[str, float] = {}
    for found, figure in tables.published_finals():
        value = float(figure["published"])
        if len(found) > 1 and value not in lines.values():
            lines[f"published, mean over {len(found)} configurations{comparable(figure)}"] = value
    return lines


def geometric(values: Iterable[float]) -> bool:
    """Whether the values' ratios are more alike than their differences."""
    x = np.unique(np.fromiter(values, np.float64))
    if len(x) < 3 or x[0] <= 0:
        return False

    def unevenness(steps: np.ndarray) -> float:
        return float(steps.std() / steps.mean())

    return unevenness(np.diff(np.log(x))) < unevenness(np.diff(x)) - 1e-9


def shifted(values: Mapping[str, float], offset: float, logarithmic: bool) -> dict[str, float]:
    """The values moved by a fraction of the axis."""
    low, high = min(values.values()), max(values.values())
    if logarithmic:
        return {cell: value * (high / low) ** offset for cell, value in values.items()}
    return {cell: value + (high - low) * offset for cell, value in values.items()}


def narrowest(values: Iterable[float], logarithmic: bool) -> float:
    """The smallest distance between values, as a fraction of the axis."""
    x = np.unique(np.fromiter(values, np.float64))
    x = np.log(x) if logarithmic else x
    return float(np.diff(x).min() / (x[-1] - x[0]))


def draw_variant(
    panel: "Axes",
    tables: Tables,
    variant: str,
    x: Mapping[str, float],
    beside: Mapping[str, float],
    style: Mapping[str, Any],
) -> Any:
    """One variant's line and intervals at `x`, its trials `beside` them. Returns the legend's mark."""
    cells = sorted((cell for name, cell in tables.summary if name == variant), key=lambda cell: x[cell])
    points = {"color": style["color"], "alpha": 0.25, "markersize": 4, "markeredgewidth": 0}
    for cell in cells:
        single = numbers(tables.trials[variant, cell], "test_accuracy")
        panel.plot(np.full(len(single), beside[cell]), single, "o", **points)
    mean, whiskers = interval([tables.summary[variant, cell] for cell in cells])
    at = [x[cell] for cell in cells]
    return panel.errorbar(at, mean, yerr=whiskers, markersize=5, capsize=3, elinewidth=1.2, **style)


def label_axes(panel: "Axes", name: str, values: Sequence[float], logarithmic: bool) -> None:
    """Names the axes; ticks at the swept values where they have room, in plain digits."""
    panel.set_xlabel(shown(name))
    panel.set_ylabel("test accuracy (fraction)")
    if logarithmic:
        panel.set_xscale("log")
        panel.xaxis.set_minor_formatter("")
        panel.xaxis.set_major_formatter("{x:g}")
    texts = [f"{value:g}" for value in values]
    if narrowest(values, logarithmic) * 50 > max(map(len, texts)):  # some 50 letters fit below the axis
        panel.set_xticks(values, texts)
        panel.minorticks_off()
