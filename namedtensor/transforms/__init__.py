"""JAX's transformations on named functions.

A `NamedTensor` is a pytree, so most of JAX works as it is (`jit` and `checkpoint` are JAX's own).
What is here adds what names need: a loss that is a named scalar, derivatives whose dims have names,
mapping and scanning over a dim by name, and results that are lined up by name where JAX asks for two
of one kind.
"""

import jax

from namedtensor.transforms import exporting
from namedtensor.transforms.branches import cond, switch
from namedtensor.transforms.differentiate import grad, value_and_grad
from namedtensor.transforms.jacobian import hessian, jacobian
from namedtensor.transforms.loops import associative_scan, fori_loop, scan, while_loop
from namedtensor.transforms.mapping import map, vmap
from namedtensor.transforms.tangents import jvp, linearize, vjp

jit = jax.jit
checkpoint = jax.checkpoint

__all__ = [
    "associative_scan",
    "checkpoint",
    "cond",
    "exporting",
    "fori_loop",
    "grad",
    "hessian",
    "jacobian",
    "jit",
    "jvp",
    "linearize",
    "map",
    "scan",
    "switch",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
]
