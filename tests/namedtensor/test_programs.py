"""The programs of docs/programs.py against NumPy with axis numbers and loops, and the page they make."""

import importlib.util
import itertools
from pathlib import Path

import jax
import numpy as np
import pytest
import scipy.stats

import namedtensor as nt

PATH = Path(__file__).parents[2] / "docs/programs.py"
spec = importlib.util.spec_from_file_location("programs", PATH)
programs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(programs)

TOLERANCE = 1e-5  # values of size 1, sums of at most 50 terms in float32


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def check(named, names, want):
    np.testing.assert_allclose(named.to_array(names), want, rtol=TOLERANCE, atol=TOLERANCE)


def normal(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def standardized(x, axes):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)


def test_feedforward_and_fullconn(rng):
    w, b, x = normal(rng, 4, 3), normal(rng, 4), normal(rng, 5, 3)
    out = programs.feedforward(nt.tensor(w, "hidden inp"), nt.tensor(b, "hidden"), nt.tensor(x, "batch inp"))
    check(out, "batch hidden", sigmoid(x @ w.T + b))
    w2, b2 = normal(rng, 2, 4), normal(rng, 2)
    layers = [(nt.tensor(a, "layer' layer"), nt.tensor(c, "layer'")) for a, c in ((w, b), (w2, b2))]
    out = programs.fullconn(layers, nt.tensor(x, "batch layer"))
    check(out, "batch layer", sigmoid(sigmoid(x @ w.T + b) @ w2.T + b2))


def test_rnn(rng):
    wh, wi, b, h0, x = (normal(rng, *s) for s in ((4, 4), (4, 3), (4,), (2, 4), (6, 2, 3)))
    names = ("hidden' hidden", "hidden' inp", "hidden'", "batch hidden", "time batch inp")
    out = programs.rnn(*[nt.tensor(a, n) for a, n in zip((wh, wi, b, h0, x), names, strict=True)])
    h, states = h0, []
    for t in range(6):
        h = sigmoid(h @ wh.T + x[t] @ wi.T + b)
        states.append(h)
    check(out, "time batch hidden", states)


def attended(q, k, v, mask):
    """One row at a time."""
    rows = [softmax(np.array([row @ key for key in k]) / np.sqrt(k.shape[1]) + mask, 0) @ v for row in q]
    return np.array(rows)


def test_attention_and_self_attention(rng):
    q, k, v, mask = normal(rng, 7, 4), normal(rng, 5, 4), normal(rng, 5, 3), normal(rng, 5)
    out = programs.attention(
        nt.tensor(q, "seq' key"), nt.tensor(k, "seq key"), nt.tensor(v, "seq val"), nt.tensor(mask, "seq")
    )
    check(out, "seq' val", attended(q, k, v, mask))
    x, wo = normal(rng, 5, 6), normal(rng, 2, 3, 6)
    wq, wk, wv = normal(rng, 2, 6, 4), normal(rng, 2, 6, 4), normal(rng, 2, 6, 3)
    params = {"q": nt.tensor(wq, "heads layer key"), "k": nt.tensor(wk, "heads layer key"),
              "v": nt.tensor(wv, "heads layer val"), "o": nt.tensor(wo, "heads val layer'")}  # fmt: skip
    out = programs.self_attention(params, nt.tensor(x, "seq layer"), nt.tensor(mask, "seq"))
    want = sum(attended(x @ wq[h], x @ wk[h], x @ wv[h], mask) @ wo[h] for h in range(2))
    check(out, "seq layer", want)


def windows(x, n, axis):
    return np.lib.stride_tricks.sliding_window_view(x, n, axis)


def convolved(w, b, x):
    """``w[kh, kw, in, out]``, ``x[batch, height, width, in]``, one position at a time."""
    n, m = w.shape[:2]
    shape = (x.shape[0], x.shape[1] - n + 1, x.shape[2] - m + 1, w.shape[3])
    out = np.zeros(shape, np.float32)
    for i, j in itertools.product(range(shape[1]), range(shape[2])):
        out[:, i, j] = np.tensordot(x[:, i : i + n, j : j + m], w, 3) + b
    return out


