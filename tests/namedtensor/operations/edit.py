"""Rule S, positions of one dim."""

import numpy as np

import namedtensor as nt
from tests.namedtensor.operations.row import Row


# fmt: off
def edit_rows():
    three = {"b": 3}
    for at in (0, 1, 3, -1):
        yield Row("insert", "a b, a -> a b", lambda d, x, y, at=at: x.insert(d.b, at, y),
                  lambda xp, x, y, at=at: xp.insert(x, at, y, axis=1), sizes=three, slopes=at == 1, label=str(at))
    yield Row("insert", "a b, c a -> a b", lambda d, x, y: x.insert(d.b, 2, y.rename(**{d.c: d.b})),
              lambda xp, x, y: xp.concatenate([x[:, :2], y.T, x[:, 2:]], 1), sizes=three, slopes=True, label="several")
    yield Row("insert", "a b -> a b", lambda d, x: x.insert(d.b, 1, 7), lambda xp, x: xp.insert(x, 1, 7, axis=1),
              sizes=three, label="a number")
    yield Row("append", "a b, b a -> a b", lambda d, x, y: x.append(d.b, y),
              lambda xp, x, y: xp.append(x, y.T, axis=1), slopes=True)
    yield Row("append", "a b, a -> a b", lambda d, x, y: x.append(d.b, y),
              lambda xp, x, y: xp.append(x, y[:, None], axis=1), label="one position")
    yield Row("append", "a -> a", lambda d, x: x.append(d.a, nt.tensor(1.5, "")), lambda xp, x: xp.append(x, 1.5),
              label="a number")
    for what in (1, -1, [0, 2], [], slice(0, 2), slice(None, None, 2), slice(5, 9)):
        yield Row("delete", "a b -> a b", lambda d, x, what=what: x.delete(d.b, what),
                  lambda xp, x, what=what: xp.delete(x, np.array(what, int) if isinstance(what, list) else what, axis=1),
                  sizes=three, slopes=what == [0, 2], label=str(what))
    yield Row("repeat", "a b -> a b", lambda d, x: x.repeat(d.b, 3), lambda xp, x: xp.repeat(x, 3, 1), slopes=True)
    yield Row("repeat", "a b -> a b", lambda d, x: x.repeat(d.b, nt.tensor([2, 0, 3], d.b), total=5),
              lambda xp, x: xp.repeat(x, xp.array([2, 0, 3]), 1), sizes=three, label="each as often as told")
    yield Row("tile", "a b -> a b", lambda d, x: x.tile(d.b, 2), lambda xp, x: xp.tile(x, (1, 2)), slopes=True)
    yield Row("tile", "a b -> a b", lambda d, x: x.tile(d.a, 0), lambda xp, x: xp.tile(x, (0, 1)), label="never")
# fmt: on


ROWS = [*edit_rows()]
