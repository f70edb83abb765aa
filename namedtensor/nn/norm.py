"""Named normalisation of each example: which dims the statistics are over is all in which these differ."""

from collections.abc import Callable
from typing import Any

from namedtensor._dims import Dims, Spec, axis_of, check_name, dims
from namedtensor._errors import SizeMismatch
from namedtensor._plan import Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.nn._checks import number, some
from namedtensor.nn._normalize import (
    axes_of,
    given,
    normalization,
    over_axes,
    standardized,
    unit_length,
    unit_mean_square,
)
from namedtensor.ops._static import whole
from namedtensor.ops._table import public

Scalar = NamedTensor | float


def _parse(over: Any, epsilon: Any, steps: tuple[str, ...]) -> tuple:
    return some(over), number(epsilon, "epsilon"), steps


_layer_norm = normalization("nn.layer_norm", over_axes(standardized), _parse)
_instance_norm = normalization("nn.instance_norm", over_axes(standardized), _parse)
_rms_norm = normalization("nn.rms_norm", over_axes(unit_mean_square), _parse)
_l2_normalize = normalization("nn.l2_normalize", over_axes(unit_length), _parse)


def _run(operation: Operation, x: Any, settings: tuple, scale: Any, offset: Any) -> NamedTensor:
    operands, steps = given(scale=scale, offset=offset)
    return run(operation, (x, *operands), (*settings, steps))


def layer_norm(
    x: NamedTensor,
    scale: Scalar | None = None,
    offset: Scalar | None = None,
    *,
    over: Spec,
    epsilon: float = 1e-5,
) -> NamedTensor:
    """``(x - mean) / sqrt(variance + epsilon) * scale + offset``, mean and variance along ``over``.

    Args:
      x: ``[batch seq embed]`` in any order, floating.
      scale: ``[embed]``, multiplied by name; 1 where left out.
      offset: ``[embed]``, added by name; 0 where left out.
      over: the dims that each mean and (biased) variance is taken over, as a rule the features.
      epsilon: added to the variance.

    Returns:
      The dims of ``x`` (and of scale and offset), in the dtype that the three promote to. Half precision
      is computed in float32 and rounded once.

    Raises:
      UnknownDim: ``x`` lacks a dim of ``over``.
      BadPattern: ``over`` names no dim, or epsilon is not a number of 0 or more.
      Unsupported: ``x`` is not floating.

    References:
      Ba, Kiros and Hinton 2016, Layer normalization, arXiv:1607.06450.

    Example:
      >>> import namedtensor as nt
      >>> x = nt.tensor([[0.0, 2.0], [4.0, 8.0]], "batch embed")
      >>> nt.nn.layer_norm(x, over="embed", epsilon=0.0).array
      Array([[-1.,  1.],
             [-1.,  1.]], dtype=float32)
    """
    return _run(_layer_norm, x, (over, epsilon), scale, offset)


def instance_norm(
    x: NamedTensor,
    scale: Scalar | None = None,
    offset: Scalar | None = None,
    *,
    over: Spec,
    epsilon: float = 1e-5,
) -> NamedTensor:
    """`layer_norm` over the spatial dims: each channel of each example is normalised by itself.

    Args:
      x: ``[batch height width channel]`` in any order, floating.
      scale: ``[channel]``, multiplied by name.
      offset: ``[channel]``, added by name.
      over: the spatial dims.
      epsilon: added to the variance.

    Returns:
      As `layer_norm`.

    Raises:
      UnknownDim, BadPattern, Unsupported: as `layer_norm`.

    References:
      Ulyanov, Vedaldi and Lempitsky 2016, Instance normalization, arXiv:1607.08022.

    Example:
      >>> import namedtensor as nt
      >>> nt.nn.instance_norm(nt.ones("batch:2 height:4 width:4 channel:3"), over="height width").shape
      Shape(batch:2 height:4 width:4 channel:3)
    """
    return _run(_instance_norm, x, (over, epsilon), scale, offset)


