"""Rule C as a formula: the names of each operand, and those that stay."""

import functools
from typing import Any

from namedtensor._dims import Dims, dims, require, unknown, without
from namedtensor._errors import BadPattern, DimMismatch, DuplicateDim
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._table import public
from namedtensor.ops.contract import contraction, numerics

_EXAMPLE = "Write it as nt.einsum('batch q key, batch k key -> batch q k', x, y)."


def _side(text: str) -> tuple[Dims, bool]:
    """The names of one operand or of the result, and whether there are dots for the others."""
    parts = text.split()
    if parts.count("...") > 1:
        raise BadPattern(f"'...' stands twice in {text.strip()!r}.", "Once takes all names not listed.")
    try:
        return dims([part for part in parts if part != "..."]), "..." in parts
    except DuplicateDim as error:
        raise DuplicateDim(
            error.problem, "A diagonal is taken first: x.diag('i j', 'k').", error.header
        ) from None


@functools.lru_cache(maxsize=4096)
def _formula(text: str) -> tuple[tuple[tuple[Dims, bool], ...], tuple[Dims, bool]]:
    """The operands and the result of ``"a b, b c -> a c"``."""
    left, arrow, right = text.partition("->")
    if not arrow:
        raise BadPattern(f"{text!r} does not say which names stay.", _EXAMPLE)
    if "->" in right or "," in right:
        raise BadPattern(f"{text!r} has more than one result.", _EXAMPLE)
    operands, result = tuple(_side(part) for part in left.split(",")), _side(right)
    if result[1] != any(dots for _, dots in operands):
        where = "on the right alone" if result[1] else "on the left alone"
        raise BadPattern(
            f"{text!r} has '...' {where}.", "The names that '...' takes stay: write it on both sides."
        )
    return operands, result


def _parse(formula: Any, *how: Any) -> tuple:
    if not isinstance(formula, str):
        raise BadPattern(f"{formula!r} is no formula.", _EXAMPLE)
    return (*_formula(formula), *numerics(*how))


def _match(there: Dims, listed: Dims, dots: bool, which: int) -> Dims:
    """The names that the dots of one operand take."""
    require(there, listed)
    others = without(there, listed)
    if others and not dots:
        raise DimMismatch(
            f"operand {which} has '{there}', the formula lists '{listed}'.",
            f"List '{others}' too, or write '{listed} ...' and '...' on the right.",
        )
    return others


def _rule(
    names: tuple[Dims, ...],
    operands: tuple[tuple[Dims, bool], ...],
    result: tuple[Dims, bool],
    precision: Any,
    preferred_element_type: Any,
) -> Body:
    if len(operands) != len(names):
        raise BadPattern(
            f"the formula is of {len(operands)} operands, there are {len(names)}.",
            "Separate the operands by commas.",
        )
    staying = set(result[0])
    for which, (there, (listed, dots)) in enumerate(zip(names, operands, strict=True)):
        staying.update(_match(there, listed, dots, which))
    everything = Dims(dict.fromkeys(d for there in names for d in there))
    for name in result[0]:
        if name not in everything:
            raise unknown(name, everything)
    keep = Dims(d for d in everything if d in staying)
    return Body(*contraction(names, keep, precision, preferred_element_type))


_einsum = Operation("einsum", _rule, ("formula",), _parse)


def einsum(
    formula: str, *tensors: Any, precision: Any = None, preferred_element_type: Any = None
) -> NamedTensor:
    """Sum of products, written as a formula of names: ``"batch q key, batch k key -> batch q k"``.

    Names that the right side lacks are summed over. It is `dot` with every name said, and so a check
    of them: an operand must have the names that the formula lists for it, in any order, and no other
    unless there is ``...``. Names that ``...`` takes stay.

    Args:
      formula: the names of each operand, separated by commas, and after ``->`` those that stay.
      *tensors: as many tensors as there are operands.
      precision: passed to `jax.lax.dot_general`.
      preferred_element_type: the dtype to add up in, and of the result.

    Returns:
      A tensor with the names of the right side. It is stored as it comes out, with no transpose;
      `order` sets the order of the axes.

    Raises:
      BadPattern: no ``->``, another number of operands, or ``...`` on one side alone.
      UnknownDim: a name that the operand, or all of them, lack.
      DimMismatch: a name of an operand that the formula does not list.
      SizeMismatch: a name with two sizes.

    Example:
      >>> import namedtensor as nt
      >>> q, k = nt.ones("batch:2 q:3 key:4"), nt.ones("batch:2 k:5 key:4")
      >>> nt.einsum("batch q key, batch k key -> batch q k", q, k).shape
      Shape(batch:2 q:3 k:5)
      >>> nt.einsum("... key, ... key -> ...", q, k).shape
      Shape(batch:2 q:3 k:5)
    """
    return run(_einsum, tensors, (formula, precision, preferred_element_type))


__all__ = public(globals())
