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


_POSITIONAL = {  # attributes of positional arrays -> the line to write
    **dict.fromkeys(("T", "mT", "transpose", "permute", "swapaxes", "movedim"), "x.order('embed ... batch')"),
    **dict.fromkeys(
        ("reshape", "view"), "x.split('embed', 'head key', head=8) or x.merge('height width', 'pixel')"
    ),
    **dict.fromkeys(("ravel", "flatten"), "x.merge(x.dims, 'all')"),
    **dict.fromkeys(("unsqueeze", "expand_dims"), "x.expand('new:1'), which broadcasting does not need"),
    **dict.fromkeys(("matmul", "mm", "bmm"), "x.dot('embed', w)"),
    **dict.fromkeys(("take", "gather", "take_along_axis"), "x[{'vocab': ids}]"),
    **dict.fromkeys(("numpy", "tolist"), "x.to_numpy('batch embed')"),
    **dict.fromkeys(("names", "axes"), "x.dims"),
}


def _missing_attribute(x: NamedTensor, name: str) -> NoReturn:
    """Python asks here for what is not there; `hasattr` needs the error to be an AttributeError."""
    advice = f": axes have names here. Write {_POSITIONAL[name]}." if name in _POSITIONAL else ""
    raise AttributeError(f"'NamedTensor' object has no attribute {name!r}{advice}", name=name, obj=x)


attach("__getattr__", _missing_attribute)
attach("__matmul__", _matmul)
attach("__rmatmul__", _rmatmul)


__all__ = ["masked_select"]
