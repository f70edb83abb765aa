"""Named convolution: the layout is the library's choice, because names leave none to the user.

Whatever order the operands are stored in, the body is one `lax.conv_general_dilated` with the
channels last, which is what CPU and TPU like best.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from namedtensor._dims import Dims, Spec, dims, without
from namedtensor._errors import BadPattern, DuplicateDim, SizeMismatch, Unsupported, short_dtype
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.nn._checks import mapping, needs
from namedtensor.nn._window import Windows, windows
from namedtensor.ops._align import align


class Layout(NamedTuple):
    """What each dim of the two operands is to the convolution."""

    there: Dims
    kernel: Dims
    spatial: Dims
    window: Dims
    over: Dims
    batch: Dims
    group: Dims
    features: Dims

    @property
    def numbers(self) -> jax.lax.ConvDimensionNumbers:
        """Channels last in both, for any number of spatial dims."""
        n = len(self.spatial)
        outer = (0, n + 1, *range(1, n + 1))
        return jax.lax.ConvDimensionNumbers(outer, (n + 1, n, *range(n)), outer)


def layout_of(names: tuple[Dims, ...], spatial: Dims, window: Dims, over: Dims) -> Layout:
    """The rule of convolutions: a dim in both operands is summed over, slid along, or a group."""
    there, kernel = names
    needs("the input", there, [*spatial, *over])
    needs("the kernel", kernel, [*window, *over])
    for name in over:
        if name in spatial or name in window:
            raise BadPattern(f"{name!r} is slid along and summed over.", "Leave it out of over=.")
    batch, rest = without(there, [*spatial, *over]), without(kernel, [*window, *over])
    for name in (*rest, *batch):
        if name in (spatial if name in rest else window):
            raise DuplicateDim(
                f"{name!r} is slid along in one operand, and the other has it as a dim of its own.",
                f"Rename it there: .rename({name}='{name}_2').",
            )
    group = [d for d in rest if d in there]
    return Layout(
        there, kernel, spatial, window, over, without(batch, group), Dims(group), without(rest, group)
    )


def slid(layout: Layout, slide: Callable[..., Any]) -> Body:
    """``slide(x, w, groups)`` on ``x[n, *spatial, c]`` and ``w[*window, c, f]``, under the names of both."""
    _, _, spatial, window, over, batch, group, features = layout
    n = len(spatial)

    def convolve(x, w):
        dtype = _numeric(jnp.result_type(x, w))
        x = align(jnp.asarray(x, dtype), layout.there, Dims([*batch, *spatial, *group, *over]))
        w = align(jnp.asarray(w, dtype), layout.kernel, Dims([*window, *over, *group, *features]))
        lead, size = x.shape[: len(batch)], x.shape[len(batch) : len(batch) + n]
        last, groups = w.shape[n + len(over) :], math.prod(x.shape[len(batch) + n :][: len(group)])
        if not groups:
            raise SizeMismatch(f"the groups '{group}' are none: a size is 0.", "Give each one or more.")
        summed = math.prod(w.shape[n : n + len(over)])
        y = slide(
            x.reshape(math.prod(lead), *size, groups * summed),
            w.reshape(*w.shape[:n], summed, math.prod(last)),
            groups,
        )
        return y.reshape(*lead, *y.shape[1 : n + 1], *last)

    return Body(convolve, Dims([*batch, *spatial, *group, *features]), free=spatial)


def _numeric(dtype: Any) -> Any:
    if not jnp.issubdtype(dtype, jnp.number):
        raise Unsupported(
            f"{short_dtype(dtype)} values cannot be summed.", "Convert one: x.astype('float32')."
        )
    return dtype


def _rule(names: tuple[Dims, ...], window: Dims, over: Dims, how: Windows) -> Body:
    layout = layout_of(names, how.spatial, window, over)

    def slide(x, w, groups):
        return jax.lax.conv_general_dilated(
            x,
            w,
            how.stride,
            how.pads(x.shape[1:-1], w.shape[:-2]),
            rhs_dilation=how.dilation,
            dimension_numbers=layout.numbers,
            feature_group_count=groups,
        )

    return slid(layout, slide)


def parse(window: Mapping[str, str], over: Spec, stride: Any, padding: Any, dilation: Any) -> tuple:
    """The key of a call, as `run` hands the arguments on."""
    pairs = mapping(window, "window", "{'height': 'kh', 'width': 'kw'}")
    spatial, sliding = dims(list(pairs)), dims(list(pairs.values()))
    return sliding, dims(over), windows(spatial, stride, padding, dilation)


PARAMETERS = ("window", "over", "stride", "padding", "dilation")

_conv = Operation("nn.conv", _rule, PARAMETERS, parse)


def conv(
    x: NamedTensor,
    kernel: NamedTensor,
    window: Mapping[str, str],
    *,
    over: Spec = (),
    stride: int | Mapping[str, int] = 1,
    padding: str | int | Mapping[str, Any] = "same",
    dilation: int | Mapping[str, int] = 1,
) -> NamedTensor:
    """Slide ``kernel`` over the spatial dims of ``x`` (cross-correlation, as in all neural networks).

    ``out[h, w, f] = sum over kh, kw, over of x[h + kh, w + kw, over] * kernel[kh, kw, over, f]``.
    Names say the rest: dims of ``x`` alone are batch dims, those of ``kernel`` alone are the features
    of the result, and one that both have and that is not summed over is a group: each of its positions
    is a convolution of its own. So a kernel ``[kh kw channel]`` without ``over`` is a depthwise
    convolution, and ``[kh kw group channel feature]`` on ``x.split("channel", "group channel",
    group=8)`` over ``"channel"`` is what other libraries write as ``groups=8``.

    Args:
      x: ``[batch ... height width channel]`` in any order.
      kernel: ``[kh kw channel feature]`` in any order.
      window: spatial dim of ``x`` -> dim of ``kernel`` that slides along it; one pair for each of any
        number of spatial dims.
      over: the channel dims, in both, that are summed over.
      stride: a number, or one for each spatial dim.
      padding: ``"same"`` (``ceil(size / stride)`` rows come out), ``"valid"`` (none is added),
        ``"causal"`` (all rows are added in front: no row sees a later one), a number of rows on both
        sides, or a mapping by dim to any of these or to ``(before, after)``.
      dilation: the distance of the kernel's rows, a number or one for each spatial dim.

    Returns:
      The batch dims, the spatial dims, the groups, and the kernel's other dims.

    Raises:
      UnknownDim: a dim of ``window`` or ``over`` that is not there.
      SizeMismatch: a shared name with two sizes, or a window larger than the padded input.
      DuplicateDim: a spatial dim that the kernel has beside its window, or the other way round.
      BadPattern: settings that are not of these forms.

    Example:
      >>> import namedtensor as nt
      >>> image, kernel = nt.ones("batch:2 height:8 width:8"), nt.ones("kh:3 kw:3 feature:4")
      >>> nt.nn.conv(image, kernel, {"height": "kh", "width": "kw"}).shape
      Shape(batch:2 height:8 width:8 feature:4)
      >>> image, kernel = nt.ones("height:8 width:8 channel:4"), nt.ones("kh:3 kw:3 channel:4")
      >>> nt.nn.conv(image, kernel, {"height": "kh", "width": "kw"}, stride=2).shape  # depthwise
      Shape(height:4 width:4 channel:4)
    """
    return run(_conv, (x, kernel), (window, over, stride, padding, dilation))
