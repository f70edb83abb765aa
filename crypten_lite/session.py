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
from crypten_lite.journal import Journal
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
      parties: two or more: how many, or their names.
      point: the fixed-point numbers.

    Attributes:
      name: of the role that this process plays; None where it plays all of them.
      names: of the parties, in order; a party is given by its name or by its place.
      inputs: of each party, by name: its trees of numbers, or of their shapes where it is not here.
      is_rehearsal: whether this is the run before the first round, which finds what a program will do.
      held: shares in this process.
      seeing: 1 where openings are seen, 0 in the dealer.
      dealing: 1 where masks are known in plain (dealer, simulation), 0 in a party.
      leads: ``[held]``, 1 for the party that adds public numbers to its shares, 0 for the others.
    """

    held: int
    seeing: int
    dealing: int
    leads: Any
    name: str | None = None
    is_rehearsal = False
    shows_numbers = True  # in messages

    def __init__(self, parties: int | Sequence[str], point: FixedPoint):
        """A session that has computed nothing yet."""
        self.names = party_names(parties)
        self.parties, self.point = len(self.names), point
        self.inputs: list[dict[str, Any]] = [{} for _ in self.names]
        self.meter, self.run, self.journal = Meter(), Kernels(), Journal()
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

    def share(self, tree: Any, *, owner: int | str = 0) -> Any:
        """Share each array of a tree between the parties.

        Args:
          tree: arrays, numbers and named tensors, which keep their names. Integers stay whole and booleans
            truths; others are rounded to the session's binary places. A list of numbers is a tree of them.
            Between real parties only the owner's numbers count: others may give `jax.ShapeDtypeStruct`.
          owner: the party whose they are.

        Returns:
          The tree, with a `SharedTensor` for each.

        Raises:
          TypeError: no real numbers.
          ValueError: NaN, infinity, a number beyond the range of the session, or no such party.
        """
        from crypten_lite import SharedTensor  # protocols make it, and they are made of sessions

        self.require_open()
        place = self.place(owner, "owner")

        def shared(path: Any, x: Any) -> SharedTensor:
            what = f"the value at {keystr(path)}" if path else "the value"
            return SharedTensor.shared(self, x, place, what)

        return jax.tree_util.tree_map_with_path(shared, tree, is_leaf=is_named)

    def input(self, name: str, *, owner: int | str) -> Any:
        """Share an input that a party brought along.

        Args:
          name: of the input.
          owner: the party that brought it.

        Returns:
          The `SharedTensor`, or a tree of them, as `share`.

        Raises:
          ValueError: no such party, or it brought no such input; as `share`.
        """
        place = self.place(owner, "owner")
        brought = self.inputs[place]
        if name not in brought:
            there = ", ".join(sorted(brought)) or "none"
            raise ValueError(f"{self.names[place]} brought no input {name!r}: it brought {there}.")
        self.journal.step("input", name, place)
        return self.share(brought[name], owner=place)

    def reveal(self, tree: Any, *, to: int | str | None = None) -> Any:
        """Reveal each shared tensor of a tree, as `SharedTensor.reveal` does, all of them in one round.

        Truths among numbers take a second round. What is not shared stays as it is.

        Args:
          tree: of shared tensors of this session.
          to: the party that learns the numbers; None: all parties.

        Raises:
          ValueError: no such party, the session is over, or a tensor of another one.
          OverflowError: a whole number that its dtype cannot hold.

        Example:
          >>> import crypten_lite as ct
          >>> with ct.simulate(parties=2) as session:
          ...     x = session.share([1.0, 2.0])
          ...     total = session.reveal({"sum": x[0] + x[1], "product": x[0] * x[1]})
          >>> float(total["sum"]), float(total["product"]), session.cost.by_layer["revealing"].rounds
          (3.0, 2.0, 1)
        """
        from crypten_lite import SharedTensor

        leaves, structure = jax.tree.flatten(tree, is_leaf=lambda x: isinstance(x, SharedTensor))
        shared = [x for x in leaves if isinstance(x, SharedTensor)]
        if any(x.session is not self for x in shared):
            raise ValueError("a tensor belongs to another session: reveal it there.")
        found = iter(SharedTensor.reveal_all(shared, to))
        return structure.unflatten([next(found) if isinstance(x, SharedTensor) else x for x in leaves])

    def place(self, party: int | str, what: str) -> int:
        """The place of a party among the parties, of its name or of itself.

        Raises:
          ValueError: no such party.
        """
        if isinstance(party, str) and party in self.names:
            return self.names.index(party)
        if isinstance(party, bool) or party not in range(self.parties):
            named = "" if self.names == party_names(self.parties) else f": {', '.join(self.names)}"
            everybody = "; None reveals to all of them" if what == "to" else ""
            raise ValueError(f"{what}={party!r}: the parties are 0 to {self.parties - 1}{named}{everybody}.")
        return int(party)

    def knows(self, owner: int) -> bool:
        """Whether the numbers of an owner are in this process."""
        return True

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
        self.journal.step("open", *(_facts(a.shape[1:], a.dtype) for a in arrays), xor, to)
        sent = sum(math.prod(a.shape[1:]) * a.dtype.itemsize for a in arrays)
        self.meter.spend(rounds=1, sent=sent * (self.parties - 1 if to is None else 1))
        return self._exchange(arrays, xor) if to is None else self._gather(arrays, xor, to)

    def mask(self, shape: Sequence[int], dtype: Any = None, *, xor: bool = False) -> Mask:
        """Fresh masks of the ring, or words of a dtype; from generators, so they cost nothing."""
        wide = self.ring.dtype if dtype is None else np.dtype(dtype)
        self.journal.step("mask", _facts(tuple(shape), wide), xor)
        return self._mask(tuple(shape), wide, xor)

    def deal(self, compute: Callable[[], Sequence[Any]], *specs: Spec, xor: bool = False) -> list[Any]:
        """Shares of what the dealer computes: all but one party draw theirs, one is sent the rest.

        Args:
          compute: gives plain arrays ``[dealing, *shape]``; called where the dealer is.
          specs: of these arrays.
          xor: shares by exclusive or, instead of a sum.
        """
        self.journal.step("deal", *(_facts(s.shape, s.dtype) for s in specs), xor)
        self.meter.spend(dealt=sum(s.size for s in specs))
        return self._deal(compute, specs, xor)

    def wrap(self, array: Any) -> Any:
        """An array modulo the ring, where its dtype is wider."""
        return array if array.dtype != self.ring.dtype else self.ring.wrap(array)

    def enter(self, elements: Any, owner: int) -> tuple[Any, Any, Any]:
        """An owner's input: ``[seeing], [held], [dealing]`` of what is opened, and of its mask.

        The owner sends its input plus a mask that it draws: the sharing is the opening. Its share of the mask
        is the mask, the others' are zero. Where the input is not `known <knows>`, only its shape counts.
        """
        self.journal.step("share", _facts(elements.shape, self.ring.dtype), owner)
        self.meter.share(elements.size * self.ring.dtype.itemsize * (self.parties - 1))
        return self._enter(elements, owner)

    @abc.abstractmethod
    def _enter(self, elements: Any, owner: int) -> tuple[Any, Any, Any]: ...

    @abc.abstractmethod
    def _exchange(self, arrays: Sequence[Any], xor: bool) -> list[Any]: ...

    @abc.abstractmethod
    def _gather(self, arrays: Sequence[Any], xor: bool, to: int) -> list[Any]: ...

    @abc.abstractmethod
    def _mask(self, shape: tuple[int, ...], dtype: Any, xor: bool) -> Mask: ...

    @abc.abstractmethod
    def _deal(self, compute: Callable[[], Sequence[Any]], specs: Sequence[Spec], xor: bool) -> list[Any]: ...


def party_names(parties: int | Sequence[str]) -> tuple[str, ...]:
    """The names of parties; of a number of them, names that tell their places."""
    names = tuple(map(str, range(parties))) if isinstance(parties, int) else tuple(parties)
    if len(names) < 2:
        raise ValueError(f"parties={parties!r}: a secret is shared between two or more.")
    if len(set(names)) < len(names) or not all(isinstance(n, str) and n for n in names):
        raise ValueError(f"parties={parties!r}: each party has a name of its own.")
    return names


def _facts(shape: tuple[int, ...], dtype: Any) -> tuple[str, tuple[int, ...]]:
    return np.dtype(dtype).str, shape
