"""Adaptive integrated gradients: the error is honest, the cost is what it must be, and what can fail says so."""

import functools
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from captum_lite import Attribution, IncompleteWarning, IntegratedGradients, NoiseTunnel, _adaptive
from captum_lite._dyadic import Tree

RNG = np.random.default_rng(31)
FEATURES, HIDDEN = 12, 16
X, B = RNG.normal(size=(2, 3, FEATURES))


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def network(params, x, *, act):
    h = act(x @ params["in"] + params["bias"][None])
    return act(h @ params["hidden"]) @ params["out"]


def random_params(rng):
    shapes = {
        "in": (FEATURES, HIDDEN),
        "bias": (HIDDEN,),
        "hidden": (HIDDEN, HIDDEN),
        "out": (HIDDEN,),
    }
    return {k: jnp.asarray(rng.normal(size=s) / np.sqrt(s[0] / 2)) for k, s in shapes.items()}


PARAMS = random_params(RNG)
relu_net, tanh_net = (functools.partial(network, act=act) for act in (jax.nn.relu, jnp.tanh))
kinked, smooth = (functools.partial(net, PARAMS) for net in (relu_net, tanh_net))


def logistic(x, width=1e-4):
    """A step of the given width on the path from 0 to 1, at a place that no dyadic number is near."""
    return jax.nn.sigmoid((x.mean(1) - 0.3183) / width)


def true_error(found, exact):
    return np.asarray(abs(found - exact).sum(1) / abs(exact).sum(1))


def reference(fun, x, b):
    return IntegratedGradients(fun).attribute(x, b, n_steps=4000, method="riemann_middle")


# honesty


@pytest.mark.parametrize(("act", "most"), [(jnp.tanh, 33), (jax.nn.gelu, 33), (jax.nn.relu, 81)])
def test_the_error_is_honest_on_random_networks(act, most):
    """The true error is at most twice the estimate, and what it costs is what it was designed to."""
    rng, ratios, costs = np.random.default_rng(5), [], []
    net = functools.partial(network, act=act)
    for _ in range(10):
        method = IntegratedGradients(functools.partial(net, random_params(rng)))
        x, b = rng.normal(size=(2, 2, FEATURES))
        record = method.explain(x, b)
        assert record.status == "converged"
        assert float(record.error.max()) <= 0.01
        ratios.extend(true_error(record.attributions, reference(method.fun, x, b)) / record.error)
        costs.append(record.evaluations["gradient"] / 2)
    assert np.mean(np.array(ratios) <= 2) >= 0.95
    assert np.median(costs) <= most


def test_a_narrow_step_is_found():
    """Where the first points see no gradient at all, the score between them says that there was one."""
    x, b = np.ones((1, FEATURES)), np.zeros((1, FEATURES))
    record = IntegratedGradients(logistic).explain(x, b)
    assert record.status == "converged"
    assert record.evaluations["gradient"] <= 110
    np.testing.assert_allclose(record.attributions, 1 / FEATURES, rtol=0.01)  # by symmetry
    fixed = IntegratedGradients(logistic).attribute(x, b, n_steps=50)
    assert float(abs(fixed - 1 / FEATURES).sum()) > 0.5


def test_the_gap_may_be_nothing_where_the_error_is_large():
    """Two features that step up and down by as much at different places: their errors cancel in the sum."""

    def opposed(x):
        return jax.nn.relu(x[:, 0] - 0.31) - jax.nn.relu(x[:, 1] - 0.31)

    x, b = np.ones((1, 2)), np.zeros((1, 2))
    record = IntegratedGradients(opposed).explain(x, b, rtol=0.1)
    assert float(record.gap[0]) < 1e-12
    error = true_error(record.attributions, np.array([[0.69, -0.69]]))
    assert 1e-3 < float(error[0]) <= 2 * float(record.error[0])


def test_a_linear_function_takes_the_first_points_alone():
    w = RNG.normal(size=FEATURES)
    record = IntegratedGradients(lambda x: x @ w).explain(X, B)
    np.testing.assert_allclose(record.attributions, (X - B) * w, rtol=1e-12)
    assert (record.status, record.evaluations["gradient"]) == ("converged", 9 * len(X))
    assert float(record.error.max()) < 1e-6


