"""The methods of a layer and of a neuron: closed forms, completeness, names, and what they refuse."""

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import namedtensor as nt
from captum_lite import (
    IncompleteWarning,
    InputXGradient,
    IntegratedGradients,
    InternalInfluence,
    LayerActivation,
    LayerConductance,
    LayerGradCam,
    LayerGradientXActivation,
    NeuronConductance,
    NoiseTunnel,
    Saliency,
)
from namedtensor.interpreter import UnknownTapError

RNG = np.random.default_rng(11)
BATCH, FEATURE, HIDDEN, CLASS = 3, 4, 5, 2
X, B = RNG.normal(size=(2, BATCH, FEATURE))
W = {
    "in": RNG.normal(size=(FEATURE, HIDDEN)),
    "mid": RNG.normal(size=(HIDDEN, HIDDEN)),
    "out": RNG.normal(size=(HIDDEN, CLASS)),
}
S = RNG.normal(size=(HIDDEN, HIDDEN))
EXACT = {"rtol": 1e-10, "atol": 1e-12}
ON_PATH = (LayerConductance, InternalInfluence)
ALL = (LayerActivation, LayerGradientXActivation, *ON_PATH)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def quadratic(x: Any) -> Any:
    """``y'Sy`` of ``y = tap(x W)``: ``[batch]``."""
    y = nt.tap(x @ W["in"], "y")
    return jnp.einsum("bi,ij,bj->b", y, S, y)


def deep(x: Any) -> Any:
    """Two hidden layers, each of them a cut: ``[batch, class]``."""
    h = nt.tap(jnp.tanh(x @ W["in"]), "one")
    h = nt.tap(jax.nn.softplus(nt.tap(h @ W["mid"], "sum")), "two")
    return h @ W["out"]


def residual(x: Any) -> Any:
    """A branch beside which the input goes on: ``[batch, class]``."""
    h = nt.tap(x @ W["in"], "stream")
    return (h + nt.tap(jnp.tanh(h @ W["mid"]), "branch")) @ W["out"]


def named(x: Any) -> Any:
    """`deep` with names."""
    w = {k: nt.tensor(v, d) for (k, v), d in zip(W.items(), ("feature a", "a b", "b class"), strict=True)}
    h = nt.tap(x.dot("feature", w["in"]).tanh(), "one")
    h = nt.tap(jax.nn.softplus(nt.tap(h.dot("a", w["mid"]), "sum").array), "two")
    return nt.tensor(h, "batch b").dot("b", w["out"])


def at(layer: str, fun: Callable[[Any], Any], x: Any) -> Any:
    return nt.capture(fun, [layer])(jnp.asarray(x))[1][layer]


# closed forms


def test_the_activation_is_what_passes():
    np.testing.assert_array_equal(LayerActivation(deep, "one").attribute(X), at("one", deep, X))


def test_an_activation_may_be_of_any_dtype_and_takes_no_target():
    tokens = np.arange(6).reshape(2, 3)
    found = LayerActivation(lambda ids: nt.tap(ids + 1, "next"), "next").attribute(tokens)
    np.testing.assert_array_equal(found, tokens + 1)
    assert found.dtype == jnp.arange(1).dtype


def test_gradient_x_activation_of_a_quadratic():
    y = X @ W["in"]
    found = LayerGradientXActivation(quadratic, "y").attribute(X)
    np.testing.assert_allclose(found, y * (y @ (S + S.T)), **EXACT)
    slopes = LayerGradientXActivation(quadratic, "y", multiply_by_inputs=False).attribute(X)
    np.testing.assert_allclose(slopes, y @ (S + S.T), **EXACT)


def test_gradient_x_activation_is_input_x_gradient_of_the_layer():
    for layer in ("one", "sum", "two"):
        expected = InputXGradient(deep, layer=layer).attribute(X, target=1)
        np.testing.assert_array_equal(LayerGradientXActivation(deep, layer).attribute(X, target=1), expected)


