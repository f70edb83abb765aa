"""Equations on public values, which cost nothing.

JAX compiles each operation anew for each shape, which takes longer than all the arithmetic of a small model.
NumPy computes the same bits for those that move, compare, or add numbers once (but for subnormal ones, which
XLA takes for zero); the others are JAX's.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from crypten_lite.rules import shapes
from namedtensor.interpreter import Equation, compat

_SAME: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "add_any": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "neg": np.negative,
    "abs": np.abs,
    "square": np.square,
    "max": np.maximum,
    "min": np.minimum,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "not": np.invert,
    "is_finite": np.isfinite,
}
_WITH_PARAMS: dict[str, Callable[..., Any]] = {
    "iota": lambda eqn: _iota(**eqn.params),
    "select_n": lambda eqn, which, *cases: np.choose(np.asarray(which).astype(np.intp), cases),
    "concatenate": lambda eqn, *values: np.concatenate(values, eqn.params["dimension"]),
    "pad": lambda eqn, x, fill: _padded(eqn, x, fill),
    "reduce_max": lambda eqn, x: np.max(x, eqn.params["axes"]),
    "reduce_min": lambda eqn, x: np.min(x, eqn.params["axes"]),
    "reduce_or": lambda eqn, x: np.any(x, eqn.params["axes"]),
    "reduce_and": lambda eqn, x: np.all(x, eqn.params["axes"]),
}


def evaluate(eqn: Equation, *values: Any) -> Any:
    """An equation none of whose operands is secret, with the bits that JAX computes."""
    if eqn.primitive in compat.JIT and _is_inlined(compat.called(eqn.params).jaxpr):
        return eqn.walk(compat.called(eqn.params), *values)
    if not _is_numpys(eqn.primitive, eqn.inputs, eqn.outputs):
        return eqn.bind(*values)
    arrays = [np.asarray(v, aval.dtype) for v, aval in zip(values, eqn.inputs, strict=True)]
    with np.errstate(all="ignore"):  # as JAX does
        return np.asarray(_computed(eqn, arrays), eqn.outputs[0].dtype)


def _computed(eqn: Equation, values: list[Any]) -> Any:
    if eqn.primitive in _SAME:
        return _SAME[eqn.primitive](*values)
    if eqn.primitive in _WITH_PARAMS:
        return _WITH_PARAMS[eqn.primitive](eqn, *values)
    if eqn.primitive in shapes.STRUCTURE:
        return shapes.STRUCTURE[eqn.primitive](eqn, values[0][None])[0]
    return values[0]  # of another dtype


def _is_inlined(jaxpr: Any) -> bool:
    """Whether a jitted function may be evaluated step by step: where two steps round, XLA may fuse them."""
    avals = [(e.primitive.name, [v.aval for v in e.invars], [v.aval for v in e.outvars]) for e in jaxpr.eqns]
    rounded = [name for name, _, out in avals if name in _ROUNDED and out[0].dtype.kind == "f"]
    return len(rounded) < 2 and all(_is_numpys(*each) for each in avals)


_ROUNDED = ("add", "add_any", "sub", "mul", "square")


def _is_numpys(primitive: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> bool:
    """Whether NumPy gives the same bits."""
    if not all(_is_plain(aval) for aval in (*inputs, *outputs)) or primitive == "reduce_precision":
        return False
    if primitive == "convert_element_type":  # of floats to integers NumPy has its own idea
        return inputs[0].dtype.kind != "f" or outputs[0].dtype.kind in "bf"
    if primitive in ("reduce_max", "reduce_min") and not inputs[0].size:
        return False
    return primitive in _SAME or primitive in _WITH_PARAMS or primitive in shapes.STRUCTURE


def _is_plain(aval: Any) -> bool:
    """Not so: keys, tokens, and floats that NumPy does not have."""
    dtype = getattr(aval, "dtype", None)
    return isinstance(dtype, np.dtype) and dtype.kind in "biuf"


def _iota(*, dtype: Any, shape: Any, dimension: int, **_: Any) -> Any:
    line = np.arange(shape[dimension]).reshape([-1 if a == dimension else 1 for a in range(len(shape))])
    return np.broadcast_to(line, shape).astype(dtype)


def _padded(eqn: Equation, x: Any, fill: Any) -> Any:
    outside = shapes.padded(eqn, np.ones((1, *x.shape), np.uint8))[0] == 0
    return np.where(outside, fill, shapes.padded(eqn, x[None])[0])