def test_nothing_between_equal_ends_is_nothing():
    record = IntegratedGradients(kinked).explain(X, X)
    np.testing.assert_array_equal(record.attributions, 0 * X)
    assert (record.status, float(record.error.max())) == ("converged", 0)


def test_local_attributions_have_an_error_too():
    method = IntegratedGradients(kinked, multiply_by_inputs=False)
    record = method.explain(X, B)
    exact = method.attribute(X, B, n_steps=4000, method="riemann_middle")
    assert record.status == "converged"
    assert (true_error(record.attributions, exact) <= 2 * record.error).all()
    steps = IntegratedGradients(lambda x: logistic(x), multiply_by_inputs=False)
    found = steps.explain(np.ones((1, FEATURES)), np.zeros((1, FEATURES)))
    np.testing.assert_allclose(found.attributions, 1 / FEATURES, rtol=0.01)


def test_in_single_precision_too():
    fun = functools.partial(relu_net, jax.tree.map(lambda p: p.astype(jnp.float32), PARAMS))
    record = IntegratedGradients(fun).explain(X.astype("float32"), B.astype("float32"))
    assert record.attributions.dtype == jnp.float32
    assert record.status == "converged"
    assert (true_error(record.attributions, reference(kinked, X, B)) <= 2 * record.error).all()


# which is taken


def is_adaptive(record: Attribution) -> bool:
    return record.arguments["method"] == "adaptive"


def test_explain_is_adaptive_unless_points_are_asked_for():
    ig = IntegratedGradients(smooth)
    assert is_adaptive(ig.explain(X, B))
    assert is_adaptive(ig.explain(X, B, rtol=0.1, internal_batch_size=3))
    assert is_adaptive(ig.explain(X, B, method="adaptive"))
    assert not is_adaptive(ig.explain(X, B, n_steps=20))
    fixed = ig.explain(X, B, method="gausslegendre")
    assert (fixed.arguments["n_steps"], fixed.error, fixed.status) == (50, None, "finished")
    assert ig.explain(X, B).arguments == {
        "multiply_by_inputs": True, "method": "adaptive", "n_steps": None, "rtol": 0.01, "max_evals": 256,
        "internal_batch_size": None,
    }  # fmt: skip


def test_attribute_is_adaptive_when_asked():
    ig = IntegratedGradients(smooth)
    record = ig.explain(X, B, rtol=0.03)
    found = ig.attribute(X, B, method="adaptive", rtol=0.03)
    np.testing.assert_array_equal(found, record.attributions)
    assert float(abs(ig.attribute(X, B) - found).max()) > 0


def test_options_that_do_not_go_together():
    ig = IntegratedGradients(smooth)
    with pytest.raises(ValueError, match="belong to method='adaptive', and method='gausslegendre' takes"):
        ig.attribute(X, B, rtol=0.1)
    with pytest.raises(ValueError, match="n_steps=20 has no meaning for method='adaptive'"):
        ig.attribute(X, B, n_steps=20, method="adaptive")
    with pytest.raises(ValueError, match=r"max_evals=8: give a whole number .* at least 9"):
        ig.explain(X, B, max_evals=8)
    with pytest.raises(ValueError, match="rtol=-1: give the error to reach"):
        ig.explain(X, B, rtol=-1)


def test_without_values_it_says_what_to_do():
    ig = IntegratedGradients(smooth)
    for run in (
        lambda: jax.jit(lambda x: ig.attribute(x, B, method="adaptive"))(X),
        lambda: NoiseTunnel(ig).attribute(X, B, method="adaptive"),
    ):
        with pytest.raises(ValueError, match=r"looks at values .* take a fixed number of points, n_steps=50"):
            run()


# the record


def test_record_of_a_batch():
    record = IntegratedGradients(kinked).explain(X, B)
    assert record.error.shape == (3,)
    assert record.error_map.shape == X.shape
    assert bool((record.gap <= record.error * (1 + 1e-9)).all())  # the gap is a part of the error
    assert "a lower bound on the error" in repr(record)
    assert "converged" in repr(record)
    assert "estimated, of the total absolute attribution" in repr(record)


