"""Rule I, look-ups."""

import numpy as np

import namedtensor as nt
from tests.namedtensor.operations.row import Row


def by_row(function, rows, *more):
    return np.stack([function(row, *m) for row, *m in zip(rows, *more, strict=True)])


# fmt: off
def search_rows():
    whole, two = ("integer", "integer"), {"b": 2}
    for side in ("left", "right"):
        yield Row("searchsorted", "a, b c -> b c", lambda d, e, x, s=side: e.sort(d.a).searchsorted(x, d.a, side=s),
                  lambda xp, e, x, s=side: xp.searchsorted(xp.sort(e), x, s), values=whole, label=side)
    yield Row("searchsorted", "a b, c b -> b c", lambda d, e, x: nt.searchsorted(e.sort(d.a), x, d.a),
              lambda xp, e, x: by_row(np.searchsorted, xp.sort(e, 0).T, x.T), values=whole, sizes=two, label="matched")
    yield Row("searchsorted", "a b, c -> b c", lambda d, e, x: nt.searchsorted(e.sort(d.a), x, d.a),
              lambda xp, e, x: by_row(np.searchsorted, xp.sort(e, 0).T, [x, x]), values=whole, sizes=two,
              label="a batch dim of the edges")
    yield Row("searchsorted", "a -> ", lambda d, e: nt.searchsorted(e.sort(d.a), 0, d.a),
              lambda xp, e: xp.searchsorted(xp.sort(e), 0), values=("integer",), label="a number")
    for right in (False, True):
        yield Row("digitize", "b c, a -> b c", lambda d, x, e, r=right: x.digitize(e.sort(d.a), d.a, right=r),
                  lambda xp, x, e, r=right: xp.digitize(x, xp.sort(e), r), values=whole, label=f"right={right}")
    yield Row("digitize", "c b, a b -> b c", lambda d, x, e: nt.digitize(x, e.sort(d.a).flip(d.a), d.a),
              lambda xp, x, e: by_row(np.digitize, x.T, xp.sort(e, 0)[::-1].T), values=whole, sizes=two,
              nonempty="a", label="matched, descending")
    yield Row("isin", "a b, c d -> a b", lambda d, x, s: x.isin(s), lambda xp, x, s: xp.isin(x, s), values=whole)
    yield Row("isin", "a b, b c -> a b", lambda d, x, s: nt.isin(x, s),
              lambda xp, x, s: by_row(np.isin, x.T, s).T, values=whole, sizes=two, label="matched")
    yield Row("isin", "a b, b c -> a b", lambda d, x, s: nt.isin(x, s, [d.b, d.c]), lambda xp, x, s: xp.isin(x, s),
              values=whole, label="all of them")
    yield Row("isin", "a, b c -> a b", lambda d, x, s: nt.isin(x, s, d.c), lambda xp, x, s: by_row(lambda row: np.isin(x, row), s).T,
              values=whole, sizes=two, label="several sets")
# fmt: on


ROWS = [*search_rows()]
