"""Integrals of gradients along straight paths, each refined until its own error is small enough.

The trees are on the host, one for each example; the gradients of all examples are evaluated together, a
fixed number of points at a time, so that nothing compiles twice.
"""

import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite._backend import compiled
from captum_lite._chunks import chunk_size, chunks
from captum_lite._dyadic import START, Cell, Summary, Tree
from captum_lite._estimate import Estimate
from captum_lite._inputs import Arrays
from captum_lite._problem import Problem

RTOL, MAX_EVALS = 1e-2, 256
_SPLITS = 8  # leaves of an example that are halved at a time
_MEMORY = 4 << 30  # bytes of gradients that are kept, at most


@compiled
def _on_path(problem: Problem, nodes: Any) -> tuple[Any, Arrays]:
    """Scores and gradients at ``baseline + node * (input - baseline)``, for nodes ``[points, batch]``."""
    baselines = problem.baselines
    assert baselines is not None, "the method compares"

    score = problem.fast(problem.score)

    def total(inputs: Arrays) -> tuple[Any, Any]:
        scores = score(inputs)
        return scores.sum(), scores

    def at(row: Any) -> tuple[Any, Arrays]:
        ends = zip(problem.inputs, baselines, strict=True)
        inputs = tuple(_between(b, x, row) for x, b in ends)
        (_, scores), gradients = jax.value_and_grad(total, has_aux=True)(inputs)
        return scores, gradients

    return jax.vmap(at)(nodes)


def _between(baseline: Any, x: Any, row: Any) -> Any:
    wide = jnp.promote_types(x.dtype, jnp.float32)  # bfloat16 has too few digits for places on a path
    share = row.astype(wide).reshape(-1, *[1] * (x.ndim - 1))
    return (baseline.astype(wide) + share * (x.astype(wide) - baseline.astype(wide))).astype(x.dtype)


