"""Rule K: operations along a dim."""

import jax
import jax.numpy as jnp
import numpy as np

import namedtensor as nt
from tests.namedtensor.operations.row import Row


def standardized(xp, x, axis):
    centred = x - xp.mean(x, axis, keepdims=True)
    return centred / xp.sqrt(xp.var(x, axis, keepdims=True) + np.float32(1e-5))


def softmax(xp, x, axis):
    return xp.exp(x) / xp.sum(xp.exp(x), axis, keepdims=True)


def running(name):
    """NumPy's running maximum; its slopes are `jax.lax`'s own."""
    return lambda xp, x, axis: (
        getattr(jax.lax, f"cum{name[:3]}")(x, axis) if xp is jnp else getattr(np, name).accumulate(x, axis)
    )


# rule K: name -> (positional, whether several dims may be given)
ALONG = {
    "cumlogsumexp": (lambda xp, x, axis: xp.log(xp.cumsum(xp.exp(x), axis)), False),
    "cummax": (running("maximum"), False),
    "cummin": (running("minimum"), False),
    "cumprod": (lambda xp, x, axis: xp.cumprod(x, axis), False),
    "cumsum": (lambda xp, x, axis: xp.cumsum(x, axis), False),
    "cumulative_prod": (lambda xp, x, axis: xp.cumprod(x, axis), False),
    "cumulative_sum": (lambda xp, x, axis: xp.cumsum(x, axis), False),
    "flip": (lambda xp, x, axis: xp.flip(x, axis), True),
    "log_softmax": (lambda xp, x, axis: xp.log(softmax(xp, x, axis)), True),
    "nancumprod": (lambda xp, x, axis: xp.nancumprod(x, axis), False),
    "nancumsum": (lambda xp, x, axis: xp.nancumsum(x, axis), False),
    "softmax": (softmax, True),
    "standardize": (standardized, True),
}


# fmt: off
def along_rows():
    for name, (positional, several) in ALONG.items():
        f, more = getattr(nt, name), {"slopes": True, "roundings": 16, "nonempty": "a b c"}
        yield Row(name, "a b c -> a b c", lambda d, x, f=f: f(x, d.b),
                  lambda xp, x, p=positional: p(xp, x, 1), **more)
        if several:
            yield Row(name, "a b c -> a b c", lambda d, x, f=f: f(x, [d.c, d.a]),
                      lambda xp, x, p=positional: p(xp, x, (0, 2)), label="two dims", **more)
            yield Row(name, "a b -> a b", lambda d, x, f=f: f(x, ""),
                      lambda xp, x, p=positional: p(xp, x[None], 0)[0], label="no dims", roundings=16)


def option_rows():
    for name in ("cumlogsumexp", "cummax", "cummin"):
        yield Row(name, "a b -> a b", lambda d, x, f=getattr(nt, name): f(x, d.b, reverse=True),
                  lambda xp, x, p=ALONG[name][0]: xp.flip(p(xp, xp.flip(x, 1), 1), 1), nonempty="a b",
                  roundings=16, label="reverse")
    for name in ("cumprod", "cumsum", "cumulative_prod", "cumulative_sum", "nancumprod", "nancumsum"):
        yield Row(name, "a b -> a b", lambda d, x, f=getattr(nt, name): f(x, d.b, dtype=float),
                  lambda xp, x, p=ALONG[name][0]: p(xp, x.astype("float32"), 1), values=("integer",), label="dtype")
    for name in ("nancumprod", "nancumsum"):
        yield Row(name, "a b -> a b", lambda d, x, f=getattr(nt, name): f(x, d.b),
                  lambda xp, x, p=ALONG[name][0]: p(xp, x, 1), values=("with nan",), roundings=16, label="with nan")
    for name, first in (("cumulative_prod", 1), ("cumulative_sum", 0)):
        yield Row(name, "a b -> a b", lambda d, x, f=getattr(nt, name): f(x, d.b, include_initial=True),
                  lambda xp, x, p=ALONG[name][0], n=first: p(xp, xp.insert(x, 0, n, 1), 1), roundings=16,
                  label="include_initial")


def masked(positional, outside):
    """What the two that are left in would give, and ``outside`` in place of the middle one."""
    def three(xp, x):
        kept = positional(xp, xp.stack([x[:, 0], x[:, 2]], 1), 1)
        return xp.stack([kept[:, 0], xp.full(x.shape[:1], np.float32(outside)), kept[:, 1]], 1)
    return three


def masked_rows():
    outside = {"softmax": 0.0, "log_softmax": -np.inf}
    for name, there in outside.items():
        yield Row(name, "a b -> a b",
                  lambda d, x, f=getattr(nt, name): f(x, d.b, where=nt.tensor([True, False, True], d.b)),
                  masked(ALONG[name][0], there), sizes={"b": 3}, roundings=16, slopes=name == "softmax", label="where")
    yield Row("standardize", "a b -> a",
              lambda d, x: x.standardize(d.b, where=nt.tensor([True, False, True], d.b)).isel(**{d.b: 0}),
              lambda xp, x: standardized(xp, x[:, ::2], 1)[:, 0], sizes={"b": 3}, roundings=64, slopes=True, label="where")
    yield Row("standardize", "a b -> a b", lambda d, x: x.standardize(d.b, epsilon=0.5),
              lambda xp, x: (x - xp.mean(x, 1, keepdims=True)) / xp.sqrt(xp.var(x, 1, keepdims=True) + np.float32(0.5)),
              nonempty="a b", roundings=16, label="epsilon")


def roll_rows():
    yield Row("roll", "a b c -> a b c", lambda d, x: x.roll(d.b, shift=-2), lambda xp, x: xp.roll(x, -2, 1), slopes=True)
    yield Row("roll", "a b c -> a b c", lambda d, x: x.roll(d.b, shift=nt.tensor(1, "")),
              lambda xp, x: xp.roll(x, 1, 1), label="a tensor")
# fmt: on


ROWS = [*along_rows(), *option_rows(), *masked_rows(), *roll_rows()]
