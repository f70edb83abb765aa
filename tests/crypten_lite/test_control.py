"""Calls, loops and branches: what decides them is public, what they compute may be secret."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax, nn

import crypten_lite as ct

RNG = np.random.default_rng(1)
X, Y = (jnp.asarray(RNG.normal(size=(3, 4)), jnp.float32) for _ in range(2))
LINE, KEY = X[0], jax.random.key(0)


def scanned(step, start, **options):
    return lambda x: lax.scan(step, start, x, **options)


def summed(index):
    return scanned(lambda c, a: (c + a * a, c), jnp.zeros(4)), index


@jax.custom_vjp
def tripled(x):
    return x * x


tripled.defvjp(lambda x: (x * x, x), lambda x, g: (g * x * 3,))


@jax.custom_jvp
def doubled(x):
    return 2 * x


doubled.defjvp(lambda x, t: (doubled(x[0]), 5 * t[0]))

# name, function, arguments, which are secret
CASES = [
    ("jit in jit", jax.jit(lambda x: jax.jit(jnp.square)(x) + 1), (X,), "s"),
    ("vmap", jax.vmap(lambda x, y: nn.relu(x @ y), (0, None)), (X, LINE), "ss"),
    ("vmap of a user's function", jax.vmap(lambda a: {"sum": a.sum(), "max": a.max()}["max"]), (X,), "s"),
    ("checkpoint", jax.grad(lambda x: jax.checkpoint(lambda x: (nn.relu(x) ** 2).sum())(x)), (X,), "s"),
    ("custom vjp", tripled, (X,), "s"),
    ("custom vjp gradient", jax.grad(lambda x: tripled(x).sum()), (X,), "s"),
    ("custom jvp", doubled, (X,), "s"),
    ("custom jvp gradient", jax.grad(lambda x: doubled(x).sum()), (X,), "s"),
    ("stop gradient", jax.grad(lambda x: (lax.stop_gradient(x) * x).sum()), (X,), "s"),
    ("barrier", lambda x: lax.optimization_barrier((x, 2 * x))[1], (X,), "s"),
    ("tangent", lambda x, t: jax.jvp(lambda x: nn.relu(x) * x, (x,), (t,))[1], (X, Y), "ss"),
    ("linearized", lambda x, t: jax.linearize(lambda x: x**3, x)[1](t), (X, Y), "ss"),
    ("pulled back", lambda x, t: jax.vjp(lambda x: x**3, x)[1](t)[0], (X, Y), "sp"),
    ("hessian", jax.hessian(lambda x: (x**3).sum()), (LINE,), "s"),
    ("jacobians", lambda x: jax.jacfwd(lambda x: x**2)(x) + jax.jacrev(nn.relu)(x), (LINE,), "s"),
    ("scan, public start", lambda x: summed(0)[0](x)[0], (X,), "s"),
    ("scan, what it stacks", lambda x: summed(1)[0](x)[1], (X,), "s"),
    (
        "scan backwards",
        lambda x: scanned(lambda c, a: (c / 2 + a, c * a), jnp.ones(4), reverse=True)(x)[1],
        (X,),
        "s",
    ),
    ("scan of nothing", lambda x: lax.scan(lambda c, a: (c + a, c), x, jnp.zeros((0, 4))), (LINE,), "s"),
    (
        "scan gradient",
        jax.grad(lambda x: (scanned(lambda c, a: (c / 2 * a + a, c * a), jnp.ones(4))(x)[1] ** 2).sum()),
        (X,),
        "s",
    ),
    ("scan of truths", lambda x: scanned(lambda c, a: ((a > 0) & c, c), jnp.ones(4, bool))(x)[1], (X,), "s"),
    (
        "scan with a counter",
        lambda x: scanned(lambda c, a: ((c[0] + 1, c[1] + a * c[0]), c[0]), (0, jnp.zeros(4)))(x),
        (X,),
        "s",
    ),
    ("scan of a public array", lambda x, y: scanned(lambda c, a: (c * a, c + a), x)(y), (LINE, Y), "sp"),
    ("fori", lambda x: lax.fori_loop(0, 3, lambda k, c: c * x + k, jnp.ones(4)), (LINE,), "s"),
    ("fori with positions", lambda x: lax.fori_loop(0, 3, lambda k, c: c + x[k], jnp.zeros(4)), (X,), "s"),
    ("fori, public end", lambda x, n: lax.fori_loop(0, n, lambda k, c: c * x, jnp.ones(4)), (LINE, 3), "sp"),
    (
        "while",
        lambda x: lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * x), (0, x))[1],
        (LINE,),
        "s",
    ),
    ("cond", lambda t, x: lax.cond(t, lambda x: x * x, lambda x: -x, x), (True, X), "ps"),
    ("cond, otherwise", lambda t, x: lax.cond(t, lambda x: x * x, lambda x: -x, x), (False, X), "ps"),
    ("switch", lambda k, x: lax.switch(k, [lambda x: x * x, lambda x: -x, lambda x: x + 1], x), (7, X), "ps"),
    ("map", lambda x: lax.map(lambda a: a @ a, x), (X,), "s"),
    ("associative scan", lambda x: lax.associative_scan(jnp.add, x), (X,), "s"),
    ("noise", lambda key, x: x + jax.random.normal(key, x.shape), (KEY, X), "ps"),
    (
        "noise of a key made inside",
        lambda x: x * jax.random.uniform(jax.random.PRNGKey(1), x.shape),
        (X,),
        "s",
    ),
    (
        "dropout",
        lambda key, x: jnp.where(jax.random.bernoulli(key, 0.5, x.shape), x / 0.5, 0),
        (KEY, X),
        "ps",
    ),
    ("permutation", jax.random.permutation, (KEY, X), "ps"),
    (
        "split keys",
        lambda key, x: jax.vmap(lambda k, a: a + jax.random.normal(k))(jax.random.split(key, 4), x),
        (KEY, LINE),
        "ps",
    ),
]


@pytest.mark.parametrize(
    ("name", "fun", "args", "kinds"), CASES, ids=lambda v: v if isinstance(v, str) else ""
)
def test_agrees_with_jax(name, fun, args, kinds):
    with ct.simulate() as session:
        given = [session.share(a) if k == "s" else a for a, k in zip(args, kinds, strict=True)]
        found = session_revealed(ct.private(fun)(*given))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-3), found, fun(*args))


def session_revealed(tree):
    is_shared = lambda x: isinstance(x, ct.SharedTensor)  # noqa: E731
    return jax.tree.map(lambda x: x.reveal() if is_shared(x) else x, tree, is_leaf=is_shared)


def cost_of(fun, *args):
    """Of computing and revealing; the last argument is shared."""
    with ct.simulate() as session:
        *public, x = args
        x = session.share(x)
        before = session.cost
        ct.private(fun)(*public, x).reveal()
    return session.cost - before


def test_a_loop_costs_its_steps():
    cost = cost_of(lambda x: lax.fori_loop(0, 3, lambda _, c: c * x, jnp.ones(4)), LINE)
    # the first step multiplies public ones, the second what is open; the third opens a product to truncate it
    assert cost.rounds == 1 + 1


def test_what_a_branch_does_not_compute_costs_nothing():
    cost = cost_of(lambda t, x: lax.cond(t, lambda x: nn.relu(x * x), lambda x: x, x), False, X)
    assert list(cost.by_layer) == ["revealing"]
