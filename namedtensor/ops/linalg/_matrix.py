"""How a function of matrices becomes a named operation: two dims in order are the rows and the columns.

All other dims are batch dims. Where the dims of a result come from is written as a pattern of roles:
``"row new, new, new col"`` is the singular value decomposition.
"""

import functools
import numbers
from collections.abc import Callable, Hashable
from typing import Any

import jax.numpy as jnp
import numpy as np

from namedtensor._dims import Dims, Spec, check_name, require, require_new, without
from namedtensor._errors import BadPattern, SizeMismatch, Unsupported
from namedtensor._plan import Body, Operation
from namedtensor.ops._align import align
from namedtensor.ops._static import pair


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool | np.bool):
        raise BadPattern(f"{name}={value!r} is neither True nor False.", f"Write {name}=True.")
    return bool(value)


def _tolerance(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if not isinstance(value, numbers.Real):
        raise BadPattern(f"{name}={value!r} is no number.", f"Write {name}=1e-5, known before tracing.")
    return float(value)


def plain(name: str, value: Any) -> Hashable:
    """``value``, which selects a plan and so must be a number or a word, no array."""
    try:
        hash(value)
    except TypeError:
        raise BadPattern(
            f"{name}={value!r} is neither a number nor a word.", "It must be known before tracing."
        ) from None
    return value


_CHECKS = {
    "new": lambda name, value: check_name(value),
    **dict.fromkeys(("rtol", "rcond"), _tolerance),
    **dict.fromkeys(("hermitian", "lower", "symmetrize_input", "unit_diagonal", "upper"), _flag),
}


def check_square(array: Any, names: Dims) -> None:
    """The last two axes, named ``names``, must have one size."""
    rows, columns = array.shape[-2:]
    if rows != columns:
        raise SizeMismatch(
            f"{names[0]!r} is {rows}, {names[1]!r} is {columns}: the matrix is not square.",
            "Name the two dims of a square matrix; nt.linalg.pinv, lstsq, svd and qr take any.",
        )


def check_precision(dtype: Any) -> None:
    """Factorisations need 32 bits at least."""
    if dtype in (jnp.float16, jnp.bfloat16):
        raise Unsupported(
            f"the values are {dtype}, and matrices are factorised in 32 bits or more.",
            "Convert them: x.astype('float32').",
        )


def settings(options: tuple[str, ...]) -> Callable[..., tuple[Hashable, ...]]:
    """How the static arguments become a key: the pair, and each option."""

    def parse(over: Spec, *given: Any) -> tuple[Hashable, ...]:
        named = zip(options, given, strict=True)
        return pair(over), *[_CHECKS.get(k, plain)(k, v) for k, v in named]

    return parse


def matrix(
    name: str,
    positional: Callable[..., Any],
    results: str,
    options: tuple[str, ...] = (),
    *,
    square: bool = False,
    factorised: bool = True,
) -> Operation:
    """The operation of a function of ``[... row col]``.

    Args:
      name: as in ``nt.linalg``.
      positional: the function of an array, with ``options`` as keywords (``new`` aside).
      results: the roles of each result after the batch dims, ``"row new, new, new col"``.
      options: its static arguments, in the order in which `run` gets them.
      square: whether it takes square matrices alone.
      factorised: whether it factorises the matrix, which half precision does not allow.
    """
    patterns = [part.split() for part in results.split(",")]

    def rule(names: tuple[Dims, ...], over: Dims, *given: Hashable) -> Body:
        (there,) = names
        order = Dims([*without(there, require(there, over)), *over])
        keywords = dict(zip(options, given, strict=True))
        roles = {"row": over[0], "col": over[1], "new": keywords.pop("new", None)}
        call = functools.partial(positional, **keywords)

        def run_on(array):
            moved = align(array, there, order)
            if square:
                check_square(moved, over)
            if factorised:
                check_precision(moved.dtype)
            return call(moved)

        named = _results(without(there, over), patterns, roles)
        return Body(run_on, named[0] if len(named) == 1 else named)

    return Operation(f"linalg.{name}", rule, ("over", *options), settings(options))


def _results(batch: Dims, patterns: list[list[str]], roles: dict[str, Any]) -> tuple[Dims, ...]:
    kept = [*batch, *{roles[role] for pattern in patterns for role in pattern if role != "new"}]
    if roles["new"] is not None:
        require_new(kept, roles["new"])
    return tuple(Dims([*batch, *[roles[role] for role in pattern]]) for pattern in patterns)
