"""The attacks against closed forms and literal NumPy, in float64."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from captum_lite.robust import FGSM, PGD, minimal_perturbation

RNG = np.random.default_rng(13)
X = RNG.normal(size=(4, 5))
W = RNG.normal(size=(5, 3))
LABELS = np.array([0, 2, 1, 1])
EXACT = {"rtol": 1e-10, "atol": 1e-12}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def linear(x: Any) -> Any:
    return x @ W


def curved(x: Any) -> Any:
    return jnp.tanh(x @ W) * 3 + (x**2) @ W


def named(x: nt.NamedTensor) -> nt.NamedTensor:
    return x.dot("feature", nt.tensor(W, "feature class"))


def loss_gradient(x: Any, labels: Any) -> Any:
    """Of the cross-entropy of ``linear``: W (softmax - one hot)."""
    z = np.exp(x @ W)
    return (z / z.sum(1, keepdims=True) - np.eye(3)[labels]) @ W.T


# FGSM


def test_fgsm_of_a_linear_function():
    for labels in (LABELS, 1):
        sign = np.sign(loss_gradient(X, np.broadcast_to(labels, 4)))
        np.testing.assert_allclose(FGSM(linear).perturb(X, 0.3, labels), X + 0.3 * sign, **EXACT)
        toward = FGSM(linear).perturb(X, epsilon=0.3, target=labels, targeted=True)
        np.testing.assert_allclose(toward, X - 0.3 * sign, **EXACT)


def test_fgsm_of_two_classes_moves_against_the_difference_of_their_weights():
    """Goodfellow et al., section 5: for logistic regression the step is -epsilon sign(w)."""
    w = RNG.normal(size=5)
    f = FGSM(lambda x: jnp.stack([x @ w, 0 * x[:, 0]], 1))
    np.testing.assert_allclose(f.perturb(X, 0.1, 0), X - 0.1 * np.sign(w), **EXACT)


def test_each_example_may_have_its_own_epsilon_and_the_rest_does_not_matter():
    epsilon = np.array([0.0, 0.1, 0.2, 0.3])
    found = FGSM(curved).perturb(X, epsilon, LABELS)
    np.testing.assert_allclose(abs(found - X).max(1), epsilon, **EXACT)
    for i in range(4):
        alone = FGSM(curved).perturb(X[i : i + 1], epsilon[i], LABELS[i : i + 1])
        np.testing.assert_allclose(alone[0], found[i], **EXACT)


def test_a_loss_of_ones_own_gets_output_and_target():
    wanted = RNG.normal(size=(4, 3))

    def squared(output, target):
        return ((output - target) ** 2).sum(1)

    found = FGSM(linear, squared).perturb(X, 0.1, wanted, targeted=True)
    np.testing.assert_allclose(found, X - 0.1 * np.sign((X @ W - wanted) @ W.T), **EXACT)

    def of_probabilities(p, y):
        return -jnp.log(p[jnp.arange(len(p)), y])

    captum = FGSM(lambda x: jax.nn.softmax(linear(x)), of_probabilities).perturb(X, 0.1, [0, 2, 1, 1])
    np.testing.assert_allclose(captum, FGSM(linear).perturb(X, 0.1, LABELS), **EXACT)


def test_bounds_and_masks():
    x = RNG.random((4, 5))
    free, sign = FGSM(linear).perturb(x, 0.5, LABELS), np.sign(loss_gradient(x, LABELS))
    bounded = FGSM(linear, bounds=(0, 1)).perturb(x, 0.5, LABELS)
    np.testing.assert_allclose(bounded, np.clip(free, 0, 1), **EXACT)
    for mask in (np.array([[1, 0, 0, 1, 1]]), RNG.integers(0, 2, (4, 5))):
        found = FGSM(linear).perturb(x, 0.5, LABELS, mask=mask)
        np.testing.assert_allclose(found, x + 0.5 * sign * mask, **EXACT)


@pytest.mark.parametrize("order", ["batch feature", "feature batch"])
def test_named_in_named_out(order):
    x = nt.tensor(nt.tensor(X, "batch feature").to_array(order), order)
    sign = np.sign(loss_gradient(X, LABELS))
    for labels in (LABELS, {"class": LABELS}, {"class": nt.tensor(LABELS, "batch")}):
        found = FGSM(named).perturb(x, 0.3, labels)
        assert set(found.dims) == {"batch", "feature"}
        np.testing.assert_allclose(found.to_array("batch feature"), X + 0.3 * sign, **EXACT)
    mask = nt.tensor([0, 1, 1, 0, 1], "feature")
    found = FGSM(named).perturb(x, 0.3, LABELS, mask=mask)
    np.testing.assert_allclose(found.to_array("batch feature"), X + 0.3 * sign * [0, 1, 1, 0, 1], **EXACT)
    found = PGD(named).perturb(x, 0.2, 0.05, 7, LABELS, random_start=True)
    plain = PGD(named).perturb(nt.tensor(X, "batch feature"), 0.2, 0.05, 7, LABELS, random_start=True)
    np.testing.assert_allclose(found.to_array(plain.dims), plain.array, **EXACT)


def test_several_inputs_and_further_arguments():
    def scaled(x, y, scale):
        return linear(jnp.concatenate([x, y], 1)) * scale

    found = FGSM(scaled).perturb((X[:, :2], X[:, 2:]), 0.3, LABELS, 2.0)
    expected = FGSM(lambda x: 2 * linear(x)).perturb(X, 0.3, LABELS)
    assert isinstance(found, tuple)
    np.testing.assert_allclose(jnp.concatenate(found, 1), expected, **EXACT)
    part = FGSM(scaled).perturb((X[:, :2], X[:, 2:]), 0.3, LABELS, 2.0, mask=(None, np.zeros((1, 1))))
    np.testing.assert_allclose(part[0], expected[:, :2], **EXACT)
    np.testing.assert_array_equal(part[1], X[:, 2:])


# PGD


def literal_pgd(x, radius, size, steps, labels, norm, step, sign=1):
    """Of ``linear``, one example at a time."""
    rows = []
    for one, label in zip(x, labels, strict=True):
        now = one.copy()
        for _ in range(steps):
            g = loss_gradient(now[None], [label])[0]
            now = now + sign * size * (np.sign(g) if step == "sign" else g / np.linalg.norm(g))
            change = now - one
            if norm == "Linf":
                change = np.clip(change, -radius, radius)
            elif np.linalg.norm(change) > radius:
                change = radius * change / np.linalg.norm(change)
            now = one + change
        rows.append(now)
    return np.stack(rows)


@pytest.mark.parametrize("step", ["sign", "gradient"])
@pytest.mark.parametrize("norm", ["Linf", "L2"])
@pytest.mark.parametrize("targeted", [False, True], ids=["away", "towards"])
def test_pgd_step_by_step(norm, step, targeted):
    found = PGD(linear).perturb(X, 0.2, 0.06, 6, LABELS, norm=norm, step=step, targeted=targeted)
    expected = literal_pgd(X, 0.2, 0.06, 6, LABELS, norm, step, -1 if targeted else 1)
    np.testing.assert_allclose(found, expected, **EXACT)


def test_pgd_of_one_step_is_fgsm():
    found = PGD(curved).perturb(X, radius=1.0, step_size=0.1, step_num=1, target=LABELS)
    np.testing.assert_allclose(found, FGSM(curved).perturb(X, 0.1, LABELS), **EXACT)


def test_the_l2_attack_on_two_classes_ends_on_the_ball_against_their_difference():
    """The closest point across a linear boundary lies along its normal."""
    w = RNG.normal(size=5)
    f = PGD(lambda x: jnp.stack([x @ w, 0 * x[:, 0]], 1))
    found = f.perturb(X, 0.5, 0.1, 8, 0, norm="L2", step="gradient")
    np.testing.assert_allclose(found, X - 0.5 * w / np.linalg.norm(w), **EXACT)


@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_pgd_stays_in_the_ball_and_in_the_bounds(norm):
    x, radius = RNG.random((4, 5)), np.array([0.1, 0.2, 0.3, 0.4])
    found = PGD(curved, bounds=(0, 1)).perturb(
        x, radius, 0.1, 9, LABELS, norm=norm, random_start=True, key=jax.random.key(4)
    )
    size = abs(found - x).max(1) if norm == "Linf" else np.linalg.norm(found - x, axis=1)
    assert (size <= radius + 1e-12).all()
    assert (size > radius / 2).all()
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1


@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_a_random_start_is_uniform_in_the_ball(norm):
    """With no step: the share within half of the radius is 2^-d, and the mask stays."""
    x, labels = np.zeros((4000, 3)), np.zeros(4000, int)
    given = {"norm": norm, "random_start": True}
    start = PGD(lambda x: x).perturb(x, 0.5, 0.0, 1, labels, **given)
    size = abs(start).max(1) if norm == "Linf" else np.linalg.norm(start, axis=1)
    assert float(size.max()) <= 0.5
    np.testing.assert_allclose((size < 0.25).mean(), 1 / 8, atol=0.02)
    np.testing.assert_allclose(start.mean(0), 0, atol=0.02)
    other = PGD(lambda x: x).perturb(x, 0.5, 0.0, 1, labels, key=jax.random.key(1), **given)
    assert not np.array_equal(start, other)
    masked = PGD(lambda x: x).perturb(x, 0.5, 0.0, 1, labels, mask=np.array([[1, 0, 1]]), **given)
    np.testing.assert_array_equal(masked[:, 1], 0)


def test_attacks_under_jit():
    attack = functools.partial(PGD(curved).perturb, step_size=0.05, step_num=3)
    traced = jax.jit(lambda x, r, y: attack(x, r, target=y))(X, 0.1, LABELS)
    np.testing.assert_allclose(traced, attack(X, 0.1, target=LABELS), **EXACT)
    traced = jax.jit(lambda x, e, y: FGSM(curved).perturb(x, e, y))(X, 0.1, LABELS)
    np.testing.assert_allclose(traced, FGSM(curved).perturb(X, 0.1, LABELS), **EXACT)


def bent(w: Any, x: Any) -> Any:
    return jnp.tanh(x @ w)


def test_another_attack_compiles_nothing(compilations):
    def run(shift):
        f = functools.partial(bent, jnp.asarray(W + shift))
        FGSM(f).perturb(X + shift, 0.1 + shift, LABELS)
        PGD(f, bounds=(-9, 9.0 + shift)).perturb(X, 0.1 + shift, 0.05, 3 + int(shift), LABELS)
        minimal_perturbation(f, FGSM(f), X + shift, halvings=2)

    run(0.0)
    assert compilations.since(lambda: run(1.0)) == 0


ERRORS = {
    "no target": (lambda: FGSM(linear).perturb(X, 0.1, None), "an attack needs target="),
    "one number": (lambda: FGSM(lambda x: x.sum(1)).perturb(X, 0.1, 0), r"returned f64\[4\]: a class is chosen from"),
    "one class": (lambda: FGSM(lambda x: x[:, :1]).perturb(X, 0.1, 0), "at least two classes; give loss="),
    "range": (lambda: FGSM(linear).perturb(X, 0.1, 3), "target 3 is out of range"),
    "negative": (lambda: FGSM(linear).perturb(X, -0.1, 0), "epsilon=-0.1: give a length"),
    "epsilon's shape": (lambda: FGSM(linear).perturb(X, np.ones(3), 0), r"epsilon is f64\[3\]: give one number, or 4"),
    "mask's shape": (lambda: FGSM(linear).perturb(X, 0.1, 0, mask=np.ones(5)), r"mask 0 is f64\[5\] for an input"),
    "masks": (lambda: FGSM(linear).perturb(X, 0.1, 0, mask=(1, 1)), "there are 2 masks for 1 inputs"),
    "out of bounds": (
        lambda: FGSM(linear, bounds=(0, 1)).perturb(X, 0.1, 0),
        r"outside bounds=\(0, 1\): clipping would change it",
    ),
    "bounds": (lambda: FGSM(linear, bounds=(1, 0)).perturb(X, 0.1, 0), r"give \(lowest, highest\)"),
    "log of zero": (
        lambda: FGSM(lambda x: jax.nn.relu(x) * 0, lambda p, y: -jnp.log(p[:, y])).perturb(X, 0.1, 0),
        r"perturbed input is NaN.*without log\(0\)",
    ),
    "norm": (lambda: PGD(linear).perturb(X, 0.1, 0.1, 1, 0, norm="L1"), "norm='L1' is not known: choose 'Linf' or 'L2'"),
    "step": (lambda: PGD(linear).perturb(X, 0.1, 0.1, 1, 0, step="unit"), "step='unit' is not known"),
    "steps": (lambda: PGD(linear).perturb(X, 0.1, 0.1, 0, 0), "step_num=0"),
    "integers": (lambda: FGSM(lambda x: x @ W).perturb(X.astype(int), 0.1, 0), "an attack needs floating-point values"),
    "range of values": (lambda: minimal_perturbation(linear, FGSM(linear), X, high=0), "give low < high"),
    "no class": (
        lambda: minimal_perturbation(lambda x: x.sum(1), FGSM(linear), X),
        "a class is chosen from .* give correct=",
    ),
    "labels": (
        lambda: minimal_perturbation(linear, FGSM(linear), X, [0.0, 1, 2, 0]),
        "give an integer, or 4 integers",
    ),
    "correct": (
        lambda: minimal_perturbation(linear, FGSM(linear), X, 0, correct=lambda out, y: out.argmax(1)),
        "correct returned .* it must return one boolean for each of 4 examples",
    ),
    "attack's shape": (
        lambda: minimal_perturbation(linear, lambda x, epsilon: x[:, :2], X),
        r"perturbed input 0 is f64\[4, 2\] and its input is f64\[4, 5\]",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("call", "text"), ERRORS.values(), ids=ERRORS)
def test_errors(call, text):
    with pytest.raises((ValueError, TypeError, IndexError), match=text):
        call()


# the smallest perturbation

TWO = RNG.normal(size=5)


def two_classes(x: Any) -> Any:
    return jnp.stack([x @ TWO, 0 * x[:, 0]], 1)


def test_the_smallest_step_across_a_linear_boundary():
    """|w.x| / |w|_1 in the Linf norm, |w.x| / |w|_2 in the L2 norm."""
    margin = abs(X @ TWO)
    found = minimal_perturbation(two_classes, FGSM(two_classes), X, high=2.0, halvings=30)
    assert found.found.all()
    np.testing.assert_allclose(found.value, margin / abs(TWO).sum(), rtol=1e-7)
    assert (two_classes(found.perturbed).argmax(1) != two_classes(X).argmax(1)).all()
    np.testing.assert_allclose(abs(found.perturbed - X).max(1), found.value, **EXACT)
    l2 = minimal_perturbation(
        two_classes, PGD(two_classes), X, argument="radius", high=2.0, halvings=30, steps=1,
        step_size=1.0, step_num=4, norm="L2", step="gradient",
    )  # fmt: skip
    np.testing.assert_allclose(l2.value, margin / np.linalg.norm(TWO), rtol=1e-6)


def shifted(x: Any, by: Any) -> Any:
    return x + jnp.reshape(jnp.asarray(by, x.dtype) * jnp.ones(len(x)), (-1, 1))


def test_grid_and_bisection_find_the_first_change():
    """The class of x is 1 where x is in [0.3, 0.4] or over 0.8."""

    def bands(x):
        inside = ((x >= 0.3) & (x <= 0.4)) | (x > 0.8)
        return jnp.concatenate([0.5 + 0 * x, inside * 1.0], 1)

    x = np.array([[0.0], [0.1], [0.35], [-0.5]])
    search = functools.partial(minimal_perturbation, bands, shifted, x, argument="by")
    grid = search(steps=20, halvings=0)
    np.testing.assert_allclose(grid.value, [0.3, 0.2, 0.1, 0.8], atol=1e-9)
    fine = search(steps=20, halvings=20)
    np.testing.assert_allclose(fine.value, [0.3, 0.2, 0.05, 0.8], atol=1e-6)
    np.testing.assert_allclose(fine.perturbed[:, 0], x[:, 0] + fine.value, **EXACT)
    bisection = search(steps=1, halvings=25)  # blind for the band
    np.testing.assert_allclose(bisection.value[:2], [0.8, 0.7], atol=1e-6)
    assert not bool(search(target=[0, 0, 1, 0], steps=20, halvings=3, high=0.25).found[3])


def test_what_no_attack_changes_is_nan_and_what_is_wrong_already_is_low():
    labels = np.array(two_classes(X).argmax(1))
    labels[1] = 1 - labels[1]
    found = minimal_perturbation(two_classes, FGSM(two_classes), X, labels, high=1e-6, halvings=3)
    np.testing.assert_array_equal(found.found, [False, True, False, False])
    assert float(found.value[1]) == 0
    assert np.isnan(found.value[jnp.array([0, 2, 3])]).all()
    np.testing.assert_array_equal(found.perturbed, X)


def test_names_and_a_correct_of_ones_own():
    x = nt.tensor(X.T, "feature batch")
    found = minimal_perturbation(named, FGSM(named), x, high=4.0)
    plain = minimal_perturbation(linear, FGSM(linear), X, high=4.0)
    np.testing.assert_allclose(found.value, plain.value, **EXACT)
    np.testing.assert_allclose(found.perturbed.to_array("batch feature"), plain.perturbed, **EXACT)

    def correct(output, target):
        return output[:, 0] < target

    sums = minimal_perturbation(
        lambda x: x.sum(1, keepdims=True),
        shifted,
        X,
        X.sum(1) + 1,
        argument="by",
        correct=correct,
        halvings=30,
    )
    np.testing.assert_allclose(sums.value, 1 / 5, rtol=1e-7)
