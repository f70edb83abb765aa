"""Rule F, along one dim."""

import jax.numpy as jnp

import namedtensor as nt
from tests.namedtensor.operations.row import Row

WINDOWS = ("bartlett", "blackman", "hamming", "hanning")


# fmt: off
def range_rows():
    yield Row("arange", " -> a", lambda d: nt.arange(d.a, 4), lambda xp: xp.arange(4, dtype="int32"))
    yield Row("arange", " -> a", lambda d: nt.arange(d.a, 2, 11, 3), lambda xp: xp.arange(2, 11, 3, dtype="int32"),
              label="in steps")
    yield Row("arange", " -> a", lambda d: nt.arange(d.a, 3, 0, step=-1, dtype=jnp.float32),
              lambda xp: xp.arange(3, 0, -1, dtype="float32"), label="down")
    yield Row("arange", " -> a", lambda d: nt.arange(d.a, 0.0, 1.0, 0.25), lambda xp: xp.arange(0, 1, 0.25, dtype="float32"),
              label="of fractions")
    for name, ends in (("linspace", (-1.0, 2.0)), ("logspace", (0.0, 1.0)), ("geomspace", (1.0, 8.0))):
        for endpoint in (True, False):
            yield Row(name, " -> a", lambda d, f=name, e=ends, p=endpoint: getattr(nt, f)(d.a, *e, 7, endpoint=p),
                      lambda xp, f=name, e=ends, p=endpoint: getattr(xp, f)(*e, 7, endpoint=p, dtype="float32"),
                      roundings=64, label=f"endpoint={endpoint}")  # powers are rounded as often as their exponent is large
        yield Row(name, "a b, b c -> a b c d", lambda d, x, y, f=name: getattr(nt, f)(d.d, x, y, 3),
                  lambda xp, x, y, f=name: getattr(xp, f)(x[:, :, None], y[None], 3, axis=-1),
                  values=("positive", "positive"), roundings=64, label="between tensors")
    yield Row("linspace", "a -> a b", lambda d, x: nt.linspace(d.b, 0, x, 3), lambda xp, x: xp.linspace(xp.zeros_like(x), x, 3, axis=-1),
              slopes=True, roundings=4, label="from a number")
    yield Row("logspace", " -> a", lambda d: nt.logspace(d.a, 0, 3, 4, base=2), lambda xp: xp.float32([1, 2, 4, 8]),
              roundings=16, label="base 2")
    for name in WINDOWS:
        yield Row(name, " -> a", lambda d, f=name: getattr(nt, f)(d.a, 7), lambda xp, f=name: getattr(xp, f)(7).astype("float32"),
                  roundings=4)
    yield Row("kaiser", " -> a", lambda d: nt.kaiser(d.a, 7, 3.5), lambda xp: xp.kaiser(7, 3.5).astype("float32"), roundings=16)
# fmt: on


ROWS = [*range_rows()]
