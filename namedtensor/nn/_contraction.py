"""One contraction of two operands inside a larger plan."""

from collections.abc import Callable
from typing import Any

from namedtensor._dims import Dims, union, without
from namedtensor.ops.contract import contraction


def product(left: Dims, right: Dims, over: Dims, dtype: Any = None) -> tuple[Callable[..., Any], Dims]:
    """``f(a, b)``, one `lax.dot_general` that sums in ``dtype``, and the names of its result."""
    return contraction((left, right), without(union(left, right), over), None, dtype)
