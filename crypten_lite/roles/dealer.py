"""The dealer: it runs the same program without a number, and writes what parties need of the masks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from crypten_lite.fixed_point import FixedPoint
from crypten_lite.prg import Generator
from crypten_lite.session import Mask, Session, Spec


class Sink(Protocol):
    """Where material for the last party goes."""

    def write(self, data: memoryview) -> object:
        """Append bytes."""
        ...


class Dealer(Session):
    """The session of the dealer, which holds no share and sees no opening.

    It draws what each party draws, so it knows all masks, and sends the last party the rest of what is dealt.

    Args:
      names: of the parties.
      point: the fixed-point numbers.
      generators: of the parties, with the keys that they have.
      sink: where material goes.
      name: of the dealer.
    """

    def __init__(
        self,
        names: Sequence[str],
        point: FixedPoint,
        generators: Mapping[str, Generator],
        sink: Sink,
        name: str = "dealer",
    ):
        """Before the first step."""
        super().__init__(names, point)
        self.held, self.seeing, self.dealing = 0, 0, 1
        self.name = name
        self.leads = np.zeros(0, self.ring.dtype)
        self._generators = [generators[n] for n in self.names]
        self._sink = sink

    def knows(self, owner: int) -> bool:
        return False

    def _enter(self, elements: Any, owner: int) -> tuple[Any, Any, Any]:
        shape, dtype = elements.shape, self.ring.dtype
        nothing = np.empty((0, *shape), dtype)
        return nothing, nothing, self._draw(owner, shape, dtype, xor=False)

    def _exchange(self, arrays: Sequence[Any], xor: bool) -> list[Any]:
        return [np.empty((0, *a.shape[1:]), a.dtype) for a in arrays]

    def _gather(self, arrays: Sequence[Any], xor: bool, to: int) -> list[Any]:
        return self._exchange(arrays, xor)

    def _mask(self, shape: tuple[int, ...], dtype: Any, xor: bool) -> Mask:
        return Mask(np.empty((0, *shape), dtype), self._drawn(self.parties, shape, dtype, xor))

    def _deal(self, compute: Callable[[], Sequence[Any]], specs: Sequence[Spec], xor: bool) -> list[Any]:
        for plain, spec in zip(compute(), specs, strict=True):
            self._write(plain, spec, xor)
        return [np.empty((0, *s.shape), s.dtype) for s in specs]

    def _write(self, plain: Any, spec: Spec, xor: bool) -> None:
        if plain.shape[1:] != spec.shape or plain.dtype != spec.dtype:
            raise AssertionError(f"the dealer made {plain.dtype}{plain.shape[1:]} where {spec} was announced")
        drawn = self._drawn(self.parties - 1, spec.shape, np.dtype(spec.dtype), xor)
        rest = np.ascontiguousarray(plain ^ drawn if xor else self.wrap(plain - drawn))
        self._sink.write(rest.reshape(-1).view(np.uint8).data)

    def _drawn(self, parties: int, shape: tuple[int, ...], dtype: Any, xor: bool) -> Any:
        """What the first so many parties draw, together."""
        total = self._draw(0, shape, dtype, xor)
        for party in range(1, parties):
            other = self._draw(party, shape, dtype, xor)
            total = total ^ other if xor else self.wrap(total + other)
        return total

    def _draw(self, party: int, shape: tuple[int, ...], dtype: Any, xor: bool) -> Any:
        drawn = self._generators[party].draw((1, *shape), dtype)
        return drawn if xor else self.wrap(drawn)
