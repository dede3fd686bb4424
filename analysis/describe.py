"""A network as a table: one row a layer with parameters, work, values and reach, and what they add up to."""

import csv
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from analysis import cost, graph
from analysis.cost import Cost
from analysis.reach import Reach, Shape

UNKNOWN = "unknown"
BIASES = {"bias", "beta"}
"The names of parameters that are added; all others count as weights."
SHORTEST = 12
"Characters that a layer's name keeps in a table, however narrow the terminal."
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
STATE = {
    **{"sgd": 0, "momentum": 1, "rmsprop": 1, "adagrad": 1, "lion": 1},
    **{"adam": 2, "adamw": 2, "adamax": 2, "nadam": 2, "adadelta": 2, "ftrl": 2},
}
"Values that an optimizer keeps for each trainable parameter."


@dataclass(frozen=True)
class Row:
    """One use of a layer, for one sample; parameters stand with the first use of those that share them."""

    layer: str
    kind: str
    outputs: tuple[Shape, ...]
    weights: int
    biases: int
    fixed: int
    "Those of the parameters that training does not change."
    cost: Cost | None
    values: int | None
    reach: Reach
    is_input: bool


def rows(model: Any, training: bool = False) -> list[Row]:
    """A row for each use of a layer in a built Keras model; with `training`, what dropout writes counts too."""
    found, seen = [], set[int]()
    for call in graph.walk(model):
        new = [weight for weight in getattr(call.layer, "weights", ()) if id(weight) not in seen]
        seen |= {id(weight) for weight in new}
        biases = sum(_size(weight) for weight in new if weight.name in BIASES)
        found.append(
            Row(
                layer=call.name,
                kind=type(call.layer).__name__,
                outputs=call.outputs,
                weights=sum(map(_size, new)) - biases,
                biases=biases,
                fixed=sum(_size(weight) for weight in new if not weight.trainable),
                cost=cost.of_call(call),
                values=cost.values(call, training),
                reach=call.reach,
                is_input=not call.inputs,
            )
        )
    return found


def _size(weight: Any) -> int:
    size = 1
    for length in weight.shape:
        size *= int(length)
    return size


@dataclass(frozen=True)
class Totals:
    """What the rows of a network add up to; `uncounted` names the layers whose work is not in it."""

    weights: int
    biases: int
    fixed: int
    multiply_adds: int
    connections: int
    "Without those to biases, as `pooling`, the part of them that pools."
    pooling: int
    to_biases: int
    values: int
    inputs: int
    "The part of the values that is the input."
    uncounted: tuple[str, ...]

    @property
    def parameters(self) -> int:
        return self.weights + self.biases


def totals(found: Sequence[Row]) -> Totals:
    """The sums over a network's rows."""
    costs = [row.cost for row in found if row.cost is not None]
    return Totals(
        weights=sum(row.weights for row in found),
        biases=sum(row.biases for row in found),
        fixed=sum(row.fixed for row in found),
        multiply_adds=sum(c.multiply_adds for c in costs),
        connections=sum(c.connections for c in costs),
        pooling=sum(c.connections for c in costs if c.pools),
        to_biases=sum(c.biases for c in costs),
        values=sum(row.values or 0 for row in found),
        inputs=sum(row.values or 0 for row in found if row.is_input),
        uncounted=tuple(row.layer for row in found if row.cost is None or row.values is None),
    )


def memory(total: Totals, batch_size: int = 1, dtype: str = "float32", optimizer: str | None = None) -> dict[str, int]:
    """Bytes by use: parameters, activations and, with an optimizer, gradients and its state.

    All activations count as kept, as training has to and as the source documents add them up; inference
    can free most. The gradients are those of the parameters. Nothing is counted for a framework's own needs.
    """
    width, trained = BYTES[dtype], total.parameters - total.fixed
    found = {"parameters": total.parameters * width, "activations": total.values * batch_size * width}
    if optimizer is not None:
        found |= {"gradients": trained * width, optimizer: trained * STATE[optimizer] * width}
    return found


# --- for people ----------------------------------------------------------------------------------

Column = tuple[str, Callable[[Row], str]]


def table(found: Sequence[Row]) -> str:
    """The rows and their sums, aligned, no wider than the terminal where shorter names can help."""
    total = totals(found)
    columns: list[Column] = [
        ("layer", lambda row: row.layer),
        ("kind", lambda row: _shortened(row.kind)),
        ("output", lambda row: _shapes(row.outputs)),
        ("weights", lambda row: _count(row.weights)),
        ("biases", lambda row: _count(row.biases)),
        *([("(fixed)", lambda row: f"({row.fixed:,})" if row.fixed else "")] if total.fixed else []),
        ("multiply-adds", lambda row: _count(None if row.cost is None else row.cost.multiply_adds)),
        ("connections", lambda row: _count(None if row.cost is None else row.cost.connections)),
        ("activations", lambda row: _count(row.values)),
        ("field", lambda row: field(row.reach)),
        ("stride", lambda row: stride(row.reach)),
    ]
    sums = {
        **{"layer": "total", "weights": total.weights, "biases": total.biases, "(fixed)": f"({total.fixed:,})"},
        **{"multiply-adds": total.multiply_adds, "connections": total.connections, "activations": total.values},
    }
    cells = [[cell(row) for _, cell in columns] for row in found]
    last = [f"{sums.get(name, ''):,}" if isinstance(sums.get(name), int) else sums.get(name, "") for name, _ in columns]
    return _aligned(cells, [str(cell) for cell in last], [name for name, _ in columns])


