"""Which kernel a convolution takes, and its derivatives: the input's by the same kernel, backwards."""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap
from jax.custom_derivatives import CustomVJPPrimal, SymbolicZero, zero_from_primal

from namedtensor.kernels import direct, im2col, pointwise, winograd
from namedtensor.kernels.window import Window

Prepared = tuple[Any, ...]

_KERNELS = {
    "winograd": (winograd.forward, winograd.backward),
    "direct": (direct.forward, direct.backward),
    "im2col": (im2col.forward, im2col.backward),
    "pointwise": (pointwise.forward, pointwise.backward),
}
_SPEC = ("NHWC", "HWIO", "NHWC")
_FEW_CHANNELS = 8  # Winograd's dots are over the channels alone: with few of them im2col's are longer
_MOST_PLACES = 49
_MOST_GATHERED = 1 << 25  # numbers that im2col may write; beyond, XLA's convolution needs less memory


class Choice(NamedTuple):
    """A kernel by name, and the geometry: all of a convolution that is known before the values are."""

    kernel: str
    window: Window


def choose(x: Any, kernel: Any, window: Window, *, looped: bool = False) -> Choice | None:
    """The kernel for images and weights of these shapes; None where XLA's convolution stays.

    Args:
      x: ``[batch, height, width, channel]``.
      kernel: ``[height, width, channel, feature]``.
      window: the geometry.
      looped: whether it is in a loop, where XLA's convolution is slow.
    """
    if x.dtype != kernel.dtype or x.dtype not in (jnp.float32, jnp.float64):
        return None
    if 0 in x.shape or 0 in kernel.shape or 0 in window.out:
        return None
    unpadded = window.padding == ((0, 0), (0, 0))
    if window.size == (1, 1) and unpadded:
        return Choice("pointwise", window)
    if window.size == (3, 3) and window.strides == (1, 1) and min(kernel.shape[2:]) >= _FEW_CHANNELS:
        return Choice("winograd", window)
    places = len(window.taps)
    gathered = x.shape[0] * math.prod(window.out) * places * max(kernel.shape[2:])
    if places > _MOST_PLACES or gathered > _MOST_GATHERED:
        return None
    return Choice("im2col" if looped else "direct", window)


def prepare(kernel: Any, choice: Choice) -> Prepared:
    """What the kernel needs of the weights ``[height, width, channel, feature]``, once for all calls."""
    kernel = lax.stop_gradient(kernel)
    if choice.kernel == "winograd":
        return winograd.matrices(kernel)
    return (kernel[0, 0],) if choice.kernel == "pointwise" else im2col.matrices(kernel)


def convolve(
    x: Any, kernel: Any, window: Window, prepared: Prepared | None = None, *, looped: bool = False
) -> Any:
    """The convolution of images with a kernel, without dilation or groups.

    Its value and its derivative with respect to ``x`` come from the fastest kernel for the shapes; the
    derivative with respect to ``kernel`` from XLA. Reverse mode only, any number of times.

    Args:
      x: ``[batch, height, width, channel]``.
      kernel: ``[height, width, channel, feature]``.
      window: the geometry.
      prepared: `prepare` of the kernel, where many calls share it.
      looped: whether it is in a loop, where XLA's convolution is slow.
    """
    choice = choose(x, kernel, window, looped=looped)
    if choice is None:
        return _reference(window, x, kernel)
    return _apply(choice, False, x, kernel, prepare(kernel, choice) if prepared is None else prepared)


def _reference(window: Window, x: Any, kernel: Any) -> Any:
    return lax.conv_general_dilated(x, kernel, window.strides, window.padding, dimension_numbers=_SPEC)


def _transposed(window: Window, y: Any, kernel: Any) -> Any:
    """The transpose of the convolution, by XLA."""
    image = jax.ShapeDtypeStruct((y.shape[0], *window.image, kernel.shape[2]), y.dtype)
    (x,) = jax.linear_transpose(lambda x: _reference(window, x, kernel), image)(y)
    return x


def _run(choice: Choice, back: bool, x: Any, prepared: Prepared) -> Any:
    """The kernel itself; under `jax.vmap` more examples are more images."""
    kernel = functools.partial(_KERNELS[choice.kernel][back], window=choice.window)

    def plain(x: Any, *prepared: Any) -> Any:
        return kernel(x, prepared)

    @custom_vmap
    def run(x: Any, *prepared: Any) -> Any:
        return plain(x, *prepared)

    @run.def_vmap
    def _(_: int, batched: list[bool], x: Any, *prepared: Any) -> tuple[Any, bool]:
        if any(batched[1:]):
            axes = [0 if b else None for b in batched]
            return jax.vmap(plain, in_axes=tuple(axes))(x, *prepared), True
        y = run(x.reshape(-1, *x.shape[2:]), *prepared)
        return y.reshape(*x.shape[:2], *y.shape[1:]), True

    return run(x, *prepared)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _apply(choice: Choice, back: bool, x: Any, kernel: Any, prepared: Prepared) -> Any:
    del kernel  # it is in `prepared`, and here for its derivative
    return _run(choice, back, x, prepared)


def _apply_forward(
    choice: Choice, back: bool, x: CustomVJPPrimal, kernel: CustomVJPPrimal, prepared: Any
) -> tuple[Any, Any]:
    made = tuple(p.value for p in prepared)
    y = _apply(choice, back, x.value, kernel.value, made)
    return y, (x.value if kernel.perturbed else None, kernel.value, made)


def _apply_backward(choice: Choice, back: bool, residuals: Any, ct: Any) -> tuple[Any, Any, Any]:
    x, kernel, prepared = residuals
    nothing = tuple(zero_from_primal(p, symbolic_zeros=True) for p in prepared)
    if isinstance(ct, SymbolicZero):
        ct = jnp.zeros(ct.shape, kernel.dtype)
    to_x = _apply(choice, not back, ct, kernel, prepared)
    if x is None:
        return to_x, zero_from_primal(kernel, symbolic_zeros=True), nothing
    convolution = _transposed if back else _reference
    (to_kernel,) = jax.vjp(lambda k: convolution(choice.window, x, k), kernel)[1](ct)
    return to_x, to_kernel, nothing


_apply.defvjp(_apply_forward, _apply_backward, symbolic_zeros=True)
