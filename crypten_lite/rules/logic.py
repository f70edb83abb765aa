"""Logic on truths: exclusive or is free, a conjunction takes one round, and many truths are counted."""

from typing import Any

import numpy as np

from crypten_lite.protocols.comparison import at_least
from crypten_lite.protocols.conjunction import both
from crypten_lite.protocols.selection import as_number
from crypten_lite.rules import constants
from crypten_lite.rules.table import refuse, rule
from crypten_lite.session import Session
from crypten_lite.values import Secret, Truth
from namedtensor.interpreter import Equation


def truth_of(eqn: Equation, x: Secret) -> Truth:
    """A secret truth; one that was shared as 0 or 1 is compared."""
    if isinstance(x, Truth):
        return x
    if x.dtype != bool:
        raise refuse(eqn, f"it is logic on a secret {x.dtype}", "Compare it first: x > 0.")
    return at_least((constants.number(eqn, x), 1))[0]


def is_truth(value: Any) -> bool:
    """Whether a value, secret or public, is of truths."""
    return value.dtype == bool if hasattr(value, "dtype") else isinstance(value, bool)


def lifted(session: Session, bits: Any) -> Truth:
    """Public truths as one that the dealer adds nothing to."""
    bits = np.asarray(bits).astype(np.uint8)
    public = np.broadcast_to(bits, (session.seeing, *bits.shape))
    return Truth(session, bits.shape, public, np.zeros((session.dealing, *bits.shape), np.uint8))


def joined(eqn: Equation, values: Any, combine: Any) -> Truth:
    """A structural operation on several truths, of which some may be public."""
    session = constants.session_of(*values)
    truths = [truth_of(eqn, v) if isinstance(v, Secret) else lifted(session, v) for v in values]
    return truths[0].joined(truths[1:], lambda *parts: combine(parts), eqn.outputs[0].shape)


def differ(eqn: Equation, x: Any, y: Any) -> Any:
    """Where one of two holds and the other does not."""
    if isinstance(x, Secret) and isinstance(y, Secret):
        return truth_of(eqn, x).differs(truth_of(eqn, y))
    if not isinstance(x, Secret) and not isinstance(y, Secret):
        return np.asarray(x) != np.asarray(y)
    truth, public = (x, y) if isinstance(x, Secret) else (y, x)
    return flipped(truth_of(eqn, truth), public)


def flipped(truth: Truth, where: Any) -> Truth:
    """The opposite of a truth at public places."""
    return Truth(truth.session, truth.shape, truth.public ^ np.asarray(where).astype(np.uint8), truth.plain)


def both_of(eqn: Equation, x: Any, y: Any) -> Any:
    """Where both hold: one round if both are secret."""
    if isinstance(x, Secret) and isinstance(y, Secret):
        return both(truth_of(eqn, x), truth_of(eqn, y))
    if not isinstance(x, Secret) and not isinstance(y, Secret):
        return np.asarray(x) & np.asarray(y)
    truth, public = (x, y) if isinstance(x, Secret) else (y, x)
    keep = np.asarray(public).astype(np.uint8)
    return truth_of(eqn, truth).map(lambda a: a * keep, truth.shape)


def opposite(eqn: Equation, x: Any) -> Any:
    """Where it does not hold."""
    return truth_of(eqn, x).negative() if isinstance(x, Secret) else ~np.asarray(x, bool)


def chosen(eqn: Equation, which: Any, yes: Any, no: Any) -> Any:
    """Truths chosen by a truth: where the cases are one, it does not matter which is taken."""
    return differ(eqn, no, both_of(eqn, which, differ(eqn, yes, no)))


@rule("not")
def _(eqn: Equation, x: Secret) -> Truth:
    return opposite(eqn, x)


@rule("xor")
def _(eqn: Equation, x: Any, y: Any) -> Truth:
    return differ(eqn, *constants.spread(eqn, x, y))


@rule("and")
def _(eqn: Equation, x: Any, y: Any) -> Any:
    return both_of(eqn, *constants.spread(eqn, x, y))


@rule("or")
def _(eqn: Equation, x: Any, y: Any) -> Any:
    x, y = constants.spread(eqn, x, y)
    return opposite(eqn, both_of(eqn, opposite(eqn, x), opposite(eqn, y)))


@rule("reduce_or")
def _(eqn: Equation, x: Secret) -> Truth:
    return _any(eqn, truth_of(eqn, x))


@rule("reduce_and")
def _(eqn: Equation, x: Secret) -> Truth:
    return _any(eqn, truth_of(eqn, x).negative()).negative()


def _any(eqn: Equation, truth: Truth) -> Truth:
    """Whether their count is one or more: four rounds for any number of truths."""
    axes = tuple(a + 1 for a in eqn.params["axes"])
    count = as_number(truth).map(lambda a: a.sum(axes, dtype=a.dtype), eqn.outputs[0].shape)
    return at_least((count, 1))[0]


@rule("reduce_xor")
def _(eqn: Equation, x: Secret) -> Truth:
    axes = tuple(a + 1 for a in eqn.params["axes"])
    return truth_of(eqn, x).map(lambda a: np.bitwise_xor.reduce(a, axes), eqn.outputs[0].shape)