def rms_norm(
    x: NamedTensor, scale: Scalar | None = None, *, over: Spec, epsilon: float = 1e-6
) -> NamedTensor:
    """``x / sqrt(mean of squares + epsilon) * scale``, the mean along ``over``.

    Args:
      x: ``[batch seq embed]`` in any order, floating.
      scale: ``[embed]``, multiplied by name.
      over: the dims that each mean is taken over.
      epsilon: added to the mean of squares.

    Returns:
      As `layer_norm`.

    Raises:
      UnknownDim, BadPattern, Unsupported: as `layer_norm`.

    References:
      Zhang and Sennrich 2019, Root mean square layer normalization, arXiv:1910.07467.

    Example:
      >>> import namedtensor as nt
      >>> nt.nn.rms_norm(nt.tensor([1.0, 7.0], "embed"), over="embed", epsilon=0.0).array
      Array([0.2, 1.4], dtype=float32)
    """
    return _run(_rms_norm, x, (over, epsilon), scale, None)


def l2_normalize(x: NamedTensor, *, over: Spec, epsilon: float = 1e-12) -> NamedTensor:
    """``x / sqrt(max(sum of squares, epsilon))``, the sum along ``over``: vectors of length 1.

    Args:
      x: a floating tensor with the dims ``over``.
      over: the dims of each vector.
      epsilon: the least sum of squares, so that zero stays zero, with a finite derivative.

    Returns:
      The dims and the dtype of ``x``.

    Raises:
      UnknownDim, BadPattern, Unsupported: as `layer_norm`.

    Example:
      >>> import namedtensor as nt
      >>> nt.nn.l2_normalize(nt.tensor([3.0, 4.0], "embed"), over="embed").array
      Array([0.6, 0.8], dtype=float32)
    """
    return _run(_l2_normalize, x, (over, epsilon), None, None)


def _in_groups(
    names: tuple[Dims, ...], dim: str, groups: int, over: Dims, epsilon: float
) -> Callable[[Any], Any]:
    there = names[0]
    at, others = axis_of(there, dim), axes_of(there, over)
    # the dim is split in two where it stands: the groups, and what is inside each of them
    axes = (at + 1, *(i + (i > at) for i in others if i != at))

    def normalize(x):
        size = x.shape[at]
        if size % groups:
            raise SizeMismatch(
                f"{dim!r} is {size}, which {groups} groups do not divide.", "Choose a divisor of the size."
            )
        split = x.reshape(*x.shape[:at], groups, size // groups, *x.shape[at + 1 :])
        return standardized(split, axes, epsilon).reshape(x.shape)

    return normalize


def _parse_groups(dim: Any, groups: Any, over: Any, epsilon: Any, steps: tuple[str, ...]) -> tuple:
    count = whole(groups, "groups", least=1)
    return check_name(dim), count, dims(over), number(epsilon, "epsilon"), steps


_group_norm = normalization("nn.group_norm", _in_groups, _parse_groups, ("dim", "groups", "over", "epsilon"))


def group_norm(
    x: NamedTensor,
    scale: Scalar | None = None,
    offset: Scalar | None = None,
    *,
    dim: str,
    groups: int,
    over: Spec,
    epsilon: float = 1e-5,
) -> NamedTensor:
    """`layer_norm` of each of the groups into which ``dim`` is cut, over ``over`` and within the group.

    Args:
      x: ``[batch height width channel]`` in any order, floating.
      scale: ``[channel]``, multiplied by name.
      offset: ``[channel]``, added by name.
      dim: the dim that is cut into groups of neighbours.
      groups: how many; a divisor of the size of ``dim``.
      over: the other dims that each mean and variance is taken over, as a rule the spatial ones (none
        is allowed, and ``dim`` itself changes nothing).
      epsilon: added to the variance.

    Returns:
      As `layer_norm`.

    Raises:
      UnknownDim: ``x`` lacks ``dim`` or a dim of ``over``.
      SizeMismatch: ``groups`` does not divide the size.
      BadPattern, Unsupported: as `layer_norm`.

    References:
      Wu and He 2018, Group normalization, arXiv:1803.08494.

    Example:
      >>> import namedtensor as nt
      >>> x = nt.tensor([1.0, 3.0, 10.0, 30.0], "channel")
      >>> nt.nn.group_norm(x, dim="channel", groups=2, over="", epsilon=0.0).array
      Array([-1.,  1., -1.,  1.], dtype=float32)
    """
    return _run(_group_norm, x, (dim, groups, over, epsilon), scale, offset)


__all__ = public(globals())
