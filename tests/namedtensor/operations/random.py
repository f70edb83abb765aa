"""Rule D: random tensors."""

import jax

import namedtensor as nt
from tests.namedtensor.operations.row import Row


# fmt: off
def random_row(name, **more):
    key = jax.random.key(7)
    return Row(name, " -> a b", lambda d: getattr(nt.random, name)(key, f"{d.a}:2 {d.b}:3", **more),
               lambda xp: getattr(jax.random, name)(key, (2, 3), float, *more.values()), label=str(more or ""))
# fmt: on


def random_rows():
    yield random_row("normal")
    yield random_row("uniform")
    yield random_row("uniform", low=-2.0, high=5.0)


ROWS = [*random_rows()]
