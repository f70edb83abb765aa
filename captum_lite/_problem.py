"""What is to be explained, as one value: the function, its inputs, the baselines and the target.

A `Problem` is a pytree whose fixed part is the function without its arrays. So the compiled steps of
all methods are module-level jitted functions of a problem: a second call with new values, a new
partial of the same function, or another class compiles nothing.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from captum_lite import _backend, _baselines, _callable, _target
from captum_lite._backend import compiled
from captum_lite._exported import Mappable, calls_exported
from captum_lite._inputs import Arrays, Layout, is_concrete, require_finite, unpack
from captum_lite._loops import loops
from namedtensor import capture, is_named, replace
from namedtensor._errors import describe


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Problem:
    """A function of inputs, and what of it is explained.

    Attributes:
      held: the arrays that the function and its further arguments hold.
      inputs: batch first.
      baselines: of the inputs' shapes; None for methods without.
      target: which number of the output; None until the output's shape is known.
      call: the function and its further arguments, without their arrays.
      layout: how the inputs came.
      prepared: weights as `plan` needs them; of the arrays that are held, so replace both or neither.
      plan: how the function is computed on this backend; None as it is written.
    """

    held: Arrays
    inputs: Arrays
    baselines: Arrays | None
    target: _target.Target | None
    call: _callable.Skeleton = field(metadata={"static": True})
    layout: Layout = field(metadata={"static": True})
    prepared: tuple[Any, ...] = ()
    plan: _backend.Plan | None = field(default=None, metadata={"static": True})

    @property
    def batch(self) -> int:
        """The number of examples."""
        return self.inputs[0].shape[0]

    def output(self, inputs: Arrays) -> Any:
        """The function's output, as the function returns it."""
        fun, args = self.call.fill(self.held)
        given = self.layout.restore(inputs)
        return fun(*((given,) if self.layout.single else given), *args)

    def score(self, inputs: Arrays) -> Any:
        """The number that is explained, for each example: ``[batch]``."""
        assert self.target is not None, "pose() sets the target"
        return self.target(self.output(inputs), self.batch)

    def fast(self, fun: Callable[..., Any]) -> Callable[..., Any]:
        """A function made of the problem's, as this backend computes it fastest."""
        return _backend.fast(self, fun)

    def planned(self) -> "Problem":
        """The same problem with a plan for this backend."""
        plan, prepared = _backend.planned(self)
        return self if plan is None else dataclasses.replace(self, plan=plan, prepared=prepared)

    def at(self, inputs: Arrays) -> "Problem":
        """The same problem at other inputs."""
        return dataclasses.replace(self, inputs=inputs)


@dataclass(frozen=True)
class _From:
    """The function from one of its taps on: of the value there."""

    layer: str

    def __call__(
        self, value: Any, fun: Callable[..., Any], given: tuple[Any, ...], args: tuple[Any, ...]
    ) -> Any:
        return replace(fun, {self.layer: value})(*given, *args)


@dataclass(frozen=True)
class _UpTo:
    """What passes at one of a function's taps, as the output."""

    layer: str

    def __call__(self, *given: Any) -> Any:
        *args, fun = given
        return capture(fun, [self.layer])(*args)[1][self.layer]


_output = jax.jit(lambda problem, inputs: problem.output(inputs))
_score = compiled(lambda problem, inputs: in_floats(problem.fast(problem.score)(inputs)))


def pose(
    fun: Callable[..., Any],
    inputs: Any,
    baselines: Any,
    target: Any,
    args: Any,
    *,
    compares: bool = False,
    scores: bool = True,
    differentiates: bool = True,
    fit_baselines: Callable[[Any, Arrays, Layout], Arrays] = _baselines.unpack,
) -> Problem:
    """The checked problem of a user's call.

    Args:
      fun: the function to explain.
      inputs: an array, a named tensor, or a tuple of them, batch first.
      baselines: see `_baselines.unpack`.
      target: see `_target.make`.
      args: further arguments of ``fun``; one that is no tuple is passed as a single argument.
      compares: whether the method needs baselines.
      scores: whether one number of the output is explained; without, the problem has no target.
      differentiates: whether that number must have a gradient.
      fit_baselines: makes arrays of the baselines; they may have rows of their own (a distribution).
    """
    if not callable(fun):
        raise TypeError(f"the function to explain is {type(fun).__name__}, which cannot be called.")
    arrays, layout = unpack(inputs)
    require_finite(arrays, "input")
    args = args if isinstance(args, tuple) else () if args is None else (args,)
    call, held = _callable.split((fun, args))
    based = fit_baselines(baselines, arrays, layout) if compares else None
    problem = Problem(held, arrays, based, None, call, layout)
    if not scores:
        return problem.planned()
    if calls_exported(problem):
        call, held = _callable.split((Mappable(), (*args, fun)))
        problem = dataclasses.replace(problem, call=call, held=held)
    output = jax.eval_shape(_output, problem, problem.inputs)
    chosen = _target.make(target, output, problem.batch, differentiable=differentiates)
    return dataclasses.replace(problem, target=chosen).planned()


