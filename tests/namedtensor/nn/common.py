"""What the tests of `nt.nn` share: random arrays, tensors stored in any order, and a reference to be equal to."""

import jax
import jax.numpy as jnp
import numpy as np

import namedtensor as nt

EPS = float(np.finfo(np.float32).eps)
HALF_EPS = 2.0**-7  # of bfloat16: half of it is what one rounding costs, relative


def random(seed, *shape):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def shuffled(array, names, seed):
    """The array under its names, its axes stored in a random order."""
    order = np.random.default_rng(seed).permutation(np.ndim(array))
    return nt.tensor(np.transpose(array, order), [names.split()[i] for i in order])


def check(named, by_hand, operands, out, atol, *, seed=0):
    """Values and gradients of ``named`` are those of ``by_hand`` on positional arrays, however stored.

    ``operands`` are pairs (array, names); the gradients are those of a random weighting of the result.
    Eager and compiled calls have their operands in different orders.
    """
    arrays = [jnp.asarray(a) for a, _ in operands]
    which = tuple(i for i, a in enumerate(arrays) if jnp.issubdtype(a.dtype, jnp.floating))
    weight = random(99, *jax.eval_shape(by_hand, *arrays).shape)
    want, want_slopes = _with_slopes(by_hand, which, weight)(*arrays)
    eager, stored = (
        [shuffled(a, names, s + i) for i, (a, names) in enumerate(operands)] for s in (seed, seed + 17)
    )
    compiled, slopes = _with_slopes(named, which, nt.tensor(weight, out))(*stored)
    for got in (named(*eager), compiled):
        assert set(got.dims) == set(out.split())
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got.to_array(out), want, rtol=0, atol=atol)
    for i, slope, wanted in zip(which, slopes, want_slopes, strict=True):
        assert slope.dims == stored[i].dims
        limit = atol * want.size  # each derivative gathers at most all results
        np.testing.assert_allclose(slope.to_array(operands[i][1]), wanted, rtol=0, atol=limit)


def _with_slopes(function, which, weight):
    """The value of ``function`` and the gradients of its weighted sum, compiled together."""

    def weighted(*args):
        y = function(*args)
        loss = (y * weight).sum()
        return getattr(loss, "array", loss), y

    def both(*args):
        slopes, y = jax.grad(weighted, which, has_aux=True)(*args)
        return y, slopes

    return jax.jit(both)


def setting(values, names):
    """One value for all dims where they agree, else a mapping by name, in another order than the dims'."""
    plain = len(set(values)) == 1 and not isinstance(values[0], tuple)
    return values[0] if plain else dict(reversed(list(zip(names, values, strict=False))))


def padded_rows(padding, size, reach, stride):
    """Rows before and after: "same" as TensorFlow defines it, "causal" all in front."""
    if padding == "valid":
        return 0, 0
    if padding == "causal":
        return reach - 1, 0
    if padding == "same":
        total = max((-(-size // stride) - 1) * stride + reach - size, 0)
        return total // 2, total - total // 2
    return padding if isinstance(padding, tuple) else (padding, padding)
