"""Pooling against loops over windows, and against JAX's derivative of the undilated one."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from tests.namedtensor.nn.common import EPS, check, padded_rows, random, setting, shuffled

SPATIAL = ["height", "width", "depth"]


def pooled(x, window, strides, paddings, dilations, reduce, padded_with=None):
    """Each window in turn; what padding would add is left out, unless a value is given for it."""
    reaches = [(w - 1) * d + 1 for w, d in zip(window, dilations, strict=True)]
    rows = [padded_rows(*s) for s in zip(paddings, x.shape[1:], reaches, strides, strict=True)]
    counts = [
        (size + sum(row) - reach) // s + 1
        for size, row, reach, s in zip(x.shape[1:], rows, reaches, strides, strict=True)
    ]
    out = np.empty((len(x), *counts), np.result_type(x, np.float32) if reduce is np.mean else x.dtype)
    for at in itertools.product(*map(range, counts)):
        taken = [
            [i * s - row[0] + k * d for k in range(w)]
            for i, s, row, w, d in zip(at, strides, rows, window, dilations, strict=True)
        ]
        for b in range(len(x)):
            values = []
            for place in itertools.product(*taken):
                inside = all(0 <= p < n for p, n in zip(place, x.shape[1:], strict=True))
                if inside or padded_with is not None:
                    values.append(x[(b, *place)] if inside else padded_with)
            out[(b, *at)] = reduce(values)
    return out


POOLS = [  # sizes, window, strides (None: the window), paddings, dilations
    ((8,), (2,), None, ("valid",), (1,)),
    ((7,), (3,), (2,), ("same",), (1,)),
    ((7,), (3,), (1,), (1,), (1,)),
    ((8,), (2,), (1,), ("valid",), (3,)),
    ((8,), (3,), (2,), ("causal",), (2,)),
    ((7,), (3,), (2,), ((2, 1),), (1,)),
    ((7, 6), (2, 3), None, ("valid", "valid"), (1, 1)),
    ((7, 6), (2, 3), (1, 2), ("same", "same"), (1, 1)),
    ((7, 6), (3, 2), (2, 2), (1, 0), (1, 2)),
    ((7, 6), (2, 2), (2, 1), ("valid", "same"), (2, 3)),
    ((4, 5, 4), (2, 2, 3), (1, 2, 1), ("valid", "valid", "valid"), (1, 1, 1)),
]


def settings(n, window, strides, paddings, dilations):
    stride = {} if strides is None else {"stride": setting(strides, SPATIAL)}
    sizes = dict(reversed(list(zip(SPATIAL, window, strict=False))))
    return sizes, {"padding": setting(paddings, SPATIAL), "dilation": setting(dilations, SPATIAL), **stride}


@pytest.mark.parametrize(("sizes", "window", "strides", "paddings", "dilations"), POOLS)
@pytest.mark.parametrize(
    ("pool", "reduce"),
    [(nt.nn.max_pool, np.max), (nt.nn.min_pool, np.min), (nt.nn.avg_pool, np.mean)],
    ids=["max", "min", "mean"],
)
def test_pool_as_a_loop(pool, reduce, sizes, window, strides, paddings, dilations):
    n = len(sizes)
    shift = 2 if reduce is np.min else -2  # so that a padding of zeros would show
    x = random(len(window), 2, *sizes) + np.float32(shift)
    widths, how = settings(n, window, strides, paddings, dilations)
    out = pool(shuffled(x, " ".join(["batch", *SPATIAL[:n]]), n), widths, **how)
    got = out.to_array(["batch", *SPATIAL[:n]])
    want = pooled(x, window, strides or window, paddings, dilations, reduce)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=math.prod(window) * EPS)


@pytest.mark.parametrize("case", [1, 2, 4, 8])
def test_avg_pool_counts_padding_where_it_is_asked_to(case):
    sizes, window, strides, paddings, dilations = POOLS[case]
    x = random(case, 2, *sizes)
    widths, how = settings(len(sizes), window, strides, paddings, dilations)
    names = ["batch", *SPATIAL[: len(sizes)]]
    got = nt.nn.avg_pool(nt.tensor(x, names), widths, count_padding=True, **how).to_array(names)
    want = pooled(x, window, strides or window, paddings, dilations, np.mean, padded_with=0)
    np.testing.assert_allclose(got, want, rtol=0, atol=math.prod(window) * EPS)


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize(("pool", "best"), [(nt.nn.max_pool, jnp.max), (nt.nn.min_pool, jnp.min)])
def test_the_derivative_of_overlapping_and_dilated_windows(pool, best, dilation):
    x = random(5, 2, 9, 3)

    def by_hand(x):
        starts = range(0, 9 - 2 * dilation, 2)
        return jnp.stack([best(x[:, i : i + 2 * dilation + 1 : dilation], 1) for i in starts], 1)

    def named(x):
        return pool(x, {"t": 3}, stride=2, dilation=dilation)

    check(named, by_hand, [(x, "b t c")], "b t c", 3 * EPS)


@pytest.mark.parametrize("dilation", [1, 2])
def test_of_equal_values_the_first_has_the_derivative(dilation):
    x = nt.tensor([2.0, 1.0, 2.0, 1.0, 2.0], "t")
    slope = jax.jit(nt.grad(lambda t: nt.nn.max_pool(t, {"t": 2}, stride=1, dilation=dilation).sum()))(x)
    # windows of neighbours: 0, 2, 2, 4; windows of every second: 0, 1, 2
    want = [1.0, 0.0, 2.0, 0.0, 1.0] if dilation == 1 else [1.0, 1.0, 1.0, 0.0, 0.0]
    np.testing.assert_array_equal(slope.array, want)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "bool", "float16", "bfloat16"])
@pytest.mark.parametrize(
    ("pool", "reduce"), [(nt.nn.max_pool, np.max), (nt.nn.min_pool, np.min)], ids=["max", "min"]
)
def test_pools_of_other_dtypes(pool, reduce, dtype):
    x = np.random.default_rng(3).integers(0, 2 if dtype == "bool" else 120, (2, 5))
    got = pool(nt.tensor(x, "b t", dtype=dtype).order("t b"), {"t": 2}, stride=1, padding=1)
    assert got.dtype == dtype
    want = pooled(x, (2,), (1,), (1,), (1,), reduce)
    np.testing.assert_array_equal(got.to_array("b t").astype(int), want)


def test_max_pool_of_negative_integers():
    x = np.int32([-5, -3, -7, -2])
    out = nt.nn.max_pool(nt.tensor(x, "t"), {"t": 2}, stride=1, padding=1)
    np.testing.assert_array_equal(out.array, [-5, -3, -3, -2, -2])


def test_the_mean_of_bytes_does_not_overflow():
    x = nt.full("t:4", 200, dtype="uint8")
    out = nt.nn.avg_pool(x, {"t": 4})
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out.array, [200.0])


def test_the_mean_of_half_precision_is_rounded_once():
    x = nt.full("t:4096", 1.0, dtype="bfloat16")  # summed in bfloat16 it would stop at 256
    out = nt.nn.avg_pool(x, {"t": 4096})
    assert out.dtype == "bfloat16"
    assert out.array[0] == 1


def test_the_derivatives_of_pools():
    x = nt.tensor([1.0, 4.0, 3.0, 2.0], "t")
    assert nt.equal(
        nt.grad(lambda t: nt.nn.max_pool(t, {"t": 2}).sum())(x), nt.tensor([0.0, 1.0, 1.0, 0.0], "t")
    )
    assert nt.equal(nt.grad(lambda t: nt.nn.avg_pool(t, {"t": 2}).sum())(x), nt.tensor([0.5] * 4, "t"))


def test_an_empty_batch_is_pooled():
    out = nt.nn.max_pool(nt.zeros("b:0 t:4"), {"t": 2})
    assert dict(out.shape) == {"b": 0, "t": 2}


def test_a_window_of_padding_alone():
    x = nt.ones("t:2")
    assert np.isneginf(nt.nn.max_pool(x, {"t": 1}, padding=1).array[0])
    assert np.isnan(nt.nn.avg_pool(x, {"t": 1}, padding=1).array[0])


def test_pooling_moves_no_axis():
    x = shuffled(random(1, 2, 4, 6, 3), "b h w c", 4)
    jaxpr = str(jax.make_jaxpr(lambda x: nt.nn.max_pool(x, {"h": 2, "w": 3}))(x))
    assert "transpose" not in jaxpr
    assert jaxpr.count("reduce_window_max") == 1
