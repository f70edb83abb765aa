"""Functions without code (`jax.export`) are explained as the function itself is, or it is said why not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import captum_lite as cl
import namedtensor as nt
from captum_lite.methods import IMAGE_METHODS, METHODS

pytest.importorskip("flatbuffers")
RNG = np.random.default_rng(17)
X, B = RNG.normal(size=(2, 2, 4)).astype(np.float32)
W, V = RNG.normal(size=(4, 5)).astype(np.float32), RNG.normal(size=(5, 3)).astype(np.float32)
FEW = {"n_steps": 4, "nt_samples": 2, "n_samples": 24}
BY_RULES = {"DeepLift", "LRP", "guided backprop", "deconvolution"}
BY_VALUES = {
    "feature ablation",
    "occlusion",
    "Shapley values",
    "Shapley value sampling",
    "KernelShap",
    "LIME",
}


def model(x):
    return jax.nn.relu(x @ W + 0.5) @ V


def read(fun, *args, vjp_order=1):
    written = jax.export.export(jax.jit(fun))(*args).serialize(vjp_order=vjp_order)
    return jax.export.deserialize(bytearray(written)).call


OPEN = read(model, jax.ShapeDtypeStruct(jax.export.symbolic_shape("batch, 4"), jnp.float32))
FORWARD = read(model, X, vjp_order=0)
FIXED = read(model, X)


def explain(name, fun, **more):
    method = (METHODS | IMAGE_METHODS)[name](fun)
    known = method.defaults()
    options = {k: v for k, v in FEW.items() if k in known} | (
        {"key": jax.random.key(7)} if "key" in known else {}
    )
    if method.compares():
        options["baselines"] = B
    if name == "occlusion":
        options["sliding_window_shapes"] = (1,)
    return method.attribute(X, target=1, **options | more)


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)  # float32, sums of a path or of a fit


A = RNG.normal(size=(4, 3)).astype(np.float32)
LINEAR = read(lambda x: x @ A + 1, jax.ShapeDtypeStruct(jax.export.symbolic_shape("batch, 4"), jnp.float32))
OF_LINEAR = {  # what a linear function owes to its inputs
    "saliency": np.abs(A[:, 1]),
    "input x gradient": X * A[:, 1],
    "SmoothGrad": A[:, 1],
    "VarGrad": 0 * A[:, 1],
}


@pytest.mark.parametrize("name", sorted(METHODS.keys() - BY_RULES - {"LIME"}))
def test_a_method_explains_it_by_its_formula(name):
    close(explain(name, LINEAR), np.broadcast_to(OF_LINEAR.get(name, (X - B) * A[:, 1]), X.shape))


def test_a_fit_is_that_of_the_function_itself():
    close(explain("LIME", LINEAR), explain("LIME", lambda x: x @ A + 1))


@pytest.mark.parametrize("name", sorted(BY_RULES))
@pytest.mark.parametrize("make", [lambda: FORWARD, lambda: nt.interop.exported.load(OPEN.__self__)])
def test_a_method_of_rules_says_that_there_are_no_operations(name, make):
    said = r"the exported function 'model', compiled code without operations.*\n.*IntegratedGradients .*vjp_order=1"
    with pytest.raises(nt.interpreter.UnsupportedPrimitiveError, match=said):
        explain(name, make())


@pytest.mark.parametrize("name", sorted(METHODS.keys() - BY_RULES - BY_VALUES))
def test_a_gradient_method_says_how_the_file_must_be_written(name):
    with pytest.raises(
        ValueError, match=r"'model' has no derivative: .*vjp_order=0.*serialize\(vjp_order=1\)"
    ):
        explain(name, FORWARD)


def test_values_alone_need_no_derivative():
    found = explain("feature ablation", FORWARD)
    for i in range(4):
        changed = np.where(np.arange(4) == i, B, X)
        close(found[:, i], (np.maximum(X @ W + 0.5, 0) - np.maximum(changed @ W + 0.5, 0)) @ V[:, 1])


def test_every_method_is_in_one_of_the_groups():
    assert METHODS.keys() >= BY_RULES | BY_VALUES


def slope(x):
    """The gradient of class 1."""
    return ((x @ W + 0.5 > 0) * V[:, 1]) @ W.T


@pytest.mark.parametrize(("kind", "rows"), [("fixed", None), ("open", 6), ("independent", 6)])
def test_chunks_of_any_size_and_a_fixed_batch(kind, rows):
    at_once = nt.interop.exported.load(OPEN.__self__, independent=True)
    call = {"fixed": FIXED, "open": OPEN, "independent": at_once}[kind]
    found = cl.IntegratedGradients(call).attribute(
        X, B, target=1, n_steps=8, method="riemann_middle", internal_batch_size=rows
    )
    close(found, sum(slope(B + a * (X - B)) / 8 * (X - B) for a in (np.arange(8) + 0.5) / 8))


def test_an_exported_part_of_a_function():
    def fun(x):
        return LINEAR(nt.tap(x**2, "squared"))[:, ::-1]  # so its class 1 is class 1

    found = cl.IntegratedGradients(fun).explain(X, B, target=1)
    close(found.attributions, (X**2 - B**2) * A[:, 1])
    assert found.gap.max() < 1e-3
    layer = cl.IntegratedGradients(fun, layer="squared").attribute(X, B, target=1, n_steps=4)
    close(layer, (X**2 - B**2) * A[:, 1])


def test_what_comes_behind_it_has_layers_and_rules():
    def fun(x):
        return jax.nn.relu(nt.tap(OPEN(x), "logits")) @ V.T[:, :2]

    logits = np.asarray(model(X))
    close(cl.LRP(fun, layer="logits").attribute(X, target=1), np.maximum(logits, 0) * V[1])
    guided = cl.GuidedBackprop(fun, layer="logits").attribute(X, target=1)
    close(guided, (logits > 0) * np.maximum(V[1], 0))


def test_the_derivative_along_a_path_is_replaced_by_differences():
    f = lambda x: jnp.tanh(nt.tap(OPEN(x), "logits"))  # noqa: E731
    conductance = cl.LayerConductance(f, "logits")
    with pytest.raises(
        TypeError, match=r"an exported function\): take differences instead, method_variant='captum'"
    ):
        conductance.attribute(X, B, target=1)
    flow = conductance.attribute(X, B, target=1, method_variant="captum", n_steps=200)
    change = np.tanh(model(X)) - np.tanh(model(B))
    np.testing.assert_allclose(
        flow, change * np.eye(3)[1], atol=0.02
    )  # differences: complete to the first order


def test_a_layer_of_it_is_refused():
    for make in (cl.LayerActivation, cl.LayerConductance, cl.LayerGradCam, cl.Saliency):
        options = {"layer": "dense"}
        with pytest.raises(
            nt.interpreter.UnknownTapError,
            match="'model' is compiled code without places: explain its inputs",
        ):
            make(OPEN, **options).attribute(X, **({} if make is cl.LayerActivation else {"target": 1}))


def test_mapping_one_in_the_function_itself_is_refused_with_the_line_that_works():
    rows = lambda call: lambda x: jax.vmap(call)(x[:, None])[:, 0]  # noqa: E731
    with pytest.raises(NotImplementedError, match=r"nt\.interop\.exported\.load\(exported\) returns"):
        cl.Saliency(rows(OPEN)).attribute(X, target=1)
    f = rows(nt.interop.exported.load(OPEN.__self__))
    close(cl.Saliency(f).attribute(X, target=1, abs=False), slope(X))


def test_named_inputs_give_named_attributions():
    def fun(t):
        return t.dot("feature", nt.tensor(W, "feature class")) ** 2

    size = jax.export.symbolic_shape("batch, 4")
    call = read(fun, nt.NamedTensor(jax.ShapeDtypeStruct(size, jnp.float32), nt.dims("batch feature")))
    x, b = nt.tensor(X, "batch feature"), nt.tensor(B, "batch feature")
    found = cl.IntegratedGradients(call).attribute(x, b, target={"class": 1}, n_steps=4)
    assert found.dims == ("batch", "feature")
    close(found.array, (X - B) * ((X + B) @ W[:, 1])[:, None] * W[:, 1])  # of a square the path is exact


def test_an_image_method():
    weights = np.sin(np.arange(32.0, dtype=np.float32).reshape(16, 2))
    f = lambda x: x.reshape(x.shape[0], 16) @ weights  # noqa: E731
    size = jax.export.symbolic_shape("batch, 4, 4, 1")
    x = RNG.normal(size=(2, 4, 4, 1)).astype(np.float32)
    image = [cl.BlurIG(g) for g in (read(f, jax.ShapeDtypeStruct(size, jnp.float32)), f)]
    close(*(m.attribute(x, target=1, n_steps=3) for m in image))
