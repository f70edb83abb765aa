"""Transposed convolution: the derivative of a convolution with respect to its input, as a layer."""

from collections.abc import Mapping
from typing import Any

import jax

from namedtensor._dims import Dims, Spec
from namedtensor._errors import SizeMismatch
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.nn._window import Rows, Windows, rows
from namedtensor.nn.conv import PARAMETERS, layout_of, parse, slid


def _rule(names: tuple[Dims, ...], window: Dims, over: Dims, how: Windows) -> Body:
    layout = layout_of(names, how.spatial, window, over)

    def slide(x, w, groups):
        return jax.lax.conv_general_dilated(
            x,
            jax.lax.rev(w, range(len(window))),
            (1,) * len(window),
            _pads(how, x.shape[1:-1], w.shape[:-2]),
            lhs_dilation=how.stride,
            rhs_dilation=how.dilation,
            dimension_numbers=layout.numbers,
            feature_group_count=groups,
        )

    return slid(layout, slide)


def _pads(how: Windows, sizes: tuple[int, ...], widths: tuple[int, ...]) -> list[Rows]:
    each = zip(how.spatial, sizes, how.reach(widths), how.stride, how.padding, strict=True)
    return [_rows(*one) for one in each]


def _rows(name: str, size: int, reach: int, stride: int, padding: str | Rows) -> Rows:
    """Rows around the input, spread out by the stride, such that a convolution leads back to its size."""
    spread = max((size - 1) * stride + 1, 0)
    if isinstance(padding, str):
        out = size * stride + (max(reach - stride, 0) if padding == "valid" else 0)
    else:
        out = spread + reach - 1 - sum(padding)
    if out < 0 or reach < 1:
        raise SizeMismatch(
            f"padding={padding} takes away more than the {spread + reach - 1} rows of {name!r}.",
            "It is that of the convolution whose derivative this is: take fewer rows.",
        )
    before = rows(padding, out, reach, stride)[0]
    return reach - 1 - before, out - spread + before


_conv_transpose = Operation("nn.conv_transpose", _rule, PARAMETERS, parse)


def conv_transpose(
    x: NamedTensor,
    kernel: NamedTensor,
    window: Mapping[str, str],
    *,
    over: Spec = (),
    stride: int | Mapping[str, int] = 1,
    padding: str | int | Mapping[str, Any] = "same",
    dilation: int | Mapping[str, int] = 1,
) -> NamedTensor:
    """The transpose of `conv` with the same kernel and settings: every input row stamps the kernel.

    ``out[stride * i + dilation * k - before, f] += sum over ``over`` of x[i, over] * kernel[k, over, f]``.
    So ``nt.vjp`` of ``conv(image, kernel, window, over="channel", ...)`` at ``g[... feature]`` is
    ``conv_transpose(g, kernel, window, over="feature", ...)``: names say which of the kernel's dims is
    summed over, and nothing is swapped or flipped by hand. It is PyTorch's ``ConvTranspose``, and
    `jax.lax.conv_transpose` with ``transpose_kernel=True`` (whose default does not flip the kernel).

    Args:
      x: ``[batch ... height width feature]`` in any order.
      kernel: ``[kh kw feature channel]`` in any order.
      window: spatial dim of ``x`` -> dim of ``kernel`` that slides along it.
      over: the dims, in both, that are summed over; others in both are groups, as in `conv`.
      stride: how far apart the input's rows land, a number or one for each spatial dim.
      padding: that of the convolution of which this is the transpose: ``"same"`` and ``"causal"`` give
        ``size * stride`` rows, ``"valid"`` gives ``size * stride + max(reach - stride, 0)``, numbers
        take rows away from ``(size - 1) * stride + reach`` (``reach`` is what the kernel spans).
      dilation: the distance of the kernel's rows, a number or one for each spatial dim.

    Returns:
      The batch dims, the spatial dims, the groups, and the kernel's other dims.

    Raises:
      UnknownDim, SizeMismatch, DuplicateDim, BadPattern: as `conv`.

    References:
      Dumoulin and Visin 2016, A guide to convolution arithmetic for deep learning, arXiv:1603.07285.

    Example:
      >>> import namedtensor as nt
      >>> x, kernel = nt.ones("height:4 width:4 feature:8"), nt.ones("kh:2 kw:2 feature:8 channel:3")
      >>> nt.nn.conv_transpose(x, kernel, {"height": "kh", "width": "kw"}, over="feature", stride=2).shape
      Shape(height:8 width:8 channel:3)
    """
    return run(_conv_transpose, (x, kernel), (window, over, stride, padding, dilation))
