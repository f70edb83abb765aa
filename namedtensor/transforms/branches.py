"""Branches whose results are lined up by name: all get the storage order of the first one's."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from namedtensor._errors import BadPattern, describe, showing
from namedtensor.transforms._stable import stable
from namedtensor.transforms._trees import realign, require_dtypes, scalar

_WHERE = "To choose element by element: nt.where(pred, x, y)."
Shapes = tuple[Any, tuple[Any, ...]]  # a structure, and the shape of each array


@stable
def _branch(fun: Callable[..., Any], first: Shapes, names: tuple[str, str], call: str) -> Callable[..., Any]:
    structure, shapes = first

    def sentence(at: str, x: Any, like: Any) -> str:
        return f"the result{at} of {names[0]} is {describe(like)}, and of {names[1]} {describe(x)}"

    def branch(*operands):
        out, like = fun(*operands), jax.tree.unflatten(structure, shapes)
        with showing(call):
            fitted = realign(out, like, sentence)
        require_dtypes(fitted, like, sentence, call)
        return fitted

    return branch


def _shapes(fun: Callable[..., Any], operands: tuple[Any, ...]) -> Shapes:
    """What ``fun`` returns, found by tracing it once (JAX keeps the trace)."""
    shapes, structure = jax.tree.flatten(jax.eval_shape(fun, *operands))
    return structure, tuple(shapes)


def cond(pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Any) -> Any:
    """The result of ``true_fun`` where ``pred`` holds, else that of ``false_fun``, by `jax.lax.cond`.

    Args:
      pred: a bool, which may be a named scalar.
      true_fun: a function of the operands.
      false_fun: another, the result of which has the same names, in any order.
      *operands: trees of named tensors and plain arrays.

    Returns:
      The result, in the storage order of that of ``true_fun``.

    Raises:
      DimMismatch: the results have other names, or ``pred`` has dims.
      SizeMismatch: the results have another size.

    Example:
      >>> import namedtensor as nt
      >>> x = nt.tensor([1.0, -3.0], "embed")
      >>> nt.cond(x.sum() > 0, lambda x: x, lambda x: -x, x).array
      Array([-1.,  3.], dtype=float32)
    """
    call = "nt.cond"
    with showing(call):
        chosen = scalar(pred, "the condition", _WHERE)
    first = _shapes(true_fun, operands)
    other = _branch(false_fun, first, ("true_fun", "false_fun"), call)
    return jax.lax.cond(chosen, true_fun, other, *operands)


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """The result of ``branches[index]``, by `jax.lax.switch`.

    Args:
      index: an integer, which may be a named scalar. An array that is out of range means the nearest
        branch, as in JAX.
      branches: functions of the operands, the results of which have the same names, in any order.
      *operands: trees of named tensors and plain arrays.

    Returns:
      The result, in the storage order of that of the first branch.

    Raises:
      DimMismatch: the results have other names, or ``index`` has dims.
      SizeMismatch: the results have another size.
      IndexError: a number that is out of range.

    Example:
      >>> import namedtensor as nt
      >>> x = nt.tensor([1.0, 2.0], "embed")
      >>> nt.switch(1, [lambda x: x, lambda x: 2 * x, lambda x: 3 * x], x).array
      Array([2., 4.], dtype=float32)
    """
    call = "nt.switch"
    with showing(call):
        if not branches:
            raise BadPattern("there is no branch.", "Give a list of functions.")
        chosen = scalar(index, "the index", _WHERE)
    if isinstance(chosen, int | np.integer) and not 0 <= chosen < len(branches):
        raise IndexError(
            f"branch {chosen} of {len(branches)} in nt.switch: there are 0 to {len(branches) - 1}."
        )
    first = _shapes(branches[0], operands)
    others = [
        _branch(fun, first, ("branch 0", f"branch {i}"), call) for i, fun in enumerate(branches[1:], start=1)
    ]
    return jax.lax.switch(chosen, [branches[0], *others], *operands)
