"""The plan that a problem gets on a CPU: the same attributions, weights prepared once, nothing compiled twice."""

import functools
import gc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from captum_lite import (
    DeepLift,
    FeatureAblation,
    GuidedBackprop,
    IntegratedGradients,
    Occlusion,
    Saliency,
    SmoothGrad,
    _backend,
)
from captum_lite._gradient import gradient_sum_on_path
from captum_lite._problem import Problem, pose
from tests.namedtensor.jaxprs import primitives


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def draw(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [jnp.asarray(rng.normal(size=s)) for s in shapes]


def model(params, x):
    first, second, out = params
    x = jax.nn.relu(lax.conv_general_dilated(x, first, (1, 1), "SAME"))
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    x = jax.nn.relu(lax.conv_general_dilated(x, second, (1, 1), "SAME"))
    return x.mean((2, 3)) @ out


PARAMS = (8, 3, 3, 3), (8, 8, 3, 3), (8, 4)
IMAGES = (2, 3, 8, 6)
CALLS = {
    "Saliency": lambda f, x, b: Saliency(f).attribute(x, target=1, abs=False),
    "IntegratedGradients": lambda f, x, b: IntegratedGradients(f).attribute(x, b, target=1, n_steps=9),
    "adaptive": lambda f, x, b: IntegratedGradients(f).explain(x, b, target=1, rtol=0.1).attributions,
    "SmoothGrad": lambda f, x, b: SmoothGrad(f).attribute(x, target=1, nt_samples=3),
    "DeepLift": lambda f, x, b: DeepLift(f).attribute(x, b, target=1),
    "GuidedBackprop": lambda f, x, b: GuidedBackprop(f).attribute(x, target=1),
    "Occlusion": lambda f, x, b: Occlusion(f).attribute(
        x, b, target=1, sliding_window_shapes=(3, 4, 3), strides=(3, 4, 3)
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_same_attributions_with_and_without(name, monkeypatch):
    params, (x, b) = draw(*PARAMS), draw(IMAGES, IMAGES, seed=1)
    fun = functools.partial(model, params)
    found = CALLS[name](fun, x, b)
    monkeypatch.setattr(Problem, "planned", lambda self: self)
    wanted = CALLS[name](fun, x, b)
    np.testing.assert_allclose(found, wanted, atol=1e-12 * float(abs(wanted).max()))


def posed(fun, x):
    return pose(fun, x, None, 1, ())


def test_weights_are_prepared_wherever_the_function_has_them():
    params, (x,) = draw(*PARAMS), draw(IMAGES, seed=1)
    held = posed(functools.partial(model, params), x)
    constant = posed(lambda x: model(params, x), x)
    computed = posed(functools.partial(lambda p, x: model([2 * w for w in p], x), params), x)
    assert [len(p.prepared) for p in (held, constant, computed)] == [2, 2, 0]
    assert computed.plan is not None
    wanted = jax.grad(lambda x: model(params, x)[:, 1].sum())(x)
    for problem in (held, constant):
        (found,) = jax.jit(lambda p: jax.grad(lambda xs: p.fast(p.score)(xs).sum())(p.inputs))(problem)
        np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_a_prepared_kernel_is_used_and_not_made_again():
    params, (x,) = draw(*PARAMS), draw(IMAGES, seed=1)
    problem = posed(functools.partial(model, params), x)
    none = Problem(**{**vars(problem), "prepared": tuple(jax.tree.map(jnp.zeros_like, problem.prepared))})
    assert (none.fast(none.score)(none.inputs) == 0).all()


def test_other_weights_of_the_same_function_are_prepared_anew(compilations):
    (x,) = draw(IMAGES, seed=1)

    def call(params):
        return Saliency(functools.partial(model, params)).attribute(x, target=1, abs=False)

    first, second = draw(*PARAMS), draw(*PARAMS, seed=2)
    call(first)
    assert compilations.since(lambda: call(second)) == 0
    wanted = jax.grad(lambda x: model(second, x)[:, 1].sum())(x)
    np.testing.assert_allclose(call(second), wanted, atol=1e-12)


def test_weights_that_change_in_place_are_seen():
    (x,), params = draw(IMAGES, seed=1), [np.array(p) for p in draw(*PARAMS)]
    saliency = Saliency(functools.partial(model, params))
    before = saliency.attribute(x, target=1)
    params[0] *= 2
    after = saliency.attribute(x, target=1)
    assert not np.allclose(before, after)


def test_prepared_weights_live_as_long_as_the_weights():
    (x,), params = draw(IMAGES, seed=1), draw(*PARAMS)
    gc.collect()
    before = len(_backend._prepared_of)
    Saliency(functools.partial(model, params)).attribute(x, target=1)
    assert len(_backend._prepared_of) == before + 1
    Saliency(functools.partial(model, params)).attribute(x + 1, target=1)
    assert len(_backend._prepared_of) == before + 1
    del params
    gc.collect()
    assert len(_backend._prepared_of) == before


def test_no_plan_without_convolutions():
    (x,) = draw((2, 3))
    problem = posed(lambda x: jnp.tanh(x), x)
    assert not problem.plan.convolves
    assert problem.fast(problem.score) == problem.score


def weighed(x):
    """``x.sum() * [0 .. 39]`` as a sum over a product of broadcasts: XLA for CPU makes garbage of it by default."""
    shape = (len(x), 16, 8, 40)
    product = jnp.broadcast_to(x[..., None, None], shape) * jnp.broadcast_to(
        jnp.arange(40, dtype=x.dtype), shape
    )
    return product.sum(1)[:, 0]


def test_a_model_that_xla_miscompiles_is_explained_rightly():
    """See docs/known_issues.md."""
    with jax.enable_x64(False):
        (x,) = draw((2, 16))
        x = x.astype(jnp.float32)
        np.testing.assert_allclose(FeatureAblation(weighed).attribute(x, target=7), 7 * x, rtol=1e-4)
        delta = IntegratedGradients(weighed).explain(x, x[::-1], target=7).convergence_delta
        np.testing.assert_allclose(delta, 0, atol=1e-3)


def test_in_a_users_program_the_compiler_has_her_options():
    x = jnp.ones((2, 3))
    saliency = Saliency(lambda x: jnp.tanh(x) ** 2)
    constant = jax.jit(lambda: saliency.attribute(x, target=1))
    np.testing.assert_allclose(constant(), saliency.attribute(x, target=1))
    assert jax.eval_shape(lambda: posed(lambda x: x, x).inputs[0]).shape == (2, 3)


@pytest.mark.parametrize("convolves", [False, True])
def test_the_function_may_hold_tracers_though_its_inputs_are_concrete(convolves):
    params, (x, b) = draw(*PARAMS), draw(IMAGES, IMAGES, seed=1)

    def total(scale):
        if convolves:
            fun = lambda x: model([scale * params[0], *params[1:]], x)  # noqa: E731
        else:
            fun = lambda x: jnp.tanh(scale * x).reshape(len(x), -1) @ jnp.ones((144, 4))  # noqa: E731
        return sum(call(fun, x, b).sum() for call in (CALLS["IntegratedGradients"], CALLS["Occlusion"]))

    step = 1e-5
    wanted = (total(0.7 + step) - total(0.7 - step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(total)(0.7), wanted, rtol=1e-6)
    np.testing.assert_allclose(jax.vmap(total)(jnp.array([0.7, 0.9])), [total(0.7), total(0.9)], rtol=1e-9)


def test_a_compiler_without_the_flag_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(_backend, "_FUSIONS", "xla_cpu_no_such_flag")
    _backend._flags.cache_clear()
    assert _backend._flags(True) == ()
    _backend._flags.cache_clear()


def test_under_a_transformation_the_function_stays_as_it_is_written():
    params, (x,) = draw(*PARAMS), draw(IMAGES, seed=1)
    attribute = lambda x: Saliency(functools.partial(model, params)).attribute(x, target=1)  # noqa: E731
    there = primitives(attribute, x)
    assert "conv_general_dilated" in there
    assert "custom_vjp_call" not in there
    np.testing.assert_allclose(jax.jit(attribute)(x), attribute(x), atol=1e-12)


def test_memory_and_programs_do_not_grow_with_the_steps(compilations):
    """Any number of steps runs one program on one chunk of the path at a time."""
    params, (x, b) = draw(*PARAMS), draw(IMAGES, IMAGES, seed=1)
    ig = IntegratedGradients(functools.partial(model, params))
    ig.attribute(x, b, target=1, n_steps=20)
    before = gradient_sum_on_path._cache_size()
    assert compilations.since(lambda: ig.attribute(x, b, target=1, n_steps=200)) == 0
    assert gradient_sum_on_path._cache_size() == before
