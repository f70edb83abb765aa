"""Counting features once: where several elements are one feature, its value stands at each of them.

So what adds attributions up (a total, a map, a share) takes the value of a feature at one element alone.
Which elements are one feature is an array of its number at each element, with the attributions' axes and size
1 along those (the batch, mostly) on which it does not depend; it holds for each example by itself. It is
known also under `jax.jit`.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from captum_lite._inputs import Arrays


def first(features: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Where a feature stands for the first time in its group; of the shape of both."""
    pairs = groups.astype(np.int64) * (int(features.max(initial=0)) + 1) + features
    found = np.zeros(pairs.size, bool)
    found[np.unique(pairs, return_index=True)[1]] = True
    return found.reshape(pairs.shape)


def counted(features: Any, shape: Sequence[int], axes: Sequence[int]) -> np.ndarray:
    """Which elements a sum over axes takes, so that it has each feature once; broadcastable to ``shape``."""
    features = np.asarray(features)
    kept = [1 if a in axes else n for a, n in enumerate(features.shape)]
    groups = np.arange(math.prod(kept)).reshape(kept)
    found = first(features, np.broadcast_to(groups, features.shape))
    missing = zip(shape, features.shape, strict=True)
    return np.pad(found, [(0, n - m) if a in axes else (0, 0) for a, (n, m) in enumerate(missing)])


def total(values: Arrays, features: Arrays | None) -> Any:
    """The sum of all values of each example, ``[batch]``; of each feature once, in whichever inputs it is."""
    if features is None:
        return jnp.stack([v.reshape(v.shape[0], -1).sum(1) for v in values]).sum(0)
    batch = max(f.shape[0] for f in features)
    numbers = [np.broadcast_to(f, (batch, *f.shape[1:])).reshape(batch, -1) for f in features]
    rows = np.concatenate(numbers, axis=1)
    # along an axis on which a feature does not depend one element says all
    alone = [v[:, *(slice(n) for n in f.shape[1:])] for v, f in zip(values, features, strict=True)]
    each = jnp.concatenate([v.reshape(v.shape[0], -1) for v in alone], axis=1)
    return jnp.where(counted(rows, rows.shape, (1,)), each, 0).sum(1)


def of_sums(features: Arrays, axes: Sequence[Sequence[int]]) -> Arrays:
    """The features of sums over axes of each input: what has the same features in it has one value."""
    sets = [_sets(np.asarray(f), along) for f, along in zip(features, axes, strict=True)]
    most = max(s.shape[1] for s in sets)
    rows = np.concatenate([np.pad(s, [(0, 0), (most - s.shape[1], 0)], constant_values=-1) for s in sets])
    numbers = np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int32)
    parts = np.split(numbers, np.cumsum([len(s) for s in sets])[:-1])
    kept = [[n for a, n in enumerate(f.shape) if a not in x] for f, x in zip(features, axes, strict=True)]
    return tuple(part.reshape(shape) for part, shape in zip(parts, kept, strict=True))


def _sets(features: np.ndarray, axes: Sequence[int]) -> np.ndarray:
    """The features in each sum, in order, after -1 in place of those that are there already."""
    last = np.moveaxis(features, axes, range(-len(axes), 0))
    rows = np.sort(last.reshape(-1, math.prod(features.shape[a] for a in axes)), axis=1)
    rows[:, 1:][rows[:, 1:] == rows[:, :-1]] = -1
    return np.sort(rows, axis=1)


def sizes(features: np.ndarray) -> np.ndarray:
    """Of how many elements the feature of each element consists."""
    _, which, counts = np.unique(features, return_inverse=True, return_counts=True)
    return counts[which].reshape(features.shape)
