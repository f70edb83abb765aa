"""Rule S, along one dim: joining and cutting."""

import namedtensor as nt
from tests.namedtensor.operations.row import Row


# fmt: off
def join_rows():
    yield Row("concat", "a b, b a -> a b", lambda d, x, y: nt.concat([x, y], d.a),
              lambda xp, x, y: xp.concatenate([x, y.T]), slopes=True)
    yield Row("concat", "a b, c b -> a b", lambda d, x, y: nt.concat([x, y.rename(**{d.c: d.a})], d.a),
              lambda xp, x, y: xp.concatenate([x, y]), label="two sizes")
    yield Row("stack", "a b, b a, a b -> a c b", lambda d, x, y, z: nt.stack([x, y, z], d.c),
              lambda xp, x, y, z: xp.stack([x, y.T, z], 1), slopes=True)
    yield Row("unstack", "a b -> b", lambda d, x: x.unstack(d.a), lambda xp, x: list(x))
    yield Row("unstack", "a b -> b", lambda d, x: x.unstack(d.a)[::33], lambda xp, x: list(x[::33]),
              sizes={"a": 67}, label="many")
    yield Row("chunk", "a b -> a b", lambda d, x: x.chunk(d.b, 3), lambda xp, x: xp.array_split(x, 3, 1),
              sizes={"b": 8}, slopes=True)
    yield Row("chunk", "a b -> a b", lambda d, x: x.chunk(d.b, 4), lambda xp, x: xp.array_split(x, 4, 1),
              label="more than there are")
    yield Row("chunk", "a b -> a b", lambda d, x: x.chunk(d.b, [1, 0, 4]), lambda xp, x: xp.split(x, [1, 1], 1),
              sizes={"b": 5}, label="of sizes")
# fmt: on


ROWS = [*join_rows()]