def test_convolutions(rng):
    w, b, x = normal(rng, 3, 2, 5), normal(rng, 5), normal(rng, 4, 9, 2)
    out = programs.conv1d(
        nt.tensor(w, "kernel chans chans'"), nt.tensor(b, "chans'"), nt.tensor(x, "batch seq chans")
    )
    want = convolved(w[:, None], b, x[:, :, None])[:, :, 0]
    check(out, "batch seq chans'", want)
    w, x = normal(rng, 3, 2, 2, 5), normal(rng, 4, 7, 6, 2)
    named = (
        nt.tensor(w, "kh kw chans chans'"),
        nt.tensor(b, "chans'"),
        nt.tensor(x, "batch height width chans"),
    )
    check(programs.conv2d(*named), "batch height width chans'", convolved(w, b, x))
    same = (
        nt.nn.conv(named[2], named[0], {"height": "kh", "width": "kw"}, over="chans", padding="valid")
        + named[1]
    )
    check(programs.conv2d(*named), "batch height width chans'", same.to_array("batch height width chans'"))


def pooled(x, n):
    """The maximum of blocks of the axes 1 and 2."""
    h, w = x.shape[1] // n, x.shape[2] // n
    blocks = [[x[:, i * n : i * n + n, j * n : j * n + n].max((1, 2)) for j in range(w)] for i in range(h)]
    return np.moveaxis(np.array(blocks), 2, 0)


def test_pooling(rng):
    x = normal(rng, 3, 8, 6, 2)
    check(programs.maxpool1d(nt.tensor(x[:, :, 0], "batch seq chans"), 2), "batch seq chans",
          np.maximum(x[:, ::2, 0], x[:, 1::2, 0]))  # fmt: skip
    check(
        programs.maxpool2d(nt.tensor(x, "batch height width chans"), 2),
        "batch height width chans",
        pooled(x, 2),
    )


def test_norms(rng):
    x, g, b, gl, bl = (
        normal(rng, 4, 5, 6),
        normal(rng, 6),
        normal(rng, 6),
        normal(rng, 5, 6),
        normal(rng, 5, 6),
    )
    named, scale, offset = nt.tensor(x, "batch layer chans"), nt.tensor(g, "chans"), nt.tensor(b, "chans")
    check(programs.standardize(nt.tensor(x, "batch ax chans")), "batch ax chans", standardized(x, 1))
    check(programs.batchnorm(named, scale, offset), "batch layer chans", standardized(x, (0, 1)) * g + b)
    check(programs.instancenorm(named, scale, offset), "batch layer chans", standardized(x, 1) * g + b)
    both = nt.tensor(gl, "layer chans"), nt.tensor(bl, "layer chans")
    check(programs.layernorm(named, *both), "batch layer chans", standardized(x, (1, 2)) * gl + bl)
    groups = [standardized(part, (1, 2)) for part in np.split(x, 3, axis=2)]
    check(programs.groupnorm(named, scale, offset, 3), "batch layer chans", np.concatenate(groups, 2) * g + b)


def test_transformer(rng):
    vocab, seq, layer, heads, key, hidden = 11, 5, 6, 2, 4, 8
    shapes = {"q": "heads layer key", "k": "heads layer key", "v": "heads layer val", "o": "heads val layer'",
              "w1": "hidden layer", "b1": "hidden", "w2": "hidden layer'", "b2": "layer'",
              "g1": "layer", "o1": "layer", "g2": "layer", "o2": "layer"}  # fmt: skip
    size = {"heads": heads, "layer": layer, "layer'": layer, "key": key, "val": key, "hidden": hidden}
    arrays = [{k: normal(rng, *(size[d] for d in s.split())) for k, s in shapes.items()} for _ in range(2)]
    e, positions, ids = normal(rng, vocab, layer), normal(rng, seq, layer), rng.integers(0, vocab, (3, seq))
    out = programs.transformer(
        {"e": nt.tensor(e, "vocab layer"), "positions": nt.tensor(positions, "seq layer"),
         "layers": [{k: nt.tensor(a, shapes[k]) for k, a in p.items()} for p in arrays]},
        nt.tensor(ids, "batch seq"), 0.0,
    )  # fmt: skip
    x = e[ids] * np.sqrt(layer) + positions
    for p in arrays:
        mixed = [
            sum(attended(s @ p["q"][h], s @ p["k"][h], s @ p["v"][h], 0) @ p["o"][h] for h in range(2))
            for s in x
        ]
        t = standardized(np.array(mixed) + x, 2) * p["g1"] + p["o1"]
        f = np.maximum(t @ p["w1"].T + p["b1"], 0) @ p["w2"] + p["b2"]
        x = standardized(f + t, 2) * p["g2"] + p["o2"]
    check(out, "batch seq vocab", softmax(x @ e.T, 2))


