"""Descriptions for people: a table for the terminal, what it adds up to in words, networks side by side."""

import shutil
from collections.abc import Callable, Mapping, Sequence

from tabulate import tabulate

from analysis.describe import UNKNOWN, Row, field, memory, shapes, stride, totals

SHORTEST = 12
"Characters that the name of a layer or of its kind keeps, however narrow the terminal."


def table(found: Sequence[Row]) -> str:
    """The rows and their sums, aligned, and no wider than the terminal where that can be."""
    room = shutil.get_terminal_size((120, 24)).columns
    lines = _lines(found)
    widths = _widths(lines, room)
    if _total(widths) > room:  # the sums below and the CSV file still have the connections
        place = lines[0].index("connections")
        lines = [[*line[:place], *line[place + 1 :]] for line in lines]
        widths = _widths(lines, room)
    (headers, *rows, last), rule = lines, ["-" * width for width in widths]
    shown = [[_clipped(row[0], widths[0]), _clipped(row[1], widths[1]), *row[2:]] for row in rows]
    align = ["left" if name in ("layer", "kind") else "right" for name in headers]
    return tabulate([headers, rule, *shown, rule, last], tablefmt="plain", disable_numparse=True, colalign=align)


def _lines(found: Sequence[Row]) -> list[list[str]]:
    """Headers, a line a row, and the sums."""
    total = totals(found)
    columns: list[tuple[str, Callable[[Row], str], str]] = [
        ("layer", lambda row: row.layer, "total"),
        ("kind", lambda row: _shortened(row.kind), ""),
        ("output", lambda row: shapes(row.outputs), ""),
        ("weights", lambda row: _count(row.weights), f"{total.weights:,}"),
        ("biases", lambda row: _count(row.biases), f"{total.biases:,}"),
        ("(fixed)", lambda row: f"({row.fixed:,})" if row.fixed else "", f"({total.fixed:,})"),
        ("multiply-adds", lambda row: _count(row.cost and row.cost.multiply_adds), f"{total.multiply_adds:,}"),
        ("connections", lambda row: _count(row.cost and row.cost.connections), f"{total.connections:,}"),
        ("activations", lambda row: _count(row.values), f"{total.values:,}"),
        ("field", lambda row: field(row.reach), ""),
        ("stride", lambda row: stride(row.reach), ""),
    ]
    used = [column for column in columns if total.fixed or column[0] != "(fixed)"]
    names, cells, sums = zip(*used, strict=True)
    return [list(names), *([cell(row) for cell in cells] for row in found), list(sums)]


def _widths(lines: Sequence[Sequence[str]], room: int) -> list[int]:
    """Of each column; layers and kinds give way where there is no room."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for place in (0, 1):
        excess = max(0, _total(widths) - room)
        widths[place] = max(min(widths[place], SHORTEST), widths[place] - excess)
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + 2 * (len(widths) - 1)


def _clipped(text: str, width: int) -> str:
    """The end of a long name tells layers apart, as `..._conv/bn` does."""
    return text if len(text) <= width else f"..{text[2 - width :]}"


def _shortened(name: str) -> str:
    """Keras's own shorter names where it has them."""
    return name.replace("Pooling", "Pool").replace("Average", "Avg").replace("Normalization", "Norm")


def _count(value: object) -> str:
    return UNKNOWN if value is None else f"{value:,}" if value else ""


def summary(found: Sequence[Row], batch_size: int = 1, dtype: str = "float32", optimizer: str | None = None) -> str:
    """What the table adds up to, in words, with and without biases, pooling and the input."""
    total = totals(found)
    with_biases = total.connections + total.to_biases
    lines = [
        f"Parameters     {total.parameters:,}: {total.weights:,} weights and {total.biases:,} biases; "
        + (f"{total.parameters - total.fixed:,} are trained" if total.fixed else "all are trained"),
        f"Multiply-adds  {total.multiply_adds:,} a sample",
        f"Connections    {total.connections:,} (with biases {with_biases:,}); "
        f"without pooling {total.connections - total.pooling:,} ({with_biases - total.pooling:,})",
        f"Activations    {total.values:,} values a sample, {total.values - total.inputs:,} without the input",
        _memory_line(memory(total, batch_size, dtype, optimizer), batch_size, dtype),
    ]
    if total.uncounted:
        names = ", ".join(total.uncounted[:5]) + (" ..." if len(total.uncounted) > 5 else "")
        plural = "s" if len(total.uncounted) > 1 else ""
        lines.append(f"The totals are without {len(total.uncounted)} layer{plural} that could not be counted: {names}")
    return "\n".join(lines)


def _memory_line(uses: Mapping[str, int], batch_size: int, dtype: str) -> str:
    parts = ", ".join(f"{name} {_bytes(size)}" for name, size in uses.items())
    return f"Memory         {_bytes(sum(uses.values()))} ({dtype}, batch of {batch_size}): {parts}"


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
        work, connections, values = (f"{'>=' if total.uncounted else ''}{count:,}" for count in counts)
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
