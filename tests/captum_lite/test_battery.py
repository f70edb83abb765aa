"""What every method promises, checked for each that is registered: a new method is picked up by itself."""

import dataclasses
import functools
import html
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from captum_lite import Attribution, GradientMethod, IntegratedGradients, NoiseTunnel, Saliency, SmoothGrad
from captum_lite.methods import METHODS

RNG = np.random.default_rng(3)
BATCH, FEATURE, TIME, HIDDEN, CLASS = 4, 3, 2, 5, 6
X = RNG.normal(size=(BATCH, FEATURE, TIME))
B = RNG.normal(size=(BATCH, FEATURE, TIME))
PARAMS = {"in": RNG.normal(size=(FEATURE, HIDDEN)), "out": RNG.normal(size=(HIDDEN, CLASS))}
DIMS = {"in": "feature hidden", "out": "hidden class"}
EXACT = {"rtol": 1e-10, "atol": 1e-12}
FEW = {"n_steps": 20, "nt_samples": 3}  # options that decide the cost, where a method has them


def plain(params, x):
    """Logits ``[batch, class]`` of ``[batch, feature, time]``."""
    h = nt.tap(jnp.tanh(jnp.einsum("bft,fh->bth", x, params["in"])), "hidden")
    return after_hidden(params, h)


def after_hidden(params, h):
    return jnp.einsum("bth,hc->bc", jax.nn.relu(h**2) + h, params["out"])


def named(params, x):
    """The same with names; the order in which ``x`` is stored does not matter."""
    h = nt.tap(x.dot("feature", params["in"]).tanh(), "hidden")
    return ((h**2).relu() + h).dot("hidden", params["out"]).sum("time")


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@pytest.fixture
def model(float64):
    return functools.partial(plain, jax.tree.map(jnp.asarray, PARAMS))


@pytest.fixture
def named_model(float64):
    return functools.partial(named, {k: nt.tensor(v, DIMS[k]) for k, v in PARAMS.items()})


def tunnel(fun, **fields):
    return NoiseTunnel(IntegratedGradients(fun, **fields))


@pytest.fixture(params=[*METHODS.values(), tunnel], ids=[*METHODS, "NoiseTunnel over IG"])
def make(request):
    return request.param


def given(explainer: Any, baselines: Any, **more: Any) -> dict[str, Any]:
    """Arguments that every method takes: few steps, and baselines where it compares."""
    few = {k: v for k, v in FEW.items() if k in explainer.defaults()}
    return few | ({"baselines": baselines} if explainer.compares() else {}) | more


def attribute(explainer: Any, x: Any, b: Any, target: Any = 1, **more: Any) -> Any:
    return explainer.attribute(x, target=target, **given(explainer, b, **more))


def explain(explainer: Any, x: Any, b: Any, target: Any = 1, **more: Any) -> Attribution:
    return explainer.explain(x, target=target, **given(explainer, b, **more))


def stored(array: Any, order: str) -> nt.NamedTensor:
    """``[batch, feature, time]`` as a named tensor that stores its axes in ``order``."""
    return nt.tensor(nt.tensor(array, "batch feature time").to_array(order), order)


# what comes back


def test_plain_in_plain_out(make, model):
    found = attribute(make(model), X, B)
    assert isinstance(found, jax.Array)
    assert (found.shape, found.dtype) == (X.shape, X.dtype)
    assert float(abs(found).sum()) > 0


@pytest.mark.parametrize("order", ["batch feature time", "feature batch time", "time feature batch"])
def test_named_in_named_out_in_any_storage_order(make, model, named_model, order):
    x, b = stored(X, order), stored(B, "time batch feature")
    found = attribute(make(named_model), x, b, target={"class": 1})
    assert (set(found.dims), dict(found.shape), found.dtype) == (set(x.dims), dict(x.shape), x.dtype)
    np.testing.assert_allclose(found.to_array("batch feature time"), attribute(make(model), X, B), **EXACT)


def test_tuple_in_tuple_out_named_and_plain_side_by_side(make, model, named_model):
    def of_two(x, y):
        return named_model(x).to_array("batch class") * model(y)

    named_x, named_b = stored(X, "batch feature time"), stored(B, "time feature batch")
    found = attribute(make(of_two), (named_x, X + 1), (named_b, B))
    assert isinstance(found, tuple)
    assert set(found[0].dims) == {"batch", "feature", "time"}
    assert dict(found[0].shape) == {"batch": BATCH, "feature": FEATURE, "time": TIME}
    assert isinstance(found[1], jax.Array)
    assert found[1].shape == X.shape
    both = attribute(make(lambda x, y: model(x) * model(y)), (X, X + 1), (B, B))
    np.testing.assert_allclose(found[0].to_array("batch feature time"), both[0], **EXACT)
    np.testing.assert_allclose(found[1], both[1], **EXACT)


