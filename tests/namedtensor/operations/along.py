"""Rule K: operations along a dim."""

import numpy as np

import namedtensor as nt
from tests.namedtensor.operations.row import Row


def standardized(xp, x, axis):
    centred = x - xp.mean(x, axis, keepdims=True)
    return centred / xp.sqrt(xp.var(x, axis, keepdims=True) + np.float32(1e-5))


def softmax(xp, x, axis):
    return xp.exp(x) / xp.sum(xp.exp(x), axis, keepdims=True)


# rule K: name -> (positional, whether several dims may be given)
ALONG = {
    "cumprod": (lambda xp, x, axis: xp.cumprod(x, axis), False),
    "cumsum": (lambda xp, x, axis: xp.cumsum(x, axis), False),
    "flip": (lambda xp, x, axis: xp.flip(x, axis), True),
    "log_softmax": (lambda xp, x, axis: xp.log(softmax(xp, x, axis)), True),
    "softmax": (softmax, True),
    "sort": (lambda xp, x, axis: xp.sort(x, axis), False),
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
# fmt: on


ROWS = [*along_rows()]
