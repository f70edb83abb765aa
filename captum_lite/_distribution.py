"""Baselines that are a distribution: rows of their own, with which each input is compared."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from captum_lite._backend import compiled
from captum_lite._estimate import Estimate
from captum_lite._function_method import GradientMethod
from captum_lite._inputs import BATCH, Arrays, Layout, is_concrete, require_finite
from captum_lite._problem import Problem, endpoints, in_floats
from namedtensor import NamedTensor, is_named
from namedtensor import _errors as shapes


@dataclass(frozen=True)
class AgainstDistribution(GradientMethod):
    """A method that compares each input with rows of a distribution: complete against their mean score.

    Args:
      multiply_by_inputs: False leaves the factors ``x - b`` out (no completeness).
    """

    multiply_by_inputs: bool = True

    def compares(self) -> bool:
        """Needs baselines."""
        return True

    def is_complete(self) -> bool:
        """With the factors ``x - b``."""
        return self.multiply_by_inputs

    def fit_baselines(self, baselines: Any, inputs: Arrays, layout: Layout) -> Arrays:
        """Rows of their own."""
        return unpack_distribution(baselines, inputs, layout)

    def endpoints(self, posed: Problem, problem: Problem) -> tuple[Any, Any]:
        """The score at the inputs, and its mean over the baselines."""
        return mean_endpoints(posed)

    def estimates(
        self, posed: Problem, explained: Problem | None = None, **options: Any
    ) -> Iterator[Estimate]:
        """Posed on the inputs, where the baselines are, also if a layer is explained."""
        return self.steps(posed, **options)


def unpack_distribution(baselines: Any, inputs: Arrays, layout: Layout) -> Arrays:
    """A distribution of baselines as arrays ``[n, ...]``, with the same ``n`` for each input.

    Args:
      baselines: None (one row of zeros), a number, or for each input an array ``[n, ...]`` or one row
        ``[...]``; named where the input is named, with the rows as its dim ``batch``. One row goes with
        any ``n``.
      inputs: the inputs as arrays, batch first.
      layout: how the inputs came.

    Raises:
      ValueError: another number of baselines than of inputs, a shape that does not fit, no rows, or
        different numbers of them.
    """
    given = (baselines,) * len(inputs) if baselines is None or _is_number(baselines) else baselines
    if layout.single and not isinstance(given, tuple | list):
        given = (given,)
    if not isinstance(given, tuple | list) or len(given) != len(inputs):
        n = len(given) if isinstance(given, tuple | list) else 1
        raise ValueError(f"there are {n} baselines for {len(inputs)} inputs: give one for each, in a tuple.")
    parts = zip(given, inputs, layout.dims, strict=True)
    rows = tuple(_rows(b, x, d, i) for i, (b, x, d) in enumerate(parts))
    require_finite(rows, "baseline")
    sizes = {r.shape[0] for r in rows} - {1} or {1}
    if len(sizes) > 1 or 0 in sizes:
        raise ValueError(
            f"the baselines have {[r.shape[0] for r in rows]} rows: give each input the same number, "
            "at least one; row k of all of them is one baseline."
        )
    (n,) = sizes
    return tuple(jnp.broadcast_to(r, (n, *r.shape[1:])) for r in rows)


def _is_number(x: Any) -> bool:
    return isinstance(x, int | float) or (getattr(x, "ndim", None) == 0 and not is_named(x))


def _rows(baseline: Any, x: Any, dims: Any, i: int) -> Any:
    """One input's baselines as ``[n, ...]``."""
    if baseline is None or _is_number(baseline):
        return jnp.full((1, *x.shape[1:]), 0 if baseline is None else baseline, x.dtype)
    if is_named(baseline) != (dims is not None):
        there = shapes.describe(x if dims is None else NamedTensor(x, dims))
        raise ValueError(
            f"baseline {i} is {shapes.describe(baseline)}, its input is {there}: both have names, or neither."
        )
    shown = shapes.describe(baseline)
    if is_named(baseline):
        missing = set(dims) - {BATCH} - set(baseline.dims)
        if missing or set(baseline.dims) - set(dims):
            raise _misfit(i, shown, NamedTensor(x, dims))
        order = [d for d in dims if d in baseline.dims]
        baseline = baseline.to_array(order)
    array = jnp.asarray(baseline, x.dtype)
    if array.ndim == x.ndim - 1:
        array = array[None]
    if array.shape[1:] != x.shape[1:] or array.ndim != x.ndim:
        raise _misfit(i, shown, x if dims is None else NamedTensor(x, dims))
    return array


def _misfit(i: int, shown: str, x: Any) -> ValueError:
    return ValueError(
        f"baseline {i} is {shown}, its input is {shapes.describe(x)}: give rows of one example each, "
        "[n, ...] with the shape of the input behind (as the dim batch, if it is named)."
    )


def mean_endpoints(posed: Problem) -> tuple[Any, Any]:
    """The score at the inputs, and its mean over a distribution of baselines, both ``[batch]``.

    Each row is scored for each example, because targets and further arguments may be by example.

    Raises:
      ValueError: a score is NaN or infinite (only where values can be looked at).
    """
    at_input, _ = endpoints(dataclasses.replace(posed, baselines=None))
    at_baselines = _mean_score(posed)
    if is_concrete(at_baselines) and not bool(jnp.isfinite(at_baselines).all()):
        raise ValueError(
            "the model's output at the baselines is NaN or infinite: call the function on each of them, with "
            "jax.debug_nans(True), to see where it arises."
        )
    return at_input, at_baselines


@compiled
def _mean_score(posed: Problem) -> Any:
    def of_row(row: Arrays) -> Any:
        pairs = zip(row, posed.inputs, strict=True)
        return in_floats(posed.score(tuple(jnp.broadcast_to(b, x.shape) for b, x in pairs)))

    return jax.lax.map(of_row, posed.baselines).mean(0)
