"""Rules K and R along a dim that is sampled."""

from tests.namedtensor.operations.row import Row


# fmt: off
def calculus_rows():
    yield Row("diff", "a b c -> a b c", lambda d, x: x.diff(d.b), lambda xp, x: xp.diff(x, axis=1), slopes=True)
    yield Row("diff", "a b -> a b", lambda d, x: x.diff(d.b, n=2), lambda xp, x: xp.diff(x, 2, 1), roundings=8, label="n")
    yield Row("gradient", "a b c -> a b c", lambda d, x: x.gradient(d.b), lambda xp, x: xp.gradient(x, axis=1),
              sizes={"b": 4}, slopes=True, roundings=8, nonempty="a c")
    yield Row("gradient", "a b -> a b", lambda d, x: x.gradient(d.b, spacing=0.5), lambda xp, x: xp.gradient(x, 0.5, axis=1),
              sizes={"b": 3}, nonempty="a", roundings=8, label="spacing")
    yield Row("gradient", "a b, b -> a b", lambda d, x, at: x.gradient(d.b, spacing=at.cumsum(d.b)),
              lambda xp, x, at: xp.gradient(x, xp.cumsum(at), axis=1), values=("real", "positive"), sizes={"b": 4},
              nonempty="a", roundings=64, slopes=True, label="positions")
    yield Row("unwrap", "a b -> a b", lambda d, x: (9 * x).unwrap(d.b), lambda xp, x: xp.unwrap(9 * x, axis=1),
              nonempty="a b", roundings=64)
    yield Row("unwrap", "a b -> a b", lambda d, x: x.unwrap(d.b, period=0.5), lambda xp, x: xp.unwrap(x, axis=1, period=0.5),
              nonempty="a b", roundings=64, label="period")
    yield Row("trapezoid", "a b c -> a c", lambda d, y: y.trapezoid(d.b), lambda xp, y: xp.trapezoid(y, axis=1),
              slopes=True, roundings=8, nonempty="b")
    yield Row("trapezoid", "a b, a -> a", lambda d, y, dx: y.trapezoid(d.b, dx=dx),
              lambda xp, y, dx: xp.trapezoid(y, axis=1) * dx, slopes=True, roundings=8, nonempty="b", label="dx")
    yield Row("trapezoid", "a b, c b -> a c", lambda d, y, x: y.trapezoid(d.b, x=x),
              lambda xp, y, x: xp.einsum("ab,cb->ac", (y[:, 1:] + y[:, :-1]) / 2, xp.diff(x)),
              slopes=True, roundings=8, nonempty="b", label="x")
# fmt: on


ROWS = [*calculus_rows()]