def test_internal_influence_of_a_quadratic_is_the_gradient_half_way():
    middle = (X + B) / 2 @ W["in"]
    found = InternalInfluence(quadratic, "y").attribute(X, baselines=B, n_steps=3)
    np.testing.assert_allclose(found, middle @ (S + S.T), **EXACT)


def test_conductance_of_a_quadratic():
    """The layer moves in a straight line, so that conductance is its integrated gradients."""
    y, y0 = X @ W["in"], B @ W["in"]
    found = LayerConductance(quadratic, "y").attribute(X, baselines=B, n_steps=3)
    np.testing.assert_allclose(found, (y - y0) * ((y + y0) / 2 @ (S + S.T)), **EXACT)


def test_conductance_of_a_sum_of_units_is_how_much_each_changes():
    """However the layer moves: the gradient is 1, and the integral of dy/da is y(x) - y(b)."""
    found = LayerConductance(lambda x: nt.tap(jnp.tanh(x @ W["in"]), "y").sum(1), "y").attribute(
        X, baselines=B, n_steps=40
    )
    np.testing.assert_allclose(found, np.tanh(X @ W["in"]) - np.tanh(B @ W["in"]), rtol=1e-8, atol=1e-10)


def test_captums_variant_is_its_formula():
    """Gradients at the nodes times the step of the layer to the next node, no weights."""
    nodes = np.polynomial.legendre.leggauss(5)[0] / 2 + 0.5
    points = [B + a * (X - B) for a in nodes]
    values = [np.asarray(at("one", deep, p)) for p in points]
    slopes = [Saliency(deep, layer="one").attribute(p, target=1, abs=False) for p in points]
    expected = sum(g * (after - y) for g, y, after in zip(slopes[:-1], values[:-1], values[1:], strict=True))
    method = LayerConductance(deep, "one")
    found = method.attribute(X, baselines=B, target=1, n_steps=4, method_variant="captum")
    np.testing.assert_allclose(found, expected, **EXACT)


def test_neuron_conductance_of_a_quadratic():
    """f = sum of y_j^2: through y_j go 2 y_j dy_j/dx along the path, y_j being linear in a."""

    def squares(x):
        return (nt.tap(x @ W["in"], "y") ** 2).sum(1)

    y, y0 = X @ W["in"], B @ W["in"]
    found = NeuronConductance(squares, "y", neuron=2).attribute(X, baselines=B, n_steps=3)
    np.testing.assert_allclose(found, (X - B) * W["in"][:, 2] * (y + y0)[:, 2:3], **EXACT)


# completeness


@pytest.mark.parametrize("layer", ["one", "sum", "two"])
def test_conductance_is_complete_at_a_cut(layer):
    record = LayerConductance(deep, layer).explain(X, B, 1, n_steps=60)
    np.testing.assert_allclose(record.convergence_delta, 0, atol=1e-10)
    np.testing.assert_allclose(record.prediction, deep(X)[:, 1], **EXACT)
    np.testing.assert_allclose(record.baseline_prediction, deep(B)[:, 1], **EXACT)


