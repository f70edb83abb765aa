"""What a private function will cost, before anything runs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from crypten_lite.cost import Cost
from crypten_lite.fixed_point import FixedPoint
from crypten_lite.private import private
from crypten_lite.session import Mask, Session, Spec
from crypten_lite.tensor import SharedTensor


class Survey(Session):
    """The session of a role that holds nothing, sees nothing and deals nothing: it only counts.

    All of its arrays have an empty first axis, so the program runs through without computing anything.
    """

    def __init__(self, parties: int | Sequence[str] = 2, point: FixedPoint | None = None):
        """A session that counts."""
        super().__init__(parties, point or FixedPoint())
        self.held = self.seeing = self.dealing = 0
        self.leads = np.zeros(0, self.ring.dtype)

    def knows(self, owner: int) -> bool:
        return False

    def _enter(self, elements: Any, owner: int) -> tuple[Any, Any, Any]:
        return (self._nothing(elements.shape, self.ring.dtype),) * 3

    def _exchange(self, arrays: Sequence[Any], xor: bool) -> list[Any]:
        return [self._nothing(a.shape[1:], a.dtype) for a in arrays]

    def _gather(self, arrays: Sequence[Any], xor: bool, to: int) -> list[Any]:
        return self._exchange(arrays, xor)

    def _mask(self, shape: tuple[int, ...], dtype: Any, xor: bool) -> Mask:
        nothing = self._nothing(shape, dtype)
        return Mask(nothing, nothing)

    def _deal(self, compute: Callable[[], Sequence[Any]], specs: Sequence[Spec], xor: bool) -> list[Any]:
        return [self._nothing(s.shape, s.dtype) for s in specs]

    def _nothing(self, shape: tuple[int, ...], dtype: Any) -> Any:
        return np.empty((0, *shape), dtype)


def estimate(
    fun: Callable[..., Any],
    *args: Any,
    public: Sequence[int] = (),
    parties: int = 2,
    point: FixedPoint | None = None,
    **kwargs: Any,
) -> Cost:
    """The cost of ``private(fun)(*args)`` and of revealing its results together, before it runs.

    Args:
      fun: any JAX function.
      args: its arguments; of shared ones only shapes and types count, so `jax.ShapeDtypeStruct` will do.
      public: the positions of the arguments that are not shared.
      parties: that share the others.
      point: the fixed-point numbers; as `simulate` has them by default.
      kwargs: public.

    Returns:
      Rounds, bytes and dealer bytes, by layer: exactly what a run counts. A tensor that was compared or
      truncated in an earlier run is not again.

    Raises:
      UnsupportedPrimitiveError: ``fun`` cannot run privately.

    Example:
      >>> import jax.numpy as jnp
      >>> import crypten_lite as ct
      >>> x, w = jnp.ones((32, 784)), jnp.ones((784, 10))
      >>> cost = ct.estimate(lambda x, w: jnp.maximum(x @ w, 0), x, w)
      >>> cost.rounds, cost.bytes_per_party
      (5, 6760)
    """
    session = Survey(parties, point)
    survey(session, fun, args, kwargs, public)
    return session.cost


def survey(
    session: Survey,
    fun: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    public: Sequence[int],
) -> None:
    """Let a session that counts see all of ``private(fun)(*args)``, and the results revealed."""
    given = [a if i in public else _placed(session, a) for i, a in enumerate(args)]
    session.reveal(private(fun)(*given, **kwargs))


def _placed(session: Session, tree: Any) -> Any:
    """A tree whose arrays are shared, in shape alone."""
    tree = jax.tree.map(lambda x: x.carrier if isinstance(x, SharedTensor) else x, tree)
    return session.share(
        jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype) if hasattr(x, "dtype") else x, tree)
    )
