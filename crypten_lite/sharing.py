"""How an owner's numbers enter a session."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from crypten_lite.session import Session
from crypten_lite.values import Number, Opening, Truth


def entered(session: Session, values: Any, owner: int, what: str = "the value") -> Number | Truth:
    """A number of the owner's, open under a mask of the owner's: it may be computed with at once.

    Whole numbers have no binary places, others those of the session; truths are ones and zeros. The owner
    sends what is opened to each other party, once.

    Args:
      session: to enter.
      values: an array of real numbers, or of truths.
      owner: the party that knows them.
      what: they are, in messages.

    Raises:
      TypeError: no real numbers.
      ValueError: NaN, infinity, or a number beyond the range.
    """
    elements, dtype = _known(session, values, what) if session.knows(owner) else _shape(values, what)
    opening = Opening(*session.enter(elements, owner))
    scale = 0 if is_whole(dtype) else session.point.fraction
    number = Number(session, elements.shape, dtype, scale, opening=opening)
    secret = _truth(number) if dtype == np.bool_ else number
    session.journal.made(secret)
    return secret


def _known(session: Session, values: Any, what: str) -> tuple[Any, np.dtype]:
    try:
        return _elements(session, values, what)
    except ValueError:
        if session.shows_numbers:
            raise
        raise ValueError(
            f"{what} has numbers that cannot be shared: NaN, infinity, or {session.point.limit:g} and more. "
            "They are secret, so this message does not show them."
        ) from None


def _elements(session: Session, values: Any, what: str) -> tuple[Any, np.dtype]:
    """Ring elements of numbers, and the dtype that they have in JAX."""
    if isinstance(values, jax.ShapeDtypeStruct):
        raise TypeError(f"{what} is a shape without numbers: its owner gives the numbers.")
    array, dtype = _array(values, what)
    elements = session.point.encode(array, what)  # which refuses what has no place in the ring
    if is_whole(dtype):
        _require_held(array, dtype, what)
        elements = session.ring.of(array.astype(np.int64))
    return elements, dtype


def _shape(values: Any, what: str) -> tuple[Any, np.dtype]:
    """The same of numbers that are elsewhere: only shape and dtype count."""
    if not isinstance(values, jax.ShapeDtypeStruct):
        array, dtype = _array(values, what)
        return np.broadcast_to(np.uint8(0), array.shape), dtype
    if not (is_whole(values.dtype) or jnp.issubdtype(values.dtype, jnp.floating)):
        raise TypeError(f"{what} is of {values.dtype}: only real numbers can be shared.")
    dtype = np.dtype(jax.dtypes.canonicalize_dtype(values.dtype))
    return np.broadcast_to(np.uint8(0), values.shape), dtype


def is_whole(dtype: Any) -> bool:
    """Whether numbers of a dtype are integers or truths; those of JAX count too, such as int4."""
    return dtype == np.bool_ or bool(jnp.issubdtype(dtype, jnp.integer))


def _array(values: Any, what: str) -> tuple[Any, np.dtype]:
    """An array as NumPy's, and the dtype that it has in JAX."""
    if isinstance(values, Tracer):
        raise TypeError(
            f"{what} is being traced: share it outside of jax.jit, jax.grad and private functions, which see "
            "no numbers."
        )
    if isinstance(values, jax.Array) and jnp.issubdtype(values.dtype, jax.dtypes.prng_key):
        raise TypeError(
            f"{what} is a random key: only real numbers can be shared. Keys are public arguments."
        )
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError(f"{what} is a masked array: fill it, x.filled(0), and share the mask beside it.")
    array = np.asarray(values)
    if array.dtype == object and isinstance(values, int):
        raise ValueError(f"{what} is {values}, beyond the range of 64 bits.")
    if array.dtype == object:
        kind = type(array.flat[0] if isinstance(values, np.ndarray) and array.size else values).__name__
        raise TypeError(f"{what} is of type {kind}: only arrays of real numbers can be shared.")
    try:
        return array, np.dtype(jax.dtypes.canonicalize_dtype(array.dtype))
    except TypeError:
        raise TypeError(f"{what} is of {array.dtype}: only real numbers can be shared.") from None


def _require_held(array: Any, dtype: np.dtype, what: str) -> None:
    """Whole numbers must fit the dtype that JAX has for theirs: int32 for int64, unless it has 64 bits."""
    if dtype == array.dtype or not array.size:
        return
    held = jnp.iinfo(dtype)
    if array.min() < held.min or array.max() > held.max:
        raise ValueError(
            f"{what} is of {array.dtype} and has numbers from {array.min()} to {array.max()}, which JAX's "
            f"{dtype} cannot hold. Share floats, or set jax_enable_x64."
        )


def _truth(number: Number) -> Truth:
    """Ones and zeros as truths: the last bits of what is open and of its mask, by exclusive or."""
    opening, one = number.opening, number.session.ring.dtype.type(1)
    assert opening is not None
    public, plain = ((part & one).astype(np.uint8) for part in (opening.public, opening.plain))
    return Truth(number.session, number.shape, public, plain, known={"number": number})
