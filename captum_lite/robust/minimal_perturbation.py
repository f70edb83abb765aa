"""The smallest attack that changes the prediction."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from captum_lite._backend import compiled
from captum_lite._fitting import fitting
from captum_lite._inputs import BATCH, Arrays, is_concrete
from captum_lite._problem import Problem, pose
from captum_lite.robust._limits import beside
from captum_lite.robust._loss import class_axis
from namedtensor import NamedTensor, is_named
from namedtensor._errors import describe


class MinimalPerturbation(NamedTuple):
    """The smallest attack found for each example.

    Attributes:
      value: of the attack's argument, ``[batch]``; NaN where no value changed the prediction.
      perturbed: the inputs under it, of the structure and dims of the inputs; as they were where none did.
      found: whether there is one, ``[batch]`` booleans.
    """

    value: Any
    perturbed: Any
    found: Any


def minimal_perturbation(
    fun: Callable[..., Any],
    attack: Any,
    inputs: Any,
    target: Any = None,
    additional_forward_args: Any = (),
    *,
    argument: str = "epsilon",
    low: float = 0.0,
    high: float = 1.0,
    steps: int = 10,
    halvings: int = 10,
    correct: Callable[..., Any] | None = None,
    **options: Any,
) -> MinimalPerturbation:
    """The smallest value of an attack's argument for which the prediction changes, for each example.

    First the values ``low + (high - low) k / steps`` in turn, then ``halvings`` bisections between the
    first that changes the prediction and the one before it. ``steps=1`` is a bisection (right where a
    stronger attack never fails when a weaker one works); ``halvings=0`` is a search on the grid. A value
    below the one found may work too if it lies between two grid points that do not. Costs at most
    ``1 + steps + halvings`` attacks and evaluations.

    Args:
      fun: the attacked function, with the output ``[batch, class]``.
      attack: an `FGSM` or a `PGD`; or a function ``attack(inputs, **{argument: value})`` that returns
        perturbed inputs. Values are one number in the first part, and ``[batch]`` in the bisections.
      inputs: as for `FGSM.perturb`.
      target: the true classes, an integer or one for each example; None is what the function predicts. An
        example whose prediction is wrong from the beginning has the value ``low``.
      additional_forward_args: further arguments of the function.
      argument: of the attack: ``"epsilon"``, ``"radius"``, or a function's own.
      low: no smaller value is tried.
      high: the largest value.
      steps: how many values on the grid.
      halvings: how many bisections.
      correct: a function of the output and the target (the predicted classes where it is None) that returns
        ``[batch]`` booleans; None compares the largest output.
      **options: further arguments of the attack: ``step_size``, ``step_num`` ...

    Returns:
      A `MinimalPerturbation`.

    Raises:
      ValueError: an empty range, no steps, an output that is not one number a class.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite.robust import FGSM, minimal_perturbation
      >>> f = lambda x: jnp.stack([x[:, 0], -x[:, 0]], 1)
      >>> x = jnp.array([[0.25], [0.5]])
      >>> minimal_perturbation(f, FGSM(f), x, halvings=20).value.round(3)
      Array([0.25, 0.5 ], dtype=float32)

    Source: for linear functions Goodfellow et al. 2014, arXiv:1412.6572; the search is that of Captum's
    MinParamPerturbation.
    """
    if not low < high or steps < 1 or halvings < 0:
        raise ValueError(
            f"low={low}, high={high}, steps={steps}, halvings={halvings}: give low < high, at least one "
            "step, and no fewer than 0 halvings."
        )
    problem = pose(fun, inputs, None, None, additional_forward_args, scores=False, differentiates=False)
    labels = _labels(problem, target, correct)
    search = _Search(problem, attack, argument, labels, additional_forward_args, correct, options)
    before, value, perturbed, found = _on_grid(search, np.linspace(low, high, steps + 1))
    for _ in range(halvings):
        middle = (before + value) / 2
        there, changed = search(middle)
        better = changed & found
        before, value = jnp.where(better, before, middle), jnp.where(better, middle, value)
        perturbed = _chosen(better, there, perturbed)
    return MinimalPerturbation(jnp.where(found, value, jnp.nan), problem.layout.restore(perturbed), found)


@dataclass(frozen=True)
class _Search:
    """One attack: the perturbed inputs for a value, and whether the prediction has changed."""

    problem: Problem
    attack: Any
    argument: str
    labels: Any
    args: Any
    correct: Callable[..., Any] | None
    options: dict[str, Any]

    def __call__(self, value: Any) -> tuple[Arrays, Any]:
        problem = self.problem
        given = problem.layout.restore(problem.inputs)
        options = {self.argument: value, **self.options}
        if hasattr(self.attack, "perturb"):
            options |= {"target": self.labels, "additional_forward_args": self.args}
            there = self.attack.perturb(given, **options)
        else:
            there = self.attack(given, **options)
        arrays = fitting(there, problem.inputs, problem.layout, "perturbed input")
        if self.correct is None:
            return arrays, _predicted(problem, arrays) != self.labels
        right = self.correct(problem.output(arrays), self.labels)
        right = right.to_array(BATCH) if isinstance(right, NamedTensor) else jnp.asarray(right)
        if right.shape != (problem.batch,) or right.dtype != bool:
            raise ValueError(
                f"correct returned {describe(right)}: it must return one boolean for each of "
                f"{problem.batch} examples."
            )
        return arrays, ~right


def _on_grid(search: _Search, values: np.ndarray) -> tuple[Any, Any, Arrays, Any]:
    """The last value before the prediction changes, the first with another one, and what is found there."""
    inputs = search.problem.inputs
    before = value = jnp.full(search.problem.batch, values[0])
    found, perturbed = jnp.zeros(search.problem.batch, bool), inputs
    for k, v in enumerate(values):
        there, changed = search(float(v))
        new = changed & ~found
        before = jnp.where(new, values[max(k - 1, 0)], before)
        value, perturbed = jnp.where(new, v, value), _chosen(new, there, perturbed)
        found = found | new
        if is_concrete(found) and bool(found.all()):
            break
    return before, value, perturbed, found


def _chosen(which: Any, new: Arrays, old: Arrays) -> Arrays:
    return tuple(jnp.where(beside(which, a), a, b) for a, b in zip(new, old, strict=True))


@compiled
def _predicted(problem: Problem, inputs: Arrays) -> Any:
    output = problem.output(inputs)
    axis = class_axis(output, "give correct= for other outputs")
    return jnp.argmax(output.array if is_named(output) else output, axis)


def _labels(problem: Problem, target: Any, correct: Any) -> Any:
    """The true classes ``[batch]``; for a ``correct`` of the user's, the target as it is."""
    if target is None:
        return _predicted(problem, problem.inputs)
    if correct is not None:
        return target
    values = next(iter(target.values())) if isinstance(target, dict) and len(target) == 1 else target
    array = jnp.asarray(values.to_array(BATCH) if isinstance(values, NamedTensor) else values)
    if array.shape not in ((), (problem.batch,)) or not jnp.issubdtype(array.dtype, jnp.integer):
        raise ValueError(
            f"target={target!r}: give an integer, or {problem.batch} integers, one for each example; "
            "with correct= it may be anything."
        )
    return jnp.broadcast_to(array, (problem.batch,))
