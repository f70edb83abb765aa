"""Losses and distances against their formulas in float64, and against optax."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import namedtensor as nt
from tests.namedtensor.nn.common import EPS, check, random, shuffled


def log_probabilities(z):
    z = z.astype(np.float64)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


LOGITS = random(0, 2, 3, 5) * 4
CLASSES = np.int32([[0, 4, 2], [1, 1, 3]])
LABELS = np.exp(log_probabilities(random(5, 2, 3, 5))).astype(np.float32)
ROUNDED = 2 * 5 * 4 * EPS  # five terms of up to 4, twice


def test_cross_entropy_of_class_numbers():
    out = nt.nn.cross_entropy(shuffled(LOGITS, "b t class", 1), shuffled(CLASSES, "b t", 2), "class")
    want = -np.take_along_axis(log_probabilities(LOGITS), CLASSES[..., None], -1)[..., 0]
    np.testing.assert_allclose(out.to_array("b t"), want, rtol=0, atol=ROUNDED)


def test_cross_entropy_of_probabilities():
    out = nt.nn.cross_entropy(shuffled(LOGITS, "b t class", 1), shuffled(LABELS, "b t class", 2), "class")
    want = -(LABELS * log_probabilities(LOGITS)).sum(-1)
    np.testing.assert_allclose(out.to_array("b t"), want, rtol=0, atol=ROUNDED)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("form", ["numbers", "probabilities"])
def test_label_smoothing_as_optax(form, smoothing):
    """The labels are mixed with the even distribution, in either form; values and gradients."""
    labels = LABELS if form == "probabilities" else np.eye(5, dtype=np.float32)[CLASSES]

    def by_hand(logits):
        return optax.softmax_cross_entropy(logits, (1 - smoothing) * labels + smoothing / 5)

    given = nt.tensor(labels, "b t class") if form == "probabilities" else shuffled(CLASSES, "b t", 3)
    named = lambda z: nt.nn.cross_entropy(z, given, "class", label_smoothing=smoothing)  # noqa: E731
    check(named, by_hand, [(LOGITS, "b t class")], "b t", ROUNDED)


def test_cross_entropy_takes_the_union_of_names():
    logits, labels = LOGITS[0], CLASSES
    out = nt.nn.cross_entropy(nt.tensor(logits, "t class"), nt.tensor(labels, "b t"), "class")
    want = -np.take_along_axis(log_probabilities(logits)[None].repeat(2, 0), labels[..., None], -1)[..., 0]
    np.testing.assert_allclose(out.to_array("b t"), want, rtol=0, atol=ROUNDED)
    smooth = nt.nn.cross_entropy(
        nt.tensor(logits, "t class"), nt.tensor(labels, "b t"), "class", label_smoothing=0.2
    )
    even = -log_probabilities(logits).mean(-1)
    np.testing.assert_allclose(smooth.to_array("b t"), 0.8 * want + 0.2 * even[None], rtol=0, atol=ROUNDED)


def test_labels_that_all_examples_share():
    labels = LABELS[0, 0]
    out = nt.nn.cross_entropy(shuffled(LOGITS, "b t class", 1), nt.tensor(labels, "class"), "class")
    want = -(labels * log_probabilities(LOGITS)).sum(-1)
    np.testing.assert_allclose(out.to_array("b t"), want, rtol=0, atol=ROUNDED)


@pytest.mark.parametrize("form", ["numbers", "probabilities"])
def test_the_derivative_of_cross_entropy(form):
    logits, labels = shuffled(LOGITS, "b t class", 3), shuffled(CLASSES, "b t", 4)
    if form == "probabilities":
        labels = labels.one_hot("class", 5)
    slope = jax.jit(nt.grad(lambda z: nt.nn.cross_entropy(z, labels, "class").sum()))(logits)
    want = np.exp(log_probabilities(LOGITS)) - (CLASSES[..., None] == np.arange(5))
    np.testing.assert_allclose(slope.to_array("b t class"), want, rtol=0, atol=ROUNDED)


def test_cross_entropy_is_stable():
    logits = nt.tensor([[1e4, 0.0], [0.0, -1e4]], "b class")
    out = nt.nn.cross_entropy(logits, nt.tensor([1, 0], "b"), "class")
    np.testing.assert_array_equal(out.array, [1e4, 0.0])


@pytest.mark.parametrize("under", [lambda f: f, jax.jit], ids=["eager", "jit"])
@pytest.mark.parametrize(
    "label", [1, np.int32(1), jnp.int32(1), nt.tensor(1, "")], ids=lambda v: type(v).__name__
)
def test_cross_entropy_of_one_example(under, label):
    out = under(lambda z: nt.nn.cross_entropy(z, label, "class"))(nt.zeros("class:4"))
    np.testing.assert_allclose(out.item(), math.log(4), rtol=4 * EPS)


@pytest.mark.parametrize("names", ["b", ""])
def test_a_class_number_out_of_range_gives_nan(names):
    logits = nt.zeros("b:1 class:3") if names else nt.zeros("class:3")
    out = nt.nn.cross_entropy(logits, nt.tensor([7] if names else 7, names), "class")
    assert jnp.isnan(out.array).all()


def test_nll_is_cross_entropy_of_log_probabilities():
    log_p = log_probabilities(LOGITS).astype(np.float32)
    labels = shuffled(CLASSES, "b t", 1)

    def by_hand(log_p):
        return -jnp.take_along_axis(log_p, CLASSES[..., None], -1)[..., 0]

    check(lambda p: nt.nn.nll(p, labels, "class"), by_hand, [(log_p, "b t class")], "b t", 0)


def test_kl_divergence_as_optax():
    p, q = (np.float32(log_probabilities(random(i, 2, 3, 4))) for i in (1, 2))
    by_hand = lambda p, q: optax.losses.kl_divergence_with_log_targets(q, p)  # noqa: E731  (targets come second)
    named = lambda p, q: nt.nn.kl_divergence(p, q, "class")  # noqa: E731
    check(named, by_hand, [(p, "b t class"), (q, "b t class")], "b t", 16 * EPS)


def test_kl_divergence_is_over_the_union_and_over_several_dims():
    p, q = (log_probabilities(random(i, 3, 4).reshape(-1)).reshape(3, 4) for i in (1, 2))
    out = nt.nn.kl_divergence(
        shuffled(np.float32([p, q]), "b x y", 1), shuffled(np.float32(q), "x y", 2), "y x"
    )
    np.testing.assert_allclose(out.array, [(np.exp(p) * (p - q)).sum(), 0], rtol=0, atol=32 * EPS)


def test_kl_divergence_where_a_class_does_not_occur():
    """0 log 0 is 0, with a finite derivative; what q excludes and p has costs everything."""
    p, q = nt.tensor([0.0, 1.0], "class").log(), nt.tensor([0.5, 0.5], "class").log()
    np.testing.assert_allclose(nt.nn.kl_divergence(p, q, "class").item(), math.log(2), rtol=4 * EPS)
    assert nt.nn.kl_divergence(p, p, "class").item() == 0
    assert nt.nn.kl_divergence(q, p, "class").item() == math.inf
    slope = jax.jit(nt.grad(lambda p, q: nt.nn.kl_divergence(p, q, "class"), 1))(p, q)
    np.testing.assert_array_equal(slope.array, [0, -1])


Z, TARGETS = random(1, 3, 4) * 6, random(2, 3, 4)


@pytest.mark.parametrize(
    "labels", [(TARGETS + 1) / 2, TARGETS > 0, (TARGETS > 0).astype(np.int32)], ids=["p", "bool", "int"]
)
def test_binary_cross_entropy_as_optax(labels):
    by_hand = lambda z: optax.sigmoid_binary_cross_entropy(z, jnp.float32(labels))  # noqa: E731
    given = shuffled(labels, "b t", 5)
    check(lambda z: nt.nn.binary_cross_entropy(z, given), by_hand, [(Z, "b t")], "b t", 16 * EPS)


def test_binary_cross_entropy_is_stable():
    out = nt.nn.binary_cross_entropy(nt.tensor([1e4, -1e4, 1e4], "b"), nt.tensor([0, 1, 1], "b"))
    np.testing.assert_array_equal(out.array, [1e4, 1e4, 0])


def test_hinge_as_optax():
    labels = np.sign(TARGETS)
    check(nt.nn.hinge, optax.hinge_loss, [(Z, "b t"), (labels, "b t")], "b t", 16 * EPS)


DISTANCES = {
    "squared": (nt.nn.squared_error, optax.squared_error),
    "absolute": (nt.nn.absolute_error, lambda x, y: jnp.abs(x - y)),
    "huber": (lambda x, y: nt.nn.huber(x, y, delta=1.5), lambda x, y: optax.huber_loss(x, y, delta=1.5)),
}


@pytest.mark.parametrize(("named", "by_hand"), DISTANCES.values(), ids=DISTANCES)
def test_distances_as_optax(named, by_hand):
    check(named, by_hand, [(Z, "b t"), (TARGETS, "b t")], "b t", 64 * EPS)


def test_distances_take_the_union_of_names_and_numbers():
    out = nt.nn.squared_error(nt.tensor([1.0, 2.0], "b"), nt.tensor([0.0, 1.0, 3.0], "t"))
    np.testing.assert_array_equal(out.to_array("b t"), [[1, 0, 4], [4, 1, 1]])
    np.testing.assert_array_equal(nt.nn.absolute_error(nt.tensor([1, 2], "b"), 1.5).array, [0.5, 0.5])
    with nt.strict(), pytest.raises(nt.NamedShapeError, match=r"nt\.nn\.squared_error"):
        nt.nn.squared_error(nt.ones("b:2"), nt.ones("t:3"))


def test_huber_of_a_huge_difference_and_where_the_line_begins():
    slope = jax.jit(nt.grad(lambda x: nt.nn.huber(x, 0.0, delta=2.0).sum()))(
        nt.tensor([1e30, -2.0, 2.0, 1.0, 0.0], "b")
    )
    np.testing.assert_array_equal(slope.array, [2, -2, 2, 1, 0])


def test_cosine_similarity_as_optax():
    x, y = random(1, 2, 3, 4), random(2, 2, 3, 4)
    by_hand = lambda x, y: optax.cosine_similarity(x, y, axis=-1)  # noqa: E731
    named = lambda x, y: nt.nn.cosine_similarity(x, y, "embed")  # noqa: E731
    check(named, by_hand, [(x, "b t embed"), (y, "b t embed")], "b t", 16 * EPS)


def test_cosine_similarity_of_all_pairs_and_of_zero():
    x, y = random(3, 2, 4), random(4, 3, 4)
    out = nt.nn.cosine_similarity(shuffled(x, "a embed", 1), shuffled(y, "b embed", 2), "embed")
    want = (x @ y.T) / np.linalg.norm(x, axis=1)[:, None] / np.linalg.norm(y, axis=1)[None]
    np.testing.assert_allclose(out.to_array("a b"), want, rtol=0, atol=16 * EPS)
    assert nt.nn.cosine_similarity(nt.zeros("embed:3"), nt.ones("embed:3"), "embed").item() == 0