class AdaptivePath:
    """The paths of a problem's examples, as far as they are known: work that can be taken up again.

    Args:
      problem: with baselines, and with values that can be looked at.
      multiplied: whether the gradient is multiplied by ``input - baseline`` before it is integrated.
      internal_batch_size: rows (examples times points) evaluated at once; None chooses.
    """

    def __init__(self, problem: Problem, multiplied: bool = True, internal_batch_size: int | None = None):
        self._problem, self._multiplied = problem, multiplied
        self._size = min(_SPLITS, chunk_size(problem, internal_batch_size))
        assert problem.baselines is not None, "the method compares"
        self._steps = _flat(problem.inputs) - _flat(problem.baselines)
        self._trees: list[Tree] = []
        self.gradients = 0  # evaluated so far, in examples

    def refine(self, rtol: float = RTOL, max_evals: int = MAX_EVALS) -> Iterator[Estimate]:
        """Estimates until each example's error is ``rtol`` of its total, or its evaluations run out.

        Args:
          rtol: of the total absolute attribution.
          max_evals: for each example, those of earlier calls included; fewer if their gradients would
            take more than 4 GiB.
        """
        _check(rtol, max_evals)
        max_evals = min(max_evals, max(START, _MEMORY // max(self._steps.nbytes, 1)))
        if not self._trees:
            self._start()
        now, done = [t.summary() for t in self._trees], 0.0
        first = [s.relative for s in now]
        while cells := self._to_split(now, rtol, max_evals):
            shares = [_progress(first[i], now[i].relative, rtol) for i in cells]
            spent = [self._trees[i].evaluations / max_evals for i in cells]
            done = max(np.nextafter(done, 1), min(map(max, shares, spent)))
            yield self._estimate(now, float(done), None)
            self._split(cells)
            for i in cells:
                now[i] = self._trees[i].summary()
        converged = all(s.relative <= rtol for s in now)
        yield self._estimate(now, 1.0, "converged" if converged else "budget")

    def _start(self) -> None:
        nodes = np.linspace(0, 1, START)
        scores, gradients = self._evaluate(np.repeat(nodes[:, None], self._problem.batch, axis=1))
        eps = float(jnp.finfo(scores.dtype).eps)
        for i, step in enumerate(self._steps):
            along = None if self._multiplied else np.asarray(step, float)
            self._trees.append(Tree(scores[:, i].tolist(), list(gradients[:, i]), along, eps))

    def _to_split(self, now: list[Summary], rtol: float, max_evals: int) -> dict[int, list[Cell]]:
        """The examples that are not finished, with their leaves of largest error."""
        least = 4 * float(jnp.finfo(self._steps.dtype).eps)  # below it places on a path are one number
        found = {}
        for i, (tree, summary) in enumerate(zip(self._trees, now, strict=True)):
            left = min(_SPLITS, max_evals - tree.evaluations)
            if left > 0 and summary.is_finite and summary.relative > rtol:
                found[i] = tree.worst(left, least)
        return {i: cells for i, cells in found.items() if cells}

    def _split(self, cells: dict[int, list[Cell]]) -> None:
        """Halve leaves of some examples; the rows of the others are evaluated with them, for nothing."""
        nodes = np.ones((max(map(len, cells.values())), self._problem.batch))
        for i, some in cells.items():
            nodes[: len(some), i] = [cell.middle for cell in some]
        scores, gradients = self._evaluate(nodes)
        for i, some in cells.items():
            for k, cell in enumerate(some):
                self._trees[i].split(cell, scores[k, i], gradients[k, i])

    def _evaluate(self, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores ``[points, batch]`` and gradients ``[points, batch, features of all inputs]``."""
        found = [_on_path(self._problem, some) for some, _ in chunks(self._size, nodes, np.ones(len(nodes)))]
        scores = np.concatenate([np.asarray(s) for s, _ in found])[: len(nodes)]
        flat = [_flat(tuple(a.reshape(-1, *a.shape[2:]) for a in g)) for _, g in found]
        gradients = np.concatenate(flat).reshape(-1, *self._steps.shape)[: len(nodes)]
        self.gradients += nodes.size
        with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is reported with the result
            return scores, gradients * self._steps if self._multiplied else gradients

    def _estimate(self, now: list[Summary], done: float, status: str | None) -> Estimate:
        return Estimate(
            self._arrays([s.integral for s in now]),
            done,
            gradients=self.gradients,
            error_map=self._arrays([s.errors for s in now]),
            error=jnp.asarray(np.array([s.relative for s in now])),
            status=status,
        )

    def _arrays(self, rows: list[np.ndarray]) -> Arrays:
        """Rows of all features as arrays of the inputs' shapes and dtypes."""
        inputs = self._problem.inputs
        ends = np.cumsum([math.prod(x.shape[1:]) for x in inputs])
        parts = np.split(np.stack(rows), ends[:-1], axis=1)
        return tuple(
            jnp.asarray(p.reshape(x.shape).astype(x.dtype)) for p, x in zip(parts, inputs, strict=True)
        )


def _flat(arrays: Arrays) -> np.ndarray:
    """Arrays ``[rows, ...]`` side by side as ``[rows, features]``, in float32 at least."""
    dtype = jnp.result_type(jnp.float32, *(a.dtype for a in arrays))
    return np.concatenate([np.asarray(a).reshape(len(a), -1).astype(dtype) for a in arrays], axis=1)


def _progress(first: float, now: float, rtol: float) -> float:
    """How far the error has come on its way down to the tolerance, in digits; below 1."""
    if not 0 < rtol < now < first < math.inf:
        return 0.0
    return math.log(first / now) / math.log(first / rtol)


def _check(rtol: float, max_evals: int) -> None:
    if not rtol >= 0:
        raise ValueError(f"rtol={rtol}: give the error to reach as a fraction of the total, like 0.01.")
    if max_evals < START or int(max_evals) != max_evals:
        raise ValueError(
            f"max_evals={max_evals}: give a whole number of gradient evaluations for each example, "
            f"at least {START}, with which every path begins."
        )
