"""`nt.wrap_fn`: names at the door of a model that is written with positions."""

import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from namedtensor._dims import Dims, check_sizes
from namedtensor._errors import BadPattern, DimMismatch, Unsupported, near_miss, showing
from namedtensor._signature import Entry, Signature, function_name, name_results, parse
from namedtensor._tensor import operand
from namedtensor.ops._align import align


def _read(f: Any, spec: str) -> Signature:
    if not callable(f):
        raise Unsupported(f"{f!r} is no function.", "Write nt.wrap_fn(f, 'batch seq -> batch out').")
    signature = parse(spec, whole=True)
    if signature.results is None:
        raise BadPattern(
            f"{spec!r} does not say what the results are.", f"Write '{spec.strip()} -> batch out'."
        )
    return signature


def _positional(i: int, x: Any, entry: Entry) -> Any:
    """The array of an argument with its axes in the order of ``entry``; any tree where that is ``*``."""
    if entry is None:
        return x
    array, there = operand(x)
    if there is entry:
        return array
    if set(there) != set(entry):
        odd = next((d for d in there if d not in entry), "")
        raise DimMismatch(
            f"argument {i} must have the dims '{entry}', and has '{there}'.", near_miss(odd, entry)
        )
    check_sizes([array], [there])
    return align(array, there, entry)


def _sizes(arrays: list[Any], entries: tuple[Entry, ...]) -> dict[str, int]:
    """The size of each dim, once they are found to agree."""
    named = [(0, Dims()) if e is None else (a, e) for a, e in zip(arrays, entries, strict=True)]
    check_sizes([a for a, _ in named], [e for _, e in named])
    return {d: n for a, e in named for d, n in zip(e, jnp.shape(a), strict=True)}


def wrap_fn(f: Callable[..., Any], spec: str, /) -> Callable[..., Any]:
    """Give names to the arguments and results of a function that is written with positions.

    The arguments are checked and their axes ordered as ``f`` expects them, and its results are named.
    Nothing is mapped or compiled: it is ``f``, under `jax.jit`, `nt.grad` and `nt.vmap` too.

    Args:
      f: a function or model of positional arguments.
      spec: the dims of each argument, and after ``->`` those of each result: ``"batch seq, embed out -> batch
        out"``. ``*`` stands for what is passed as it is, such as a tree of parameters. Several results are
        separated by commas, one for each part of the tuple that ``f`` returns; a single one names every array
        of a tree.

    Returns:
      A function of named tensors in the place of the arrays; keyword arguments are passed as they are.

    Raises:
      BadPattern: ``spec`` cannot be read, or (when called) has not as many entries as there are arguments or
        results.
      DimMismatch: an argument has other dims.
      SizeMismatch: one dim with two sizes; a name on both sides of the arrow is one dim.
      RankMismatch: a result has not as many axes as names.

    Example:
      >>> import jax, namedtensor as nt
      >>> model = nt.wrap_fn(lambda params, x: x @ params["w"], "*, batch embed -> batch out")
      >>> model({"w": jax.numpy.ones((3, 4))}, nt.ones("embed:3 batch:2")).shape
      Shape(batch:2 out:4)
    """
    call = f"nt.wrap_fn({function_name(f)}, {spec!r})"
    with showing(call):
        signature = _read(f, spec)
    entries = signature.operands

    @functools.wraps(f)
    def wrapped(*arguments: Any, **keywords: Any) -> Any:
        with showing(call, *arguments):
            if len(arguments) != len(entries):
                raise BadPattern(
                    f"{spec!r} lists {len(entries)} arguments, the call has {len(arguments)}.",
                    "List the dims of each, or '*' for what is passed as it is.",
                )
            arrays = [_positional(i, x, e) for i, (x, e) in enumerate(zip(arguments, entries, strict=True))]
            sizes = _sizes(arrays, entries)
        out = f(*arrays, **keywords)
        with showing(call, *arguments):
            return name_results(signature, out, sizes=sizes)

    return wrapped


__all__ = ["wrap_fn"]
