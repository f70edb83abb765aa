"""Which numbers must be known before JAX traces: those that decide about shapes.

Found by walking a graph backwards from the operands that operators declare as static. Weights among
them stay constants, inputs among them are not traced.
"""

from collections.abc import Set

from namedtensor.interop.onnx.graph import Function, Graph, Node
from namedtensor.interop.onnx.library import Library
from namedtensor.interop.onnx.table import Operator


def needed(
    graph: Graph, there: Library, outputs: Set[str] = frozenset(), through: Set[str] | None = None
) -> set[str]:
    """The values of a graph whose numbers must be known.

    Args:
      graph: the graph.
      there: what its operators are.
      outputs: results of it whose numbers must be known.
      through: values beyond which the search does not go back; None goes back to the inputs.
    """
    found = set(outputs)
    for node in reversed(graph.nodes):
        found |= _of_node(node, there, found)
        if found & set(node.outputs) and not _reads_shape(node, there):
            stops = through is not None and through & set(node.outputs)
            found |= set() if stops else node.reads()
    return found


def steering(graph: Graph, there: Library) -> set[str]:
    """The values of a graph that choose what is computed, and those that they depend on."""
    chosen: set[str] = set()
    for node in graph.nodes:
        for inner in node.graphs():
            chosen |= steering(inner, there) & inner.free()
        called = there.implementation(node)
        if isinstance(called, Operator):
            chosen |= {
                name for i, name in enumerate(node.inputs) if name and called.operand(i) in called.steers
            }
    return needed(graph, there, chosen)


def _of_node(node: Node, there: Library, wanted: Set[str]) -> set[str]:
    found: set[str] = set()
    for inner in node.graphs():
        found |= needed(inner, there) & inner.free()
    called = there.implementation(node)
    if isinstance(called, Operator):
        found |= {name for i, name in enumerate(node.inputs) if name and called.is_static(i, node)}
    elif isinstance(called, Function):
        asked = {
            inside.name
            for inside, name in zip(called.graph.outputs, node.outputs, strict=False)
            if name in wanted
        }
        inside = needed(called.graph, there.within(called), asked)
        found |= {
            name
            for name, d in zip(node.inputs, called.graph.inputs, strict=False)
            if name and d.name in inside
        }
    return found


def _reads_shape(node: Node, there: Library) -> bool:
    called = there.implementation(node)
    return isinstance(called, Operator) and called.reads_shape


def depending(graph: Graph, there: Library, inputs: Set[str]) -> set[str]:
    """The values that depend on the numbers of these inputs (and not on their shapes alone)."""
    found = set(inputs)
    for node in graph.nodes:
        if node.reads() & found and not _reads_shape(node, there):
            found |= {name for name in node.outputs if name}
    return found
