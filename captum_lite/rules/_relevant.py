"""`Relevant`: a value that relevance flows back to, with what is known of how it came about.

Relevance travels as JAX's cotangent: each value is made by `flow`, whose derivative is a rule of LRP.
Some rules concern several equations together (a layer with its bias and normalisation, a softmax, a
gelu written out). So a value remembers how it was made; an equation that completes such a group makes
its result anew, straight from the start of the group, and what was in between is left unused.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp

from captum_lite.rules.composites import Chosen, Place
from captum_lite.rules.lrp_linear import IDENTITY, Epsilon, Layer, LinearMap, Rule


def flow(value: Any, backward: Callable[..., tuple[Any, ...]], *sources: Any) -> Any:
    """``value``, whose relevance goes to ``sources`` as ``backward(relevance, value, *sources)`` says.

    All arrays that ``backward`` reads must be among the sources (it gives None for constants), so that
    batching and loops may pass through.
    """

    @jax.custom_vjp
    def passed(value: Any, *sources: Any) -> Any:
        del sources
        return value

    passed.defvjp(
        lambda value, *sources: (value, (value, sources)),
        lambda kept, above: (None, *backward(above, kept[0], *kept[1])),
    )
    return passed(jax.lax.stop_gradient(value), *sources)


@dataclass(frozen=True, eq=False)
class Relevant:
    """A value that depends on the inputs.

    Attributes:
      array: the value; its derivative is relevance.
      origin: how it was made, where a later equation may need to know.
      ancestors: values of which this one is, element for element, a function; the oldest first.
      first: whether no layer of weights came before.
      renamed: makes the value again for a tap's name behind it.
    """

    array: Any
    origin: Any = None
    ancestors: tuple["Relevant", ...] = ()
    first: bool = False
    renamed: Callable[[str], "Relevant"] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the value."""
        return self.array.shape

    @property
    def dtype(self) -> Any:
        """Of the value."""
        return self.array.dtype

    @property
    def value(self) -> Any:
        """The value alone, without a derivative."""
        return jax.lax.stop_gradient(self.array)


# what leads to a value is forgotten where it enters a loop
jax.tree_util.register_pytree_node(Relevant, lambda r: ((r.array,), None), lambda _, kids: Relevant(*kids))


@dataclass(frozen=True, eq=False)
class Exponential:
    """``exp(exponent)``, perhaps times a constant."""

    exponent: Relevant


@dataclass(frozen=True, eq=False)
class Total:
    """A sum of the elements of ``parts``, each spread again over what it is the sum of.

    Attributes:
      parts: an `Exponential`.
      of: makes the sum from the value of the parts.
      log: whether it is the logarithm of the sum.
    """

    parts: Relevant
    of: Callable[[Any], Any]
    log: bool = False


@dataclass(frozen=True, eq=False)
class Peak:
    """The maximum of ``over``, which a softmax subtracts; it is frozen if its gradient is stopped."""

    over: Relevant
    frozen: bool = False


@dataclass(frozen=True, eq=False)
class Shifted:
    """``over`` less its maximum."""

    over: Relevant


@dataclass(frozen=True)
class Factor:
    """A normalising factor, such as 1 / standard deviation: a constant for LRP."""


@dataclass(frozen=True, eq=False)
class Affine:
    """``map(source) + bias``: a layer of weights and the constants behind it.

    Attributes:
      source: the layer's input.
      map: from it to the value.
      bias: the constants added since; None if there are none.
      place: which layer it is; None for constants that belong to no layer of weights.
      chosen: the rules.
      moved: whether elements have been moved since the layer, so that a bias may come in another shape.
    """

    source: Relevant
    map: LinearMap = IDENTITY
    bias: Any = None
    place: Place | None = None
    chosen: Chosen | None = field(default=None, repr=False)

    @property
    def rule(self) -> Rule:
        """That of the layer."""
        return Epsilon() if self.place is None or self.chosen is None else self.chosen(self.place)

    def valued(self, value: Any, *parents: Relevant) -> Relevant:
        """The value, with relevance from it to the layer's input."""
        ancestors = shared(parents, value.shape) if parents else ()
        again = None if self.place is None else lambda tap: self.tapped(tap).valued(value, *parents)
        first = self.source.first and self.place is None
        return Relevant(self._flow(value), self, ancestors, first, again)

    def _flow(self, value: Any) -> Any:
        if self.place is None and self.bias is None:  # a factor alone
            return flow(value, lambda above, _, x: (fitted(above, x),), self.source.array)
        run, bias = self.map.run, self.bias

        def backward(above: Any, z: Any, x: Any, held: Any, bias: Any, rule: Rule) -> tuple[Any, ...]:
            return rule(Layer(LinearMap(run, held), x, bias, z), above), None, None, None

        bias = jnp.zeros((), value.dtype) if bias is None else bias
        return flow(value, backward, self.source.array, self.map.held, bias, self.rule)

    def tapped(self, tap: str) -> "Affine":
        """The same with a tap behind it."""
        assert self.place is not None, "only layers have names"
        return replace(self, place=replace(self.place, taps=(*self.place.taps, tap)))

    def plus(self, bias: Any) -> "Affine":
        """With more added."""
        return replace(self, bias=bias if self.bias is None else self.bias + bias)

    def scaled(self, c: Any) -> "Affine":
        """With a factor behind it."""
        return replace(self, map=self.map.scaled(c), bias=None if self.bias is None else self.bias * c)

    def moved(self, move: Callable[[Any], Any], shape: tuple[int, ...]) -> "Affine":
        """With the elements moved; ``shape`` is that before."""
        bias = None if self.bias is None else move(jnp.broadcast_to(self.bias, shape))
        return replace(self, map=self.map.then(move), bias=bias)


def shared(parents: Iterable[Relevant], shape: tuple[int, ...]) -> tuple[Relevant, ...]:
    """The values of which a result of all parents is, element for element, a function."""
    lines = [(*p.ancestors, p) for p in parents]
    if any(p.shape != shape for line in lines for p in line[-1:]):
        return ()
    there = [a for a in lines[0] if all(any(a is b for b in line) for line in lines[1:])]
    return tuple(there)


def fitted(x: Any, like: Any) -> Any:
    """Summed over the axes along which ``like`` was spread."""
    if x.shape == like.shape:
        return x
    if not like.shape:
        return x.sum()
    axes = tuple(i for i, (a, b) in enumerate(zip(x.shape, like.shape, strict=True)) if a != b)
    return x.sum(axes, keepdims=True)
