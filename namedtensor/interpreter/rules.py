"""Rule tables: what a transformation is made of.

A rule is ``rule(equation, *values) -> value`` (a sequence of values if the primitive has several
results). A table maps names of primitives to rules. Names, not primitive objects, are the keys:
they survive JAX releases. ``"jit:softmax"`` is the key for calls of a jitted function by its name.
"""

import difflib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from namedtensor.interpreter.equation import Equation

Rule = Callable[..., Any]
EXPORTED = (
    "call_exported",
    "call_artifact",
)  # of a function of `jax.export`, by JAX and by nt.interop.exported


def bind(eqn: "Equation", *values: Any) -> Any:
    """The rule that evaluates the equation as it is: the default of tables that only look."""
    return eqn.bind(*values)


class UnsupportedPrimitiveError(NotImplementedError):
    """A table has no rule for a primitive that it met, or cannot apply where it stands."""

    @classmethod
    def missing(cls, table: "RuleTable", eqn: "Equation") -> "UnsupportedPrimitiveError":
        """The error for a primitive without a rule: where it stands, what there is, how to add one."""
        if eqn.primitive in EXPORTED:
            return cls.opaque(
                table, eqn, "Give the function in Python, or from an ONNX file: nt.interop.onnx.load."
            )
        close = difflib.get_close_matches(eqn.primitive, list(table), n=3)
        like = f" (near: {', '.join(close)})" if close else ""
        known = ", ".join(itertools.islice(sorted(table), 12)) + (", ..." if len(table) > 12 else "")
        return cls.refused(
            table,
            eqn,
            "there is no rule for it",
            f"{table.name} has {len(table)} rules{like}: {known or 'none'}. "
            f"To add one: @{table.name}.register({eqn.primitive!r}) on a function rule(eqn, *values).",
        )

    @classmethod
    def opaque(cls, table: "RuleTable", eqn: "Equation", advice: str) -> "UnsupportedPrimitiveError":
        """The error for an exported function, where a table must see equations."""
        name = getattr(eqn.params["exported"], "fun_name", "")
        why = (
            f"it is the exported function {name!r}, compiled code without operations that rules could act on"
        )
        return cls.refused(table, eqn, why, advice)

    @classmethod
    def refused(
        cls, table: "RuleTable", eqn: "Equation", why: str, advice: str
    ) -> "UnsupportedPrimitiveError":
        """The error for a primitive that the table cannot take as it stands."""
        return cls(
            f"{table.name} cannot pass the primitive {eqn.primitive!r} at {eqn.place}: {why}.\n  {advice}"
        )


class RuleTable:
    """Rules by primitive name.

    Args:
      name: shown in errors.
      default: the rule for primitives that have none; ``None`` makes the table strict: an unknown
        primitive is an `UnsupportedPrimitiveError`.
      lifted: the type of the values that rules act on. Equations none of whose operands has it are
        evaluated as they are, so constants cost nothing. ``None``: rules see every equation.
      unlifted: how the equations on constants are evaluated.
      observes: rules return their operand unchanged and only look (the results may then be taken
        from the original equation, with its custom derivative).

    Example:
      >>> from namedtensor.interpreter import RuleTable, bind, interpret
      >>> doubled = RuleTable("doubled", default=bind)
      >>> @doubled.register("sin")
      ... def _(eqn, x):
      ...     return 2 * eqn.bind(x)
      >>> import jax.numpy as jnp
      >>> float(interpret(lambda x: jnp.sin(x) + 1, doubled)(jnp.pi / 2))
      3.0
    """

    def __init__(
        self,
        name: str,
        default: Rule | None = None,
        *,
        lifted: type | None = None,
        unlifted: Rule = bind,
        observes: bool = False,
    ):
        """An empty table."""
        self.name, self.default, self.lifted, self.observes = name, default, lifted, observes
        self.unlifted = unlifted
        self._rules: dict[str, Rule] = {}

    def register(self, *primitives: str) -> Callable[[Rule], Rule]:
        """Decorate a function as the rule for these primitives (used where the table is defined)."""

        def add(rule: Rule) -> Rule:
            self._rules.update(dict.fromkeys(primitives, rule))
            return rule

        return add

    def extend(self, name: str, **rules: Rule) -> "RuleTable":
        """A new table with these rules added or replaced; this one does not change."""
        new = RuleTable(
            name, self.default, lifted=self.lifted, unlifted=self.unlifted, observes=self.observes
        )
        new._rules = {**self._rules, **rules}
        return new

    def get(self, primitive: str) -> Rule | None:
        """The rule for a primitive, without the default."""
        return self._rules.get(primitive)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rules)

    def __len__(self) -> int:
        return len(self._rules)

    def lifts(self, values: Sequence[Any]) -> bool:
        """Whether rules have a say in an equation on these values."""
        return self.lifted is None or any(isinstance(v, self.lifted) for v in values)
