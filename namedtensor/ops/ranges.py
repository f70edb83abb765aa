"""Rule F, along one dim: numbers in steps, and windows. The dim comes first, then what JAX takes."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from namedtensor._dims import Dims, check_name, require_new, union
from namedtensor._errors import BadPattern, Unsupported, describe, showing
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._align import align
from namedtensor.ops._static import whole
from namedtensor.ops._table import named_function, public


def _known(value: Any, what: str) -> Any:
    """``value``, a number that is known: the size of a range depends on it."""
    plain = isinstance(value, bool | int | float | np.number) or getattr(value, "ndim", 1) == 0
    if isinstance(value, Tracer | NamedTensor) or not plain or not np.isfinite(value):
        raise Unsupported(
            f"{what} is {describe(value)}, and the size of a range must be known.",
            "For a start that is not, write start + nt.arange('pos', 8).",
        )
    return value


def arange(dim: str, start: Any, stop: Any = None, step: Any = None, *, dtype: Any = None) -> NamedTensor:
    """Numbers in steps along the one dim ``dim``, of `jax.numpy.arange`.

    Args:
      dim: its name.
      start: the first number; the size, when ``stop`` is left out.
      stop: what the numbers stay below.
      step: their distance, 1 by default.
      dtype: that of the numbers by default.

    Raises:
      Unsupported: a number that is traced, or that is none.

    Example:
      >>> import namedtensor as nt
      >>> nt.arange("pos", 4).array
      Array([0, 1, 2, 3], dtype=int32)
      >>> nt.arange("pos", 2, 10, 4).array
      Array([2, 6], dtype=int32)
      >>> (nt.arange("row", 2) * nt.arange("col", 3)).shape  # names make the grid
      Shape(row:2 col:3)
    """
    with showing(f"nt.arange({dim!r})"):
        names = Dims([check_name(dim)])
        given = {"start": start, "stop": stop, "step": step}
        start, stop, step = (None if v is None else _known(v, k) for k, v in given.items())
        if step == 0:
            raise BadPattern("the step is 0.", "Leave it out for 1.")
        if start is None:
            raise BadPattern("there is no size.", f"Write nt.arange({dim!r}, 8).")
    return NamedTensor(jnp.arange(start, stop, step, dtype=dtype), names)


def _spaced(name: str, positional: Callable[..., Any], what: str) -> Callable[..., NamedTensor]:
    def rule(names: tuple[Dims, ...], dim: str, num: int, endpoint: bool, options: tuple) -> Body:
        target = union(*names)
        require_new(target, dim)

        def space(*ends):
            first, last = (align(jnp.asarray(e), d, target) for e, d in zip(ends, names, strict=True))
            return positional(first, last, num, endpoint=endpoint, axis=-1, **dict(options))

        return Body(space, Dims([*target, dim]))

    def parse(dim: str, num: Any, endpoint: Any, options: dict[str, Any]) -> tuple:
        given = tuple((k, v if k == "dtype" else _known(v, k)) for k, v in options.items() if v is not None)
        return check_name(dim), whole(num, "num", least=0), bool(endpoint), given

    operation = Operation(name, rule, ("dim", "num"), parse)

    def call(
        dim: str, start: Any, stop: Any, num: int, *, endpoint: bool = True, dtype: Any = None, **options: Any
    ) -> NamedTensor:
        return run(operation, (start, stop), (dim, num, endpoint, {"dtype": dtype, **options}))

    rule_text = f"""{what} from ``start`` to ``stop`` along the new dim ``dim``.

    Args:
      dim: its name.
      start: the first number, or a tensor of them.
      stop: the last number, or a tensor of them.
      num: how many numbers.
      endpoint: whether ``stop`` is one of them.
      dtype: a floating dtype by default.

    Returns:
      The names of ``start`` and ``stop``, and ``dim``.

    Raises:
      DuplicateDim: ``start`` or ``stop`` has ``dim``.

    Example:
      >>> import namedtensor as nt
      >>> nt.{name}("t", 1.0, 16.0, 5).shape
      Shape(t:5)"""
    return named_function(call, name, rule_text)


def _logspace(start: Any, stop: Any, num: int, *, base: float = 10.0, **options: Any) -> Any:
    return jnp.logspace(start, stop, num, base=base, **options)


def _geomspace(*args: Any, **options: Any) -> Any:
    with jax.numpy_rank_promotion("allow"):  # JAX's own function relies on it
        return jnp.geomspace(*args, **options)


geomspace = _spaced("geomspace", _geomspace, "Numbers of one ratio,")
linspace = _spaced("linspace", jnp.linspace, "Numbers of one distance,")
logspace = _spaced("logspace", _logspace, "Powers of ``base`` (10 by default) of one ratio, with exponents")


def _window(name: str, positional: Callable[..., Any]) -> Callable[..., NamedTensor]:
    def call(dim: str, size: int) -> NamedTensor:
        with showing(f"nt.{name}({dim!r}, {size!r})"):
            names, length = Dims([check_name(dim)]), whole(size, "size", least=0)
        return NamedTensor(positional(length), names)

    rule = f"""The window of ``size`` positions along the one dim ``dim``.

    Example:
      >>> import namedtensor as nt
      >>> nt.{name}("t", 5).shape
      Shape(t:5)"""
    return named_function(call, name, rule)


bartlett = _window("bartlett", jnp.bartlett)
blackman = _window("blackman", jnp.blackman)
hamming = _window("hamming", jnp.hamming)
hanning = _window("hanning", jnp.hanning)


def kaiser(dim: str, size: int, beta: float) -> NamedTensor:
    """The Kaiser window of ``size`` positions along the one dim ``dim``; ``beta`` is its shape.

    Example:
      >>> import namedtensor as nt
      >>> nt.kaiser("t", 5, 14.0).shape
      Shape(t:5)
    """
    with showing(f"nt.kaiser({dim!r}, {size!r}, {beta!r})"):
        names, length = Dims([check_name(dim)]), whole(size, "size", least=0)
        if getattr(beta, "ndim", 0):
            raise Unsupported(f"beta is {describe(beta)}, not a number.")
    return NamedTensor(jnp.kaiser(length, beta), names)


__all__ = public(globals())
