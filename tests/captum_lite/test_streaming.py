"""Long methods: partial results, counts, progress, stopping, and memory that does not grow with the steps."""

import threading
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from captum_lite import (
    IncompleteWarning,
    IntegratedGradients,
    NoiseTunnel,
    Saliency,
    SmoothGrad,
    VarGrad,
)
from captum_lite._quadrature import RULES

RNG = np.random.default_rng(11)
BATCH, FEATURES, WIDE = 3, 4, 1000
X, B = RNG.normal(size=(2, BATCH, FEATURES))
W = RNG.normal(size=(FEATURES, WIDE))
STEPS = {"n_steps": 7, "internal_batch_size": 2 * BATCH}  # 4 chunks of 2 points, the last one half full


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def linear(x):
    return x @ W[:, 0]


def smooth(x):
    return jnp.tanh(x @ W).sum(1)


def test_a_stream_gets_better_until_it_is_finished():
    records = list(IntegratedGradients(smooth).stream(X, B, **STEPS))
    assert [r.status for r in records] == ["partial"] * 3 + ["finished"]
    assert [r.evaluations["gradient"] for r in records] == [2 * BATCH, 4 * BATCH, 6 * BATCH, 7 * BATCH]
    whole = IntegratedGradients(smooth).attribute(X, B, n_steps=7)
    np.testing.assert_allclose(records[-1].attributions, whole, rtol=1e-12)
    assert float(abs(records[0].attributions - whole).max()) > 1e-3
    assert bool((records[0].gap > records[-1].gap).all())


@pytest.mark.parametrize("method", RULES)
def test_each_partial_result_is_exact_for_a_linear_function(method):
    """Up to the factor by which Captum's trapezoid is short."""
    factor = 6 / 7 if method == "riemann_trapezoid_captum" else 1
    records = list(IntegratedGradients(linear).stream(X, B, method=method, **STEPS))
    assert len(records) == 4
    for record in records:
        np.testing.assert_allclose(record.attributions, factor * (X - B) * W[:, 0], rtol=1e-12)


def test_a_partial_mean_over_noise_is_the_mean_of_its_samples():
    noise = RNG.normal(size=(40, BATCH, FEATURES))
    tunnel = NoiseTunnel(Saliency(lambda x: (x**2).sum(1) / 2))
    records = list(tunnel.stream(X, abs=False, nt_samples=40, noise=noise))
    assert len(records) > 1
    for record in records:
        n = record.evaluations["gradient"] // BATCH
        np.testing.assert_allclose(record.attributions, X + noise[:n].mean(0), rtol=1e-10)
        np.testing.assert_allclose(record.error_map, noise[:n].std(0, ddof=1) / np.sqrt(n), rtol=1e-10)


# a method, its arguments, and how many gradients of one example it takes
COSTS = {
    "Saliency": (Saliency, {}, 1),
    "IG, less than a chunk": (IntegratedGradients, {"n_steps": 5}, 5),
    "IG, many chunks": (IntegratedGradients, {"n_steps": 83}, 83),
    "IG, one point at a time": (IntegratedGradients, {"n_steps": 3, "internal_batch_size": 1}, 3),
    "SmoothGrad": (SmoothGrad, {"nt_samples": 37}, 37),
    "VarGrad": (VarGrad, {"nt_samples": 2}, 2),
    "tunnel": (lambda f: NoiseTunnel(Saliency(f)), {"nt_samples": 37}, 37),
    "tunnel over IG": (
        lambda f: NoiseTunnel(IntegratedGradients(f)),
        {"nt_samples": 19, "n_steps": 18},
        19 * 18,
    ),
}


@pytest.mark.parametrize(("make", "given", "cost"), COSTS.values(), ids=COSTS)
def test_evaluations_are_counted_without_padding(make, given, cost):
    method = make(linear)
    record = method.explain(X, **given)
    ends = 2 if method.compares() else 1
    assert record.evaluations == {"forward": ends * BATCH, "gradient": cost * BATCH}


def test_the_size_of_a_chunk_changes_no_result():
    ig = IntegratedGradients(smooth)
    whole, rows = (ig.attribute(X, B, n_steps=9, internal_batch_size=n) for n in (100, 1))
    np.testing.assert_allclose(whole, rows, rtol=1e-12)
    tunnel = NoiseTunnel(ig)
    given = {"n_steps": 9, "nt_samples": 4, "key": jax.random.key(1)}
    whole, rows = (tunnel.attribute(X, B, internal_batch_size=n, **given) for n in (100, 1))
    np.testing.assert_allclose(whole, rows, rtol=1e-12)


# progress and stopping


