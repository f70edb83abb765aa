"""Places by `jax.named_scope`: the values that leave a scope.

An equation knows the scopes that it was made in, flax linen and haiku put each module into one, and so
any function has places without a tap. Nothing else knows them: for the scopes that are wanted the taps
are written into the jaxpr, and from there on they are taps like others.

A *passage* of a scope is an unbroken row of equations inside it, in one jaxpr (the body of a scan is
another). Its *results* are the values made in it that are used after it or returned, in the order in
which they are made. They are tapped behind the passage: to replace one changes what follows, not what
the scope itself computes. Equations of a backward pass belong to no scope.
"""

from collections.abc import Iterator, Set
from typing import Any, NamedTuple

import jax
from jax.ad_checkpoint import checkpoint_name
from jax.extend import core

from namedtensor.interpreter import compat
from namedtensor.interpreter.equation import scope
from namedtensor.interpreter.marks import DIMS
from namedtensor.interpreter.modules import MODULE


def tapped(closed: core.ClosedJaxpr, wanted: Set[str]) -> core.ClosedJaxpr:
    """The jaxpr with taps at the results of these scopes: ``scope``, or ``scope[0]``, ``scope[1]``."""
    return closed.replace(jaxpr=_tapped(closed.jaxpr, "", wanted)) if wanted else closed


def names(closed: core.ClosedJaxpr) -> list[str]:
    """The scopes of a jaxpr and of those inside it, but not inside while loops, in program order."""
    return list(dict.fromkeys(_names(closed.jaxpr, "")))


def _names(jaxpr: Any, outer: str) -> Iterator[str]:
    for eqn in jaxpr.eqns:
        if (path := _path(eqn, outer)) is None:
            continue
        parts = path.split("/") if path else []
        yield from ("/".join(parts[: i + 1]) for i in range(len(parts)))
        if eqn.primitive.name != "while":
            for inner in compat.inner_jaxprs(eqn.params):
                yield from _names(inner.jaxpr, path)


class _Passage(NamedTuple):
    """A scope passed by the equations ``first`` to ``last``."""

    name: str
    first: int
    last: int


def _tapped(jaxpr: Any, outer: str, wanted: Set[str]) -> Any:
    paths = [_path(eqn, outer) for eqn in jaxpr.eqns]
    ends: dict[int, list[_Passage]] = {}
    for name in sorted(wanted, key=len, reverse=True):  # of two that end together, the inner one first
        for passage in _passages(paths, name):
            ends.setdefault(passage.last, []).append(passage)
    last_use = _last_uses(jaxpr, paths)
    now: dict[Any, Any] = {}  # a variable -> the one that holds its value behind a tap
    eqns: list[Any] = []
    for i, eqn in enumerate(jaxpr.eqns):
        inside = {name for name in wanted if _may_hold(paths[i], name)}
        eqns.append(_deeper(eqn, paths[i] or "", inside).replace(invars=[_read(now, v) for v in eqn.invars]))
        for passage in ends.get(i, ()):
            for name, producer, var in _results(jaxpr, passage, last_use):
                mark = _tap(producer, _read(now, var), name)
                now[var] = mark.outvars[0]
                eqns.append(mark)
    return jaxpr.replace(eqns=eqns, outvars=[_read(now, v) for v in jaxpr.outvars])


def _path(eqn: Any, outer: str) -> str | None:
    """The scopes of an equation, with those around its jaxpr; None for one of a backward pass."""
    if "transpose(" in str(eqn.source_info.name_stack):
        return None
    parts = (part for part in scope(eqn).split("/") if part and not part.startswith((DIMS, MODULE)))
    return "/".join((outer, *parts) if outer else parts)


def _within(path: str | None, name: str) -> bool:
    return path is not None and (path == name or path.startswith(f"{name}/"))


def _may_hold(path: str | None, name: str) -> bool:
    """Whether an equation with inner jaxprs may hold the scope, without standing in it."""
    return path is not None and (not path or name.startswith(f"{path}/"))


def _passages(paths: list[str | None], name: str) -> Iterator[_Passage]:
    first = None
    for i, path in enumerate([*paths, None]):
        if _within(path, name):
            first = i if first is None else first
        elif first is not None:
            yield _Passage(name, first, i - 1)
            first = None


def _last_uses(jaxpr: Any, paths: list[str | None]) -> dict[Any, int]:
    """The last equation, of those that are no backward pass, that reads each variable."""
    uses = {
        v: i
        for i, (eqn, path) in enumerate(zip(jaxpr.eqns, paths, strict=True))
        if path is not None
        for v in eqn.invars
        if not isinstance(v, core.Literal)
    }
    uses.update((v, len(paths)) for v in jaxpr.outvars if not isinstance(v, core.Literal))
    return uses


def _results(jaxpr: Any, passage: _Passage, last_use: dict[Any, int]) -> list[tuple[str, Any, Any]]:
    """What leaves a passage: the name of each result, the equation that makes it, and its variable."""
    made = [(eqn, v) for eqn in jaxpr.eqns[passage.first : passage.last + 1] for v in eqn.outvars]
    out = [(eqn, v) for eqn, v in made if last_use.get(v, -1) > passage.last]
    one = len(out) == 1
    return [(passage.name if one else f"{passage.name}[{k}]", *result) for k, result in enumerate(out)]


def _read(now: dict[Any, Any], atom: Any) -> Any:
    return atom if isinstance(atom, core.Literal) else now.get(atom, atom)


def _tap(producer: Any, var: Any, name: str) -> Any:
    """A tap of a variable, as if it stood where the value is made."""
    aval = jax.ShapeDtypeStruct(var.aval.shape, var.aval.dtype, weak_type=var.aval.weak_type)
    (mark,) = jax.make_jaxpr(lambda x: checkpoint_name(x, name))(aval).eqns
    return mark.replace(invars=[var], source_info=producer.source_info)


def _deeper(eqn: Any, path: str, wanted: Set[str]) -> Any:
    """The equation with taps in the jaxprs inside it."""
    if not wanted:
        return eqn
    return eqn.replace(params=compat.with_inner_jaxprs(eqn.params, lambda j: _tapped(j, path, wanted)))
