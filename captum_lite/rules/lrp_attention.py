"""LRP of what depends on the inputs twice: products, quotients, softmax and normalisation (AttnLRP).

- Factors of a product share its relevance equally (gates, attention scores times values), unless both
  are functions of one value, element for element (a gelu written out): then it is one activation.
- A normalising factor, ``1 / standard deviation``, is a constant: relevance goes to what it scales. So is
  the divisor of any quotient.
- Softmax: ``R_i = x_i (R_i' - s_i sum_j R_j')``, its first-order expansion at the logits ``x``.

Source: Achtibat et al. 2024, arXiv:2402.05602.
"""

from typing import Any

import jax
import jax.numpy as jnp

from captum_lite.rules._relevant import Exponential, Factor, Relevant, Shifted, Total, fitted, flow, shared
from captum_lite.rules.lrp_linear import share
from namedtensor.interpreter import Equation


def passed_to(source: Relevant, value: Any, *parents: Relevant, origin: Any = None) -> Relevant:
    """A value whose relevance is its source's."""

    def backward(above: Any, _: Any, x: Any) -> tuple[Any]:
        return (fitted(above, x).astype(x.dtype),)

    array = flow(value, backward, source.array)
    lines = shared(parents or (source,), value.shape)
    return Relevant(array, origin, lines, all(p.first for p in parents or (source,)))


def product(eqn: Equation, a: Relevant, b: Relevant) -> Relevant:
    """Of two values, element by element."""
    value = eqn.bind(a.value, b.value)
    if one := shared((a, b), value.shape):
        return passed_to(one[-1], value, a, b)
    for x, factor in ((a, b), (b, a)):
        if isinstance(factor.origin, Factor) and not isinstance(x.origin, Factor):
            return passed_to(x, value, a, b)

    def backward(above: Any, _: Any, x: Any, y: Any) -> tuple[Any, Any]:
        return fitted(above / 2, x), fitted(above / 2, y)

    return Relevant(flow(value, backward, a.array, b.array), first=a.first and b.first)


def contraction(eqn: Equation, a: Relevant, b: Relevant) -> Relevant:
    """A matrix product or convolution of two values: half to each, in proportion to what is summed."""

    def backward(above: Any, z: Any, x: Any, y: Any) -> tuple[Any, Any]:
        dx, dy = jax.vjp(lambda x, y: eqn.bind(x, y), x, y)[1](share(above, 2 * z))
        return x * dx, y * dy

    return Relevant(flow(eqn.bind(a.value, b.value), backward, a.array, b.array))


def quotient(eqn: Equation, a: Relevant, b: Relevant) -> Relevant:
    """Of two values: a softmax, or something normalised."""
    value = eqn.bind(a.value, b.value)
    whole = b.origin
    if isinstance(whole, Total) and not whole.log and _is_or_was(a, whole.parts):
        return _softmax(value, a, b, whole)
    if one := shared((a, b), value.shape):
        return passed_to(one[-1], value, a, b)
    return passed_to(a, value, a, b)


def _is_or_was(a: Relevant, other: Relevant) -> bool:
    return a is other or any(other is before for before in a.ancestors)


def _softmax(value: Any, a: Relevant, b: Relevant, whole: Total) -> Relevant:
    made = whole.parts.origin
    assert isinstance(made, Exponential), "a total is of exponentials"
    logits = made.exponent.origin.over if isinstance(made.exponent.origin, Shifted) else made.exponent

    def backward(above: Any, _: Any, x: Any, parts: Any, total: Any) -> tuple[Any, None, None]:
        part = fitted(above, total) / total
        spread = jax.vjp(whole.of, parts)[1](part.astype(parts.dtype))[0]
        change = above - parts * spread
        return (
            jnp.where(change == 0, 0, x * change).astype(x.dtype),
            None,
            None,
        )  # logits of -inf have no relevance

    array = flow(value, backward, logits.array, whole.parts.value, b.value)
    return Relevant(array, first=a.first)


def is_log_softmax(a: Relevant, b: Relevant) -> bool:
    """Whether ``a - b`` is a logarithm of a softmax of ``a``: the logits less a constant of each example."""
    made = b.origin.parts.origin if isinstance(b.origin, Total) and b.origin.log else None
    return isinstance(made, Exponential) and _is_or_was(a, made.exponent)
