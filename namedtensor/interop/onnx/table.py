"""The table of operators: ONNX's name and version -> a Python function of its operands and attributes.

A function's positional parameters are the operands, in ONNX's order; those with ``None`` as default may
be left out. Its keyword parameters are the attributes, with ONNX's defaults. Nothing else needs to be
said, so an operator is one short function:

    @operator("LeakyRelu")
    def leaky_relu(x, *, alpha=0.01): ...
"""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Function = Callable[..., Any]


@dataclass(frozen=True)
class Operator:
    """An operator from one version of it on.

    Attributes:
      name: ONNX's name.
      domain: whose it is; "" is ONNX itself.
      since: the first opset of which this holds.
      fun: the function.
      static: which operands' numbers must be known while JAX traces (shapes, axes, counts), of a node.
      reads_shape: only the shape of its operand matters, so its result is always known.
      steers: the operands that choose what is computed: known where they can be, and traced elsewhere.
      operands: the names of the positional parameters; one with a star takes all that follow.
      attributes: the names of the keyword parameters.
    """

    name: str
    domain: str
    since: int
    fun: Function
    static: Callable[[Any], Iterable[str]]
    reads_shape: bool
    steers: frozenset[str]
    operands: tuple[str, ...]
    attributes: frozenset[str]

    @property
    def variadic(self) -> bool:
        """Whether the last parameter takes all operands that follow."""
        return bool(self.operands) and self.operands[-1].startswith("*")

    @property
    def wants_node(self) -> bool:
        """Whether it is told about its node: how many results are wanted, and how to run a subgraph."""
        return "node" in self.attributes

    def operand(self, i: int) -> str:
        """The name of the ``i``-th operand."""
        return self.operands[min(i, len(self.operands) - 1)].lstrip("*") if self.operands else ""

    def is_static(self, i: int, node: Any) -> bool:
        """Whether the numbers of a node's ``i``-th operand must be known."""
        return self.operand(i) in self.static(node)


_TABLE: dict[tuple[str, str], list[Operator]] = {}


def operator(
    *names: str,
    since: int = 1,
    domain: str = "",
    static: Iterable[str] | Callable[[Any], Iterable[str]] = (),
    reads_shape: bool = False,
    steers: Iterable[str] = (),
) -> Callable[[Function], Function]:
    """Say what operators do, in all models that are loaded from now on.

    Args:
      *names: ONNX's names of operators that this function computes.
      since: the first opset of which it holds; the latest one that a model's opset has reached counts.
      domain: whose operators: "" for ONNX's own, "com.microsoft" and others for those of vendors.
      static: names of operands whose numbers must be known while JAX traces; they are given as NumPy
        arrays, and inputs and weights that they depend on are not traced. A function gives them for a
        node.
      reads_shape: only the shape of the operand matters.
      steers: names of operands that choose between programs; small integer inputs that they depend on are
        known when the model is called with numbers.

    Returns:
      A decorator for a function of arrays (positional: the operands) and attributes (keyword-only).

    Example:
      >>> import jax.numpy as jnp, namedtensor as nt
      >>> @nt.interop.onnx.operator("Snake", domain="my.company")
      ... def snake(x, *, alpha=1.0):
      ...     return x + jnp.sin(alpha * x) ** 2 / alpha
    """

    def register(fun: Function) -> Function:
        parameters = inspect.signature(fun).parameters.values()
        operands = tuple(
            f"*{p.name}" if p.kind is p.VAR_POSITIONAL else p.name
            for p in parameters
            if p.kind in (p.VAR_POSITIONAL, p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        )
        attributes = frozenset(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
        for name in names:
            there = _TABLE.setdefault((_domain(domain), name), [])
            there[:] = [op for op in there if op.since != since]
            facts = frozenset(steers), operands, attributes
            there.append(Operator(name, domain, since, fun, _of_node(static), reads_shape, *facts))
            there.sort(key=lambda op: op.since)
        return fun

    return register


def find(domain: str, name: str, opset: int) -> Operator | None:
    """What an operator is in an opset; None if it is not in the table."""
    reached = [op for op in _TABLE.get((_domain(domain), name), ()) if op.since <= opset]
    return reached[-1] if reached else None


def known_operators() -> list[Operator]:
    """All that the table holds, by domain and name."""
    return [op for key in sorted(_TABLE) for op in _TABLE[key]]


def _of_node(static: Iterable[str] | Callable[[Any], Iterable[str]]) -> Callable[[Any], Iterable[str]]:
    if callable(static):
        return static
    names = frozenset(static)
    return lambda node: names


def _domain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain
