"""The one interpreter: it walks the jaxpr of a function and lets a rule table say what each equation does.

Naming places, explaining, hiding and shrinking are tables for this walker. A rule may replace an
equation's value and its derivative, and what it returns is traced by JAX as usual, so the result is
again a JAX function: jit, vmap, grad and further tables apply to it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from namedtensor.interpreter import compat
from namedtensor.interpreter.equation import Equation
from namedtensor.interpreter.frame import Frame, Lists
from namedtensor.interpreter.rules import Rule, RuleTable, UnsupportedPrimitiveError, bind

Handler = Callable[["Walker", Equation, list[Any]], Sequence[Any]]
HANDLERS: dict[str, Handler] = {}  # calls and control flow, filled by control_flow.py: once for every table


def handles(*primitives: str) -> Callable[[Handler], Handler]:
    """Register how the walker passes through a primitive that holds jaxprs."""

    def add(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(primitives, handler))
        return handler

    return add


class Walker:
    """One table applied to one jaxpr, with the frame that its rules record in.

    Attributes:
      table: the rules.
      wrap: makes a plain value into one that the rules act on.
      frame: records and feeds of this jaxpr.
    """

    def __init__(
        self, table: RuleTable, wrap: Callable[[Any], Any], frame: Frame, outer: Equation | None = None
    ):
        """A walker for a whole jaxpr, or for the one inside the equation ``outer``."""
        self.table, self.wrap, self.frame, self.outer = table, wrap, frame, outer

    def run(self, jaxpr: core.ClosedJaxpr, values: Sequence[Any]) -> list[Any]:
        """Evaluate a jaxpr, equation by equation."""
        env: dict[Any, Any] = dict(zip(jaxpr.jaxpr.constvars, jaxpr.consts, strict=True))
        env.update(zip(jaxpr.jaxpr.invars, values, strict=True))

        def read(atom: Any) -> Any:
            return atom.val if isinstance(atom, core.Literal) else env[atom]

        for eqn in jaxpr.jaxpr.eqns:
            results = self.apply(eqn, [read(v) for v in eqn.invars])
            env.update(zip(eqn.outvars, results, strict=True))
        return [read(v) for v in jaxpr.jaxpr.outvars]

    def apply(self, raw: Any, values: list[Any]) -> Sequence[Any]:
        """Evaluate one equation by its rule, by its handler, or as the table's default says."""
        eqn = Equation(
            raw, self.outer, self.frame, lambda jaxpr, *v: self.inline(compat.closed(jaxpr), eqn, v)
        )
        rule = self.rule_for(raw)
        handler = HANDLERS.get(eqn.primitive)
        if not self.table.lifts(values):
            rule = self.table.unlifted
        elif rule is None and self.passes(raw):
            rule = bind
        elif rule is None and handler is not None:
            with eqn.within():
                return handler(self, eqn, values)
        elif rule is None:
            rule = self.default_for(raw, eqn)
        with eqn.within():
            results = rule(eqn, *values)
        return results if eqn.several else [results]

    def rule_for(self, raw: Any) -> Rule | None:
        """The table's own rule: by the name of the jitted function first, then by primitive."""
        by_name = (
            self.table.get(f"jit:{raw.params.get('name')}") if raw.primitive.name in compat.JIT else None
        )
        return by_name or self.table.get(raw.primitive.name)

    def default_for(self, raw: Any, eqn: Equation) -> Rule:
        """The table's default, which must not swallow a rule that applies further inside."""
        inside = any(self.reaches(j.jaxpr) for j in compat.inner_jaxprs(raw.params))
        if self.table.default is None:
            raise UnsupportedPrimitiveError.missing(self.table, eqn)
        if inside:
            raise UnsupportedPrimitiveError.refused(
                self.table,
                eqn,
                "a rule applies inside it, where the interpreter cannot go",
                "Move that part out of it.",
            )
        return self.table.default

    def passes(self, raw: Any) -> bool:
        """Whether a call may be evaluated whole: the table does so by default, and no rule is inside."""
        if self.table.default is not bind or raw.primitive.name not in HANDLERS:
            return False
        return not any(self.reaches(j.jaxpr) for j in compat.inner_jaxprs(raw.params))

    def reaches(self, jaxpr: Any) -> bool:
        """Whether a rule of the table applies somewhere in a jaxpr."""
        return any(
            self.rule_for(eqn) is not None
            or any(self.reaches(j.jaxpr) for j in compat.inner_jaxprs(eqn.params))
            for eqn in jaxpr.eqns
        )

    def body(self, jaxpr: core.ClosedJaxpr, outer: Equation) -> Callable[..., tuple[list[Any], Lists]]:
        """An inner jaxpr as a function ``(fed, *values) -> (results, recorded)``, with its own frame."""

        def call(fed: Lists, *values: Any) -> tuple[list[Any], Lists]:
            inner = Walker(self.table, self.wrap, Frame(fed, shadow=self.frame.shadow), outer)
            return inner.run(jaxpr, values), inner.frame.recorded

        return call

    def inline(self, jaxpr: core.ClosedJaxpr, outer: Equation, values: Sequence[Any]) -> list[Any]:
        """An inner jaxpr walked in place, with the frame of this one."""
        return Walker(self.table, self.wrap, self.frame, outer).run(jaxpr, values)


