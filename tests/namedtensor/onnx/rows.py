"""A row of a table of operators: one node, run here and by onnxruntime; those of an operator share a program."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import pytest
from onnx import helper

import namedtensor as nt
from namedtensor.interop.onnx import parse
from namedtensor.interop.onnx.evaluate import Evaluation
from namedtensor.interop.onnx.library import library
from tests.namedtensor.onnx import build

OPSET = 21
# Computed by JAX even where all numbers are known: shapes are not made of these.
IN_JAX = {"Col2Im", "LogSoftmax", "MeanVarianceNormalization", "ReduceLogSumExp", "Softmax"}


@dataclass(frozen=True)
class Held:
    """An operand that the file holds."""

    array: np.ndarray


@dataclass(frozen=True, eq=False)
class Row:
    """A node, its operands (arrays, `Held`, or None for one that is left out) and its attributes."""

    op: str
    operands: tuple[Any, ...]
    attributes: dict[str, Any]
    outputs: int
    opset: int

    @property
    def given(self) -> dict[int, np.ndarray]:
        """The operands that are inputs, by their places."""
        return {i: x for i, x in enumerate(self.operands) if isinstance(x, np.ndarray)}

    def __str__(self) -> str:
        told = [f"{k}={v}" for k, v in self.attributes.items()]
        shapes = [
            "_" if x is None else str(x.array.tolist() if isinstance(x, Held) else x.shape)
            for x in self.operands
        ]
        return f"{self.op}-{self.opset}({', '.join(shapes + told)})".replace(" ", "")[:80]


def row(op: str, *operands: Any, outputs: int = 1, opset: int = OPSET, **attributes: Any) -> Row:
    return Row(op, operands, attributes, outputs, opset)


def groups(rows: Sequence[Row]) -> list[Any]:
    """The rows of each operator and version, as parameters of a test."""
    together: dict[str, list[Row]] = {}
    for row in rows:
        together.setdefault(f"{row.op}-{row.opset}", []).append(row)
    return [pytest.param(found, id=name) for name, found in together.items()]


@dataclass(frozen=True)
class Model:
    """Several rows as one graph: its ModelProto, its inputs, and which outputs belong to which row."""

    proto: Any
    given: dict[str, np.ndarray]
    rows: Sequence[Row]

    def parted(self, out: Any) -> list[list[Any]]:
        """The outputs for each row."""
        out = list(out) if isinstance(out, tuple | list) else [out]
        return [[out.pop(0) for _ in range(row.outputs)] for row in self.rows]


def together(*rows: Row, double: bool = False) -> Model:
    """The rows as a graph; its floats have 64 bits, if ``double``."""
    nodes, made, given, weights = [], [], {}, {}
    for k, row in enumerate(rows):
        names = ["_" if x is None else f"x{k}_{i}" for i, x in enumerate(row.operands)]
        outputs = [f"y{k}_{i}" for i in range(row.outputs)]
        nodes.append(build.node(row.op, " ".join(names), " ".join(outputs), f"node{k}", **row.attributes))
        made += outputs
        given |= {names[i]: _wide(x, double) for i, x in row.given.items()}
        weights |= {
            name: _wide(x.array, double)
            for name, x in zip(names, row.operands, strict=True)
            if isinstance(x, Held)
        }
    inputs = [
        build.value(name, x.shape, helper.np_dtype_to_tensor_dtype(x.dtype)) for name, x in given.items()
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in made]
    return Model(build.model(nodes, inputs, outputs, weights, opset=rows[0].opset), given, rows)


def held(*numbers: Any, dtype: Any = np.int64) -> Held:
    """A vector that the file holds; one list, or one number in brackets, is taken as it is."""
    return Held(np.asarray(numbers, dtype))


def scalar(number: Any, dtype: Any = np.int64) -> Held:
    return Held(np.asarray(number, dtype))


def floats(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    """Normal numbers of the scale 3, the same for the same shape."""
    return (3 * np.random.default_rng(shape).normal(size=shape)).astype(dtype)


def ints(low: int, high: int, *shape: int, dtype: Any = np.int64) -> np.ndarray:
    """Integers from ``low`` up to but without ``high``, the same for the same shape."""
    return np.random.default_rng(shape).integers(low, high, shape).astype(dtype)


def loaded(row: Row) -> nt.interop.onnx.OnnxModel:
    """A row as a model of its own."""
    return nt.interop.onnx.load(together(row).proto)


def compared(rows: Sequence[Row], expected: Sequence[Any] | None = None) -> None:
    """The nodes are computed by a compiled program and in NumPy, and both give what onnxruntime does."""
    m = together(*rows)
    wanted = m.parted(build.runtime(m.proto, *m.given.values()) if expected is None else expected)
    traced = m.parted(nt.interop.onnx.load(m.proto)(**m.given))
    graph = parse.graph(m.proto.graph)
    given = [m.given[d.name] for d in graph.inputs]
    known = traced if rows[0].op in IN_JAX else m.parted(Evaluation(library(m.proto)).run(graph, given))
    for row, *outs in zip(rows, traced, known, wanted, strict=True):
        for by_jax, by_numpy, there in zip(*outs, strict=True):
            same(by_jax, there, f"{row}, compiled")
            same(by_numpy, there, f"{row}, known")


def same(found: Any, expected: np.ndarray, what: str) -> None:
    """float32 sums of a few numbers in another order differ by some units in the last place."""
    wanted = jax.dtypes.canonicalize_dtype(expected.dtype) if isinstance(found, jax.Array) else expected.dtype
    assert (np.shape(found), found.dtype) == (expected.shape, wanted), what
    a, b = np.asarray(found, np.float64), expected.astype(np.float64)
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5, err_msg=what)


def slopes(rows: Sequence[Row]) -> None:
    """Derivatives along a random direction agree with differences of two values, in 64 bits.

    Central differences with a step of 1e-6 of numbers of the size of 1 keep about 9 digits.
    """
    with jax.enable_x64(True):
        m = together(*rows, double=True)
        f, rng = nt.interop.onnx.load(m.proto), np.random.default_rng(7)
        real = {name: x for name, x in m.given.items() if x.dtype.kind == "f"}
        rest = {name: x for name, x in m.given.items() if name not in real}

        def weighed(x: Any) -> Any:
            """A sum of each row's numbers, each with a weight."""
            sums = [
                sum(jnp.vdot(np.cos(np.arange(y.size)), y) for y in out if y.dtype.kind == "f")
                for out in m.parted(f(**x, **rest))
            ]
            return sum(sums), jnp.stack(sums)

        slope_of = jax.jit(jax.value_and_grad(weighed, has_aux=True))
        direction = {name: rng.normal(size=x.shape) for name, x in real.items()}
        (_, up), (_, down) = (
            slope_of({n: x + h * direction[n] for n, x in real.items()})[0] for h in (1e-6, -1e-6)
        )
        gradient = slope_of(real)[1]
        for k, row in enumerate(rows):
            slope = sum(np.vdot(direction[n], g) for n, g in gradient.items() if n.startswith(f"x{k}_"))
            assert abs(slope) > 1e-3, f"{row} should test something"
            np.testing.assert_allclose(slope, (up - down)[k] / 2e-6, rtol=1e-6, atol=1e-7, err_msg=str(row))


def _wide(x: np.ndarray, double: bool) -> np.ndarray:
    return x.astype(np.float64) if double and x.dtype.kind == "f" else x
