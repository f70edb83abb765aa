"""Rule R: reductions."""

import namedtensor as nt
from tests.namedtensor.operations.row import Row

# rule R: name -> (NumPy's, values, differentiable, whether it is defined for no elements)
REDUCTIONS = {
    "all": (lambda xp, x, axis: xp.all(x, axis), "bool", False, True),
    "any": (lambda xp, x, axis: xp.any(x, axis), "bool", False, True),
    "logsumexp": (lambda xp, x, axis: xp.log(xp.sum(xp.exp(x), axis)), "real", True, False),
    "max": (lambda xp, x, axis: xp.max(x, axis), "real", True, False),
    "mean": (lambda xp, x, axis: xp.mean(x, axis), "real", True, False),
    "min": (lambda xp, x, axis: xp.min(x, axis), "real", True, False),
    "prod": (lambda xp, x, axis: xp.prod(x, axis), "positive", True, True),
    "std": (lambda xp, x, axis: xp.std(x, axis), "real", True, False),
    "sum": (lambda xp, x, axis: xp.sum(x, axis), "real", True, True),
    "var": (lambda xp, x, axis: xp.var(x, axis), "real", True, False),
}


# fmt: off
def reduction_rows():
    for name, (positional, values, slopes, empty) in REDUCTIONS.items():
        f, nonempty = getattr(nt, name), "" if empty else "a b c"
        more = {"values": (values,), "slopes": slopes, "roundings": 8, "nonempty": nonempty}
        yield Row(name, "a b c -> b", lambda d, x, f=f: f(x, f"{d.c} {d.a}"),
                  lambda xp, x, p=positional: p(xp, x, (0, 2)), **more)
        yield Row(name, "a b c -> ", lambda d, x, f=f: f(x), lambda xp, x, p=positional: p(xp, x, None),
                  label="all dims", **more)
    yield Row("sum", "a b -> a b", lambda d, x: x.sum(""), lambda xp, x: x, label="no dims")
    for name in ("argmax", "argmin"):
        yield Row(name, "a b c -> a c", lambda d, x, f=getattr(nt, name): f(x, d.b),
                  lambda xp, x, name=name: getattr(xp, name)(x, 1), nonempty="b")
# fmt: on


ROWS = [*reduction_rows()]
