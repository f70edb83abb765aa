"""Rule F: new tensors from names and sizes, or like another tensor."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._dims import Dims, Sizes, check_name, require_new, sized
from namedtensor._errors import BadPattern, Unsupported, describe, showing
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor, operand
from namedtensor.ops._static import whole
from namedtensor.ops._table import method, named_function, public


def _number(value: Any) -> Any:
    array, there = operand(value)
    if there:
        raise Unsupported(f"the value is {describe(value)}, not a number.", "Write value + nt.zeros(shape).")
    return array


def _filled(name: str, shape: Sizes, value: Any, dtype: Any) -> NamedTensor:
    with showing(f"nt.{name}({shape!r})"):
        names, sizes = sized(shape)
        return NamedTensor(jnp.full(sizes, _number(value), dtype=dtype), names)


def full(shape: Sizes, value: Any, *, dtype: Any = None) -> NamedTensor:
    """A tensor of one value.

    Args:
      shape: names and sizes, ``"batch:8 embed:64"`` or ``{"batch": 8, "embed": 64}``.
      value: a number.
      dtype: that of the value by default.

    Raises:
      BadPattern: a name without a size.
      Unsupported: ``value`` has dims.

    Example:
      >>> import namedtensor as nt
      >>> nt.full("batch:2", 7, dtype=int).array
      Array([7, 7], dtype=int32)
    """
    return _filled("full", shape, value, dtype)


def zeros(shape: Sizes, *, dtype: Any = None) -> NamedTensor:
    """A tensor of zeros; ``shape`` is ``"batch:8 embed:64"`` or ``{"batch": 8, "embed": 64}``.

    Example:
      >>> import namedtensor as nt
      >>> features = 64
      >>> nt.zeros({"embed": features, "ff": 4 * features}).shape
      Shape(embed:64 ff:256)
    """
    return _filled("zeros", shape, 0.0, dtype or float)


def ones(shape: Sizes, *, dtype: Any = None) -> NamedTensor:
    """A tensor of ones; ``shape`` is ``"batch:8 embed:64"`` or ``{"batch": 8, "embed": 64}``.

    Example:
      >>> import namedtensor as nt
      >>> nt.ones("batch:2").array
      Array([1., 1.], dtype=float32)
    """
    return _filled("ones", shape, 1.0, dtype or float)


def empty(shape: Sizes, *, dtype: Any = None) -> NamedTensor:
    """A tensor of any values, which are zeros in JAX; ``shape`` is as for `zeros`.

    Example:
      >>> import namedtensor as nt
      >>> nt.empty("batch:2 embed:4").shape
      Shape(batch:2 embed:4)
    """
    return _filled("empty", shape, 0.0, dtype or float)


def _like(name: str, positional: Callable[..., Any], value: str) -> Callable[..., NamedTensor]:
    operation = Operation(name, lambda names, dtype: Body(lambda a: positional(a, dtype=dtype), names[0]))

    def call(x: NamedTensor, *, dtype: Any = None) -> NamedTensor:
        return run(operation, (x,), (dtype,))

    rule = f"""A tensor of {value} with the names and sizes of ``x``, and its dtype unless another is given.

    Example:
      >>> import namedtensor as nt
      >>> nt.arange("seq", 3).{name}().shape
      Shape(seq:3)"""
    return method(named_function(call, name, rule))


empty_like = _like("empty_like", jnp.empty_like, "any values")
ones_like = _like("ones_like", jnp.ones_like, "ones")
zeros_like = _like("zeros_like", jnp.zeros_like, "zeros")


def _full_like_rule(names: tuple[Dims, ...], dtype: Any) -> Body:
    there, value = names
    if value:
        raise Unsupported(f"the value has the dims '{value}'.", "Write value + x.zeros_like().")
    return Body(lambda array, number: jnp.full_like(array, number, dtype=dtype), there)


_full_like = Operation("full_like", _full_like_rule)


@method
def full_like(x: NamedTensor, value: Any, *, dtype: Any = None) -> NamedTensor:
    """A tensor of one value with the names and sizes of ``x``, and its dtype unless another is given.

    Raises:
      Unsupported: ``value`` has dims.

    Example:
      >>> import namedtensor as nt
      >>> nt.arange("seq", 3).full_like(7).array
      Array([7, 7, 7], dtype=int32)
    """
    return run(_full_like, (x, value), (dtype,))


def _matrix(name: str, shape: Sizes) -> tuple[Dims, tuple[int, ...]]:
    names, sizes = sized(shape)
    if len(names) != 2:
        raise BadPattern(
            f"a matrix has two dims, '{names}' are {len(names)}.", f"Write nt.{name}('row:3 col:3')."
        )
    return names, sizes


def eye(shape: Sizes, *, k: int = 0, dtype: Any = None) -> NamedTensor:
    """1 where ``col == row + k``, else 0; ``shape`` is ``"row:3 col:4"``.

    Raises:
      BadPattern: not two dims.

    Example:
      >>> import namedtensor as nt
      >>> nt.eye("row:2 col:2").array
      Array([[1., 0.],
             [0., 1.]], dtype=float32)
    """
    with showing(f"nt.eye({shape!r})"):
        names, sizes = _matrix("eye", shape)
        return NamedTensor(jnp.eye(*sizes, k=whole(k, "k"), dtype=dtype), names)


def tri(shape: Sizes, *, k: int = 0, dtype: Any = None) -> NamedTensor:
    """1 where ``col <= row + k``, else 0; ``shape`` is ``"row:3 col:4"``.

    Raises:
      BadPattern: not two dims.

    Example:
      >>> import namedtensor as nt
      >>> nt.tri("query:2 key:2", dtype=bool).array
      Array([[ True, False],
             [ True,  True]], dtype=bool)
    """
    with showing(f"nt.tri({shape!r})"):
        names, sizes = _matrix("tri", shape)
        return NamedTensor(jnp.tri(*sizes, k=whole(k, "k"), dtype=dtype), names)


def _one_hot_rule(names: tuple[Dims, ...], dim: str, size: int, dtype: Any) -> Body:
    (there,) = names
    require_new(there, dim)
    return Body(lambda ids: jax.nn.one_hot(ids, size, dtype=dtype), Dims([*there, dim]))


_one_hot = Operation(
    "one_hot",
    _one_hot_rule,
    ("dim", "size"),
    lambda dim, size, dtype: (check_name(dim), whole(size, "size", least=0), dtype),
)


@method
def one_hot(ids: NamedTensor, dim: str, size: int, *, dtype: Any = jnp.float32) -> NamedTensor:
    """1 at each of the positions ``ids`` along the new dim ``dim``, 0 elsewhere (all 0 out of range).

    Raises:
      DuplicateDim: ``ids`` has ``dim`` already.

    Example:
      >>> import namedtensor as nt
      >>> nt.one_hot(nt.tensor([1, 0], "batch"), "class", 3).array
      Array([[0., 1., 0.],
             [1., 0., 0.]], dtype=float32)
    """
    return run(_one_hot, (ids,), (dim, size, dtype))


__all__ = public(globals())
