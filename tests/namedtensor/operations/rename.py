"""Rule S, names alone."""

from tests.namedtensor.operations.row import Row


# fmt: off
def rename_rows():
    yield Row("rename", "a b -> c b", lambda d, x: x.rename(**{d.a: d.c}), lambda xp, x: x, slopes=True)
    yield Row("rename", "a b -> b a", lambda d, x: x.rename({d.a: d.b, d.b: d.a}), lambda xp, x: x, label="swap")
    yield Row("rename", "a b -> c b", lambda d, x: x.order([d.a, d.b]).rename(f"{d.c} ..."), lambda xp, x: x,
              label="by position")
    yield Row("order", "a b c -> a b c", lambda d, x: x.order(f"{d.c} ... {d.a}"), lambda xp, x: x, slopes=True)
    yield Row("to_array", "a b c -> ", lambda d, x: x.to_array(f"{d.c} ... {d.a}"),
              lambda xp, x: xp.transpose(x, (2, 1, 0)))
    yield Row("expect", "a b c -> a b c", lambda d, x: x.expect(f"{d.c} ...").expect([d.c, d.a, d.b]),
              lambda xp, x: x, slopes=True)
# fmt: on


ROWS = [*rename_rows()]
