"""Activations: the values are those of `jax.nn` of the same arrays."""

import jax

import namedtensor as nt
from tests.namedtensor.operations.elementwise import unary_row
from tests.namedtensor.operations.row import Row, jax_only

NAMES = """celu elu gelu hard_sigmoid hard_silu hard_tanh leaky_relu log_sigmoid mish relu relu6 selu sigmoid silu
soft_sign softplus sparse_plus sparse_sigmoid squareplus"""
WITH_A_TENSOR = {"celu": "alpha", "elu": "alpha", "leaky_relu": "negative_slope", "squareplus": "b"}


# fmt: off
def option_rows():
    """A parameter with names of its own, which has a derivative too."""
    for name, option in WITH_A_TENSOR.items():
        yield Row(name, "a b, b -> a b", lambda d, x, p, f=getattr(nt, name), o=option: f(x, **{o: p}),
                  lambda xp, x, p, f=getattr(jax.nn, name): f(x, p[None]),
                  values=("real", "positive"), slopes=True, roundings=8, label=option)
    yield Row("gelu", "a -> a", lambda d, x: x.gelu(approximate=False),
              jax_only(lambda x: jax.nn.gelu(x, approximate=False)), roundings=8, slopes=True, label="exact")
    yield Row("glu", "a b c -> a b c", lambda d, x: x.glu(d.b), lambda xp, x: x[:, :2] / (1 + xp.exp(-x[:, 2:])),
              sizes={"b": 4}, slopes=True, roundings=8)
# fmt: on


ROWS = [
    *(unary_row(name, jax_only(getattr(jax.nn, name)), "real", True, 8) for name in NAMES.split()),
    unary_row("log1mexp", jax_only(jax.nn.log1mexp), "positive", True, 8),
    *option_rows(),
]
