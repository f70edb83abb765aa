"""The value that DeepLift's rules act on: what passes at the inputs, beside what passes at the baselines.

A multiplier is a derivative that is chosen instead of taken. So each rule makes a value whose
derivative with respect to the operands is the wanted multiplier, and the multipliers of a whole
program are its gradient: one forward walk and one backward pass, under jit, vmap, scan and remat.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Pair:
    """A value at the inputs and at the baselines.

    Attributes:
      x: at the inputs; its derivative is the multiplier.
      x0: at the baselines; it is not differentiated.
      credit: for booleans and integers, which have no derivative, ``x`` as floating-point numbers that
        have one.
    """

    x: Any
    x0: Any
    credit: Any = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of either value."""
        return self.x.shape

    @property
    def dtype(self) -> Any:
        """Of either value."""
        return self.x.dtype


def constant(value: Any) -> Pair:
    """A value that is the same in both runs."""
    value = jnp.asarray(value)
    return paired(value, value)


def paired(x: Any, x0: Any) -> Pair:
    """Two values of which nothing that varies has been told; booleans and integers have no credit."""
    discrete = jnp.issubdtype(x.dtype, jnp.integer) or x.dtype == bool
    return Pair(x, x0, in_floats(x) if discrete else None)


def varies(value: Any) -> bool:
    """Whether a value depends on what is explained."""
    return isinstance(value, Pair)


def at_x(value: Any) -> Any:
    """The value in the run at the inputs."""
    return value.x if varies(value) else value


def seen(value: Any) -> Any:
    """The value in the run at the inputs, as a rule looks at it: it is not differentiated."""
    return lax.stop_gradient(value.x) if varies(value) else value


def at_x0(value: Any) -> Any:
    """The value in the run at the baselines."""
    return value.x0 if varies(value) else value


def live(value: Any) -> Any:
    """What carries the derivative."""
    if not varies(value):
        return in_floats(value)
    return in_floats(value.x) if value.credit is None else value.credit


def is_continuous(value: Any) -> bool:
    """Whether a value (or its abstract value) is of real or complex numbers."""
    return jnp.issubdtype(value.dtype, jnp.inexact)


def in_floats(value: Any) -> Any:
    """The value as floating-point numbers."""
    value = jnp.asarray(value)
    return value if is_continuous(value) else value.astype(float)


def mapped(fun: Callable[[Any], Any], value: Pair) -> Pair:
    """A function that only moves elements, of all that a pair holds."""
    return Pair(*(None if v is None else fun(v) for v in (value.x, value.x0, value.credit)))


def made(y: Any, y0: Any, rule: Callable[..., Any], consts: Any, operands: Any) -> Pair:
    """The pair of these values whose derivative is ``rule(consts, derivatives of the operands)``."""
    y0 = lax.stop_gradient(y0)
    if is_continuous(y):
        return Pair(surrogate(rule, y, consts, operands), y0)
    return Pair(y, y0, surrogate(rule, in_floats(y), consts, operands))


def surrogate(rule: Callable[..., Any], value: Any, consts: Any, operands: Any) -> Any:
    """``value`` with the derivative ``rule(consts, derivatives of the operands)``, linear in the latter.

    The rule may close over nothing that is traced; that is what ``consts`` are for.
    """
    return _surrogate(rule, *lax.stop_gradient((value, consts)), operands)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _surrogate(rule: Callable[..., Any], value: Any, consts: Any, operands: Any) -> Any:
    return value


@_surrogate.defjvp
def _(rule: Callable[..., Any], primals: Any, tangents: Any) -> tuple[Any, Any]:
    value, consts, _ = primals
    change = rule(consts, tangents[2])
    return value, jax.tree.map(lambda c, v: c.astype(v.dtype), change, value)


class Losses:
    """Where credit is lost, and how much of the score with it.

    A place whose rule is not exact misses a part of its change. That part times the derivative at one
    entry of ``slack`` is added there, so the derivative of a score by that entry is how much of the
    score is missed through the place.

    Attributes:
      places: ``"primitive at source"`` -> the entry of the slack.
    """

    SLOTS = 32  # places that are told apart; the last one collects what comes after

    def __init__(self, slack: Any):
        """``slack``: zeros ``[SLOTS]``, to differentiate by."""
        self._slack, self.places = slack, {}

    def add(self, eqn: Any, value: Any, missed: Any) -> Any:
        """The value, with what its derivative misses noted."""
        name = f"{eqn.primitive} at {eqn.source}"
        if name not in self.places and len(self.places) >= self.SLOTS - 1:
            name = "further places"
        slot = self.places.setdefault(name, len(self.places))
        return surrogate(_and_missed, value, missed, (value, self._slack[slot]))


def _and_missed(missed: Any, changes: Any) -> Any:
    change, slack = changes
    return change + missed * slack.astype(missed.dtype)
