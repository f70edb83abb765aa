"""Named convolution: the layout is the library's choice, because names leave none to the user.

Whatever order the operands are stored in, the body is one `lax.conv_general_dilated` with the
channels last, which is what CPU and TPU like best.
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from namedtensor._dims import Dims, Spec, dims, require, without
from namedtensor._errors import BadPattern, Unsupported
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._align import align


def per_dim(value: Any, spatial: Dims, what: str) -> tuple:
    """One setting for each spatial dim, from one value for all or a mapping by name."""
    if isinstance(value, list | tuple):
        example = f"{{{spatial[0]!r}: {value[0]!r}, ...}}" if spatial and value else "a mapping by dim"
        raise BadPattern(f"{what}={value!r} goes by position.", f"Give one number, or {example}.")
    if not isinstance(value, Mapping):
        return (value,) * len(spatial)
    require(spatial, list(value))
    if len(value) < len(spatial):
        raise BadPattern(
            f"{what} is given for '{' '.join(value)}' of '{spatial}'.",
            "Give one number, or one for each dim.",
        )
    return tuple(value[d] for d in spatial)


def pads(padding: Any, spatial: Dims) -> Any:
    """``"SAME"``, ``"VALID"``, or the pairs that `jax.lax` takes."""
    if isinstance(padding, str):
        if padding.lower() not in ("same", "valid"):
            raise BadPattern(
                f"padding={padding!r} is not known.", "Write 'same', 'valid', or a number of rows."
            )
        return padding.upper()
    return tuple(
        (int(p), int(p)) if np.ndim(p) == 0 else tuple(p) for p in per_dim(padding, spatial, "padding")
    )


def _rule(
    names: tuple[Dims, ...], spatial: Dims, window: Dims, over: Dims, stride: tuple, padding: Any
) -> Body:
    there, kernel = names
    for dims_of, wanted in ((there, spatial), (kernel, window), (there, over), (kernel, over)):
        require(dims_of, wanted)
    batch, features = without(there, [*spatial, *over]), without(kernel, [*window, *over])
    both = [d for d in features if d in there]
    if both:
        raise Unsupported(
            f"{both[0]!r} is in the input and in the kernel, and is not summed over.",
            f"Sum over it (over={both[0]!r}), or rename it: kernel.rename({both[0]}='{both[0]}_out').",
        )
    n = len(spatial)
    numbers = jax.lax.ConvDimensionNumbers(
        (0, n + 1, *range(1, n + 1)), (n + 1, n, *range(n)), (0, n + 1, *range(1, n + 1))
    )

    def conv(x, w):
        x = align(x, there, Dims([*batch, *spatial, *over]))
        w = align(w, kernel, Dims([*window, *over, *features]))
        lead, size, last = (
            x.shape[: len(batch)],
            x.shape[len(batch) : len(batch) + n],
            w.shape[n + len(over) :],
        )
        channels = math.prod(w.shape[n : n + len(over)])
        y = jax.lax.conv_general_dilated(
            x.reshape(math.prod(lead), *size, channels),
            w.reshape(*w.shape[:n], channels, math.prod(last)),
            stride,
            padding,
            dimension_numbers=numbers,
        )
        return y.reshape(*lead, *y.shape[1 : n + 1], *last)

    return Body(conv, Dims([*batch, *spatial, *features]), free=spatial)


_conv = Operation("nn.conv", _rule, ("spatial", "window", "over", "stride", "padding"))


def conv(
    x: NamedTensor,
    kernel: NamedTensor,
    window: Mapping[str, str],
    *,
    over: Spec = (),
    stride: int | Mapping[str, int] = 1,
    padding: str | int | Mapping[str, int] = "same",
) -> NamedTensor:
    """Slide ``kernel`` over the spatial dims of ``x`` (cross-correlation, as in all neural networks).

    ``out[h, w, f] = sum over kh, kw, over of x[h + kh, w + kw, over] * kernel[kh, kw, over, f]``.
    Dims of ``x`` that are neither spatial nor summed are batch dims; those of the kernel are the
    features of the result.

    Args:
      x: ``[batch ... height width channel]`` in any order.
      kernel: ``[kh kw channel feature]`` in any order.
      window: spatial dim of ``x`` -> dim of ``kernel`` that slides along it; one pair for each
        spatial dim.
      over: the channel dims, in both, that are summed over.
      stride: a number, or one for each spatial dim.
      padding: ``"same"``, ``"valid"``, or a number of rows on both sides.

    Returns:
      The batch dims, the spatial dims, and the kernel's other dims.

    Raises:
      UnknownDim: a dim of ``window`` or ``over`` that is not there.
      SizeMismatch: ``over`` has two sizes.
      Unsupported: a dim in both that is not summed over.

    Example:
      >>> import namedtensor as nt
      >>> image, kernel = nt.ones("batch:2 height:8 width:8"), nt.ones("kh:3 kw:3 feature:4")
      >>> nt.nn.conv(image, kernel, {"height": "kh", "width": "kw"}).shape
      Shape(batch:2 height:8 width:8 feature:4)
    """
    spatial, sliding = dims(list(window)), dims(list(window.values()))
    static = (spatial, sliding, dims(over), per_dim(stride, spatial, "stride"), pads(padding, spatial))
    return run(_conv, (x, kernel), static)
