"""How numbers leave a session: to all parties, or to one."""

from collections.abc import Sequence
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from crypten_lite.protocols.opening import revealed, revealed_bits
from crypten_lite.sharing import is_whole
from crypten_lite.values import Number, Secret, Truth


class Unrevealed(jax.ShapeDtypeStruct):
    """The place of numbers that were revealed to another party: their shape and dtype, and nothing else."""

    __array_ufunc__ = None

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(
            f"{self!r} was revealed to another party: there are no numbers of it here. What is computed with "
            "them is computed by the party that has them, after the program."
        )

    __array__ = __bool__ = __int__ = __float__ = __index__ = __complex__ = __iter__ = __getitem__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = __neg__ = __abs__ = __matmul__ = __rmatmul__ = _refuse

    def __repr__(self) -> str:
        return f"Unrevealed({np.dtype(self.dtype)}{list(self.shape)})"


def left(secrets: Sequence[Secret], to: int | str | None = None) -> list[Any]:
    """The arrays that secrets of one session stand for; all numbers in one round, and all truths in one.

    Args:
      secrets: numbers and truths.
      to: the party that learns them; all of them by default.

    Returns:
      A JAX array of each secret's dtype, or `Unrevealed` in a process that does not learn it.

    Raises:
      ValueError: no such party, or the session is over.
      OverflowError: a whole number that its dtype cannot hold.
    """
    session = secrets[0].session
    session.require_open()
    place = None if to is None else session.place(to, "to")
    for secret in secrets:
        session.journal.revealed(secret, place)
    numbers = [s for s in secrets if isinstance(s, Number)]
    truths = [s for s in secrets if isinstance(s, Truth)]
    found = [*revealed(numbers, place), *revealed_bits(truths, place)]
    parts = {id(s): p for s, p in zip([*numbers, *truths], found, strict=True)}
    return [_array(s, parts[id(s)]) for s in secrets]


def _array(secret: Secret, part: Any) -> Any:
    if not len(part):
        return Unrevealed(secret.shape, secret.dtype)
    # jnp.asarray would compile a program for each shape
    return jax.device_put(_decoded(secret, part[0]) if isinstance(secret, Number) else part[0].astype(bool))


def _decoded(number: Number, elements: Any) -> Any:
    point, dtype, places = number.session.point, number.dtype, number.scale
    if not is_whole(dtype):
        return point.decode(elements, dtype, fraction=places)
    integers = point.ring.signed(elements)
    if places:
        integers = (integers + np.int64(1 << (places - 1))) >> np.int64(places)  # to the nearest
    if dtype == np.bool_:
        return integers != 0
    _require_held(integers, dtype, number.session.shows_numbers)
    return integers.astype(dtype)


def _require_held(integers: Any, dtype: Any, shown: bool) -> None:
    held = jnp.iinfo(dtype)
    beyond = (integers < int(held.min)) | (integers > min(int(held.max), 2**63 - 1))
    if beyond.any():
        found = f"is {integers[beyond].flat[0]}, which {dtype} cannot hold" if shown else f"is beyond {dtype}"
        raise OverflowError(
            f"a revealed number {found}: in shares whole numbers do not wrap around. Compute with floats: "
            "x.astype('float32')."
        )
