"""Rule L: linear algebra over two named dims.

The matrices have condition number 4. A result of a stable algorithm is then off by some 4 roundings for each
entry, and a difference of two inverses by 16. What is unique up to a sign or an order alone is compared through
what it must satisfy.
"""

import jax
import numpy as np
import scipy.linalg

import namedtensor as nt
from tests.namedtensor.operations.row import Row

SQUARE = {"c": "b"}
INF = float("inf")


def transposed(x):
    return x.swapaxes(-1, -2)


def symmetric(x):
    return (x + transposed(x)) / 2


def eye(xp, n, batch):
    return xp.broadcast_to(xp.eye(n, dtype="float32"), (batch, n, n))


def expm(xp, x):
    return scipy.linalg.expm(x) if xp is np else jax.scipy.linalg.expm(x)


def solved(formula):
    """The solution by the pseudo-inverse, which is the inverse of a square matrix."""
    return lambda xp, a, b: xp.einsum(formula, xp.linalg.pinv(a), b)


# name -> positional function of [a, b, c] with results in the order of the roles: of a square matrix
SQUARE_ROWS = {
    "cholesky": ("a b c", lambda xp, x: xp.linalg.cholesky(symmetric(x))),
    "det": ("a", lambda xp, x: xp.linalg.det(x)),
    "expm": ("a b c", expm),
    "inv": ("a c b", lambda xp, x: xp.linalg.inv(x)),
    "slogdet": ("a, a", lambda xp, x: tuple(xp.linalg.slogdet(x))),
    "trace": ("a", lambda xp, x: xp.trace(x, axis1=1, axis2=2)),
}
MATRIX_ORDERS = ["fro", "nuc", INF, -INF, 1, -1, 2, -2]
VECTOR_ORDERS = [2, 1, INF, -INF, 3, -1, 0]


# fmt: off
def square_rows():
    for name, (result, positional) in SQUARE_ROWS.items():
        yield Row(name, f"a b c -> {result}", lambda d, x, f=getattr(nt.linalg, name): f(x, f"{d.b} {d.c}"), positional,
                  values=("spd" if name == "cholesky" else "matrix",), sizes=SQUARE, slopes=True, roundings=16)
    yield Row("cholesky", "a b c -> a b c", lambda d, x: nt.linalg.cholesky(x, [d.b, d.c], upper=True),
              lambda xp, x: transposed(xp.linalg.cholesky(symmetric(x))), values=("spd",), sizes=SQUARE, roundings=16,
              label="upper")
    for n in (0, 1, 3):
        yield Row("matrix_power", "a b c -> a b c", lambda d, x, n=n: nt.linalg.matrix_power(x, f"{d.b} {d.c}", n),
                  lambda xp, x, n=n: xp.linalg.matrix_power(x, n), values=("matrix",), sizes=SQUARE, slopes=n == 3,
                  roundings=4, label=str(n))
    yield Row("matrix_power", "a b c -> a c b", lambda d, x: nt.linalg.matrix_power(x, f"{d.b} {d.c}", -2),
              lambda xp, x: xp.linalg.matrix_power(x, -2), values=("matrix",), sizes=SQUARE, roundings=64, label="-2")


def rectangular_rows():
    more = {"values": ("matrix",), "nonempty": "b c"}
    yield Row("pinv", "a b c -> a c b", lambda d, x: nt.linalg.pinv(x, f"{d.b} {d.c}"),
              lambda xp, x: xp.linalg.pinv(x), slopes=True, roundings=16, **more)
    yield Row("pinv", "a b c -> a c b", lambda d, x: nt.linalg.pinv(x, f"{d.b} {d.c}", rtol=0.5),
              lambda xp, x: xp.linalg.pinv(x, rtol=0.5), roundings=16, label="rtol", **more)
    yield Row("matrix_rank", "a b c -> a", lambda d, x: nt.linalg.matrix_rank(x, f"{d.b} {d.c}"),
              lambda xp, x: xp.linalg.matrix_rank(x), **more)
    yield Row("matrix_rank", "a b, a c -> a", lambda d, x, y: nt.linalg.matrix_rank(x * y, f"{d.b} {d.c}"),
              lambda xp, x, y: xp.linalg.matrix_rank(x[:, :, None] * y[:, None]), values=("positive", "positive"),
              nonempty="b c", label="of an outer product")
    yield Row("matrix_rank", "a b c -> a", lambda d, x: nt.linalg.matrix_rank(x, f"{d.b} {d.c}", rtol=0.7),
              lambda xp, x: xp.linalg.matrix_rank(x, rtol=0.7), label="rtol", **more)
    for p in (None, -2):
        yield Row("cond", "a b c -> a", lambda d, x, p=p: nt.linalg.cond(x, f"{d.b} {d.c}", p=p),
                  lambda xp, x, p=p: xp.linalg.cond(x, p), slopes=p is None, roundings=16, label=str(p), **more)
    for p in ("fro", 1, -INF):
        yield Row("cond", "a b c -> a", lambda d, x, p=p: nt.linalg.cond(x, f"{d.b} {d.c}", p=p),
                  lambda xp, x, p=p: xp.linalg.cond(x, p), roundings=64, label=str(p), sizes=SQUARE, **more)


