"""Rule F: factories."""

import jax.numpy as jnp

import namedtensor as nt
from tests.namedtensor.operations.row import Row


# fmt: off
def factory_rows():
    yield Row("full", " -> a b", lambda d: nt.full(f"{d.a}:2 {d.b}:3", 7), lambda xp: xp.full((2, 3), 7, "int32"))
    yield Row("zeros", " -> a b", lambda d: nt.zeros(f"{d.a}:2 {d.b}:0"), lambda xp: xp.zeros((2, 0), "float32"))
    yield Row("ones", " -> a", lambda d: nt.ones(f"{d.a}:2", dtype=jnp.int32), lambda xp: xp.ones(2, "int32"))
    yield Row("arange", " -> a", lambda d: nt.arange(d.a, 4), lambda xp: xp.arange(4, dtype="int32"))
    yield Row("one_hot", "a b -> a b c", lambda d, x: nt.one_hot(x, d.c, 3),
              lambda xp, x: (x[..., None] == xp.arange(3)).astype("float32"), values=("integer",))
# fmt: on


ROWS = [*factory_rows()]
