"""Rule I: positions and gathers."""

import jax.numpy as jnp
import numpy as np

import namedtensor as nt
from tests.namedtensor.operations.row import Row


# fmt: off
def index_rows():
    real_index, three = ("real", "index", "index"), {"a": 3, "b": 3}
    yield Row("isel", "a b -> a", lambda d, x: x.isel(**{d.b: 1}), lambda xp, x: x[:, 1],
              sizes=three, slopes=True, label="integer")
    yield Row("isel", "a b -> a", lambda d, x: x[{d.b: np.int64(-1)}], lambda xp, x: x[:, -1],
              nonempty="b", label="from the end")
    yield Row("isel", "a b -> ", lambda d, x: x[{d.b: nt.tensor(2, ""), d.a: jnp.int32(0)}], lambda xp, x: x[0, 2],
              sizes=three, label="arrays of no axes")
    for s in (slice(1, 3), slice(None, None, -1), slice(-1, None), slice(5, 9), slice(None, None, 2)):
        yield Row("isel", "a b -> a b", lambda d, x, s=s: x.isel(**{d.a: s}), lambda xp, x, s=s: x[s],
                  slopes=s.step == -1, label=str(s))
    yield Row("isel", "a b, c -> c b", lambda d, x, i: x.isel(**{d.a: i}), lambda xp, x, i: x[i],
              values=real_index, sizes=three, slopes=True, label="new dim")
    yield Row("isel", "a b, c d -> c d b", lambda d, x, i: x[{d.a: i}], lambda xp, x, i: x[i],
              values=real_index, sizes={"a": 3}, label="two new dims")
    yield Row("isel", "a b c, b -> b c", lambda d, x, i: x.isel(**{d.a: i}),
              lambda xp, x, i: xp.stack([x[i[k], k] for k in range(3)]),
              values=real_index, sizes=three, slopes=True, label="shared dim")
    yield Row("isel", "a b c, d b -> b d c", lambda d, x, i: x.isel(**{d.a: i}),
              lambda xp, x, i: xp.stack([x[i[:, k], k] for k in range(3)]),
              values=real_index, sizes=three, label="shared and new")
    yield Row("isel", "a b, c, c -> c", lambda d, x, i, j: x.isel(**{d.a: i, d.b: j}),
              lambda xp, x, i, j: x[i, j], values=real_index, sizes=three, label="pairs")
    yield Row("isel", "a b c, d, d e -> d e b", lambda d, x, i, j: x[{d.a: i, d.c: j}],
              lambda xp, x, i, j: x[i[:, None], :, j], values=real_index,
              sizes={"a": 3, "c": 3}, slopes=True, label="pairs, apart and of other dims")
    yield Row("isel", "a b c, b d, d -> b d", lambda d, x, i, j: x.isel(**{d.a: i, d.c: j}),
              lambda xp, x, i, j: xp.stack([x[i[k], k, j] for k in range(3)]), values=real_index,
              sizes={"a": 3, "b": 3, "c": 3}, slopes=True, label="pairs, one of them shared")
    yield Row("isel", "a b c, a -> b", lambda d, x, i: x[{d.a: 1, d.b: slice(1, None), d.c: i.isel(**{d.a: 0})}],
              lambda xp, x, i: x[1, 1:, i[0]], values=real_index, sizes=three | {"c": 3}, label="all kinds")
    for kind in ("integer", "bool", "complex"):
        yield Row("isel", "a b, c -> c b", lambda d, x, i: x.isel(**{d.a: i}), lambda xp, x, i: x[i],
                  values=(kind, "index"), sizes=three, label=f"of {kind}")
# fmt: on


ROWS = [*index_rows()]
