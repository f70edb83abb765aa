"""GradCAM: where in space the maps of a convolutional layer speak for a class."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from captum_lite._backend import compiled
from captum_lite._estimate import Estimate
from captum_lite._inputs import BATCH, unpack
from captum_lite._layers import LayerMethod, value_and_gradient
from captum_lite._problem import Problem
from namedtensor import Dims, NamedTensor
from namedtensor._dims import dims, unknown
from namedtensor._errors import describe


@dataclass(frozen=True)
class LayerGradCam(LayerMethod):
    """``sum over c of (mean over space of d score / d activation_c) * activation_c`` at ``layer``.

    A coarse map of the layer's spatial size: named, the layer's dims without ``channel``; plain, ``[batch,
    1, ...]`` as in Captum. One gradient evaluation. `LayerAttribution.interpolate` brings it to the size of
    the image. Usual at the last layer that still has space.

    Options of `attribute`:
      relu_attributions: keep only what speaks for the class, as the paper draws it. (False, as in Captum.)
      channel: the dim that is summed over, of a named layer; by default ``"channel"``, or ``"feature"``, as
        `nn.conv` calls its result.
      channel_axis: the same for a plain one: 1 for ``[batch, channel, ...]``, -1 for channels last.

    Example:
      >>> import jax.numpy as jnp, namedtensor as nt
      >>> from captum_lite import LayerGradCam
      >>> f = lambda x: nt.tap(2 * x, "maps").sum((1, 2, 3))
      >>> LayerGradCam(f, "maps").attribute(jnp.ones((1, 3, 1, 2)))
      Array([[[[6., 6.]]]], dtype=float32)

    Raises:
      UnknownTapError: the function has no such layer.
      ValueError: the layer has no spatial axes, or not that channel.

    Source: Selvaraju, Cogswell, Das, Vedantam, Parikh, Batra 2017, arXiv:1610.02391.
    """

    def explained(self, posed: Problem) -> Problem:
        """The inputs, whose picture the map belongs to."""
        return posed

    def steps(
        self,
        problem: Problem,
        *,
        relu_attributions: bool = False,
        channel: str | None = None,
        channel_axis: int = 1,
    ) -> Iterator[Estimate]:
        """One gradient."""
        found = grad_cam(
            problem, layer=self.place, channel=channel, channel_axis=channel_axis, relu=relu_attributions
        )
        arrays, layout = unpack(found)
        yield Estimate(arrays, gradients=problem.batch, layout=layout)


@compiled(static_argnames=("layer", "channel", "channel_axis", "relu"))
def grad_cam(problem: Problem, *, layer: str, channel: str | None, channel_axis: int, relu: bool) -> Any:
    """The map of a layer: without the channel if it is named, else with one."""
    value, slope = value_and_gradient(problem, problem.inputs, layer)
    (maps,), layout = unpack(value)
    (slopes,), _ = unpack(slope)
    there = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), value)  # errors show shapes
    axis = _channel_axis(layer, there, layout.dims[0], channel, channel_axis)
    # contractions: sums over products of broadcasts are what XLA for CPU has got wrong
    maps, slopes = jnp.moveaxis(maps, axis, 1), jnp.moveaxis(slopes, axis, 1)
    weights = slopes.reshape(*slopes.shape[:2], -1).mean(2)
    found = jnp.einsum("bc,bc...->b...", weights, maps)
    found = jax.nn.relu(found) if relu else found
    (names,) = layout.dims
    if names is None:
        return jnp.expand_dims(found, axis)
    return NamedTensor(found, dims((*names[:axis], *names[axis + 1 :])))


def _channel_axis(layer: str, there: Any, names: Dims | None, channel: str | None, channel_axis: int) -> int:
    """The axis of the channel, batch first."""
    ndim = len(there.shape)
    if ndim < 3:
        raise ValueError(
            f"LayerGradCam: the layer {layer!r} is {describe(there)}, without spatial axes to map: use "
            "LayerGradientXActivation, which needs no space, or choose a layer before the pooling or "
            "flattening (namedtensor.list_taps lists them)."
        )
    if names is not None:
        return names.index(_channel_dim(layer, there, names, channel))
    axis = channel_axis + ndim if channel_axis < 0 else channel_axis
    if not 0 < axis < ndim:
        raise ValueError(
            f"LayerGradCam: channel_axis={channel_axis} is not an axis of the layer {layer!r}, "
            f"{describe(there)}, besides the batch: give 1 to {ndim - 1}, or -1 for channels last."
        )
    return axis


def _channel_dim(layer: str, there: Any, names: Dims, channel: str | None) -> str:
    """The dim that is summed over."""
    for usual in ("channel", "feature") if channel is None else (channel,):
        if usual in names and usual != BATCH:
            return usual
    known = unknown(channel or "channel", [d for d in names if d != BATCH])
    raise ValueError(
        f"LayerGradCam: the layer {layer!r} is {describe(there)}: {known} "
        "Name the dim to sum over with channel=."
    )
