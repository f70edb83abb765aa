"""What a CPU is fast at: the explained function with its convolutions rewritten, its weights prepared once.

The rewrite is chosen where a problem is posed on concrete arrays of a CPU. Under a transformation of
the user's (`jax.jit`, another rule table) the function stays as it is written, so that the other sees
nothing but the primitives that she wrote.
"""

import functools
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax

from captum_lite._inputs import is_concrete
from namedtensor.interpreter.convolutions import Kernel, fast_convolutions, kernels_of
from namedtensor.kernels import Prepared

if TYPE_CHECKING:
    from captum_lite._problem import Problem


@dataclass(frozen=True, eq=False)
class Plan:
    """How a function is rewritten: known once for each function and shape, and equal to itself alone.

    Attributes:
      sources: of each kernel the weights: their number among the arrays that the problem holds, or
        themselves, where the function has them as constants.
      uses: of each kernel what it is for, without the weights.
    """

    sources: tuple[Any, ...]
    uses: tuple[Kernel, ...]

    def weights(self, problem: "Problem") -> tuple[Any, ...]:
        """The weights of each kernel."""
        return tuple(problem.held[s] if isinstance(s, int) else s for s in self.sources)


def planned(problem: "Problem") -> tuple[Plan | None, tuple[Prepared, ...]]:
    """The plan for a problem and the prepared weights; None where the function stays as it is."""
    if not _on_one_cpu((*problem.inputs, *problem.held)):
        return None, ()
    leaves, structure = jax.tree.flatten(problem)
    plan = _plan(structure, tuple(jax.api_util.shaped_abstractify(x) for x in leaves))
    if plan is None or not plan.uses:
        return plan, ()
    return plan, _prepared(plan, plan.weights(problem))


def fast(problem: "Problem", fun: Callable[..., Any]) -> Callable[..., Any]:
    """``fun``, made of the problem's function, as the problem's plan has it."""
    if problem.plan is None:
        return fun
    weights = problem.plan.weights(problem)
    uses = zip(problem.plan.uses, weights, problem.prepared, strict=True)
    return fast_convolutions(fun, known=[(use._replace(weights=w), p) for use, w, p in uses])


def _on_one_cpu(arrays: tuple[Any, ...]) -> bool:
    if jax.default_backend() != "cpu" or not is_concrete(arrays):
        return False
    placed = [x.sharding for x in arrays if isinstance(x, jax.Array)]
    return all(len(s.device_set) == 1 and next(iter(s.device_set)).platform == "cpu" for s in placed)


@functools.lru_cache(maxsize=256)
def _plan(structure: Any, avals: tuple[Any, ...]) -> Plan | None:
    """None for a function without a convolution."""
    found: dict[tuple[Any, ...], tuple[Any, Kernel]] = {}
    convolves = False

    def look(problem: "Problem") -> None:
        nonlocal convolves
        explained = problem.output if problem.target is None else problem.score
        kernels = kernels_of(explained, problem.inputs)
        convolves = kernels is not None
        for kernel in kernels or ():
            source = _source(kernel.weights, problem.held)
            if source is not None:
                key = (source if isinstance(source, int) else id(source), *kernel[1:])
                found[key] = (source, kernel._replace(weights=None))

    jax.eval_shape(look, jax.tree.unflatten(structure, avals))
    if not convolves:
        return None
    return Plan(tuple(s for s, _ in found.values()), tuple(u for _, u in found.values()))


def _source(weights: Any, held: tuple[Any, ...]) -> Any:
    """Where weights come from; None where they are computed, and so are prepared in the program."""
    if is_concrete(weights):
        return weights if isinstance(weights, jax.Array) else None
    return next((i for i, array in enumerate(held) if array is weights), None)


_prepared_of: dict[Any, tuple[list[Any], tuple[Prepared, ...]]] = {}


def _prepared(plan: Plan, weights: tuple[Any, ...]) -> tuple[Prepared, ...]:
    """What the kernels need of these weights, which is kept as long as the weights live."""
    if not all(isinstance(w, jax.Array) for w in weights):  # others may change in place
        return _prepare(weights, plan.uses)
    key = (plan.uses, *map(id, weights))
    if key not in _prepared_of:
        forget = lambda _: _prepared_of.pop(key, None)  # noqa: E731
        _prepared_of[key] = ([weakref.ref(w, forget) for w in weights], _prepare(weights, plan.uses))
    return _prepared_of[key][1]


@functools.partial(jax.jit, static_argnums=1)
def _prepare(weights: tuple[Any, ...], uses: tuple[Kernel, ...]) -> tuple[Prepared, ...]:
    return tuple(use.prepare(w) for use, w in zip(uses, weights, strict=True))
