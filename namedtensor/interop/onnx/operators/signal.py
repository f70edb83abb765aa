"""Signals: Fourier transforms, of a whole axis and of frames, and the scale of Mel."""

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.tensors import dtype_of
from namedtensor.interop.onnx.values import Value, bounded, canonical


def _complex(x: Value) -> Value:
    """From pairs of numbers, or from real ones, in the last axis."""
    if x.shape[-1] not in (1, 2):
        raise OnnxError(f"the last axis of {x.shape} holds real and imaginary parts: it has 1 or 2 elements.")
    x = jnp.asarray(x, jnp.promote_types(x.dtype, jnp.float32))
    return x[..., 0] if x.shape[-1] == 1 else x[..., 0] + 1j * x[..., 1]


def _forward(x: Value, count: int, axis: int, onesided: bool) -> Value:
    """The transform; that of real numbers has two sides which mirror each other."""
    if onesided and jnp.iscomplexobj(x):
        raise OnnxError(
            "one side of the transform of complex numbers is not the whole: onesided=1 needs real ones."
        )
    if jnp.iscomplexobj(x):
        return jnp.fft.fft(x, count, axis)
    side = jnp.fft.rfft(x, count, axis)
    if onesided:
        return side
    mirrored = jnp.flip(jax.lax.slice_in_dim(side, 1, (count + 1) // 2, axis=axis), axis)
    return jnp.concatenate([side, mirrored.conj()], axis)


def _pairs(x: Value) -> Value:
    return jnp.stack([x.real, x.imag], -1)


@operator("DFT", since=17, static=("dft_length",))
def fourier_of_axis(
    x: Value, dft_length: Value = None, *, axis: int = 1, inverse: int = 0, onesided: int = 0
) -> Value:
    """As `fourier`, with the axis in the file."""
    return fourier(x, dft_length, np.asarray(axis), inverse=inverse, onesided=onesided)


@operator("DFT", since=20, static=("dft_length", "axis"))
def fourier(
    x: Value, dft_length: Value = None, axis: Value = None, *, inverse: int = 0, onesided: int = 0
) -> Value:
    """The discrete Fourier transform of an axis; complex numbers are pairs in the last axis."""
    at, rank = -2 if axis is None else int(np.asarray(axis).item()), x.ndim
    if not -rank <= at < rank or at % rank == rank - 1:
        raise OnnxError(f"axis {at} of an input with {rank} axes, of which the last holds complex numbers.")
    at, values = at % rank, _complex(x)
    natural = 2 * (x.shape[at] - 1) if onesided and inverse else x.shape[at]
    count = natural if dft_length is None else int(np.asarray(dft_length).item())
    bounded((count, *x.shape))
    if onesided and inverse:
        return jnp.fft.irfft(values, count, at)[..., None].astype(x.dtype)
    y = jnp.fft.ifft(values, count, at) if inverse else _forward(values, count, at, bool(onesided))
    return _pairs(y).astype(x.dtype)


@operator("STFT", since=17, static=("frame_step", "frame_length"))
def fourier_of_frames(
    signal: Value, frame_step: Value, window: Value = None, frame_length: Value = None, *, onesided: int = 1
) -> Value:
    """The Fourier transform of frames, ``[batch frame frequency (real imaginary)]``, each under a window."""
    if signal.ndim == 2:
        signal = signal[..., None]
    if window is not None:
        size = int(np.size(window))
    elif frame_length is not None:
        size = int(np.asarray(frame_length).item())
    else:
        raise OnnxError("it needs a window or a frame_length.")
    step, there = int(np.asarray(frame_step).item()), signal.shape[1]
    if (
        step < 1
        or not 1 <= size <= there
        or (frame_length is not None and size != np.asarray(frame_length).item())
    ):
        raise OnnxError(
            f"frames of {size} every {step} of a signal of {there} numbers, and the window must be as long."
        )
    first = np.arange((there - size) // step + 1) * step
    frames = _complex(signal)[:, np.add.outer(first, np.arange(size))]
    if window is not None:
        frames = frames * jnp.reshape(window, (1, 1, -1)).astype(frames.real.dtype)
    return _pairs(_forward(frames, size, 2, bool(onesided))).astype(signal.dtype)


@operator("MelWeightMatrix", since=17, static=("bins", "dft_length", "sample_rate", "lower", "upper"))
def mel_weights(
    bins: Value,
    dft_length: Value,
    sample_rate: Value,
    lower: Value,
    upper: Value,
    *,
    output_datatype: int = 1,
) -> Value:
    """``[frequency bin]``: triangles that are evenly spaced on the scale of Mel."""
    count, length, rate = (int(np.asarray(v).item()) for v in (bins, dft_length, sample_rate))
    rows, columns = bounded((length // 2 + 1, count))
    low, high = (2595 * np.log10(1 + float(np.asarray(v).item()) / 700) for v in (lower, upper))
    mel = np.arange(columns + 2) * ((high - low) / (columns + 2)) + low
    edges = np.floor((length + 1) * (700 * (10 ** (mel / 2595) - 1)) / rate).astype(int)
    at = np.arange(rows)[:, None]
    left, middle, right = edges[None, :-2], edges[None, 1:-1], edges[None, 2:]
    rising = np.where(middle == left, at == middle, (at - left) / np.maximum(middle - left, 1))
    falling = (right - at) / np.maximum(right - middle, 1)
    weights = np.where(
        (at >= left) & (at <= middle), rising, np.where((at > middle) & (at < right), falling, 0)
    )
    return weights.astype(canonical(dtype_of(output_datatype) or np.float32))
