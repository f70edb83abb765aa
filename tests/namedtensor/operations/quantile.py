"""Rule R for quantiles."""

import warnings

import numpy as np

import namedtensor as nt
from tests.namedtensor.operations.row import Row

SCALE = {"quantile": 1, "nanquantile": 1, "percentile": 100, "nanpercentile": 100}


# fmt: off
def quantile_rows():
    for name, scale in SCALE.items():
        f = getattr(nt, name)
        values, slopes = ("with nan", False) if name.startswith("nan") else ("real", True)
        more = {"values": (values, "share"), "slopes": slopes, "roundings": 16, "nonempty": "a b c q r"}
        def of(xp, x, q, axis, name=name, **kind):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # NumPy warns of NaN alone and returns it
                return getattr(xp, name)(x, q, axis, **kind)

        yield Row(name, "a b c -> b", lambda d, x, f=f, s=scale: f(x, f"{d.c} {d.a}", q=0.3 * s),
                  lambda xp, x, of=of, s=scale: of(xp, x, np.float32(0.3 * s), (0, 2)), **more)
        yield Row(name, "a b, q -> q a", lambda d, x, q, f=f, s=scale: f(x, d.b, q=q * s),
                  lambda xp, x, q, of=of, s=scale: of(xp, x, q * s, 1), label="q", **{**more, "slopes": False})
        yield Row(name, "a b, q r -> q r", lambda d, x, q, f=f, s=scale: f(x, q=q * s),
                  lambda xp, x, q, of=of, s=scale: of(xp, x, q.reshape(-1) * s, None).reshape(q.shape),
                  label="q of two dims", **{**more, "slopes": False}, examples=2)
        for kind in ("lower", "nearest"):
            yield Row(name, "a b -> a", lambda d, x, f=f, s=scale, k=kind: f(x, d.b, q=0.35 * s, method=k),
                      lambda xp, x, of=of, s=scale, k=kind: of(xp, x, np.float32(0.35 * s), 1, method=k),
                      label=kind, **{**more, "slopes": False}, examples=2)
    yield Row("quantile", "a b -> a b", lambda d, x: x.quantile("", q=0.5), lambda xp, x: x, label="no dims")
# fmt: on


ROWS = [*quantile_rows()]