def _identity(value: Any) -> Any:
    return value


def is_array(x: Any) -> bool:
    """Whether a leaf is data: an array, the shape of one, or a number."""
    return hasattr(x, "dtype") or isinstance(x, bool | int | float | complex | np.generic)


@dataclass(frozen=True)
class Program:
    """A function traced on its arguments.

    Attributes:
      jaxpr: its equations.
      given: the arrays among the arguments, and values of the rules.
      results: the pytree of the result's shapes.
    """

    jaxpr: core.ClosedJaxpr
    given: list[Any]
    results: Any

    @classmethod
    def traced(
        cls, fun: Callable[..., Any], args: Any, kwargs: Any, lifted: type | tuple[()] = ()
    ) -> "Program":
        """``fun`` on these arguments; those that are not arrays are left as they are."""
        leaves, tree = jax.tree.flatten((args, kwargs), is_leaf=lambda x: isinstance(x, lifted))
        at = [i for i, leaf in enumerate(leaves) if is_array(leaf)]

        def flat(*arrays: Any) -> Any:
            filled = list(leaves)
            for i, array in zip(at, arrays, strict=True):
                filled[i] = array
            given, named = jax.tree.unflatten(tree, filled)
            return fun(*given, **named)

        given = [leaves[i] for i in at]
        avals = [jax.ShapeDtypeStruct(x.shape, x.dtype) if isinstance(x, lifted) else x for x in given]
        jaxpr, results = compat.trace(flat, *avals)
        return cls(jaxpr, given, results)

    def changed(self, change: Callable[[core.ClosedJaxpr], core.ClosedJaxpr]) -> "Program":
        """The program with other equations for the same result."""
        return replace(self, jaxpr=change(self.jaxpr))

    def walk(
        self,
        rules: RuleTable,
        *,
        wrap: Callable[[Any], Any] = _identity,
        unwrap: Callable[[Any], Any] = _identity,
        frame: Frame | None = None,
    ) -> Any:
        """The result, with each equation evaluated by a rule; arguments as for `interpret`."""
        lifted = rules.lifted or ()
        values = [x if isinstance(x, lifted) else wrap(jnp.asarray(x)) for x in self.given]
        out = Walker(rules, wrap, frame or Frame()).run(self.jaxpr, values)
        return jax.tree.unflatten(jax.tree.structure(self.results), [unwrap(v) for v in out])


def interpret(
    fun: Callable[..., Any],
    rules: RuleTable,
    *,
    wrap: Callable[[Any], Any] = _identity,
    unwrap: Callable[[Any], Any] = _identity,
    frame: Frame | None = None,
) -> Callable[..., Any]:
    """``fun`` with each of its equations evaluated by a rule of ``rules``.

    Args:
      fun: any JAX function of pytrees of arrays.
      rules: what each primitive does.
      wrap: applied to each array among the arguments, to make it a value of the rules; constants of
        ``fun`` stay plain.
      unwrap: applied to each result.
      frame: where rules record and what they are fed; a new one by default.

    Returns:
      A function of the same arguments. It is traced anew at each call: put `jax.jit` around it.

    Raises (when called):
      UnsupportedPrimitiveError: the table is strict and has no rule for a primitive.

    Example: see `RuleTable`.
    """

    def interpreted(*args: Any, **kwargs: Any) -> Any:
        program = Program.traced(fun, args, kwargs, rules.lifted or ())
        return program.walk(rules, wrap=wrap, unwrap=unwrap, frame=frame)

    return interpreted
