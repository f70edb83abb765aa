"""Rule F: factories."""

import jax.numpy as jnp
import numpy as np

import namedtensor as nt
from tests.namedtensor.operations.row import Row


# fmt: off
def factory_rows():
    yield Row("full", " -> a b", lambda d: nt.full(f"{d.a}:2 {d.b}:3", 7), lambda xp: xp.full((2, 3), 7, "int32"))
    yield Row("full", " -> a", lambda d: nt.full({d.a: np.int64(2)}, nt.tensor(0.5, "")), lambda xp: xp.full(2, 0.5, "float32"),
              label="by a mapping")
    yield Row("zeros", " -> a b", lambda d: nt.zeros(f"{d.a}:2 {d.b}:0"), lambda xp: xp.zeros((2, 0), "float32"))
    yield Row("zeros", "a b -> a b", lambda d, x: nt.zeros(x.shape), lambda xp, x: xp.zeros_like(x), label="of a shape")
    yield Row("ones", " -> a", lambda d: nt.ones(f"{d.a}:2", dtype=jnp.int32), lambda xp: xp.ones(2, "int32"))
    yield Row("empty", " -> a", lambda d: nt.empty(f"{d.a}:2"), lambda xp: xp.zeros(2, "float32"))
    for kind in ("real", "integer", "bool", "complex"):
        for name in ("zeros_like", "ones_like"):
            yield Row(name, "a b -> a b", lambda d, x, f=name: getattr(nt, f)(x), lambda xp, x, f=name: getattr(xp, f)(x),
                      values=(kind,), label=kind)
    yield Row("zeros_like", "a -> a", lambda d, x: x.zeros_like(dtype=int), lambda xp, x: xp.zeros_like(x, "int32"),
              label="of another dtype")
    yield Row("empty_like", "a -> a", lambda d, x: nt.empty_like(x), lambda xp, x: xp.zeros_like(x))
    yield Row("full_like", "a b -> a b", lambda d, x: x.full_like(7), lambda xp, x: xp.full_like(x, 7))
    yield Row("full_like", "a -> a", lambda d, x: nt.full_like(x, 2.5, dtype=float), lambda xp, x: xp.full_like(x, 2.5, "float32"),
              values=("integer",), label="of another dtype")
    for k in (0, -1, 2):
        for name in ("eye", "tri"):
            yield Row(name, " -> a b", lambda d, f=name, k=k: getattr(nt, f)(f"{d.a}:3 {d.b}:4", k=k),
                      lambda xp, f=name, k=k: getattr(xp, f)(3, 4, k, dtype="float32"), label=f"{k}")
    yield Row("one_hot", "a b -> a b c", lambda d, x: nt.one_hot(x, d.c, 3),
              lambda xp, x: (x[..., None] == xp.arange(3)).astype("float32"), values=("integer",))
# fmt: on


ROWS = [*factory_rows()]
