"""Learning curves: accuracy and loss by epoch, a panel a configuration."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trials.plots.page import legend, look, page, range_text, set_accuracy_axis, wrapped
from trials.plots.tables import Configuration, Row, Tables, comparable, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPLITS = {"train": 0, "validation": 2, "test": 1}
"The splits by their look."


@dataclass(frozen=True)
class Curve:
    """A metric by epoch over trials, arrays of one length: epochs, mean, standard deviation (NaN for one trial), n."""

    epoch: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    n: np.ndarray


def curves_figure(tables: Tables, kind: str) -> "Figure | None":
    """`accuracy` or `loss` by epoch; None where no curve has two epochs."""
    chosen, curves, of = shown_curves(tables, kind)
    if not curves:
        return None
    published = {place: tables.published_curve(place[0], f"{place[1]}_{kind}") for place in curves}
    figures = [row for found in published.values() for row in found.values()]
    values = np.concatenate([*(band(found) for found in curves.values()), numbers(figures, "published")], axis=None)
    title = tables.headline(f"{kind} while learning", chosen, of)
    caption = curves_caption(kind, list(curves.values()), figures)
    caption += range_text(values) if kind == "accuracy" else ""
    figure, panels = panel_grid(title, caption, [tables.label(each) for each in chosen])
    panel = dict(zip(chosen, panels.flat, strict=False))
    handles: dict[str, Any] = {}
    for (configuration, split), found in curves.items():
        handles[split] = draw_curve(panel[configuration], found, split)
        if rows := published[configuration, split]:
            handles[f"{split}, published"] = draw_published_curve(panel[configuration], rows, split)
    set_axes(panels, kind, max(found.epoch[-1] for found in curves.values()), values)
    legend(figure, handles)
    return figure


# What is drawn.


def learning_curves(tables: Tables, kind: str) -> dict[tuple[Configuration, str], Curve]:
    """Accuracy or loss by configuration and split, split by split, where at least two epochs were recorded."""
    curves = {
        (configuration, split): curve(rows, f"{split}_{kind}")
        for split in SPLITS
        for configuration, rows in tables.epochs.items()
    }
    return {place: found for place, found in curves.items() if len(found.epoch) > 1}


def shown_curves(tables: Tables, kind: str) -> tuple[list[Configuration], dict[tuple[Configuration, str], Curve], int]:
    """The configurations that a figure has room for, their curves, and how many configurations have any."""
    every = learning_curves(tables, kind)
    measured = [configuration for configuration in tables.epochs if any(configuration == place[0] for place in every)]
    chosen = tables.readable(measured)
    return chosen, {place: found for place, found in every.items() if place[0] in chosen}, len(measured)


def curve(rows: Sequence[Row], metric: str) -> Curve:
    """Mean and standard deviation (n - 1) of a metric over trials, at every epoch that some trial reached."""
    epochs, values = numbers(rows, "epoch"), numbers(rows, metric)
    there = np.isfinite(values)
    reached = np.unique(epochs[there])
    groups = [values[there & (epochs == epoch)] for epoch in reached]
    return Curve(
        epoch=reached,
        mean=np.array([group.mean() for group in groups]),
        std=np.array([group.std(ddof=1) if len(group) > 1 else math.nan for group in groups]),
        n=np.array([len(group) for group in groups]),
    )


def band(found: Curve) -> tuple[np.ndarray, np.ndarray]:
    """One standard deviation below and above the mean; the mean itself for one trial."""
    std = np.nan_to_num(found.std)
    return found.mean - std, found.mean + std


def curves_caption(kind: str, curves: Sequence[Curve], published: Sequence[Row]) -> str:
    """What lines, bands and marks mean, as far as there are any."""
    several = any(each.n.max() > 1 for each in curves)
    text = "Lines: mean over trials; bands: ± 1 standard deviation over trials." if several else "One trial: no spread."
    if any(each.n.min() < each.n.max() for each in curves):
        text += " Thin lines: some trials had stopped, the mean is over the others."
    if published:
        sources = ", ".join(sorted({f"{figure['source']}{comparable(figure)}" for figure in published}))
        runs = "a single run" if {figure["runs"] for figure in published} == {"1"} else "means of several runs"
        text += f" Hollow marks: published by {sources}, {runs}."
    if kind == "loss":
        text += " Train loss: over the epoch, while weights moved, penalties included."
    return text


# Panels and marks.


def panel_grid(title: str, caption: str, names: Sequence[str]) -> tuple["Figure", "np.ndarray[Any, Any]"]:
    """A figure with a panel a name, which share both axes; the x axis is the epoch."""
    columns = min(len(names), 2)
    rows = math.ceil(len(names) / columns)
    titles = [wrapped(name, 32 if columns == 2 else 66) for name in names]
    lines = max(text.count("\n") for text in titles)
    height = rows * ((1.8 if columns == 2 else 2.8) + 0.17 * lines) + 0.75
    figure = page(title, caption, height)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for index, panel in enumerate(panels.flat):
        panel.set_visible(index < len(names))
        if index >= len(names) - columns:  # nothing below it
            panel.set_xlabel("epoch")
            panel.tick_params(labelbottom=True)
        if index < len(names):
            panel.set_title(titles[index], loc="left")
    return figure, panels


def set_axes(panels: "np.ndarray[Any, Any]", kind: str, last: float, values: np.ndarray) -> None:
    """Labels and ranges, which all panels share."""
    for panel in panels[:, 0]:
        panel.set_ylabel("accuracy (fraction)" if kind == "accuracy" else "loss")
    set_epoch_axis(panels[0, 0], last)
    if kind == "accuracy":
        set_accuracy_axis(panels[0, 0], "y", values)
    else:
        set_loss_axis(panels[0, 0], values)


def set_epoch_axis(panel: "Axes", last: float) -> None:
    """Every epoch where there is room, else round numbers; the first is 1."""
    if last <= 10:
        panel.set_xticks(np.arange(1, last + 1))
    else:
        ticks = [tick for tick in panel.xaxis.get_major_locator().tick_values(0, last) if 1 < tick <= last]
        panel.set_xticks([1, *ticks])


def set_loss_axis(panel: "Axes", values: np.ndarray) -> None:
    """From 0; logarithmic where the losses differ by more than a factor of 30."""
    low, high = values[values > 0].min(initial=math.inf), values.max()
    if high / low > 30:
        panel.set_yscale("log")
        panel.yaxis.set_major_formatter("{x:g}")
        panel.yaxis.set_minor_formatter("")
        panel.set_ylim(low / 1.2, high * 1.2)
    else:
        panel.set_ylim(min(0, values.min()), high * 1.05)


def draw_curve(panel: "Axes", found: Curve, split: str) -> Any:
    """Mean and band; the mean is thin where only some trials had got so far. Returns the legend's mark."""
    style = look(SPLITS[split])
    panel.fill_between(found.epoch, *band(found), color=style["color"], alpha=0.18, linewidth=0)
    everyone = found.n == found.n.max()
    onward = ~everyone | np.append(~everyone[1:], False)  # starts where the other line ends
    panel.plot(found.epoch, np.where(onward, found.mean, math.nan), color=style["color"], linewidth=0.8)
    whole = np.where(everyone, found.mean, math.nan)
    style["marker"] = style["marker"] if len(found.epoch) <= 12 else ""
    return panel.plot(found.epoch, whole, markersize=3.5, **style)[0]


def draw_published_curve(panel: "Axes", figures: Mapping[int, Row], split: str) -> Any:
    """Figures of a source document: hollow, since they are not ours. Returns the legend's mark."""
    style = {**look(SPLITS[split]), "linestyle": "", "markersize": 7, "fillstyle": "none", "markeredgewidth": 1.2}
    y = numbers(figures.values(), "published")
    return panel.plot(list(figures), y, zorder=4, clip_on=False, **style)[0]
