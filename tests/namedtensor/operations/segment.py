"""Rule I, sums by number."""

import numpy as np

import namedtensor as nt
from tests.namedtensor.operations.row import Row

START = {"segment_sum": 0, "segment_prod": 1, "segment_max": -np.inf, "segment_min": np.inf}
JOIN = {"segment_sum": "add", "segment_prod": "multiply", "segment_max": "maximum", "segment_min": "minimum"}


def segments(xp, name, x, ids, size):
    """The first axis of ``x`` by number, in a loop: what is out of range is left out."""
    out = [xp.full(x.shape[1:], START[name], x.dtype) for _ in range(size)]
    for row, i in zip(x, ids, strict=True):
        out = [xp.where(i == s, getattr(xp, JOIN[name])(held, row), held) for s, held in enumerate(out)]
    return xp.stack(out)


def counts(xp, ids, size):
    return xp.stack([(ids == i).sum(0) for i in range(size)]).astype("int32")


# fmt: off
def segment_rows():
    five = {"a": 5}
    for name in START:
        f, more = getattr(nt, name), {"values": ("real", "index"), "roundings": 4, "slopes": name != "segment_prod"}
        if name in ("segment_max", "segment_min"):  # a slope where there is nothing is none, but weighs inf
            more["slopes"] = False
        yield Row(name, "a b, a -> c b", lambda d, x, i, f=f: f(x, i, over=d.a, new=d.c, size=2),
                  lambda xp, x, i, n=name: segments(xp, n, x, i, 2), sizes=five, **more)
        yield Row(name, "a b c, b a -> b d c", lambda d, x, i, f=f: f(x, i, over=d.a, new=d.d, size=3),
                  lambda xp, x, i, n=name: xp.stack([segments(xp, n, x[:, k], i[k], 3) for k in range(2)]),
                  sizes={"a": 5, "b": 2}, label="a batch dim of both", **more)
    sums = {"values": ("real", "index"), "roundings": 4}
    yield Row("segment_sum", "a b, a c -> c b d", lambda d, x, i: nt.segment_sum(x, i, over=d.a, new=d.d, size=2),
              lambda xp, x, i: xp.stack([xp.moveaxis(segments(xp, "segment_sum", x, i[:, k], 2), 0, -1) for k in range(2)]),
              sizes={"a": 5, "c": 2}, label="a batch dim of the numbers", **sums)
    yield Row("segment_sum", "a b c, b a -> d c", lambda d, x, i: nt.segment_sum(x, i, over=[d.b, d.a], new=d.d, size=2),
              lambda xp, x, i: segments(xp, "segment_sum", xp.moveaxis(x, 1, 0).reshape(10, -1), i.reshape(10), 2),
              sizes={"a": 5, "b": 2}, label="two dims", **sums)
    yield Row("segment_sum", "a, a -> a", lambda d, x, i: nt.segment_sum(x, i, over=d.a, new=d.a, size=2),
              lambda xp, x, i: segments(xp, "segment_sum", x, i, 2), label="keeps the name", **sums)
    yield Row("segment_sum", "a, a -> c", lambda d, x, i: nt.segment_sum(x, i, over=d.a, new=d.c, size=2),
              lambda xp, x, i: segments(xp, "segment_sum", x.astype("int32"), i, 2), values=("bool", "index"),
              sizes=five, label="booleans are counted")
    yield Row("bincount", "a b -> c", lambda d, i: i.bincount(d.c, 3), lambda xp, i: counts(xp, i.reshape(-1), 3),
              values=("index",))
    yield Row("bincount", "a b -> b c", lambda d, i: i.bincount(d.c, 2, over=d.a), lambda xp, i: counts(xp, i, 2).T,
              values=("index",), label="a batch dim")
    yield Row("bincount", "a, a b -> c b", lambda d, i, w: i.bincount(d.c, 2, weights=w),
              lambda xp, i, w: segments(xp, "segment_sum", w, i, 2), values=("index", "real"), sizes=five,
              roundings=4, slopes=True, label="weights")
    yield Row("bincount", "a b, b -> c b", lambda d, i, w: i.bincount(d.c, 2, over=d.a, weights=w),
              lambda xp, i, w: counts(xp, i, 2).astype("float32") * w[None], values=("index", "real"),
              roundings=4, slopes=True, label="weights of the batch")
# fmt: on


ROWS = [*segment_rows()]
