"""Places of a function, of all kinds: taps first, then modules, then named scopes.

Watching and replacing know taps only. Here a function is traced such that the places wanted have one.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from namedtensor.interpreter import scopes
from namedtensor.interpreter.frame import tap_counts
from namedtensor.interpreter.modules import as_scopes, with_modules
from namedtensor.interpreter.walk import Program

_WHICH = re.compile(r"#\d+$")  # which of several passages
_PART = re.compile(r"\[.*$")  # which of several values
_FIELD = re.compile(r"\..*$")  # the same, where they are fields


def traced(fun: Callable[..., Any], wanted: Iterable[str], args: Any, kwargs: Any) -> Program:
    """``fun`` on these arguments, with taps at the places wanted, if there are such places.

    Where a name is both, a tap comes before a module, and a module before a scope.
    """
    program = Program.traced(fun, args, kwargs)
    asked = {_WHICH.sub("", name) for name in wanted} - tap_names(program)
    asked = {base(name) for name in asked} | {_FIELD.sub("", base(name)) for name in asked}
    if asked and (watched := with_modules(fun, asked)) is not fun:
        program = Program.traced(watched, args, kwargs)
    return program.changed(lambda jaxpr: scopes.tapped(jaxpr, asked - _bases(program)))


def everywhere(fun: Callable[..., Any], args: Any, kwargs: Any) -> Program:
    """``fun`` on these arguments with taps at all its places (but for scopes inside while loops)."""
    own = Program.traced(fun, args, kwargs)
    watched = with_modules(fun)
    program = own if watched is fun else Program.traced(watched, args, kwargs)
    modules = {scope for name in _bases(program) for scope in {name, *as_scopes(name)}}
    # linen puts each module into a scope, below one for the model
    asked = [s for s in scopes.names(program.jaxpr) if not {s, s.partition("/")[2]} & modules]
    return program.changed(lambda jaxpr: scopes.tapped(jaxpr, set(asked)))


def tap_names(program: Program) -> set[str]:
    """The names of the taps in a program, without the numbers that tell passages apart."""
    return set(tap_counts(program.jaxpr.jaxpr))


def base(name: str) -> str:
    """The name of a place without the numbers that tell its passages and its values apart."""
    return _PART.sub("", _WHICH.sub("", name))


def _bases(program: Program) -> set[str]:
    return {base(name) for name in tap_names(program)}