def test_an_example_does_not_depend_on_the_rest_of_the_batch():
    """One that converges early waits for the others, and stays as it is."""
    step = np.concatenate([X[:1], np.ones((1, FEATURES))])
    base = np.concatenate([B[:1], np.zeros((1, FEATURES))])

    def both(x):
        return smooth(x) + logistic(x)

    ig = IntegratedGradients(both)
    alone = [ig.explain(step[i : i + 1], base[i : i + 1]) for i in (0, 1)]
    together = ig.explain(step, base)
    for i, one in enumerate(alone):
        np.testing.assert_allclose(together.attributions[i], one.attributions[0], rtol=1e-10)
    counts = [r.evaluations["gradient"] for r in alone]
    assert together.evaluations["gradient"] == 2 * max(counts)  # what was computed, waiting included
    assert min(counts) < max(counts)


def test_named_inputs_tuples_and_layers():
    def named(x):
        return nt.tensor(smooth(x.to_array("batch feature")), "batch")

    expected = IntegratedGradients(smooth).explain(X, B).attributions
    x, b = nt.tensor(X.T, "feature batch"), nt.tensor(B, "batch feature")
    found = IntegratedGradients(named).explain(x, b)
    np.testing.assert_allclose(found.attributions.to_array("batch feature"), expected, rtol=1e-10)
    assert dict(found.error_map.shape) == {"batch": 3, "feature": FEATURES}

    def of_two(x, y):
        return smooth(jnp.concatenate([x, y], 1))

    halves = IntegratedGradients(of_two).explain((X[:, :5], X[:, 5:]), (B[:, :5], B[:, 5:]))
    np.testing.assert_allclose(jnp.concatenate(halves.attributions, 1), expected, rtol=1e-10)

    def tapped(x):
        return smooth(nt.tap(2 * x, "doubled") / 2)

    at_layer = IntegratedGradients(tapped, layer="doubled").explain(X, B)
    np.testing.assert_allclose(at_layer.attributions, expected, rtol=1e-10)


def test_save_and_load(tmp_path):
    record = IntegratedGradients(smooth).explain(X, B)
    record.save(tmp_path / "r.npz")
    loaded = Attribution.load(tmp_path / "r.npz")
    np.testing.assert_array_equal(loaded.error_map, record.error_map)
    assert (loaded.status, loaded.arguments) == (record.status, record.arguments)


# streaming, stopping, going on


def test_every_state_of_a_stream_is_a_result():
    records = list(IntegratedGradients(kinked).stream(X, B))
    exact = reference(kinked, X, B)
    assert [r.status for r in records] == ["partial"] * (len(records) - 1) + ["converged"]
    counts = [r.evaluations["gradient"] for r in records]
    assert counts[0] == 9 * len(X)
    assert counts == sorted(set(counts))
    for record in records:
        assert (true_error(record.attributions, exact) <= 2 * record.error).mean() >= 0.6
    assert float(records[-1].error.max()) < float(records[0].error.max())


def test_progress_and_cancel():
    seen = []
    IntegratedGradients(kinked).explain(X, B, show_progress=seen.append)
    assert seen == sorted(set(seen))
    assert 0 < seen[0] < 1 == seen[-1]
    cancel = threading.Event()
    cancel.set()
    with pytest.warns(IncompleteWarning, match="stopped before its end"):
        record = IntegratedGradients(kinked).explain(X, B, cancel=cancel)
    assert (record.status, record.evaluations["gradient"]) == ("stopped", 9 * len(X))


def test_a_path_goes_on_to_a_smaller_tolerance_without_waste():
    ig = IntegratedGradients(kinked)
    path = ig.path(X, B)
    coarse, fine = path.explain(rtol=0.03), path.explain(rtol=0.003)
    fresh = ig.explain(X, B, rtol=0.003)
    assert coarse.evaluations["gradient"] < fine.evaluations["gradient"] <= fresh.evaluations["gradient"] + 24
    assert float(fine.error.max()) <= 0.003
    np.testing.assert_allclose(fine.attributions, fresh.attributions, rtol=0.02, atol=1e-3)
    again = path.explain(rtol=0.01)  # what is there is enough
    assert again.evaluations == fine.evaluations
    assert fine.method == "IntegratedGradients"
    assert "_points" not in fine.arguments
    assert len(list(path.stream(rtol=0.002))) > 1


