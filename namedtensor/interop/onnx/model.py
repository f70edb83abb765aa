"""An ONNX model as a JAX function of its parameters and inputs."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor._dims import Spec
from namedtensor._errors import near_miss
from namedtensor._tensor import is_named
from namedtensor.interop.onnx import file, operators, parse, signature
from namedtensor.interop.onnx.errors import OnnxError, listed
from namedtensor.interop.onnx.evaluate import Evaluation, is_traced
from namedtensor.interop.onnx.graph import Declared, Graph
from namedtensor.interop.onnx.library import Library, library, require_all
from namedtensor.interop.onnx.needs import depending, needed, steering
from namedtensor.interop.onnx.places import Layer, Places, places
from namedtensor.interop.onnx.signature import Place
from namedtensor.interop.onnx.values import Value

assert operators.__all__, "importing them has filled the table"


@dataclass(frozen=True, eq=False)
class Program:
    """What a model computes, apart from its weights; compared by identity.

    Attributes:
      graph: the nodes.
      library: what they do.
      places: the names of their results.
      inputs: what it takes.
      outputs: what it gives.
    """

    graph: Graph
    library: Library
    places: Places
    inputs: Mapping[str, Place]
    outputs: Mapping[str, Place]

    @functools.cached_property
    def compiled(self) -> Any:
        """`run`, with the numbers that must be known as part of the key."""
        return jax.jit(self.run, static_argnames="fixed")

    def run(self, params: Mapping[str, Any], traced: Mapping[str, Value], fixed: "Fixed") -> list[Value]:
        """The outputs, for arrays that may be traced."""
        given = {**traced, **fixed.arrays}
        graph = Graph(
            self.graph.inputs, self.graph.outputs, {**self.graph.constants, **params}, self.graph.nodes
        )
        out = Evaluation(self.library, self.places.passing).run(graph, [given[name] for name in self.inputs])
        return [jnp.asarray(x) for x in out]

    def __call__(self, params: Mapping[str, Any], arrays: Mapping[str, Value]) -> list[Value]:
        """The outputs, compiled where no shape depends on the numbers of large inputs."""
        held = {name: arrays[name] for name, place in self.inputs.items() if place.held}
        traced = {name: jnp.asarray(x) for name, x in arrays.items() if name not in held}
        if any(map(is_traced, held.values())):
            return self.run(params, {**traced, **held}, Fixed({}))
        fixed = Fixed({name: np.asarray(x) for name, x in held.items()})
        if any(x.ndim > 1 for x in fixed.arrays.values()):  # data: it would be compiled for each of them
            data = {name: jnp.asarray(x) for name, x in fixed.arrays.items()}
            return self.run(params, {**traced, **data}, Fixed({}))
        return self.compiled(params, traced, fixed)

    def each(self, params: Mapping[str, Any], arrays: Mapping[str, Value]) -> list[Value]:
        """The outputs of a file made for one example, of several."""
        held = {name: x for name, x in arrays.items() if self.inputs[name].held}
        rest = {name: jnp.asarray(x) for name, x in arrays.items() if name not in held}

        def one(row: Mapping[str, Value]) -> list[Value]:
            return self(params, {**held, **{name: x[None] for name, x in row.items()}})

        out = jax.vmap(one)(rest)
        for name, x in zip(self.outputs, out, strict=True):
            if x.ndim < 2 or x.shape[1] != 1:
                raise OnnxError(
                    f"the file is made for one example at a time, and its output {name!r} has no axis for "
                    "it: give one example, or export it with a dynamic batch axis."
                )
        return [x[:, 0] for x in out]


@dataclass(frozen=True, eq=False)
class Fixed:
    """Arrays that are part of a compiled program's key, by their numbers."""

    arrays: Mapping[str, np.ndarray]

    @functools.cached_property
    def _key(self) -> Any:
        return tuple((name, x.dtype.str, x.shape, x.tobytes()) for name, x in self.arrays.items())

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fixed) and self._key == other._key


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class OnnxModel:
    """A JAX function that an ONNX file says: ``model(params, *inputs)``, or ``model(*inputs)`` with its own.

    It is a pytree of its parameters. Attributions, gradients, `jax.jit` and private execution treat it
    as any other function; each node's result is a place (`nt.tap`).

    Attributes:
      params: the weights by the names of the file: its arrays of floating-point numbers, but for those
        that shapes depend on.
      program: the rest.

    Example:
      >>> import numpy as np, namedtensor as nt
      >>> from onnx import helper as h
      >>> x, y = (h.make_tensor_value_info(n, 1, ["batch", "class"]) for n in "xy")
      >>> w = h.make_tensor("w", 1, [2], [3.0, -3.0])
      >>> scale = h.make_node("Mul", ["x", "w"], ["m"], "/scale/Mul")
      >>> act = h.make_node("Relu", ["m"], ["y"], "/act/Relu")
      >>> graph = h.make_graph([scale, act], "tiny", [x], [y], [w])
      >>> model = nt.interop.onnx.load(h.make_model(graph, opset_imports=[h.make_opsetid("", 20)]))
      >>> model
      OnnxModel(x: float32[batch class]) -> y: float32[batch class], 1 array of weights, 2 numbers, 2 nodes
      >>> model(np.ones((1, 2), np.float32))
      Array([[3., 0.]], dtype=float32)
      >>> list(model.layers)
      ['/scale/Mul', '/act/Relu', '/scale', '/act']
    """

    params: dict[str, jax.Array]
    program: Program = field(metadata={"static": True})

    @property
    def inputs(self) -> Mapping[str, Place]:
        """What it takes, in order."""
        return self.program.inputs

    @property
    def outputs(self) -> Mapping[str, Place]:
        """What it gives, in order."""
        return self.program.outputs

    @property
    def layers(self) -> Mapping[str, Layer]:
        """The places that methods take as ``layer=``; `nt.list_taps` tells their shapes."""
        return self.program.places.layers

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The output, or a tuple of several.

        Args:
          *args: a dict of parameters (its own, if it is left out), then the inputs in the order of
            `inputs`, arrays or named tensors.
          **kwargs: inputs by their names.

        Returns:
          Arrays; named tensors if one of the inputs is named.

        Raises:
          TypeError: inputs that are missing or too many.
          OnnxError: shapes or kinds of numbers that do not fit, or what a node cannot do.
        """
        params = self.params
        if args and isinstance(args[0], Mapping):
            params, args = self._checked(args[0]), args[1:]
        given = signature.arranged(self.inputs, args, kwargs)
        arrays = {name: signature.array(name, self.inputs[name], x) for name, x in given.items()}
        single = signature.examples(self.inputs, arrays) is None
        out = (self.program if single else self.program.each)(params, arrays)
        if any(map(is_named, given.values())):
            out = [
                signature.named(name, p, x) for (name, p), x in zip(self.outputs.items(), out, strict=True)
            ]
        return out[0] if len(out) == 1 else tuple(out)

    def _checked(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters as arrays, if they are those of this model."""
        given = {name: x.array if is_named(x) else jnp.asarray(x) for name, x in params.items()}
        for name in given.keys() ^ self.params.keys():
            there = "missing" if name in self.params else f"unknown. {near_miss(name, self.params)}".rstrip()
            raise OnnxError(f"params: {name!r} is {there}; the model has {listed(self.params)}.")
        return given

    def __repr__(self) -> str:
        takes = ", ".join(f"{name}: {p!r}" for name, p in self.inputs.items())
        gives = ", ".join(f"{name}: {p!r}" for name, p in self.outputs.items())
        arrays = f"{len(self.params)} array{'s' * (len(self.params) != 1)} of weights"
        numbers = sum(np.size(x) for x in self.params.values())
        nodes = len(self.program.graph.nodes)
        return f"OnnxModel({takes}) -> {gives}, {arrays}, {numbers:,} numbers, {nodes} nodes"


