"""Activations: rule U, with the functions of `jax.nn`. Each is `nt.relu`, `nt.nn.relu` and ``x.relu()``.

A parameter of an activation may be a tensor too: ``x.leaky_relu(negative_slope=slopes)`` with
``slopes[channel]`` is the parametric ReLU of He et al. (2015, arXiv:1502.01852).
"""

from typing import Any

import jax

from namedtensor._errors import SizeMismatch
from namedtensor._tensor import NamedTensor, named
from namedtensor.ops._build import along, unary
from namedtensor.ops._table import alias, public


def _glu(x: Any, *, axis: int) -> Any:
    if x.shape[axis] % 2:
        raise SizeMismatch(f"the dim is halved, and has the odd size {x.shape[axis]}.", "Make its size even.")
    return jax.nn.glu(x, axis)


# one line an operation ------------------------------------------------------------------------
celu = unary("celu", jax.nn.celu, alpha=1.0)
elu = unary("elu", jax.nn.elu, alpha=1.0)
gelu = unary("gelu", jax.nn.gelu, approximate=True)
hard_sigmoid = unary("hard_sigmoid", jax.nn.hard_sigmoid)
hard_silu = unary("hard_silu", jax.nn.hard_silu)
hard_tanh = unary("hard_tanh", jax.nn.hard_tanh)
leaky_relu = unary("leaky_relu", jax.nn.leaky_relu, negative_slope=0.01)
log1mexp = unary("log1mexp", jax.nn.log1mexp)
log_sigmoid = unary("log_sigmoid", jax.nn.log_sigmoid)
mish = unary("mish", jax.nn.mish)
relu = unary("relu", jax.nn.relu)
relu6 = unary("relu6", jax.nn.relu6)
selu = unary("selu", jax.nn.selu)
sigmoid = unary("sigmoid", jax.nn.sigmoid)
silu = unary("silu", jax.nn.silu)
soft_sign = unary("soft_sign", jax.nn.soft_sign)
softplus = unary("softplus", jax.nn.softplus)
sparse_plus = unary("sparse_plus", jax.nn.sparse_plus)
sparse_sigmoid = unary("sparse_sigmoid", jax.nn.sparse_sigmoid)
squareplus = unary("squareplus", jax.nn.squareplus, b=4.0)

glu = along("glu", _glu)
glu.__doc__ = """The gated linear unit: the first half along the dim ``over`` times the sigmoid of the second.

Names: those of ``x``; ``over`` has half the size. ``SizeMismatch`` when its size is odd.
"""

# the second names that jax.nn, jax.lax and jax.scipy have
expit = alias("expit", sigmoid)
hard_swish = alias("hard_swish", hard_silu)
logistic = alias("logistic", sigmoid)
swish = alias("swish", silu)


def identity(x: NamedTensor) -> NamedTensor:
    """``x`` itself: no activation. Of the functions here it is the one in `nt.nn` alone.

    Example:
      >>> import namedtensor as nt
      >>> nt.nn.identity(nt.ones("batch:2")).shape
      Shape(batch:2)
    """
    return named(x)


__all__ = [name for name in public(globals()) if name != "identity"]
