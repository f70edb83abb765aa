"""The primitives of JAX by kind, and how calls that are one scalar function are recognised.

What a rule table does with a primitive depends on what kind of function it is: linear in its data,
bilinear, elementwise. The kinds are facts about JAX, so they stand here once, for every table. Names
that one release of JAX does not have do no harm.
"""

from collections.abc import Sequence
from typing import Any

from namedtensor.interpreter import compat

# linear in all operands together; the order is kept and nothing is mixed in but zeros
JOINTLY_LINEAR = frozenset({
    "add", "add_any", "sub", "neg", "concatenate", "pad", "reshape", "transpose", "broadcast_in_dim",
    "squeeze", "expand_dims", "rev", "slice", "split", "tile", "stack", "copy", "copy_p", "real", "imag",
    "conj", "complex", "convert_element_type", "reduce_precision", "reduce_sum", "cumsum", "fft",
    "reduce_window_sum", "optimization_barrier", "sharding_constraint", "device_put", "psum", "psum2",
    "all_gather", "all_to_all", "ppermute", "reduce_scatter", "pvary", "pbroadcast",
})  # fmt: skip

# linear in the operands before the first index, as long as the indices are constant
LINEAR_WITH_INDICES: dict[str, tuple[int, ...]] = {
    "gather": (0,),
    "dynamic_slice": (0,),
    "dynamic_update_slice": (0, 1),
    "scatter": (0, 2),
    "scatter-add": (0, 2),
    "scatter_add": (0, 2),
    "scatter-sub": (0, 2),
    "scatter_sub": (0, 2),
}

# linear in one operand as long as the others are constant
LINEAR_IN: dict[str, int] = {
    "div": 0,
    "triangular_solve": 1,
    "select_and_scatter_add": 0,
    "select_and_gather_add": 0,
    "scatter-mul": 0,
    "scatter_mul": 0,
}

# linear in each of the first two operands
BILINEAR = frozenset({"mul", "dot_general", "conv_general_dilated", "ragged_dot", "ragged_dot_general"})

# a function of one number, for each element
UNARY = frozenset({
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "bessel_i0e", "bessel_i1e", "cbrt", "ceil",
    "cos", "cosh", "digamma", "erf", "erf_inv", "erfc", "exp", "exp2", "expm1", "floor", "integer_pow",
    "lgamma", "log", "log1p", "log2", "logistic", "one_minus_square", "polynomial", "round", "rsqrt", "sign",
    "sin", "sinh", "sqrt", "square", "tan", "tanh",
})  # fmt: skip

# a function of several numbers, for each element
NARY = frozenset({
    "atan2", "clamp", "div", "igamma", "igamma_grad_a", "igammac", "max", "min", "nextafter", "polygamma",
    "pow", "random_gamma_grad", "regularized_incomplete_beta", "rem", "zeta",
})  # fmt: skip

COMPARISONS = frozenset({"eq", "ne", "gt", "ge", "lt", "le", "eq_to", "le_to", "lt_to", "is_finite"})
BOOLEAN = frozenset({"and", "or", "xor", "not"})

ELEMENTWISE = UNARY | NARY

# what may stand inside a scalar function: results of the shape of the operands
_SCALAR = ELEMENTWISE | COMPARISONS | BOOLEAN
_SCALAR |= {"mul", "add", "add_any", "sub", "neg", "select_n", "convert_element_type", "copy", "copy_p"}
_SCALAR |= {"reduce_precision", "stop_gradient"}

_SCALAR_CALLS = (*compat.CALLS, *compat.CUSTOM_DERIVATIVES)


def scalar_function(jaxpr: Any, depends: Sequence[bool]) -> bool:
    """Whether a jaxpr has one result, which is for each element a function of the operands' same element.

    So it is for relu, gelu, silu, elu, softplus and their like, however they are written, and for
    whatever else was put into a jitted function or one with a custom derivative.

    Args:
      jaxpr: what a call calls.
      depends: which operands vary; the others are constants, which may have any shape.
    """
    inner = compat.closed(jaxpr).jaxpr
    return len(inner.outvars) == 1 and _is_elementwise(inner, depends)


def _is_elementwise(inner: Any, depends: Sequence[bool]) -> bool:
    """Whether all results are, each for each element, functions of the operands' same element."""
    varying = {v for v, d in zip(inner.invars, depends, strict=True) if d}
    shapes = {v.aval.shape for v in varying}
    if len(shapes) != 1:
        return False
    (shape,) = shapes
    for eqn in inner.eqns:
        given = [_is_in(v, varying) for v in eqn.invars]
        if not any(given):
            continue
        if any(v.aval.shape != shape for v in eqn.outvars) or not _is_scalar(eqn, given):
            return False
        varying.update(eqn.outvars)
    return all(_is_in(v, varying) for v in inner.outvars)


def _is_in(atom: Any, variables: set[Any]) -> bool:
    return not hasattr(atom, "val") and atom in variables  # a literal is never a variable


def _is_scalar(eqn: Any, depends: Sequence[bool]) -> bool:
    if eqn.primitive.name in _SCALAR_CALLS:
        return _is_elementwise(compat.called(eqn.params).jaxpr, depends)
    return eqn.primitive.name in _SCALAR
