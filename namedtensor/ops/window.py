"""Rule S, windows: slide one along a dim, or cut the dim into blocks."""

import jax.numpy as jnp
import numpy as np
from jax import lax

from namedtensor._dims import Dims, axis_of, check_name, require_new
from namedtensor._errors import SizeMismatch
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._static import whole
from namedtensor.ops._table import method, public

_FEW = 64  # windows of up to so many positions are slices


def _unroll_rule(names: tuple[Dims, ...], dim: str, new: str, size: int, stride: int, dilation: int) -> Body:
    (there,) = names
    axis = axis_of(there, dim)
    require_new(there, new)
    reach = (size - 1) * dilation + 1

    def unroll(array):
        length = array.shape[axis]
        if length < reach:
            raise SizeMismatch(
                f"{dim!r} is {length}, and a window is {reach} long.", "Pad it first: x.pad(...)."
            )
        if size > _FEW:  # one gather: a slice for each position would take long to compile
            starts = np.arange(0, length - reach + 1, stride)
            where = starts[:, None] + dilation * np.arange(size)
            return jnp.take(array, where, axis=axis, mode="clip")
        # slices: XLA fuses them with what follows, which a gather prevents (4 times as slow on a CPU)
        ends = [(i, length - reach + 1 + i) for i in range(0, reach, dilation)]
        return jnp.stack([lax.slice_in_dim(array, *end, stride, axis) for end in ends], axis + 1)

    return Body(unroll, Dims([*there[: axis + 1], new, *there[axis + 1 :]]))


def _parse_unroll(dim: str, new: str, size: int, stride: int, dilation: int) -> tuple:
    numbers = {"size": size, "stride": stride, "dilation": dilation}
    return check_name(dim), check_name(new), *[whole(n, k, least=1) for k, n in numbers.items()]


def _pool_rule(names: tuple[Dims, ...], dim: str, new: str, size: int) -> Body:
    (there,) = names
    axis = axis_of(there, dim)
    require_new(there, new)

    def pool(array):
        length = array.shape[axis]
        if length % size:
            raise SizeMismatch(
                f"{dim!r} is {length}, which is no multiple of {size}.",
                f"Pad it, x.pad({{{dim!r}: (0, {-length % size})}}), or cut it, "
                f"x.isel({dim}=slice({length - length % size})).",
            )
        return array.reshape(*array.shape[:axis], length // size, size, *array.shape[axis + 1 :])

    return Body(pool, Dims([*there[: axis + 1], new, *there[axis + 1 :]]))


_unroll = Operation("unroll", _unroll_rule, ("dim", "new", "size"), _parse_unroll)
_pool = Operation(
    "pool",
    _pool_rule,
    ("dim", "new", "size"),
    lambda dim, new, size: (check_name(dim), check_name(new), whole(size, "size", least=1)),
)


@method
def unroll(
    x: NamedTensor, dim: str, new: str, size: int, *, stride: int = 1, dilation: int = 1
) -> NamedTensor:
    """Sliding windows along ``dim``, their positions along the new dim ``new``.

    ``out[dim=t, new=k] = x[dim=t * stride + k * dilation]`` for all windows that lie inside: the
    unroll of Named Tensor Notation (Chiang, Rush and Barak 2021, arXiv:2102.13196), of which a
    convolution is ``x.unroll("seq", "kernel", 3).dot("kernel chans", w)``.

    Args:
      x: a tensor with the dim ``dim``, of size n.
      dim: the dim along which the window slides.
      new: the name of the positions inside the window.
      size: how many positions a window has.
      stride: the distance between the starts of windows.
      dilation: the distance between positions of a window.

    Returns:
      The dims of ``x`` and ``new``; ``dim`` has the size n - size + 1 (at stride and dilation 1).

    Raises:
      SizeMismatch: the window is longer than the dim.
      DuplicateDim: ``x`` has ``new`` already.

    Example:
      >>> import namedtensor as nt
      >>> nt.arange("seq", 5).unroll("seq", "kernel", 3).to_array("seq kernel")
      Array([[0, 1, 2],
             [1, 2, 3],
             [2, 3, 4]], dtype=int32)
    """
    return run(_unroll, (x,), (dim, new, size, stride, dilation))


@method
def pool(x: NamedTensor, dim: str, new: str, size: int) -> NamedTensor:
    """Cut ``dim`` into blocks of ``size`` positions, which are along the new dim ``new``.

    The pool of Named Tensor Notation (Chiang, Rush and Barak 2021, arXiv:2102.13196): max pooling is
    ``x.pool("seq", "kernel", 2).max("kernel")``.

    Returns:
      The dims of ``x`` and ``new``; ``dim`` has its size divided by ``size``.

    Raises:
      SizeMismatch: the size of ``dim`` is no multiple.
      DuplicateDim: ``x`` has ``new`` already.

    Example:
      >>> import namedtensor as nt
      >>> nt.arange("seq", 6).pool("seq", "kernel", 2).max("kernel").array
      Array([1, 3, 5], dtype=int32)
    """
    return run(_pool, (x,), (dim, new, size))


__all__ = public(globals())
