"""Symbolic dims: how inputs get them, and how what JAX computes of them is written as nodes.

JAX prints a symbolic dim in the language in which `jax.export.symbolic_shape` reads it, so its text is
what is parsed here.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax import export

from namedtensor._errors import near_miss
from namedtensor._tensor import NamedTensor, is_named
from namedtensor.interop.onnx.writing.values import Value, is_static

if TYPE_CHECKING:
    from namedtensor.interop.onnx.writing.graph import Graph

Dynamic = str | Sequence[str] | Mapping[int, str]

_NAME = re.compile(r"[A-Za-z_]\w*")
_OPERATORS: dict[type[ast.operator], str] = {ast.Add: "Add", ast.Sub: "Sub", ast.Mult: "Mul"}


def specs(args: Any, dynamic: Dynamic) -> Any:
    """The shapes of example inputs, with the dims that shall be symbolic.

    Args:
      args: a pytree of arrays, of shapes and of named ones.
      dynamic: for named tensors the names of the dims, for arrays ``{axis: name}``. A text that is no
        name is a constraint on the names, as of `jax.export.symbolic_shape`: ``"pos <= 128"``.
    """
    by_axis = dict(dynamic) if isinstance(dynamic, Mapping) else {}
    texts = _texts(dynamic)
    names = [t for t in texts if _NAME.fullmatch(t)]
    if not names and not by_axis:
        return jax.tree.map(_static, args)
    scope = export.SymbolicScope([t for t in texts if t not in names])
    _there(names, by_axis, args)

    def spec(x: Any) -> Any:
        array = x.array if is_named(x) else x
        if not hasattr(array, "shape"):
            return x
        labels = x.dims if is_named(x) else [by_axis.get(i) for i in range(len(array.shape))]
        sizes = [
            symbolic(label, scope) if label in names or label in by_axis.values() else n
            for label, n in zip(labels, array.shape, strict=True)
        ]
        struct = jax.ShapeDtypeStruct(tuple(sizes), _type(array))
        return NamedTensor(struct, x.dims) if is_named(x) else struct

    return jax.tree.map(spec, args, is_leaf=is_named)


def _texts(dynamic: Dynamic) -> list[str]:
    if isinstance(dynamic, Mapping):
        return []
    return [dynamic] if isinstance(dynamic, str) else list(dynamic)


def _static(x: Any) -> Any:
    return jax.ShapeDtypeStruct(x.shape, _type(x)) if hasattr(x, "shape") and hasattr(x, "dtype") else x


def _type(x: Any) -> Any:
    """The type that JAX gives it: without x64 that of a float64 of NumPy is float32."""
    return x.dtype if jnp.issubdtype(x.dtype, jax.dtypes.extended) else jax.dtypes.canonicalize_dtype(x.dtype)


def are_open(specs: Any) -> bool:
    """Whether some size among these shapes is symbolic."""
    return any(not is_static(n) for x in jax.tree.leaves(specs) for n in getattr(x, "shape", ()))


def symbolic(name: Any, scope: export.SymbolicScope) -> Any:
    """The symbolic dim of a name."""
    return export.symbolic_shape(str(name), scope=scope)[0]


def _there(names: Sequence[str], by_axis: Mapping[int, str], args: Any) -> None:
    """Refuse a name that no input has, and an axis that none of them has."""
    leaves = jax.tree.leaves(args, is_leaf=is_named)
    known = dict.fromkeys(str(d) for x in leaves if is_named(x) for d in x.dims)
    for name in names:
        if name not in known:
            there = f"the inputs have the dims {', '.join(known)}" if known else "no input is a named tensor"
            advice = near_miss(name, known) or "For arrays give {axis: name}: dynamic={0: 'batch'}."
            raise ValueError(f"dynamic={name!r}: {there}. {advice}")
    ranks = [len(x.shape) for x in leaves if not is_named(x) and hasattr(x, "shape")]
    for axis in by_axis:
        if not 0 <= axis < max(ranks, default=0):
            raise ValueError(
                f"dynamic={{{axis}: {by_axis[axis]!r}}}: no array among the inputs has an axis {axis}. "
                "Axes count from 0; dims of named tensors are given by name."
            )


def written(graph: "Graph", text: str) -> Value:
    """The nodes that compute a symbolic dim of the sizes of the inputs, a vector of one int64."""
    return _node(graph, ast.parse(text.replace("^", "**"), mode="eval").body)


def _node(graph: "Graph", tree: ast.expr) -> Value:
    match tree:
        case ast.Constant(value=int(number)):
            return graph.ints(number)
        case ast.Name(id=name):
            return _of_input(graph, name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return graph.map("Neg", _node(graph, operand))
        case ast.BinOp(op=ast.Pow(), left=left, right=ast.Constant(value=int(times))):
            factor = result = _node(graph, left)
            for _ in range(times - 1):
                result = graph.map("Mul", result, factor)
            return result
        case ast.BinOp(op=op, left=left, right=right) if type(op) in _OPERATORS:
            return graph.map(_OPERATORS[type(op)], _node(graph, left), _node(graph, right))
        case ast.Call(func=ast.Name(id=function), args=args):
            return _function(graph, function, [_node(graph, a) for a in args])
    raise NotImplementedError(f"the size {ast.unparse(tree)} of JAX cannot be written as nodes")


def _function(graph: "Graph", function: str, args: list[Value]) -> Value:
    if function in ("max", "min"):
        return graph.map(function.capitalize(), *args)
    if function == "mod":
        return graph.map("Mod", *args)  # of the divisor's sign, as in Python
    if function == "floordiv":
        exact = graph.map("Sub", args[0], graph.map("Mod", *args))
        return graph.map("Div", exact, args[1])
    raise NotImplementedError(f"the function {function} of sizes cannot be written as nodes")


def _of_input(graph: "Graph", name: str) -> Value:
    for value in graph.writing.inputs:
        for axis, n in enumerate(value.shape):
            if not is_static(n) and str(n) == name:
                return graph.op("Shape", value, shape=(1,), dtype="int64", start=axis, end=axis + 1)
    raise ValueError(
        f"the size {name!r} is not the size of an axis of any input, so the graph cannot know it. "
        "Let an input have it by itself and not only in a sum or a product."
    )
