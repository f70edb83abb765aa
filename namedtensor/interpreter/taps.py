"""Taps: named places inside any function, to watch and to replace.

A tap is `jax.ad_checkpoint.checkpoint_name`, an identity that survives jit, vmap and grad and costs
nothing once compiled. The names of a tensor's dims travel in a named scope around it, so that what
is captured from a named function is named. `capture` and `replace` are the two operations of which
every layer and neuron method is made.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from namedtensor._dims import Dims, dims
from namedtensor._errors import describe
from namedtensor._tensor import NamedTensor, is_named
from namedtensor.interpreter.equation import Equation
from namedtensor.interpreter.frame import Frame, Lists
from namedtensor.interpreter.rules import RuleTable, bind
from namedtensor.interpreter.walk import interpret, is_array

_MARK = "dims["


class UnknownTapError(ValueError):
    """A tap that the function does not have, or a name that stands at several places."""


def tap(x: Any, name: str) -> Any:
    """Name a place in a function: the identity, for `capture`, `replace` and ``layer=``.

    Args:
      x: an array, a named tensor, or a pytree of them. With several leaves, each becomes a place of
        its own: ``name['key']``.
      name: any string without ``#``, such as ``"block3/mlp"``.

    Returns:
      ``x``.

    Example:
      >>> import jax.numpy as jnp, namedtensor as nt
      >>> def f(x):
      ...     hidden = nt.tap(jnp.tanh(x), "hidden")
      ...     return hidden.sum()
      >>> nt.capture(f, ["hidden"])(jnp.zeros(2))
      (Array(0., dtype=float32), {'hidden': Array([0., 0.], dtype=float32)})
    """
    if not isinstance(name, str) or not name or "#" in name:
        raise ValueError(
            f"nt.tap: {name!r} is not a name for a place; write a string without '#', such as 'block3/mlp'."
        )
    leaves, tree = jax.tree_util.tree_flatten_with_path(x, is_leaf=is_named)
    if len(leaves) == 1:
        return jax.tree.unflatten(tree, [_tap_leaf(leaves[0][1], name)])
    return jax.tree.unflatten(
        tree, [_tap_leaf(leaf, f"{name}{jax.tree_util.keystr(path)}") for path, leaf in leaves]
    )


def _tap_leaf(x: Any, name: str) -> Any:
    if not is_named(x):
        return checkpoint_name(x, name)
    with jax.named_scope(f"{_MARK}{x.dims}]"):
        return NamedTensor(checkpoint_name(x.array, name), x.dims)


def _dims_of(eqn: Equation, value: Any) -> Dims | None:
    """The names that the tap was given, unless jax.vmap has added an axis at a place not known."""
    last = eqn.scope.rpartition("/")[2]
    names = dims(last[len(_MARK) : -1]) if last.startswith(_MARK) else None
    return names if names is not None and len(names) == jnp.ndim(value) else None


_watch = RuleTable("nt.capture", default=bind, observes=True)
_put = RuleTable("nt.replace", default=bind)


@_watch.register("name")
def _record(eqn: Equation, value: Any) -> Any:
    names = _dims_of(eqn, value)
    eqn.frame.record(eqn.params["name"], value if names is None else NamedTensor(value, names))
    return value if eqn.frame.shadow else eqn.bind(value)  # it stays a tap, for the next table


@_put.register("name")
def _replace(eqn: Equation, value: Any) -> Any:
    new = eqn.frame.next_fed(eqn.params["name"])
    if is_named(new):
        names = _dims_of(eqn, value)
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


def _unknown(name: str, there: Iterable[str]) -> UnknownTapError:
    there = list(there)
    if passed := [k for k in there if k.rpartition("#")[0] == name]:
        return UnknownTapError(
            f"the tap {name!r} is passed {len(passed)} times: choose one of {', '.join(map(repr, passed))}."
        )
    close = difflib.get_close_matches(name, there, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    listed = (
        f"there are {', '.join(map(repr, there))}."
        if there
        else "the function has no taps: name a place with nt.tap(x, 'name')."
    )
    return UnknownTapError(f"there is no tap {name!r}: {listed}{hint}")


def _everything(fun: Callable[..., Any]) -> Callable[..., Any]:
    def captured(*args: Any, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        frame = Frame()
        out = interpret(fun, _watch, frame=frame)(*args, **kwargs)
        return out, _listed(frame.recorded)

    return captured


def list_taps(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
    """The places of a function, with the shape of what passes there; nothing is computed.

    Args:
      fun: a function with taps.
      *args: arguments for it (arrays or `jax.ShapeDtypeStruct`).
      **kwargs: keyword arguments for it.

    Returns:
      Name -> shape and dtype (named where the tensor was). A place inside a scan has one axis more,
      in front: its iterations. A place passed several times is listed as ``name#1``, ``name#2``.
    """
    return _shapes(fun, *args, **kwargs)


def capture(
    fun: Callable[..., Any], names: Iterable[str] | None = None
) -> Callable[..., tuple[Any, dict[str, Any]]]:
    """``fun`` that also returns what passes at its taps.

    Args:
      fun: a function with taps.
      names: the places to return; all by default.

    Returns:
      A function of the same arguments, returning ``(result, {name: value})``. A value from inside a
      scan is stacked over the iterations; of a branch of a cond that was not taken it is NaN.

    Raises (when called):
      UnknownTapError: a name that is not there.
      UnsupportedPrimitiveError: a tap inside a while loop.
    """
    wanted = None if names is None else [names] if isinstance(names, str) else list(names)

    def captured(*args: Any, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        out, there = _everything(fun)(*args, **kwargs)
        for name in wanted or ():
            if name not in there:
                raise _unknown(name, there)
        return out, there if wanted is None else {k: there[k] for k in wanted}

    return captured


def replace(fun: Callable[..., Any], values: Mapping[str, Any]) -> Callable[..., Any]:
    """``fun`` with the values at some of its taps replaced.

    Derivatives with respect to the new values are those of what follows the place. Where a tap stands
    inside a function with a custom derivative, the function's body is differentiated instead.

    Args:
      fun: a function with taps.
      values: name -> new value, of the shape that `list_taps` shows.

    Returns:
      A function of the same arguments as ``fun``.

    Raises (when called):
      UnknownTapError: a name that is not there.
      ValueError: a value of another shape.
    """

    def replaced(*args: Any, **kwargs: Any) -> Any:
        there = _shapes(fun, *args, **kwargs)
        for name in values:
            if name not in there:
                raise _unknown(name, there)
        fed: Lists = {}
        for place, shape in there.items():
            new = _fitting(place, shape, values[place]) if place in values else None
            fed.setdefault(place.partition("#")[0], []).append(new)
        return interpret(fun, _put, frame=Frame(fed))(*args, **kwargs)

    return replaced


def _shapes(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
    """What passes at all places, as shapes; arguments that are not arrays are left as they are."""
    leaves, tree = jax.tree.flatten((args, kwargs))
    arrays = {i: leaf for i, leaf in enumerate(leaves) if is_array(leaf)}

    order: list[str] = []  # of the program; a dict that passes through JAX comes back sorted

    def places(arrays: dict[int, Any]) -> dict[str, Any]:
        given, named = jax.tree.unflatten(tree, [arrays.get(i, leaf) for i, leaf in enumerate(leaves)])
        there = _everything(fun)(*given, **named)[1]
        order.extend(there)
        return there

    there = jax.eval_shape(places, arrays)
    return {name: there[name] for name in order}
