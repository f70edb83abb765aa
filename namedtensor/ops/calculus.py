"""Rules K and R along a dim that is sampled: differences, slopes and integrals."""

from typing import Any

import jax.numpy as jnp

from namedtensor._dims import Dims, axis_of, check_name, require, union, without
from namedtensor._errors import BadPattern
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._build import along
from namedtensor.ops._options import TENSOR
from namedtensor.ops._table import method, public
from namedtensor.ops.contract import dot


def _gradient(x: Any, *, axis: int, spacing: Any) -> Any:
    if jnp.ndim(spacing) == 0:
        return jnp.gradient(x, spacing, axis=axis)
    if jnp.size(spacing) != jnp.shape(spacing)[axis]:
        raise BadPattern("the positions have dims beside the one that is worked along.", "Give one vector.")
    return jnp.gradient(x, jnp.ravel(spacing), axis=axis)


# one line an operation ------------------------------------------------------------------------
diff = along("diff", jnp.diff, n=1)
gradient = along("gradient", _gradient, spacing=1.0)
gradient.__doc__ = """The slope along the one dim ``over``: central differences, one-sided at both ends.

``spacing`` is the distance of neighbours, or a vector of positions along ``over``. Names unchanged. For the
derivative of a function write `nt.grad`.
"""
unwrap = along("unwrap", jnp.unwrap, discont=TENSOR, period=6.283185307179586)


def _trapezoid_rule(names: tuple[Dims, ...], over: str, by_position: bool) -> Body:
    there, widths = names
    axis_of(there, over)
    if by_position:
        require(widths, [over])
    elif over in widths:
        raise BadPattern(
            f"dx has the dim {over!r}, which is summed over.", "Give the positions instead: x=..."
        )
    target = without(union(*names), [over])

    def trapezoid(y, x):
        y, x = NamedTensor(jnp.asarray(y), there), NamedTensor(jnp.asarray(x), widths)
        middle = (y.isel(**{over: slice(1, None)}) + y.isel(**{over: slice(-1)})) * 0.5
        # a contraction, because XLA on the CPU may miscompile a sum over a product of broadcasts
        area = dot(middle, x.diff(over), over=over) if by_position else middle.sum(over) * x
        return area.to_array(target)

    return Body(trapezoid, target)


_trapezoid = Operation(
    "trapezoid", _trapezoid_rule, ("over",), lambda over, by_position: (check_name(over), by_position)
)


@method
def trapezoid(y: NamedTensor, over: str, *, x: NamedTensor | None = None, dx: Any = 1.0) -> NamedTensor:
    """The integral along the dim ``over``: ``sum of (y[i] + y[i + 1]) / 2 * (x[i + 1] - x[i])``.

    Args:
      y: samples.
      over: the dim along which they are taken.
      x: their positions, a tensor with the dim ``over``; other names that both have are matched.
      dx: the distance of neighbours, where there is no ``x``.

    Returns:
      The names of all without ``over``.

    Raises:
      UnknownDim: ``y`` or ``x`` lacks ``over``.

    Example:
      >>> import namedtensor as nt
      >>> t = nt.tensor([0.0, 1.0, 3.0], "time")
      >>> nt.trapezoid(2 * t, "time", x=t).item()
      9.0
    """
    return run(_trapezoid, (y, dx if x is None else x), (over, x is not None))


__all__ = public(globals())
