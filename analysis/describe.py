"""A network in numbers: one row a layer with parameters, work, values and reach, and what they add up to."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis import cost, graph
from analysis.cost import Cost
from analysis.reach import Reach, Shape

UNKNOWN = "unknown"
BIASES = {"bias", "beta"}
"The names of parameters that are added; all others count as weights."
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
    "Without those to biases."
    to_biases: int
    pooling: int
    "The part of the connections that pools."
    pooling_to_biases: int
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
        to_biases=sum(c.biases for c in costs),
        pooling=sum(c.connections for c in costs if c.pools),
        pooling_to_biases=sum(c.biases for c in costs if c.pools),
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


def shapes(outputs: Sequence[Shape]) -> str:
    """As `28x28x6`, `?` where a length is not known."""
    return " ".join("x".join("?" if length is None else str(length) for length in shape) for shape in outputs)


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
        "output_shape": shapes(row.outputs),
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
