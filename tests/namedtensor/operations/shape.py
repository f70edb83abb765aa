"""Rule S: operations that change the names."""

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
    yield Row("rename", "a b -> c b", lambda d, x: x.rename(**{d.a: d.c}), lambda xp, x: x, slopes=True)
    yield Row("rename", "a b -> b a", lambda d, x: x.rename(**{d.a: d.b, d.b: d.a}), lambda xp, x: x, label="swap")
    yield Row("rename", "a b -> c b", lambda d, x: x.order([d.a, d.b]).rename(f"{d.c} ..."), lambda xp, x: x,
              label="by position")
    yield Row("order", "a b c -> a b c", lambda d, x: x.order(f"{d.c} ... {d.a}"), lambda xp, x: x, slopes=True)
    yield Row("to_array", "a b c -> ", lambda d, x: x.to_array(f"{d.c} ... {d.a}"),
              lambda xp, x: xp.transpose(x, (2, 1, 0)))
    yield Row("expect", "a b c -> a b c", lambda d, x: x.expect(f"{d.c} ...").expect([d.c, d.a, d.b]),
              lambda xp, x: x, slopes=True)
    yield Row("concat", "a b, b a -> a b", lambda d, x, y: nt.concat([x, y], d.a),
              lambda xp, x, y: xp.concatenate([x, y.T]), slopes=True)
    yield Row("concat", "a b, c b -> a b", lambda d, x, y: nt.concat([x, y.rename(**{d.c: d.a})], d.a),
              lambda xp, x, y: xp.concatenate([x, y]), label="two sizes")
    yield Row("stack", "a b, b a, a b -> a c b", lambda d, x, y, z: nt.stack([x, y, z], d.c),
              lambda xp, x, y, z: xp.stack([x, y.T, z], 1), slopes=True)
    yield Row("unstack", "a b -> b", lambda d, x: x.unstack(d.a), lambda xp, x: list(x))
    yield Row("equal", "a b c -> ", lambda d, x: nt.equal(x, x.order(f"{d.b} ... {d.a}")), lambda xp, x: True)
    yield Row("equal", "a b -> ", lambda d, x: nt.equal(x, x + 1), lambda xp, x: False, nonempty="a b",
              label="other values")
    yield Row("peel", "a b c -> b c a", lambda d, x: nt.vmap(lambda t: t * 2, over=d.b)(x),
              lambda xp, x: 2 * xp.transpose(x, (1, 2, 0)), nonempty="b")
    yield Row("name", "a b c -> d b c", lambda d, x: x.peel(d.a).name(d.d), lambda xp, x: x, slopes=True)
# fmt: on


ROWS = [*shape_rows()]
