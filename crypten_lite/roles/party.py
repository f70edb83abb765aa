"""One party: it holds one share of everything, and meets the others in openings."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from crypten_lite._memory import aligned
from crypten_lite.fixed_point import FixedPoint
from crypten_lite.prg import Generator
from crypten_lite.session import Mask, Session, Spec
from crypten_lite.transport.channel import Kind
from crypten_lite.transport.mesh import Mesh


class Material(Protocol):
    """What the dealer computed for this party, in the order of its use."""

    def readinto(self, target: memoryview) -> None:
        """Fill ``target`` with the bytes that come next."""
        ...


class Party(Session):
    """The session of one party.

    Args:
      place: of this party among the parties.
      names: of the parties.
      point: the fixed-point numbers.
      mesh: the connections to the other parties.
      generator: with a key that the dealer has too, so masks need no message.
      material: what the dealer computed; the last party's, the others have none.
    """

    shows_numbers = False  # a message may end in a log

    def __init__(
        self,
        place: int,
        names: Sequence[str],
        point: FixedPoint,
        mesh: Mesh,
        generator: Generator,
        material: Material | None,
    ):
        """Before the first step."""
        super().__init__(names, point)
        self.held, self.seeing, self.dealing = 1, 1, 0
        self.name, self._place = self.names[place], place
        self.leads = np.array([place == 0], self.ring.dtype)
        self._others = [n for n in self.names if n != self.name]
        self._mesh, self._generator, self._material = mesh, generator, material

    def knows(self, owner: int) -> bool:
        return owner == self._place

    def _enter(self, elements: Any, owner: int) -> tuple[Any, Any, Any]:
        shape, dtype = elements.shape, self.ring.dtype
        nothing = np.empty((0, *shape), dtype)
        if owner == self._place:
            mask = self._draw((1, *shape), dtype, xor=False)
            public = np.ascontiguousarray(self.wrap(elements[None] + mask))
            self._mesh.broadcast(Kind.INPUT, [public], self._others)
            return public, mask, nothing
        public = np.empty((1, *shape), dtype)
        self._mesh.channels[self.names[owner]].receive(Kind.INPUT, [public])
        return self.wrap(public), np.zeros((1, *shape), dtype), nothing

    def _exchange(self, arrays: Sequence[Any], xor: bool) -> list[Any]:
        sent = [np.ascontiguousarray(a) for a in arrays]
        received = {name: [np.empty_like(a) for a in sent] for name in self._others}
        self._mesh.exchange(Kind.OPENING, sent, received)
        return self._together(sent, list(received.values()), xor)

    def _gather(self, arrays: Sequence[Any], xor: bool, to: int) -> list[Any]:
        sent = [np.ascontiguousarray(a) for a in arrays]
        if to != self._place:
            self._mesh.broadcast(Kind.RESULT, sent, [self.names[to]])
            return [np.empty((0, *a.shape[1:]), a.dtype) for a in sent]
        received = {name: [np.empty_like(a) for a in sent] for name in self._others}
        for name, parts in received.items():
            self._mesh.channels[name].receive(Kind.RESULT, parts)
        return self._together(sent, list(received.values()), xor)

    def _mask(self, shape: tuple[int, ...], dtype: Any, xor: bool) -> Mask:
        return Mask(self._draw((1, *shape), dtype, xor), np.empty((0, *shape), dtype))

    def _deal(self, compute: Callable[[], Sequence[Any]], specs: Sequence[Spec], xor: bool) -> list[Any]:
        return [self._dealt((1, *s.shape), np.dtype(s.dtype), xor) for s in specs]

    def _dealt(self, shape: tuple[int, ...], dtype: np.dtype, xor: bool) -> Any:
        if self._material is None:
            return self._draw(shape, dtype, xor)
        share = aligned(shape, dtype)
        self._material.readinto(share.reshape(-1).view(np.uint8).data)
        return share if xor else self.wrap(share)

    def _draw(self, shape: tuple[int, ...], dtype: Any, xor: bool) -> Any:
        drawn = self._generator.draw(shape, dtype)
        return drawn if xor else self.wrap(drawn)

    def _together(self, own: list[Any], others: list[list[Any]], xor: bool) -> list[Any]:
        """Sums of shares; what came from a peer is taken modulo the ring, whatever it is."""
        for parts in others:
            own = [a ^ b if xor else a + b for a, b in zip(own, parts, strict=True)]
        return own if xor else [self.wrap(a) for a in own]