def test_a_budget_that_runs_out_is_said():
    ig = IntegratedGradients(smooth)
    text = r"[123] of 3 examples did not reach rtol=1e-06 in 20 gradient evaluations: .* up to \d.*max_evals"
    with pytest.warns(IncompleteWarning, match=text):
        record = ig.explain(X, B, rtol=1e-6, max_evals=20)
    assert (record.status, record.evaluations["gradient"]) == ("budget", 60)
    with pytest.warns(IncompleteWarning, match=text):
        ig.attribute(X, B, method="adaptive", rtol=1e-6, max_evals=20)


def test_memory_bounds_what_is_kept(monkeypatch):
    monkeypatch.setattr(_adaptive, "_MEMORY", 30 * X.nbytes)
    with pytest.warns(IncompleteWarning, match="in 30 gradient evaluations, where the gradients kept fill"):
        record = IntegratedGradients(smooth).explain(X, B, rtol=1e-6)
    assert record.evaluations["gradient"] == 30 * len(X)


def test_a_jump_of_the_score_is_never_resolved():
    """No gradient explains it: the estimate says so, and the cells do not get smaller than numbers are."""

    def jump(x):
        return jnp.where(x.mean(1) > 0.3183, 1.0, 0.0) + 0.1 * x.sum(1)

    with pytest.warns(IncompleteWarning, match="1 of 1 examples did not reach"):
        record = IntegratedGradients(jump).explain(
            np.ones((1, 4), "float32"), np.zeros((1, 4), "float32"), max_evals=400
        )
    assert float(record.error[0]) > 1
    assert record.evaluations["gradient"] < 400


def test_a_gradient_that_is_not_a_number_is_an_error():
    def root(x):
        return jnp.sqrt(abs(x)).sum(1)

    with pytest.raises(ValueError, match="gradient is not"):
        IntegratedGradients(root).explain(np.ones((1, 4)), np.zeros((1, 4)))


def test_a_second_call_compiles_nothing(compilations):
    ig = IntegratedGradients(kinked)
    ig.explain(X, B)
    assert compilations.since(lambda: ig.explain(X + 1, B - 1)) == 0
    assert compilations.since(lambda: ig.explain(X, 0 * B, rtol=0.001)) == 0


def test_evaluations_are_bounded_by_internal_batch_size():
    whole = IntegratedGradients(kinked).explain(X, B)
    rows = IntegratedGradients(kinked).explain(X, B, internal_batch_size=3)
    np.testing.assert_allclose(rows.attributions, whole.attributions, rtol=1e-10)
    assert rows.evaluations == whole.evaluations


# the tree by hand


def test_the_tree_by_hand():
    """g(a) = a on nine nodes: cells of 1/8, D = (1/8)^2 / sqrt(12), no second difference, so worth 0.3."""
    places = np.linspace(0, 1, 9)
    tree = Tree(places**2 / 2, places[:, None])
    summary = tree.summary()
    np.testing.assert_allclose(summary.integral, [0.5])
    np.testing.assert_allclose(summary.errors, [1.4 * np.sqrt(8 * (0.3 / 64) ** 2 / 12)])
    np.testing.assert_allclose(summary.error, np.sqrt(2 / np.pi) * summary.errors.sum())
    kink = Tree(np.maximum(places - 0.5, 0), np.where(places > 0.5, 1.0, 0.0)[:, None])
    # the change sits in the cell from 1/2 to 5/8; the splits 1, 1/2 and 1/4 wide changed h/4 of h/sqrt(12)
    np.testing.assert_allclose(kink.summary().errors, [1.4 * np.sqrt(12) / 4 / 8 / np.sqrt(12)])
    assert [(c.left.at, c.right.at) for c in kink.worst(1, 0)] == [(0.5, 0.625)]
