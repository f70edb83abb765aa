"""Rule S, margins: more positions at the ends of dims."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from namedtensor._dims import Dims, dims, require
from namedtensor._errors import BadPattern, SizeMismatch, Unsupported, describe
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._static import whole
from namedtensor.ops._table import method, public

_MODES = (
    "constant", "edge", "empty", "linear_ramp", "maximum", "mean", "median", "minimum", "reflect",
    "symmetric", "wrap",
)  # fmt: skip
_OPTION_OF = {  # what jax.numpy.pad takes with a mode
    **dict.fromkeys(("maximum", "mean", "median", "minimum"), "stat_length"),
    **dict.fromkeys(("reflect", "symmetric"), "reflect_type"),
    "linear_ramp": "end_values",
}
_OF_NOTHING = ("constant", "empty")  # modes that need no values


def _rule(
    names: tuple[Dims, ...], over: Dims, widths: tuple, mode: str, options: tuple[tuple[str, Any], ...]
) -> Body:
    there, value = names
    by_name = dict(zip(require(there, over), widths, strict=True))
    pads = [by_name.get(d, (0, 0)) for d in there]
    if value:
        raise Unsupported(
            f"the value has the dims '{value}', and it is one number.",
            "Join the tensors instead: nt.concat([x, y], 'seq').",
        )

    def pad(array, value):
        _check_value(array, dict(options).get("end_values", value))
        if array.size == 0 and mode not in _OF_NOTHING:
            return _nothing(array, there, pads, mode)
        filled = {"constant_values": value} if mode == "constant" else {}
        return jnp.pad(array, pads, mode, **filled, **dict(options))

    return Body(pad, there)


def _check_value(array: Any, value: Any) -> None:
    if jnp.result_type(array, value) != array.dtype:
        raise Unsupported(
            f"the value {describe(value)} is no {array.dtype}.", "Convert first: x.astype(float)."
        )


def _nothing(array: Any, there: Dims, pads: list[tuple[int, int]], mode: str) -> Any:
    """No elements, padded to no elements; a dim without positions cannot grow."""
    for dim, size, ends in zip(there, array.shape, pads, strict=True):
        if size == 0 and any(ends):
            raise SizeMismatch(f"{dim!r} is 0, and mode={mode!r} needs values.", "Use mode='constant'.")
    return jnp.zeros([n + sum(ends) for n, ends in zip(array.shape, pads, strict=True)], array.dtype)


def _parse(widths: Any, mode: str, options: dict[str, Any]) -> tuple:
    if not isinstance(widths, Mapping):
        raise BadPattern(
            f"{widths!r} does not say which dims.", "Write x.pad({'height': 2, 'width': (1, 0)})."
        )
    if mode not in _MODES:
        raise BadPattern(f"mode={mode!r} is not known.", f"Write one of {', '.join(_MODES)}.")
    given = {k: v for k, v in options.items() if v is not None}
    for option in given:
        if _OPTION_OF.get(mode) != option:
            raise BadPattern(f"{option} has no meaning with mode={mode!r}.")
    for option in given:
        given[option] = _READ[option](given[option])
    return dims(list(widths)), tuple(map(_both_ends, widths.values())), mode, tuple(given.items())


def _both_ends(width: Any) -> tuple[int, int]:
    ends = width if isinstance(width, list | tuple) else (width, width)
    if len(ends) != 2:
        raise BadPattern(f"{width!r} is not a width.", "Give a number, or (before, after).")
    return whole(ends[0], "a width", least=0), whole(ends[1], "a width", least=0)


def _reflect_type(value: Any) -> str:
    if value not in ("even", "odd"):
        raise BadPattern(f"reflect_type={value!r} is not known.", "Write 'even' or 'odd'.")
    return value


def _end_value(value: Any) -> Any:
    if isinstance(value, Tracer) or not isinstance(value, bool | int | float | complex | np.number):
        raise Unsupported(f"the value {describe(value)} is no number that is known.", "Write value=0.5.")
    return value


_READ = {
    "stat_length": lambda value: whole(value, "stat_length", least=1),
    "reflect_type": _reflect_type,
    "end_values": _end_value,
}
_pad = Operation("pad", _rule, ("widths", "mode"), _parse)


@method
def pad(
    x: NamedTensor,
    widths: Mapping[str, int | tuple[int, int]],
    *,
    value: Any = None,
    mode: str = "constant",
    stat_length: int | None = None,
    reflect_type: str | None = None,
) -> NamedTensor:
    """Add positions at the ends of dims, with the values of `jax.numpy.pad`.

    Args:
      x: a tensor.
      widths: dim -> how many positions on both sides, or ``(before, after)``.
      value: the number of mode ``"constant"``, and the last one of ``"linear_ramp"``; 0 by default.
      mode: ``constant``, ``edge``, ``empty``, ``linear_ramp``, ``maximum``, ``mean``, ``median``,
        ``minimum``, ``reflect``, ``symmetric`` or ``wrap``.
      stat_length: how many positions the statistics of ``maximum`` ... are of; all by default.
      reflect_type: ``"even"`` or ``"odd"``, of ``reflect`` and ``symmetric``.

    Raises:
      UnknownDim: a dim that ``x`` lacks.
      BadPattern: a width below 0, or a mode that is not known.

    Example:
      >>> import namedtensor as nt
      >>> nt.tensor([1, 2], "seq").pad({"seq": (1, 2)}).array
      Array([0, 1, 2, 0, 0], dtype=int32)
    """
    zero = False  # it takes every dtype, as a 0 does not
    options = {"stat_length": stat_length, "reflect_type": reflect_type}
    number = zero if value is None else value
    if mode == "linear_ramp":  # JAX wants this one to be known
        return run(_pad, (x, zero), (widths, mode, options | {"end_values": number}))
    return run(_pad, (x, number), (widths, mode, options))


__all__ = public(globals())
