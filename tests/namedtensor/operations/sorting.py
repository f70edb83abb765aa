"""Rules K and R by rank."""

import numpy as np

from tests.namedtensor.operations.row import Row


def commonest(xp, x):
    """By counting, one vector after another."""

    def of_one(values):
        found, counts = np.unique(values, return_counts=True)
        return found[counts.argmax()], counts.max()

    pairs = np.apply_along_axis(of_one, 1, x)
    return [pairs[:, 0].astype(np.int32), pairs[:, 1].astype(np.int32)]


def second(xp, x):
    order = xp.argsort(x, 1)
    return [xp.take_along_axis(x, order, 1)[:, 1], order[:, 1]]


def gathered(x, over, new):
    return x[{over: x.argpartition(over, kth=2).rename(**{over: new})}]


# fmt: off
def sorting_rows():
    ints = {"values": ("integer",)}
    yield Row("sort", "a b c -> a b c", lambda d, x: x.sort(d.b), lambda xp, x: xp.sort(x, 1), slopes=True)
    yield Row("sort", "a b -> a b", lambda d, x: x.sort(d.b, descending=True), lambda xp, x: -xp.sort(-x, 1),
              slopes=True, label="descending")
    yield Row("argsort", "a b c -> a b c", lambda d, x: x.argsort(d.b), lambda xp, x: xp.argsort(x, 1, stable=True), **ints)
    yield Row("argsort", "a b -> a b", lambda d, x: x.argsort(d.b, descending=True, stable=True),
              lambda xp, x: xp.argsort(-x, 1, stable=True), label="descending", **ints)
    yield Row("partition", "a b -> b", lambda d, x: x.partition(d.a, kth=1).isel(**{d.a: 1}),
              lambda xp, x: xp.sort(x, 0)[1], sizes={"a": 4}, slopes=True)
    yield Row("argpartition", "a b -> k b", lambda d, x: gathered(x, d.a, d.k).sort(d.k),
              lambda xp, x: xp.sort(x, 0), sizes={"a": 4})
    yield Row("kthvalue", "a b c -> a c, a c", lambda d, x: x.kthvalue(d.b, k=2), second, sizes={"b": 3})
    yield Row("kthvalue", "a b -> a", lambda d, x: x.kthvalue(d.b, k=2)[0], lambda xp, x: second(xp, x)[0],
              sizes={"b": 3}, slopes=True, label="slopes")
    yield Row("mode", "a b -> a, a", lambda d, x: x.mode(d.b), commonest, sizes={"b": 7}, nonempty="a", **ints)
    yield Row("top_k", "a b c -> a k c, a k c", lambda d, x: x.top_k(d.b, k=2, new=d.k),
              lambda xp, x: [-xp.sort(-x, 1)[:, :2], xp.argsort(-x, 1)[:, :2]], sizes={"b": 4})
    yield Row("top_k", "a b -> a b", lambda d, x: x.top_k(d.b, k=2)[0], lambda xp, x: -xp.sort(-x, 1)[:, :2],
              sizes={"b": 3}, slopes=True, label="same name")
    yield Row("top_k", "a b -> k b", lambda d, x: x[{d.a: x.top_k(d.a, k=3, new=d.k)[1]}],
              lambda xp, x: -xp.sort(-x, 0)[:3], sizes={"a": 4}, label="gather")
# fmt: on


ROWS = [*sorting_rows()]
