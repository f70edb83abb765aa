"""Composites: which layer gets which LRP rule.

A composite is a list of ``(pattern, rule)``; for each layer of weights the first pattern that fits
counts. A pattern is one or several of the words ``first`` (no layer of weights comes before),
``conv`` and ``dense``, or a name with ``*`` and ``?``: of the `jax.named_scope` path of the layer
(``"encoder/Dense_0"``, or its end, ``"Dense_0"``), or of a tap behind it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import jax

from captum_lite.rules.lrp_linear import (
    Alpha1Beta0,
    AlphaBeta,
    Epsilon,
    Flat,
    Gamma,
    GeneralizedGamma,
    Pass,
    Rule,
    ZBox,
    ZPlus,
)

_WORDS = ("first", "conv", "dense")
_NUMBER = re.compile(r"[0-9]*\.?[0-9]+(?:e-?[0-9]+)?")


@dataclass(frozen=True)
class Place:
    """A layer of weights, as patterns see it.

    Attributes:
      kind: ``"conv"`` or ``"dense"``.
      path: its named scopes.
      source: the user's line.
      first: whether no other layer of weights comes before.
      taps: the taps that its result goes to, the bias, normalisation and activation behind it included.
    """

    kind: str
    path: str
    source: str
    first: bool
    taps: tuple[str, ...] = ()

    def fits(self, pattern: str) -> bool:
        """Whether a pattern means this layer."""
        words = {self.kind, "first"} if self.first else {self.kind}
        if _is_words(pattern):
            return set(pattern.split()) <= words
        at_path = fnmatchcase(self.path, pattern) or fnmatchcase(self.path, f"*/{pattern}")
        return at_path or any(fnmatchcase(t, pattern) for t in self.taps)

    def __str__(self) -> str:
        names = [self.path] * bool(self.path) + [f"tap {t!r}" for t in self.taps]
        return f"{self.kind} at {', '.join([self.source, *names])}{' (first)' if self.first else ''}"


def _is_words(pattern: str) -> bool:
    return all(word in _WORDS for word in pattern.split())


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Composite:
    """Rules by pattern.

    Attributes:
      rules: one for each pattern.
      default: where no pattern fits.
      patterns: the first that fits counts.
    """

    rules: tuple[Rule, ...]
    default: Rule
    patterns: tuple[str, ...] = field(metadata={"static": True})

    def __repr__(self) -> str:
        rows = [*zip(self.patterns, self.rules, strict=True), ("*", self.default)]
        return f"[{', '.join(f'({p!r}, {r})' for p, r in rows)}]"


class Chosen:
    """The rules of one walk through a function, and which patterns have fitted anywhere."""

    def __init__(self, composite: Composite):
        """Nothing has fitted yet."""
        self.composite = composite
        self._fitted: set[str] = set()
        self._places: dict[str, Place] = {}

    def __call__(self, place: Place) -> Rule:
        """The rule for a layer."""
        self._places[str(place)] = place
        for pattern, rule in zip(self.composite.patterns, self.composite.rules, strict=True):
            if place.fits(pattern):
                self._fitted.add(pattern)
                return rule
        return self.composite.default

    def require_fitted(self) -> None:
        """A pattern that fits nowhere is a mistake; a kind of layer that a model has not is none."""
        for pattern in self.composite.patterns:
            if pattern in self._fitted or pattern == "*" or set(pattern.split()) <= {"conv", "dense"}:
                continue
            if any(place.fits(pattern) for place in self._places.values()):
                continue  # an earlier pattern has all of its layers
            there = "; ".join(self._places) or "none"
            raise ValueError(
                f"LRP: the rule for {pattern!r} fits no layer of weights. There are: {there}. Write the end "
                "of a named scope or a tap behind the layer, with * and ?, or words of: first, conv, dense."
            )


Rules = Composite | Mapping[str, Any] | Iterable[tuple[str, Any]]


def composite(rules: Any = (), default: Any = None) -> Composite:
    """The composite that a user has written.

    Args:
      rules: a composite, a dict ``{pattern: rule}``, or pairs ``(pattern, rule)``. A rule is a `Rule` or a
        text as in Captum: ``"epsilon 0.1"``, ``"gamma 0.25"``, ``"alpha1beta0"``, ``"identity"``.
      default: the rule where no pattern fits, ``Epsilon()`` by default.

    Raises:
      TypeError: a pattern that is no string, or a rule that is none.
    """
    if isinstance(rules, Composite):
        return rules if default is None else Composite(rules.rules, rule_of(default), rules.patterns)
    if isinstance(rules, str):
        raise TypeError(
            f"rules={rules!r} says no layers: give {{pattern: rule}}, or default={rules!r} for all."
        )
    pairs = list(rules.items() if isinstance(rules, Mapping) else rules)
    for pair in pairs:
        if not (isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], str)):
            raise TypeError(f"rules: {pair!r} is no pair (pattern, rule), such as ('conv', Gamma(0.25)).")
    patterns = tuple(p for p, _ in pairs)
    return Composite(
        tuple(rule_of(r) for _, r in pairs), Epsilon() if default is None else rule_of(default), patterns
    )


def rule_of(given: Any) -> Rule:
    """A rule, from one or from Captum's name of it (whose bias is kept, as Captum keeps it)."""
    if isinstance(given, Rule):
        return given
    if isinstance(given, str):
        numbers = [float(n) for n in _NUMBER.findall(given)]
        name = "".join(c for c in _NUMBER.sub("", given.lower()) if c.isalpha())
        if (name, len(numbers)) in _NAMED:
            return _NAMED[name, len(numbers)](*numbers)
    raise TypeError(
        f"rules: {given!r} is no LRP rule; write one of Epsilon(0.1), Gamma(0.25), GeneralizedGamma(0.25), "
        "AlphaBeta(2, 1), ZPlus(), ZBox(low, high), WSquare(), Flat(), Pass(), or as text 'epsilon 0.1', "
        "'gamma 0.25', 'alpha1beta0', 'identity'."
    )


