"""The call of an exported function as an operation that JAX can map, differentiate and compile.

What `jax.export` reads back is StableHLO with its own derivatives. JAX calls and differentiates it and
refuses to map it: `jax.vmap` over ``exported.call`` is an error. Here the call is a primitive with a rule
for that: the mapped points run one after the other, which is right for any function, or as one larger
batch, where its examples are known to be independent and their number is open.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import ShapedArray
from jax.extend import core
from jax.interpreters import batching, mlir

from namedtensor.interpreter import Equation, RuleTable, bind, interpret
from namedtensor.interpreter.exported import exported_calls
from namedtensor.interpreter.rules import EXPORTED
from namedtensor.interpreter.walk import Program

_ORDINALS = ("", "second ", "third ")


@dataclass(frozen=True, eq=False)
class Artifact:
    """An exported function, or one of its derivatives; equal to itself alone.

    Attributes:
      exported: what JAX has read.
      takes: shape and dtype of each argument, in a row; sizes that are open are symbols.
      gives: those of each result.
      independent: whether each example's results depend on that example alone.
      primal: what it is the derivative of.
    """

    exported: Any
    takes: tuple[Any, ...]
    gives: tuple[Any, ...]
    independent: bool = False
    primal: "Artifact | None" = None

    @classmethod
    def of(cls, exported: Any, *, independent: bool = False) -> "Artifact":
        """The function itself."""
        return cls(exported, tuple(exported.in_avals), tuple(exported.out_avals), independent)

    @property
    def order(self) -> int:
        """How many times it has been differentiated."""
        return 0 if self.primal is None else self.primal.order + 1

    @property
    def fun_name(self) -> str:
        """The function's name, where JAX's own parameter has it."""
        return self.exported.fun_name if self.primal is None else self.primal.fun_name

    @functools.cached_property
    def derivative(self) -> "Artifact":
        """From the arguments and the cotangents of the results to those of the arguments.

        Only floating-point numbers have any.

        Raises:
          ValueError: the file has no derivative of this order.
        """
        if not self.exported.has_vjp():
            n = self.order + 1
            which = _ORDINALS[self.order] if self.order < len(_ORDINALS) else f"{n}th "
            raise ValueError(
                f"the exported function {self.fun_name!r} has no {which}derivative: it was written with "
                f"vjp_order={self.order}. Write it with exported.serialize(vjp_order={n}) where its code "
                "is, or use what only evaluates it, such as FeatureAblation, Occlusion or KernelShap."
            )
        takes = (*self.takes, *filter(_moves, self.gives))
        return Artifact(self.exported.vjp(), takes, tuple(filter(_moves, self.takes)), self.independent, self)

    def __call__(self, *values: Any) -> list[Any]:
        """The results, as JAX differentiates and maps them."""
        return _differentiable(self)(*map(jnp.asarray, values))

    def run(self, *values: Any) -> list[Any]:
        """The results, as JAX runs the file."""
        if self.primal is None:
            args, kwargs = jax.tree.unflatten(self.exported.in_tree, values)
            return jax.tree.leaves(self.exported.call(*args, **kwargs))
        primal, n = self.primal, len(self.primal.takes)
        at = [i for i, aval in enumerate(primal.takes) if _moves(aval)]

        def of_moving(moving: list[Any]) -> list[Any]:
            given = list(values[:n])
            for i, value in zip(at, moving, strict=True):
                given[i] = value
            return [y for y, aval in zip(primal.run(*given), primal.gives, strict=True) if _moves(aval)]

        return jax.vjp(of_moving, [values[i] for i in at])[1](list(values[n:]))[0]


def _moves(aval: Any) -> bool:
    """Whether it has a derivative."""
    return jnp.issubdtype(aval.dtype, jnp.inexact)


def _differentiable(artifact: Artifact) -> Callable[..., list[Any]]:
    @jax.custom_vjp
    def call(*values: Any) -> list[Any]:
        return _call.bind(*values, exported=artifact)

    def backward(values: tuple[Any, ...], cotangents: list[Any]) -> tuple[Any, ...]:
        moving = zip(cotangents, artifact.gives, strict=True)
        found = iter(artifact.derivative(*values, *(c for c, aval in moving if _moves(aval))))
        return tuple(next(found) if _moves(v) else np.zeros(v.shape, jax.dtypes.float0) for v in values)

    call.defvjp(lambda *values: (call(*values), values), backward)
    return call


_OF_JAX, _OURS = EXPORTED
_call = core.Primitive(_OURS)
_call.multiple_results = True


def _run(*values: Any, exported: Artifact) -> list[Any]:
    return exported.run(*values)


_call.def_impl(jax.jit(_run, static_argnames="exported"))
mlir.register_lowering(_call, mlir.lower_fun(_run, multiple_results=True))


@_call.def_abstract_eval
def _shapes(*avals: Any, exported: Artifact) -> list[Any]:
    given = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in avals]
    return [ShapedArray(s.shape, s.dtype) for s in jax.eval_shape(exported.run, *given)]


def _mapped(values: Sequence[Any], axes: Sequence[Any], *, exported: Artifact) -> tuple[list[Any], list[int]]:
    """All points at once if that is the same, or one after the other."""
    moved = [None if axis is None else jnp.moveaxis(v, axis, 0) for v, axis in zip(values, axes, strict=True)]
    at = [i for i, v in enumerate(moved) if v is not None]
    if exported.independent and _is_by_example(exported, set(at)):
        out = _as_one_batch(exported, values, moved)
    else:

        def one(point: list[Any]) -> list[Any]:
            given = list(values)
            for i, value in zip(at, point, strict=True):
                given[i] = value
            return _call.bind(*given, exported=exported)

        out = jax.lax.map(one, [moved[i] for i in at])
    return out, [0] * len(out)


batching.primitive_batchers[_call] = _mapped


def _is_by_example(artifact: Artifact, mapped: set[int]) -> bool:
    """Whether all that is mapped, and all results, have the same open number of examples in front."""
    sizes = [artifact.takes[i].shape[:1] for i in mapped] + [aval.shape[:1] for aval in artifact.gives]
    return len(set(sizes)) == 1 and bool(sizes[0]) and not isinstance(sizes[0][0], int)


def _as_one_batch(artifact: Artifact, values: Sequence[Any], moved: Sequence[Any]) -> list[Any]:
    points = next(len(v) for v in moved if v is not None)
    examples = artifact.gives[0].shape[0]

    def joined(value: Any, many: Any, aval: Any) -> Any:
        if many is None and aval.shape[:1] == (examples,):
            many = jnp.broadcast_to(value, (points, *value.shape))
        return value if many is None else many.reshape(-1, *many.shape[2:])

    each = zip(values, moved, artifact.takes, strict=True)
    out = _call.bind(*(joined(*given) for given in each), exported=artifact)
    return [y.reshape(points, -1, *y.shape[1:]) for y in out]


# functions that call exported ones

_mappable = RuleTable("exported functions", default=bind)


@_mappable.register(_OF_JAX)
def _(eqn: Equation, *values: Any) -> list[Any]:
    return Artifact.of(eqn.params["exported"])(*values)


def mappable(fun: Callable[..., Any]) -> Callable[..., Any]:
    """``fun`` where the exported functions that it calls can be mapped, and say what they lack."""
    return interpret(fun, _mappable)


def is_mappable(fun: Callable[..., Any], *args: Any) -> bool:
    """Whether ``fun`` calls no exported function as JAX has read it."""
    calls = exported_calls(Program.traced(fun, args, {}).jaxpr.jaxpr)
    return all(eqn.primitive is _call for eqn in calls)
