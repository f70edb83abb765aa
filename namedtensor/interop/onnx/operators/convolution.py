"""Convolutions: all are one `jax.lax.conv_general_dilated`, which the rules of other packages know."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.operators._rounding import centred, fitting, rescaled
from namedtensor.interop.onnx.operators._windows import Rows, Sizes, padding, per_axis, split, windows
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.values import Value

Ints = Sequence[int] | None


@operator("Conv")
def conv(
    x: Value,
    w: Value,
    b: Value = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Ints = None,
    group: int = 1,
    kernel_shape: Ints = None,
    pads: Ints = None,
    strides: Ints = None,
) -> Value:
    """``x[batch channel *space]`` under a kernel ``w[feature channel/group *window]``."""
    _require_fitting(x, w, w.shape[1] * group, kernel_shape)
    how = windows(
        x.shape[2:], w.shape[2:], strides=strides, dilations=dilations, pads=pads, auto_pad=auto_pad
    )
    y = jax.lax.conv_general_dilated(
        x, w, how.strides, how.pads, rhs_dilation=how.dilations, feature_group_count=group
    )
    return _with_bias(y, b)


def _require_fitting(x: Value, w: Value, channels: int, kernel_shape: Ints) -> None:
    if x.ndim != w.ndim or x.ndim < 3:
        raise OnnxError(f"an input of shape {x.shape} and a kernel of shape {w.shape} do not fit.")
    if kernel_shape is not None and tuple(kernel_shape) != w.shape[2:]:
        raise OnnxError(f"kernel_shape is {list(kernel_shape)}, the kernel's shape is {w.shape}.")
    if x.shape[1] != channels:
        raise OnnxError(
            f"the input has {x.shape[1]} channels, the kernel of shape {w.shape} takes {channels}."
        )


def _with_bias(y: Value, b: Value) -> Value:
    return y if b is None else y + b.reshape(-1, *(1,) * (y.ndim - 2))[None]


@operator("ConvTranspose")
def conv_transpose(
    x: Value,
    w: Value,
    b: Value = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Ints = None,
    group: int = 1,
    kernel_shape: Ints = None,
    output_padding: Ints = None,
    output_shape: Ints = None,
    pads: Ints = None,
    strides: Ints = None,
) -> Value:
    """The transpose of `conv`: each row of ``x`` stamps the kernel ``w[channel feature/group *window]``."""
    _require_fitting(x, w, w.shape[0], kernel_shape)
    n = x.ndim - 2
    steps, gaps = per_axis(strides, n, "strides"), per_axis(dilations, n, "dilations")
    more = per_axis(output_padding, n, "output_padding", least=0)
    reach = [(width - 1) * gap + 1 for width, gap in zip(w.shape[2:], gaps, strict=True)]
    full = [(s - 1) * t + m + r for s, t, m, r in zip(x.shape[2:], steps, more, reach, strict=True)]
    taken, sizes = _taken_away(x.shape[2:], full, steps, pads, output_shape, auto_pad)
    spread = [(s - 1) * t + 1 for s, t in zip(x.shape[2:], steps, strict=True)]
    around = [
        (r - 1 - before, size - s + before)
        for r, (before, _), size, s in zip(reach, taken, sizes, spread, strict=True)
    ]
    y = jax.lax.conv_general_dilated(
        x,
        _turned(w, group),
        (1,) * n,
        around,
        lhs_dilation=steps,
        rhs_dilation=gaps,
        feature_group_count=group,
    )
    return _with_bias(y, b)


def _taken_away(
    sizes: Sequence[int], full: list[int], steps: Sizes, pads: Ints, output_shape: Ints, auto_pad: str
) -> tuple[Sequence[Rows], list[int]]:
    """Rows that are cut off the full result, and what is left."""
    wanted = [int(s) for s in output_shape or ()][-len(full) :]
    if not wanted and auto_pad.startswith("SAME"):
        wanted = [s * t for s, t in zip(sizes, steps, strict=True)]
    if wanted:
        return [split(max(f - o, 0), auto_pad) for f, o in zip(full, wanted, strict=True)], wanted
    cut = padding(sizes, full, steps, pads, auto_pad)
    left = [f - sum(c) for f, c in zip(full, cut, strict=True)]
    if min(left, default=0) < 0:
        raise OnnxError(f"the padding {cut} takes away more than the {full} rows that there are.")
    return cut, left


def _turned(w: Value, group: int) -> Value:
    """The kernel of the transpose: mirrored, channels and features swapped in each group."""
    channels, features, *window = w.shape
    w = jnp.flip(jnp.asarray(w), range(2, w.ndim)).reshape(group, channels // group, features, *window)
    return jnp.swapaxes(w, 1, 2).reshape(group * features, channels // group, *window)


@operator("ConvInteger")
def conv_integer(
    x: Value,
    w: Value,
    x_zero_point: Value = None,
    w_zero_point: Value = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Ints = None,
    group: int = 1,
    kernel_shape: Ints = None,
    pads: Ints = None,
    strides: Ints = None,
) -> Value:
    """A convolution of integers less their zero points, summed in 32 bits."""
    w_zero_point = None if w_zero_point is None else fitting(w_zero_point, w.ndim, axis=0)
    return conv(
        centred(x, x_zero_point),
        centred(w, w_zero_point),
        auto_pad=auto_pad,
        dilations=dilations,
        group=group,
        kernel_shape=kernel_shape,
        pads=pads,
        strides=strides,
    )


@operator("QLinearConv")
def conv_quantized(
    x: Value,
    x_scale: Value,
    x_zero_point: Value,
    w: Value,
    w_scale: Value,
    w_zero_point: Value,
    y_scale: Value,
    y_zero_point: Value,
    b: Value = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Ints = None,
    group: int = 1,
    kernel_shape: Ints = None,
    pads: Ints = None,
    strides: Ints = None,
) -> Value:
    """`conv_integer`, then scaled and rounded to the dtype of ``y_zero_point``."""
    total = conv_integer(
        x,
        w,
        x_zero_point,
        w_zero_point,
        auto_pad=auto_pad,
        dilations=dilations,
        group=group,
        kernel_shape=kernel_shape,
        pads=pads,
        strides=strides,
    )
    x_scale, w_scale, y_scale = (fitting(jnp.asarray(s), x.ndim, axis=1) for s in (x_scale, w_scale, y_scale))
    return rescaled(_with_bias(total, b), x_scale * w_scale / y_scale, y_zero_point)
