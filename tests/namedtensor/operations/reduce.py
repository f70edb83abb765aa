"""Rule R: reductions."""

import warnings

import numpy as np

import namedtensor as nt
from tests.namedtensor.operations.row import Row


def numpys(name):
    def positional(xp, x, axis, **more):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy warns of NaN alone and returns it
            return getattr(xp, name)(x, axis, **more)

    return positional


def table(names, values, *, slopes=True, empty=False):
    return {k: (numpys(k), values, slopes, empty) for k in names.split()}


def pair(first, second):
    return lambda xp, x, axis, **more: [first(xp, x, axis, **more), second(xp, x, axis, **more)]


def spread(name):
    """``std`` or ``var`` and the mean; ``ddof`` is of the first alone."""
    return lambda xp, x, axis, ddof=0, **where: [
        getattr(xp, name)(x, axis, ddof=ddof, **where),
        xp.mean(x, axis, **where),
    ]


def log_of(name):
    return lambda xp, x, axis, **where: xp.log(getattr(xp, name)(xp.exp(x), axis, **where))


# rule R: name -> (NumPy's, values, differentiable, whether it is defined for no elements)
REDUCTIONS = {
    **table("all any", "bool", slopes=False, empty=True),
    **table("count_nonzero", "integer", slopes=False, empty=True),
    **table("max mean median min ptp std var", "real"),
    **table("nanmax nanmean nanmedian nanmin nanstd nanvar", "with nan", slopes=False),
    **table("nanprod nansum", "with nan", slopes=False, empty=True),
    **table("sum", "real", empty=True),
    **table("prod", "positive", empty=True),
    "logmeanexp": (log_of("mean"), "real", True, False),
    "logsumexp": (log_of("sum"), "real", True, False),
    "minmax": (pair(numpys("min"), numpys("max")), "real", True, False),
    "norm": (lambda xp, x, axis: xp.sqrt(xp.sum(x * x, axis)), "real", True, False),
    "std_mean": (spread("std"), "real", True, False),
    "var_mean": (spread("var"), "real", True, False),
}
BOTH_ENDS = ("any", "logsumexp", "max", "median", "minmax", "norm", "std", "sum")
MASKED = """all any logmeanexp logsumexp max mean min nanmean nanprod nanstd nansum nanvar prod std
std_mean sum var var_mean"""
INITIAL = {"max": -2.0, "min": 2.0}  # NumPy asks for the extreme of nothing
DDOF = "nanstd nanvar std std_mean var var_mean"
DTYPE = "mean nanmean nanprod nansum prod sum"
NORMS = {
    1: lambda x: np.abs(x).sum(1),
    np.inf: lambda x: np.abs(x).max(1),
    0: lambda x: (x != 0).sum(1) * 1.0,
}


# fmt: off
def reduction_rows():
    for name, (positional, values, slopes, empty) in REDUCTIONS.items():
        f, nonempty = getattr(nt, name), "" if empty else "a b c"
        more = {"values": (values,), "slopes": slopes, "roundings": 8, "nonempty": nonempty}
        yield Row(name, "a b c -> b", lambda d, x, f=f: f(x, f"{d.c} {d.a}"),
                  lambda xp, x, p=positional: p(xp, x, (0, 2)), **more)
        if name not in BOTH_ENDS:  # all dims and none are the builder's affair: a few stand for the rest
            continue
        yield Row(name, "a b c -> ", lambda d, x, f=f: f(x), lambda xp, x, p=positional: p(xp, x, None),
                  label="all dims", **more)
        yield Row(name, "a b -> a b", lambda d, x, f=f: f(x, ""), lambda xp, x, p=positional: p(xp, x[None], 0),
                  label="no dims", **{**more, "slopes": False})


def masked_rows():
    """The mask keeps the first and the last: with one alone, and with one in three left out."""
    for name in MASKED.split():
        positional, values, slopes, _ = REDUCTIONS[name]
        initial = {"initial": INITIAL[name]} if name in INITIAL else {}
        def named(d, x, f=getattr(nt, name)):
            return f(x, f"{d.b} {d.c}", where=nt.tensor(np.arange(x.shape[d.b]) != 1, d.b))

        def masked(xp, x, p=positional, initial=initial):
            return p(xp, x, (1, 2), where=(np.arange(x.shape[1]) != 1)[None, :, None], **initial)

        yield Row(name, "a b c -> a", named, masked, values=(values,), slopes=slopes, roundings=8,
                  nonempty="a b c", label="where", examples=2)


def option_rows():
    for name in DDOF.split():
        positional, values, _, _ = REDUCTIONS[name]
        yield Row(name, "a b c -> a", lambda d, x, f=getattr(nt, name): f(x, [d.b, d.c], ddof=1),
                  lambda xp, x, p=positional: p(xp, x, (1, 2), ddof=1), values=(values,), roundings=16,
                  sizes={"b": 3, "c": 3}, label="ddof", examples=2)
    for name in DTYPE.split():
        yield Row(name, "a b -> a", lambda d, x, f=getattr(nt, name): f(x, d.b, dtype="float32"),
                  lambda xp, x, name=name: getattr(xp, name)(x, 1, dtype="float32"), values=("count",), nonempty="b",
                  roundings=8, label="dtype", examples=2)
    for ord, positional in NORMS.items():
        yield Row("norm", "a b c -> a c", lambda d, x, ord=ord: x.norm(d.b, ord=ord),
                  lambda xp, x, p=positional: p(x), nonempty="b", roundings=8, label=f"ord={ord}")
    yield Row("norm", "a b -> a", lambda d, x: x.norm(d.b), lambda xp, x: xp.sqrt(xp.sum(xp.abs(x) ** 2, 1)),
              values=("complex",), roundings=8, slopes=True, nonempty="b", label="complex")


def position_rows():
    for name in ("argmax", "argmin", "nanargmax", "nanargmin"):
        yield Row(name, "a b c -> a c", lambda d, x, f=getattr(nt, name): f(x, d.b),
                  lambda xp, x, name=name: getattr(xp, name)(x, 1), nonempty="b")


def average_rows():
    more = {"values": ("real", "positive", "positive"), "slopes": True, "roundings": 16, "nonempty": "a b c"}
    yield Row("average", "a b c -> b", lambda d, x: x.average([d.a, d.c]), lambda xp, x: xp.mean(x, (0, 2)), **more)
    yield Row("average", "a b c, c b -> b", lambda d, x, w: x.average([d.a, d.c], weights=w),
              lambda xp, x, w: xp.einsum("abc,cb->b", x, w) / w.sum(0) / x.shape[0], label="weights", **more)
    yield Row("average", "a b c, a c b -> ", lambda d, x, w: x.average(weights=w),
              lambda xp, x, w: (x * xp.transpose(w, (0, 2, 1))).sum() / w.sum(), label="all dims", **more)
    yield Row("average", "a b, b -> a", lambda d, x, w: x.average(d.b, weights=w),
              lambda xp, x, w: (x * w[None]).sum(1) / w.sum(), **{**more, "values": ("integer", "count"), "slopes": False},
              label="whole numbers")
# fmt: on


ROWS = [*reduction_rows(), *masked_rows(), *option_rows(), *position_rows(), *average_rows()]