def test_conductance_through_convolutions_and_pooling_is_complete():
    """Kinks: the midpoint rule on many points."""
    x, b = RNG.normal(size=(2, 2, 1, 6, 6))
    kernel = RNG.normal(size=(3, 1, 3, 3))

    def net(x):
        h = nt.tap(jax.nn.relu(jax.lax.conv(x, kernel, (1, 1), "SAME")), "maps")
        h = jax.lax.reduce_window(h, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        return nt.tap(h, "pooled").sum((1, 2, 3))

    for layer in ("maps", "pooled"):
        record = LayerConductance(net, layer).explain(x, b, n_steps=2000, method="riemann_middle")
        assert float(record.gap.max()) < 1e-3


def test_conductance_beside_a_residual_branch_says_what_it_misses():
    with pytest.warns(IncompleteWarning, match=r"goes around the layer 'branch' \(a residual branch\)"):
        record = LayerConductance(residual, "branch").explain(X, B, 1, n_steps=40)
    around = ((X - B) @ W["in"] @ W["out"])[:, 1]
    np.testing.assert_allclose(record.convergence_delta, -around, rtol=1e-8, atol=1e-9)
    whole = LayerConductance(residual, "stream").explain(X, B, 1, n_steps=60)
    np.testing.assert_allclose(whole.convergence_delta, 0, atol=1e-9)


def test_what_goes_around_the_layer_moves_with_the_inputs():
    """f = y r with y = tap(x0), r = x1 around it: d f / d y is r on the path, not r at the input."""

    def product(x):
        return nt.tap(x[:, :1], "y")[:, 0] * x[:, 1]

    found = InternalInfluence(product, "y").attribute(X, baselines=B, n_steps=3)
    np.testing.assert_allclose(found[:, 0], (X[:, 1] + B[:, 1]) / 2, **EXACT)


def test_neuron_conductances_sum_over_inputs_to_the_layers_and_over_units_to_integrated_gradients():
    how = {"baselines": B, "target": 1, "n_steps": 30}
    each = [NeuronConductance(deep, "one", neuron=j).attribute(X, **how) for j in range(HIDDEN)]
    layer = LayerConductance(deep, "one").attribute(X, **how)
    np.testing.assert_allclose(jnp.stack([e.sum(1) for e in each], 1), layer, **EXACT)
    np.testing.assert_allclose(sum(each), IntegratedGradients(deep).attribute(X, **how), **EXACT)


def test_two_inputs():
    def bilinear(x, y):
        return jnp.einsum("bi,bi->b", nt.tap(x @ W["in"], "left"), y @ W["in"])

    x, y, b, c = RNG.normal(size=(4, BATCH, FEATURE))
    how = {"baselines": (b, c), "n_steps": 3}
    found = LayerConductance(bilinear, "left").attribute((x, y), **how)
    np.testing.assert_allclose(found, (x - b) @ W["in"] * ((y + c) / 2 @ W["in"]), **EXACT)
    to_x, to_y = NeuronConductance(bilinear, "left", neuron=1).attribute((x, y), **how)
    np.testing.assert_allclose(to_x.sum(1), found[:, 1], **EXACT)
    np.testing.assert_array_equal(to_y, np.zeros_like(y))


# names, transformations, streams


def options(method: type, **more: Any) -> dict[str, Any]:
    """Arguments for each method of a layer."""
    target = {} if method is LayerActivation else {"target": more.pop("target", 1)}
    return target | ({"baselines": more.pop("baselines", B), "n_steps": 9} if method in ON_PATH else {})


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("order", ["batch feature", "feature batch"])
def test_a_named_layer_is_named(method, order):
    x, b = (nt.tensor(nt.tensor(a, "batch feature").to_array(order), order) for a in (X, B))
    found = method(named, "one").attribute(x, **options(method, baselines=b, target={"class": 1}))
    assert dict(found.shape) == {"batch": BATCH, "a": HIDDEN}
    expected = method(deep, "one").attribute(X, **options(method))
    np.testing.assert_allclose(found.to_array("batch a"), expected, **EXACT)


@pytest.mark.parametrize("method", ALL)
def test_a_plain_layer_of_a_named_function_is_plain(method):
    x, b = (nt.tensor(a, "batch feature") for a in (X, B))
    found = method(named, "two").attribute(x, **options(method, baselines=b, target={"class": 1}))
    assert isinstance(found, jax.Array)
    np.testing.assert_allclose(found, method(deep, "two").attribute(X, **options(method)), **EXACT)


@pytest.mark.parametrize("method", [*ALL, functools.partial(NeuronConductance, neuron=2)])
def test_jit_and_vmap_equal_eager(method):
    explainer = method(deep, "one")
    how = options(getattr(method, "func", method))
    if not isinstance(explainer, LayerActivation):
        how["target"] = 1
    expected = explainer.attribute(X, **how)
    np.testing.assert_allclose(jax.jit(lambda x: explainer.attribute(x, **how))(X), expected, **EXACT)
    several = jax.vmap(lambda x: explainer.attribute(x, **how))(np.stack([X, X + 1]))
    np.testing.assert_allclose(several[0], expected, **EXACT)
    np.testing.assert_allclose(several[1], explainer.attribute(X + 1, **how), **EXACT)


@pytest.mark.parametrize("method", ON_PATH)
def test_chunks_change_nothing_and_the_last_of_a_stream_is_the_result(method):
    explainer = method(deep, "one")
    expected = explainer.attribute(X, baselines=B, target=1, n_steps=10)
    records = list(explainer.stream(X, B, 1, n_steps=10, internal_batch_size=2 * BATCH))
    assert [r.status for r in records] == ["partial"] * 4 + ["finished"]
    np.testing.assert_allclose(records[-1].attributions, expected, **EXACT)
    assert records[-1].evaluations["gradient"] == 10 * BATCH


@pytest.mark.parametrize("method", ALL)
def test_a_second_call_compiles_nothing(method, compilations):
    def call(x: Any, target: int) -> None:
        jax.block_until_ready(method(deep, "two").attribute(x, **options(method, target=target)))

    call(jnp.asarray(X), 1)
    assert compilations.since(lambda: call(jnp.asarray(X + 1), 0)) == 0


def test_a_record_of_a_layer():
    record = LayerConductance(deep, "one").explain(X, B, 1, n_steps=30)
    assert record.attributions.shape == (BATCH, HIDDEN)
    np.testing.assert_array_equal(record.inputs, X)
    assert record.arguments["layer"] == "one"
    assert record.arguments["method_variant"] == "exact"
    activation = LayerActivation(deep, "one").explain(X)
    assert activation.prediction is None
    assert "prediction" not in repr(activation)


# taps in loops


def looped(x: Any, blocks: int = 4) -> Any:
    def block(h: Any, _: None) -> tuple[Any, None]:
        return nt.tap(jnp.tanh(h @ W["mid"]), "block"), None

    return jax.lax.scan(block, x @ W["in"], None, length=blocks)[0]


@pytest.mark.parametrize("blocks", [4, BATCH])
@pytest.mark.parametrize("method", ALL)
def test_a_layer_inside_a_scan_is_refused(method, blocks):
    """Also with as many iterations as examples, where the shapes would fit."""
    with pytest.raises(
        ValueError, match=r"the place 'block' is inside a loop \(jax.lax.scan\): .*in front. Exp"
    ):
        method(functools.partial(looped, blocks=blocks), "block").attribute(X, **options(method))


def test_a_named_layer_inside_a_scan_is_refused():
    def fun(x: Any) -> Any:
        return jax.lax.scan(lambda h, _: (nt.tap(h.tanh(), "block"), None), x, None, length=3)[0]

    with pytest.raises(
        ValueError, match=r"'block' is inside a loop .* is f64\[3, batch:3 feature:4\], with the"
    ):
        LayerActivation(fun, "block").attribute(nt.tensor(X, "batch feature"))


# models of frameworks: modules are layers by their paths


class Convolutional(nnx.Module):
    """A convolution, a norm and a read-out, channels last."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(2, 4, (3, 3), rngs=rngs, param_dtype=jnp.float64)
        self.norm = nnx.LayerNorm(4, rngs=rngs, param_dtype=jnp.float64)
        self.out = nnx.Linear(4 * 9, 3, rngs=rngs, param_dtype=jnp.float64)

    def __call__(self, x: Any) -> Any:
        x = nnx.avg_pool(jnp.tanh(self.conv(x)), (2, 2), (2, 2))
        return self.out(nnx.silu(self.norm(x)).reshape(x.shape[0], -1))


def test_layers_of_a_flax_model():
    model = Convolutional(nnx.Rngs(0))
    x, b = RNG.normal(size=(2, BATCH, 6, 6, 2))
    for layer, shape in {"conv": (BATCH, 6, 6, 4), "norm": (BATCH, 3, 3, 4)}.items():
        record = LayerConductance(model, layer).explain(x, b, 1, n_steps=100)
        assert record.attributions.shape == shape
        np.testing.assert_allclose(record.convergence_delta, 0, atol=1e-6)
    cam = LayerGradCam(model, "conv").attribute(x, target=1, channel_axis=-1)
    value, slope = (
        np.asarray(LayerGradientXActivation(model, "conv", multiply_by_inputs=m).attribute(x, target=1))
        for m in (True, False)
    )
    expected = (slope.mean((1, 2), keepdims=True) * (value / slope)).sum(-1, keepdims=True)
    np.testing.assert_allclose(cam, expected, rtol=1e-8, atol=1e-10)


def test_layers_of_an_equinox_model():
    model = jax.vmap(eqx.nn.MLP(FEATURE, 3, 5, 2, activation=jnp.tanh, key=jax.random.key(0)))
    for layer in ("layers/0", "layers/1"):
        record = LayerConductance(model, layer).explain(X, B, 1, n_steps=60)
        np.testing.assert_allclose(record.convergence_delta, 0, atol=1e-8)
    each = [
        NeuronConductance(model, "layers/0", neuron=j).attribute(X, baselines=B, target=1) for j in range(5)
    ]
    total = LayerConductance(model, "layers/0").attribute(X, baselines=B, target=1)
    np.testing.assert_allclose(jnp.stack([e.sum(1) for e in each], 1), total, **EXACT)


# bad calls


@pytest.mark.parametrize("method", [*ALL, LayerGradCam])
def test_a_layer_must_be_given(method):
    with pytest.raises(ValueError, match=rf"{method.__name__} explains a layer: give its name"):
        method(deep)
    with pytest.raises(ValueError, match=r"all of the layer 'one', so neuron=3 has no meaning"):
        method(deep, "one", neuron=3)


@pytest.mark.parametrize("method", ALL)
def test_an_unknown_layer_lists_those_that_there_are(method):
    with pytest.raises(
        UnknownTapError, match=r"there is no tap 'on': there are 'one', 'sum', 'two'. Did you mean 'one'"
    ):
        method(deep, "on").attribute(X, **options(method))


def test_integer_inputs_have_no_path():
    with pytest.raises(TypeError, match=r"input 0 is i64\[2, 2\].*explain the embedding"):
        LayerConductance(lambda ids: nt.tap(ids * 1.0, "y").sum(1), "y").attribute(np.ones((2, 2), int))


@pytest.mark.parametrize("method", [LayerGradientXActivation, *ON_PATH])
def test_an_integer_layer_has_no_gradient(method):
    with pytest.raises(TypeError, match=r"the value at 'sign', input 0 is i"):
        method(lambda x: nt.tap((x > 0).astype(int), "sign").sum(1) * x.sum(1), "sign").attribute(X)


def test_an_unknown_variant():
    with pytest.raises(ValueError, match=r"method_variant='left' is not known: choose 'exact' or 'captum'"):
        LayerConductance(deep, "one").attribute(X, target=1, method_variant="left")


def test_a_neuron_that_is_not_there():
    with pytest.raises(IndexError, match=r"target 5 is out of range: .* has 5 there"):
        NeuronConductance(deep, "one").attribute(X, 5, target=1)
    with pytest.raises(ValueError, match=r"NeuronConductance explains one unit of 'one'"):
        NeuronConductance(deep, "one").attribute(X, target=1)
    with pytest.raises(TypeError, match=r"goes through one unit of 'one', and neuron= is a function"):
        NeuronConductance(deep, "one").attribute(X, lambda y: y[:, 0], target=1)


def test_noise_over_a_method_whose_result_has_another_shape():
    quiet = {"nt_samples": 3, "stdevs": 0.0}
    for method in ALL:
        how = options(method)
        expected = method(deep, "one").attribute(X, **how)
        found = NoiseTunnel(method(deep, "one")).attribute(X, **how, **quiet)
        np.testing.assert_allclose(found, expected, **EXACT)
