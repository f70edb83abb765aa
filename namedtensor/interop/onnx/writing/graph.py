"""The graph while it is written: rules ask it for nodes, constants and sizes.

It is the frame of the walk, so every rule finds it as ``eqn.frame``. Nodes go to the innermost body that
is being written; constants, and what is computed of the sizes of the inputs, belong to the whole graph.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from namedtensor._dims import Dims
from namedtensor.interop.onnx.writing import symbols
from namedtensor.interop.onnx.writing.kernels import FIXED, wider
from namedtensor.interop.onnx.writing.values import (
    Body,
    Node,
    Shape,
    Value,
    all_static,
    broadcast,
    is_static,
    same,
)
from namedtensor.interpreter import Frame

LARGE = 256  # bytes: a larger constant is an initializer, a smaller one a node that says its value


@dataclass(frozen=True)
class Tap:
    """A value with a name that the function gave it, and the names of its dims if it has them."""

    name: str
    value: Value
    dims: Dims | None


@dataclass
class Writing:
    """What a graph has so far.

    Attributes:
      inputs: of the whole graph.
      initializers: the parameters, and the large constants.
      constants: nodes that hold small ones.
      taps: in program order.
      refused: the messages of equations that cannot be written.
    """

    inputs: list[Value] = field(default_factory=list)
    initializers: dict[str, np.ndarray] = field(default_factory=dict)
    constants: list[Node] = field(default_factory=list)
    taps: list[Tap] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def _repeats(array: np.ndarray) -> bool:
    """Whether an array is one number all over, the sign of zeros included."""
    if array.size < 2 or array.dtype == bool:
        return False
    return array.tobytes() == array.size * array.flat[0].tobytes()


class Graph(Frame):
    """The graph that a walk writes."""

    def __init__(self):
        """An empty graph."""
        super().__init__()
        self.writing = Writing()
        self.nodes: list[Node] = []
        self.place = ""  # the scopes of the equation whose rule runs
        self._stack: list[list[Node]] = [self.nodes]
        self._names: Counter[str] = Counter()
        self._constants: dict[Any, Value] = {}
        self._sizes: dict[str, Value] = {}

    # Names

    def name(self, wanted: str) -> str:
        """A name that nothing else has."""
        self._names[wanted] += 1
        count = self._names[wanted]
        return wanted if count == 1 else self.name(f"{wanted}_{count - 1}")

    @contextlib.contextmanager
    def at(self, place: str) -> Iterator[None]:
        """Nodes made inside are named by this place."""
        before, self.place = self.place, place
        try:
            yield
        finally:
            self.place = before

    # What comes from outside

    def parameter(self, name: str, array: np.ndarray) -> Value:
        """An initializer."""
        value = Value(self.name(name), array.shape, array.dtype)
        self.writing.initializers[value.name] = array
        return value

    def input(self, name: str, shape: Shape, dtype: np.dtype) -> Value:
        """An input of the whole graph."""
        value = Value(self.name(name), tuple(shape), np.dtype(dtype))
        self.writing.inputs.append(value)
        return value

    def tap(self, name: str, value: Value, dims: Dims | None) -> Value:
        """Give a value the name of a place. What is a place already, or comes from outside, is copied."""
        made = any(value.name in node.outputs for node in self._stack[-1])
        if not made or any(tap.value.name == value.name for tap in self.writing.taps):
            value = self.op("Identity", value, shape=value.shape)
        self.writing.taps.append(Tap(name, value, dims))
        return replace(value, thin=None)

    # Constants

    def constant(self, array: Any, dtype: Any = None) -> Value:
        """A constant; the same one for the same values. One that repeats a number is broadcast."""
        array = np.asarray(array, dtype)
        if _repeats(array):
            return self.expand(self.constant(array.flat[0], array.dtype), array.shape, known=array)
        key = (array.dtype.name, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self._constant(array)
        return self._constants[key]

    def _constant(self, array: np.ndarray) -> Value:
        label = f"{array.item():.6g}" if not array.ndim else "x".join(map(str, array.shape))
        value = Value(self.name(f"constant/{array.dtype.name}/{label}"), array.shape, array.dtype, array)
        if array.nbytes > LARGE:
            self.writing.initializers[value.name] = array
        else:
            self.writing.constants.append(Node("Constant", value.name, [], [value.name], {"value": array}))
        return value

    def ints(self, *numbers: Any) -> Value:
        """A constant vector of int64, as operators want axes and sizes."""
        array = np.asarray(numbers, np.int64)
        key = ("ints", array.tobytes())
        if key not in self._constants:
            self._constants[key] = self._constant(array)
        return self._constants[key]

    # Nodes

    def op(
        self,
        op: str,
        *operands: Value | None,
        shape: Shape,
        dtype: Any = None,
        like: int = 0,
        **attributes: Any,
    ) -> Value:
        """A node with one result.

        Args:
          op: the operator.
          *operands: what it reads; None is an operand left out.
          shape: of the result.
          dtype: of the result; that of the operand ``like`` by default.
          like: the operand whose type the operator computes in.
          **attributes: of the node.
        """
        return self.ops(op, *operands, results=[(shape, dtype)], like=like, **attributes)[0]

    def ops(
        self,
        op: str,
        *operands: Value | None,
        results: Sequence[tuple[Shape, Any]],
        like: int = 0,
        **attributes: Any,
    ) -> list[Value]:
        """A node with several results, given by shape and dtype."""
        main = operands[like].dtype if operands else None  # type: ignore[union-attr]
        types = [np.dtype(main if dtype is None else dtype) for _, dtype in results]
        wide = None if main is None else wider(op, main)
        if wide is not None and wide != main:
            operands = tuple(
                self.cast(x, wide) if x is not None and x.dtype == main and i != FIXED.get(op) else x
                for i, x in enumerate(operands)
            )
        label = f"{self.place}/{op}" if self.place else op
        name = self.name(label)
        made = []
        for i, ((shape, _), dtype) in enumerate(zip(results, types, strict=True)):
            inner = wide if dtype == main and wide is not None else dtype
            made.append(Value(name if not i else self.name(f"{name}:{i}"), tuple(shape), inner))
        names = ["" if x is None else x.name for x in operands]
        self._stack[-1].append(Node(op, name, names, [v.name for v in made], attributes))
        return [self.cast(v, dtype) for v, dtype in zip(made, types, strict=True)]

    def map(self, op: str, *operands: Value, dtype: Any = None, like: int = 0, **attributes: Any) -> Value:
        """An elementwise node; a result that repeats itself is computed once and then broadcast."""
        thin = [v.thin or v for v in operands]
        shape = broadcast(*(v.shape for v in thin))
        result = self.op(op, *thin, shape=shape, dtype=dtype, like=like, **attributes)
        return self.expand(result, broadcast(*(v.shape for v in operands)))

    def cast(self, x: Value, dtype: Any) -> Value:
        """The value in another type."""
        dtype = np.dtype(dtype)
        if x.dtype == dtype:
            return x
        if x.known is not None:
            return self.constant(x.known.astype(dtype))
        result = self.op("Cast", x.thin or x, shape=(x.thin or x).shape, dtype=dtype, to=dtype)
        return self.expand(result, x.shape)

    def expand(self, x: Value, shape: Shape, known: np.ndarray | None = None) -> Value:
        """The value repeated up to a shape, as NumPy broadcasts."""
        if same(x.shape, shape):
            return x
        full = self.op("Expand", x, self.shape(shape), shape=shape)
        return replace(full, thin=x, known=known)

    def reshape(self, x: Value, shape: Shape) -> Value:
        """The same elements in another shape."""
        if same(x.shape, shape):
            return x
        holes = [i for i, n in enumerate(shape) if not is_static(n)]
        if len(holes) == 1 and 0 not in shape[: holes[0]] + shape[holes[0] + 1 :]:
            target = self.ints(*(n if is_static(n) else -1 for n in shape))
        else:
            target = self.shape(shape)
        zeros = {"allowzero": 1} if any(is_static(n) and n == 0 for n in shape) else {}
        return self.op("Reshape", x, target, shape=shape, **zeros)

    def transpose(self, x: Value, order: Sequence[int]) -> Value:
        """The axes in another order."""
        if list(order) == sorted(order):
            return x
        return self.op("Transpose", x, shape=tuple(x.shape[i] for i in order), perm=list(order))

    def concat(self, parts: Sequence[Value], axis: int = 0) -> Value:
        """Values behind each other."""
        if len(parts) == 1:
            return parts[0]
        shape = list(parts[0].shape)
        shape[axis] = sum(p.shape[axis] for p in parts)
        return self.op("Concat", *parts, shape=tuple(shape), axis=axis)

    # Sizes

    def shape(self, sizes: Sequence[Any]) -> Value:
        """Sizes as a vector of int64, read from the inputs where they are symbolic."""
        if all_static(tuple(sizes)):
            return self.ints(*sizes)
        return self.concat([self.size(n) for n in sizes])

    def size(self, size: Any) -> Value:
        """A size as a vector of one int64."""
        if is_static(size):
            return self.ints(int(size))
        if (text := str(size)) not in self._sizes:
            self._stack.append(self.nodes)  # a size belongs to the whole graph: computed before any loop
            with self.at("sizes"):
                self._sizes[text] = symbols.written(self, text)
            self._stack.pop()
        return self._sizes[text]

    # Control flow

    @contextlib.contextmanager
    def inside(self) -> Iterator[list[Node]]:
        """Nodes made inside go to the list of a body."""
        self._stack.append([])
        try:
            yield self._stack[-1]
        finally:
            self._stack.pop()

    def body(self, name: str, inputs: list[Value], results: list[Value], nodes: list[Node]) -> Body:
        """The graph of a node, from within `inside`: each result is one that a node of its own makes."""
        taken: set[str] = set()
        outputs = []
        for value in results:
            made = any(value.name in node.outputs for node in nodes)
            if not made or value.name in taken:
                value = self.op("Identity", value, shape=value.shape)
            taken.add(value.name)
            outputs.append(value)
        return Body(self.name(name), inputs, outputs, nodes)
