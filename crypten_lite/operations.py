"""What can be written with shared tensors: operators, methods and indices, as tables of plain functions.

Each is `private` of what the same words mean for arrays, or for named tensors. Nothing here knows a protocol,
and an operation is one word in a table.
"""

import difflib
import functools
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from crypten_lite.aliases import METHODS
from crypten_lite.lines import caller
from crypten_lite.private import private
from crypten_lite.tensor import SharedTensor
from namedtensor import NamedTensor

Function = Callable[..., Any]

_BINARY: dict[str, Function] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "truediv": operator.truediv,
    "pow": operator.pow, "matmul": operator.matmul, "and": operator.and_, "or": operator.or_,
    "xor": operator.xor, "floordiv": operator.floordiv, "mod": operator.mod,
}  # fmt: skip
_COMPARISONS: dict[str, Function] = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt,
    "ge": operator.ge,
}  # fmt: skip
_UNARY: dict[str, Function] = {
    "neg": operator.neg, "pos": operator.pos, "abs": operator.abs, "invert": operator.invert,
}  # fmt: skip

_METHODS = """
    all any argmax argmin astype clip cumsum diagonal dot flatten max mean min ptp ravel repeat reshape
    sort squeeze std sum swapaxes take trace transpose var
"""
_OF_NUMPY = """
    abs broadcast_to ceil exp expand_dims expm1 flip floor inner log log1p matmul maximum minimum moveaxis
    negative outer pad power reciprocal roll sign sqrt square subtract tanh tensordot tile tril triu vdot
"""
_OF_NN = """
    elu gelu leaky_relu log_sigmoid log_softmax logsumexp relu relu6 sigmoid silu softmax softplus standardize
    swish
"""
_OF_LAX = "erf erfc logistic rsqrt stop_gradient"
_SEEING = "array numpy plot device devices block_until_ready"  # they look at numbers


def forwarded(function: Function, *args: Any, **kwargs: Any) -> Any:
    """``function(*args, **kwargs)`` on shares.

    What is not shared is part of the function, so that ``x ** 2`` is a square and ``x.sum(0)`` has an axis.
    """
    leaves, tree = jax.tree.flatten((args, kwargs), is_leaf=_is_shared)
    at = [i for i, leaf in enumerate(leaves) if _is_shared(leaf)]
    if any(isinstance(leaf, Tracer) for leaf in leaves):
        raise TypeError(
            f"{leaves[at[0]]!r} meets an array that is being traced, as if it were a constant of the "
            "function. Give it to the private function as an argument: ct.private(function)(x, w)."
        )

    place = caller()

    def run(*shared: Any) -> Any:
        filled = list(leaves)
        for i, x in zip(at, shared, strict=True):
            filled[i] = x
        given, named = jax.tree.unflatten(tree, filled)
        with jax.named_scope(place):  # for costs and errors: JAX records lines of the traced function alone
            return function(*given, **named)

    return private(run)(*(leaves[i] for i in at))


def _is_shared(x: Any) -> bool:
    return isinstance(x, SharedTensor)


def _is_operand(x: Any) -> bool:
    """Numbers, arrays and sequences are JAX's to accept or refuse; another type may define the operation."""
    known = SharedTensor | NamedTensor | int | float | complex | np.generic | list | tuple
    return isinstance(x, known) or hasattr(type(x), "__array__")


def _operator(function: Function, *, swapped: bool = False) -> Function:
    @functools.wraps(function)
    def method(x: SharedTensor, other: Any) -> Any:
        if not _is_operand(other):
            return NotImplemented
        return forwarded(function, other, x) if swapped else forwarded(function, x, other)

    return method


