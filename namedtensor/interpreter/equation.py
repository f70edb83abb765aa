"""One equation of a jaxpr, as a rule sees it."""

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax

from namedtensor.interpreter import compat

if TYPE_CHECKING:
    from namedtensor.interpreter.frame import Frame

_TRANSFORM = re.compile(r"\w+\(([^()]*)\)")  # vmap(jvp(encoder)) is the scope encoder
_PACKAGE = Path(__file__).parents[1]
_NOWHERE = "a place that JAX did not record"
_NOT_THE_USERS = (
    str(Path(jax.__file__).parent),
    *(str(_PACKAGE / part) for part in ("interpreter", "ops", "nn", "transforms", "sharding.py", "_plan.py")),
    *(str(_PACKAGE / "interop" / part) for part in ("_artifact.py", "exported.py")),
    *(str(_PACKAGE.parent / sibling) for sibling in ("captum_lite", "crypten_lite")),
)


def scope(eqn: Any) -> str:
    """The `jax.named_scope` path of an equation, without the transformations that it went through."""
    text = str(eqn.source_info.name_stack)
    while text != (text := _TRANSFORM.sub(r"\1", text)):
        pass
    return "/".join(part for part in text.split("/") if part)


class Equation:
    """What a rule may know of its equation.

    Attributes:
      primitive: the primitive's name, ``"dot_general"``.
      params: its parameters.
      path: the named scopes that it stands in, ``"encoder/attention"``.
      outer: the call or loop whose body it stands in, or None.
      frame: what travels beside the values: taps recorded and values fed.
      walk: ``walk(jaxpr, *values)`` applies the same table to an inner jaxpr.
    """

    __slots__ = ("_eqn", "frame", "outer", "params", "path", "primitive", "walk")

    def __init__(self, eqn: Any, outer: "Equation | None", frame: "Frame", walk: Callable[..., list[Any]]):
        """Made by the walker, never by users."""
        self._eqn, self.outer, self.frame, self.walk = eqn, outer, frame, walk
        self.primitive, self.params = eqn.primitive.name, eqn.params
        self.path = "/".join(part for part in (outer.path if outer else "", scope(eqn)) if part)

    @property
    def scope(self) -> str:
        """The named scopes of the equation itself, without those of the calls around it."""
        return scope(self._eqn)

    @property
    def several(self) -> bool:
        """Whether the primitive returns a sequence."""
        return self._eqn.primitive.multiple_results

    @property
    def inputs(self) -> list[Any]:
        """Abstract values (shape and dtype) of the operands."""
        return [v.aval for v in self._eqn.invars]

    @property
    def outputs(self) -> list[Any]:
        """Abstract values (shape and dtype) of the results."""
        return [v.aval for v in self._eqn.outvars]

    @property
    def source(self) -> str:
        """Where the user's code made the equation: ``model.py:41 (forward)``."""
        for frame in self._frames():
            if not frame.file_name.startswith(_NOT_THE_USERS):
                function = frame.function_name.rpartition(".")[2]
                return f"{Path(frame.file_name).name}:{frame.line_num} ({function})"
        # JAX traces its own jitted functions once, for whoever calls them first: the caller says where
        return _NOWHERE if self.outer is None else self.outer.source

    @property
    def place(self) -> str:
        """The source and the scopes, for messages."""
        if self.path and self.source == _NOWHERE:
            return self.path
        return f"{self.source}, in {self.path}" if self.path else self.source

    def _frames(self) -> Iterator[Any]:
        traceback = self._eqn.source_info.traceback
        return iter(traceback.frames if traceback else ())

    def bind(self, *values: Any) -> Any:
        """Evaluate the equation as it is on these arrays."""
        return compat.bind(self._eqn, values)

    def within(self) -> contextlib.AbstractContextManager[Any]:
        """The scope of the equation, for what takes its place: the next table finds it there."""
        stack = str(self._eqn.source_info.name_stack)  # with its transformations, which tell a backward pass
        return jax.named_scope(stack) if stack else contextlib.nullcontext()

    def __repr__(self) -> str:
        return f"Equation({self.primitive} at {self.source}{f', in {self.path}' if self.path else ''})"
