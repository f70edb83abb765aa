"""How numbers leave a session: to all parties, or to one."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from crypten_lite.protocols.opening import revealed, revealed_bits
from crypten_lite.sharing import is_whole
from crypten_lite.values import Number, Secret, Truth


def left(secret: Secret, to: int | None = None) -> Any:
    """The array that a secret stands for.

    Args:
      secret: a number or a truth.
      to: the party that learns it; all of them by default.

    Returns:
      A JAX array of the secret's dtype, or a `jax.ShapeDtypeStruct` in a process that does not learn it.

    Raises:
      ValueError: no such party, or the session is over.
      OverflowError: a whole number that its dtype cannot hold.
    """
    session = secret.session
    session.require_open()
    if to is not None and (isinstance(to, bool) or to not in range(session.parties)):
        raise ValueError(
            f"to={to!r}: the parties are 0 to {session.parties - 1}; None reveals to all of them."
        )
    found = revealed_bits(secret, to) if isinstance(secret, Truth) else revealed(_number(secret), to)
    if not len(found):
        return jax.ShapeDtypeStruct(secret.shape, secret.dtype)
    # jnp.asarray would compile a program for each shape
    return jax.device_put(
        found[0].astype(bool) if isinstance(secret, Truth) else _decoded(_number(secret), found[0])
    )


def _number(secret: Secret) -> Number:
    assert isinstance(secret, Number)
    return secret


def _decoded(number: Number, elements: Any) -> Any:
    point, dtype, places = number.session.point, number.dtype, number.scale
    if not is_whole(dtype):
        return point.decode(elements, dtype, fraction=places)
    integers = point.ring.signed(elements)
    if places:
        integers = (integers + np.int64(1 << (places - 1))) >> np.int64(places)  # to the nearest
    if dtype == np.bool_:
        return integers != 0
    _require_held(integers, dtype)
    return integers.astype(dtype)


def _require_held(integers: Any, dtype: Any) -> None:
    held = jnp.iinfo(dtype)
    beyond = (integers < int(held.min)) | (integers > min(int(held.max), 2**63 - 1))
    if beyond.any():
        raise OverflowError(
            f"a revealed number is {integers[beyond].flat[0]}, which {dtype} cannot hold: in shares whole "
            "numbers do not wrap around. Compute with floats: x.astype('float32')."
        )
