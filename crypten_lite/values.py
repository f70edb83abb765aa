"""Secret values as protocols see them: numbers, and truths.

A number is held as shares that add up to it, or *opened* (`crypten_lite.openings`). One opening serves
everything: products, comparisons, truncation and tables. Linear operations act on the shares or on what is
open alike, so an opening survives them.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from crypten_lite._memory import aligned
from crypten_lite.openings import Half, Linear, Opening
from crypten_lite.session import Session


class Secret:
    """What rules act on: a value of a known shape and type that nobody sees.

    Attributes:
      session: it belongs to.
      shape: is public.
      dtype: of JAX, that it stands for.
    """

    session: Session
    shape: tuple[int, ...]
    dtype: Any

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def map(self, linear: Linear, shape: Sequence[int]) -> Any:
        """A structural operation on each component."""
        raise NotImplementedError


class Number(Secret):
    """A secret real number for each element: an integer of the ring over ``2 ** scale``.

    Attributes:
      known: results for this very number that later steps use again (comparisons, truncations), and what is
        public knowledge about it (its range).
      origin: the number that this one repeats or reorders, and how; None if it does neither.
      terms: numbers and linear functions of them that add up to this one, if opening them is cheaper.
    """

    def __init__(
        self,
        session: Session,
        shape: Sequence[int],
        dtype: Any,
        scale: int | None,
        *,
        shares: Any = None,
        opening: Opening | None = None,
        later: Callable[[], "Number"] | None = None,
        origin: "tuple[Number, Linear] | None" = None,
    ):
        """From shares, from an opening, or from what computes them once they are needed."""
        self.session, self.shape, self.dtype, self._scale = session, tuple(shape), np.dtype(dtype), scale
        self.known: dict[Any, Any] = {}
        self._shares, self._opening, self._later, self.origin = shares, opening, later, origin
        self.terms: tuple[tuple[Number, Linear], ...] = ()
        self._half: Half | Callable[[], Half] | None = None

    def settle(self) -> None:
        """Compute it now, if nothing has asked for it yet."""
        if self._later is not None:
            made, self._later = self._later(), None
            assert made.shape == self.shape, (made, self.shape)
            self._scale, self._shares, self._opening = made.scale, made._shares, made._opening
            self.origin = made.origin

    @property
    def scale(self) -> int:
        """Binary places. A product of two numbers has the sum of theirs until it is truncated."""
        self.settle()
        assert self._scale is not None
        return self._scale

    @property
    def is_lazy(self) -> bool:
        """Whether nothing has asked for it yet."""
        return self._later is not None

    @property
    def opening(self) -> Opening | None:
        """Where it or its origin was opened, its opening."""
        self.settle()
        if self._opening is None and self.origin is not None and self.origin[0].opening is not None:
            self._opening = self.origin[0].opening.map(self.origin[1])
        if self._opening is None and self.terms and all(n.opening is not None for n, _ in self.terms):
            self._opening = self._total([n.opening.map(f) for n, f in self.terms if n.opening is not None])
        return self._opening

    @opening.setter
    def opening(self, opening: Opening) -> None:
        self._opening = opening

    def _total(self, openings: "Sequence[Opening]") -> Opening:
        wrap = self.session.wrap
        parts = zip(*((o.public, o.masks, o.plain) for o in openings), strict=True)
        return Opening(*(wrap(functools.reduce(np.add, arrays)) for arrays in parts))

    @property
    def to_open(self) -> "list[Number]":
        """What must be opened for this number to be open: the fewest elements that do."""
        if self.opening is not None:
            return []
        inner = [n for term, _ in self.terms for n in term.to_open]
        return inner if inner and sum(n.size for n in inner) < self.size else [self.source]

    @property
    def half(self) -> Half | None:
        """Of a truncated number, its multiples and its sums with opened ones: how it is open."""
        self.settle()
        if callable(self._half):
            self._half = self._half()
        if self._half is None and self.origin is not None and (half := self.origin[0].half) is not None:
            self._half = half.map(self.origin[1])
        if self._half is None and self.terms:
            self._half = self._half_of_terms()
        return self._half

    @half.setter
    def half(self, make: Callable[[], Half]) -> None:
        self._half = make

    def _half_of_terms(self) -> Half | None:
        closed = [(n, f) for n, f in self.terms if n.opening is None]
        if len(closed) != 1 or (half := closed[0][0].half) is None:
            return None
        openings = [n.opening.map(f) for n, f in self.terms if n.opening is not None]
        return functools.reduce(Half.plus, openings, half.times(closed[0][1]))

    @property
    def to_multiply(self) -> "list[Number]":
        """What must be opened for elementwise products."""
        if self.opening is not None or self.half is not None:
            return []
        halves = [n for n, _ in self.terms if n.opening is None and n.half is not None]
        kept = max(halves, key=lambda n: n.source.size, default=None)
        others = [n for term, _ in self.terms if term is not kept for n in term.to_open]
        return others if kept is not None and sum(n.size for n in others) < self.size else self.to_open

    @property
    def shares(self) -> Any:
        """``[held, *shape]``."""
        self.settle()
        if self._shares is None:
            o, session = self._opening, self.session
            assert o is not None
            self._shares = session.wrap(session.lead(o.public) - o.masks)
        return self._shares

    def like(self, *, shares: Any = None, opening: Opening | None = None, **changes: Any) -> "Number":
        """Another number of this session; shape, dtype and scale are this one's unless they change."""
        new = {"shape": self.shape, "dtype": self.dtype, "scale": self.scale, **changes}
        return Number(self.session, shares=shares, opening=opening, **new)

    def later(self, shape: Sequence[int], compute: Callable[[], "Number"]) -> "Number":
        """Another number of this session, computed when it is needed; its cost belongs to this place."""
        meter, place = self.session.meter, self.session.meter.place

        def computed() -> Number:
            with meter.at(place):
                return compute()

        return Number(self.session, shape, self.dtype, None, later=computed)

    def map(self, linear: Linear, shape: Sequence[int]) -> "Number":
        """A linear function of it, opened if this is."""
        wrap, opening = self.session.wrap, self.opening
        if opening is not None:
            return self.like(opening=opening.map(lambda a: wrap(linear(a))), shape=shape)
        return self.like(shares=wrap(linear(self.shares)), shape=shape)

    def moved(self, linear: Linear, shape: Sequence[int]) -> "Number":
        """Its elements in other places, each once or more often, or not at all.

        What is opened or computed for the origin holds for this one: a row that is repeated is opened once.
        """
        result = self.map(linear, shape)
        result.origin = self, linear
        return result

    def lie(self, order: Sequence[int]) -> None:
        """Hold the parts of an opened number in another order in memory, once; nothing else changes."""
        if self.opening is None or "lies" in self.known:
            return
        places = (0, *(d + 1 for d in order))

        def laid(a: Any) -> Any:
            copy = aligned(tuple(a.shape[d] for d in places), a.dtype)
            copy[...] = a.transpose(places)
            return copy.transpose(np.argsort(places))

        shares = self.shares
        self._opening, self._shares = self.opening.map(laid), laid(shares)
        self.known["lies"] = True

    @property
    def source(self) -> "Number":
        """The furthest origin that has no more elements."""
        self.settle()  # what is computed later learns only then where it comes from
        if self.origin is None or self.origin[0].size > self.size:
            return self
        return self.origin[0].source

    def from_source(self, result: Any) -> Any:
        """What was computed for the elements of its source, in its own places."""
        if self.source is self:
            return result
        assert self.origin is not None
        before, linear = self.origin
        inner = before.from_source(result)
        return (inner.moved if isinstance(inner, Number) else inner.map)(linear, self.shape)

    def at(self, scale: int) -> "Number":
        """The same number with more binary places, exactly."""
        if scale == self.scale:
            return self
        if scale < self.scale:
            raise AssertionError("fewer places need a truncation")
        factor = self.session.ring.dtype.type(1 << (scale - self.scale))
        result = self._elementwise(lambda a: a * factor)
        result._scale = scale
        return result

    def tagged(self, **changes: Any) -> "Number":
        """The same shares as another number (of another scale or dtype)."""
        self.settle()
        return self.like(shares=self._shares, opening=self.opening, **changes)

    def typed(self, dtype: Any) -> "Number":
        """The same number of another dtype; not computed before it is needed."""
        if self.dtype == np.dtype(dtype):
            return self
        result = Number(self.session, self.shape, dtype, None, later=lambda: self)
        result.known = dict(self.known)
        return result

    def plus_public(self, elements: Any) -> "Number":
        """The sum with public ring elements ``[*shape]``."""
        session, opening = self.session, self.opening
        public = np.broadcast_to(elements, (session.seeing, *self.shape))
        if opening is not None:
            return self.like(opening=replace(opening, public=session.wrap(opening.public + public)))
        first = session.leads.reshape(-1, *(1,) * self.ndim) * elements
        return self.like(shares=session.wrap(self.shares + first))

    def plus(self, other: "Number") -> "Number":
        """The sum of two numbers of one shape and scale; opened if both are."""
        wrap, a, b = self.session.wrap, self.opening, other.opening
        if a is not None and b is not None:
            return self.like(opening=self._total([a, b]))
        result = self.like(shares=wrap(self.shares + other.shares))
        result._keep_terms((self, _as_it_is), (other, _as_it_is))
        return result

    def minus(self, other: "Number") -> "Number":
        """The difference of two numbers of one shape and scale."""
        return self.plus(other.negative())

    def negative(self) -> "Number":
        """The number with the other sign."""
        return self._elementwise(np.negative)

    def _elementwise(self, linear: Linear) -> "Number":
        result = self.map(linear, self.shape)
        if self.opening is None:
            result._keep_terms((self, linear))
        return result

    def _keep_terms(self, *terms: "tuple[Number, Linear]") -> None:
        """Remember what it is made of, if that saves an opening; otherwise that may be forgotten."""
        cheap = 2 * sum(n.size for term, _ in terms for n in term.to_open) <= self.size
        if cheap or any(term.half is not None for term, _ in terms):
            self.terms = terms

    def __repr__(self) -> str:
        return f"Number({self.dtype}{list(self.shape)}, scale={self.scale})"


