"""Named resampling: new sizes by name, the values from `jax.image.resize`."""

from typing import Any

import jax

from namedtensor._dims import Dims, Sizes, require, sized
from namedtensor._errors import BadPattern, SizeMismatch
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.nn._checks import flag, shown


def _rule(names: tuple[Dims, ...], over: Dims, sizes: tuple[int, ...], method: str, antialias: bool) -> Body:
    (there,) = names
    require(there, over)

    def resize(x):
        wanted = dict(zip(over, sizes, strict=True))
        empty = [d for d, n in zip(there, x.shape, strict=True) if d in wanted and not n]
        if empty:
            raise SizeMismatch(f"{empty[0]!r} is 0: there is nothing to resize.", "Give it one row or more.")
        shape = [wanted.get(d, n) for d, n in zip(there, x.shape, strict=True)]
        return jax.image.resize(x, shape, method, antialias)

    return Body(resize, there, free=over)


def _parse(sizes: Any, method: Any, antialias: Any) -> tuple:
    over, rows = sized(sizes)
    for name, size in zip(over, rows, strict=True):
        if not size:
            raise BadPattern(f"the size of {name!r} is 0.", f"Give one row or more: {{{name!r}: 8}}.")
    return over, rows, _method(method), flag(antialias, "antialias")


def _method(method: Any) -> str:
    try:
        jax.image.ResizeMethod.from_string(method if isinstance(method, str) else "")
    except ValueError:
        known = ", ".join(m.name.lower().replace("_", "-") for m in jax.image.ResizeMethod)
        raise BadPattern(f"method={shown(method)} is not known.", f"Choose of {known}.") from None
    return method


_resize = Operation("nn.resize", _rule, ("sizes", "method", "antialias"), _parse)


def resize(x: NamedTensor, sizes: Sizes, *, method: str = "linear", antialias: bool = True) -> NamedTensor:
    """Resample ``x`` to new sizes of some of its dims, by the rules of `jax.image.resize`.

    Args:
      x: a tensor with the dims that ``sizes`` names; all others are batch dims.
      sizes: dim -> its new size, for any number of dims (or ``"height:64 width:64"``).
      method: ``"nearest"``, ``"linear"``, ``"cubic"``, ``"lanczos3"``, ``"lanczos5"`` ... of
        `jax.image.ResizeMethod`.
      antialias: whether a smaller result averages what it leaves out (``"nearest"`` never does).

    Returns:
      The dims of ``x``, in its dtype (float32 for integers, unless ``"nearest"``).

    Raises:
      UnknownDim: a dim of ``sizes`` that ``x`` lacks.
      BadPattern: an unknown method, or a size that is not a number of rows.

    Example:
      >>> import namedtensor as nt
      >>> nt.nn.resize(nt.ones("height:8 width:8 channel:3"), {"height": 64, "width": 32}).shape
      Shape(height:64 width:32 channel:3)
    """
    return run(_resize, (x,), (sizes, method, antialias))
