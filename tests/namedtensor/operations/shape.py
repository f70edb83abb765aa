"""Rule S: dims split, merge, appear and disappear."""

import namedtensor as nt
from tests.namedtensor.operations.row import Row


# fmt: off
def shape_rows():
    six = {"b": 6}
    yield Row("split", "a b -> a c d", lambda d, x: x.split(d.b, f"{d.c} {d.d}", **{d.c: 2, d.d: 3}),
              lambda xp, x: x.reshape(x.shape[0], 2, 3), sizes=six, slopes=True)
    yield Row("split", "a b -> a c d", lambda d, x: x.split(d.b, [d.c, d.d], **{d.d: 3}),
              lambda xp, x: x.reshape(x.shape[0], 2, 3), sizes=six, label="one left out")
    yield Row("split", "a b -> a b c", lambda d, x: x.split(d.b, f"{d.b} {d.c}", **{d.c: 1}),
              lambda xp, x: x[..., None], nonempty="b", label="keeps its name")
    yield Row("split", "a b -> a c d", lambda d, x: x.split(d.b, f"{d.c} {d.d}", **{d.c: 0, d.d: 5}),
              lambda xp, x: x.reshape(x.shape[0], 0, 5), sizes={"b": 0}, label="of size 0")
    yield Row("merge", "a b c -> d b", lambda d, x: x.merge(f"{d.c} {d.a}", d.d),
              lambda xp, x: xp.transpose(x, (2, 0, 1)).reshape(x.shape[2] * x.shape[0], x.shape[1]), slopes=True)
    yield Row("merge", "a b -> a", lambda d, x: x.merge([d.b, d.a], d.a), lambda xp, x: x.T.reshape(-1),
              label="keeps a name")
    yield Row("expand", "a b -> c d a b", lambda d, x: x.expand(f"{d.c}:2 {d.d}:1"),
              lambda xp, x: xp.broadcast_to(x, (2, 1, *x.shape)), slopes=True)
    yield Row("expand", "a b -> c a b", lambda d, x: x.expand({**x.shape, d.c: 3}),
              lambda xp, x: xp.broadcast_to(x, (3, *x.shape)), label="dims that are there")
    yield Row("expand", " -> a b", lambda d: nt.expand(2, {d.b: 2, d.a: 3}), lambda xp: xp.full((3, 2), 2, "int32"),
              label="a number")
    yield Row("squeeze", "a b c -> b", lambda d, x: x.squeeze(f"{d.c} {d.a}"), lambda xp, x: xp.squeeze(x, (0, 2)),
              sizes={"a": 1, "c": 1}, slopes=True)
    yield Row("broadcast", "a b, b c -> a b c, a b c", lambda d, x, y: nt.broadcast(x, y),
              lambda xp, x, y: [xp.broadcast_to(x[:, :, None], (*x.shape, y.shape[1])),
                                xp.broadcast_to(y[None], (x.shape[0], *y.shape))], slopes=True)
    yield Row("broadcast", "a -> a, a, a", lambda d, x: nt.broadcast(x, 1.5, nt.tensor(2, "")),
              lambda xp, x: [x, xp.full(x.shape, 1.5, "float32"), xp.full(x.shape, 2, "int32")], label="numbers")
    yield Row("equal", "a b c -> ", lambda d, x: nt.equal(x, x.order(f"{d.b} ... {d.a}")), lambda xp, x: True)
    yield Row("equal", "a b -> ", lambda d, x: nt.equal(x, x + 1), lambda xp, x: False, nonempty="a b",
              label="other values")
    yield Row("peel", "a b c -> b c a", lambda d, x: nt.vmap(lambda t: t * 2, over=d.b)(x),
              lambda xp, x: 2 * xp.transpose(x, (1, 2, 0)), nonempty="b")
    yield Row("name", "a b c -> d b c", lambda d, x: x.peel(d.a).name(d.d), lambda xp, x: x, slopes=True)
    yield Row("name", "a b c -> c d b", lambda d, x: x.peel([d.c, d.a]).name(f"{d.c} {d.d}"),
              lambda xp, x: xp.transpose(x, (2, 0, 1)), label="two dims")
# fmt: on


ROWS = [*shape_rows()]
