"""What a sentence owes to its tokens: the sentence encoder explained by path, by differences and by relevance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import captum_lite as cl
import namedtensor as nt
from namedtensor.models import minilm
from tests import sentences
from tests.sentences import needs_minilm

BATCH, POS = 2, 5
PARAMS = sentences.params(sizes=sentences.TINY._replace(layers=1))  # all there is, in half the compiling


@pytest.fixture(scope="module")
def double():
    """Derivatives are compared in float64."""
    with jax.enable_x64(True):
        params = jax.tree.map(lambda a: a.astype(jnp.float64), PARAMS)
        rng = np.random.default_rng(3)
        x, start, other = (
            nt.tensor(0.5 * rng.normal(size=(BATCH, POS, 12)), "batch pos embed") for _ in range(3)
        )
        vector = minilm.encode(params, other)

        def cosine(x):
            return minilm.encode(params, x).dot("embed", vector)

        yield params, cosine, vector, x, start


def scores(cosine, x):
    return np.asarray(jax.jit(cosine)(x).array)


def test_integrated_gradients_are_the_mean_of_finite_differences_on_the_path(double):
    """Of each token: Gauss's points, and central differences whose error is the square of their step."""
    _, cosine, _, x, start = double
    record = cl.IntegratedGradients(cosine).explain(x, start, n_steps=12)
    assert np.abs(record.convergence_delta).max() < 1e-3
    nodes, weights = np.polynomial.legendre.leggauss(12)
    step, change = 1e-4, (x - start).to_array("batch pos embed")
    one = np.eye(POS)[:, None, :, None] * np.asarray(change)[None]  # [token batch pos embed]
    at = (
        np.asarray(start.to_array("batch pos embed"))[None]
        + (1 + nodes[:, None, None, None]) / 2 * change[None]
    )
    sides = [at[:, None] + sign * step * one[None] for sign in (1, -1)]
    up, down = (
        np.asarray(
            jax.jit(cosine)(nt.tensor(np.asarray(s), "node token batch pos embed")).to_array(
                "node token batch"
            )
        )
        for s in sides
    )
    want = np.tensordot(weights / 2, (up - down) / (2 * step), 1).T
    np.testing.assert_allclose(record.attributions.sum("embed").to_array("batch pos"), want, atol=1e-7)


def test_differences_are_complete_and_become_the_gradient(double):
    """DeepLift: what adds up is exact; and near to its baseline a function is its gradient, halfway."""
    _, cosine, _, x, start = double
    record = cl.DeepLift(cosine).explain(x, start)
    assert not record.residuals
    np.testing.assert_allclose(
        record.attributions.sum("pos embed").array, scores(cosine, x) - scores(cosine, start), atol=1e-12
    )
    near = x + 1e-4 * (start - x)
    slopes = jax.jit(nt.grad(lambda x: cosine(x).sum()))((x + near) / 2)
    got = cl.DeepLift(cosine).explain(x, near).attributions.to_array("batch pos embed")
    want = (slopes * (x - near)).to_array("batch pos embed")
    np.testing.assert_allclose(got, want, atol=2e-5 * np.abs(want).max())


def held(x):
    return jax.lax.stop_gradient(x)


def modified_cosine(params, vector, x):
    """The encoder, whose gradient times its input is its relevance: AttnLRP as its authors compute it.

    Norms are constants, an activation is a factor, and a product gives half to each side (Achtibat et al. 2024,
    arXiv:2402.05602, appendix; the library LXT). What a linear layer gives to its bias is lost in both.
    """
    p = jax.tree.map(lambda a: a.array, params, is_leaf=nt.is_named)

    def norm(p, x):
        centred = x - x.mean(-1, keepdims=True)
        scale = held(1 / jnp.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12))
        return centred * scale * p["scale"] + p["offset"]

    def half(pattern, a, b):
        return (jnp.einsum(pattern, a, held(b)) + jnp.einsum(pattern, held(a), b)) / 2

    x = norm(p["norm"], x + p["positions"][: x.shape[1]] + p["kind"])
    for each in p["layers"]:
        a, m = each["attention"], each["mlp"]
        q, k, v = (
            jnp.einsum("npe,ehk->nphk", x, a[name]) + a[f"{name}.bias"] for name in ("query", "key", "value")
        )
        weights = jax.nn.softmax(half("nphk,nqhk->nhpq", q, k) / 2, -1)  # 2 is the root of 4 features
        mixed = half("nhpq,nqhk->nphk", weights, v)
        x = norm(a["norm"], x + jnp.einsum("nphk,hke->npe", mixed, a["out"]) + a["out.bias"])
        hidden = x @ m["up"] + m["up.bias"]
        hidden = hidden * held(jax.nn.gelu(hidden, approximate=False) / hidden)
        x = norm(m["norm"], x + hidden @ m["down"] + m["down.bias"])
    mean = x.mean(1)
    return ((mean * held(1 / jnp.linalg.norm(mean, axis=-1, keepdims=True))) * vector).sum(-1)


