"""Assertions about named tensors, for tests: order-free, and saying which element differs.

Values are compared on the host in double precision, so a comparison adds no rounding of its own.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from namedtensor._dims import in_transit
from namedtensor._errors import Unsupported, describe, showing
from namedtensor._tensor import NamedTensor, is_named

__all__ = ["assert_allclose", "assert_equal"]

_NO_NUMBERS = "OUSmM"  # kinds of dtypes: objects, texts and dates, which are equal or not


def assert_allclose(x: Any, y: Any, *, rtol: float | None = None, atol: float = 0.0) -> None:
    """Check ``|x - y| <= atol + rtol * |y|`` for each element, in whatever order the axes are stored.

    NaN is equal to NaN. Dtypes are not compared. A Python number is compared with every element.

    Args:
      x: a tensor, an array, a number, or a pytree of them.
      y: what it should be, of the same structure, names and sizes.
      rtol: by default half of the digits of the coarser dtype, the square root of its epsilon as in
        Julia's ``isapprox`` (3.5e-4 in single precision); 0 where both are integers.
      atol: by default 0, so that nothing but 0 is close to 0.

    Raises:
      AssertionError: names, sizes or values differ. It reports the first element that differs by
        name, the largest errors, and how many elements differ.

    Example:
      >>> import namedtensor as nt
      >>> x = nt.tensor([[1.0, 2.0]], "batch embed")
      >>> nt.testing.assert_allclose(x, nt.tensor([[1.0], [2.0]], "embed batch"))
      >>> nt.testing.assert_allclose(x, 2.0)
      Traceback (most recent call last):
      AssertionError: not close (rtol=0.000345, atol=0) in 1 of 2 values.
        first at batch=0 embed=0: 1.0 on the left, 2.0 on the right
        largest absolute error at batch=0 embed=0: 1
        largest relative error at batch=0 embed=0: 0.5
        left f32[batch:1 embed:2] ~N(1.5, 0.5) in [1, 2] on cpu
        right 2.0
    """
    for limit in (rtol, atol):
        if limit is not None and not limit >= 0:
            raise ValueError(f"a tolerance is a number from 0 on, not {limit!r}.")
    for place, left, right in _pairs(x, y):
        _compare(place, left, right, rtol, atol)


def assert_equal(x: Any, y: Any) -> None:
    """Check that names, sizes and all values are equal, in whatever order the axes are stored.

    NaN is equal to NaN. Dtypes are not compared. A Python number is compared with every element.

    Args:
      x: a tensor, an array, a number, or a pytree of them.
      y: what it should be, of the same structure, names and sizes.

    Raises:
      AssertionError: names, sizes or values differ, reported as by `assert_allclose`.

    Example:
      >>> import namedtensor as nt
      >>> nt.testing.assert_equal({"w": nt.ones("a:2 b:1")}, {"w": nt.ones("b:1 a:2")})
    """
    for place, left, right in _pairs(x, y):
        _compare(place, left, right, 0.0, 0.0)


def _pairs(x: Any, y: Any) -> Iterator[tuple[str, Any, Any]]:
    """The leaves of two trees of one structure, with words for their place."""
    left, structure = jax.tree_util.tree_flatten_with_path(x, is_leaf=is_named)
    right, other = jax.tree.flatten(y, is_leaf=is_named)
    if structure != other:
        raise AssertionError(f"the structures differ:\n  left {structure}\n  right {other}")
    for (path, a), b in zip(left, right, strict=True):
        yield (f"{jax.tree_util.keystr(path)}: " if path else ""), a, b


class _Values(NamedTuple):
    """The values of a leaf on the host; ``names`` are None for arrays, whose axes have positions."""

    array: np.ndarray
    names: tuple[str, ...] | None
    number: bool


def _values(x: Any) -> _Values:
    array = x.array if isinstance(x, NamedTensor) else x
    if isinstance(array, Tracer):
        raise Unsupported(
            "the values are not known while JAX traces.", "Compare results outside of jax.jit and jax.grad."
        )
    names = tuple(x.dims) if isinstance(x, NamedTensor) else None
    if isinstance(x, NamedTensor) and np.ndim(array) != len(x.dims):
        raise in_transit(np.shape(array), x.dims)
    if isinstance(array, jax.Array) and jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        array, names = jax.random.key_data(array), None if names is None else (*names, "key_data")
    number = isinstance(x, bool | int | float | complex | np.generic)
    return _Values(np.asarray(array), names, number)


def _compare(place: str, x: Any, y: Any, rtol: float | None, atol: float) -> None:
    with showing("nt.testing", x, y):
        left, right = _values(x), _values(y)
    shown = f"\n  left {_shown(x)}\n  right {_shown(y)}"
    if left.array.dtype.kind in _NO_NUMBERS or right.array.dtype.kind in _NO_NUMBERS:
        if not np.array_equal(left.array, right.array):
            raise AssertionError(f"{place}not equal:{shown}")
        return
    if not (left.number or right.number):
        _same_shape(place, left, right, shown)
        if left.names is not None and right.names is not None:
            right = right._replace(array=right.array.transpose([right.names.index(d) for d in left.names]))
    rtol = _default(left, right) if rtol is None else rtol
    a, b = np.broadcast_arrays(left.array, right.array)
    bad = ~_close(a, b, rtol, atol)
    if bad.any():
        names = right.names if left.number else left.names
        rule = "not close (" + f"rtol={rtol:.3g}, atol={atol:.3g})" if rtol or atol else "not equal"
        raise AssertionError(f"{place}{rule} {_report(a, b, bad, names)}{shown}")


def _same_shape(place: str, left: _Values, right: _Values, shown: str) -> None:
    if (left.names is None) != (right.names is None):
        raise AssertionError(f"{place}only one of them has names.{shown}")
    if set(left.names or ()) != set(right.names or ()):
        here, there = " ".join(left.names or ()), " ".join(right.names or ())
        raise AssertionError(f"{place}the names differ: '{here}' and '{there}'.{shown}")
    keys = [left.names or range(left.array.ndim), right.names or range(right.array.ndim)]
    sizes, others = (
        dict(zip(k, v.array.shape, strict=True)) for k, v in zip(keys, (left, right), strict=True)
    )
    if len(sizes) != len(others):
        raise AssertionError(f"{place}the numbers of axes differ.{shown}")
    if differ := [k for k in sizes if sizes[k] != others[k]]:
        told = ", ".join(f"{k!r} is {sizes[k]} on the left, {others[k]} on the right" for k in differ)
        raise AssertionError(f"{place}the sizes differ: {told}.{shown}")


def _inexact(array: np.ndarray) -> bool:
    return jnp.issubdtype(array.dtype, jnp.inexact)


def _default(*sides: _Values) -> float:
    # a number takes the precision of what it is compared with
    weighed = [s.array.dtype for s in sides if _inexact(s.array) and not s.number]
    weighed = weighed or [s.array.dtype for s in sides if _inexact(s.array)]
    return max((float(jnp.finfo(d).eps) ** 0.5 for d in weighed), default=0.0)


def _close(a: np.ndarray, b: np.ndarray, rtol: float, atol: float) -> np.ndarray:
    same = a == b
    if not (_inexact(a) or _inexact(b)) and not (rtol or atol):
        return same  # integers of 64 bits do not fit double precision
    a, b = _wide(a), _wide(b)
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.isfinite(a) & np.isfinite(b) & (np.abs(a - b) <= atol + rtol * np.abs(b))
    return same | near | (np.isnan(a) & np.isnan(b))


def _wide(array: np.ndarray) -> np.ndarray:
    return array.astype(np.complex128 if jnp.issubdtype(array.dtype, jnp.complexfloating) else np.float64)


def _report(a: np.ndarray, b: np.ndarray, bad: np.ndarray, names: tuple[str, ...] | None) -> str:
    at, left, right = np.argwhere(bad), _wide(a[bad]), _wide(b[bad])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        errors = {"absolute": (error := np.abs(left - right)), "relative": error / np.abs(right)}
    lines = [
        f"in {len(at)} of {bad.size} values.",
        f"first{_place(at[0], names)}: {a[bad][0]} on the left, {b[bad][0]} on the right",
    ]
    for kind, values in errors.items():
        finite = np.where(np.isfinite(values), values, -1.0)
        if (largest := finite.max()) >= 0:
            lines.append(f"largest {kind} error{_place(at[finite.argmax()], names)}: {largest:.3g}")
    if unpaired := int((np.isnan(left) != np.isnan(right)).sum()):
        lines.append(f"NaN on one side only: {unpaired}")
    return "\n  ".join(lines)


def _place(index: np.ndarray, names: tuple[str, ...] | None) -> str:
    if not index.size:
        return ""
    if names is None:
        return f" at [{', '.join(map(str, index))}]"
    return " at " + " ".join(f"{name}={i}" for name, i in zip(names, index, strict=True))


def _shown(x: Any) -> str:
    return repr(x) if isinstance(x, NamedTensor) else describe(x)
