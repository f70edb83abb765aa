"""The session: what a protocol may do, whichever role this process plays.

One code runs in three roles. The first axis of an array of shares runs over the parties that this process
holds: all of them in a simulation, one in a real party, none in the dealer. What is public after an opening
has a first axis of one where it is known and of none where it is not (the dealer), and so have the plain
masks, which the dealer alone knows (and a simulation, which holds the dealer too). So no protocol asks
for its role: NumPy's arithmetic on an empty first axis computes nothing.
"""

import abc
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import jax
import numpy as np
from jax.tree_util import keystr

from crypten_lite import scope
from crypten_lite.cost import Cost, Meter
from crypten_lite.fixed_point import FixedPoint
from crypten_lite.kernels import Kernels
from crypten_lite.ring import Ring
from namedtensor._tensor import is_named


@dataclass(frozen=True, repr=False)  # a secret must not get into a log
class Mask:
    """A secret random array that nobody knows but the dealer.

    Attributes:
      shares: ``[held, *shape]``.
      plain: ``[dealing, *shape]``.
    """

    shares: Any
    plain: Any


@dataclass(frozen=True)
class Spec:
    """The shape and the dtype of what the dealer deals."""

    shape: tuple[int, ...]
    dtype: Any

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class Session(abc.ABC):
    """One computation between parties: the numbers that it speaks, and the three ways to get at shares.

    Args:
      parties: two or more.
      point: the fixed-point numbers.

    Attributes:
      held: shares in this process.
      seeing: 1 where openings are seen, 0 in the dealer.
      dealing: 1 where masks are known in plain (dealer, simulation), 0 in a party.
      leads: ``[held]``, 1 for the party that adds public numbers to its shares, 0 for the others.
    """

    held: int
    seeing: int
    dealing: int
    leads: Any

    def __init__(self, parties: int, point: FixedPoint):
        """A session that has computed nothing yet."""
        if parties < 2:
            raise ValueError(f"parties={parties}: a secret is shared between two or more.")
        self.parties, self.point = parties, point
        self.meter, self.run = Meter(), Kernels()
        self.is_open = True
        self.memo: dict[Any, Any] = {}  # results of the private function that runs

    @property
    def ring(self) -> Ring:
        """The ring of the shares."""
        return self.point.ring

    @property
    def cost(self) -> Cost:
        """What has run so far; revealing counts, sharing is apart."""
        return self.meter.cost

    def share(self, tree: Any, *, owner: int = 0) -> Any:
        """Share each array of a tree between the parties.

        Args:
          tree: arrays, numbers and named tensors, which keep their names. Integers stay whole and booleans
            truths; others are rounded to the session's binary places. A list of numbers is a tree of them.
          owner: the party whose they are.

        Returns:
          The tree, with a `SharedTensor` for each.

        Raises:
          TypeError: no real numbers.
          ValueError: NaN, infinity, a number beyond the range of the session, or no such party.
        """
        from crypten_lite import SharedTensor  # protocols make it, and they are made of sessions

        self.require_open()
        if isinstance(owner, bool) or owner not in range(self.parties):
            raise ValueError(f"owner={owner!r}: the parties are 0 to {self.parties - 1}.")

        def shared(path: Any, x: Any) -> SharedTensor:
            what = f"the value at {keystr(path)}" if path else "the value"
            return SharedTensor.shared(self, x, owner, what)

        return jax.tree_util.tree_map_with_path(shared, tree, is_leaf=is_named)

    def __enter__(self) -> Self:
        self.require_open()
        scope.enter(self)
        return self

    def __exit__(self, *_: object) -> None:
        scope.leave(self)
        self.is_open = False

    def require_open(self) -> None:
        """Raise if the session is over.

        Raises:
          ValueError: it is: its masks are not used again.
        """
        if not self.is_open:
            raise ValueError("the session is over, and so are its shares: reveal what you need inside of it.")

    def lead(self, array: Any) -> Any:
        """A public array ``[seeing, *shape]`` as shares: the first party's."""
        return array * self.leads.reshape(self.held, *(1,) * (array.ndim - 1))

    def open(self, arrays: Sequence[Any], *, xor: bool = False, to: int | None = None) -> list[Any]:
        """One round: what all shares make together, ``[held, *shape] -> [seeing, *shape]`` each.

        What is opened must be masked: a party learns what this returns, and nothing besides.

        Args:
          arrays: of shares.
          xor: shares by exclusive or, instead of a sum.
          to: the one party that learns it; the others send it their shares and see ``[0, *shape]``.
        """
        sent = sum(math.prod(a.shape[1:]) * a.dtype.itemsize for a in arrays)
        self.meter.spend(rounds=1, sent=sent * (self.parties - 1 if to is None else 1))
        return self._exchange(arrays, xor) if to is None else self._gather(arrays, xor, to)

    def mask(self, shape: Sequence[int], dtype: Any = None, *, xor: bool = False) -> Mask:
        """Fresh masks of the ring, or words of a dtype; from generators, so they cost nothing."""
        return self._mask(tuple(shape), self.ring.dtype if dtype is None else np.dtype(dtype), xor)

    def deal(self, compute: Callable[[], Sequence[Any]], *specs: Spec, xor: bool = False) -> list[Any]:
        """Shares of what the dealer computes: all but one party draw theirs, one is sent the rest.

        Args:
          compute: gives plain arrays ``[dealing, *shape]``; called where the dealer is.
          specs: of these arrays.
          xor: shares by exclusive or, instead of a sum.
        """
        self.meter.spend(dealt=sum(s.size for s in specs))
        return self._deal(compute, specs, xor)

    def wrap(self, array: Any) -> Any:
        """An array modulo the ring, where its dtype is wider."""
        return array if array.dtype != self.ring.dtype else self.ring.wrap(array)

    @abc.abstractmethod
    def enter(self, elements: Any, owner: int) -> tuple[Any, Any, Any]:
        """An owner's input: ``[seeing], [held], [dealing]`` of what is opened, and of its mask.

        The owner sends its input plus a mask that it draws: the sharing is the opening. Its share of the mask
        is the mask, the others' are zero.
        """

    @abc.abstractmethod
    def _exchange(self, arrays: Sequence[Any], xor: bool) -> list[Any]: ...

    @abc.abstractmethod
    def _gather(self, arrays: Sequence[Any], xor: bool, to: int) -> list[Any]: ...

    @abc.abstractmethod
    def _mask(self, shape: tuple[int, ...], dtype: Any, xor: bool) -> Mask: ...

    @abc.abstractmethod
    def _deal(self, compute: Callable[[], Sequence[Any]], specs: Sequence[Spec], xor: bool) -> list[Any]: ...
