"""The two layers that are one operation each: a matrix product with a bias, and a look-up in a table."""

from typing import Any

from namedtensor._dims import Dims, Spec, check_name, dims, union
from namedtensor._errors import DimMismatch, showing
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.nn._checks import needs
from namedtensor.nn._contraction import product
from namedtensor.ops._align import align
from namedtensor.ops.index import isel


def _linear_rule(names: tuple[Dims, ...], over: Dims) -> Body:
    there, weight, *bias = names
    needs("the input", there, over)
    needs("the weight", weight, over)
    multiply, features = product(there, weight, over)
    target = union(features, *bias)
    _refuse_summed(bias, over)

    def linear(x, w, *bias_arrays):
        y = align(multiply(x, w), features, target)
        for array, there in zip(bias_arrays, bias, strict=True):
            y = y + align(array, there, target)
        return y

    return Body(linear, target)


def _refuse_summed(bias: list[Dims], over: Dims) -> None:
    for name in over:
        if any(name in there for there in bias):
            raise DimMismatch(
                f"the bias has the dim {name!r}, which the product sums over.",
                f"A bias has dims of the result; if another dim is meant: bias.rename({name}='{name}_out').",
            )


_linear = Operation("nn.linear", _linear_rule, ("over",), lambda over: (dims(over),))


def linear(
    x: NamedTensor, weight: NamedTensor, bias: NamedTensor | float | None = None, *, over: Spec
) -> NamedTensor:
    """``x.dot(over, weight) + bias``, in one dispatch.

    Names that ``x`` and ``weight`` share and that are not summed over are matched pointwise: a weight
    with the dim ``batch`` is another weight for each example.

    Args:
      x: ``[batch ... embed]`` in any order.
      weight: ``[embed ff]`` in any order; its dims that ``x`` lacks are the features of the result.
      bias: ``[ff]``, added by name.
      over: the dims to sum over, in ``x`` and in ``weight``.

    Returns:
      ``[batch ... ff]``.

    Raises:
      UnknownDim: ``x`` or ``weight`` lacks a dim of ``over``.
      DimMismatch: ``bias`` has a dim of ``over``.
      SizeMismatch: a shared name with two sizes.

    Example:
      >>> import namedtensor as nt
      >>> x, w, b = nt.ones("batch:2 embed:3"), nt.ones("embed:3 ff:4"), nt.ones("ff:4")
      >>> nt.nn.linear(x, w, b, over="embed").shape
      Shape(batch:2 ff:4)
    """
    return run(_linear, (x, weight) if bias is None else (x, weight, bias), (over,))


def embedding(table: NamedTensor, ids: Any, *, over: str = "vocab") -> NamedTensor:
    """The rows of ``table`` at the positions ``ids``: ``table[{over: ids}]``.

    Args:
      table: ``[vocab embed]`` in any order.
      ids: integers ``[batch seq]``. A position out of range gives NaN, never a neighbour.
      over: the dim of ``table`` that ``ids`` counts.

    Returns:
      ``[batch seq embed]``. A dim that ``table`` and ``ids`` share is matched pointwise.

    Raises:
      UnknownDim: ``table`` lacks ``over``.
      DuplicateDim: ``ids`` has the dim ``over``.
      Unsupported: ``ids`` that are not integers, or have no names.

    Example:
      >>> import namedtensor as nt
      >>> table, ids = nt.ones("vocab:50 embed:8"), nt.tensor([[3, 1, 4]], "batch seq")
      >>> nt.nn.embedding(table, ids).shape
      Shape(batch:1 seq:3 embed:8)
    """
    with showing("nt.nn.embedding", table, ids):
        check_name(over)
    return isel(table, **{over: ids})
