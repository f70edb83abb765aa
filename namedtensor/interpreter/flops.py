"""What one equation costs, in floating-point operations, from the shapes of its operands alone.

Products are exact: a product and a sum are two operations, and what a convolution would multiply by
its padding is not counted, as XLA counts it too. All else is a convention: one operation for each
result of an elementwise function, be it a sum or a logarithm, one for each value that a reduction
takes in, none for moving data. The costs of calls and loops are those of their bodies (`costs`).
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


_ELEMENTWISE = _set(
    """abs acos acosh add add_any and asin asinh atan atan2 atanh bessel_i0e bessel_i1e cbrt ceil clamp clz
    complex conj cos cosh digamma div eq eq_to erf erf_inv erfc exp exp2 expm1 floor ge gt igamma
    igamma_grad_a igammac imag integer_pow is_finite le le_to lgamma log log1p logistic lt lt_to max min mul
    ne neg nextafter not or polygamma population_count pow real reduce_precision
    regularized_incomplete_beta rem round rsqrt select_n shift_left shift_right_arithmetic
    shift_right_logical sign sin sinh sqrt square sub tan tanh xor zeta
    cumlogsumexp cummax cummin cumprod cumsum random_bits random_fold_in random_gamma random_seed
    random_split random_wrap random_unwrap rng_bit_generator rng_uniform threefry2x32"""
)
_MOVES = _set(
    """after_all all_gather all_to_all axis_index bitcast_convert_type broadcast_in_dim concatenate
    convert_element_type copy copy_p create_token device_put dynamic_slice dynamic_update_slice empty empty2
    expand_dims gather iota layout_constraint mesh_cast name optimization_barrier pad pbroadcast ppermute
    pvary reshape reshard rev scatter sharding_constraint slice split squeeze stop_gradient
    transpose"""
)
_REDUCTIONS = _set(
    """argmax argmin reduce reduce_and reduce_max reduce_min reduce_or reduce_prod reduce_sum
    reduce_xor"""
)
_WINDOWS = _set("reduce_window reduce_window_max reduce_window_min reduce_window_sum")
_SCATTERS = _set(
    "scatter-add scatter_add scatter-max scatter_max scatter-min scatter_min scatter-mul scatter_mul"
)


def of_equation(eqn: Any) -> int | None:
    """The operations of one equation that holds no jaxpr to run; None where there is no rule for it."""
    name = eqn.primitive.name
    if name in _MOVES:
        return 0
    if name in _ELEMENTWISE:
        return max(_size(v) for v in eqn.outvars)
    if name in _REDUCTIONS:
        return _size(eqn.invars[0]) - _size(eqn.outvars[0])
    if name in _WINDOWS:
        return _size(eqn.outvars[0]) * (math.prod(eqn.params["window_dimensions"]) - 1)
    if name in _SCATTERS:
        return _size(eqn.invars[2])
    rule = _RULES.get(name)
    return None if rule is None else rule(eqn)


def _size(var: Any) -> int:
    return math.prod(getattr(var.aval, "shape", ()))


def _dot(eqn: Any) -> int:
    (summed, _), _ = eqn.params["dimension_numbers"]
    return 2 * _size(eqn.outvars[0]) * math.prod(eqn.invars[0].aval.shape[axis] for axis in summed)


def _conv(eqn: Any) -> int:
    p, numbers = eqn.params, eqn.params["dimension_numbers"]
    image, kernel, out = (v.aval.shape for v in (*eqn.invars[:2], eqn.outvars[0]))
    products = out[numbers.out_spec[0]] * out[numbers.out_spec[1]] * kernel[numbers.rhs_spec[1]]
    for axis, (before, _) in enumerate(p["padding"]):
        products *= _met(
            image[numbers.lhs_spec[2 + axis]],
            kernel[numbers.rhs_spec[2 + axis]],
            out[numbers.out_spec[2 + axis]],
            p["window_strides"][axis],
            before,
            p["lhs_dilation"][axis],
            p["rhs_dilation"][axis],
        )
    return 2 * products


def _met(image: int, kernel: int, out: int, stride: int, before: int, spread: int, spacing: int) -> int:
    """Along one axis, how often a position of the kernel meets a value, not padding nor a hole."""
    starts, end = np.arange(out) * stride - before, (image - 1) * spread
    places = (starts + k * spacing for k in range(kernel))
    return sum(int(((at >= 0) & (at <= end) & (at % spread == 0)).sum()) for at in places)


def _sort(eqn: Any) -> int:
    size = _size(eqn.invars[0])
    length = eqn.invars[0].aval.shape[eqn.params["dimension"]]
    return size * max(length - 1, 0).bit_length()


def _top_k(eqn: Any) -> int:
    return _size(eqn.invars[0]) * max(eqn.params["k"] - 1, 1).bit_length()


def _fft(eqn: Any) -> int:
    points = math.prod(eqn.params["fft_lengths"])
    shape = max((v.aval.shape for v in (*eqn.invars, *eqn.outvars)), key=math.prod)
    batch = math.prod(shape[: len(shape) - len(eqn.params["fft_lengths"])])
    return round(5 * batch * points * math.log2(max(points, 2)))


def _of_matrices(count: Callable[[int, int], float]) -> Callable[[Any], int]:
    """The rule of a factorization of ``m x n`` matrices; the classical leading term."""

    def rule(eqn: Any) -> int:
        *batch, m, n = eqn.invars[0].aval.shape
        return round(math.prod(batch) * count(m, n))

    return rule


def _triangular_solve(eqn: Any) -> int:
    n = eqn.invars[0].aval.shape[-1]
    return _size(eqn.invars[1]) * n


def _least(m: int, n: int) -> float:
    """Householder's QR of a matrix, whichever of its sides is the longer one."""
    long, short = max(m, n), min(m, n)
    return 2 * short**2 * (long - short / 3)


def _scattered(eqn: Any) -> int:
    return _size(eqn.invars[0]) * math.prod(eqn.params.get("window_dimensions", (1,)))


_RULES: dict[str, Callable[[Any], int]] = {
    "dot_general": _dot,
    "conv_general_dilated": _conv,
    "sort": _sort,
    "top_k": _top_k,
    "approx_top_k": _top_k,
    "fft": _fft,
    "select_and_scatter_add": _scattered,
    "select_and_gather_add": _scattered,
    "cholesky": _of_matrices(lambda m, n: n**3 / 3),
    "lu": _of_matrices(lambda m, n: m * n * min(m, n) - min(m, n) ** 3 / 3),
    "qr": _of_matrices(_least),
    "geqrf": _of_matrices(_least),
    "householder_product": _of_matrices(_least),
    "svd": _of_matrices(lambda m, n: 4 * m * n * min(m, n) + 8 * min(m, n) ** 3),
    "eigh": _of_matrices(lambda m, n: 9 * n**3),
    "triangular_solve": _triangular_solve,
}
