"""Features: which elements of the inputs are changed together.

Perturbation methods count in features, not in elements: a segment of an image, a channel, a word, or
each element by itself. However the user writes them, here they are one integer for each element.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from captum_lite._backend import compiled
from captum_lite._inputs import BATCH, Arrays, Layout
from captum_lite._problem import Problem
from namedtensor import NamedTensor, is_named
from namedtensor._dims import dims, unknown
from namedtensor._errors import describe


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Features:
    """The features of a problem's inputs, numbered from 0.

    Attributes:
      index: for each input the number of the feature that an element belongs to; of the input's rank,
        with size 1 along axes (the batch, mostly) on which it does not depend.
      count: how many features there are.
    """

    index: Arrays
    count: int = field(metadata={"static": True})

    def mask(self, number: Any) -> Arrays:
        """Which elements belong to a feature."""
        return tuple(i == number for i in self.index)

    def shared(self, problem: Problem) -> Arrays | None:
        """The index, where elements share a feature; None where each element is one by itself."""
        elements = sum(math.prod(x.shape[1:]) for x in problem.inputs)
        alone = self.count == elements and all(i.shape[0] == 1 for i in self.index)
        return None if alone else self.index

    def replacement(self, problem: Problem, number: Any) -> Arrays:
        """What stands in their place when it is taken away."""
        assert problem.baselines is not None, "perturbation methods compare"
        return problem.baselines

    def present(self, coalition: Any, problem: Problem) -> Arrays:
        """The inputs with the features of a coalition, ``[count]`` of flags, and the baselines elsewhere."""
        assert problem.baselines is not None, "perturbation methods compare"
        parts = zip(self.index, problem.inputs, problem.baselines, strict=True)
        return tuple(jnp.where(coalition[i], x, b) for i, x, b in parts)


@compiled
def spread(problem: Problem, features: Features, values: Any) -> Arrays:
    """Values of features, ``[count, batch]``, at each element that belongs to them: the inputs' shapes."""

    def place(index: Any, x: Any) -> Any:
        rows = index[0] if index.shape[0] == 1 else index
        placed = jax.vmap(lambda v, i: v[i], in_axes=(1, None if rows is not index else 0))(values, rows)
        return jnp.broadcast_to(placed, x.shape).astype(result_dtype(x, values))

    return tuple(place(i, x) for i, x in zip(features.index, problem.inputs, strict=True))


def laid_out(problem: Problem, features: Features, values: Any, input_shape: bool) -> Arrays:
    """Values of features at the elements, or as they are, ``[batch, feature]``."""
    return spread(problem, features, values) if input_shape else (values.T,)


def shared_of(problem: Problem, features: Features, input_shape: bool) -> Arrays | None:
    """The features that elements of what `laid_out` returns share."""
    return features.shared(problem) if input_shape else None


def layout_of(problem: Problem, input_shape: bool) -> Layout | None:
    """Of what `laid_out` returns, where it is not that of the inputs."""
    named = any(d is not None for d in problem.layout.dims)
    return None if input_shape else Layout(True, (dims((BATCH, "feature")) if named else None,))


def result_dtype(x: Any, values: Any) -> Any:
    """Of attributions: the input's own, or that of the scores where the input is no quantity."""
    return x.dtype if jnp.issubdtype(x.dtype, jnp.floating) else values.dtype


def features(feature_mask: Any, problem: Problem) -> Features:
    """The features that the user asks for.

    Args:
      feature_mask: for all inputs, or a tuple with one for each of them:
        None, each element is a feature;
        integers, of the input's shape, of one example, or with size 1 along axes that they do not depend
        on: elements with the same number are one feature, in other inputs too;
        a named tensor of integers, with some of the input's dims;
        ``"channel"`` or ``"height width"``, each position along these dims is a feature;
        ``{"height": 4, "width": 4}``, blocks of so many positions along each dim; a list of integers in
        place of the 4 groups the positions by their number. Axes of plain inputs go by their position,
        ``{1: 4}``.
      problem: what is explained.

    Raises:
      ValueError: a mask that does not fit its input, or a dim that is not there.
      TypeError: a mask that is not of integers.
    """
    layout = problem.layout
    given = for_each(feature_mask, layout, "feature_mask", _is_one)
    numbered = []
    for k, (mask, x, names) in enumerate(zip(given, problem.inputs, layout.dims, strict=True)):
        numbering = _by_dims if _is_by_dims(mask) else _by_number
        numbered.append(numbering(mask, x, names, k))
    shared = [n for n, mask in zip(numbered, given, strict=True) if not _is_by_dims(mask)]
    ids = np.unique(np.concatenate([n.ravel() for n in shared])) if shared else np.zeros(0, int)
    index, count = [], len(ids)
    for n, mask in zip(numbered, given, strict=True):
        if _is_by_dims(mask):
            index.append(n + count)
            count += int(n.max(initial=-1)) + 1
        else:
            index.append(np.searchsorted(ids, n))
    return Features(tuple(i.astype(np.int32) for i in index), count)