_NAMED: dict[tuple[str, int], Any] = {
    ("epsilon", 0): lambda: Epsilon(1e-9),
    ("epsilon", 1): Epsilon,
    ("gamma", 0): lambda: Gamma(bias="kept"),
    ("gamma", 1): lambda gamma: Gamma(gamma, bias="kept"),
    ("alphabeta", 2): lambda alpha, beta: (
        Alpha1Beta0() if (alpha, beta) == (1, 0) else AlphaBeta(alpha, beta)
    ),
    ("identity", 0): Pass,
}


def EpsilonPlus(epsilon: float = 1e-6) -> Composite:
    """z+ on convolutions, epsilon on dense layers."""
    return composite([("conv", ZPlus(1e-6)), ("dense", Epsilon(epsilon))])


def EpsilonPlusFlat(epsilon: float = 1e-6) -> Composite:
    """`EpsilonPlus` with the flat rule on the first layer."""
    return composite([("first", Flat(1e-6)), ("conv", ZPlus(1e-6)), ("dense", Epsilon(epsilon))])


def EpsilonAlpha2Beta1(epsilon: float = 1e-6) -> Composite:
    """Alpha 2, beta 1 on convolutions, epsilon on dense layers."""
    return composite([("conv", AlphaBeta(2.0, 1.0, 1e-6)), ("dense", Epsilon(epsilon))])


def EpsilonAlpha2Beta1Flat(epsilon: float = 1e-6) -> Composite:
    """`EpsilonAlpha2Beta1` with the flat rule on the first layer."""
    return composite([
        ("first", Flat(1e-6)), ("conv", AlphaBeta(2.0, 1.0, 1e-6)), ("dense", Epsilon(epsilon)),
    ])  # fmt: skip


def EpsilonGammaBox(low: Any, high: Any, epsilon: float = 1e-6, gamma: float = 0.25) -> Composite:
    """The box rule on the first layer, gamma on other convolutions, epsilon on dense layers.

    Args:
      low: the smallest value of an input (a number, or an array that broadcasts to the input).
      high: the largest.
      epsilon: of the dense layers.
      gamma: of the convolutions.
    """
    return composite([
        ("first", ZBox(low, high, 1e-6)),
        ("conv", GeneralizedGamma(gamma, 1e-6)),
        ("dense", Epsilon(epsilon)),
    ])  # fmt: skip