def norm_rows():
    for ord in MATRIX_ORDERS:
        yield Row("matrix_norm", "a b c -> a", lambda d, x, o=ord: nt.linalg.matrix_norm(x, f"{d.b} {d.c}", ord=o),
                  lambda xp, x, o=ord: xp.linalg.matrix_norm(x, ord=o), values=("matrix",), nonempty="b c",
                  slopes=ord in ("nuc", 1), roundings=8, label=str(ord))
    for ord in VECTOR_ORDERS:
        yield Row("vector_norm", "a b c -> b", lambda d, x, o=ord: nt.linalg.vector_norm(x, f"{d.c} {d.a}", ord=o),
                  lambda xp, x, o=ord: xp.linalg.vector_norm(x, axis=(0, 2), ord=o), values=("positive",),
                  nonempty="a b c", slopes=ord in (2, 3), roundings=4, label=str(ord))
    yield Row("vector_norm", "a b -> ", lambda d, x: nt.linalg.vector_norm(x), lambda xp, x: xp.linalg.vector_norm(x),
              nonempty="a b", roundings=4, label="all dims")
    yield Row("vector_norm", "a b -> a b", lambda d, x: nt.linalg.vector_norm(x, ""), lambda xp, x: abs(x), label="no dims")
    yield Row("norm", "a b c -> ", lambda d, x: nt.linalg.norm(x), lambda xp, x: xp.sqrt((x * x).sum()), nonempty="a b c",
              slopes=True, roundings=4)
    yield Row("norm", "a b c -> b", lambda d, x: nt.linalg.norm(x, [d.a, d.c]), lambda xp, x: xp.sqrt((x * x).sum((0, 2))),
              nonempty="a b c", roundings=4, label="two dims")
    yield Row("norm", "a b -> a", lambda d, x: nt.linalg.norm(x, d.b, ord=1), lambda xp, x: abs(x).sum(1), nonempty="b",
              roundings=4, label="vector")
    yield Row("norm", "a b c -> b", lambda d, x: nt.linalg.norm(x, f"{d.c} {d.a}", ord=1),
              lambda xp, x: abs(x).sum(2).max(0), nonempty="a b c", roundings=4, label="matrix")
    yield Row("cross", "a b, c b -> a c b", lambda d, x, y: nt.linalg.cross(x, y, over=d.b),
              lambda xp, x, y: xp.cross(x[:, None], y[None]), sizes={"b": 3}, slopes=True, roundings=4)


def system_rows():
    def solve(label, signature, formula, name="solve", values="matrix", **more):
        def named(d, a, b):
            return getattr(nt.linalg, name)(a, b, over=f"{d.b} {d.c}")

        return Row(name, signature, named, solved(formula), values=(values,), roundings=16, label=label, **more)

    square = {"sizes": SQUARE, "nonempty": "b c"}
    yield solve("one", "b c, b -> c", "cb,b->c", slopes=True, **square)
    yield solve("shared batch", "a b c, b a d -> a c d", "acb,bad->acd", slopes=True, **square)
    yield solve("several columns", "b c, e b d -> e d c", "cb,ebd->edc", slopes=True, **square)
    yield solve("batch of the matrix alone", "a b c, b d -> a c d", "acb,bd->acd", **square)
    yield solve("one", "b c, b -> c", "cb,b->c", "lstsq", slopes=True, nonempty="b c")
    yield solve("batch", "a b c, b a d -> a c d", "acb,bad->acd", "lstsq", slopes=True, nonempty="b c")
    yield solve("more unknowns", "a b c, b d -> a c d", "acb,bd->acd", "lstsq", sizes={"b": 2, "c": 3})
    for low in (True, False):
        yield Row("solve_triangular", "a b c, a b -> a c",
                  lambda d, a, b, low=low: nt.linalg.solve_triangular(a, b, over=f"{d.b} {d.c}", lower=low),
                  lambda xp, a, b, low=low: xp.linalg.solve(xp.tril(a) if low else xp.triu(a), b[..., None])[..., 0],
                  values=("spd",), slopes=True, roundings=16, label="lower" if low else "upper", **square)
    yield Row("solve_triangular", "b c, d b -> d c",
              lambda d, a, b: nt.linalg.solve_triangular(a, b, over=f"{d.b} {d.c}", lower=True, unit_diagonal=True),
              lambda xp, a, b: xp.linalg.solve(xp.tril(a, -1) + xp.eye(len(a), dtype="float32"), b.T).T,
              values=("matrix",), slopes=True, roundings=16, label="unit diagonal", **square)
    yield Row("solve_triangular", "b c, d b -> d c",
              lambda d, a, b: nt.linalg.solve_triangular(a.rename(**{d.b: d.c, d.c: d.b}), b, over=f"{d.b} {d.c}", lower=False),
              lambda xp, a, b: xp.linalg.solve(xp.tril(a).T, b.T).T, values=("spd",), roundings=16, label="transposed", **square)