def _method(name: str) -> Function:
    def method(x: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(x, name)(*args, **kwargs)

    method.__name__, method.__doc__ = name, getattr(jax.Array, name).__doc__
    return method


_OF_ARRAYS: dict[str, Function] = {  # their first operand is the tensor
    **{name: _method(name) for name in _METHODS.split()},
    **{name: getattr(jnp, name) for name in _OF_NUMPY.split()},
    **{name: getattr(jax.nn, name) for name in _OF_NN.split()},
    **{name: getattr(jax.lax, name) for name in _OF_LAX.split()},
    "where": lambda x, condition, other: jnp.where(condition, x, other),
}


def _functions_of(x: SharedTensor) -> dict[str, Function]:
    """The methods of a tensor: those of its kind."""
    return _OF_ARRAYS if x.dims is None else _of_named()


@functools.cache
def _of_named() -> dict[str, Function]:
    """All methods of a named tensor that do not look at its numbers."""
    names = [
        n
        for n in dir(NamedTensor)
        if n[0] != "_" and n not in _SEEING.split() and not hasattr(SharedTensor, n)
    ]
    return {n: getattr(NamedTensor, n) for n in names if callable(getattr(NamedTensor, n))}


def _attribute(x: SharedTensor, name: str) -> Any:
    """Python asks here for what is not there."""
    if name.startswith("_"):
        raise AttributeError(f"'SharedTensor' object has no attribute {name!r}", name=name, obj=x)
    functions = _functions_of(x)
    if name in functions:
        bound = functools.partial(forwarded, functions[name], x)
        return functools.update_wrapper(bound, functions[name])
    if name in METHODS:
        return getattr(x, METHODS[name])
    raise AttributeError(_unknown(x, name, functions), name=name, obj=x)


def _unknown(x: SharedTensor, name: str, functions: dict[str, Function]) -> str:
    if name in _SEEING.split():
        return f"{x!r} has no {name!r}: its numbers are secret. Reveal them: x.reveal()."
    if x.dims is not None and not hasattr(NamedTensor, name):
        try:
            getattr(x.carrier, name)  # names may know what to write instead
        except AttributeError as error:
            if "Write" in str(error):
                return str(error).replace("NamedTensor", "SharedTensor")
    close = difflib.get_close_matches(name, dir(x), n=1, cutoff=0.6)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"SharedTensor has no {name!r}.{hint} Any JAX function of it is ct.private(function)(x)."


class _At:
    """``x.at[index]``: ``set``, ``add``, ``multiply`` ... at places that are public."""

    __slots__ = ("_index", "_x")

    def __init__(self, x: SharedTensor, index: Any = None):
        self._x, self._index = x, index

    def __getitem__(self, index: Any) -> "_At":
        return _At(self._x, (index,))

    def __getattr__(self, name: str) -> Function:
        if name.startswith("_") or self._index is None:
            raise AttributeError(f"x.at has no {name!r}: write x.at[index].set(value).", name=name, obj=self)
        (index,) = self._index

        def write(x: Any, *args: Any, **kwargs: Any) -> Any:
            return getattr(x.at[index], name)(*args, **kwargs)

        return functools.partial(forwarded, write, self._x)


def _transposed(x: SharedTensor, name: str) -> Any:
    if x.dims is not None:
        raise AttributeError(_unknown(x, name, {}), name=name, obj=x)
    return forwarded(lambda a: getattr(a, name), x)


def _directory(x: SharedTensor) -> list[str]:
    return sorted({*object.__dir__(x), *_functions_of(x), *METHODS})


def _attach() -> None:
    for name, function in _BINARY.items():
        setattr(SharedTensor, f"__{name}__", _operator(function))
        setattr(SharedTensor, f"__r{name}__", _operator(function, swapped=True))
    for name, function in _COMPARISONS.items():
        setattr(SharedTensor, f"__{name}__", _operator(function))
    for name, function in _UNARY.items():
        setattr(SharedTensor, f"__{name}__", functools.partialmethod(_unary, function))
    for name in ("T", "mT"):
        setattr(SharedTensor, name, property(functools.partial(_transposed, name=name)))
    members = {"__getitem__": _getitem, "__getattr__": _attribute, "__dir__": _directory, "at": property(_At)}
    for name, member in members.items():
        setattr(SharedTensor, name, member)


def _unary(x: SharedTensor, function: Function) -> Any:
    return forwarded(function, x)


def _getitem(x: SharedTensor, index: Any) -> Any:
    if any(_is_shared(i) and i.dtype == bool for i in jax.tree.leaves(index, is_leaf=_is_shared)):
        raise IndexError(
            "x[mask] with a secret mask would have a size that is secret. Keep the shape: x.where(mask, "
            "0.0), or for named tensors ct.private(nt.where)(mask, x, 0.0)."
        )
    return forwarded(operator.getitem, x, index)


_attach()