def test_lenet(rng):
    shapes = {"conv1": "kh:3 kw:3 chans:1 chans':4", "b1": "chans':4", "conv2": "kh:3 kw:3 chans:4 chans':5",
              "b2": "chans':5", "dense": "height:2 width:2 chans:5 hidden:6", "b3": "hidden:6",
              "out": "hidden:6 classes:3", "b4": "classes:3"}  # fmt: skip
    keys = jax.random.split(jax.random.key(0), len(shapes))
    named = {k: 0.3 * nt.random.normal(r, s) for r, (k, s) in zip(keys, shapes.items(), strict=True)}
    p = {k: np.asarray(v.array) for k, v in named.items()}
    x = normal(rng, 2, 14, 14, 1)
    t = pooled(np.maximum(convolved(p["conv1"], p["b1"], x), 0), 2)
    t = pooled(np.maximum(convolved(p["conv2"], p["b2"], t), 0), 2)
    t = np.maximum(np.tensordot(t, p["dense"], 3) + p["b3"], 0)
    out = programs.lenet(named, nt.tensor(x, "batch height width chans"))
    check(out, "batch classes", softmax(t @ p["out"] + p["b4"], 1))


def test_bayes(rng):
    joint = rng.uniform(0.1, 1, (3, 4)).astype(np.float32)
    joint /= joint.sum()
    prior = joint.sum(1)
    posterior = programs.bayes(nt.tensor(joint / prior[:, None], "A B"), nt.tensor(prior, "A"))
    check(posterior, "A B", joint / joint.sum(0))


def test_cbow(rng):
    e, w, ids = normal(rng, 9, 4), normal(rng, 3, 4), rng.integers(0, 9, (2, 5))
    out = programs.cbow(nt.tensor(e, "vocab emb"), nt.tensor(w, "classes emb"), nt.tensor(ids, "batch seq"))
    check(out, "batch classes", softmax(np.array([sum(e[i] for i in row) @ w.T for row in ids]), 1))


def test_kmeans_step(rng):
    x = np.concatenate([normal(rng, 10, 2) - 4, normal(rng, 10, 2) + 4])
    centres = np.float32([[-1, -1], [1, 1]])
    out = programs.kmeans_step(nt.tensor(centres, "clusters d"), nt.tensor(x, "batch d"))
    nearest = [min(range(2), key=lambda c: np.linalg.norm(centres[c] - row)) for row in x]
    check(out, "clusters d", [x[np.array(nearest) == c].mean(0) for c in range(2)])


def test_beam_step(rng):
    chance = rng.uniform(0, 1, (6, 6)).astype(np.float32)  # from a state, to a state
    h, s = np.float32([0.9, 0.5, 0.3]), np.array([4, 0, 2])
    transition = nt.tensor(chance, "from state")
    scores, states = programs.beam_step(
        nt.tensor(h, "beam"), nt.tensor(s, "beam"), lambda s: transition[{"from": s}]
    )
    best = {to: max(h[b] * chance[s[b], to] for b in range(3)) for to in range(6)}
    order = sorted(best, key=best.get, reverse=True)[:3]
    check(scores, "beam", [best[to] for to in order])
    assert states.to_array("beam").tolist() == order


def test_multivariate_normal(rng):
    a, x, mean = normal(rng, 3, 3), normal(rng, 5, 3), normal(rng, 3)
    covariance = a @ a.T + 2 * np.eye(3, dtype=np.float32)
    out = programs.multivariate_normal(
        nt.tensor(x, "batch d"), nt.tensor(mean, "d"), nt.tensor(covariance, "d1 d2")
    )
    check(out, "batch", scipy.stats.multivariate_normal(mean, covariance).pdf(x))


def test_sudoku():
    digits = np.array([[(3 * (i % 3) + i // 3 + j) % 9 for j in range(9)] for i in range(9)])
    solved = nt.one_hot(nt.tensor(digits, "height width"), "assign", 9)
    assert bool(programs.sudoku(solved))
    digits[0, [0, 1]] = digits[0, [1, 0]]  # each row still has all digits, two columns do not
    assert not bool(programs.sudoku(nt.one_hot(nt.tensor(digits, "height width"), "assign", 9)))


def test_the_page_shows_the_programs():
    assert PATH.with_suffix(".md").read_text() == programs.page(), "run python docs/programs.py"
