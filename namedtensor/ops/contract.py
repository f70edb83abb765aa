"""Rule C: a contraction sums products over names; shared names that stay are batch dims.

Two tensors are one `lax.dot_general`, with no transpose: the result is stored as it comes out, since
storage order never matters. More than two are multiplied pairwise, in the order of the fewest FLOPs.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor._dims import Dims, Spec, dims, require, union, without
from namedtensor._errors import BadPattern, MissingDim
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._align import align
from namedtensor.ops._table import attach


def _pair(a: Dims, b: Dims, over: Dims) -> tuple[Any, Dims]:
    """Dimension numbers of one `lax.dot_general`, and the names of its result."""
    shared = [d for d in a if d in b]
    gone = [d for d in shared if d in over]
    batch = [d for d in shared if d not in over]
    numbers = tuple(([a.index(d) for d in which], [b.index(d) for d in which]) for which in (gone, batch))
    return numbers, Dims([*batch, *without(a, shared), *without(b, shared)])


def _path(names: Sequence[Dims], keep: Dims, tensors: Sequence[Any]) -> list[tuple[int, ...]]:
    """The pairs to multiply, in the order of the fewest FLOPs (the search of opt_einsum)."""
    letters = {d: chr(0x4E00 + i) for i, d in enumerate(union(*names))}  # more than the alphabet has
    spelled = ["".join(letters[d] for d in there) for there in (*names, keep)]
    formula = f"{','.join(spelled[:-1])}->{spelled[-1]}"
    # stand-ins for the tensors, of no memory: a path depends on shapes alone
    return jnp.einsum_path(formula, *[np.broadcast_to(np.float32(0), t.shape) for t in tensors])[0]


def _left_to_right(count: int) -> list[tuple[int, int]]:
    """The pairs in the order in which the operands are written."""
    return [(0, 1), *[(last, 0) for last in range(count - 2, 0, -1)]] if count > 1 else []


def _steps(
    names: Sequence[Dims], keep: Dims, path: Sequence[tuple[int, ...]], wanted: Dims | None = None
) -> tuple[list[tuple[int, int, Any]], Dims]:
    """``(left, right, dimension numbers)`` of each pair of the path, and the names of the last product.

    A pair is taken out of the list of operands, and its product put at the end.
    """
    operands, steps = list(names), []
    for left, right in path:
        a, b = operands[left], operands[right]
        operands = [d for i, d in enumerate(operands) if i not in (left, right)]
        over = without(union(a, b), union(keep, *operands))
        numbers, product = _pair(a, b, over)
        if (
            not operands and wanted is not None and product is not wanted
        ):  # the other way round may save a transpose
            (left, right), (numbers, product) = (right, left), _pair(b, a, over)
        steps.append((left, right, numbers))
        operands.append(product)
    return steps, operands[0]


def _alone(there: Dims, factors: Sequence[Dims], keep: Dims) -> Dims:
    """The names that are summed and that one operand alone has: they go before it is multiplied."""
    return Dims(d for d in there if d not in keep and sum(d in other for other in factors) == 1)


# To ask jax.numpy about dtypes costs more than the product does while JAX traces; most are one dtype.
def _common(*arrays: Any) -> Any:
    """The dtype that all promote to."""
    dtypes = {getattr(a, "dtype", None) for a in arrays}
    return dtypes.pop() if len(dtypes) == 1 and None not in dtypes else jnp.result_type(*arrays)


def _cast(array: Any, dtype: Any) -> Any:
    """``array`` in this dtype."""
    return array if getattr(array, "dtype", None) == dtype else jnp.asarray(array, dtype)


def contraction(
    names: tuple[Dims, ...], keep: Dims, precision: Any, preferred_element_type: Any
) -> tuple[Callable[..., Any], Dims]:
    """The body that sums the product of all operands over the names that are not kept, and its names."""
    factors = [there for there in names if there]
    alone = [_alone(there, factors, keep) for there in factors]
    reduced = [without(there, gone) for there, gone in zip(factors, alone, strict=True)]
    # The best order depends on sizes and the names must not: they are those of left to right.
    result = _steps(reduced, keep, _left_to_right(len(reduced)))[1] if factors else Dims()
    fixed = _steps(reduced, keep, [(0, 1)] * (len(reduced) - 1), result) if len(reduced) in (1, 2) else None

    def summed(array, there, gone):
        axes = tuple(there.index(d) for d in gone)
        return jnp.sum(array, axes, dtype=preferred_element_type) if gone else array

    def multiply(left, right, how):
        dtype = _common(left, right)
        left, right = _cast(left, dtype), _cast(right, dtype)
        return jax.lax.dot_general(
            left, right, how, precision=precision, preferred_element_type=preferred_element_type
        )

    def contract(*arrays):
        dtype = _common(*arrays)
        numbers = [_cast(a, dtype) for a, there in zip(arrays, names, strict=True) if not there]
        tensors = [_cast(a, dtype) for a, there in zip(arrays, names, strict=True) if there]
        tensors = [summed(*each) for each in zip(tensors, factors, alone, strict=True)]
        if tensors:
            steps, there = fixed or _steps(reduced, keep, _path(reduced, keep, tensors), result)
            for left, right, how in steps:
                product = multiply(tensors[left], tensors[right], how)
                tensors = [*[t for i, t in enumerate(tensors) if i not in (left, right)], product]
            numbers.insert(0, align(tensors[0], there, result))
        return functools.reduce(jnp.multiply, numbers)

    return contract, result


def _require_shared(names: tuple[Dims, ...], over: Dims) -> None:
    """Each dim that is summed over is in two operands at least; a name in one alone is a slip."""
    if not names:
        raise BadPattern("there is nothing to multiply.", "Write nt.dot(x, y, over='embed').")
    require(union(*names), over)
    for dim in over if len(names) > 1 else ():
        if sum(dim in there for there in names) < 2:
            raise MissingDim(
                f"{dim!r} is a dim of one operand alone, and a contraction sums over shared dims.",
                f"If it is meant, sum it first: x.sum({dim!r}).",
            )


def _rule(names: tuple[Dims, ...], over: Dims, precision: Any, preferred_element_type: Any) -> Body:
    _require_shared(names, over)
    return Body(*contraction(names, without(union(*names), over), precision, preferred_element_type))


def numerics(precision: Any, preferred_element_type: Any) -> tuple[Any, Any]:
    """What `jax.lax.dot_general` is told about rounding, as a key."""
    precision = tuple(precision) if isinstance(precision, list) else precision
    return precision, None if preferred_element_type is None else jnp.dtype(preferred_element_type)


_dot = Operation("dot", _rule, ("over",), lambda over, *how: (dims(over), *numerics(*how)))


def dot(*tensors: Any, over: Spec, precision: Any = None, preferred_element_type: Any = None) -> NamedTensor:
    """Sum of products over the dims ``over``.

    ``out[rest] = sum over ``over`` of the product of all tensors``. Names that two tensors share and
    that are not in ``over`` are matched pointwise, as the batch dims of a matrix product. So it is
    matmul, tensordot, inner, outer (``over=""``) and vdot, in one. More than two tensors are
    multiplied in the order of the fewest operations.

    Args:
      *tensors: two or more named tensors (one is summed); numbers multiply the result.
      over: the dims to sum over; each must be a dim of at least two of the tensors.
      precision: passed to `jax.lax.dot_general`.
      preferred_element_type: the dtype to add up in, and of the result, such as ``jnp.int32`` for
        small integers.

    Returns:
      A tensor with the union of the names, less ``over``.

    Raises:
      UnknownDim: a name of ``over`` that no tensor has.
      MissingDim: a name of ``over`` that one tensor alone has.
      SizeMismatch: a shared name with two sizes.

    Example:
      >>> import namedtensor as nt
      >>> x, w = nt.ones("batch:2 embed:3"), nt.ones("embed:3 ff:4")
      >>> nt.dot(x, w, over="embed").shape
      Shape(batch:2 ff:4)
    """
    return run(_dot, tensors, (over, precision, preferred_element_type))


def _dot_method(
    x: NamedTensor, over: Spec, *others: Any, precision: Any = None, preferred_element_type: Any = None
) -> NamedTensor:
    """``x.dot("embed", w)`` is ``nt.dot(x, w, over="embed")``."""
    return dot(x, *others, over=over, precision=precision, preferred_element_type=preferred_element_type)


attach("dot", _dot_method)


__all__ = ["dot"]
