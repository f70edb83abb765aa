"""Functions exported by JAX (`jax.export`) in what is explained: JAX does not map them, and methods do."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax

from namedtensor.interop._artifact import is_mappable, mappable
from namedtensor.interpreter import Equation, RuleTable, UnsupportedPrimitiveError

if TYPE_CHECKING:
    from captum_lite._problem import Problem

_INSTEAD = (
    "Use a method without rules, such as IntegratedGradients (where the function was written with "
    "vjp_order=1) or FeatureAblation"
)
_BEHIND = ", or explain what comes behind it: layer='a tap behind it'"


@dataclass(frozen=True)
class Mappable:
    """A function, given behind its arguments, whose exported functions can be mapped."""

    def __call__(self, *given: Any) -> Any:
        *args, fun = given
        return mappable(fun)(*args)


def calls_exported(problem: "Problem") -> bool:
    """Whether the function of a problem calls one that JAX does not map.

    Raises:
      NotImplementedError: it maps one itself.
    """
    leaves, structure = jax.tree.flatten(problem)
    try:
        return _calls(structure, tuple(jax.api_util.shaped_abstractify(x) for x in leaves))
    except NotImplementedError as error:
        if "call_exported" not in str(error):
            raise
        raise NotImplementedError(
            "the function maps (jax.vmap) an exported function, which JAX does not do: map what "
            "nt.interop.exported.load(exported) returns instead of exported.call."
        ) from error


@functools.lru_cache(maxsize=256)
def _calls(structure: Any, avals: tuple[Any, ...]) -> bool:
    problem = jax.tree.unflatten(structure, [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in avals])
    return not is_mappable(_output, problem)


_output: Callable[..., Any] = jax.jit(lambda problem: problem.output(problem.inputs))


def refuse(table: RuleTable, eqn: Equation, *, behind: bool = True) -> UnsupportedPrimitiveError:
    """The error of a method that needs operations, and what it may do ``behind`` them."""
    return UnsupportedPrimitiveError.opaque(table, eqn, f"{_INSTEAD}{_BEHIND if behind else ''}.")