def _is_by_dims(mask: Any) -> bool:
    return mask is None or isinstance(mask, str | Mapping)


def _is_one(mask: Any, single: bool) -> bool:
    return _is_by_dims(mask) or (single and not isinstance(mask, tuple))


def for_each(given: Any, layout: Layout, what: str, is_one: Callable[[Any, bool], bool]) -> tuple[Any, ...]:
    """An option for each input; ``is_one(given, single)`` says that all inputs share it."""
    n = len(layout.dims)
    if is_one(given, n == 1):
        return (given,) * n
    if not isinstance(given, tuple | list) or len(given) != n:
        there = len(given) if isinstance(given, tuple | list) else 1
        raise ValueError(f"{what} has {there} parts for {n} inputs: give one for each, in a tuple.")
    return tuple(given)


def _by_number(mask: Any, x: Any, names: Any, k: int) -> np.ndarray:
    """Numbers given for the elements, with the axes of the input."""
    whole = x if names is None else NamedTensor(x, names)
    plain = mask.array if is_named(mask) else mask
    if isinstance(plain, Tracer):
        raise TypeError(
            f"feature_mask {k} is traced: it says how many evaluations there are, so its values must be "
            "known; make it with NumPy, outside of the function that is transformed."
        )
    if is_named(mask) != (names is not None):
        raise ValueError(
            f"feature_mask {k} is {describe(mask)}, its input is {describe(whole)}: "
            "give both names, or neither (nt.tensor(mask, 'height width'))."
        )
    array = np.asarray(plain)
    if array.dtype.kind not in "iub":
        raise TypeError(f"feature_mask {k} is {describe(array)}: it numbers the features, so give integers.")
    array = _lined_up(mask, array, x, names)
    if array is None:
        raise ValueError(
            f"feature_mask {k} is {describe(mask if is_named(mask) else np.asarray(mask))}, "
            f"its input is {describe(whole)}: give integers of the input's shape, of one example, or with "
            "size 1 along axes that they do not depend on."
        )
    return array.astype(np.int64)


def _lined_up(mask: Any, array: np.ndarray, x: Any, names: Any) -> np.ndarray | None:
    """The mask with the axes of its input; None if it does not fit."""
    if names is not None:
        if not set(mask.dims) <= set(names):
            return None
        order = [d for d in names if d in mask.dims]
        array = np.transpose(array, [mask.dims.index(d) for d in order])
        sizes = dict(zip(order, array.shape, strict=True))
        array = array.reshape([sizes.get(d, 1) for d in names])
    elif array.ndim == x.ndim - 1:
        array = array[None]
    fits = array.ndim == x.ndim and all(n in (1, m) for n, m in zip(array.shape, x.shape, strict=True))
    return array if fits else None


def _by_dims(mask: Any, x: Any, names: Any, k: int) -> np.ndarray:
    """Numbers of the positions along some axes; the same ones in whatever order named axes are stored."""
    axes = dict(zip(names if names is not None else range(x.ndim), range(x.ndim), strict=True))
    rest = [a for a in axes if a not in (BATCH, 0)]
    groups = _groups(mask, rest, k, "" if names is None else " ".join(names))
    numbers = np.zeros([1] * x.ndim, np.int64)
    for name in sorted(groups):
        size = x.shape[axes[name]]
        positions = _positions(groups[name], size, name, k)
        along = positions.reshape([-1 if a == axes[name] else 1 for a in range(x.ndim)])
        numbers = numbers * (int(positions.max(initial=0)) + 1) + along
    return numbers


def _groups(mask: Any, rest: list[Any], k: int, names: str) -> dict[Any, Any]:
    """What is asked for along each axis."""
    if mask is None:
        return dict.fromkeys(rest, 1)
    asked = dict(mask) if isinstance(mask, Mapping) else dict.fromkeys(dims(mask), 1)
    for name in asked:
        if name == BATCH or name == 0:
            raise ValueError(f"feature_mask {k}: features are those of one example, so {name!r} has none.")
        if name not in rest:
            problem = unknown(str(name), map(str, rest)) if names else f"axes with features are {rest}"
            raise ValueError(f"feature_mask {k} goes along {name!r}: {problem}")
    return asked


def _positions(group: Any, size: int, name: Any, k: int) -> np.ndarray:
    """The group of each position along one axis, numbered from 0."""
    array = np.asarray(group.array if is_named(group) else group)
    if array.dtype.kind not in "iu" or array.shape not in ((), (size,)):
        raise ValueError(
            f"feature_mask {k} has {group!r} along {name!r}: give a number of positions that go together, "
            f"or {size} integers, the group of each."
        )
    if array.ndim:
        return np.unique(array, return_inverse=True)[1].reshape(-1)
    if array < 1:
        raise ValueError(f"feature_mask {k} has blocks of {int(array)} along {name!r}: give at least 1.")
    return np.arange(size) // int(array)
