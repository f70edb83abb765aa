"""Watching and replacing what passes at the places of a function.

`capture` and `replace` are the two operations of which every layer and neuron method is made. A place is
a tap, the output of a module of flax, equinox or haiku, or what leaves a `jax.named_scope`.
"""

import dataclasses
import difflib
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._errors import describe
from namedtensor._tensor import NamedTensor, is_named
from namedtensor.interpreter import frameworks, places
from namedtensor.interpreter.equation import Equation
from namedtensor.interpreter.exported import without_places
from namedtensor.interpreter.frame import Frame, Lists
from namedtensor.interpreter.marks import dims_of, tap
from namedtensor.interpreter.rules import RuleTable, bind
from namedtensor.interpreter.walk import Program

__all__ = ["UnknownTapError", "capture", "list_taps", "replace", "tap"]

_MOST = 24  # places listed in an error


class UnknownTapError(ValueError):
    """A place that the function does not have, or a name that stands for several."""


_watch = RuleTable("nt.capture", default=bind, observes=True)
_put = RuleTable("nt.replace", default=bind)


@_watch.register("name")
def _record(eqn: Equation, value: Any) -> Any:
    names = dims_of(eqn, value)
    eqn.frame.record(eqn.params["name"], value if names is None else NamedTensor(value, names))
    return value if eqn.frame.shadow else eqn.bind(value)  # it stays a tap, for the next table


@_put.register("name")
def _replace(eqn: Equation, value: Any) -> Any:
    new = eqn.frame.next_fed(eqn.params["name"])
    if is_named(new):
        names = dims_of(eqn, value)
        new = new.array if names is None else new.expect(names).order(names).array
    return eqn.bind(value if new is None else jnp.asarray(new, jnp.result_type(value)))


def _fitting(place: str, there: Any, value: Any) -> Any:
    """The new value of a place, if it has the place's shape."""
    value = value if is_named(value) else jnp.asarray(value)
    by_name = is_named(value) and is_named(there)
    sizes = [dict(x.shape) if by_name else jnp.shape(x.array if is_named(x) else x) for x in (there, value)]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"nt.replace: the place {place!r} holds {describe(there)}, the new value is {describe(value)}: "
            "give one of the same shape."
        )
    return value


def _listed(recorded: Lists) -> dict[str, Any]:
    """One entry a place: ``name``, or ``name#1``, ``name#2`` where it is passed several times."""
    out = {}
    for name, values in recorded.items():
        for i, value in enumerate(values, start=1):
            out[name if len(values) == 1 else f"{name}#{i}"] = value
    return out


