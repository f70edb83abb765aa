"""Rule S, windows."""

from tests.namedtensor.operations.row import Row


def unrolled(xp, x, size, stride=1, dilation=1):
    """Windows along the second axis, by a loop."""
    starts = range(0, x.shape[1] - (size - 1) * dilation, stride)
    return xp.stack([xp.stack([x[:, i + k * dilation] for k in range(size)], 1) for i in starts], 1)


# fmt: off
def window_rows():
    seven = {"b": 7}
    yield Row("unroll", "a b -> a b c", lambda d, x: x.unroll(d.b, d.c, 3), lambda xp, x: unrolled(xp, x, 3),
              sizes=seven, slopes=True)
    yield Row("unroll", "a b -> a b c", lambda d, x: x.unroll(d.b, d.c, 2, stride=2, dilation=3),
              lambda xp, x: unrolled(xp, x, 2, 2, 3), sizes=seven, slopes=True, label="stride and dilation")
    yield Row("unroll", "a b -> a b c", lambda d, x: x.unroll(d.b, d.c, 7), lambda xp, x: x[:, None],
              sizes=seven, label="one window")
    yield Row("unroll", "a b -> a b c", lambda d, x: x.unroll(d.b, d.c, 65, stride=2), lambda xp, x: unrolled(xp, x, 65, 2),
              sizes={"b": 68}, slopes=True, label="a long window")
    yield Row("pool", "a b -> a b c", lambda d, x: x.pool(d.b, d.c, 3), lambda xp, x: x.reshape(x.shape[0], 2, 3),
              sizes={"b": 6}, slopes=True)
    yield Row("pool", "a b -> a b c", lambda d, x: x.pool(d.b, d.c, 3), lambda xp, x: x.reshape(x.shape[0], 0, 3),
              sizes={"b": 0}, label="of nothing")
# fmt: on


ROWS = [*window_rows()]