def _aligned(cells: list[list[str]], last: list[str], headers: list[str]) -> str:
    lines = [headers, *cells, last]
    widths = [max(len(line[place]) for line in lines) for place in range(len(headers))]
    others = sum(widths[1:]) + 2 * (len(headers) - 1)
    widths[0] = min(widths[0], max(SHORTEST, shutil.get_terminal_size((120, 24)).columns - others))
    rule = ["-" * width for width in widths]
    shown = [[_clipped(line[0], widths[0]), *line[1:]] for line in cells]
    align = ["left" if name in ("layer", "kind") else "right" for name in headers]
    return tabulate([headers, rule, *shown, rule, last], tablefmt="plain", disable_numparse=True, colalign=align)


def _clipped(text: str, width: int) -> str:
    """The end of a long name tells layers apart, as `..._conv/bn` does."""
    return text if len(text) <= width else f"..{text[2 - width :]}"


def _shortened(name: str) -> str:
    """Keras's own shorter names where it has them."""
    return name.replace("Pooling", "Pool").replace("Average", "Avg").replace("Normalization", "Norm")


def summary(found: Sequence[Row], batch_size: int = 1, dtype: str = "float32", optimizer: str | None = None) -> str:
    """What the table adds up to, in words, with and without biases, pooling and the input."""
    total = totals(found)
    with_biases = total.connections + total.to_biases
    lines = [
        f"Parameters     {total.parameters:,}: {total.weights:,} weights and {total.biases:,} biases; "
        + (f"{total.fixed:,} of them are not trained" if total.fixed else "all are trained"),
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
    """The totals of several networks, one line each; times: multiply-adds of the largest over this one's."""
    sums = {name: totals(found) for name, found in networks.items()}
    most = max(total.multiply_adds for total in sums.values())
    lines = [
        [
            name,
            f"{total.parameters:,}",
            f"{total.multiply_adds:,}",
            f"{most / total.multiply_adds:.3f}" if total.multiply_adds else "",
            f"{total.connections:,}",
            f"{total.values:,}",
        ]
        for name, total in sums.items()
    ]
    headers = ["network", "parameters", "multiply-adds", "times fewer", "connections", "activations"]
    return tabulate(lines, headers, disable_numparse=True, colalign=["left", *["right"] * 5])


def field(reach: Reach) -> str:
    """A receptive field as `14`, `14x7`, `<=14` or `all`."""
    if reach is None or isinstance(reach, str):
        return reach or UNKNOWN
    bound = "<=" if any(axis.bound for axis in reach) else ""
    return bound + _axes([axis.size for axis in reach]) if reach else ""


def stride(reach: Reach) -> str:
    """How far apart in the input two neighbouring units look: `8`, or `1/2` after upsampling."""
    if reach is None or isinstance(reach, str):
        return "" if reach else UNKNOWN
    return _axes([axis.jump for axis in reach])


def _axes(values: Sequence[Any]) -> str:
    return "x".join(map(str, values[:1] if len(set(values)) == 1 else values))


def _shapes(shapes: Sequence[Shape]) -> str:
    return " ".join("x".join("?" if length is None else str(length) for length in shape) for shape in shapes)


def _count(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:,}" if value else ""


def _bytes(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:,.2f} GiB"


# --- for programs --------------------------------------------------------------------------------


def write_csv(path: Path, networks: Mapping[str, Sequence[Row]], batch_size: int = 1, dtype: str = "float32") -> None:
    """One row a layer; numbers are plain, `unknown` where there is none, `activation_bytes` are those of the batch."""
    lines = [_record(name, row, batch_size * BYTES[dtype]) for name, found in networks.items() for row in found]
    with open(path, "w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def _record(network: str, row: Row, width: int) -> dict[str, Any]:
    known = {} if row.cost is None else vars(row.cost)
    return {
        "network": network,
        "layer": row.layer,
        "kind": row.kind,
        "output_shape": _shapes(row.outputs),
        "parameters": row.weights + row.biases,
        "weights": row.weights,
        "biases": row.biases,
        "not_trained": row.fixed,
        "multiply_adds": known.get("multiply_adds", UNKNOWN),
        "connections": known.get("connections", UNKNOWN),
        "connections_to_biases": known.get("biases", UNKNOWN),
        "pools": known.get("pools", UNKNOWN),
        "activations": UNKNOWN if row.values is None else row.values,
        "activation_bytes": UNKNOWN if row.values is None else row.values * width,
        "receptive_field": field(row.reach),
        "stride": stride(row.reach),
    }
