"""`save`: a JAX function as an ONNX file, for programs that have no Python."""

import dataclasses
import inspect
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor._dims import Dims
from namedtensor._tensor import is_named
from namedtensor.interop.onnx.writing import files, rules, symbols, verify
from namedtensor.interop.onnx.writing.finish import Finished, Result, finished
from namedtensor.interop.onnx.writing.graph import Graph
from namedtensor.interop.onnx.writing.proto import OPSET
from namedtensor.interop.onnx.writing.table import TABLE, onnx_rules
from namedtensor.interop.onnx.writing.values import Value
from namedtensor.interpreter import UnsupportedPrimitiveError, parameters, places
from namedtensor.interpreter.walk import Program, is_array

_SHOWN = 20  # equations listed in an error


@dataclass(frozen=True)
class Saved:
    """What a file holds.

    Attributes:
      path: the file.
      inputs: names, in the order of the function's arguments.
      outputs: names, in the order of the leaves of its result.
      layers: names of the values that are places of the function: its taps, modules and scopes.
      parameters: names of the initializers.
      nodes: how many there are outside of bodies.
      bytes: of the file, and of the one with its data if there is one.
      opset: the version of the operators.
    """

    path: Path
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    layers: tuple[str, ...]
    parameters: tuple[str, ...]
    nodes: int
    bytes: int
    opset: int = OPSET


def save(
    f: Callable[..., Any],
    params: Any,
    example: Any,
    path: str | os.PathLike[str],
    *,
    dynamic: symbols.Dynamic = (),
    check: bool = False,
    external: bool | None = None,
) -> Saved:
    """Write the function ``f(params, *inputs)`` as an ONNX file.

    The leaves of ``params`` become initializers, called by their paths: ``layer1/kernel``; one that is read
    in another layout only (a convolution's kernel) is stored in that one. The places that `nt.list_taps`
    shows become values of the graph with the same names, so whoever loads the file finds the same layers.
    Names of dims become the denotations of the dims of inputs, outputs and layers.

    Args:
      f: a pure function of arrays or named tensors; what it computes of constants alone is folded.
      params: its first argument, any pytree (None if it has no parameters).
      example: the other argument, or a tuple of them: arrays, named tensors, or `jax.ShapeDtypeStruct`
        (whose shapes may be those of `jax.export.symbolic_shape`).
      path: the file, ``.onnx``; one that is there is replaced in one step.
      dynamic: which dims the file leaves open: the names of dims of named tensors, ``"batch"`` or
        ``("batch", "pos", "pos <= 128")`` with what may be assumed of them, or for arrays
        ``{axis: name}``. All others have the example's sizes.
      check: run the file in onnxruntime, if it is installed, and compare with ``f``, before it takes its
        place; with dims left open also at sizes one larger than the example's.
      external: write the data of parameters to a file of its own, ``path.data``; by default where the
        parameters have more than 2 GB.

    Returns:
      What the file holds.

    Raises:
      UnsupportedPrimitiveError: equations that cannot be written, all of them with their lines; random
        numbers, complex numbers and linear algebra among them.
      ValueError: a bad suffix, a name in ``dynamic`` that no input has, or a file that fails the check.
      ImportError: onnx (or with ``check`` onnxruntime) is not installed.

    Example:
      >>> import tempfile, jax, namedtensor as nt
      >>> def f(params, x):
      ...     return nt.tap((x.dot("pixel", params["w"])).relu(), "hidden")
      >>> params = {"w": nt.ones("pixel:4 unit:3")}
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path, example = f"{folder}/f.onnx", nt.ones("batch:2 pixel:4")
      ...     saved = nt.interop.onnx.save(f, params, example, path, dynamic="batch")
      >>> saved.inputs, saved.outputs, saved.layers, saved.parameters
      (('x',), ('hidden',), ('hidden',), ('w',))
    """
    place = files.resolved(path)
    if check:
        verify.runtime()
    args = example if type(example) is tuple else (example,)
    specs = symbols.specs(args, dynamic)
    graph = written(f, params, specs)
    names = [v.name for v, _ in graph.inputs]

    def passes(part: Path) -> None:
        verify.standard(part)
        if check:
            verify.agreement(part, f, params, args, specs, names)

    size = files.write(graph, place, external=external, check=passes)
    return Saved(
        place,
        tuple(names),
        tuple(t.name for t in graph.outputs),
        tuple(dict.fromkeys(t.name for t in graph.taps)),
        tuple(graph.initializers),
        len(graph.nodes),
        size,
    )


