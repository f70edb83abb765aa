"""Numbers read between the pixels of images: by a grid, and by moved windows of a convolution."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.operators._sampling import sampled
from namedtensor.interop.onnx.operators._windows import Windows, windows
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.values import Value

Ints = Sequence[int] | None
_MODES = {"bilinear": "linear", "bicubic": "cubic"}  # names of opset 16


@operator("GridSample", since=16)
def grid_sample(
    x: Value, grid: Value, *, align_corners: int = 0, mode: str = "linear", padding_mode: str = "zeros"
) -> Value:
    """``x[batch channel *space]`` at ``grid[batch *out axis]``, places from -1 to 1, last axis first."""
    if grid.shape[-1] != x.ndim - 2 or len(grid) != len(x):
        raise OnnxError(f"a grid of shape {grid.shape} does not fit an input of shape {x.shape}.")
    space = np.asarray(x.shape[2:])
    grid = jnp.flip(jnp.asarray(grid, jnp.promote_types(grid.dtype, jnp.float32)), -1)
    sizes = space.astype(grid.dtype).reshape((1,) * (grid.ndim - 1) + (-1,))
    at = (grid + 1) / 2 * (sizes - 1) if align_corners else ((grid + 1) * sizes - 1) / 2
    borders = [(0.0, n - 1.0) if align_corners else (-0.5, n - 0.5) for n in x.shape[2:]]
    wide = jnp.asarray(x, jnp.promote_types(x.dtype, jnp.float32))
    read = jax.vmap(lambda a, b: sampled(a, b, _MODES.get(mode, mode), padding_mode, borders))
    return read(wide, at).astype(x.dtype)


@operator("DeformConv", since=19)
def deformable_conv(
    x: Value,
    w: Value,
    offset: Value,
    b: Value = None,
    mask: Value = None,
    *,
    dilations: Ints = None,
    group: int = 1,
    kernel_shape: Ints = None,
    offset_group: int = 1,
    pads: Ints = None,
    strides: Ints = None,
) -> Value:
    """A convolution of images whose window's elements are moved, and weighted, at each place.

    References:
      Dai et al. 2017, Deformable convolutional networks; Zhu et al. 2019, version 2.
    """
    if x.ndim != 4 or x.shape[1] != w.shape[1] * group or x.shape[1] % offset_group:
        raise OnnxError(
            f"an input of shape {x.shape} and a kernel of shape {w.shape} do not fit: images are needed."
        )
    if kernel_shape is not None and tuple(kernel_shape) != w.shape[2:]:
        raise OnnxError(f"kernel_shape is {list(kernel_shape)}, the kernel's shape is {w.shape}.")
    how = windows(x.shape[2:], w.shape[2:], strides=strides, dilations=dilations, pads=pads)
    n, elements = len(x), int(np.prod(how.widths))
    moved = jnp.reshape(offset, (n, offset_group, elements, 2, *how.counts)) + _unmoved(how, offset.dtype)
    images = jnp.reshape(x, (n, offset_group, -1, *x.shape[2:]))
    columns = jax.vmap(jax.vmap(sampled))(images, jnp.moveaxis(moved, 3, -1))
    if mask is not None:
        columns = columns * jnp.reshape(mask, (n, offset_group, 1, elements, *how.counts))
    columns = columns.reshape(n, group, x.shape[1] // group * elements, -1)
    kernel = jnp.reshape(w, (group, len(w) // group, -1))
    y = jnp.einsum("ngce,gfc->ngfe", columns, kernel).reshape(n, len(w), *how.counts)
    return y if b is None else y + jnp.reshape(b, (1, -1, 1, 1))


def _unmoved(how: Windows, dtype: np.dtype) -> np.ndarray:
    """Where the elements of each window stand if nothing moves them, ``[1 1 element axis *window]``."""
    down, across = how.rows(0), how.rows(1)
    both = np.broadcast_arrays(down.T[:, None, :, None], across.T[None, :, None, :])
    return np.stack(both, 2).reshape(1, 1, -1, 2, *how.counts).astype(dtype)
