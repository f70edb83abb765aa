"""Whether attributions lie on the object: pointing game, energy, relevance mass and rank.

All of them know where the object is, and nothing of the model. A low number may be the model's doing: it
may look elsewhere.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite._counting import counted
from captum_lite._fitting import shared_features
from captum_lite._inputs import is_concrete, unpack
from captum_lite._record import Attribution
from captum_lite.metrics._given import axes_of
from namedtensor import is_named
from namedtensor._errors import describe

_IMAGE = ("height", "width")
# how the channels of a place become one number that is not negative (Arras et al., section 3.4)
POOLINGS = {
    "sum,pos": lambda r: jnp.maximum(r.sum(-1), 0),
    "sum,abs": lambda r: jnp.abs(r.sum(-1)),
    "l1-norm": lambda r: jnp.abs(r).sum(-1),
    "l2-norm": lambda r: jnp.linalg.norm(r, axis=-1),
    "l2-norm,sq": lambda r: jnp.square(jnp.linalg.norm(r, axis=-1)),
    "max-norm": lambda r: jnp.abs(r).max(-1),
    "pos,sum": lambda r: jnp.maximum(r, 0).sum(-1),
}


def pointing_game(attributions: Any, masks: Any, *, tolerance: float = 0, over: Any = None) -> Any:
    """Whether the place with the largest attribution is on the object, or within ``tolerance`` of it.

    The accuracy of the paper is the mean of the hits, for each class and then over the classes. Costs no
    evaluation.

    Args:
      attributions: of images, ``[batch, height, width, ...]`` or named; or a record. Summed over what is
        not in ``over``.
      masks: where the object is: of the dims ``batch`` and ``over``, true (or not 0) on it.
      tolerance: in pixels, of the distance to the nearest pixel of the object (the paper: 15).
      over: the dims of a place, by default ``"height width"``; axes of plain arrays, by default ``(1, 2)``.

    Returns:
      Hits, ``[batch]`` booleans. The first of several equal maxima counts; a map that is the same
      everywhere points nowhere and never hits.

    Raises:
      ValueError: masks that do not fit, or an example without an object.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite.metrics import pointing_game
      >>> heat, mask = jnp.zeros((1, 4, 4)).at[0, 1, 1].set(5.0), jnp.zeros((1, 4, 4)).at[0, 1, 2].set(1)
      >>> pointing_game(heat, mask), pointing_game(heat, mask, tolerance=1)
      (Array([False], dtype=bool), Array([ True], dtype=bool))

    Source: Zhang, Lin, Brandt, Shen, Sclaroff 2016, arXiv:1608.00507, section 4.1.
    """
    if not tolerance >= 0:
        raise ValueError(f"tolerance={tolerance}: give a distance in pixels, 0 or more.")
    maps, inside = _places(attributions, masks, over)
    return _hits(maps.sum(-1), inside, tolerance)


@jax.jit
def _hits(maps: Any, inside: Any, tolerance: Any) -> Any:
    rows = maps.reshape(len(maps), -1)
    grid = jnp.stack(jnp.meshgrid(*map(jnp.arange, maps.shape[1:]), indexing="ij"), -1)
    grid = grid.reshape(-1, grid.shape[-1])
    square = jnp.square(grid[jnp.argmax(rows, axis=1)][:, None] - grid[None]).sum(-1)
    near = square <= jnp.square(tolerance)
    return (near & inside.reshape(len(maps), -1)).any(1) & (rows.max(1) > rows.min(1))


def relevance_mass(attributions: Any, masks: Any, *, pooling: str = "sum,pos", over: Any = None) -> Any:
    """The share of the attribution that lies on the object, 0 to 1.

    Args:
      attributions: as for `pointing_game`.
      masks: as for `pointing_game`.
      pooling: how the numbers of a place become one that is not negative: ``"sum,pos"`` (the positive
        part of their sum), ``"pos,sum"``, ``"sum,abs"``, ``"l1-norm"``, ``"l2-norm"``, ``"l2-norm,sq"``
        or ``"max-norm"``.
      over: as for `pointing_game`.

    Returns:
      The share, ``[batch]``; 0 where there is no attribution at all.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite.metrics import relevance_mass
      >>> relevance_mass(jnp.array([[[3.0, 1.0]]]), jnp.array([[[True, False]]]))
      Array([0.75], dtype=float32)

    Source: Arras, Osman, Samek 2022, arXiv:2003.07258, section 3.3.
    """
    return _share(*_pooled(attributions, masks, pooling, over))


def relevance_rank(attributions: Any, masks: Any, *, pooling: str = "sum,pos", over: Any = None) -> Any:
    """Of the ``K`` places with the largest attribution, the share on the object, which has ``K`` places.

    Arguments as for `relevance_mass`. Where places of no attribution would be among the ``K``, they do
    not count as hits.

    Returns:
      The share, ``[batch]``, 0 to 1.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite.metrics import relevance_rank
      >>> relevance_rank(jnp.array([[[3.0, 1.0, 2.0]]]), jnp.array([[[True, True, False]]]))
      Array([0.5], dtype=float32)

    Source: Arras, Osman, Samek 2022, arXiv:2003.07258, section 3.3.
    """
    return _rank(*_pooled(attributions, masks, pooling, over))


def energy_pointing_game(attributions: Any, masks: Any, *, over: Any = None) -> Any:
    """The share of the positive attribution that lies in the bounding box of the object, 0 to 1.

    Arguments as for `pointing_game`.

    Returns:
      The share, ``[batch]``.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite.metrics import energy_pointing_game
      >>> corners = jnp.array([[[1, 0, 0], [0, 1, 0], [0, 0, 0]]])
      >>> energy_pointing_game(jnp.ones((1, 3, 3)), corners)  # 4 of 9 pixels are in the box
      Array([0.44444445], dtype=float32)

    Source: Wang et al. 2020 (Score-CAM), arXiv:1910.01279, section 4.3.
    """
    pooled, inside = _pooled(attributions, masks, "sum,pos", over)
    return _share(pooled, _boxes(inside))


@jax.jit
def _share(pooled: Any, inside: Any) -> Any:
    axes = tuple(range(1, pooled.ndim))
    total = pooled.sum(axes)
    return jnp.where(inside, pooled, 0).sum(axes) / jnp.where(total == 0, 1, total)


@jax.jit
def _rank(pooled: Any, inside: Any) -> Any:
    rows, hit = pooled.reshape(len(pooled), -1), inside.reshape(len(pooled), -1)
    order = jnp.argsort(-rows, axis=1, stable=True)
    hits = jnp.take_along_axis(hit & (rows > 0), order, axis=1)
    size = hit.sum(1)
    among = jnp.arange(rows.shape[1])[None] < size[:, None]
    return (hits & among).sum(1) / size


@jax.jit
def _boxes(inside: Any) -> Any:
    """The bounding boxes of masks."""
    box = jnp.ones_like(inside)
    for axis in range(1, inside.ndim):
        others = tuple(k for k in range(1, inside.ndim) if k != axis)
        there = inside.any(others, keepdims=True)
        after = jax.lax.cumsum(there.astype(jnp.int32), axis) > 0
        before = jax.lax.cumsum(there.astype(jnp.int32), axis, reverse=True) > 0
        box = box & jnp.broadcast_to(after & before, box.shape)
    return box


def _pooled(attributions: Any, masks: Any, pooling: str, over: Any) -> tuple[Any, Any]:
    if pooling not in POOLINGS:
        known = ", ".join(map(repr, POOLINGS))
        raise ValueError(f"pooling={pooling!r} is not known: choose one of {known}.")
    maps, inside = _places(attributions, masks, over)
    return POOLINGS[pooling](maps), inside


def _places(attributions: Any, masks: Any, over: Any) -> tuple[Any, Any]:
    """Attributions ``[batch, *over, rest]`` and the masks ``[batch, *over]`` as booleans."""
    values = attributions.attributions if isinstance(attributions, Attribution) else attributions
    (array, *more), layout = unpack(values)
    if more:
        raise ValueError(f"there are attributions of {1 + len(more)} inputs: give those of the image alone.")
    dims = layout.dims[0]
    axes = axes_of(over, array.ndim, dims, (1, 2) if dims is None else _IMAGE)
    features = shared_features(attributions, layout)
    if features is not None:  # what a place has of a feature counts once
        rest = tuple(a for a in range(1, array.ndim) if a not in axes)
        array = jnp.where(counted(features[0], array.shape, rest), array, 0)
    shape = (len(array), *(array.shape[a] for a in axes))
    moved = jnp.moveaxis(array, axes, range(1, 1 + len(axes))).reshape(*shape, -1)
    names = None if dims is None else ["batch", *(dims[a] for a in axes)]
    inside = _mask(masks, shape, names)
    _require_object(inside)
    return moved.astype(jnp.promote_types(moved.dtype, jnp.float32)), inside


def _require_object(inside: Any) -> None:
    if not is_concrete(inside):
        return
    empty = np.flatnonzero(~np.asarray(inside).reshape(len(inside), -1).any(1))
    if empty.size:
        raise ValueError(f"the mask of example {empty[0]} is empty: leave out examples without an object.")


def _mask(masks: Any, shape: tuple[int, ...], names: list[str] | None) -> Any:
    fits = is_named(masks) == (names is not None) and (names is None or set(masks.dims) == set(names))
    array = masks
    if fits:
        array = jnp.asarray(masks) if names is None else masks.to_array(names)
    if not fits or array.shape != shape:
        wanted = list(shape) if names is None else [f"{d}:{n}" for d, n in zip(names, shape, strict=True)]
        raise ValueError(f"masks is {describe(masks)}: give [{', '.join(map(str, wanted))}], one an example.")
    return array != 0