def written(f: Callable[..., Any], params: Any, specs: tuple[Any, ...]) -> Finished:
    """The graph of a function, walked by the table.

    Raises:
      UnsupportedPrimitiveError: equations that cannot be written.
    """
    assert len(rules.__all__)  # importing them has filled the table
    graph, program = Graph(), _traced(f, params, specs)
    types = iter(program.jaxpr.in_avals)  # which are JAX's: without x64 a float64 of NumPy is a float32
    given = [_parameter(graph, name, leaf, next(types)) for name, leaf in _parameters(params)]
    inputs = [(graph.input(name, x.shape, next(types).dtype), dims) for name, x, dims in _inputs(f, specs)]
    values = [*given, *(v for v, _ in inputs)]
    out = dataclasses.replace(program, given=values).walk(onnx_rules, wrap=_constant, frame=graph)
    if graph.writing.refused:
        raise _unsupported(graph.writing.refused)
    return finished(graph, inputs, list(_results(graph, out, program.results)))


def _traced(f: Callable[..., Any], params: Any, specs: tuple[Any, ...]) -> Program:
    try:
        return places.everywhere(f, (params, *specs), {})
    except Exception as error:
        if symbols.are_open(specs):
            error.add_note(
                f"{TABLE} leaves dims open, so their sizes are not known while the function is traced. If "
                "that is the cause, say what may be assumed of them, dynamic=('pos', 'pos <= 128'), or leave "
                "fewer of them open."
            )
        raise


def _constant(x: Any) -> Any:
    return x


def _parameters(params: Any) -> Iterator[tuple[str, Any]]:
    """The arrays of the parameters, by their paths."""
    paths = {id(leaf): "/".join(path) for path, leaf in parameters.listed(params)}
    for keys, leaf in jax.tree_util.tree_flatten_with_path(params, is_leaf=is_named)[0]:
        array = leaf.array if is_named(leaf) else leaf
        if is_array(array):
            yield paths.get(id(leaf)) or jax.tree_util.keystr(keys, simple=True, separator="/"), array


def _parameter(graph: Graph, name: str, array: Any, aval: Any) -> Any:
    """An initializer; numbers and random keys are constants of the function."""
    if not hasattr(array, "shape") or jnp.issubdtype(array.dtype, jax.dtypes.extended):
        return array
    return graph.parameter(name or "params", np.asarray(array, aval.dtype))


def _inputs(f: Callable[..., Any], specs: tuple[Any, ...]) -> Iterator[tuple[str, Any, Dims | None]]:
    """Name, shape and dims of each array among the inputs: arguments by the function's own names."""
    for name, spec in zip(_argument_names(f, len(specs)), specs, strict=True):
        for keys, leaf in jax.tree_util.tree_flatten_with_path(spec, is_leaf=is_named)[0]:
            array = leaf.array if is_named(leaf) else leaf
            if is_array(array):
                path = jax.tree_util.keystr(keys, simple=True, separator="/")
                yield f"{name}/{path}" if path else name, array, leaf.dims if is_named(leaf) else None


def _argument_names(f: Callable[..., Any], count: int) -> list[str]:
    try:
        arguments = list(inspect.signature(f).parameters.values())[1:]
    except (TypeError, ValueError):  # a built-in, or a C function
        arguments = []
    named = [a.name for a in arguments if a.kind in (a.POSITIONAL_ONLY, a.POSITIONAL_OR_KEYWORD)][:count]
    return named + [f"input_{i}" if count > 1 else "input" for i in range(len(named), count)]


def _results(graph: Graph, out: Any, shapes: Any) -> Iterator[Result]:
    flat = jax.tree_util.tree_flatten_with_path(shapes, is_leaf=is_named)[0]
    leaves = jax.tree.leaves(out, is_leaf=lambda x: isinstance(x, Value))
    for (keys, shape), leaf in zip(flat, leaves, strict=True):
        value = leaf if isinstance(leaf, Value) else graph.constant(np.asarray(leaf))
        name = jax.tree_util.keystr(keys, simple=True, separator="/")
        name = f"output/{name}" if name.isdigit() else name
        yield Result(name or None, value, shape.dims if is_named(shape) else None)


def _unsupported(refused: Iterable[str]) -> UnsupportedPrimitiveError:
    lines = list(dict.fromkeys(refused))
    shown = "".join(f"\n  {line}" for line in lines[:_SHOWN])
    more = f"\n  and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return UnsupportedPrimitiveError(
        f"{TABLE} cannot write {len(lines)} equation{'s' * (len(lines) > 1)} of this function as ONNX "
        f"(nothing was written):{shown}{more}\n"
        f"  It has rules for {len(onnx_rules)} primitives. To add one: "
        "@rule('name') of namedtensor.interop.onnx.writing.table on a function rule(graph, eqn, *values)."
    )
