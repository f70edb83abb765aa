"""The exponential: ``exp(base + dlo) = exp(base) * exp(dlo)``, the dealer's number times a public one.

On segments four wide. A coefficient has two digits, because with one neither factor could be exact to
better than ``2 ** -16``.

Example:
  >>> import numpy as np
  >>> from crypten_lite.functions.exp import EXP
  >>> from crypten_lite.functions.tables import apply
  >>> z, masks = np.array([-1 << 16, 0, 3 << 16]), np.array([5, 6, 7], np.uint64)
  >>> np.round(apply(EXP, z, masks, scale=16) / 2**32, 3)
  array([ 0.368,  1.   , 20.086])
"""

import math

import numpy as np

from crypten_lite.functions.piecewise import Line, Piecewise, Segments


def exp_on(low: float, high: float) -> Piecewise:
    """``exp(z)`` for ``low <= z < high``, declared: no comparison.

    Args:
      low: where the range begins.
      high: where it ends, at most 28 above, and at most 20 so that results stay below ``2 ** 29``.

    Returns:
      Error at most ``1.6e-5 * max(exp(z), 1)``; 16 coefficients an element.

    Raises:
      ValueError: a range that is empty, wider than 28, or ends above 20.

    Example:
      >>> from crypten_lite.functions.exp import exp_on
      >>> exp_on(-5, 1).domain
      (-5, 1)
    """
    if not (low < high <= 20 and high - low <= 28):
        raise ValueError(f"exp from {low} to {high}: the range is at most 28 wide and ends at 20 or below.")
    return Piecewise("exp", np.exp, (_table(low, high),), (), 1.6e-5, (low, high), relative=True, floor=1.0)


def exp_below(top: float) -> Piecewise:
    """``exp(z)`` for ``z < top``; 0 where it is 28 below or lower, ``exp(top)`` from ``top`` on.

    Args:
      top: at most 17, so that what is lost below is at most ``exp(-11)``, and forty of the largest add up.

    Returns:
      Error at most ``2e-5 * max(exp(z), 1)``; 2 thresholds, 16 coefficients.

    Raises:
      ValueError: a top above 17.

    Example:
      >>> from crypten_lite.functions.exp import exp_below
      >>> exp_below(9).thresholds
      (-19, 9)
    """
    if top > 17:
        raise ValueError(f"exp below {top}: at most 17, or declare a range with exp_on.")
    pieces = (Line(0, 0.0), _table(top - 28, top), Line(0, math.exp(top)))
    return Piecewise("exp", np.exp, pieces, (top - 28, top), 2e-5, (-np.inf, top), relative=True, floor=1.0)


def _table(low: float, high: float) -> Segments:
    return Segments(np.exp, low, high, segments=8, degree=0, basis="exponential", bits=((7, 18),))


EXP = exp_below(17.0)
"""``exp(z)`` for ``z < 17``, within ``2e-5 * max(exp(z), 1)``; 0 below -11; from 17 on ``exp(17)``."""

EXP_NEGATIVE = Piecewise(
    name="exp of a negative number",
    function=np.exp,
    pieces=(Line(0, 0.0), _table(-27.5, 0.5)),
    thresholds=(-27.5,),
    error=1.6e-5,
    domain=(-np.inf, 0.5),
    relative=True,
    floor=1.0,
)
"""``exp(z)`` for ``z < 0.5``, within ``1.6e-5 * exp(z) + 2.5e-7``.

What is small is known well too, so that the thousand terms of a softmax add up.
"""

EXP_NEGATIVE_COARSE = Piecewise(
    name="exp of a negative number, coarsely",
    function=np.exp,
    pieces=(Line(0, 0.0), Segments(np.exp, -13.5, 0.5, 8, 0, "exponential", ((16,),))),
    thresholds=(-13.5,),
    error=5e-5,
    domain=(-np.inf, 0.5),
    relative=True,
    floor=1.0,
)
"""``exp(z)`` for ``z < 0.5``, within 5e-5 absolute: half the coefficients of `EXP_NEGATIVE`."""
