"""Guided GradCAM: the fine lines of guided backpropagation where GradCAM looks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from captum_lite._estimate import Estimate
from captum_lite._inputs import BATCH, require_real
from captum_lite._interpolate import resized
from captum_lite._layers import LayerMethod
from captum_lite._problem import Problem
from captum_lite.methods.layer_grad_cam import grad_cam
from captum_lite.rules.guided import guided_gradient
from namedtensor import Dims, NamedTensor, is_named
from namedtensor._errors import describe


@dataclass(frozen=True)
class GuidedGradCam(LayerMethod):
    """Guided backpropagation, times the positive part of GradCAM at ``layer`` brought to the input's size.

    Of the shape and dims of the inputs. Two gradient evaluations. It draws sharp lines; like guided
    backpropagation alone it can look much the same for another class or for a model that has learnt
    nothing, so check with a randomised model.

    Options of `attribute`:
      interpolate_mode: ``"nearest"`` or ``"bilinear"``, see `LayerAttribution.interpolate`.
      channel: of `LayerGradCam`.
      channel_axis: of `LayerGradCam`, for the layer and for the inputs.

    Example:
      >>> import jax, jax.numpy as jnp, namedtensor as nt
      >>> from captum_lite import GuidedGradCam
      >>> f = lambda x: jax.nn.relu(nt.tap(2 * x, "maps")).sum((1, 2, 3))
      >>> GuidedGradCam(f, "maps").attribute(jnp.array([[[[1.0, -1.0]]]]))
      Array([[[[2., 0.]]]], dtype=float32)

    Raises:
      UnknownTapError: the function has no such layer.
      ValueError: the layer has no spatial axes, or an input has not those of the layer.

    Source: Selvaraju, Cogswell, Das, Vedantam, Parikh, Batra 2017, arXiv:1610.02391; Springenberg,
    Dosovitskiy, Brox, Riedmiller 2014, arXiv:1412.6806.
    """

    def explained(self, posed: Problem) -> Problem:
        """The inputs."""
        require_real(posed.inputs, "input")
        return posed

    def steps(
        self,
        problem: Problem,
        *,
        interpolate_mode: str = "nearest",
        channel: str | None = None,
        channel_axis: int = 1,
    ) -> Iterator[Estimate]:
        """One guided gradient and one plain one."""
        cam = grad_cam(problem, layer=self.place, channel=channel, channel_axis=channel_axis, relu=True)
        parts = zip(guided_gradient(problem), problem.layout.dims, strict=True)
        yield Estimate(
            tuple(_times(g, names, cam, channel_axis, interpolate_mode, self.place) for g, names in parts),
            gradients=2 * problem.batch,
        )


def _times(guided: Any, names: Dims | None, cam: Any, channel_axis: int, mode: str, layer: str) -> Any:
    """A guided gradient times the map, which is brought to its size."""
    if names is not None and is_named(cam) and set(cam.dims) <= set(names):
        sizes = {cam.dims.index(d): guided.shape[names.index(d)] for d in cam.dims if d != BATCH}
        here = NamedTensor(resized(cam.array, sizes, mode), cam.dims)
        return (NamedTensor(guided, names) * here).order(names).array
    if names is None and is_named(cam):  # a named layer in a function of plain arrays
        cam = jnp.expand_dims(cam.order([BATCH, "..."]).array, channel_axis)
    if names is None and cam.ndim == guided.ndim:
        channel = channel_axis % guided.ndim
        sizes = {axis: n for axis, n in enumerate(guided.shape) if axis not in (0, channel)}
        return guided * resized(cam, sizes, mode)
    raise ValueError(
        f"GuidedGradCam: the map of {layer!r} is {describe(cam)}, the input is "
        f"{describe(guided if names is None else NamedTensor(guided, names))}: the input must have "
        "the spatial axes of the layer. Use LayerGradCam, and bring its map where you want it."
    )
