"""Rule S, margins."""

from tests.namedtensor.operations.row import Row

STATISTICS = ("maximum", "mean", "median", "minimum")
PADS = {  # mode -> what more x.pad takes, and what numpy.pad calls it
    "constant": ({"value": 2.5}, {"constant_values": 2.5}),
    "edge": ({}, {}),
    "linear_ramp": ({"value": 2.5}, {"end_values": 2.5}),
    "reflect": ({"reflect_type": "odd"}, {"reflect_type": "odd"}),
    "symmetric": ({}, {}),
    "wrap": ({}, {}),
    **{mode: ({"stat_length": 2}, {"stat_length": 2}) for mode in STATISTICS},
}


# fmt: off
def pad_rows():
    for mode, (named, positional) in PADS.items():
        yield Row("pad", "a b -> a b", lambda d, x, m=mode, o=named: x.pad({d.b: (1, 2)}, mode=m, **o),
                  lambda xp, x, m=mode, o=positional: xp.pad(x, ((0, 0), (1, 2)), m, **o),
                  sizes={"b": 3}, slopes=True, roundings=8, label=mode)
    yield Row("pad", "a b c -> a b c", lambda d, x: x.pad({d.c: 1, d.a: (0, 2)}),
              lambda xp, x: xp.pad(x, ((0, 2), (0, 0), (1, 1))), label="two dims")
    yield Row("pad", "a -> a", lambda d, x: x.pad({d.a: 1}), lambda xp, x: xp.pad(x, 1), values=("bool",),
              label="booleans")
    yield Row("pad", "a -> a", lambda d, x: x.pad({}, mode="edge"), lambda xp, x: x, label="nothing")
# fmt: on


ROWS = [*pad_rows()]