def unknown(name: str, there: Iterable[str], note: str = "") -> UnknownTapError:
    """The error for a place that is not there; ``note`` says what has none."""
    there = list(there)
    if passed := [k for k in there if k.rpartition("#")[0] == name]:
        return UnknownTapError(
            f"the tap {name!r} is passed {len(passed)} times: choose one of {', '.join(map(repr, passed))}."
        )
    if parts := [k for k in there if k.startswith((f"{name}[", f"{name}."))]:
        return UnknownTapError(
            f"the place {name!r} has {len(parts)} values: choose one of {', '.join(map(repr, parts))}."
        )
    shown = there if len(there) <= _MOST else difflib.get_close_matches(name, there, n=_MOST, cutoff=0)
    close = difflib.get_close_matches(name.replace(".", "/"), there, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    hint += note + "".join(f" ({trouble}.)" for trouble in frameworks.troubles())
    listed = ", ".join(map(repr, shown))
    if len(shown) < len(there):
        return UnknownTapError(
            f"there is no tap {name!r}: of {len(there)} places (nt.list_taps) the nearest are {listed}.{hint}"
        )
    return UnknownTapError(
        f"there is no tap {name!r}: there are {listed}.{hint}"
        if there
        else f"there is no tap {name!r}: the function has no taps: name a place with nt.tap(x, 'name').{hint}"
    )


def list_taps(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
    """The places of a function, with the shape of what passes there; nothing is computed.

    `outline` shows them as a tree, with their costs.

    Args:
      fun: any JAX function.
      *args: arguments for it (arrays or `jax.ShapeDtypeStruct`).
      **kwargs: keyword arguments for it.

    Returns:
      Name -> shape and dtype (named where the tensor was): the taps (`nt.tap`), the outputs of the modules
      of flax, equinox and haiku by their paths (``"blocks/0/mlp"``), and what leaves a `jax.named_scope`. A
      place inside a scan has one axis more, in front: its iterations. A place passed several times is
      listed as ``name#1``, ``name#2``; one of several values as ``name[0]``, ``name[1]``.

    Warns:
      UserWarning: a framework that is imported is too old for its modules to be places.
    """
    for trouble in frameworks.troubles():
        warnings.warn(f"{trouble}.", stacklevel=2)
    return _everything(fun, args, kwargs)


def _everything(fun: Callable[..., Any], args: Any, kwargs: Any) -> dict[str, Any]:
    there = shapes(Program.traced(fun, args, kwargs))
    return there | others(there, shapes(places.everywhere(fun, args, kwargs)))


def others(there: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """The places of whose name there is no tap."""
    taken = {places.base(name) for name in there}
    return {name: shape for name, shape in more.items() if places.base(name) not in taken}


def capture(
    fun: Callable[..., Any], names: Iterable[str] | None = None
) -> Callable[..., tuple[Any, dict[str, Any]]]:
    """``fun`` that also returns what passes at places in it.

    Args:
      fun: any JAX function.
      names: the places to return, of those that `list_taps` shows; by default all taps.

    Returns:
      A function of the same arguments, returning ``(result, {name: value})``. A value from inside a
      scan is stacked over the iterations; of a branch of a cond that was not taken it is NaN. From a
      scope inside `jax.vmap` the mapped axis is where JAX has left it (at taps and modules, in front).

    Raises (when called):
      UnknownTapError: a name that is not there.
      UnsupportedPrimitiveError: a place inside a while loop.
    """
    wanted = None if names is None else [names] if isinstance(names, str) else list(names)

    def captured(*args: Any, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        frame = Frame()
        out = places.traced(fun, wanted or (), args, kwargs).walk(_watch, frame=frame)
        there = _listed(frame.recorded)
        _require(wanted or (), there, fun, args, kwargs)
        return out, there if wanted is None else {k: there[k] for k in wanted}

    return captured


def replace(fun: Callable[..., Any], values: Mapping[str, Any]) -> Callable[..., Any]:
    """``fun`` with the values at some of its places replaced.

    Derivatives with respect to the new values are those of what follows the place. Where a place stands
    inside a function with a custom derivative, the function's body is differentiated instead.

    Args:
      fun: any JAX function.
      values: name -> new value, of the shape that `list_taps` shows.

    Returns:
      A function of the same arguments as ``fun``.

    Raises (when called):
      UnknownTapError: a name that is not there.
      ValueError: a value of another shape.
    """

    def replaced(*args: Any, **kwargs: Any) -> Any:
        program = places.traced(fun, values, args, kwargs)
        there = shapes(program)
        _require(values, there, fun, args, kwargs)
        fed: Lists = {}
        for place, shape in there.items():
            new = _fitting(place, shape, values[place]) if place in values else None
            fed.setdefault(place.partition("#")[0], []).append(new)
        return program.walk(_put, frame=Frame(fed))

    return replaced


def _require(names: Iterable[str], there: Mapping[str, Any], fun: Any, args: Any, kwargs: Any) -> None:
    for name in names:
        if name not in there:
            here = _everything(fun, args, kwargs)
            raise unknown(name, here, without_places(Program.traced(fun, args, kwargs).jaxpr.jaxpr))


def shapes(program: Program) -> dict[str, Any]:
    """What passes at all taps of a program, as shapes."""
    order: list[str] = []  # of the program; a dict that passes through JAX comes back sorted

    def seen(given: list[Any]) -> dict[str, Any]:
        frame = Frame()
        dataclasses.replace(program, given=given).walk(_watch, frame=frame)
        there = _listed(frame.recorded)
        order.extend(there)
        return there

    there = jax.eval_shape(seen, program.given)
    return {name: there[name] for name in order}
