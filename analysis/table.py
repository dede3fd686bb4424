"""Descriptions for people: a table for the terminal, what it adds up to in words, networks side by side."""

import shutil
from collections.abc import Callable, Mapping, Sequence

from tabulate import tabulate

from analysis.describe import BYTES, UNKNOWN, Row, Totals, field, memory, shapes, stride, totals

NAMES = ("layer", "kind")
SHORTEST = 12
"Characters that the name of a layer or of its kind keeps, however narrow the terminal."


def table(found: Sequence[Row], batch_size: int = 1, dtype: str = "float32") -> str:
    """The rows and their sums, aligned, and no wider than the terminal where that can be."""
    room = shutil.get_terminal_size((120, 24)).columns
    columns = _columns(found, batch_size * BYTES[dtype])
    if _width(columns) > room:
        del columns["bytes"]  # they are the activations in another unit
    shown = _clipped(columns, room)
    if _width(shown) > room:
        del columns["connections"]  # the sums below and the CSV file still have them
        shown = _clipped(columns, room)
    headers, *rows, last = zip(*shown.values(), strict=True)
    rule = ["-" * _longest(cells) for cells in shown.values()]
    align = ["left" if name in NAMES else "right" for name in shown]
    return tabulate([headers, rule, *rows, rule, last], tablefmt="plain", disable_numparse=True, colalign=align)


def _columns(found: Sequence[Row], width: int) -> dict[str, list[str]]:
    """By header: that, a cell a row, and the sum. An activation takes `width` bytes."""
    total = totals(found)
    sign = _sign(total)
    columns: list[tuple[str, Callable[[Row], str], str]] = [
        ("layer", lambda row: row.layer, "total"),
        ("kind", lambda row: _shortened(row.kind), ""),
        ("output", lambda row: shapes(row.outputs), ""),
        ("weights", lambda row: _count(row.weights), f"{total.weights:,}"),
        ("biases", lambda row: _count(row.biases), f"{total.biases:,}"),
        ("(fixed)", lambda row: f"({row.fixed:,})" if row.fixed else "", f"({total.fixed:,})"),
        ("multiply-adds", lambda row: _count(row.cost and row.cost.multiply_adds), f"{sign}{total.multiply_adds:,}"),
        ("connections", lambda row: _count(row.cost and row.cost.connections), f"{sign}{total.connections:,}"),
        ("activations", lambda row: _count(row.values), f"{sign}{total.values:,}"),
        ("bytes", lambda row: _count(row.values and row.values * width), f"{sign}{total.values * width:,}"),
        ("field", lambda row: field(row.reach), ""),
        ("stride", lambda row: stride(row.reach), ""),
    ]
    return {name: [name, *map(cell, found), last] for name, cell, last in columns if total.fixed or name != "(fixed)"}


def _clipped(columns: Mapping[str, Sequence[str]], room: int) -> dict[str, Sequence[str]]:
    """With layers and kinds as short as they must be to leave room for the rest."""
    shown = dict(columns)
    for name in NAMES:
        longest, excess = _longest(shown[name]), max(0, _width(shown) - room)
        most = max(min(longest, SHORTEST), longest - excess)
        # The end of a long name tells layers apart, as `..._conv/bn` does.
        shown[name] = [text if len(text) <= most else f"..{text[2 - most :]}" for text in shown[name]]
    return shown


def _width(columns: Mapping[str, Sequence[str]]) -> int:
    return sum(map(_longest, columns.values())) + 2 * (len(columns) - 1)


def _longest(cells: Sequence[str]) -> int:
    return max(map(len, cells))


def _shortened(name: str) -> str:
    """Keras's own shorter names where it has them."""
    return name.replace("Pooling", "Pool").replace("Average", "Avg").replace("Normalization", "Norm")


def _count(value: object) -> str:
    return UNKNOWN if value is None else f"{value:,}" if value else ""


def _sign(total: Totals) -> str:
    """What stands ahead of a sum: it is a lower bound where layers could not be counted."""
    return ">=" if total.uncounted else ""


def summary(found: Sequence[Row], batch_size: int = 1, dtype: str = "float32", optimizer: str | None = None) -> str:
    """What the table adds up to, in words, with and without biases, pooling and the input."""
    total = totals(found)
    sign, with_biases = _sign(total), total.connections + total.to_biases
    unpooled = total.connections - total.pooling
    unpooled_with_biases = with_biases - total.pooling - total.pooling_to_biases
    uses = memory(total, batch_size, dtype, optimizer)
    lines = [
        f"Parameters     {total.parameters:,}: {total.weights:,} weights and {total.biases:,} biases; "
        + (f"{total.parameters - total.fixed:,} are trained" if total.fixed else "all are trained"),
        f"Multiply-adds  {sign}{total.multiply_adds:,} a sample",
        f"Connections    {sign}{total.connections:,} (with biases {sign}{with_biases:,}); "
        f"without pooling {sign}{unpooled:,} ({sign}{unpooled_with_biases:,})",
        f"Activations    {sign}{total.values:,} values a sample, "
        f"{sign}{total.values - total.inputs:,} without the input",
        f"Memory         {sign}{_bytes(sum(uses.values()))} ({dtype}, batch of {batch_size}): "
        + ", ".join(f"{name} {_bytes(size)}" for name, size in uses.items()),
    ]
    if total.uncounted:
        names = ", ".join(total.uncounted[:5]) + (" ..." if len(total.uncounted) > 5 else "")
        plural = "s" if len(total.uncounted) > 1 else ""
        lines.append(f"The totals are without {len(total.uncounted)} layer{plural} that could not be counted: {names}")
    return "\n".join(lines)


NOTES = (
    "Multiply-adds are those of convolutions and full connections; a pooling unit is connected to its window's inputs."
    "\nField and stride are in pixels of the input; a field counts padding, so it can exceed the image."
)


def comparison(networks: Mapping[str, Sequence[Row]]) -> str:
    """The totals of several networks, one line each, `>=` where layers could not be counted."""
    sums = {name: totals(found) for name, found in networks.items()}
    most = max(total.multiply_adds for total in sums.values())
    everything = not any(total.uncounted for total in sums.values())
    lines = []
    for name, total in sums.items():
        counts = (total.multiply_adds, total.connections, total.values)
        work, connections, values = (f"{_sign(total)}{count:,}" for count in counts)
        times = f"{most / total.multiply_adds:.3f}" if everything and total.multiply_adds else ""
        lines.append([name, f"{total.parameters:,}", work, times, connections, values])
    headers = ["network", "parameters", "multiply-adds", "times fewer", "connections", "activations"]
    return tabulate(lines, headers, disable_numparse=True, colalign=["left", *["right"] * 5])


def _bytes(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:,.2f} GiB"
