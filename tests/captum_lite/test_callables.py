"""What may be explained: whatever can be called, with its parameters where they are now."""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from captum_lite import IntegratedGradients, Saliency

RNG = np.random.default_rng(29)
X, B = RNG.normal(size=(2, 4, 3))
W1, W2 = RNG.normal(size=(2, 3, 5))


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def apply(w, x, power=2):
    return jnp.tanh(x @ w) ** power


def apply_keyword(x, *, w):
    return apply(w, x)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Tree:
    """A model in the manner of equinox: parameters are leaves."""

    w: Any

    def __call__(self, x):
        return apply(self.w, x)


class Tuple(NamedTuple):
    """A model that is a tuple of its parameters."""

    w: Any

    def __call__(self, x):
        return apply(self.w, x)


class Object:
    """A model that is an ordinary object."""

    def __init__(self, w):
        self.w = w

    def __call__(self, x):
        return apply(self.w, x)

    def forward(self, x):
        return apply(self.w, x)


# how a function with the parameters w is made
WITH_ARRAYS = {
    "partial": lambda w: functools.partial(apply, w),
    "partial of a keyword": lambda w: functools.partial(apply_keyword, w=w),
    "partial of a partial": lambda w: functools.partial(functools.partial(apply, power=2), w),
    "partial of a jitted function": lambda w: functools.partial(jitted, w),
    "pytree": Tree,
    "named tuple": Tuple,
    "partial of a pytree's method": lambda w: functools.partial(Tree.__call__, Tree(w)),
}
CLOSED = {
    "closure": lambda w: lambda x: apply(w, x),
    "object": Object,
    "method of an object": lambda w: Object(w).forward,
    "jitted closure": lambda w: jax.jit(lambda x: apply(w, x)),
}
jitted = jax.jit(apply)


def expected(w: Any) -> Any:
    """The gradient of the logits of class 1, by hand."""
    h = np.tanh(X @ w)[:, 1:2]
    return 2 * h * (1 - h**2) * w[:, 1]


@pytest.mark.parametrize("make", [*WITH_ARRAYS.values(), *CLOSED.values()], ids=[*WITH_ARRAYS, *CLOSED])
def test_whatever_can_be_called_is_explained(make):
    for w in (W1, W2):
        found = Saliency(make(jnp.asarray(w))).attribute(X, target=1, abs=False)
        np.testing.assert_allclose(found, expected(w), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("make", WITH_ARRAYS.values(), ids=WITH_ARRAYS)
def test_arrays_in_a_callable_are_arguments_of_the_compiled_code(make, compilations):
    def call(w):
        jax.block_until_ready(IntegratedGradients(make(jnp.asarray(w))).attribute(X, B, target=1))

    call(W1)
    assert compilations.since(lambda: call(W2)) == 0


@pytest.mark.parametrize("powers", [(1, 2), (1, True), (1, 1.0), (1.0, True), (0.5, 0.25)])
def test_constants_that_differ_are_told_apart(powers):
    """Equal in Python is not the same in JAX: a power that is a bool or a float is another program."""

    def told(x, power):
        kind = {bool: 1.0, int: 2.0, float: 3.0}[type(power)]
        return (kind + power) * x.sum(1)

    for power in powers:
        found = Saliency(functools.partial(told, power=power)).attribute(X)
        kind = {bool: 1.0, int: 2.0, float: 3.0}[type(power)]
        np.testing.assert_allclose(found, kind + power)


def test_a_list_or_dict_in_a_partial_is_read_at_each_call():
    sizes = {"scale": 2.0}
    fun = functools.partial(lambda sizes, x: sizes["scale"] * x.sum(1), sizes)
    np.testing.assert_allclose(Saliency(fun).attribute(X), 2.0)
    sizes["scale"] = 5.0
    np.testing.assert_allclose(Saliency(fun).attribute(X), 5.0)


def test_parameters_that_change_under_a_closure_are_seen():
    """A cell of a notebook that trains between two explanations of the same ``f``."""
    params = {"w": jnp.asarray(W1)}

    def fun(x):
        return apply(params["w"], x)

    saliency = Saliency(fun)
    np.testing.assert_allclose(saliency.attribute(X, target=1, abs=False), expected(W1), rtol=1e-10)
    params["w"] = jnp.asarray(W2)
    np.testing.assert_allclose(saliency.attribute(X, target=1, abs=False), expected(W2), rtol=1e-10)


def test_parameters_that_change_in_an_object_are_seen():
    model = Object(jnp.asarray(W1))
    saliency = Saliency(model)
    np.testing.assert_allclose(saliency.attribute(X, target=1, abs=False), expected(W1), rtol=1e-10)
    model.w = jnp.asarray(W2)
    np.testing.assert_allclose(saliency.attribute(X, target=1, abs=False), expected(W2), rtol=1e-10)


SETTINGS = {"first": 1.0, "second": 1.0, "third": 2.0}


def test_equal_settings_at_other_places_are_noticed():
    """(1, 1, 2) and (1, 2, 2) hold the same values: what counts is which is where."""

    def f(x):
        return (SETTINGS["first"] + 10 * SETTINGS["second"] + 100 * SETTINGS["third"]) * x.sum(1)

    np.testing.assert_allclose(Saliency(f).attribute(X), 211.0)
    try:
        SETTINGS["second"] = 2.0
        np.testing.assert_allclose(Saliency(f).attribute(X), 221.0)
    finally:
        SETTINGS["second"] = 1.0


def test_equal_arrays_at_other_places_are_noticed():
    a, b = jnp.ones(3), jnp.full(3, 2.0)
    parts = [a, a, b]

    def f(x):
        return x @ (parts[0] + 10 * parts[1] + 100 * parts[2])

    np.testing.assert_allclose(Saliency(f).attribute(X), 211.0)
    parts[1] = b
    np.testing.assert_allclose(Saliency(f).attribute(X), 221.0)


def test_a_target_function_may_read_what_changes():
    weights = {"w": jnp.asarray([1.0, 0.0, 0.0])}

    def target(output):
        return output @ weights["w"]

    np.testing.assert_allclose(Saliency(lambda x: 3 * x).attribute(X, target=target)[0], [3.0, 0.0, 0.0])
    weights["w"] = jnp.asarray([0.0, 0.0, 2.0])
    np.testing.assert_allclose(Saliency(lambda x: 3 * x).attribute(X, target=target)[0], [0.0, 0.0, 6.0])
