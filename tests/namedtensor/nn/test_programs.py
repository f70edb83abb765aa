"""What holds for every function: one dispatch when eager, the same under jit and vmap, dtypes kept."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from tests.namedtensor.nn.common import EPS, random, shuffled

KEY, LABELS, IDS = jax.random.key(0), nt.tensor([0, 1, 2, 3, 0, 1], "t"), nt.tensor([1, 0, 5], "s")
X = ("b t c", 3, 6, 4)
PROGRAMS = {  # name: the function, and the names and sizes of its floating operands; all have a batch
    "absolute_error": (nt.nn.absolute_error, X, X),
    "attention": (
        lambda q, k, v: nt.nn.attention(q, k, v, over="t", features="d", causal="s"),
        ("b h s d", 3, 2, 5, 4), ("b h t d", 3, 2, 6, 4), ("b h t d", 3, 2, 6, 4)),
    "avg_pool": (lambda x: nt.nn.avg_pool(x, {"t": 3}, stride=2, padding="same"), X),
    "batch_norm": (
        lambda x, s, m: nt.nn.batch_norm(x, s, over="t", mean=m, variance=2.0), X, ("c", 4), ("c", 4)),
    "binary_cross_entropy": (nt.nn.binary_cross_entropy, X, X),
    "conv": (lambda x, k: nt.nn.conv(x, k, {"t": "k"}, over="c"), X, ("k c f", 3, 4, 2)),
    "conv_transpose": (
        lambda x, k: nt.nn.conv_transpose(x, k, {"t": "k"}, over="c", stride=2), X, ("k c f", 3, 4, 2)),
    "cosine_similarity": (lambda x, y: nt.nn.cosine_similarity(x, y, "c"), X, ("b c", 3, 4)),
    "cross_entropy": (lambda x: nt.nn.cross_entropy(x, LABELS, "c", label_smoothing=0.1), X),
    "dropout": (lambda x: nt.nn.dropout(x, 0.5, key=KEY, over="t c"), X),
    "embedding": (lambda x: nt.nn.embedding(x, IDS, over="t"), X),
    "group_norm": (lambda x, s: nt.nn.group_norm(x, s, dim="c", groups=2, over="t"), X, ("c", 4)),
    "hinge": (nt.nn.hinge, X, X),
    "huber": (nt.nn.huber, X, X),
    "instance_norm": (lambda x: nt.nn.instance_norm(x, over="t"), X),
    "kl_divergence": (lambda x, y: nt.nn.kl_divergence(x, y, "c"), X, X),
    "l2_normalize": (lambda x: nt.nn.l2_normalize(x, over="c"), X),
    "layer_norm": (lambda x, s, o: nt.nn.layer_norm(x, s, o, over="c"), X, ("c", 4), ("c", 4)),
    "linear": (lambda x, w, b: nt.nn.linear(x, w, b, over="c"), X, ("c f", 4, 2), ("f", 2)),
    "max_pool": (lambda x: nt.nn.max_pool(x, {"t": 3, "c": 2}, padding=1), X),
    "min_pool": (lambda x: nt.nn.min_pool(x, {"t": 2}, dilation=2), X),
    "moments": (lambda x: nt.nn.moments(x, "t")[1], X),
    "nll": (lambda x: nt.nn.nll(x, 2, "c"), X),
    "resize": (lambda x: nt.nn.resize(x, {"t": 9}), X),
    "rms_norm": (lambda x, s: nt.nn.rms_norm(x, s, over="c"), X, ("c", 4)),
    "rope": (lambda x: nt.nn.rope(x, over="t", features="c"), X),
    "sinusoidal_positions": (
        lambda x: x + nt.nn.sinusoidal_positions("t:6 c:4", over="t", features="c"), X),
    "squared_error": (nt.nn.squared_error, X, X),
}  # fmt: skip
DISPATCHES = {"sinusoidal_positions": 2}  # the addition is another one
WIDER = {"moments", "sinusoidal_positions"}  # float32 whatever comes in


def test_every_function_is_here():
    activations = {n for n in nt.nn.__all__ if getattr(nt.nn, n).__module__.endswith("activations")}
    also_plain = {n for n in nt.nn.__all__ if getattr(nt, n, None) is getattr(nt.nn, n)}
    assert set(nt.nn.__all__) - activations - also_plain == set(PROGRAMS)


def tensors(name, seed):
    shapes = PROGRAMS[name][1:]
    return [shuffled(random(seed + i, *sizes), names, seed + i) for i, (names, *sizes) in enumerate(shapes)]


@pytest.mark.parametrize("name", PROGRAMS)
def test_one_dispatch_and_the_same_under_jit_and_vmap(name, compilations):
    program, operands = PROGRAMS[name][0], tensors(name, 5)
    results = []
    nt.clear_cache()
    assert compilations.since(lambda: results.append(program(*operands))) == DISPATCHES.get(name, 1)
    assert compilations.since(lambda: program(*operands)) == 0
    (want,) = results
    names = list(want.dims)
    both = jax.jit(lambda *tensors: (program(*tensors), nt.vmap(program, over="b")(*tensors)))
    for other in both(*operands):
        # sums of up to 24 terms in another order
        np.testing.assert_allclose(other.to_array(names), want.array, rtol=32 * EPS, atol=32 * EPS)


@pytest.mark.parametrize("name", PROGRAMS)
def test_bfloat16_is_kept(name):
    halves = [x.astype("bfloat16") for x in tensors(name, 3)]
    out = jax.eval_shape(PROGRAMS[name][0], *halves)
    assert out.dtype == (jnp.float32 if name in WIDER else jnp.bfloat16)


def test_nothing_is_checked_by_jit_alone():
    with jax.disable_jit():
        out = nt.nn.layer_norm(nt.tensor([0.0, 2.0], "c"), over="c", epsilon=0)
    np.testing.assert_array_equal(out.array, [-1, 1])
