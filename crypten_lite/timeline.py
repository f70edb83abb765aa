"""When a private function does what: its rounds and bytes in the order in which they come.

`Cost.by_layer` adds up what a layer takes, however often the program comes back to it. Here each visit is by
itself: a gradient goes through the layers forwards and then backwards.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from crypten_lite.cost import Cost, Meter, Part
from crypten_lite.estimate import Survey, survey
from crypten_lite.fixed_point import FixedPoint


@dataclass(frozen=True)
class Stretch:
    """What a program does from entering a layer to leaving it.

    Attributes:
      layer: the named scope, or the user's source line where there is none; as in `Cost.by_layer`.
      start: the rounds that are over when it begins.
      rounds: how often all parties wait for each other.
      bytes_per_party: what one party sends to the others.
      dealer_bytes: what the dealer sends for it, ahead of time.
    """

    layer: str
    start: int = 0
    rounds: int = 0
    bytes_per_party: int = 0
    dealer_bytes: int = 0

    def longer(self, rounds: int, sent: int, dealt: int) -> "Stretch":
        """The same, going on."""
        return replace(
            self,
            rounds=self.rounds + rounds,
            bytes_per_party=self.bytes_per_party + sent,
            dealer_bytes=self.dealer_bytes + dealt,
        )


class History(Meter):
    """A meter that remembers the order of what it counts: ``session.meter = History()``."""

    def __init__(self) -> None:
        """Nothing spent yet."""
        super().__init__()
        self._stretches: list[Stretch] = []

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """All that was counted, in order."""
        return tuple(self._stretches)

    def spend(self, *, rounds: int = 0, sent: int = 0, dealt: int = 0) -> None:
        super().spend(rounds=rounds, sent=sent, dealt=dealt)
        last = self._stretches[-1] if self._stretches else Stretch(self.place)
        if last.layer == self.place:
            self._stretches[-1:] = [last.longer(rounds, sent, dealt)]
        else:
            new = Stretch(self.place, last.start + last.rounds)
            self._stretches.append(new.longer(rounds, sent, dealt))


def timeline(
    fun: Callable[..., Any],
    *args: Any,
    public: Sequence[int] = (),
    parties: int = 2,
    point: FixedPoint | None = None,
    **kwargs: Any,
) -> tuple[Stretch, ...]:
    """The rounds and bytes of ``private(fun)(*args)`` and of revealing its results, in order, before it runs.

    Args:
      fun: any JAX function.
      args: its arguments; of shared ones only shapes and types count.
      public: the positions of the arguments that are not shared.
      parties: that share the others.
      point: the fixed-point numbers; as `simulate` has them by default.
      kwargs: public.

    Returns:
      A `Stretch` for each visit of a layer. Together they are what `estimate` counts.

    Raises:
      UnsupportedPrimitiveError: ``fun`` cannot run privately.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> import crypten_lite as ct
      >>> def model(w, x):
      ...     with jax.named_scope("dense"):
      ...         x = x @ w
      ...     with jax.named_scope("relu"):
      ...         return jax.nn.relu(x)
      >>> for s in ct.timeline(model, jnp.ones((784, 10)), jnp.ones((32, 784))):
      ...     print(s.layer, s.start, s.rounds, s.bytes_per_party)
      dense 0 0 0
      relu 0 4 4200
      revealing 4 1 2560
    """
    session = Survey(parties, point)
    session.meter = history = History()
    survey(session, fun, args, kwargs, public)
    return history.stretches


def network_seconds(cost: Cost | Stretch | Part, *, delay: float, bandwidth: float) -> float:
    """How long the messages of the parties take, at the least; computing comes on top.

    Each round waits once for the network, and the bytes of a party go out one after the other. What the
    dealer sends may come before: ``8 * cost.dealer_bytes / bandwidth`` seconds more where it does not.

    Args:
      cost: of a program or of a part of it.
      delay: of the network, one way, in seconds.
      bandwidth: of a party's connection, in bits a second.

    Raises:
      ValueError: a delay below zero, or a bandwidth that is not above it.

    Example:
      >>> import crypten_lite as ct
      >>> cost = ct.Cost(rounds=264, bytes_per_party=8_250_655)
      >>> round(network_seconds(cost, delay=0.01, bandwidth=100e6), 2)
      3.3
    """
    if not (delay >= 0 and bandwidth > 0):
        raise ValueError(
            f"delay={delay!r}, bandwidth={bandwidth!r}: give seconds of 0 or more, and bits a second above 0."
        )
    return cost.rounds * delay + 8 * cost.bytes_per_party / bandwidth
