"""All parties and the dealer in this process: to experiment, not to hide."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from crypten_lite.fixed_point import FixedPoint
from crypten_lite.prg import Generator
from crypten_lite.session import Mask, Session, Spec


class Simulation(Session):
    """A session whose shares are all held here.

    It computes what real parties compute, message for message, and counts what they would send. It hides
    nothing: whoever holds this process holds every share.
    """

    def __init__(self, parties: int | Sequence[str] = 2, point: FixedPoint | None = None):
        """Parties with generators of their own, keyed by the operating system."""
        super().__init__(parties, point or FixedPoint())
        self.held, self.seeing, self.dealing = self.parties, 1, 1
        self.leads = np.array([1] + [0] * (self.parties - 1), self.ring.dtype)
        self._generators = [Generator.fresh() for _ in self.names]

    def _enter(self, elements: Any, owner: int) -> tuple[Any, Any, Any]:
        mask = self._draw(owner, elements.shape, self.ring.dtype, xor=False)
        shares = np.zeros((self.parties, *elements.shape), self.ring.dtype)
        shares[owner] = mask
        return self.wrap(elements + mask)[None], shares, mask[None]

    def _exchange(self, arrays: Sequence[Any], xor: bool) -> list[Any]:
        return [self._together(a, xor) for a in arrays]

    def _gather(self, arrays: Sequence[Any], xor: bool, to: int) -> list[Any]:
        return self._exchange(arrays, xor)

    def _mask(self, shape: tuple[int, ...], dtype: Any, xor: bool) -> Mask:
        shares = self._drawn(self.parties, shape, dtype, xor)
        return Mask(shares, self._together(shares, xor))

    def _deal(self, compute: Callable[[], Sequence[Any]], specs: Sequence[Spec], xor: bool) -> list[Any]:
        return [self._split(plain, spec, xor) for plain, spec in zip(compute(), specs, strict=True)]

    def _split(self, plain: Any, spec: Spec, xor: bool) -> Any:
        if plain.shape[1:] != spec.shape or plain.dtype != spec.dtype:
            raise AssertionError(f"the dealer made {plain.dtype}{plain.shape[1:]} where {spec} was announced")
        shares = self._drawn(self.parties - 1, spec.shape, np.dtype(spec.dtype), xor, rest=1)
        drawn = self._together(shares[:-1], xor)
        shares[-1:] = plain ^ drawn if xor else self.wrap(plain - drawn)
        return shares

    def _drawn(self, parties: int, shape: tuple[int, ...], dtype: Any, xor: bool, rest: int = 0) -> Any:
        shares = np.empty((parties + rest, *shape), dtype)
        for party in range(parties):
            shares[party] = self._draw(party, shape, dtype, xor)
        return shares

    def _draw(self, party: int, shape: tuple[int, ...], dtype: Any, xor: bool) -> Any:
        drawn = self._generators[party].draw(shape, dtype)
        return drawn if xor else self.wrap(drawn)

    def _together(self, shares: Any, xor: bool) -> Any:
        if xor:
            return np.bitwise_xor.reduce(shares, axis=0, keepdims=True)
        return self.wrap(np.add.reduce(shares, axis=0, keepdims=True, dtype=shares.dtype))


def simulate(
    parties: int | Sequence[str] = 2,
    *,
    fraction: int = 16,
    inputs: Mapping[str, Mapping[str, Any]] | None = None,
) -> Simulation:
    """A session with all parties and the dealer in this process: for experiments. It is NOT private.

    Args:
      parties: two or more: how many, or their names.
      fraction: binary places of the numbers. Results are off by some ``2 ** -fraction``; numbers stay below
        ``2 ** (62 - 2 * fraction)``, about 1e9 for 16.
      inputs: what each party brings along, by its name, for `Session.input`: so that a program written for
        real parties (`launch`) runs here too.

    Raises:
      ValueError: one party, an input of nobody's, or so many places that no number is left.

    Example:
      >>> import jax.numpy as jnp
      >>> import crypten_lite as ct
      >>> with ct.simulate(parties=2) as session:
      ...     x = session.share(jnp.array([0.5, -1.25]))
      ...     print((x * x).reveal())
      [0.25   1.5625]
    """
    session = Simulation(parties, FixedPoint(fraction))
    for name, brought in (inputs or {}).items():
        session.inputs[session.place(name, "inputs of")] = dict(brought)
    return session