def load(
    source: Any, *, dims: Mapping[str, Spec] | None = None, outputs: str | Sequence[str] | None = None
) -> OnnxModel:
    """Read an ONNX model as a JAX function.

    ``model(params, *inputs)`` is a plain JAX function: `jax.jit`, `jax.grad`, the methods of
    `captum_lite` and `crypten_lite.private` take it. Weights come back as the dict ``model.params``;
    ``model(*inputs)`` takes them. Each node's result is a place: ``IntegratedGradients(model,
    layer="/layer3/relu")``.

    Args:
      source: the path of an ``.onnx`` file, its bytes, or an ``onnx.ModelProto``. Weights in files beside
        it are read from its folder, and from nowhere else.
      dims: names of the axes of inputs and outputs, ``{"image": "batch channel height width"}``;
        those that the file names itself (as symbolic sizes) need none.
      outputs: names of values that are wanted instead of the file's outputs; what they do not need is
        left out.

    Returns:
      An `OnnxModel`. Integers and floats of 64 bits have 32, unless ``jax_enable_x64`` is set, as
      everywhere in JAX. A file whose first axes all have the fixed size 1 takes any number of examples.

    Raises:
      UnsupportedOperators: operators that are unknown here, all of them with their nodes.
      MalformedModel: no ONNX model, a damaged one, or one whose parts lie outside its folder.
      OnnxError: ``dims`` or ``outputs`` that the model does not have.
      FileNotFoundError: there is no such file.
      ImportError: the package ``onnx`` is missing.
    """
    proto = file.read(source)
    there = library(proto)
    whole = parse.graph(proto.graph).with_weights()
    graph = _with_outputs(whole, [outputs] if isinstance(outputs, str) else outputs)
    require_all(graph, there)
    names = {d.name for d in graph.inputs}
    dynamic = depending(graph, there, names)
    held, steers = needed(graph, there), steering(graph, there)
    constant = needed(graph, there, through=dynamic)
    weights = {
        name: jnp.asarray(x)
        for name, x in graph.constants.items()
        if name not in constant and jnp.issubdtype(x.dtype, jnp.floating)
    }
    rest = {name: x for name, x in graph.constants.items() if name not in weights}
    spec = _spelled(dims or {}, graph)
    program = Program(
        Graph(graph.inputs, graph.outputs, rest, graph.nodes),
        there,
        places(graph, dynamic),
        {
            d.name: signature.place(_tensor(d), spec.get(d.name), d.name in held, d.name in steers)
            for d in graph.inputs
        },
        {d.name: signature.place(_tensor(d), spec.get(d.name)) for d in graph.outputs},
    )
    return OnnxModel(weights, program)


def _with_outputs(graph: Graph, names: Sequence[str] | None) -> Graph:
    if names is None:
        return graph.pruned(graph.outputs)
    made = {d.name: d for d in (*graph.inputs, *graph.outputs)}
    made |= {name: made.get(name, Declared(name)) for node in graph.nodes for name in node.outputs if name}
    for name in names:
        if name not in made:
            raise OnnxError(f"the model makes no value {name!r}. {near_miss(name, made)}".rstrip())
    return graph.pruned([made[name] for name in names])


def _spelled(dims: Mapping[str, Spec], graph: Graph) -> Mapping[str, Spec]:
    there = [d.name for d in (*graph.inputs, *graph.outputs)]
    for name in dims:
        if name not in there:
            raise OnnxError(
                f"dims: the model has no input or output {name!r}, it has {listed(there)}. "
                f"{near_miss(name, there)}".rstrip()
            )
    return dims


def _tensor(declared: Declared) -> Declared:
    if declared.kind != "tensor":
        raise OnnxError(f"{declared.name!r} is a {declared.kind}; models of tensors are supported.")
    return declared
