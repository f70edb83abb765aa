"""Rule T: Fourier transforms."""

import namedtensor as nt
from tests.namedtensor.operations.row import Row

REAL_INPUT, HALF_INPUT, ONE_DIM = {"rfft", "ihfft"}, {"irfft", "hfft"}, {"hfft", "ihfft"}


# fmt: off
def transform_rows(name):
    f, one, several = getattr(nt.fft, name), name, name + "n"
    more = {"values": ("real" if name in REAL_INPUT else "complex",), "roundings": 4}
    two = {"b": 3} if name in HALF_INPUT else {}  # half a spectrum of size 1 does not tell the size

    yield Row(name, "a b -> a b", lambda d, x: f(x, d.b), lambda xp, x: getattr(xp.fft, one)(x),
              sizes=two, nonempty="b", slopes=True, **more)
    for norm in ("ortho", "forward"):
        yield Row(name, "a b c -> a d c", lambda d, x, norm=norm: f(x, [d.b], norm=norm, new=d.d),
                  lambda xp, x, norm=norm: getattr(xp.fft, one)(x, axis=1, norm=norm),
                  sizes=two, nonempty="b", label=norm, **more)
    for n in (2, 5):
        yield Row(name, "a b -> a b", lambda d, x, n=n: f(x, d.b, size=n), lambda xp, x, n=n: getattr(xp.fft, one)(x, n),
                  nonempty="b", slopes=n == 5, label=f"size {n}", **more)
    if name in ONE_DIM:
        return
    yield Row(name, "a b c -> e c b", lambda d, x: f(x, f"{d.a} {d.b}", new=f"{d.e} {d.b}"),
              lambda xp, x: getattr(xp.fft, several)(x, axes=(0, 1)).swapaxes(1, 2),
              sizes=two, nonempty="a b", slopes=True, label="two dims", **more)
    if name not in ("fft", "irfft"):
        return
    yield Row(name, "a b c -> a b c", lambda d, x: f(x, f"{d.c} {d.b}", size={d.b: 4, d.c: 2}, norm="ortho"),
              lambda xp, x: getattr(xp.fft, several)(x, (2, 4), axes=(2, 1), norm="ortho"),
              nonempty="b c", label="two sizes", **more)
    yield Row(name, "a b c -> a b c", lambda d, x: f(x, f"{d.c} {d.b}", size={d.b: 5}),
              lambda xp, x: getattr(xp.fft, several)(x, (x.shape[2], 5), axes=(2, 1)),
              nonempty="b c", label="the last size", **more)
    yield Row(name, "a b c d -> a b c d", lambda d, x: f(x, [d.d, d.a, d.c, d.b]),
              lambda xp, x: getattr(xp.fft, several)(x, axes=(3, 0, 2, 1)), sizes={"a": 2, "b": 3, "c": 2, "d": 2},
              label="four dims", **more)


def shift_rows():
    for name in ("fftshift", "ifftshift"):
        f = getattr(nt.fft, name)
        yield Row(name, "a b -> a b", lambda d, x, f=f: f(x, d.b),
                  lambda xp, x, name=name: getattr(xp.fft, name)(x, 1), slopes=True)
        yield Row(name, "a b c -> a b c", lambda d, x, f=f: f(x, f"{d.c} {d.a}"),
                  lambda xp, x, name=name: getattr(xp.fft, name)(x, (2, 0)), label="two dims")
    for name in ("fftfreq", "rfftfreq"):
        for n in (1, 4, 5):
            yield Row(name, " -> a", lambda d, f=getattr(nt.fft, name), n=n: f(d.a, n, d=0.5),
                      lambda xp, name=name, n=n: getattr(xp.fft, name)(n, 0.5), label=str(n))
# fmt: on


ROWS = [row for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft") for row in transform_rows(name)]
ROWS += shift_rows()
