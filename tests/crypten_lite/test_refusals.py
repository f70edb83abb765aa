"""What cannot be computed on shares is refused where the user wrote it, with what to write instead."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

import crypten_lite as ct
from crypten_lite.rules.refusals import REFUSED
from namedtensor.interpreter import UnsupportedPrimitiveError

X = jnp.array([1.5, -0.5, 0.25])


def at_user_line(fun):
    """``test_refusals.py:line (<lambda>)`` of a lambda below."""
    return f"test_refusals.py:{fun.__code__.co_firstlineno} (<lambda>)"


# the function, the primitive, why, and the advice
CASES = [
    (lambda x: lax.cond(x[0] > 0, lambda: x, lambda: -x), "cond", "the branch taken is secret", "jnp.where"),
    (
        lambda x: lax.switch((x[0] > 0).astype(int), [lambda: x, lambda: -x]),
        "cond",
        "the branch taken is secret",
        "jnp.where",
    ),
    (
        lambda x: lax.while_loop(lambda c: c[0] > 0, lambda c: c - 1, x),
        "while",
        "whether the loop goes on is secret",
        "fori_loop",
    ),
    (lambda x: jnp.sort(x), "sort", "where a number would go", "jnp.argmax"),
    (lambda x: lax.top_k(x, 2), "top_k", "where a number would go", "jnp.argmax"),
    (lambda x: jnp.fft.fft(x), "fft", "complex numbers", "DFT matrix"),
    (lambda x: x.astype(int), "convert_element_type", "becomes int32, whose rounding", "Keep it a float"),
    (lambda x: jnp.floor(x), "floor", "every binary place", "Compare with thresholds"),
    (lambda x: jnp.round(x), "round", "every binary place", "round in public"),
    (lambda x: lax.rem(x, jnp.ones(3)), "rem", "every binary place", "Compare with thresholds"),
    (
        lambda x: lax.div((x > 0).astype(int), jnp.full(3, 2)),
        "div",
        "a quotient of integers",
        "Divide floats",
    ),
    (lambda x: (x > 0).astype(int) & 3, "and", "logic on a secret int32", "Compare it first"),
    (
        lambda x: jnp.zeros(3).at[x.argmax()].set(1.0),
        "scatter",
        "where it writes is secret",
        "jnp.where(mask, new, old)",
    ),
    (
        lambda x: jnp.zeros((3, 3)).at[x.argmax()[None], x.argmin()[None]].add(1.0),
        "scatter-add",
        "along several axes",
        "one-hot",
    ),
    (
        lambda x: lax.dynamic_update_slice(x, x[:1], (x.argmax(),)),
        "dynamic_update_slice",
        "where it writes is secret",
        "one-hot",
    ),
    (lambda x: x.at[0].multiply(2.0), "scatter-mul", "only setting and adding", "x.at[i].set"),
    (
        lambda x: lax.dynamic_slice(x, (x.argmax(),), (2,)),
        "dynamic_slice",
        "where it reads is secret",
        "jax.nn.one_hot",
    ),
    (
        lambda x: jnp.ones((3, 3))[x.argmax()[None], x.argmin()[None]],
        "gather",
        "along several axes",
        "take_along_axis",
    ),
    (lambda x: jnp.take(x, jnp.array([7])), "gather", "it reads beyond the array", "Use indices within"),
    (lambda x: lax.select_n((x > 0).astype(jnp.int32), x, x, x), "select_n", "a secret number", "jnp.where"),
    (lambda x: x + jnp.inf, "add", "the public number inf", "Use a smaller finite number"),
    (lambda x: x * 1e20, "mul", "the public number 1.00000002004", "finite"),
    (lambda x: x / jnp.zeros(3), "div", "the public number inf", "finite"),
    (lambda x: jnp.where(jnp.arange(3) > 1, x, -jnp.inf), "select_n", "the public number -inf", "-1e4"),
    (
        lambda x: lax.bitcast_convert_type(x, jnp.int32),
        "bitcast_convert_type",
        "no floating-point bits",
        "arithmetic",
    ),
    (lambda x: jnp.linalg.cholesky(jnp.outer(x, x)), "cholesky", "pivots", "Decompose in public"),
    (lambda x: jax.pure_callback(lambda a: a, x, x), "pure_callback", "would see a secret", "Reveal"),
    (lambda x: jnp.sin(x), "sin", "there is no rule for it", "secret_rules.register('sin')"),
    (
        lambda x: lax.reduce_window(x, 1.0, lax.add, (2,), (1,), "VALID"),
        "reduce_window",
        "there is no rule",
        "reduce_window_sum",
    ),
]


@pytest.mark.parametrize(
    ("fun", "primitive", "why", "advice"), CASES, ids=lambda v: v if isinstance(v, str) else ""
)
def test_refused_at_the_users_line(fun, primitive, why, advice):
    with ct.simulate() as session, pytest.raises(UnsupportedPrimitiveError) as caught:
        ct.private(fun)(session.share(X)).reveal()
    text = str(caught.value)
    assert f"the primitive {primitive!r} at " in text
    assert at_user_line(fun) in text
    assert why in text
    assert advice in text


@pytest.mark.parametrize(
    ("fun", "primitive", "why", "advice"), CASES[:6], ids=lambda v: v if isinstance(v, str) else ""
)
def test_refused_before_anything_runs_too(fun, primitive, why, advice):
    with pytest.raises(UnsupportedPrimitiveError, match=why):
        ct.estimate(fun, X)


@pytest.mark.parametrize(
    "fun",
    [lambda x: jnp.nonzero(x), lambda x: x if x[0] > 0 else -x, lambda x: [1, 2, 3][x.argmax()]],
    ids=["size", "if", "index"],
)
def test_secret_shapes_and_python_branches(fun):
    with ct.simulate() as session, pytest.raises(TypeError, match="a private function needs") as caught:
        ct.private(fun)(session.share(X))
    assert f"test_refusals.py:{fun.__code__.co_firstlineno} (<lambda>)" in str(caught.value)


def test_every_refusal_gives_a_reason_and_advice():
    for why, advice in REFUSED.values():
        assert why[0].islower()
        assert not why.endswith(".")
        assert advice[0].isupper()
        assert advice.endswith(".")


def test_public_operands_of_refused_primitives_are_jaxs():
    with ct.simulate() as session:
        x = session.share(X)
        found = ct.private(lambda x, y: x + jnp.sort(jnp.floor(jnp.sin(y))))(x, X).reveal()
    assert abs(found - (X + jnp.sort(jnp.floor(jnp.sin(X))))).max() < 1e-4
