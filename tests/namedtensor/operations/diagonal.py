"""Rule S, two dims as rows and columns."""

import numpy as np

from tests.namedtensor.operations.row import Row


def embedded(xp, x, offset):
    """Each row of ``x`` on a diagonal."""
    return xp.stack([xp.diag(row, offset) for row in x]) if len(x) else np.zeros((0, 3, 3), x.dtype)


# fmt: off
def diagonal_rows():
    for offset in (0, 1, -2):
        more = {"slopes": True, "label": f"offset {offset}"}
        yield Row("diag", "a b c -> b d", lambda d, x, o=offset: x.diag(f"{d.c} {d.a}", d.d, offset=o),
                  lambda xp, x, o=offset: xp.diagonal(x, o, 2, 0), sizes={"a": 3, "c": 4}, **more)
        yield Row("diag_embed", "a b -> a c d", lambda d, x, o=offset: x.diag_embed(d.b, [d.c, d.d], offset=o),
                  lambda xp, x, o=offset: embedded(xp, x, o), sizes={"a": 2}, nonempty="b", **more)
        yield Row("trace", "a b c -> b", lambda d, x, o=offset: x.trace([d.c, d.a], offset=o),
                  lambda xp, x, o=offset: xp.trace(x, o, 2, 0), sizes={"a": 3, "c": 4}, **more)
        for name in ("tril", "triu"):
            yield Row(name, "a b c -> a b c", lambda d, x, f=name, k=offset: getattr(x, f)(f"{d.c} {d.a}", k=k),
                      lambda xp, x, f=name, k=offset: xp.transpose(getattr(xp, f)(xp.transpose(x, (1, 2, 0)), k), (2, 0, 1)),
                      sizes={"a": 3, "c": 4}, **more)
    yield Row("diag", "a b -> b", lambda d, x: x.diag([d.a, d.b], d.b), lambda xp, x: xp.diagonal(x),
              sizes={"a": 3, "b": 3}, label="keeps a name")
    yield Row("diag_embed", "a -> a b", lambda d, x: x.diag_embed(d.a, [d.a, d.b]), lambda xp, x: xp.diag(x),
              values=("integer",), label="integers")
    yield Row("tril", "a b -> a b", lambda d, x: x.tril(f"{d.a} {d.b}"), lambda xp, x: xp.tril(x), values=("bool",),
              label="booleans")
# fmt: on


ROWS = [*diagonal_rows()]
