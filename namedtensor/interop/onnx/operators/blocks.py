"""Numbers moved between axes and along them: blocks, windows, sequences, bits."""

import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.operators.shapes import axis_of
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.tensors import dtype_of
from namedtensor.interop.onnx.values import Value, beside_traced, bounded, canonical, known, numpy_or_jax


@operator("DepthToSpace")
def depth_to_space(x: Value, *, blocksize: int, mode: str = "DCR") -> Value:
    """Channels laid out as blocks of pixels; ``mode`` says whether blocks or channels are outermost."""
    n, c, *sizes = np.shape(x)
    inner = c // blocksize ** len(sizes)
    rank, blocks = len(sizes), [blocksize] * len(sizes)
    parts = [*blocks, inner] if mode == "DCR" else [inner, *blocks]
    first = 1 if mode == "DCR" else 2  # the first axis of the blocks
    turn = [i for k in range(rank) for i in (2 + rank + k, first + k)]
    xp = numpy_or_jax(x)
    x = xp.transpose(xp.reshape(x, (n, *parts, *sizes)), [0, 1 + rank if mode == "DCR" else 1, *turn])
    return xp.reshape(x, (n, inner, *(s * blocksize for s in sizes)))


@operator("SpaceToDepth")
def space_to_depth(x: Value, *, blocksize: int, mode: str = "DCR") -> Value:
    """Blocks of pixels laid out as channels, the reverse of `depth_to_space`."""
    n, c, *sizes = np.shape(x)
    if any(s % blocksize for s in sizes):
        raise OnnxError(f"the sizes {sizes} have no blocks of {blocksize}.")
    rank = len(sizes)
    parts = [p for s in sizes for p in (s // blocksize, blocksize)]
    blocks, rest = [3 + 2 * k for k in range(rank)], [2 + 2 * k for k in range(rank)]
    turn = [0, *blocks, 1, *rest] if mode == "DCR" else [0, 1, *blocks, *rest]
    xp = numpy_or_jax(x)
    x = xp.transpose(xp.reshape(x, (n, c, *parts)), turn)
    return xp.reshape(x, (n, c * blocksize**rank, *(s // blocksize for s in sizes)))


@operator("Col2Im", static=("image_shape", "block_shape"))
def windows_to_image(
    x: Value,
    image_shape: Value,
    block_shape: Value,
    *,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Value:
    """Windows added up where they overlap: each column of ``x`` holds one."""
    sizes, block = bounded(image_shape), bounded(block_shape)
    rank = len(sizes)
    dilations, strides, pads = dilations or [1] * rank, strides or [1] * rank, pads or [0] * 2 * rank
    whole = [n + pads[i] + pads[rank + i] for i, n in enumerate(sizes)]
    counts = [
        (n - d * (b - 1) - 1) // s + 1 for n, b, d, s in zip(whole, block, dilations, strides, strict=True)
    ]
    x = jnp.reshape(beside_traced(x), (np.shape(x)[0], -1, *block, *counts))
    total = jnp.zeros((*x.shape[:2], *sizes), x.dtype)
    for place in itertools.product(*map(range, block)):
        low = [k * d - pads[i] for i, (k, d) in enumerate(zip(place, dilations, strict=True))]
        spread = [(c - 1) * s + 1 for c, s in zip(counts, strides, strict=True)]
        widths = [(a, n - a - m, s - 1) for a, n, m, s in zip(low, sizes, spread, strides, strict=True)]
        total += jax.lax.pad(x[:, :, *place], np.zeros((), x.dtype), [(0, 0, 0)] * 2 + widths)
    return total


@operator("ReverseSequence")
def reverse_sequence(x: Value, lengths: Value, *, time_axis: int = 0, batch_axis: int = 1) -> Value:
    """Each example's first steps in reverse, as many as its length; the others stay."""
    xp = numpy_or_jax(x, lengths)
    time, batch = axis_of(time_axis, np.ndim(x)), axis_of(batch_axis, np.ndim(x))
    step = np.expand_dims(
        np.arange(np.shape(x)[time], dtype=lengths.dtype), [a for a in range(np.ndim(x)) if a != time]
    )
    lengths = lengths.reshape([-1 if a == batch else 1 for a in range(np.ndim(x))])
    return xp.take_along_axis(x, xp.where(step < lengths, lengths - 1 - step, step), time)


@operator("Dropout", since=12, static=("training",))
def dropout(
    x: Value, ratio: Value = None, training: Value = None, *, seed: int | None = None
) -> tuple[Value, Value]:
    """The same, and that all of it was kept: a model that runs does not train."""
    if training is not None and np.asarray(training).item():
        raise OnnxError("it is in training mode, which draws random numbers: export the model for inference.")
    return x, np.ones(np.shape(x), bool)


@operator("Dropout", since=10)
def dropout_by_attribute(x: Value, *, ratio: float = 0.5) -> tuple[Value, Value]:
    """As `dropout`."""
    return dropout(x)


@operator("Dropout", since=7)
def dropout_with_mask(x: Value, *, ratio: float = 0.5) -> tuple[Value, Value]:
    """As `dropout`; the mask has the dtype of the array."""
    return x, np.ones(np.shape(x), x.dtype)


@operator("Dropout")
def dropout_with_flag(
    x: Value, *, ratio: float = 0.5, is_test: int = 0, consumed_inputs: Sequence[int] = ()
) -> tuple[Value, Value]:
    """As `dropout`; a file of these first opsets says whether it is for inference."""
    if not is_test and ratio:
        raise OnnxError(
            "its is_test is 0, training mode, which draws random numbers: export it for inference."
        )
    return dropout_with_mask(x)


@operator("BitCast")
def bit_cast(x: Value, *, to: int) -> Value:
    """The same bits, read as another dtype of the same width."""
    dtype = dtype_of(to)
    if dtype is None or dtype.itemsize != x.dtype.itemsize or (not known(x) and canonical(dtype) != dtype):
        raise OnnxError(
            f"the bits of {x.dtype} are not those of {dtype}; 64 bits need "
            "jax.config.update('jax_enable_x64', True)."
        )
    if known(x):
        return x.view(dtype)
    x = x.astype(np.uint8) if x.dtype == bool else x  # JAX has bytes for neither way
    return x != 0 if dtype.kind == "b" else jax.lax.bitcast_convert_type(x, dtype)
