"""The figures of a results folder, drawn from its tables alone.

Text becomes outlines, so that a figure looks the same everywhere; the same tables give the same bytes.
"""

import csv
import io
import math
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = ("convergence.svg", "losses.svg", "sweep.svg", "accuracies.svg", "batch_norm.svg")
WIDTH = 6.0
"Inches: two panels side by side, and letters that can still be read on a telephone."
MOST_PANELS = 12
MOST_ROWS = 40
FONT = "DejaVu Sans"  # comes with matplotlib, so that it is the same on every machine
STYLE = {
    "font.family": FONT,
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.8,
    "svg.fonttype": "path",
    "svg.hashsalt": "trials",
    "text.parse_math": False,  # a user's names may hold dollar signs
}
# Okabe and Ito's colours without yellow, which is lost on white. Lines and markers repeat after other
# numbers than colours, so that no two of the first 140 variants look alike.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
MARKERS = ("o", "s", "^", "D", "v")
LADDER = np.array([0, 0.5, 0.8, 0.9, 0.95, 0.99, 1])
"Ticks of an accuracy axis that is stretched towards 1."
STRETCH = 0.005
"The error from which on a stretched axis is rather linear than logarithmic: 1 must be on it."
SPLITS = {"train": 0, "validation": 2, "test": 1}
"The splits by colour: index into COLOURS, LINES and MARKERS."

Row = Mapping[str, str]
Configuration = tuple[str, ...]
"A variant's name and its swept values, as the cells of a table."


@dataclass(frozen=True)
class Tables:
    """A results folder as text cells; rows of trials that did not end `ok` are left out."""

    experiment: str
    swept: tuple[str, ...]
    summary: Mapping[Configuration, Row]
    trials: Mapping[Configuration, Sequence[Row]]
    epochs: Mapping[Configuration, Sequence[Row]]
    batch_norm: Mapping[Configuration, Sequence[Row]]
    published: Sequence[Row]


@dataclass(frozen=True)
class Curve:
    """A metric by epoch over trials, arrays of one length: epochs, mean, standard deviation (NaN for one trial), n."""

    epoch: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    n: np.ndarray


def draw(folder: Path) -> list[Path]:
    """Draws every figure that the tables in `folder` can fill into `folder/figures`.

    Returns the figures' paths. A figure of an earlier drawing that the tables no longer fill is removed.
    """
    from matplotlib import style

    tables = read(folder)
    with style.context(("default", STYLE)):
        figures = {} if tables is None else {name: figure for name, figure in _figures(tables) if figure is not None}
        for name in NAMES:
            path = folder / "figures" / name
            if name in figures:
                _save(figures[name], path)
            else:
                path.unlink(missing_ok=True)
    return [folder / "figures" / name for name in figures]


def _figures(tables: Tables) -> Iterable[tuple[str, "Figure | None"]]:
    swept_axis = sweep_values(tables)
    yield "convergence.svg", curves_figure(tables, "accuracy")
    yield "losses.svg", curves_figure(tables, "loss")
    yield "sweep.svg", None if swept_axis is None else sweep_figure(tables, swept_axis)
    yield "accuracies.svg", None if swept_axis is not None else accuracies_figure(tables)
    yield "batch_norm.svg", batch_norm_figure(tables)


