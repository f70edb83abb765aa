"""How a layer of weights hands relevance down: the linear rules of LRP.

A rule sees a whole layer, its bias and whatever normalisation follows included: ``z = W x + b`` as a
`LinearMap`, the input, the bias and the result. It returns the relevance of ``x``. Rules are values
(pytrees), so that their numbers may change without anything being compiled again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Change(NamedTuple):
    """A function of each weight with ``change(c w) = c**degree change(w)`` for ``c > 0``."""

    of: Callable[[Any], Any]
    degree: int = 1

    def of_negative(self) -> "Change":
        """The same of ``-w``."""
        return Change(lambda w: self.of(-w), self.degree)


KEEP = Change(lambda w: w)
PLUS = Change(lambda w: jnp.maximum(w, 0))
MINUS = Change(lambda w: jnp.minimum(w, 0))
SQUARE = Change(lambda w: w**2, 2)
ONE = Change(jnp.ones_like, 0)


@dataclass(frozen=True)
class LinearMap:
    """``x -> W x``, with the weights as they are or changed.

    Attributes:
      run: ``(held, x, change) -> W x``.
      held: the arrays of weights.
    """

    run: Callable[[Any, Any, Change], Any]
    held: Any

    def __call__(self, x: Any, change: Change = KEEP) -> Any:
        """``change(W) x``."""
        return self.run(self.held, x, change)

    def back(self, x: Any, above: Any, change: Change = KEEP) -> Any:
        """``change(W)^T above``, of the shape of ``x``."""
        return jax.vjp(lambda x: self(x, change), x)[1](above)[0]

    def then(self, move: Callable[[Any], Any]) -> "LinearMap":
        """Followed by something that only moves elements."""
        return LinearMap(lambda held, x, change: move(self.run(held, x, change)), self.held)

    def scaled(self, c: Any) -> "LinearMap":
        """Followed by a factor for each element, which belongs to the weights."""

        def run(held: Any, x: Any, change: Change) -> Any:
            before, c = held
            if change is KEEP:
                return c * self.run(before, x, KEEP)
            up = jnp.where(c > 0, jnp.abs(c) ** change.degree, 0)
            down = jnp.where(c < 0, jnp.abs(c) ** change.degree, 0)
            return up * self.run(before, x, change) + down * self.run(before, x, change.of_negative())

        return LinearMap(run, (self.held, c))


IDENTITY = LinearMap(lambda _, x, change: x * change.of(jnp.ones((), x.dtype)), ())


class Layer(NamedTuple):
    """``z = W x + b``, as a rule sees it.

    Attributes:
      map: ``W``.
      x: the input.
      bias: ``b``, of a shape that fits ``z``; a zero where there is none.
      z: the result.
    """

    map: LinearMap
    x: Any
    bias: Any
    z: Any


def share(above: Any, z: Any, eps: Any = 0.0) -> Any:
    """``above / (z + eps sign(z))``, where zero counts as positive; 0 where the divisor is 0."""
    z = z + jnp.where(z >= 0, eps, -eps).astype(z.dtype)
    zero = jnp.abs(z) <= jnp.finfo(z.dtype).eps ** 2  # a smaller one would overflow
    return jnp.where(zero, 0, above / jnp.where(zero, 1, z))


class Rule:
    """How a layer hands relevance down. Subclasses are frozen dataclasses and pytrees."""

    def __call__(self, layer: Layer, above: Any) -> Any:
        """The relevance of ``layer.x``, given that of ``layer.z``."""
        raise NotImplementedError(type(self).__name__)


_numbers = jax.tree_util.register_dataclass  # a rule's numbers are leaves, so they may be traced


def _fixed(default: Any) -> Any:
    return field(default=default, metadata={"static": True})


@_numbers
@dataclass(frozen=True)
class Epsilon(Rule):
    """``R_i = sum_j x_i w_ij / (z_j + eps sign(z_j)) R_j``, with ``z`` including the bias.

    What the bias and ``eps`` have contributed is absorbed. ``eps=0`` is LRP-0, which for relu networks is
    input times gradient; 0.01 to 0.25 of the spread of ``z`` removes noise. Captum's default is 1e-9.

    Source: Bach et al. 2015, doi:10.1371/journal.pone.0130140, equation 58.
    """

    eps: Any = 0.0

    def __call__(self, layer: Layer, above: Any) -> Any:
        """The relevance of the input."""
        return layer.x * layer.map.back(layer.x, share(above, layer.z, self.eps))


def _changed_bias(bias: Any, how: str, change: Change) -> Any:
    return {"kept": lambda: bias, "changed": lambda: change.of(bias), "zero": lambda: 0 * bias}[how]()


def _require_bias(how: str) -> None:
    if how not in ("changed", "kept", "zero"):
        raise ValueError(f"bias={how!r}: choose 'changed' (as a weight), 'kept' or 'zero'.")


def _with_changed_weights(layer: Layer, above: Any, change: Change, how: str, eps: Any) -> Any:
    z = layer.map(layer.x, change) + _changed_bias(layer.bias, how, change)
    return layer.x * layer.map.back(layer.x, share(above, z, eps), change)


@_numbers
@dataclass(frozen=True)
class Gamma(Rule):
    """Epsilon with weights ``w + gamma max(w, 0)``: what speaks for the output counts more.

    For inputs that are not negative (behind a relu); `GeneralizedGamma` is for any.

    Args:
      gamma: 0 is `Epsilon`, infinity the z+ rule.
      eps: the stabiliser; 0 only leaves divisions by zero out.
      bias: ``"changed"`` like a weight (as in the paper), ``"kept"`` (as in Captum) or ``"zero"``.

    Source: Montavon, Binder, Lapuschkin, Samek, Müller 2019, doi:10.1007/978-3-030-28954-6_10.
    """

    gamma: Any = 0.25
    eps: Any = 0.0
    bias: str = _fixed("changed")

    def __post_init__(self) -> None:
        """A bias is changed, kept or zero."""
        _require_bias(self.bias)

    def __call__(self, layer: Layer, above: Any) -> Any:
        """The relevance of the input."""
        change = Change(lambda w: w + self.gamma * jnp.maximum(w, 0))
        return _with_changed_weights(layer, above, change, self.bias, self.eps)


@_numbers
@dataclass(frozen=True)
class Alpha1Beta0(Rule):
    """Epsilon with weights ``max(w, 0)``: the z+ rule, for inputs that are not negative.

    As Captum's ``Alpha1_Beta0_Rule``. `AlphaBeta` goes by the sign of ``x w`` and is for any input.

    Args:
      eps: the stabiliser; 0 only leaves divisions by zero out.
      bias: ``"changed"`` like a weight, ``"kept"`` (as in Captum) or ``"zero"``.

    Source: Montavon, Lapuschkin, Binder, Samek, Müller 2017, doi:10.1016/j.patcog.2016.11.008.
    """

    eps: Any = 0.0
    bias: str = _fixed("kept")

    def __post_init__(self) -> None:
        """A bias is changed, kept or zero."""
        _require_bias(self.bias)

    def __call__(self, layer: Layer, above: Any) -> Any:
        """The relevance of the input."""
        return _with_changed_weights(layer, above, PLUS, self.bias, self.eps)


def _signs(x: Any) -> tuple[Any, Any]:
    return jnp.maximum(x, 0), jnp.minimum(x, 0)


def _by_sign(layer: Layer, up: Change, down: Change, bias: Any, above: Any, eps: Any, of: Any = 1) -> Any:
    """Relevance ``of * above`` handed down in proportion to ``up(W) max(x, 0) + down(W) min(x, 0)``."""
    x_up, x_down = _signs(layer.x)
    z = layer.map(x_up, up) + layer.map(x_down, down) + bias
    part = share(of * above, z, eps)
    return x_up * layer.map.back(layer.x, part, up) + x_down * layer.map.back(layer.x, part, down)


@_numbers
@dataclass(frozen=True)
class GeneralizedGamma(Rule):
    """`Gamma` for inputs and results of any sign: contributions of the sign of ``z_j`` count more.

    Where ``z_j`` is positive, contributions ``x_i w_ij`` above zero are multiplied by ``1 + gamma``,
    elsewhere those below; the bias likewise.

    Source: Montavon et al. 2019, doi:10.1007/978-3-030-28954-6_10; in this form Anders, Neumann, Samek,
    Müller, Lapuschkin 2021, arXiv:2106.13200 (zennit).
    """

    gamma: Any = 0.25
    eps: Any = 0.0

    def __call__(self, layer: Layer, above: Any) -> Any:
        """The relevance of the input."""
        plus = Change(lambda w: w + self.gamma * jnp.maximum(w, 0))
        minus = Change(lambda w: w + self.gamma * jnp.minimum(w, 0))
        positive = (layer.z >= 0).astype(above.dtype)
        b_plus, b_minus = plus.of(layer.bias), minus.of(layer.bias)
        return _by_sign(layer, plus, minus, b_plus, above, self.eps, positive) + _by_sign(
            layer, minus, plus, b_minus, above, self.eps, 1 - positive
        )


@_numbers
@dataclass(frozen=True)
class AlphaBeta(Rule):
    """``alpha`` times the positive contributions ``x w`` less ``beta`` times the negative ones.

    ``R_i = sum_j (alpha (x_i w_ij)+ / (sum (x w)+ + b+) - beta (x_i w_ij)- / (sum (x w)- + b-)) R_j``.
    ``alpha=1, beta=0`` is the z+ rule.

    Args:
      alpha: of positive contributions; ``alpha - beta = 1`` keeps the relevance.
      beta: of negative contributions.
      eps: the stabiliser; 0 only leaves divisions by zero out.

    Source: Bach et al. 2015, doi:10.1371/journal.pone.0130140, equation 60.
    """

    alpha: float = _fixed(2.0)
    beta: float = _fixed(1.0)
    eps: Any = 0.0

    def __post_init__(self) -> None:
        """The two differ by 1, or relevance is made or lost everywhere."""
        if self.beta < 0 or abs(self.alpha - self.beta - 1) > 1e-6:
            raise ValueError(
                f"AlphaBeta({self.alpha}, {self.beta}): alpha - beta must be 1, and beta at least 0."
            )

    def __call__(self, layer: Layer, above: Any) -> Any:
        """The relevance of the input."""
        b_plus, b_minus = _signs(layer.bias)
        found = self.alpha * _by_sign(layer, PLUS, MINUS, b_plus, above, self.eps)
        if self.beta:
            found -= self.beta * _by_sign(layer, MINUS, PLUS, b_minus, above, self.eps)
        return found


def ZPlus(eps: Any = 0.0) -> AlphaBeta:
    """``AlphaBeta(1, 0)``: only what speaks for the output hands relevance down."""
    return AlphaBeta(1.0, 0.0, eps)


def _bound(value: Any, x: Any) -> Any:
    try:
        return jnp.broadcast_to(jnp.asarray(value, x.dtype), x.shape)
    except ValueError as e:
        raise ValueError(
            f"ZBox: a bound is {jnp.shape(value)} and the input of the layer {x.shape}: give a number, or an "
            "array that broadcasts to it."
        ) from e


@_numbers
@dataclass(frozen=True)
class ZBox(Rule):
    """For the first layer, of inputs between ``low`` and ``high``: pixels.

    ``R_i = sum_j (x_i w_ij - l_i w_ij+ - h_i w_ij-) / (the same summed over i) R_j``. The bias takes no part.

    Args:
      low: the smallest value of the inputs; a number, or an array that broadcasts to what the layer gets
        (``[batch, channel, height, width]`` for a convolution in that order).
      high: the largest.
      eps: the stabiliser; 0 only leaves divisions by zero out.

    Source: Montavon, Lapuschkin, Binder, Samek, Müller 2017, doi:10.1016/j.patcog.2016.11.008.
    """

    low: Any
    high: Any
    eps: Any = 0.0

    def __hash__(self) -> int:
        """Numbers by value, arrays by identity."""
        return hash(self._key())

    def __eq__(self, other: object) -> bool:
        """Numbers by value, arrays by identity."""
        return isinstance(other, ZBox) and self._key() == other._key()

    def _key(self) -> tuple[Any, ...]:
        bounds = (self.low, self.high, self.eps)
        return tuple(v if isinstance(v, int | float) else id(v) for v in bounds)

    def __call__(self, layer: Layer, above: Any) -> Any:
        """The relevance of the input."""
        x = layer.x
        low, high = (_bound(v, x) for v in (self.low, self.high))
        z = layer.map(x) - layer.map(low, PLUS) - layer.map(high, MINUS)
        part = share(above, z, self.eps)
        back = layer.map.back
        return x * back(x, part) - low * back(x, part, PLUS) - high * back(x, part, MINUS)


def _whatever_the_input(layer: Layer, above: Any, change: Change, eps: Any) -> Any:
    z = layer.map(jnp.ones_like(layer.x), change)
    return layer.map.back(layer.x, share(above, z, eps), change)


@_numbers
@dataclass(frozen=True)
class WSquare(Rule):
    """For the first layer, of inputs of any value: in proportion to ``w**2``, whatever the input is.

    Source: Montavon, Lapuschkin, Binder, Samek, Müller 2017, doi:10.1016/j.patcog.2016.11.008.
    """

    eps: Any = 0.0

    def __call__(self, layer: Layer, above: Any) -> Any:
        """The relevance of the input."""
        return _whatever_the_input(layer, above, SQUARE, self.eps)


@_numbers
@dataclass(frozen=True)
class Flat(Rule):
    """For the first layer: the same for every input that the result sees, as if all weights were equal.

    Source: Lapuschkin et al. 2019, doi:10.1038/s41467-019-08987-4.
    """

    eps: Any = 0.0

    def __call__(self, layer: Layer, above: Any) -> Any:
        """The relevance of the input."""
        return _whatever_the_input(layer, above, ONE, self.eps)


@_numbers
@dataclass(frozen=True)
class Pass(Rule):
    """Relevance goes through unchanged, for a layer whose input and result have one shape."""

    def __call__(self, layer: Layer, above: Any) -> Any:
        """The relevance of the input."""
        if layer.x.shape != above.shape:
            raise ValueError(
                f"LRP: the rule Pass() is on a layer of {layer.x.shape} to {above.shape}: it is for layers "
                "that keep the shape. Use Epsilon()."
            )
        return above
