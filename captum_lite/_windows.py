"""Windows that slide over the inputs: where they stand is computed from their number, none is stored."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite._features import for_each
from captum_lite._inputs import BATCH, Arrays
from captum_lite._problem import Problem
from namedtensor import NamedTensor
from namedtensor._dims import unknown
from namedtensor._errors import describe


@dataclass(frozen=True)
class _Slide:
    """The windows of one input; every field has an entry for each axis after the batch."""

    size: tuple[int, ...]
    window: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def positions(self) -> tuple[int, ...]:
        """How many there are along each axis; the last may hang over the end."""
        along = zip(self.size, self.window, self.stride, strict=True)
        return tuple(1 + -(-(n - w) // s) for n, w, s in along)

    def mask(self, number: Any) -> Any:
        """The elements under a window, ``[1, ...]``."""
        inside = (number >= 0) & (number < math.prod(self.positions))
        at = jnp.unravel_index(number, self.positions) if self.positions else ()
        mask = jnp.reshape(inside, [1] * (len(self.size) + 1))
        for axis, (n, w, s, k) in enumerate(zip(self.size, self.window, self.stride, at, strict=True)):
            there = jnp.arange(n) - k * s
            along = [-1 if a == axis + 1 else 1 for a in range(len(self.size) + 1)]
            mask = mask & ((there >= 0) & (there < w)).reshape(along)
        return mask

    def covers(self) -> np.ndarray:
        """The number of the set of windows that an element is under, ``[1, ...]``."""
        numbers = np.zeros([1] * (len(self.size) + 1), np.int32)
        along = zip(self.size, self.window, self.stride, self.positions, strict=True)
        for axis, (n, w, s, positions) in enumerate(along, 1):
            at = np.arange(n)
            ends = np.stack([np.maximum(0, -(-(at - w + 1) // s)), np.minimum(at // s, positions - 1)])
            which = np.unique(ends, axis=1, return_inverse=True)[1].reshape(-1).astype(np.int32)
            last = int(which.max(initial=0)) + 1
            shape = [-1 if a == axis else 1 for a in range(len(self.size) + 1)]
            numbers = numbers * last + (which.reshape(shape) if last > 1 else 0)
        return numbers


@jax.tree_util.register_static
@dataclass(frozen=True)
class Windows:
    """The windows of all inputs, numbered through: those of the first input, then of the second, ..."""

    slides: tuple[_Slide, ...]

    @property
    def count(self) -> int:
        """How many windows there are."""
        return sum(math.prod(s.positions) for s in self.slides)

    def mask(self, number: Any) -> Arrays:
        """The elements under a window."""
        masks, first = [], 0
        for slide in self.slides:
            masks.append(slide.mask(jnp.asarray(number) - first))
            first += math.prod(slide.positions)
        return tuple(masks)

    def shared(self, problem: Problem) -> Arrays | None:
        """Which elements are under the same windows; None where there are no two."""
        numbers, count = [], 0
        for covers in (slide.covers() for slide in self.slides):
            numbers.append(covers + count)
            count += covers.size
        elements = sum(math.prod(x.shape[1:]) for x in problem.inputs)
        return None if count == elements else tuple(numbers)

    def replacement(self, problem: Problem, number: Any) -> Arrays:
        """The baselines."""
        assert problem.baselines is not None, "perturbation methods compare"
        return problem.baselines


def windows(shapes: Any, strides: Any, problem: Problem) -> Windows:
    """The windows that the user asks for; see `Occlusion`.

    Raises:
      ValueError: windows that do not fit their input, or strides that leave gaps.
    """
    layout = problem.layout
    given = for_each(shapes, layout, "sliding_window_shapes", _is_one)
    steps = for_each(strides, layout, "strides", _is_one)
    whole = zip(given, steps, problem.inputs, layout.dims, strict=True)
    return Windows(tuple(_slide(w, s, x, names, k) for k, (w, s, x, names) in enumerate(whole)))


def _is_one(x: Any, single: bool) -> bool:
    """Whether this is what is said of every input alike, or of the only one."""
    alone = isinstance(x, tuple | list) and all(isinstance(n, int | np.integer) for n in x)
    return x is None or isinstance(x, int | np.integer | Mapping) or (single and alone)


def _slide(window: Any, stride: Any, x: Any, names: Any, k: int) -> _Slide:
    size = tuple(int(n) for n in x.shape[1:])
    axes = tuple(names[1:]) if names is not None else tuple(range(1, x.ndim))
    shown = describe(x if names is None else NamedTensor(x, names))
    along = _along(window, axes, dict(zip(axes, size, strict=True)), f"sliding_window_shapes {k}", shown)
    steps = _along(stride, axes, dict.fromkeys(axes, 1), f"strides {k}", shown)
    for name, n, w, s in zip(axes, size, along, steps, strict=True):
        if not 1 <= w <= n:
            raise ValueError(f"the window is {w} along {name!r}, where the input is {n}: it must fit in.")
        if s < 1 or (s > w and n > w):
            raise ValueError(
                f"the stride is {s} along {name!r}, where the window is {w}: give 1 to {w}, "
                "so that every element is under a window."
            )
    return _Slide(size, along, steps)


def _along(given: Any, axes: tuple[Any, ...], default: dict[Any, int], what: str, shown: str) -> tuple:
    """One integer for each axis: by name, in the axes' order, the same for all, or the default."""
    if given is None:
        return tuple(default.values())
    if isinstance(given, Mapping):
        for name in given:
            if name not in axes:
                at_all = unknown(str(name), [str(a) for a in axes if a != BATCH])
                raise ValueError(f"{what}={dict(given)!r} for the input {shown}: {at_all}")
        return tuple(int(given.get(a, default[a])) for a in axes)
    each = tuple(given) if isinstance(given, tuple | list) else (given,) * len(axes)
    if len(each) != len(axes):
        raise ValueError(
            f"{what}={given!r} for the input {shown}: give one integer for each axis after the batch, "
            "or {name: integer}."
        )
    return tuple(int(n) for n in each)