def factor_rows():
    def both(d):
        return f"{d.b} {d.c}"

    def qr(d, x):
        q, r = nt.linalg.qr(x, both(d), new=d.d)
        return q.dot(d.d, r), q.dot(d.b, q.rename(**{d.d: d.e}))

    def svd(d, x):
        u, s, vh = nt.linalg.svd(x, both(d), new=d.d)
        gram = u.dot(d.b, u.rename(**{d.d: d.e})), vh.dot(d.c, vh.rename(**{d.d: d.e}))
        return nt.dot(u * s, vh, over=d.d), s, *gram

    def eigh(d, x):
        w, v = nt.linalg.eigh(x, both(d), new=d.d)
        return w, nt.dot(v * w, v.rename(**{d.b: d.c}), over=d.d)

    def eig(d, x):
        w, v = nt.linalg.eig(x, both(d), new=d.d)
        return x.dot(d.c, v.rename(**{d.b: d.c})) - w * v, nt.linalg.vector_norm(v, d.b)

    def eigvals(d, x):
        w = nt.linalg.eigvals(x, both(d), new=d.b)
        return w.sum(d.b), (w * w).sum(d.b), w.prod(d.b)

    def svd_of(xp, x):
        gram = eye(xp, min(x.shape[1:]), x.shape[0])
        return x, xp.linalg.svd(x, compute_uv=False), gram, gram

    more = {"nonempty": "b c", "roundings": 16, "values": ("matrix",)}
    yield Row("qr", "a b c -> a b c, a d e", qr, lambda xp, x: (x, eye(xp, min(x.shape[1:]), x.shape[0])), **more)
    yield Row("qr", "a b c -> a b c, a d e", qr, lambda xp, x: (x, eye(xp, min(x.shape[1:]), x.shape[0])),
              slopes=True, label="tall", sizes={"b": 3, "c": 2}, **more)
    yield Row("svd", "a b c -> a b c, a d, a d e, a d e", svd, svd_of, slopes=True, **more)
    yield Row("svdvals", "a b c -> a d", lambda d, x: nt.linalg.svdvals(x, both(d), new=d.d),
              lambda xp, x: xp.linalg.svd(x, compute_uv=False), slopes=True, **more)
    yield Row("eig", "a b c -> a b d, a d", eig, lambda xp, x: (0 * x, 0 * x[:, :, 0] + 1), sizes=SQUARE, **more)
    yield Row("eigvals", "a b c -> a, a, a", eigvals,
              lambda xp, x: (xp.trace(x, axis1=1, axis2=2), xp.trace(x @ x, axis1=1, axis2=2), xp.linalg.det(x)),
              sizes=SQUARE, slopes=True, **more)
    more["values"] = ("spd",)
    yield Row("eigh", "a b c -> a d, a b c", eigh, lambda xp, x: (xp.linalg.eigvalsh(symmetric(x)), symmetric(x)),
              sizes=SQUARE, slopes=True, **more)
    yield Row("eigvalsh", "a b c -> a d", lambda d, x: nt.linalg.eigvalsh(x, both(d), new=d.d),
              lambda xp, x: xp.linalg.eigvalsh(symmetric(x)), sizes=SQUARE, slopes=True, **more)
# fmt: on


ROWS = [*square_rows(), *rectangular_rows(), *norm_rows(), *system_rows(), *factor_rows()]
