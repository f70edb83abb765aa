"""Reading and writing at positions, alone and under vmap, against JAX: public positions and secret ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import crypten_lite as ct

RNG = np.random.default_rng(4)


def f(*shape):
    return jnp.asarray(RNG.normal(size=shape), jnp.float32)


def k(n, *shape):
    """Positions from the end and from the start."""
    return jnp.asarray(RNG.integers(-n, n, shape), jnp.int32)


def gradient(fun):
    """Of the sum of squares."""
    return jax.grad(lambda x, i: (fun(x, i) ** 2).sum())


# name, function, arguments, which are secret (s) and which public (p)
CASES = [
    ("vmap row pub", jax.vmap(lambda x, i: x[i]), (f(4, 5, 3), k(5, 4)), "sp"),
    ("vmap rows pub", jax.vmap(lambda x, i: x[i]), (f(4, 5, 3), k(5, 4, 2)), "sp"),
    ("vmap idx axis1", jax.vmap(lambda x, i: x[:, i], (1, 0)), (f(4, 5, 3), k(3, 5, 2)), "sp"),
    ("vmap x only", jax.vmap(lambda x, i: x[i], (0, None)), (f(4, 5, 3), k(5, 2)), "sp"),
    ("vmap i only", jax.vmap(lambda x, i: x[i], (None, 0)), (f(5, 3), k(5, 2, 2)), "sp"),
    ("vmap dslice", jax.vmap(lambda x, i: lax.dynamic_slice(x, (i, 0), (2, 2))), (f(4, 5, 3), k(9, 4)), "sp"),
    ("vmap set", jax.vmap(lambda x, i, v: x.at[i].set(v)), (f(4, 5, 3), k(5, 4), f(4, 3)), "sps"),
    ("vmap add", jax.vmap(lambda x, i, v: x.at[i].add(v)), (f(4, 5, 3), k(5, 4, 2), f(4, 2, 3)), "sps"),
    (
        "vmap dus",
        jax.vmap(lambda x, i, v: lax.dynamic_update_slice(x, v, (i, 0))),
        (f(4, 5, 3), k(9, 4), f(4, 2, 2)),
        "sps",
    ),
    (
        "grad vmap gather",
        jax.grad(lambda x, i: (jax.vmap(lambda x, i: x[i])(x, i) ** 2).sum()),
        (f(4, 5, 3), k(5, 4, 2)),
        "sp",
    ),
    ("mixed adv", lambda x, i: x[i, :, i], (f(4, 5, 4), k(4, 3)), "sp"),
    ("mixed adv2", lambda x, i: x[:, i, None, i[:1]], (f(4, 5, 4), k(4, 3)), "sp"),
    ("2d set", lambda x, i, v: x.at[i, i + 1].set(v), (f(6, 6), k(4, 3), f(3)), "sps"),
    ("slice set", lambda x, v: x.at[1:4, ::2].add(v), (f(6, 6), f(3, 3)), "ss"),
    ("drop", lambda x, i, v: x.at[i].add(v, mode="drop"), (f(6, 2), jnp.array([7, 1, -9]), f(3, 2)), "sps"),
    ("clip", lambda x, i, v: x.at[i].set(v, mode="clip"), (f(6, 2), jnp.array([7, 1, 2]), f(3, 2)), "sps"),
    ("secret vmap row", jax.vmap(lambda x, i: x[i]), (f(4, 5, 3), k(5, 4)), "ss"),
    ("secret vmap rows", jax.vmap(lambda x, i: x[i]), (f(4, 5, 3), k(5, 4, 2)), "ss"),
    ("secret vmap i", jax.vmap(lambda x, i: x[i], (None, 0)), (f(5, 3), k(5, 2, 2)), "ss"),
    ("secret vmap x", jax.vmap(lambda x, i: x[i], (0, None)), (f(4, 5, 3), k(5, 2)), "ss"),
    (
        "secret vmap dslice1",
        jax.vmap(lambda x, i: lax.dynamic_slice_in_dim(x, i, 1)),
        (f(4, 5, 3), abs(k(5, 4))),
        "ss",
    ),
    ("arange labels", lambda x, i: x[jnp.arange(4), i], (f(4, 7), k(7, 4)), "ss"),
    ("arange labels rows", lambda x, i: x[jnp.arange(4), :, i], (f(4, 3, 7), k(7, 4)), "ss"),
    ("arange labels pub table", lambda x, i: x[jnp.arange(4), i], (f(4, 7), k(7, 4)), "ps"),
    ("vmap labels", jax.vmap(lambda x, i: x[i]), (f(4, 7), k(7, 4)), "ss"),
    ("vmap col", jax.vmap(lambda x, i: x[:, i]), (f(4, 3, 7), k(7, 4)), "ss"),
    ("vmap vmap", jax.vmap(jax.vmap(lambda x, i: x[i])), (f(2, 4, 7), k(7, 2, 4)), "ss"),
    ("secret middle", lambda x, i: x[:, i], (f(4, 5, 3), k(5, 2, 2)), "ss"),
    ("secret last", lambda x, i: x[..., i], (f(4, 5, 3), k(3, 2)), "ss"),
    ("secret take_along last", lambda x, i: jnp.take_along_axis(x, i, -1), (f(2, 4, 5), k(5, 2, 4, 3)), "ss"),
    ("secret take_along first", lambda x, i: jnp.take_along_axis(x, i, 0), (f(5, 4), k(5, 3, 4)), "ss"),
    ("secret scan idx", lambda x, i: lax.map(lambda j: x[j], i), (f(5, 4), k(5, 3)), "ss"),
    ("secret public table vmap", jax.vmap(lambda x, i: x[i]), (f(4, 5, 3), k(5, 4)), "ps"),
    ("searchsorted-like", lambda x, q: (x[None] < q[:, None]).sum(1), (f(5), f(3)), "ss"),
    ("secret dslice 2d", lambda x, i: x[i, 1], (f(5, 4), k(5)), "ss"),
    ("secret in slice", lambda x, i: x[i, 1:3], (f(5, 4), k(5)), "ss"),
    ("embedding gradient", gradient(lambda t, i: t[i]), (f(7, 3), k(7, 2, 4)), "ss"),
    ("embedding gradient of a public table", gradient(lambda t, i: t[i]), (f(7, 3), k(7, 4)), "ps"),
    ("middle", gradient(lambda t, i: t[:, i]), (f(2, 7, 3), k(7, 4)), "ss"),
    ("labels gradient", gradient(lambda t, i: t[jnp.arange(4), i]), (f(4, 7), k(7, 4)), "ss"),
    ("labels vmap gradient", gradient(jax.vmap(lambda t, i: t[i])), (f(4, 7), k(7, 4)), "ss"),
    ("take along gradient", gradient(lambda t, i: jnp.take_along_axis(t, i, 1)), (f(4, 7), k(7, 4, 2)), "ss"),
    ("count", lambda i: jnp.zeros(7).at[i].add(1.0), (k(7, 12),), "s"),
    ("add at", lambda x, i, v: x.at[i].add(v), (f(7, 3), k(7, 4), f(4, 3)), "sss"),
]


@pytest.mark.parametrize(
    ("name", "fun", "args", "kinds"), CASES, ids=lambda v: v if isinstance(v, str) else ""
)
def test_agrees_with_jax(name, fun, args, kinds):
    with ct.simulate() as session:
        given = [session.share(a) if kind == "s" else a for a, kind in zip(args, kinds, strict=True)]
        found = ct.private(fun)(*given).reveal()
    np.testing.assert_allclose(found, fun(*args), atol=1e-4)


def test_picking_labels_takes_one_look_up():
    """Comparisons with all classes go together, and one product picks the logits."""

    def picked(logits, labels):
        return jax.vmap(lambda row, label: row[label])(logits, labels)

    few, many = (ct.estimate(picked, f(4, n), jnp.zeros(4, jnp.uint32)).rounds for n in (3, 300))
    assert few == many == 3 + 1 + 1  # comparisons, the opening of the one-hot rows, revealing