def up_to(fun: Callable[..., Any], layer: str, args: Any, neuron: Any) -> tuple[Callable[..., Any], Any, Any]:
    """The function up to a layer, the target in it, and its further arguments, as `pose` takes them."""
    args = args if isinstance(args, tuple) else () if args is None else (args,)
    return _UpTo(layer), neuron, (*args, fun)


def at_layer(problem: Problem, layer: str) -> Problem:
    """The problem whose inputs and baselines are what passes at a tap, and whose function is what follows.

    Raises:
      UnknownTapError: the function has no such tap.
    """
    here = _captured(problem, problem.inputs, layer)
    if is_named(here) and here.array.ndim > len(here.dims):
        _refuse_loop(problem, here, layer)
    arrays, layout = unpack(here)
    if arrays[0].shape[0] != problem.batch:
        _refuse_loop(problem, here, layer)
        raise ValueError(
            f"the value at the tap {layer!r} is {describe(here)} for a batch of {problem.batch}: "
            "a layer that is explained has the batch in front (or as the dim batch), of the same size."
        )
    if not is_named(here):
        _require_batch_in_front(problem, arrays[0].shape, layer)
    based = None
    if problem.baselines is not None:
        based = unpack(_captured(problem, problem.baselines, layer))[0]
    given = problem.layout.restore(problem.inputs)
    fun, args = problem.call.fill(problem.held)
    tail, held = _callable.split((_From(layer), (fun, (given,) if problem.layout.single else given, args)))
    return Problem(held, arrays, based, problem.target, tail, layout).planned()


def _require_batch_in_front(problem: Problem, shape: tuple[int, ...], layer: str) -> None:
    """Refuse a value whose first axis only happens to have the size of the batch.

    In a scope under `jax.vmap` the mapped axis may be any: it is the one that grows with the batch.
    """
    if problem.batch == 1 or shape.count(problem.batch) < 2:
        return
    more = tuple(jax.ShapeDtypeStruct((x.shape[0] + 1, *x.shape[1:]), x.dtype) for x in problem.inputs)
    try:
        there = jax.eval_shape(lambda p, xs: _capture_at(p, xs, layer), problem, more)
    except (TypeError, ValueError):  # a function of this batch alone: nothing to learn
        return
    if there.shape[0] == problem.batch:
        _refuse_loop(problem, there, layer)
        raise ValueError(
            f"the value at the place {layer!r} is {describe(there)} for a batch of {problem.batch + 1}: "
            "its first axis is not the batch. Name the value with nt.tap, which puts the batch in front."
        )


def _refuse_loop(problem: Problem, here: Any, layer: str) -> None:
    """Say so if the place is inside a loop, where all iterations pass."""
    fun, args = problem.call.fill(problem.held)
    given = problem.layout.restore(problem.inputs)
    if loops(fun, layer, *((given,) if problem.layout.single else given), *args):
        raise ValueError(
            f"the place {layer!r} is inside a loop (jax.lax.scan): what passes there is {describe(here)}, "
            "with the iterations in front. Explain a place before or after the loop, write the loop in "
            "Python, or patch its iterations one by one with captum_lite.patching."
        )


def _captured(problem: Problem, inputs: Arrays, layer: str) -> Any:
    value = _capture(problem, inputs, layer)
    if not is_named(value) and not value.ndim:
        raise ValueError(
            f"the value at the tap {layer!r} is a scalar, without a batch: it cannot be explained by example."
        )
    return value


def _capture_at(problem: Problem, inputs: Arrays, layer: str) -> Any:
    fun, args = problem.call.fill(problem.held)
    given = problem.layout.restore(inputs)
    return capture(fun, [layer])(*((given,) if problem.layout.single else given), *args)[1][layer]


_capture = compiled(_capture_at, static_argnums=2)


def in_floats(scores: Any) -> Any:
    """Scores as floating-point numbers; counts and decisions are compared by their difference too."""
    return scores if jnp.issubdtype(scores.dtype, jnp.floating) else scores.astype(float)


def endpoints(problem: Problem) -> tuple[Any, Any]:
    """The score at the inputs, and at the baselines (None without), both ``[batch]``.

    Both are None for a problem without a target.

    Raises:
      ValueError: the score is NaN or infinite (only where values can be looked at).
    """
    if problem.target is None:
        return None, None
    at_input = _score(problem, problem.inputs)
    at_baseline = None if problem.baselines is None else _score(problem, problem.baselines)
    for scores, what in ((at_input, "at the inputs"), (at_baseline, "at the baselines")):
        if scores is not None and is_concrete(scores) and not bool(jnp.isfinite(scores).all()):
            bad = [int(i) for i in jnp.flatnonzero(~jnp.isfinite(scores))[:5]]
            raise ValueError(
                f"the model's output {what} is NaN or infinite for example {', '.join(map(str, bad))}: "
                "call the function on it, with jax.debug_nans(True), to see where it arises."
            )
    return at_input, at_baseline
