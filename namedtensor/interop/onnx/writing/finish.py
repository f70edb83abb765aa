"""What is done with a graph once all its nodes are there: results, names, dead nodes, folded layouts."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from namedtensor._dims import Dims
from namedtensor.interop.onnx.writing.graph import Graph, Tap
from namedtensor.interop.onnx.writing.values import Node, Value


@dataclass(frozen=True)
class Result:
    """An output of the function: its name (None where the function gives it none), value and dims."""

    name: str | None
    value: Value
    dims: Dims | None


@dataclass(frozen=True)
class Finished:
    """A graph that only has to be written down.

    Attributes:
      nodes: in an order in which each finds what it reads.
      inputs: with the names of their dims.
      outputs: the same.
      taps: the values that are places, with their final names.
      initializers: name -> array.
    """

    nodes: list[Node]
    inputs: list[tuple[Value, Dims | None]]
    outputs: list[Tap]
    taps: list[Tap]
    initializers: dict[str, np.ndarray]


def finished(graph: Graph, inputs: list[tuple[Value, Dims | None]], results: Sequence[Result]) -> Finished:
    """The graph with its outputs, without what no output needs, and with names that stay."""
    outputs = _outputs(graph, results)
    nodes = [*graph.writing.constants, *graph.nodes]
    nodes = _alive(nodes, {v.name for v in outputs})
    arrays = dict(graph.writing.initializers)
    nodes = _folded(nodes, arrays)
    used = set(_read(nodes)) | {v.name for v in outputs}
    arrays = {name: array for name, array in arrays.items() if name in used}
    made = {name for node in _all(nodes) for name in node.outputs}
    taps = [t for t in graph.writing.taps if t.value.name in made]
    final = _names(taps, outputs, results, [v.name for v, _ in inputs], arrays, nodes)
    _rename(nodes, final)
    _named_by(nodes, [final[t.value.name] for t in taps])
    shown = zip(outputs, results, strict=True)
    return Finished(
        nodes,
        inputs,
        [Tap(final[v.name], v, r.dims) for v, r in shown],
        [Tap(final[t.value.name], t.value, t.dims) for t in taps],
        {final.get(name, name): array for name, array in arrays.items()},
    )


def _outputs(graph: Graph, results: Sequence[Result]) -> list[Value]:
    """Each result as a value that a node makes, and that is not called otherwise."""
    made = {name for node in graph.nodes for name in node.outputs}
    tapped = {t.value.name: t.name for t in graph.writing.taps}
    outputs: list[Value] = []
    for result in results:
        value = result.value
        place = tapped.get(value.name)
        wanted = result.name or (place if place and place.isidentifier() else "output")
        other = place is not None and place != wanted
        if value.name not in made or other or any(value.name == v.name for v in outputs):
            value = graph.op("Identity", value, shape=value.shape)
        outputs.append(value)
    return outputs


def _all(nodes: Sequence[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        for body in node.bodies:
            yield from _all(body.nodes)


def _read(nodes: Sequence[Node]) -> Iterator[str]:
    """Every name that is read, as often as it is."""
    for node in _all(nodes):
        yield from node.inputs
        for body in node.bodies:
            yield from (v.name for v in body.outputs)


def _alive(nodes: list[Node], wanted: set[str]) -> list[Node]:
    """The nodes that these values need."""
    kept = []
    for node in reversed(nodes):
        if wanted.isdisjoint(node.outputs):
            continue
        for body in node.bodies:
            body.nodes[:] = _alive(body.nodes, {v.name for v in body.outputs})
        wanted = wanted | set(_read([node]))
        kept.append(node)
    return kept[::-1]


def _folded(nodes: list[Node], arrays: dict[str, np.ndarray]) -> list[Node]:
    """Parameters in the layout in which their one reader wants them, under their own names."""
    reads = Counter(_read(nodes))
    constants = {n.outputs[0]: n.attributes["value"] for n in nodes if n.op == "Constant"}
    same: dict[str, str] = {}
    kept = []
    for node in nodes:
        node.inputs = [same.get(name, name) for name in node.inputs]
        source = node.inputs[0] if node.inputs else ""
        if source in arrays and reads[source] == 1 and node.op in _LAYOUTS:
            rest = [constants.get(name) for name in node.inputs[1:]]
            if all(r is not None for r in rest):
                arrays[source] = np.ascontiguousarray(_LAYOUTS[node.op](node, arrays[source], *rest))
                same[node.outputs[0]] = source
                reads[source] = reads[node.outputs[0]]
                continue
        kept.append(node)
    if same:
        _rename(kept, same)
        kept = _alive(kept, {name for node in kept if node.op != "Constant" for name in node.outputs})
    return kept


def _slice(node: Node, x: np.ndarray, starts: np.ndarray, ends: np.ndarray, *more: np.ndarray) -> np.ndarray:
    axes = more[0] if more else np.arange(len(starts))
    steps = more[1] if len(more) > 1 else np.ones(len(starts), np.int64)
    pick = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        stop = None if step < 0 and end < -x.shape[axis] else int(end)
        pick[int(axis)] = slice(int(start), stop, int(step))
    return x[tuple(pick)]


_LAYOUTS: dict[str, Callable[..., np.ndarray]] = {
    "Transpose": lambda node, x: x.transpose(node.attributes["perm"]),
    "Reshape": lambda node, x, shape: x.reshape(shape),
    "Squeeze": lambda node, x, axes: x.squeeze(tuple(int(a) for a in axes)),
    "Unsqueeze": lambda node, x, axes: np.expand_dims(x, tuple(int(a) for a in axes)),
    "Slice": _slice,
}


def _names(
    taps: Sequence[Tap],
    outputs: Sequence[Value],
    results: Sequence[Result],
    inputs: Sequence[str],
    arrays: dict[str, np.ndarray],
    nodes: Sequence[Node],
) -> dict[str, str]:
    """Final names: of taps and outputs what the function says, of others what is left."""
    taken, final = set(inputs), {name: name for name in inputs}

    def give(old: str, wanted: str) -> None:
        name, count = wanted, 0
        while name in taken:
            count += 1
            name = f"{wanted}_{count}"
        taken.add(name)
        final[old] = name

    passes, seen = Counter(t.name for t in taps), Counter[str]()
    for tap in taps:
        seen[tap.name] += 1
        give(tap.value.name, tap.name if passes[tap.name] == 1 else f"{tap.name}#{seen[tap.name]}")
    for value, result in zip(outputs, results, strict=True):
        if value.name not in final:
            give(value.name, result.name or "output")
    for name in arrays:  # a layer keeps its name, and the parameter that is called like it gives way
        give(name, f"params/{name}" if name in taken else name)
    for name in _defined(nodes):
        if name not in final:
            give(name, name)
    return final


def _named_by(nodes: Sequence[Node], places: Sequence[str]) -> None:
    """The node that makes the value of a place is called like it: some readers list nodes, and not values."""
    makers = {node.outputs[0]: node for node in _all(nodes) if len(node.outputs) == 1}
    taken = {node.name for node in _all(nodes)}
    for place in places:
        if place in makers and place not in taken:
            makers[place].name = place


def _defined(nodes: Sequence[Node]) -> Iterator[str]:
    for node in nodes:
        yield from node.outputs
        for body in node.bodies:
            yield from (v.name for v in body.inputs)
            yield from _defined(body.nodes)


def _rename(nodes: Sequence[Node], names: dict[str, str]) -> None:
    for node in _all(nodes):
        node.inputs = [names.get(n, n) for n in node.inputs]
        node.outputs = [names.get(n, n) for n in node.outputs]
        for body in node.bodies:
            body.inputs = [replace(v, name=names.get(v.name, v.name)) for v in body.inputs]
            body.outputs = [replace(v, name=names.get(v.name, v.name)) for v in body.outputs]
