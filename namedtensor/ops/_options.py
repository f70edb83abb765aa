"""Keyword options of a table line: ``round = unary("round", jnp.round, decimals=0)``.

The default of an option says what may be given for it:

- a float, or `TENSOR` (nothing by default): a number or a tensor that joins in the computation by
  name. It may be traced and learned, and a new number compiles nothing.
- a type: a number of this type, which must be given.
- anything else: a constant of the plan, of the type of the default (None: JAX decides).

``None`` always stands for the default.
"""

import inspect
import numbers
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from namedtensor._errors import BadPattern, describe
from namedtensor.ops._static import whole

TENSOR = object()


_NO_POSITIONS = {  # what users of positional libraries write
    **dict.fromkeys(("axis", "axes", "dim"), ": axes have names here, write over='embed'"),
    **dict.fromkeys(("keepdims", "keepdim"), ": it is never needed, x - x.mean('embed') lines up by name"),
}
_KINDS = {
    bool: (bool | np.bool_, "True or False"),
    int: (numbers.Real, "a number that is known before tracing"),
}


def _joins(default: Any) -> bool:
    return default is TENSOR or type(default) is float


class Options:
    """The options of one operation.

    Attributes:
      constants: the names of those that select a plan.
      required: whether one must be given.
      none: the static arguments of a call that gives no option.
    """

    def __init__(self, name: str, declared: Mapping[str, Any]):
        self.name, self.declared = name, declared
        self.constants = tuple(k for k, default in declared.items() if not _joins(default))
        self.required = any(isinstance(default, type) for default in declared.values())
        self.none: tuple[Any, ...] = (*(None for _ in self.constants), ()) if declared else ()

    def split(self, given: dict[str, Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Static arguments (the constants, and which options join), and the operands that join."""
        for k in given:
            if k not in self.declared:
                advice = _NO_POSITIONS.get(k, "")
                raise TypeError(f"{self.name}() got an unexpected keyword argument {k!r}{advice}")
        joining = tuple(k for k, v in given.items() if _joins(self.declared[k]) and v is not None)
        static = (*(given.get(k) for k in self.constants), joining)
        return static, tuple(given[k] for k in joining)

    def checked(self, *static: Any) -> tuple[Any, ...]:
        """The static arguments, once each is found to be of its kind."""
        checked = list(static)
        for i, k in enumerate(self.constants):
            if static[i] is not None or self.required:
                checked[i] = _checked(k, static[i], self.declared[k])
        return tuple(checked)

    def bound(
        self, positional: Callable[..., Any], operands: int, static: tuple[Any, ...]
    ) -> Callable[..., Any]:
        """``positional`` of so many operands and then of the options that join, with the rest filled in."""
        *constants, joining = static or [()]
        given = {k: v for k, v in zip(self.constants, constants, strict=True) if v is not None}
        defaults = {k: v for k, v in self.declared.items() if v is not TENSOR and k not in joining}
        fixed = {k: v for k, v in {**defaults, **given}.items() if v is not None}

        def call(*arrays: Any, **more: Any) -> Any:
            named = dict(zip(joining, arrays[operands:], strict=True))
            return positional(*arrays[:operands], **more, **fixed, **named)

        return call

    def parameters(self) -> list[inspect.Parameter]:
        """What the signature of the operation shows."""
        shown = {k: None if v is TENSOR else v for k, v in self.declared.items()}
        defaults = {k: inspect.Parameter.empty if isinstance(v, type) else v for k, v in shown.items()}
        return [inspect.Parameter(k, inspect.Parameter.KEYWORD_ONLY, default=v) for k, v in defaults.items()]


def _checked(name: str, value: Any, default: Any) -> Any:
    """``value``, which must be hashable and of the type of the default."""
    if isinstance(default, type):
        if value is None:
            raise BadPattern(f"{name} is not given.", f"Write {name}=2.")
        return whole(value, name, least=0)
    if value is None:
        return None
    kind, meant = _KINDS.get(type(default), (object, ""))
    if not isinstance(value, kind):
        raise BadPattern(f"{name}={_shown(value)} is not {meant}.", f"Write {name}={default!r}, say.")
    try:
        hash(value)
    except TypeError:
        raise BadPattern(
            f"{name}={_shown(value)} is no constant.", "It must be known before tracing."
        ) from None
    return value


def _shown(value: Any) -> str:
    return describe(value) if hasattr(value, "shape") else repr(value)
