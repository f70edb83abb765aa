"""Numbers divided by what they are together: softmax, and by their deviation."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor.interop.onnx.operators.choice import rows
from namedtensor.interop.onnx.operators.reduce import mean, root
from namedtensor.interop.onnx.operators.shapes import axes_of, axis_of
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.values import Value, beside_traced


@operator("Softmax", since=13)
def softmax(x: Value, *, axis: int = -1) -> Value:
    """``exp(x)`` divided by its sum along an axis."""
    return jax.nn.softmax(beside_traced(x), axis_of(axis, np.ndim(x)))


@operator("LogSoftmax", since=13)
def log_softmax(x: Value, *, axis: int = -1) -> Value:
    """The logarithm of `softmax`."""
    return jax.nn.log_softmax(beside_traced(x), axis_of(axis, np.ndim(x)))


@operator("Softmax")
def softmax_of_rows(x: Value, *, axis: int = 1) -> Value:
    """As `softmax`, over all axes from ``axis`` on together."""
    return softmax(rows(x, axis)).reshape(np.shape(x))


@operator("LogSoftmax")
def log_softmax_of_rows(x: Value, *, axis: int = 1) -> Value:
    """The logarithm of `softmax_of_rows`."""
    return log_softmax(rows(x, axis)).reshape(np.shape(x))


@operator("MeanVarianceNormalization", since=9)
def standardize(x: Value, *, axes: Sequence[int] = (0, 2, 3)) -> Value:
    """``(x - mean) / (deviation + 1e-9)`` over some axes."""
    over = axes_of(axes, np.ndim(x))
    centered = jnp.asarray(beside_traced(x - mean(x, over, True)))
    return centered / (root(mean(centered * centered, over, True)) + np.asarray(1e-9, x.dtype))
