"""Rule D: random tensors, which are those of `jax.random` with the same key."""

import jax
import jax.numpy as jnp
import numpy as np

import namedtensor as nt
from tests.namedtensor.operations.row import Row

KEY = jax.random.key(7)
SHAPE = (2, 3)
NUMBERS = {  # name -> parameters as given to both
    **dict.fromkeys(("bits", "cauchy", "exponential", "gumbel", "laplace", "logistic", "maxwell", "normal", "rademacher"), ()),
    "bernoulli": (0.3,), "beta": (2.0, 3.0), "binomial": (5.0, 0.4), "chisquare": (3.0,), "f": (3.0, 4.0),
    "gamma": (2.0,), "generalized_normal": (1.5,), "geometric": (0.4,), "loggamma": (2.0,), "lognormal": (0.5,),
    "pareto": (2.0,), "poisson": (3.0,), "rayleigh": (2.0,), "t": (3.0,), "triangular": (-1.0, 0.5, 2.0),
    "truncated_normal": (-1.0, 2.0), "wald": (2.0,), "weibull_min": (2.0, 1.5),
}  # fmt: skip


def program(function, *values):
    return str(jax.make_jaxpr(function)(KEY, *values))


def same(named, positional, *arrays):
    """Whether the two leave the same program, which is cheaper than to compile both; constants stand in it."""
    return program(lambda *values: named(*values).array, *arrays) == program(positional, *arrays)


def row(name, named, positional, *shapes, label=""):
    """A row that compares programs; ``shapes`` are those of the parameters that are tensors."""
    arrays = [
        np.random.default_rng(len(name)).uniform(0.25, 0.5, shape).astype(np.float32) for shape in shapes
    ]
    return Row(name, " -> ", lambda d: same(named, positional, *arrays), lambda xp: True, label=label)


def numbers(name, values):
    f = getattr(jax.random, name)
    return row(
        name,
        lambda key: getattr(nt.random, name)(key, *values, "a:2 b:3"),
        lambda key: f(key, *map(jnp.asarray, values), shape=SHAPE),
    )


# fmt: off
def distribution_rows():
    for name, values in NUMBERS.items():
        yield numbers(name, values)
    for name, ends in (("uniform", (-2.0, 5.0)), ("randint", (-2, 5))):
        yield row(name, lambda key, n=name, e=ends: getattr(nt.random, n)(key, "a:2 b:3", *e),
                  lambda key, n=name, e=ends: getattr(jax.random, n)(key, SHAPE, minval=jnp.asarray(e[0]), maxval=jnp.asarray(e[1])))
    yield row("double_sided_maxwell", lambda key: nt.random.double_sided_maxwell(key, 1.0, 2.0, {"a": 2, "b": 3}),
              lambda key: jax.random.double_sided_maxwell(key, 0.0, 1.0, SHAPE) * jnp.asarray(2.0) + jnp.asarray(1.0))
    yield row("normal", lambda key: nt.random.normal(key, {"a": 2, "b": 3}, dtype=jnp.bfloat16),
              lambda key: jax.random.normal(key, SHAPE, jnp.bfloat16), label="dtype")
    yield row("gamma", lambda key, a: nt.random.gamma(key, nt.tensor(a, "a"), "b:3 a:2"),
              lambda key, a: jax.random.gamma(key, jnp.expand_dims(a, 0), (3, 2)), (2,), label="of a tensor")
    yield row("beta", lambda key, a, b: nt.random.beta(key, nt.tensor(a, "z a"), nt.tensor(b, "b")),
              lambda key, a, b: jax.random.beta(key, jnp.expand_dims(jnp.transpose(a, (1, 0)), 1), jnp.expand_dims(b, (0, 2)), (2, 4, 3)),
              (3, 2), (4,), label="of tensors")
    # values too: tensors are lined up with the shape
    yield Row("uniform", "b, c a -> a b c", lambda d, x, y: nt.random.uniform(KEY, f"{d.a}:2 {d.b}:3 {d.c}:4", x, y),
              lambda xp, x, y: jax.random.uniform(KEY, (2, 3, 4), minval=x[None, :, None], maxval=y.T[:, None]),
              values=("low", "high"), sizes={"a": 2, "b": 3, "c": 4}, slopes=True, roundings=4, label="values")
    yield Row("bernoulli", "a b -> a b", lambda d, p: nt.random.bernoulli(KEY, p, f"{d.b}:3 {d.a}:2"),
              lambda xp, p: jax.random.bernoulli(KEY, p.T, (3, 2)).T, values=("positive",), sizes={"a": 2, "b": 3},
              label="values")


