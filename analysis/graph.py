"""The layers of a model in the order in which they run, nested models opened, each with what it sees of the input."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from analysis import reach
from analysis.reach import Reach, Shape
from trials.errors import UserError


@dataclass(frozen=True)
class Call:
    """One use of a layer, or of an operation between layers; shapes are without the batch."""

    layer: Any
    name: str
    "Layers of nested models have these before theirs: `block/conv`."
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    reach: Reach


def walk(model: Any) -> list[Call]:
    """Every use of a layer in a functional or sequential model. Raises UserError for a model without a graph."""
    graph = _graph(model)
    if graph is None:
        raise UserError(
            f"The model '{model.name}' has no graph of layers to read: it is not built, or has a `call` of its own.\n"
            "Only functional and sequential models can be described."
        )
    known = {id(tensor): reach.of_input(_shape(tensor)) for tensor in graph.inputs}
    return list(_calls(graph, "", known))


def _graph(model: Any) -> Any:
    """What knows the nodes: a functional model itself, a sequential one's inner model.

    None where there is none, or where the model does not run what it has.
    """
    graph = getattr(model, "_functional", None) or model
    runs_it = type(model).call.__module__.startswith("keras.")
    return graph if hasattr(graph, "_nodes_by_depth") and runs_it else None


def _calls(graph: Any, prefix: str, known: dict[int, Reach]) -> Iterator[Call]:
    """In topological order; `known` has the reach of every tensor so far, and gets those of the graph's."""
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            inner = _graph(node.operation)
            if inner is not None:
                _hand_over(node.input_tensors, inner.inputs, known)
                yield from _calls(inner, f"{prefix}{node.operation.name}/", known)
                _hand_over(inner.outputs, node.outputs, known)
            elif not (node.is_input and prefix):
                yield _call(node, prefix, known)


def _hand_over(givers: list[Any], takers: list[Any], known: dict[int, Reach]) -> None:
    for giver, taker in zip(givers, takers, strict=True):
        known[id(taker)] = known[id(giver)]


def _call(node: Any, prefix: str, known: dict[int, Reach]) -> Call:
    inputs = tuple(map(_shape, node.input_tensors))
    outputs = tuple(map(_shape, node.outputs))
    if not node.is_input:
        reaches = [known[id(tensor)] for tensor in node.input_tensors]
        known |= {
            id(tensor): reach.above(node.operation, reaches, inputs, shape)
            for tensor, shape in zip(node.outputs, outputs, strict=True)
        }
    return Call(node.operation, f"{prefix}{node.operation.name}", inputs, outputs, known[id(node.outputs[0])])


def _shape(tensor: Any) -> Shape:
    return tuple(tensor.shape[1:])
