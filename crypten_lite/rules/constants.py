"""Public and secret operands made alike: numbers of one scale."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from crypten_lite.protocols.opening import opened
from crypten_lite.protocols.selection import as_number
from crypten_lite.protocols.truncation import truncated
from crypten_lite.rules.shapes import repeated
from crypten_lite.rules.table import refuse
from crypten_lite.session import Session
from crypten_lite.values import Number, Opening, Secret, Truth
from namedtensor.interpreter import Equation


def number(eqn: Equation, x: Secret, dtype: Any = None) -> Number:
    """A secret as a number; a truth is 0 or 1."""
    if isinstance(x, Truth):
        return as_number(x, eqn.outputs[0].dtype if dtype is None else dtype)
    assert isinstance(x, Number)
    return x


def spread(eqn: Equation, *values: Any) -> list[Any]:
    """All operands in the shape of the result: one element of an axis, or a scalar, is repeated."""
    return [_spread(v, eqn.outputs[0].shape) for v in values]


def _spread(value: Any, shape: tuple[int, ...]) -> Any:
    if not isinstance(value, Secret):
        return np.broadcast_to(np.asarray(value), shape)
    if value.shape == shape:
        return value

    how = value.moved if isinstance(value, Number) else value.map
    return how(lambda a: repeated(a, shape), shape)


def opposite(eqn: Equation, x: Any) -> Any:
    """The negative of an operand, secret or public."""
    return number(eqn, x).negative() if isinstance(x, Secret) else -np.asarray(x).astype(np.float64)


def elements(eqn: Equation, values: Any, scale: int, session: Session) -> Any:
    """Public numbers as ring elements with ``scale`` binary places."""
    ring, array = session.ring, np.asarray(values).astype(np.float64)
    scaled = np.ldexp(array, scale)
    if not (np.abs(scaled) < 2.0 ** (ring.bits - 2)).all():
        bad = array[~(np.abs(scaled) < 2.0 ** (ring.bits - 2))].flat[0]
        raise refuse(
            eqn,
            f"the public number {bad} meets a secret one, and with {session.point.fraction} binary places "
            f"numbers stay below {session.point.limit:.6g}",
            "Use a smaller finite number, such as -1e4 for a mask before a softmax.",
        )
    return ring.of(np.rint(scaled).astype(np.int64))


def lifted(eqn: Equation, values: Any, scale: int, session: Session, dtype: Any) -> Number:
    """A public array as a number that is open under a mask of zero."""
    public = elements(eqn, values, scale, session)
    zero = np.zeros((), session.ring.dtype)
    masks, plain = (np.broadcast_to(zero, (role, *public.shape)) for role in (session.held, session.dealing))
    seen = np.broadcast_to(public, (session.seeing, *public.shape))
    return Number(session, public.shape, dtype, scale, opening=Opening(seen, masks, plain))


def session_of(*values: Any) -> Session:
    """The session of the secret ones."""
    return next(v for v in values if isinstance(v, Secret)).session


def aligned(eqn: Equation, *values: Any) -> list[Number]:
    """All operands as numbers of one scale.

    The scale is the largest, so that nothing is lost; what has more than twice the usual places is truncated.
    """
    session, dtype = session_of(*values), eqn.outputs[0].dtype
    numbers = [number(eqn, v, dtype) if isinstance(v, Secret) else v for v in values]
    most = 2 * session.point.fraction
    numbers = _with_few_cut(numbers, session.point.fraction)
    scales = {n.scale for n in numbers if isinstance(n, Number)}
    if max(scales) > (most if len(scales) > 1 else most + _SLACK):
        # All are: another one that must be later would cost a round of its own.
        fine = [n for n in numbers if isinstance(n, Number) and n.scale > session.point.fraction]
        opened(*fine)
        numbers = [truncated(n, session.point.fraction) if isinstance(n, Number) else n for n in numbers]
        scales = {n.scale for n in numbers if isinstance(n, Number)}
    scale = max(scales)
    if not all(isinstance(n, Number) for n in numbers):  # room for the public ones' places
        scale = max(scale, session.point.fraction)
    return [n.at(scale) if isinstance(n, Number) else lifted(eqn, n, scale, session, dtype) for n in numbers]


def _with_few_cut(numbers: list[Any], fraction: int) -> list[Any]:
    """A few numbers, as the means of rows, are truncated to the usual places that the many others have.

    The sum has these places too then, and need not be truncated itself before it is multiplied.
    """
    secrets = [n for n in numbers if isinstance(n, Number)]
    many = max((n.source.size for n in secrets if n.scale == fraction), default=0)
    few = [n for n in secrets if n.scale > fraction and 8 * n.source.size <= many]
    opened(*few)
    return [truncated(n, fraction) if any(n is f for f in few) else n for n in numbers]


def joined(numbers: Sequence[Number], combine: Callable[[list[Any]], Any], shape: Sequence[int]) -> Number:
    """A structural operation on several numbers; open if all are."""
    openings = [n.opening for n in numbers]
    first = numbers[0]
    if all(o is not None for o in openings):
        known = [o for o in openings if o is not None]
        parts = ([o.public for o in known], [o.masks for o in known], [o.plain for o in known])
        return first.like(opening=Opening(*map(combine, parts)), shape=shape)
    return first.like(shares=combine([n.shares for n in numbers]), shape=shape)


_SLACK = 4  # sums may have so many places more: they stay below a sixteenth of the range


def roomy(x: Number) -> Number:
    """A number that is added up with others: what is small has many places, their sum may not be small."""
    most = 2 * x.session.point.fraction
    return truncated(x, most) if x.scale > most + _SLACK else x


def places_of(values: Any, fraction: int, terms: int = 1, most_spare: int = 0) -> tuple[int, int]:
    """How many binary places public factors need, and the headroom that small ones leave.

    Whole numbers need none and powers of two few, exactly; others get ``fraction`` significant places or
    more, as far as ``most_spare`` allows. Where ``terms`` products are added up, their sum must be small.
    """
    most = float(np.max(np.abs(values), initial=0.0)) * terms
    if not most or not math.isfinite(most):
        return 0, 0
    spare = min(max(0, math.floor(-math.log2(most))), most_spare)
    limit = fraction + spare
    for scale in range(limit):
        scaled = np.ldexp(values, scale)
        if (scaled == np.rint(scaled)).all():
            return scale, spare
    return limit, spare
