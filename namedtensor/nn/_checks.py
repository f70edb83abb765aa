"""Checks that the functions here share: what cannot be meant is refused with the line to write instead."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from namedtensor._dims import Dims, Spec, dims
from namedtensor._errors import BadPattern, UnknownDim, Unsupported, describe, near_miss, short_dtype


def some(value: Spec, what: str = "over") -> Dims:
    """The `Dims` of one or more names."""
    found = dims(value)
    if not found:
        raise BadPattern(f"{what}={value!r} names no dim.", f"Name one or more: {what}='embed'.")
    return found


def needs(who: str, there: Dims, wanted: Iterable[str], advice: str = "") -> None:
    """The operand ``who`` must have all of ``wanted``."""
    for name in wanted:
        if name not in there:
            listed = f"its dims are '{there}'" if there else "it has none (it is a scalar)"
            raise UnknownDim(f"{who} has no dim {name!r}: {listed}.", near_miss(name, there) or advice)


def shown(value: Any) -> str:
    """A setting as it stands in a message: numbers and texts as written, arrays by their shape."""
    return describe(value) if hasattr(value, "shape") else repr(value)


def number(
    value: Any, what: str, domain: str = "[0, inf)", accepts: Callable[[float], bool] | None = None
) -> float:
    """A Python number in its domain, which may be a key of the plan cache."""
    if isinstance(value, bool | np.bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise BadPattern(f"{what}={shown(value)} is not a number.", f"Give a Python number in {domain}.")
    fits = value >= 0 and math.isfinite(value) if accepts is None else accepts(float(value))
    if not fits:
        raise BadPattern(f"{what}={value!r} is outside {domain}.", f"Give a number in {domain}.")
    return float(value)


def mapping(value: Any, what: str, example: str) -> Mapping[str, Any]:
    """A mapping by name with at least one entry."""
    if not isinstance(value, Mapping) or not value:
        raise BadPattern(f"{what}={shown(value)} does not say which dims.", f"Write {what}={example}.")
    return value


def require_floating(who: str, array: Any) -> None:
    """``array`` (or a dtype) must hold real numbers with a fraction."""
    dtype = jnp.result_type(array)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise Unsupported(
            f"{who} is {short_dtype(dtype)}, and this needs floating numbers.", "Write x.astype('float32')."
        )


def require_real(who: str, array: Any) -> None:
    """Integers and floating numbers are taken, complex ones would lose a part."""
    dtype = jnp.result_type(array)
    if jnp.issubdtype(dtype, jnp.complexfloating):
        raise Unsupported(
            f"{who} is {short_dtype(dtype)}, and this needs real numbers.", "Take its real part."
        )


def widened(dtype: Any) -> Any:
    """The dtype in which half precision is summed: float32, or wider if it is wider already."""
    return jnp.promote_types(dtype, jnp.float32)


def flag(value: Any, what: str) -> bool:
    """True or False, and nothing that only counts as one of them."""
    if not isinstance(value, bool):
        raise BadPattern(f"{what}={shown(value)} is not a bool.", "Write True or False.")
    return value
