"""Rule C: a contraction sums products over names; shared names that stay are batch dims."""

from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._dims import Dims, Spec, dims, require, union, without
from namedtensor._errors import BadPattern, MissingDim
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._table import attach


def _pair(a: Dims, b: Dims, over: Dims) -> tuple[Any, Dims]:
    """Dimension numbers of one `lax.dot_general`, and the names of its result."""
    shared = [d for d in a if d in b]
    gone = [d for d in shared if d in over]
    batch = [d for d in shared if d not in over]
    numbers = tuple(([a.index(d) for d in which], [b.index(d) for d in which]) for which in (gone, batch))
    return numbers, Dims([*batch, *without(a, shared), *without(b, shared)])


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


def _rule(names: tuple[Dims, ...], over: Dims, precision: Any) -> Body:
    _require_shared(names, over)
    there, steps = names[0], []
    for i, right in enumerate(names[1:], start=1):
        needed_later = union(Dims(), *names[i + 1 :])
        numbers, there = _pair(there, right, without(over, needed_later))
        steps.append(numbers)
    alone = tuple(there.index(d) for d in over if d in there)

    def contract(*arrays):
        dtype = jnp.result_type(*arrays)
        left, *rest = [jnp.asarray(a, dtype) for a in arrays]
        for numbers, right in zip(steps, rest, strict=True):
            left = jax.lax.dot_general(left, right, numbers, precision=precision)
        return left.sum(alone) if alone else left

    return Body(contract, without(there, over))


_dot = Operation("dot", _rule, ("over",), lambda over, precision: (dims(over), precision))


def dot(*tensors: NamedTensor, over: Spec, precision: Any = None) -> NamedTensor:
    """Sum of products over the dims ``over``.

    ``out[rest] = sum over ``over`` of the product of all tensors``. Names that two tensors share and
    that are not in ``over`` are matched pointwise, as the batch dims of a matrix product.

    Args:
      *tensors: two or more named tensors (one is summed).
      over: the dims to sum over; each must be a dim of at least two of the tensors.
      precision: passed to `jax.lax.dot_general`.

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
    return run(_dot, tensors, (over, precision))


def _dot_method(x: NamedTensor, over: Spec, *others: NamedTensor, precision: Any = None) -> NamedTensor:
    """``x.dot("embed", w)`` is ``nt.dot(x, w, over="embed")``."""
    return dot(x, *others, over=over, precision=precision)


attach("dot", _dot_method)


__all__ = ["dot"]