def event_rows():
    yield Row("categorical", "b a -> a c", lambda d, x: nt.random.categorical(KEY, x, d.b, f"{d.c}:4 {d.a}:2"),
              lambda xp, x: jax.random.categorical(KEY, x.T, shape=(4, 2)).T, sizes={"a": 2, "b": 3})
    yield row("categorical", lambda key, x: nt.random.categorical(key, nt.tensor(x, "a"), "a"),
              lambda key, x: jax.random.categorical(key, x), (3,), label="no shape")
    yield row("dirichlet", lambda key, x: nt.random.dirichlet(key, nt.tensor(x, "b a"), "b", "c:4 a:2"),
              lambda key, x: jax.random.dirichlet(key, jnp.expand_dims(jnp.transpose(x, (1, 0)), 0), (4, 2)), (3, 2))
    yield row("multinomial", lambda key, n, p: nt.random.multinomial(key, nt.tensor(n, "a"), nt.tensor(p, "a b"), "b"),
              lambda key, n, p: jax.random.multinomial(key, n, p), (2,), (2, 3))
    yield row("multivariate_normal",
              lambda key, m, c: nt.random.multivariate_normal(key, nt.tensor(m, "b"), nt.tensor(c, "b c"), "b c", "a:2"),
              lambda key, m, c: jax.random.multivariate_normal(key, jnp.expand_dims(m, 0), jnp.expand_dims(c, 0), (2,)), (3,), (3, 3))
    yield row("orthogonal", lambda key: nt.random.orthogonal(key, {"b": 3, "a": 2, "c": 4}, "b c"),
              lambda key: jax.random.orthogonal(key, 3, (2,), m=4))
    yield row("ball", lambda key: nt.random.ball(key, "b:3 a:2", "b", 3.0),
              lambda key: jax.random.ball(key, 3, jnp.asarray(3.0), (2,)))


def other_rows():
    yield row("permutation", lambda key, x: nt.random.permutation(key, nt.tensor(x, "b a"), "a"),
              lambda key, x: jax.random.permutation(key, x, 1), (2, 3))
    yield row("choice", lambda key, x: nt.random.choice(key, nt.tensor(x, "b a"), "a", "c:2 d:2"),
              lambda key, x: jax.random.choice(key, x, (2, 2), axis=1), (2, 3))
    yield row("choice", lambda key, x, p: nt.random.choice(key, nt.tensor(x, "a"), "a", "a:2", replace=False, p=nt.tensor(p, "a")),
              lambda key, x, p: jax.random.choice(key, x, (2,), False, p), (3,), (3,), label="of probabilities")
    data = jax.random.key_data
    yield Row("key", " -> ", lambda d: data(nt.random.key(3)), lambda xp: data(jax.random.key(3)))
    yield Row("split", " -> ", lambda d: data(nt.random.split(KEY, "b:2 a:3").array), lambda xp: data(jax.random.split(KEY, SHAPE)))
    yield Row("fold_in", "a -> ", lambda d, i: data(nt.random.fold_in(KEY, i).array),
              lambda xp, i: data(jax.vmap(lambda n: jax.random.fold_in(KEY, n))(i)), values=("integer",), sizes={"a": 3})
# fmt: on


ROWS = [*distribution_rows(), *event_rows(), *other_rows()]
