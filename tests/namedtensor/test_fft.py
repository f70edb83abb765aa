"""Fourier transforms by name: what a row of the table of operations cannot say, and the text of errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor._errors import (
    BadPattern,
    DuplicateDim,
    InvalidName,
    MissingName,
    RankMismatch,
    SizeMismatch,
    UnknownDim,
    Unsupported,
)

EPS = float(np.finfo(np.float32).eps)
RNG = np.random.default_rng(0)


def x():
    return nt.ones("batch:2 time:8")


def wave(shape, names):
    return nt.tensor(RNG.uniform(-1, 1, shape).astype(np.float32), names)


@pytest.mark.parametrize("n", [1, 4, 5])
def test_there_and_back(n):
    signal = wave((2, n), "batch time")
    for there, back in ((nt.fft.fft, nt.fft.ifft), (nt.fft.rfft, nt.fft.irfft), (nt.fft.ihfft, nt.fft.hfft)):
        again = back(there(signal, "time", new="freq"), "freq", new="time", size=n)
        np.testing.assert_allclose(again.to_array("batch time").real, signal.array, rtol=0, atol=4 * n * EPS)


def test_the_last_dim_listed_is_halved_whatever_the_storage():
    signal = wave((4, 6), "height width")
    for stored in (signal, signal.order("width height")):
        assert dict(nt.fft.rfft(stored, "height width").shape) == {"height": 4, "width": 4}
        assert dict(nt.fft.rfft(stored, "width height").shape) == {"height": 3, "width": 6}


def test_a_circular_convolution_is_a_product_of_transforms():
    signal, kernel = wave((2, 5), "batch time"), wave((5,), "time")
    product = nt.fft.fft(signal, "time") * nt.fft.fft(kernel, "time")
    got = nt.fft.ifft(product, "time").to_array("batch time").real
    positions = (np.arange(5)[:, None] - np.arange(5)[None]) % 5
    want = np.einsum("bs,ts->bt", signal.array, np.asarray(kernel.array)[positions])
    np.testing.assert_allclose(got, want, rtol=0, atol=5 * 16 * EPS)


def test_frequencies_belong_to_the_entries():
    t, n = 2 * np.pi * 3 * np.arange(8) / 8, 8
    spectrum = nt.fft.rfft(nt.tensor(np.cos(t).astype(np.float32), "time"), "time", new="freq")
    strongest = np.abs(spectrum.array).argmax()
    assert nt.fft.rfftfreq("freq", n, d=0.5).array[strongest] == 3 / (n * 0.5)
    assert nt.fft.fftfreq("freq", n, d=0.5).dims == ("freq",)


@pytest.mark.parametrize("d", [0.5, np.float32(0.5), jnp.float32(0.5)], ids=lambda d: type(d).__name__)
def test_a_spacing_may_be_traced(d):
    got = jax.jit(lambda d: nt.fft.fftfreq("freq", 5, d=d))(d)
    assert nt.equal(got, nt.fft.fftfreq("freq", 5, d=d))
    np.testing.assert_array_equal(got.array, np.fft.fftfreq(5, 0.5).astype(np.float32))


def test_new_names_stand_where_the_old_ones_stood():
    image = nt.ones("height:4 batch:2 width:6")
    assert nt.fft.fft(image, "width height", new="fx fy").dims == ("fy", "batch", "fx")
    assert nt.fft.fft(image, "width height", new=["height", "width"]).dims == ("width", "batch", "height")


def test_nothing_is_left_in_a_jaxpr():
    signal = wave((2, 8), "batch time")
    for norm in (None, "backward"):
        got = jax.make_jaxpr(lambda x, norm=norm: nt.fft.rfft(x, "time", norm=norm).array)(signal)
        assert str(got) == str(jax.make_jaxpr(jnp.fft.rfft)(signal.array))


def test_an_eager_call_is_one_program(compilations):
    signal = wave((3, 7), "batch time")
    for program in (
        lambda: nt.fft.fft(signal, "time", norm="ortho"),
        lambda: nt.fft.fftshift(signal, "time"),
    ):
        assert compilations.since(program) == 1
        assert compilations.since(program) == 0


X = "f32[batch:2 time:8]"
ERRORS = {
    "unknown dim": (lambda: nt.fft.fft(x(), "tine"), UnknownDim,
        ["UnknownDim in nt.fft.fft(over='tine')", X, "no dim 'tine'", "Did you mean 'time'?"]),
    "no dim": (lambda: nt.fft.fft(x(), ""), RankMismatch, ["nt.fft.fft", X, "one dim or more", "'' are 0", "over='time'"]),
    "two dims of hfft": (lambda: nt.fft.hfft(x(), "batch time"), RankMismatch, ["nt.fft.hfft", X, "one dim, and 'batch time' are 2"]),
    "None": (lambda: nt.fft.fftshift(x(), None), InvalidName, ["nt.fft.fftshift", X, "None"]),
    "a set": (lambda: nt.fft.rfft(x(), {"batch", "time"}), BadPattern, ["nt.fft.rfft", X, "does not say which dim is last"]),
    "a set of new names": (lambda: nt.fft.rfft(x(), "batch time", new={"a", "b"}), BadPattern, [X, "which dim is last"]),
    "an array": (lambda: nt.fft.fft(np.ones(8), "time"), MissingName, ["nt.fft.fft", "f64[8] has no names"]),
    "in transit": (lambda: nt.fft.fft(x().peel("batch"), "time"), RankMismatch, ["nt.fft.fft", "in transit"]),
    "a size for two": (lambda: nt.fft.fft(x(), "batch time", size=4), BadPattern,
        ["nt.fft.fft(over='batch time', size=4)", X, "size=4 for the dims 'batch time'", "size={'time': 8}"]),
    "a size of another dim": (lambda: nt.fft.fft(x(), "time", size={"batch": 4}), UnknownDim, [X, "no dim 'batch'", "'time'"]),
    "a size of 0": (lambda: nt.fft.fft(x(), "time", size=0), BadPattern, [X, "the size of 'time', size=0 is no whole number of at least 1"]),
    "half a size": (lambda: nt.fft.fft(x(), "time", size={"time": 2.5}), BadPattern, [X, "2.5 is no whole number"]),
    "a list of sizes": (lambda: nt.fft.fft(x(), "time", size=[4]), BadPattern, [X, "[4] is no whole number"]),
    "a traced size": (lambda: jax.jit(lambda n: nt.fft.fft(x(), "time", size=n).array)(4), BadPattern, ["a traced value"]),
    "an unknown norm": (lambda: nt.fft.fft(x(), "time", norm="orto"), BadPattern, [X, "norm='orto'", "'backward', 'ortho' or 'forward'"]),
    "a list as norm": (lambda: nt.fft.fft(x(), "time", norm=["ortho"]), BadPattern, [X, "norm=['ortho']"]),
    "a new name that is there": (lambda: nt.fft.fft(x(), "time", new="batch"), DuplicateDim, [X, "'batch' already"]),
    "a new name too many": (lambda: nt.fft.fft(x(), "time", new="fx fy"), RankMismatch, [X, "new='fx fy' has 2 names for the dims 'time'"]),
    "complex values": (lambda: nt.fft.rfft(x() * 1j, "time"), Unsupported,
        ["nt.fft.rfft", "c64[batch:2 time:8]", "complex64, and rfft takes real ones", "nt.fft.fft"]),
    "nothing to transform": (lambda: nt.fft.fft(nt.zeros("time:0"), "time"), SizeMismatch, ["f32[time:0]", "'time' would have size 0"]),
    "half a spectrum of 1": (lambda: nt.fft.irfft(nt.ones("time:1"), "time"), SizeMismatch, ["'time' would have size 0", "size={'time': 1}"]),
    "no frequencies": (lambda: nt.fft.fftfreq("freq", 0), BadPattern, ["nt.fft.fftfreq('freq', 0, d=1.0)", "size=0 is no whole number of at least 1"]),
    "no time between": (lambda: nt.fft.rfftfreq("freq", 4, d=0), BadPattern, ["nt.fft.rfftfreq('freq', 4, d=0)", "d=0 is no spacing"]),
    "a list of times": (lambda: nt.fft.fftfreq("freq", 4, d=[1.0]), BadPattern, ["d=[1.0] is no spacing"]),
    "no name for frequencies": (lambda: nt.fft.fftfreq("a b", 4), InvalidName, ["nt.fft.fftfreq", "'a b' is not a name"]),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "parts"), ERRORS.values(), ids=ERRORS)
def test_error(call, error, parts):
    with pytest.raises(error) as caught:
        call()
    assert not [part for part in parts if part not in str(caught.value)], str(caught.value)