def test_relevance_is_a_gradient_of_the_modified_encoder(double):
    params, cosine, vector, x, _ = double
    got = cl.LRP(cosine, default=cl.rules.Epsilon(1e-12)).attribute(x).to_array("batch pos embed")
    inputs, against = x.to_array("batch pos embed"), vector.to_array("batch embed")

    def modified(x):
        values = modified_cosine(params, against, x)
        return values.sum(), values

    with jax.numpy_rank_promotion("allow"):
        slopes, value = jax.jit(jax.grad(modified, has_aux=True))(inputs)
    np.testing.assert_allclose(value, scores(cosine, x), atol=1e-12)
    want = inputs * slopes
    np.testing.assert_allclose(got, want, atol=1e-9 * np.abs(want).max())


def test_a_layer_of_the_whole_is_what_the_rest_is_of_its_inputs(double):
    """As users of Captum explain a text: token numbers go in, and what passes at ``embedding`` is explained."""
    params, _, vector, *_ = double
    ids = nt.random.randint(jax.random.key(5), "batch:2 pos:5", 0, 22)
    mask = nt.tensor(np.arange(POS)[None] < np.array([[POS], [3]]), "batch pos")

    def cosine(ids, mask):
        return minilm.apply(params, ids, mask).dot("embed", vector)

    def rest(x, mask):
        return minilm.encode(params, x, mask).dot("embed", vector)

    got = cl.InputXGradient(cosine, layer="embedding").attribute(ids, additional_forward_args=(mask,))
    want = cl.InputXGradient(rest).attribute(minilm.embed(params, ids), additional_forward_args=(mask,))
    np.testing.assert_allclose(got.to_array("batch pos embed"), want.to_array("batch pos embed"), atol=1e-12)
    given = np.abs(got.to_array("batch pos embed")).max(-1)
    np.testing.assert_array_equal(given > 0, mask.to_array("batch pos"))  # padding gets nothing


# the trained weights --------------------------------------------------------------------------

GUITAR = "A man is playing a guitar on stage."
MUSIC = "Someone performs music with an instrument."


@pytest.fixture(scope="module")
def pair():
    """Two sentences: the score of the first, its tokens, and the same with every word hidden."""
    params, tokenizer = minilm.load()
    first, second = tokenizer(GUITAR), tokenizer(MUSIC)
    vector = minilm.apply(params, second.ids).isel(batch=0)
    hidden = nt.where(first.words, tokenizer.number("[PAD]"), first.ids)
    x, start = (minilm.embed(params, ids) for ids in (first.ids, hidden))
    return lambda x: minilm.encode(params, x).dot("embed", vector), x, start, first.tokens[0]


@needs_minilm
def test_the_guitar_is_what_two_sentences_share(pair):
    """As measured with another implementation of the model and of the method; other methods are in the notebook."""
    cosine, x, start, tokens = pair
    record = cl.IntegratedGradients(cosine).explain(x, start, n_steps=64)
    assert abs(float(record.convergence_delta[0])) < 1e-3
    by_token = dict(zip(tokens, np.asarray(record.attributions.sum("embed").array[0]), strict=True))
    assert sorted(by_token, key=by_token.get)[-2:] == ["playing", "guitar"]
    assert (by_token["guitar"], by_token["playing"]) == pytest.approx((0.238, 0.090), abs=5e-4)
    assert float(record.prediction[0]) == pytest.approx(0.573, abs=5e-4)
    assert by_token["[CLS]"] == by_token["[SEP]"] == 0  # which the baseline has too