def _save(figure: "Figure", path: Path) -> None:
    """Replaces the file as a whole; without a date, for equal bytes."""
    text = io.BytesIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Title": path.stem.replace("_", " ")})
    path.parent.mkdir(exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(text.getvalue())
    partial.replace(path)


# Tables.


def read(folder: Path) -> Tables | None:
    """The folder's tables; None where no trial ended `ok`."""
    trials = read_table(folder / "trials.csv")
    summary = read_table(folder / "summary.csv")
    if not summary or not any(row["status"] == "ok" for row in trials):
        return None
    columns = list(summary[0])
    swept = tuple(columns[1 : columns.index("n")])
    good = {(*place(row, swept), row["trial"]) for row in trials if row["status"] == "ok"}

    def grouped(rows: Iterable[Row]) -> dict[Configuration, list[Row]]:
        groups: dict[Configuration, list[Row]] = {}
        for row in rows:
            if (*place(row, swept), row["trial"]) in good:
                groups.setdefault(place(row, swept), []).append(row)
        return groups

    return Tables(
        experiment=trials[0]["experiment"],
        swept=swept,
        summary={place(row, swept): row for row in summary if row["n"] != "0"},
        trials=grouped(trials),
        epochs=grouped(read_table(folder / "epochs.csv")),
        batch_norm=grouped(read_table(folder / "batch_norm.csv")),
        published=read_table(folder / "published.csv"),
    )


def read_table(path: Path) -> list[dict[str, str]]:
    """A CSV file's rows as text; none where there is no such file."""
    if not path.is_file():
        return []
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def place(row: Row, swept: Sequence[str]) -> Configuration:
    return (row["variant"], *(row[name] for name in swept))


def numbers(rows: Iterable[Row], column: str) -> np.ndarray:
    """A column as float64, shape (rows,); NaN where the cell is empty or the column missing."""
    return np.array([float(row.get(column) or math.nan) for row in rows], np.float64)


def variants(tables: Tables) -> list[str]:
    return list(dict.fromkeys(configuration[0] for configuration in tables.summary))


def label(tables: Tables, configuration: Configuration) -> str:
    """What tells a configuration from the others: its variant, where there are several, and its swept values."""
    variant = [configuration[0]] if len(variants(tables)) > 1 or not tables.swept else []
    values = [f"{name} = {value}" for name, value in zip(tables.swept, configuration[1:], strict=True)]
    return ", ".join([*variant, *values])


def trials_text(tables: Tables, configurations: Iterable[Configuration]) -> str:
    """How many trials are behind the configurations: '10 trials', '8 to 10 trials each'."""
    counts = [len(tables.trials[configuration]) for configuration in configurations]
    low, high = min(counts), max(counts)
    text = f"{low} trials" if low == high else f"{low} to {high} trials"
    return ("1 trial" if high == 1 else text) + (" each" if len(counts) > 1 else "")


def covered(tables: Tables, figure: Row) -> tuple[list[Configuration], str | None]:
    """The measured configurations that a published figure is about, and its epoch if it has one."""
    names = ("variant", *tables.swept, "epoch")
    before, *parts = re.split(rf"(?:^| )({'|'.join(map(re.escape, names))})=", figure["where"])
    where = dict(zip(parts[::2], parts[1::2], strict=True))
    epoch = where.pop("epoch", None)
    points = {configuration: dict(zip(names, configuration, strict=False)) for configuration in tables.summary}
    found = [each for each, point in points.items() if not before and where.items() <= point.items()]
    return found, epoch


def published_curve(tables: Tables, configuration: Configuration, metric: str) -> dict[int, Row]:
    """By epoch, the figures published of this configuration's curve, as far as it was measured."""
    last = max(numbers(tables.epochs[configuration], "epoch"))
    found = {}
    for figure in tables.published:
        if figure["metric"] == metric:
            configurations, epoch = covered(tables, figure)
            if epoch is not None and configurations == [configuration] and int(epoch) <= last:
                found[int(epoch)] = figure
    return found


def published_finals(tables: Tables) -> list[tuple[list[Configuration], Row]]:
    """The published test accuracies that were measured too, each with the configurations it averages."""
    finals = []
    for figure in tables.published:
        configurations, epoch = covered(tables, figure)
        wanted = figure["metric"] == "test_accuracy" and figure["verdict"] != "not measured"
        if wanted and epoch is None and configurations:
            finals.append((configurations, figure))
    return finals


def comparable(figure: Row) -> str:
    """What must be added to a published figure wherever it is shown."""
    return f" ({figure['verdict']})" if figure["verdict"] in ("not comparable", "not like with like") else ""


# What is drawn, as arrays.


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


def sweep_values(tables: Tables) -> dict[str, float] | None:
    """The swept values as numbers, by cell; None unless one hyperparameter was swept, over several numbers."""
    if len(tables.swept) != 1:
        return None
    try:
        values = {cell: float(cell) for _, cell in tables.summary}
    except ValueError:
        return None
    return values if len(set(values.values())) > 1 else None


def geometric(values: Iterable[float]) -> bool:
    """Whether the values' ratios are more alike than their differences."""
    x = np.unique(np.fromiter(values, np.float64))
    if len(x) < 3 or x[0] <= 0:
        return False

    def unevenness(steps: np.ndarray) -> float:
        return float(steps.std() / steps.mean())

    return unevenness(np.diff(np.log(x))) < unevenness(np.diff(x)) - 1e-9


def readable(tables: Tables, configurations: Sequence[Configuration]) -> list[Configuration]:
    """At most MOST_PANELS of the configurations: of every variant the same swept values, evenly chosen.

    Variants stand together at each value, to be compared.
    """
    values = list(dict.fromkeys(configuration[1:] for configuration in configurations))
    several = variants(tables)
    if len(configurations) > MOST_PANELS:
        several = several[:MOST_PANELS]
        places = np.linspace(0, len(values) - 1, min(len(values), MOST_PANELS // len(several)))
        values = [values[index] for index in places.round().astype(int)]
    chosen = [each for each in configurations if each[0] in several and each[1:] in values]
    return sorted(chosen, key=lambda each: values.index(each[1:]))


def stretched(values: np.ndarray) -> bool:
    """Whether a linear axis would press most accuracies into its upper end, for the sake of a few low ones."""
    return bool(np.nanmedian(values) > 0.9 and np.nanmin(values) < 0.6)


def stretch(accuracy: np.ndarray) -> np.ndarray:
    """Where an accuracy stands on a stretched axis: minus the logarithm of the error."""
    return -np.log(np.maximum(1 - np.asarray(accuracy) + STRETCH, STRETCH / 3))


def unstretch(place: np.ndarray) -> np.ndarray:
    """The inverse of `stretch`."""
    return 1 + STRETCH - np.exp(-np.asarray(place))


def accuracy_ticks(values: np.ndarray) -> np.ndarray:
    """Round numbers from 0 to 1 around the values, at least 0.01 apart from first to last."""
    from matplotlib.ticker import MaxNLocator

    low, high = np.clip([np.nanmin(values), np.nanmax(values)], 0, 1)
    if stretched(values):
        return LADDER[np.searchsorted(LADDER, low, "right") - 1 : np.searchsorted(LADDER, high) + 1]
    if high - low < 0.01:
        low = np.clip((low + high) / 2 - 0.005, 0, 0.99)
        high = low + 0.01
    ticks = np.round(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high), 10)
    return ticks[(ticks >= 0) & (ticks <= 1)]


# The page.


def shown(text: str) -> str:
    """The text with what the font cannot draw as escapes, such as \\u4e2d."""
    from matplotlib.font_manager import findfont, get_font

    font = get_font(findfont(FONT))
    return "".join(
        letter
        if letter.isprintable() and font.get_char_index(ord(letter))
        else letter.encode("unicode_escape").decode()
        for letter in text
    )


def wrapped(text: str, width: int, lines: int = 3) -> str:
    """The text in lines of at most `width` letters; of one that is too long the middle is left out."""
    text = shown(text)
    room = width * lines
    if len(text) > room:
        text = f"{text[: room // 2 - 2]} … {text[len(text) - room // 2 + 2 :]}"
    return "\n".join(textwrap.wrap(text, width)) or text


def page(title: str, caption: str, height: float) -> "Figure":
    """An empty figure under a headline and a caption; `height` in inches is for the rest."""
    from matplotlib.figure import Figure

    title, caption = wrapped(title, 55, 5), wrapped(caption, 88, 9)
    above = 0.12
    below_title = above + 0.205 * (title.count("\n") + 1) + 0.04
    header = below_title + 0.165 * (caption.count("\n") + 1) + 0.08
    whole = header + height
    figure = Figure(figsize=(WIDTH, whole), layout="constrained", facecolor="white")
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.set(rect=(0, 0, 1, 1 - header / whole))  # type: ignore[call-arg]
    figure.text(0.015, 1 - above / whole, title, va="top", weight="bold", size=11.5, linespacing=1.15)
    figure.text(0.015, 1 - below_title / whole, caption, va="top", color="#444444", size=9)
    return figure


def legend(figure: "Figure", entries: Mapping[str, Any]) -> None:
    """Explains the marks below the panels."""
    columns = legend_columns(entries)
    labels = [wrapped(text, 68) for text in entries]
    figure.legend(list(entries.values()), labels, loc="outside lower left", ncols=columns, handlelength=2.6)


def legend_columns(entries: Iterable[str]) -> int:
    """As many as there is room for."""
    lengths = [len(text) for text in entries]
    columns = max(1, min(len(lengths), 72 // (max(lengths) + 8)))
    return math.ceil(len(lengths) / math.ceil(len(lengths) / columns))  # none half empty


def legend_height(entries: Sequence[str]) -> float:
    """Inches."""
    return 0.2 * math.ceil(len(entries) / legend_columns(entries)) + 0.15


def set_accuracy_axis(panel: "Axes", which: str, values: np.ndarray) -> None:
    """Axis `x` or `y` shows all values between 0 and 1, in all panels that share it; its ends are ticks."""
    ticks = accuracy_ticks(values)
    ends, beyond = ticks[[0, -1]], np.array([-0.03, 0.03])
    if stretched(values):
        getattr(panel, f"set_{which}scale")("function", functions=(stretch, unstretch))
        low, high = unstretch(stretch(ends) + beyond * np.ptp(stretch(ends)))
    else:
        low, high = ends + beyond * np.ptp(ends)
    getattr(panel, f"set_{which}ticks")(ticks)
    getattr(panel, f"set_{which}lim")(low, high)


def range_text(values: np.ndarray) -> str:
    """What a caption must say of an accuracy axis."""
    ticks = accuracy_ticks(values)
    cut = " What lies beyond 0 and 1 is cut off." if np.nanmin(values) < 0 or np.nanmax(values) > 1 else ""
    scale = ", not linear: stretched towards 1" if stretched(values) else ""
    return f" Accuracy axis from {ticks[0]:g} to {ticks[-1]:g}{scale}.{cut}"


# Learning curves.


def learning_curves(tables: Tables, kind: str) -> dict[tuple[Configuration, str], Curve]:
    """Accuracy or loss by configuration and split, split by split, where at least two epochs were recorded."""
    curves = {
        (configuration, split): curve(rows, f"{split}_{kind}")
        for split in SPLITS
        for configuration, rows in tables.epochs.items()
    }
    return {place: found for place, found in curves.items() if len(found.epoch) > 1}


def band(found: Curve) -> tuple[np.ndarray, np.ndarray]:
    """One standard deviation below and above the mean; the mean itself for one trial."""
    std = np.nan_to_num(found.std)
    return found.mean - std, found.mean + std


def curves_figure(tables: Tables, kind: str) -> "Figure | None":
    """Accuracy or loss by epoch, one panel a configuration; None where no curve has two epochs."""
    every = learning_curves(tables, kind)
    if not every:
        return None
    measured = [configuration for configuration in tables.epochs if any(configuration == place[0] for place in every)]
    chosen = readable(tables, measured)
    curves = {place: found for place, found in every.items() if place[0] in chosen}
    published = {place: published_curve(tables, place[0], f"{place[1]}_{kind}") for place in curves}
    figures = [row for found in published.values() for row in found.values()]
    values = np.concatenate(
        [*(part for found in curves.values() for part in band(found)), numbers(figures, "published")]
    )
    title = f"{tables.experiment}: {kind} while learning, {trials_text(tables, chosen)}"
    title += f"; {len(chosen)} of {len(measured)} configurations" if len(chosen) < len(measured) else ""
    caption = curves_caption(kind, list(curves.values()), figures)
    caption += range_text(values) if kind == "accuracy" else ""
    figure, panels = panel_grid(title, caption, [label(tables, each) for each in chosen])
    panel = dict(zip(chosen, panels.flat, strict=False))
    handles: dict[str, Any] = {}
    for (configuration, split), found in curves.items():
        handles[split] = draw_curve(panel[configuration], found, split)
        if published[configuration, split]:
            mark = draw_published(panel[configuration], published[configuration, split], split)
            handles[f"{split}, published"] = mark
    set_curve_axes(panels, kind, max(found.epoch[-1] for found in curves.values()), values)
    legend(figure, handles)
    return figure


def set_curve_axes(panels: "np.ndarray[Any, Any]", kind: str, last: float, values: np.ndarray) -> None:
    """Labels and ranges, which all panels share."""
    for panel in panels[:, 0]:
        panel.set_ylabel("accuracy (fraction)" if kind == "accuracy" else "loss")
    set_epoch_axis(panels[0, 0], last)
    if kind == "accuracy":
        set_accuracy_axis(panels[0, 0], "y", values)
    else:
        set_loss_axis(panels[0, 0], values)


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


def set_epoch_axis(panel: "Axes", last: float) -> None:
    """Every epoch where there is room, else round numbers; the first is 1."""
    if last <= 10:
        panel.set_xticks(np.arange(1, last + 1))
    else:
        ticks = [tick for tick in panel.xaxis.get_major_locator().tick_values(0, last) if 1 < tick <= last]
        panel.set_xticks([1, *ticks])


def draw_curve(panel: "Axes", found: Curve, split: str) -> Any:
    """Mean and band; the mean is thin where only some trials had got so far. Returns the legend's mark."""
    colour, dashes, marker = COLOURS[SPLITS[split]], LINES[SPLITS[split]], MARKERS[SPLITS[split]]
    panel.fill_between(found.epoch, *band(found), color=colour, alpha=0.18, linewidth=0)
    everyone = found.n == found.n.max()
    onward = ~everyone | np.append(~everyone[1:], False)  # starts where the other line ends
    panel.plot(found.epoch, np.where(onward, found.mean, math.nan), color=colour, linewidth=0.8)
    whole = np.where(everyone, found.mean, math.nan)
    dots = marker if len(found.epoch) <= 12 else ""
    return panel.plot(found.epoch, whole, color=colour, linestyle=dashes, marker=dots, markersize=3.5)[0]


def draw_published(panel: "Axes", figures: Mapping[int, Row], split: str) -> Any:
    """Figures of a source document: hollow, since they are not ours. Returns the legend's mark."""
    style: dict[str, Any] = {"color": COLOURS[SPLITS[split]], "marker": MARKERS[SPLITS[split]], "markersize": 7}
    y = numbers(figures.values(), "published")
    return panel.plot(
        list(figures), y, linestyle="", fillstyle="none", markeredgewidth=1.2, zorder=4, clip_on=False, **style
    )[0]


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


# Final figures.


def sweep_figure(tables: Tables, values: Mapping[str, float]) -> "Figure":
    """Test accuracy against the swept values: mean with its 95 % interval, a line a variant, and every trial."""
    names = variants(tables)
    logarithmic = geometric(values.values())
    lines, points = published_lines(tables), published_points(tables)
    accuracies = np.concatenate([*(_measured(tables, each) for each in tables.summary), list(lines.values())])
    accuracies = np.concatenate([accuracies, numbers(points.values(), "published")])
    title = f"{tables.experiment}: test accuracy by {tables.swept[0]}, {trials_text(tables, tables.summary)}"
    caption = "Lines: mean with its 95 % t interval; faint points: single trials."
    caption += f" Marks are moved a little sideways, to keep them apart.{range_text(accuracies)}"
    figure = page(title, caption, 3.6 + legend_height([*names, *lines]))
    panel = figure.subplots()
    handles = {}
    step = min(0.024, 0.7 * narrowest(values.values(), logarithmic) / len(names))
    for index, name in enumerate(names):
        offset = (index - len(names) / 2) * step
        means, single = (shifted(values, offset + part * step, logarithmic) for part in (0.3, 0.6))
        handles[name] = draw_sweep(panel, tables, name, means, single, index)
    for text, value in lines.items():
        handles[text] = panel.axhline(value, color="#444444", linestyle=":", linewidth=1.5)
    for (_, cell), final in points.items():
        handles[f"published{comparable(final)}"] = draw_final(panel, values[cell], float(final["published"]))
    label_sweep(panel, tables.swept[0], sorted(set(values.values())), logarithmic)
    set_accuracy_axis(panel, "y", accuracies)
    legend(figure, handles)
    return figure


def published_points(tables: Tables) -> dict[Configuration, Row]:
    """Published accuracies of single configurations."""
    return {found[0]: figure for found, figure in published_finals(tables) if len(found) == 1}


def draw_final(panel: "Axes", x: float, y: float) -> Any:
    """A published accuracy. Returns the legend's mark."""
    return panel.plot(x, y, "D", color="black", markersize=7, fillstyle="none", zorder=4)[0]


def published_lines(tables: Tables) -> dict[str, float]:
    """Published accuracies that average over a sweep, by what a legend says; equal ones once."""
    lines: dict[str, float] = {}
    for found, figure in published_finals(tables):
        value = float(figure["published"])
        if len(found) > 1 and value not in lines.values():
            lines[f"published, mean over {len(found)} configurations{comparable(figure)}"] = value
    return lines


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


def draw_sweep(
    panel: "Axes", tables: Tables, variant: str, x: Mapping[str, float], beside: Mapping[str, float], index: int
) -> Any:
    """One variant's line and intervals at `x`, its trials `beside` them. Returns the legend's mark."""
    cells = sorted((cell for name, cell in tables.summary if name == variant), key=lambda cell: x[cell])
    rows = [tables.summary[variant, cell] for cell in cells]
    colour = COLOURS[index % len(COLOURS)]
    for cell in cells:
        single = numbers(tables.trials[variant, cell], "test_accuracy")
        panel.plot(
            np.full(len(single), beside[cell]), single, "o", color=colour, alpha=0.25, markersize=4, markeredgewidth=0
        )
    mean = numbers(rows, "test_accuracy_mean")
    low, high = numbers(rows, "test_accuracy_ci95_low"), numbers(rows, "test_accuracy_ci95_high")
    style = {"linestyle": LINES[index % len(LINES)], "marker": MARKERS[index % len(MARKERS)]}
    at = [x[cell] for cell in cells]
    return panel.errorbar(
        at, mean, yerr=[mean - low, high - mean], color=colour, markersize=5, capsize=3, elinewidth=1.2, **style
    )


def label_sweep(panel: "Axes", name: str, values: Sequence[float], logarithmic: bool) -> None:
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


def _measured(tables: Tables, configuration: Configuration) -> np.ndarray:
    """Every test accuracy that a figure of this configuration shows: trials, mean and interval."""
    row = tables.summary[configuration]
    columns = ("test_accuracy_mean", "test_accuracy_ci95_low", "test_accuracy_ci95_high")
    summary = [numbers([row], column) for column in columns]
    return np.concatenate([numbers(tables.trials[configuration], "test_accuracy"), *summary])


def accuracies_figure(tables: Tables) -> "Figure | None":
    """Test accuracy of every trial, a row a configuration, beside mean, 95 % interval and published figure.

    None for more than MOST_ROWS configurations.
    """
    if len(tables.summary) > MOST_ROWS:
        return None
    points = published_points(tables)
    values = [_measured(tables, each) for each in tables.summary]
    accuracies = np.concatenate([*values, numbers(points.values(), "published")])
    title = f"{tables.experiment}: test accuracy, {trials_text(tables, tables.summary)}"
    names = [wrapped(label(tables, each), 22, 4) for each in tables.summary]
    several = max(map(len, tables.trials.values())) > 1
    caption = "Points from top to bottom: trials in their order." if several else "One trial: no spread."
    height = 1.6 + sum(0.5 + 0.15 * name.count("\n") for name in names)
    figure = page(title, caption + range_text(accuracies), height)
    handles: dict[str, Any] = {}
    panel = figure.subplots()
    for y, configuration in enumerate(tables.summary):
        handles |= draw_accuracies(panel, tables, configuration, y)
        if final := points.get(configuration):
            handles[f"published{comparable(final)}"] = draw_final(panel, float(final["published"]), y - 0.18)
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.grid(axis="y", visible=False)
    panel.set_xlabel("test accuracy (fraction)")
    set_accuracy_axis(panel, "x", accuracies)
    legend(figure, handles)
    return figure


def draw_accuracies(panel: "Axes", tables: Tables, configuration: Configuration, y: int) -> dict[str, Any]:
    """One row: mean and interval above, trials below. Returns the legend's entries."""
    single = numbers(tables.trials[configuration], "test_accuracy")
    row = [tables.summary[configuration]]
    mean = numbers(row, "test_accuracy_mean")
    low, high = numbers(row, "test_accuracy_ci95_low"), numbers(row, "test_accuracy_ci95_high")
    heights = y + np.linspace(0.02, 0.3, len(single))
    points = panel.plot(single, heights, "o", color=COLOURS[0], alpha=0.55, markersize=5, markeredgewidth=0)
    if np.isnan(low[0]):
        return {"trial": points[0]}
    whiskers = [mean - low, high - mean]
    bar = panel.errorbar(mean, [y - 0.18], xerr=whiskers, fmt="s", color=COLOURS[1], markersize=5, capsize=3)
    return {"trial": points[0], "mean with 95 % t interval": bar}


# Batch norm.


def layers(rows: Sequence[Row], parameter: str) -> dict[str, np.ndarray]:
    """Gamma or beta by layer, in the network's order: channels of all trials pooled, empty cells left out."""
    found = {}
    for layer in dict.fromkeys(row["layer"] for row in rows):
        values = numbers((row for row in rows if row["layer"] == layer), parameter)
        found[layer] = values[np.isfinite(values)]
    return found


def batch_norm_figure(tables: Tables) -> "Figure | None":
    """Gamma and beta of every batch norm layer, a row of two panels a configuration; None where there are none."""
    if not tables.batch_norm:
        return None
    chosen = readable(tables, list(tables.batch_norm))
    names = [wrapped(label(tables, each), 60) for each in chosen]
    heights = [0.5 + 0.26 * len(layers(tables.batch_norm[each], "gamma")) for each in chosen]
    title = f"{tables.experiment}: gamma and beta of batch norm, {trials_text(tables, chosen)}"
    hidden = len(tables.batch_norm) - len(chosen)
    title += f"; {len(chosen)} of {len(tables.batch_norm)} configurations" if hidden else ""
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


def draw_layers(panel: "Axes", rows: Sequence[Row], parameter: str, colour: str) -> None:
    """The layers from top to bottom; points where a violin would have nothing to show."""
    channels = {layer: {row["channel"] for row in rows if row["layer"] == layer} for layer in layers(rows, parameter)}
    for y, (layer, values) in enumerate(layers(rows, parameter).items()):
        if len(channels[layer]) > 1 and len(np.unique(values)) > 1:
            parts = panel.violinplot([values], [y], orientation="horizontal", widths=0.85, showextrema=False)
            parts["bodies"][0].set(facecolor=colour, alpha=0.45, edgecolor=colour, linewidth=0.8)  # type: ignore[index]
            panel.plot(np.median(values), y, "|", color="black", markersize=9, markeredgewidth=1.6)
        else:
            panel.plot(values, np.full(len(values), y), "o", color=colour, alpha=0.6, markersize=5, markeredgewidth=0)
    panel.set_yticks(range(len(channels)), [wrapped(layer.removesuffix("_batch_norm"), 16, 2) for layer in channels])
    panel.set_ylim(len(channels) - 0.4, -0.6)
    panel.grid(axis="y", visible=False)
