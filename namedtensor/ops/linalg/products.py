"""The cross product: the one product of vectors that is no contraction."""

import jax.numpy as jnp

from namedtensor._dims import Dims, Spec, dims, require, union, without
from namedtensor._errors import RankMismatch, SizeMismatch
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._align import align
from namedtensor.ops._table import public


def _cross_rule(names: tuple[Dims, ...], over: Dims) -> Body:
    for there in names:
        require(there, over)
    order = Dims([*without(union(*names), over), *over])

    def cross(*arrays):
        left, right = [align(a, d, order) for a, d in zip(arrays, names, strict=True)]
        if left.shape[-1] != 3:
            raise SizeMismatch(
                f"'{over}' is {left.shape[-1]}, and a cross product takes vectors of 3.",
                "Name the dim of size 3: over='xyz'.",
            )
        return jnp.linalg.cross(left, right)

    return Body(cross, order)


def _one(over: Spec) -> tuple[Dims]:
    found = dims(over)
    if len(found) != 1:
        raise RankMismatch(f"a vector has one dim, and '{found}' are {len(found)}.", "Write over='xyz'.")
    return (found,)


_cross = Operation("linalg.cross", _cross_rule, ("over",), _one)


def cross(x: NamedTensor, y: NamedTensor, over: Spec) -> NamedTensor:
    """The cross product ``x1 y2 - x2 y1, x2 y0 - x0 y2, x0 y1 - x1 y0`` of vectors of 3.

    Args:
      x: ``[xyz ...]``.
      y: ``[xyz ...]``; its other dims are matched by name.
      over: the dim of size 3, in both.

    Returns:
      The union of the names.

    Raises:
      UnknownDim: an operand lacks ``over``.
      SizeMismatch: its size is not 3.

    Example:
      >>> import namedtensor as nt
      >>> x, y = nt.tensor([1.0, 0.0, 0.0], "xyz"), nt.tensor([0.0, 1.0, 0.0], "xyz")
      >>> nt.linalg.cross(x, y, over="xyz").array
      Array([0., 0., 1.], dtype=float32)
    """
    return run(_cross, (x, y), (over,))


__all__ = public(globals())
