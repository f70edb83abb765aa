"""Nodes and weights on [0, 1] for integrals along a path."""

import functools
from collections.abc import Callable

import numpy as np

Rule = Callable[[int], tuple[np.ndarray, np.ndarray]]


def _gausslegendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return (1 + nodes) / 2, weights / 2


def _riemann(offset: float) -> Rule:
    return lambda n: ((np.arange(n) + offset) / n, np.full(n, 1 / n))


def _trapezoid(n: int) -> tuple[np.ndarray, np.ndarray]:
    weights = np.full(n, 1 / (n - 1)) if n > 1 else np.ones(1)
    weights[[0, -1]] /= 2 if n > 1 else 1
    return (np.linspace(0, 1, n) if n > 1 else np.full(1, 0.5)), weights


def _trapezoid_captum(n: int) -> tuple[np.ndarray, np.ndarray]:
    # Captum takes steps of 1/n between n nodes that are 1/(n-1) apart: its weights sum to (n-1)/n.
    nodes, weights = _trapezoid(n)
    return nodes, weights * ((n - 1) / n if n > 1 else 1)


RULES: dict[str, Rule] = {
    "gausslegendre": _gausslegendre,
    "riemann_left": _riemann(0.0),
    "riemann_middle": _riemann(0.5),
    "riemann_right": _riemann(1.0),
    "riemann_trapezoid": _trapezoid,
    "riemann_trapezoid_captum": _trapezoid_captum,
}


@functools.lru_cache(maxsize=64)
def quadrature(method: str, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights, in float64.

    Args:
      method: a key of `RULES`. ``"gausslegendre"`` integrates polynomials of degree ``2 n_steps - 1``
        exactly. ``"riemann_trapezoid_captum"`` is Captum's biased variant, for comparison.
      n_steps: how many nodes.

    Raises:
      ValueError: an unknown method, or no step.
    """
    if method not in RULES:
        raise ValueError(
            f"method={method!r} is not a quadrature: choose one of {', '.join(map(repr, RULES))}."
        )
    if n_steps < 1 or int(n_steps) != n_steps:
        raise ValueError(f"n_steps={n_steps}: give a whole number of steps, at least 1.")
    return RULES[method](int(n_steps))


def spread_order(n: int) -> np.ndarray:
    """An order in which any first part of ``n`` nodes covers the path evenly (golden-ratio sequence).

    A mean over the nodes seen so far is then a fair preview of the whole.
    """
    return np.argsort(np.arange(n) * 0.6180339887498949 % 1.0, kind="stable")