@pytest.mark.parametrize(("make", "given", "cost"), COSTS.values(), ids=COSTS)
def test_progress_rises_to_one(make, given, cost):
    seen: list[float] = []
    make(linear).attribute(X, show_progress=seen.append, **given)
    assert seen == sorted(set(seen))
    assert seen[0] > 0
    assert seen[-1] == 1.0


def test_the_bar_names_the_method_and_ends_at_100_percent(capsys):
    IntegratedGradients(linear).attribute(X, B, show_progress=True, **STEPS)
    shown = capsys.readouterr().err
    assert "IntegratedGradients" in shown
    assert "100%" in shown.rpartition("\r")[2]
    assert shown.endswith("\n")  # the bar is closed


def second_partial() -> Any:
    """What the second record of four holds."""
    stream: Iterator[Any] = IntegratedGradients(smooth).stream(X, B, **STEPS)
    next(stream)
    return next(stream).attributions


def cancel_after_two(given: dict[str, Any]) -> None:
    given["cancel"] = threading.Event()
    calls: list[float] = []
    given["show_progress"] = lambda done: calls.append(done) or (len(calls) == 2 and given["cancel"].set())


def interrupt_after_two(given: dict[str, Any]) -> None:
    calls: list[float] = []

    def progress(done: float) -> None:
        calls.append(done)
        if len(calls) == 2:
            raise KeyboardInterrupt

    given["show_progress"] = progress


@pytest.mark.parametrize("stop", [cancel_after_two, interrupt_after_two])
def test_stopping_keeps_what_there_is_and_warns(stop):
    ig = IntegratedGradients(smooth)
    stop(given := dict(STEPS))
    with pytest.warns(IncompleteWarning, match="partial result"):
        record = ig.explain(X, B, **given)
    assert (record.status, record.evaluations["gradient"]) == ("stopped", 4 * BATCH)
    np.testing.assert_array_equal(record.attributions, second_partial())
    stop(given := dict(STEPS))
    with pytest.warns(IncompleteWarning, match="stopped after 57%: the attributions are a partial result"):
        attributions = ig.attribute(X, B, **given)
    np.testing.assert_array_equal(attributions, record.attributions)
    stop(given := dict(STEPS))
    assert [r.status for r in ig.stream(X, B, **given)] == ["partial", "stopped"]


def test_cancelled_before_the_start_still_gives_a_first_estimate():
    cancel = threading.Event()
    cancel.set()
    records = list(IntegratedGradients(smooth).stream(X, B, cancel=cancel, **STEPS))
    assert [(r.status, r.evaluations["gradient"]) for r in records] == [("stopped", 2 * BATCH)]


@pytest.mark.parametrize("stop", [cancel_after_two, interrupt_after_two])
def test_stopping_after_the_last_step_is_finishing(stop):
    """Two chunks: whoever stops after the second has the whole result, and needs no warning."""
    stop(given := {"n_steps": 4, "internal_batch_size": 2 * BATCH})
    record = IntegratedGradients(linear).explain(X, B, **given)
    assert record.status == "finished"


# memory and compilation


def test_more_steps_run_the_same_program(compilations):
    ig = IntegratedGradients(lambda x: smooth(x))
    tunnel = NoiseTunnel(Saliency(ig.fun))
    ig.explain(X, B, n_steps=20)
    assert compilations.since(lambda: ig.explain(X, B, n_steps=200)) == 0
    tunnel.explain(X, nt_samples=20)
    assert compilations.since(lambda: tunnel.explain(X, nt_samples=200)) == 0


def largest(jaxpr: Any) -> int:
    """The most numbers that a value of a program holds, its inner programs included."""
    jaxpr = getattr(jaxpr, "jaxpr", jaxpr)
    inside = [
        largest(p)
        for eqn in jaxpr.eqns
        for p in jax.tree.leaves(list(eqn.params.values()), is_leaf=lambda v: hasattr(v, "jaxpr"))
        if hasattr(p, "jaxpr") or hasattr(p, "eqns")
    ]
    return max([0, *inside, *(v.aval.size for eqn in jaxpr.eqns for v in eqn.outvars)])


BOUNDED = {
    "IntegratedGradients": IntegratedGradients,
    "SmoothGrad": SmoothGrad,
    "NoiseTunnel": lambda f: NoiseTunnel(Saliency(f)),
    "NoiseTunnel over IG": lambda f: NoiseTunnel(IntegratedGradients(f)),
}


@pytest.mark.parametrize("make", BOUNDED.values(), ids=BOUNDED)
def test_internal_batch_size_bounds_what_is_in_memory(make):
    """So many rows go through the model at once; its widest layer has WIDE numbers for each."""
    rows = 2 * BATCH
    program = jax.make_jaxpr(lambda x: make(smooth).attribute(x, internal_batch_size=rows))(X)
    assert BATCH * WIDE <= largest(program) <= rows * WIDE
