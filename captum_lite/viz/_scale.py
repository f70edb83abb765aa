"""From an attribution to numbers that a colour map can show: sign, clipping and limits.

A few pixels often carry most of an attribution, so its largest value is a poor end for a colour
scale. The rule that chooses the end is a value, ``clip``, and it travels with the result so that it
can be written on the colour bar: a picture whose scale is unknown cannot be compared with another.

``("mass", 98)`` is Captum's ``outlier_perc=2``. It is not a percentile: sort the magnitudes, sum
them up, and take the value at which the running sum reaches 98 % of the total. A map of which half
the pixels are zero has the same mass limit as its other half alone, but another percentile.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from captum_lite.viz._choice import choose

Clip = tuple[str, float] | None


def _mass(magnitudes: np.ndarray, amount: float) -> float:
    ordered = np.sort(magnitudes, axis=None)
    running = np.cumsum(ordered)
    # amount / 100 <= 1 exactly, so rounding cannot carry the wanted sum past the last one
    return float(ordered[np.searchsorted(running, running[-1] * (amount / 100))])


def _percentile(magnitudes: np.ndarray, amount: float) -> float:
    return float(np.percentile(magnitudes, amount))


CLIPS: dict[str, Callable[[np.ndarray, float], float]] = {"mass": _mass, "percentile": _percentile}

SIGNS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "all": lambda attr: attr,
    "positive": lambda attr: np.maximum(attr, 0),
    "negative": lambda attr: np.maximum(-attr, 0),
    "absolute_value": np.abs,
}

_QUANTITIES = {
    "all": "attribution",
    "positive": "positive attribution",
    "negative": "|negative attribution|",
    "absolute_value": "|attribution|",
}
_TOTALS = {True: "total |attribution|", False: "its total"}  # signed or not


@dataclass(frozen=True, eq=False)
class Scaled:
    """An attribution ready to be drawn.

    Attributes:
      values: [height, width], in -1..1 if signed, else in 0..1; the fraction of the limit.
      limit: the attribution at which the colours end; 0 when there is nothing to draw.
      sign: which part of the attribution it is, a key of `SIGNS`.
      clip: the rule that gave the limit; None if nothing was cut off.
      empty: whether nothing of that sign is left, and ``values`` is all zero.
    """

    values: np.ndarray = field(repr=False)
    limit: float
    sign: str
    clip: Clip
    empty: bool

    @property
    def signed(self) -> bool:
        """Whether values of both signs are shown, so that 0 is the middle of the colours."""
        return self.sign == "all"

    @property
    def ends(self) -> tuple[float, float]:
        """The attributions at the two ends of the colours; a flat map keeps 0 in its place."""
        top = self.limit or 1.0
        return (-top if self.signed else 0.0), top


def scale(
    attr: np.ndarray, *, sign: str = "all", clip: Clip = ("mass", 98), limit: float | None = None
) -> Scaled:
    """One map of [height, width] on a scale of its own; arguments as in `scale_together`."""
    return scale_together([attr], sign=sign, clip=clip, limit=limit)[0]


def scale_together(
    maps: Sequence[np.ndarray],
    *,
    sign: str = "all",
    clip: Clip = ("mass", 98),
    limit: float | None = None,
) -> list[Scaled]:
    """Several maps of [height, width] on one scale, so that equal colours mean equal attributions.

    Args:
      maps: the attributions.
      sign: "all", or the magnitudes of "positive", "negative" or "absolute_value".
      clip: ``("mass", percent)``, ``("percentile", percent)``, or None for the largest magnitude.
      limit: the end of the colours, given by the caller; it takes the place of ``clip``.

    Returns:
      One `Scaled` per map. All have the same limit.
    """
    chosen = [choose("sign", sign, SIGNS)(attr) for attr in maps]
    top, rule = _limit(np.concatenate([np.abs(part).ravel() for part in chosen]), clip, limit)
    return [
        Scaled(
            # clip first: the quotient of a large value and a small limit may overflow
            values=np.clip(part, -top, top) / (top or 1.0),
            limit=top,
            sign=sign,
            clip=rule,
            empty=not part.any(),
        )
        for part in chosen
    ]


def describe(scaled: Scaled, units: str | None = None) -> tuple[str, str]:
    """What a colour bar says: the quantity with its units, and the rule by which it was clipped."""
    quantity = _QUANTITIES[scaled.sign]
    name, amount = scaled.clip or (None, 0)
    rule = {
        None: "not clipped",
        "limit": "clipped at the given limit",
        "mass": f"clipped at {amount:g}\N{NO-BREAK SPACE}% of {_TOTALS[scaled.signed]}",
        "percentile": f"clipped at percentile {amount:g}",
    }[name]
    return f"{quantity} ({units})" if units else quantity, rule


def _limit(magnitudes: np.ndarray, clip: Clip, limit: float | None) -> tuple[float, Clip]:
    """The end of the colours and the rule that gave it; 0 if all magnitudes are zero."""
    if limit is not None:
        if not 0 < limit < np.inf:
            raise ValueError(f"limit is the attribution at the end of the colours, above 0; got {limit!r}.")
        return float(limit), ("limit", float(limit))
    rule, amount = _checked(clip)
    largest = float(magnitudes.max())
    if largest == 0 or rule is None:
        return largest, None
    found = rule(magnitudes, amount)
    # in a sparse map a percentile may be 0: a scale that ends there would show no values at all
    return (found, clip) if found > 0 else (largest, None)


def _checked(clip: Clip) -> tuple[Callable[[np.ndarray, float], float] | None, float]:
    if clip is None:
        return None, 100.0
    if not isinstance(clip, (tuple, list)) or len(clip) != 2:
        raise ValueError(f'clip is a rule and an amount in percent, ("mass", 98), or None; got {clip!r}.')
    name, amount = clip
    rule = choose("clip rule", name, CLIPS)
    if not 0 < amount <= 100:
        raise ValueError(f"the amount of clip is a percentage above 0 and up to 100; got {amount!r}.")
    return rule, amount
