"""How every figure looks: style and colours, text, page, legend and the accuracy axis."""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 6.0
"Inches: two panels side by side, and letters that can still be read on a telephone."
POINTS = 72
"An inch, as SVG files count."
HEADER = ("headline", "caption")
"The names of a figure's own words above its panels."
STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that it is the same on every machine
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titley": 1.0,  # where it is anyway: matplotlib would look for ticks in its way, each time it draws
    "axes.formatter.useoffset": False,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.8,
    "svg.fonttype": "path",  # a figure looks the same everywhere
    "svg.hashsalt": "trials",  # the same tables give the same bytes
    "text.parse_math": False,  # a user's names may hold dollar signs
}
# Okabe and Ito's colours without yellow, which is lost on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
MARKERS = ("o", "s", "^", "D", "v")
LADDER = np.array([0, 0.5, 0.8, 0.9, 0.95, 0.99, 1])
"Ticks of an accuracy axis that is stretched towards 1."
STRETCH = 0.005
"The error from which on a stretched axis is rather linear than logarithmic: 1 must be on it."


def look(index: int) -> dict[str, Any]:
    """Colour, line and marker: whoever cannot tell one apart has the others."""
    lists = {"color": COLOURS, "linestyle": LINES, "marker": MARKERS}
    return {name: every[index % len(every)] for name, every in lists.items()}


def shown(text: str) -> str:
    """The text with what the font may lack, and what no XML may hold, as escapes such as \\u4e2d or \\x01."""
    text = text.encode("latin-1", "backslashreplace").decode("latin-1")
    return "".join(letter if letter.isprintable() or letter == "\n" else f"\\x{ord(letter):02x}" for letter in text)


def wrapped(text: str, width: int) -> str:
    """The text in lines of at most `width` letters."""
    return textwrap.fill(shown(text), width)


def page(title: str, caption: str, height: float) -> "Figure":
    """An empty figure under a headline and a caption; `height` in inches is for the rest."""
    from matplotlib.figure import Figure

    title, caption = wrapped(title, 55), wrapped(caption, 88)
    above = 0.12
    below_title = above + 0.205 * (title.count("\n") + 1) + 0.04
    header = below_title + 0.165 * (caption.count("\n") + 1) + 0.08
    whole = header + height
    figure = Figure(figsize=(WIDTH, whole), layout="constrained", facecolor="white")
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.set(rect=(0, 0, 1, 1 - header / whole))  # type: ignore[call-arg]
    bold: dict[str, Any] = {"weight": "bold", "size": 11.5, "linespacing": 1.15, "gid": HEADER[0]}
    figure.text(0.015, 1 - above / whole, title, va="top", **bold)
    figure.text(0.015, 1 - below_title / whole, caption, va="top", color="#444444", size=9, gid=HEADER[1])
    return figure


def header(figure: "Figure") -> tuple[str, str, float]:
    """Headline and caption of a figure, and the height of their place, in points."""
    title, caption = (text.get_text().replace("\n", " ") for text in figure.texts)
    engine = figure.get_layout_engine()
    assert engine is not None
    return title, caption, figure.get_figheight() * (1 - engine.get()["rect"][3]) * POINTS


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


def draw_published(panel: "Axes", x: float, y: float) -> Any:
    """A published test accuracy. Returns the legend's mark."""
    return panel.plot(x, y, "D", color="black", markersize=7, fillstyle="none", zorder=4)[0]


# The accuracy axis.


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