@dataclass(frozen=True, eq=False, repr=False)
class Truth(Secret):
    """A secret bit for each element: ``public xor plain``, where the dealer alone knows ``plain``.

    Attributes:
      public: ``[seeing, *shape]`` of zeros and ones.
      plain: ``[dealing, *shape]``.
    """

    session: Session
    shape: tuple[int, ...]
    public: Any
    plain: Any
    known: dict[Any, Any] = field(default_factory=dict)
    dtype: Any = field(default_factory=lambda: np.dtype(bool))

    def map(self, linear: Linear, shape: Sequence[int]) -> "Truth":
        return Truth(self.session, tuple(shape), linear(self.public), linear(self.plain))

    def joined(self, others: Sequence["Truth"], combine: Callable[..., Any], shape: Sequence[int]) -> "Truth":
        """A structural operation on several truths."""
        parts = zip(*((t.public, t.plain) for t in (self, *others)), strict=True)
        return Truth(self.session, tuple(shape), *(combine(*arrays) for arrays in parts))

    def __repr__(self) -> str:
        return f"Truth({list(self.shape)})"

    def negative(self) -> "Truth":
        """Its opposite."""
        return Truth(self.session, self.shape, self.public ^ np.uint8(1), self.plain)

    def differs(self, other: "Truth") -> "Truth":
        """Where one of two holds and the other does not; costs nothing."""
        return Truth(self.session, self.shape, self.public ^ other.public, self.plain ^ other.plain)


def _as_it_is(array: Any) -> Any:
    return array


def flat(array: Any) -> Any:
    """``[role, *shape] -> [role, size]``, where the first axis may be empty."""
    return array.reshape(array.shape[0], math.prod(array.shape[1:]))
