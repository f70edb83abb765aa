"""What a CPU is fast and right at: convolutions rewritten, weights prepared once, a faulty fusion left out.

It is chosen where a problem is posed on concrete arrays of a CPU. Under a transformation of the user's
(`jax.jit`, another rule table) the function stays as it is written, so that the other sees nothing but
the primitives that she wrote.
"""

import functools
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax.extend.core import get_opaque_trace_state

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
      convolves: whether there is a convolution at all; otherwise the function stays as it is written.
    """

    sources: tuple[Any, ...] = ()
    uses: tuple[Kernel, ...] = ()
    convolves: bool = False

    def weights(self, problem: "Problem") -> tuple[Any, ...]:
        """The weights of each kernel."""
        return tuple(problem.held[s] if isinstance(s, int) else s for s in self.sources)


_AS_WRITTEN = Plan()


def planned(problem: "Problem") -> tuple[Plan | None, tuple[Prepared, ...]]:
    """The plan for a problem and the prepared weights; None where another transformation has the word."""
    if not _on_one_cpu((*problem.inputs, *problem.held)) or not _is_outermost():
        return None, ()
    leaves, structure = jax.tree.flatten(problem)
    plan = _plan(structure, tuple(jax.api_util.shaped_abstractify(x) for x in leaves))
    return plan, _prepared(plan, plan.weights(problem)) if plan.uses else ()


def fast(problem: "Problem", fun: Callable[..., Any]) -> Callable[..., Any]:
    """``fun``, made of the problem's function, as the problem's plan has it."""
    if problem.plan is None or not problem.plan.convolves:
        return fun
    weights = problem.plan.weights(problem)
    uses = zip(problem.plan.uses, weights, problem.prepared, strict=True)
    return fast_convolutions(fun, known=[(use._replace(weights=w), p) for use, w, p in uses])


def compiled(step: Callable[..., Any] | None = None, **static: Any) -> Callable[..., Any]:
    """`jax.jit` for a step of a method, ``step(problem, ...)``, compiled as the problem's plan wants it.

    Args:
      step: what is compiled; without, a decorator is returned.
      static: what `jax.jit` is told of the arguments.
    """
    if step is None:
        return functools.partial(compiled, **static)
    made: dict[Any, Any] = {}

    @functools.wraps(step)
    def call(problem: "Problem", *args: Any, **kwargs: Any) -> Any:
        # In a step of another step the outer one's options hold, and JAX takes none.
        flags = _flags(problem.plan.convolves) if problem.plan and _is_outermost() else ()
        if flags not in made:
            made[flags] = jax.jit(step, **static, compiler_options=dict(flags))
        return made[flags](problem, *args, **kwargs)

    # programs by shape and way, counted as those of a function of jax.jit are
    vars(call)["_cache_size"] = lambda: sum(f._cache_size() for f in made.values())
    return call


_FUSIONS = "xla_cpu_experimental_ynn_fusion_type"


@functools.cache
def _flags(convolves: bool) -> tuple[tuple[str, str], ...]:
    """How XLA for CPU may use its library YNNPACK, whose fusions can return garbage (docs/known_issues.md).

    For single dots alone, or for nothing: the many dots of the convolutions' kernels are up to 1.7 times
    faster without it. A JAX that does not know the flag is left as it is.
    """
    flags = ((_FUSIONS, "" if convolves else "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"),)
    try:
        jax.jit(jnp.negative, compiler_options=dict(flags)).lower(0.0).compile()
    except jax.errors.JaxRuntimeError:
        return ()
    return flags


def _on_one_cpu(arrays: tuple[Any, ...]) -> bool:
    if jax.default_backend() != "cpu" or not is_concrete(arrays):
        return False
    placed = [x.sharding for x in arrays if isinstance(x, jax.Array)]
    return all(len(s.device_set) == 1 and next(iter(s.device_set)).platform == "cpu" for s in placed)


with jax.ensure_compile_time_eval():  # imported where it may be
    _OUTERMOST = get_opaque_trace_state()


def _is_outermost() -> bool:
    """Whether no transformation is under way: what is concrete may meet its tracers in the function."""
    return get_opaque_trace_state() == _OUTERMOST


@functools.lru_cache(maxsize=256)
def _plan(structure: Any, avals: tuple[Any, ...]) -> Plan:
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
        return _AS_WRITTEN
    return Plan(tuple(s for s, _ in found.values()), tuple(u for _, u in found.values()), convolves)


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
