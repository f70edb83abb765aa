"""How exact a private function is: its results against the plain ones, for each number of binary places.

Few places round, and many leave no room for large numbers, which come out wrong. Between the two is a range
that only the function and its inputs decide.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from crypten_lite.fixed_point import FixedPoint
from crypten_lite.journal import Stopped, Watched
from crypten_lite.private import private
from crypten_lite.roles.simulation import simulate

FRACTIONS = tuple(range(4, 30, 2))


@dataclass(frozen=True)
class Exactness:
    """A private run, compared with the plain one.

    Attributes:
      fraction: binary places.
      error: the largest difference of a number in the results; infinite where there are none.
      mean: the difference of a number on average; infinite where there are none.
      plain: the results of the plain function.
      results: what was revealed; None where the numbers do not fit.
      failure: why there are no results, if so.
    """

    fraction: int
    error: float
    mean: float
    plain: Any
    results: Any = None
    failure: str | None = None


def error_by_fraction(
    fun: Callable[..., Any],
    *args: Any,
    fractions: Sequence[int] = FRACTIONS,
    public: Sequence[int] = (),
    parties: int = 2,
    cancel: threading.Event | None = None,
    **kwargs: Any,
) -> Iterator[Exactness]:
    """Run ``private(fun)(*args)`` in simulations with fewer and more binary places.

    Args:
      fun: any JAX function.
      args: its arguments, with their numbers.
      fractions: binary places, 0 to 30.
      public: the positions of the arguments that are not shared.
      parties: that share the others.
      cancel: set to end it in the middle of a run; the runs before it stand.
      kwargs: public.

    Yields:
      An `Exactness` for each of ``fractions``, in that order, as soon as it is there. A number that has no
      place in the ring when it is shared or revealed ends that run alone, and is its ``failure``. One that
      grows too large on the way makes the results wrong, and ``error`` large.

    Raises:
      ValueError: no such binary places or parties, or plain results that are not finite.
      UnsupportedPrimitiveError: ``fun`` cannot run privately.

    Example:
      >>> import jax.numpy as jnp
      >>> for found in error_by_fraction(jnp.tanh, jnp.linspace(-3, 3, 7), fractions=(4, 10, 16)):
      ...     print(found.fraction, found.error < 2.0 ** (4 - found.fraction))
      4 True
      10 True
      16 True
    """
    for fraction in fractions:
        FixedPoint(fraction)  # says at once which of them is wrong
    plain = fun(*args, **kwargs)
    if not np.isfinite(_numbers(plain)).all():
        raise ValueError(
            "the plain function returns NaN or infinity for these arguments: there is no error to measure."
        )
    watch = Watched(cancel or threading.Event())
    return _all(lambda f: _compared(fun, args, kwargs, plain, f, public, parties, watch), fractions)


def _all(run: Callable[[int], Exactness], fractions: Sequence[int]) -> Iterator[Exactness]:
    for fraction in fractions:
        try:
            found = run(fraction)
        except Stopped:
            return
        yield found


def _compared(
    fun: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    plain: Any,
    fraction: int,
    public: Sequence[int],
    parties: int,
    watch: Watched,
) -> Exactness:
    with simulate(parties, fraction=fraction) as session:
        session.journal = watch
        try:
            given = [a if i in public else session.share(a) for i, a in enumerate(args)]
        except ValueError as error:  # a number that has no place in so small a range
            return Exactness(fraction, np.inf, np.inf, plain, failure=str(error))
        computed = private(fun)(*given, **kwargs)
        try:
            results = session.reveal(computed)
        except OverflowError as error:
            return Exactness(fraction, np.inf, np.inf, plain, failure=str(error))
    differences = np.abs(_numbers(results) - _numbers(plain))
    if not differences.size:
        return Exactness(fraction, 0.0, 0.0, plain, results)
    return Exactness(fraction, float(differences.max()), float(differences.mean()), plain, results)


def _numbers(tree: Any) -> np.ndarray:
    """All numbers of a tree, one after the other."""
    leaves = [np.asarray(leaf, np.float64).ravel() for leaf in jax.tree.leaves(tree)]
    return np.concatenate(leaves) if leaves else np.zeros(0)
