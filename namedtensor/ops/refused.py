"""What names do not define: each refuses with the line to write instead."""

from typing import Any, NoReturn

from namedtensor._errors import Unsupported
from namedtensor._tensor import NamedTensor
from namedtensor.ops._table import attach, method


@method
def masked_select(x: Any, mask: Any) -> NoReturn:
    """Refused: how many values a mask selects depends on values, which JAX cannot compile.

    Raises:
      Unsupported: always; `where` keeps the shape.

    Example:
      >>> import namedtensor as nt
      >>> x = nt.tensor([1.0, -2.0], "seq")
      >>> nt.where(x > 0, x, 0.0).array
      Array([1., 0.], dtype=float32)
    """
    raise Unsupported(
        "the size of the result would depend on values.",
        "Write nt.where(mask, x, 0), or reduce where the mask holds: nt.where(mask, x, 0).sum('seq').",
    ).within("nt.masked_select", (x, mask))


def _matmul(x: NamedTensor, other: Any) -> NoReturn:
    """``x @ other`` does not say which dim it sums over."""
    shared = [d for d in getattr(other, "dims", ()) if d in x.dims]
    over = " or ".join(f"x.dot({d!r}, w)" for d in shared) or "x.dot('embed', w)"
    raise Unsupported("x @ w does not say which dim is summed over.", f"Write {over}.").within(
        "@", (x, other)
    )


def _rmatmul(x: NamedTensor, other: Any) -> NoReturn:
    raise Unsupported("w @ x does not say which dim is summed over.", "Write x.dot('embed', w).").within(
        "@", (other, x)
    )


attach("__matmul__", _matmul)
attach("__rmatmul__", _rmatmul)


__all__ = ["masked_select"]