def test_a_tuple_of_one_stays_a_tuple(make, model):
    (found,) = attribute(make(model), (X,), (B,))
    np.testing.assert_allclose(found, attribute(make(model), X, B), **EXACT)


def test_an_example_does_not_depend_on_the_rest_of_the_batch(make, model):
    other = np.concatenate([X[:1], 10 * RNG.normal(size=X[1:].shape)])
    found = attribute(make(model), other, np.concatenate([B[:1], X[1:]]), target=[1, 2, 3, 4])
    np.testing.assert_allclose(found[0], attribute(make(model), X, B)[0], **EXACT)


# targets

EACH = [0, 3, 5, 1]
TARGETS = {
    "numpy integer": np.int32(2),
    "negative": 2 - CLASS,
    "tuple": (2,),
    "numpy array": np.full(BATCH, 2),
    "list": [2] * BATCH,
    "list of tuples": [(2,)] * BATCH,
    "function": lambda out: out[:, 2],
}
NAMED_TARGETS = {
    "dict": {"class": 2},
    "dict of an array": {"class": np.full(BATCH, 2)},
    "dict of a named array": {"class": nt.tensor(np.full(BATCH, 2), "batch")},
    "named array": nt.tensor(np.full(BATCH, 2), "batch"),
    "function": lambda out: out.isel(**{"class": 2}),
    "integer": 2,
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_target_forms_agree(make, model, target):
    found = attribute(make(model), X, B, target)
    np.testing.assert_allclose(found, attribute(make(model), X, B, 2), **EXACT)


@pytest.mark.parametrize("target", NAMED_TARGETS.values(), ids=NAMED_TARGETS)
def test_named_target_forms_agree(make, model, named_model, target):
    found = attribute(
        make(named_model), stored(X, "feature batch time"), stored(B, "batch time feature"), target
    )
    np.testing.assert_allclose(found.to_array("batch feature time"), attribute(make(model), X, B, 2), **EXACT)


def test_each_example_may_have_its_own_target(make, model):
    found = attribute(make(model), X, B, jnp.asarray(EACH))
    for i, k in enumerate(EACH):
        np.testing.assert_allclose(found[i], attribute(make(model), X, B, k)[i], **EXACT)


def test_targets_of_outputs_of_two_axes(make, model):
    def two_axes(x):
        return model(x).reshape(BATCH, 2, 3)

    def two_names(x):
        return nt.tensor(two_axes(x), "batch row column")

    one = attribute(make(model), X, B, 5)
    for target in [(1, 2), (1, -1), [(1, 2)] * BATCH, (np.full(BATCH, 1), 2), lambda out: out[:, 1, 2]]:
        np.testing.assert_allclose(attribute(make(two_axes), X, B, target), one, **EXACT)
    for target in [{"column": 2, "row": 1}, {"row": 1, "column": np.full(BATCH, 2)}, (1, 2)]:
        np.testing.assert_allclose(attribute(make(two_names), X, B, target), one, **EXACT)
    each = attribute(make(two_axes), X, B, [divmod(k, 3) for k in EACH])
    np.testing.assert_allclose(each, attribute(make(model), X, B, EACH), **EXACT)


def test_no_target_where_there_is_one_number_for_each_example(make, model):
    expected = attribute(make(model), X, B, 1)
    for fun in (lambda x: model(x)[:, 1], lambda x: model(x)[:, 1:2]):
        np.testing.assert_allclose(attribute(make(fun), X, B, None), expected, **EXACT)


# other transformations


def test_jit_equals_eager(make, model, named_model):
    expected = attribute(make(model), X, B)
    traced = jax.jit(lambda x, b, k: attribute(make(model), x, b, k))(X, B, 1)
    np.testing.assert_allclose(traced, expected, **EXACT)
    x, b = stored(X, "feature batch time"), stored(B, "time feature batch")
    traced = jax.jit(lambda x, b: attribute(make(named_model), x, b, {"class": 1}))(x, b)
    np.testing.assert_allclose(traced.to_array("batch feature time"), expected, **EXACT)


def test_vmap_equals_eager(make, model):
    xs, bs = np.stack([X, X + 1, -X]), np.stack([B, -B, B / 2])
    found = jax.vmap(lambda x, b: attribute(make(model), x, b))(xs, bs)
    for one, x, b in zip(found, xs, bs, strict=True):
        np.testing.assert_allclose(one, attribute(make(model), x, b), **EXACT)


# functions with more than inputs


def test_additional_forward_args_are_passed_on(make, model):
    def scaled(x, each, options):
        logits = model(x) * each[:, None]
        return logits if options is None else logits + options["shift"] * x.sum((1, 2))[:, None]

    each, more = RNG.normal(size=BATCH), {"shift": 3.0}
    for args in [(each, None), (each, more)]:
        found = attribute(make(scaled), X, B, additional_forward_args=args)
        bound = attribute(make(lambda x, args=args: scaled(x, *args)), X, B)
        np.testing.assert_allclose(found, bound, **EXACT)


def test_one_additional_forward_arg_needs_no_tuple(make, model):
    found = attribute(
        make(lambda x, each: model(x) * each[:, None]), X, B, additional_forward_args=X[:, 0, 0]
    )
    bound = attribute(make(lambda x: model(x) * X[:, :1, 0]), X, B)
    np.testing.assert_allclose(found, bound, **EXACT)


def test_additional_forward_args_may_be_python_values(make, model):
    """As they are: a flag stays a bool that `if` can ask, a mode stays a string."""

    def moody(x, flag, mode):
        assert mode == "negative"
        return -model(x) if flag else model(x)

    found = attribute(make(moody), X, B, additional_forward_args=(True, "negative"))
    np.testing.assert_allclose(found, attribute(make(lambda x: -model(x)), X, B), **EXACT)


def test_layer_is_explained_as_the_input_of_what_follows(make, model):
    """Noise, where a method has it, is on the inputs; so it is switched off to compare."""
    hidden = [nt.capture(model, ["hidden"])(jnp.asarray(v))[1]["hidden"] for v in (X, B)]
    tail = functools.partial(after_hidden, PARAMS)
    quiet = {"stdevs": 0.0} if "stdevs" in make(model).defaults() else {}
    found = attribute(make(model, layer="hidden"), X, B, **quiet)
    assert found.shape == (BATCH, TIME, HIDDEN)
    np.testing.assert_allclose(found, attribute(make(tail), *hidden, **quiet), **EXACT)


def test_layer_of_a_named_function_is_named(make, model, named_model):
    found = attribute(
        make(named_model, layer="hidden"), stored(X, "batch feature time"), stored(B, "time feature batch")
    )
    assert dict(found.shape) == {"batch": BATCH, "time": TIME, "hidden": HIDDEN}
    expected = attribute(make(model, layer="hidden"), X, B)
    np.testing.assert_allclose(found.to_array("batch time hidden"), expected, **EXACT)


# compiled once


def changed(make: Any) -> dict[str, dict[str, Any]]:
    """What a second call may change without compiling anything."""
    fresh = jax.tree.map(jnp.asarray, PARAMS)
    base = {"params": fresh, "x": jnp.asarray(X), "b": jnp.asarray(B), "target": 1}
    changes = {
        "nothing": {},
        "another class": {"target": 2},
        "other parameters": {"params": jax.tree.map(lambda p: p + 1, fresh)},
        "other inputs": {"x": jnp.asarray(X + 1)},
        "other baselines": {"b": jnp.asarray(B + 1)},
    }
    if make is IntegratedGradients:
        changes["other steps"] = {"n_steps": 33}
        changes["another quadrature"] = {"method": "riemann_middle"}
    if "key" in make(plain).defaults():
        changes["another key"] = {"key": jax.random.key(5)}
    return {k: base | v for k, v in changes.items()}


@pytest.mark.parametrize("fields", [{}, {"layer": "hidden"}], ids=["inputs", "layer"])
@pytest.mark.parametrize("run", [attribute, explain])
def test_a_second_call_compiles_nothing(make, run, fields, compilations):
    def call(params, **how):
        out = run(make(functools.partial(plain, params), **fields), **how)
        jax.block_until_ready(out.attributions if run is explain else out)

    calls = changed(make)
    if "key" in make(plain).defaults():
        call(**calls["nothing"], key=jax.random.key(4))
    call(**calls["nothing"])
    assert {k: compilations.since(lambda v=v: call(**v)) for k, v in calls.items()} == dict.fromkeys(calls, 0)


# records


def test_explain_finds_what_attribute_finds(make, model):
    record = explain(make(model), X, B)
    np.testing.assert_array_equal(record.attributions, attribute(make(model), X, B))


def test_the_last_of_a_stream_is_what_explain_returns(make, model):
    method = make(model)
    *_, last = method.stream(X, target=1, **given(method, B))
    same_record(last, explain(method, X, B))


def test_record_fields(make, model):
    method = make(model)
    record = explain(method, X, B)
    np.testing.assert_allclose(record.prediction, model(X)[:, 1], **EXACT)
    np.testing.assert_array_equal(record.inputs, X)
    if method.compares():
        np.testing.assert_array_equal(record.baselines, B)
        np.testing.assert_allclose(record.baseline_prediction, model(B)[:, 1], **EXACT)
    else:
        assert record.baselines is record.baseline_prediction is None
    if method.is_complete():
        difference = record.prediction - record.baseline_prediction
        delta = record.attributions.sum((1, 2)) - difference
        np.testing.assert_allclose(record.convergence_delta, delta, atol=1e-12)
        gap = abs(delta) / abs(record.attributions).sum((1, 2))
        np.testing.assert_allclose(record.gap, gap, atol=1e-12)
        assert float(abs(delta).max()) < 1e-6 * float(abs(difference).max())
    elif method.absorbs():
        absorbed = record.prediction - record.attributions.sum((1, 2))
        np.testing.assert_allclose(record.convergence_delta, absorbed, atol=1e-12)
    else:
        assert record.convergence_delta is record.gap is None
    assert record.error_map is None or record.error_map.shape == X.shape
    assert (record.status, record.target, record.method) == ("finished", 1, type(method).__name__)
    assert record.evaluations["forward"] >= BATCH
    assert record.evaluations["gradient"] >= BATCH * isinstance(method, GradientMethod | NoiseTunnel)
    assert set(method.defaults()) <= set(record.arguments)
    assert {k: record.arguments[k] for k in given(method, None) if k in FEW} == {
        k: v for k, v in FEW.items() if k in method.defaults()
    }


def test_save_and_load(make, model, named_model, tmp_path):
    two = (stored(X, "time feature batch"), X)

    def of_two(x, y):
        return named_model(x).to_array("batch class") * model(y)

    records = {
        "plain": explain(make(model), X, B),
        "named": explain(make(named_model), two[0], stored(B, "batch time feature"), {"class": 1}),
        "tuple": explain(make(of_two), two, (stored(B, "batch feature time"), B), (1,)),
        "layer": explain(make(model, layer="hidden"), X, B),
    }
    for name, record in records.items():
        record.save(tmp_path / f"{name}.npz")
        same_record(Attribution.load(tmp_path / f"{name}.npz"), record)


def test_record_shows_itself(make, model):
    record = explain(make(model), X, B)
    for shown in (repr(record), html.unescape(record._repr_html_())):
        for part in (
            type(make(model)).__name__,
            "finished",
            "target",
            "f64[4, 3, 2]",
            "prediction",
            "gradient",
        ):
            assert part in shown
    assert ("delta" in repr(record)) == (make(model).is_complete() or make(model).absorbs())
    assert repr(record).count("\n") < 12
    assert record._repr_html_().startswith("<table>")


def same_record(a: Attribution, b: Attribution) -> None:
    for field in dataclasses.fields(Attribution):
        found, expected = getattr(a, field.name), getattr(b, field.name)
        assert jax.tree.structure(found) == jax.tree.structure(expected), field.name
        jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_noise_is_compiled_once_for_all_functions_of_such_inputs(compilations):
    """The noise is a matter of the inputs: another model compiles its own gradient, and no noise."""
    x = np.linspace(0, 1, 14, dtype="float32").reshape(2, 7)
    key = jax.random.key(5)
    SmoothGrad(lambda x: (2 * x).sum(1)).attribute(x, key=key)
    first = compilations.since(lambda: Saliency(lambda x: (3 * x).sum(1)).attribute(x, abs=False))
    again = compilations.since(lambda: SmoothGrad(lambda x: (4 * x).sum(1)).attribute(x, key=key))
    assert again == first == 1
