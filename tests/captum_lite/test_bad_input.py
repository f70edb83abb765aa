"""What is refused, and what the message says: one row for each mistake."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import captum_lite
import namedtensor as nt
from captum_lite import (
    IncompleteWarning,
    InputXGradient,
    IntegratedGradients,
    NoiseTunnel,
    Saliency,
    SmoothGrad,
)

RNG = np.random.default_rng(5)
X = RNG.uniform(0.5, 2, size=(4, 3)).astype("float32")
B = RNG.uniform(0.5, 2, size=(4, 3)).astype("float32")
W = RNG.normal(size=(3, 6)).astype("float32")
INDICES = np.arange(12).reshape(4, 3)
NX, NB = nt.tensor(X, "batch feature"), nt.tensor(B, "batch feature")


def f(x):
    """Six classes, with a tap."""
    return nt.tap(jnp.tanh(x @ W), "hidden")


def two_axes(x):
    return f(x).reshape(4, 2, 3)


def named(x):
    return x.dot("feature", nt.tensor(W, "feature class"))


def two_names(x):
    return nt.tensor(two_axes(x.to_array("batch feature")), "batch row column")


def one(x):
    """One number for each example."""
    return x.sum(1)


def embedded(x):
    """A model of tokens, whose embedding is tapped."""
    return nt.tap(jnp.take(W, x % 3, axis=0), "embedding").sum(1)


def turned(x):
    """Its tap has the batch behind."""
    return nt.tap(f(x).T, "turned").T


def doubled(x):
    """Its tap has two rows for each example."""
    return nt.tap(jnp.concatenate([f(x), f(x)]), "doubled")[:4]


def repeated(x):
    """Its tap is passed in each of two iterations."""
    return jax.lax.scan(lambda h, _: (nt.tap(jnp.tanh(h), "step"), None), x, None, length=2)[0]


def spoiled(value: float, x: np.ndarray = X) -> np.ndarray:
    out = x.copy()
    out[2, 1] = value
    return out


def ig(*args: Any, **given: Any) -> Callable[[], Any]:
    """A call of integrated gradients on ``f`` that is still to be made."""
    return lambda: IntegratedGradients(f).attribute(*args, **{"target": 1, **given})


def saliency(fun: Any, *args: Any, **given: Any) -> Callable[[], Any]:
    return lambda: Saliency(fun).attribute(*args, **given)


def tunnel(**given: Any) -> Callable[[], Any]:
    return lambda: NoiseTunnel(Saliency(f)).attribute(X, target=1, **given)


class Row(NamedTuple):
    """A call, the type of the exception, and what its message holds."""

    call: Callable[[], Any]
    error: type[Exception]
    parts: tuple[str, ...]


TARGETS = {
    "too large": Row(
        saliency(f, X, target=6),
        IndexError,
        ("target 6 is out of range", "f32[4, 6]", "has 6 there, 0 to 5"),
    ),
    "too negative": Row(saliency(f, X, target=-7), IndexError, ("target -7 is out of range", "0 to 5")),
    "one of several too large": Row(
        saliency(f, X, target=[0, 1, 9, 2]), IndexError, ("target 9 is out of range",)
    ),
    "one axis of two too large": Row(
        saliency(two_axes, X, target=(2, 0)), IndexError, ("target 2 is out of range", "has 2 there, 0 to 1")
    ),
    "by name too large": Row(
        saliency(named, NX, target={"class": 6}),
        IndexError,
        ("target 6 is out of range", "batch:4 class:6", "0 to 5"),
    ),
    "missing": Row(
        saliency(f, X),
        ValueError,
        ("target=None does not fit the output f32[4, 6]", "choose one number for each example", "target=3"),
    ),
    "a fraction": Row(
        saliency(f, X, target=1.0), ValueError, ("target=1.0: give an integer, or 4 integers",)
    ),
    "a flag": Row(saliency(f, X, target=True), ValueError, ("target=True: give an integer",)),
    "a string": Row(saliency(f, X, target="dog"), ValueError, ("target='dog': give an integer",)),
    "too few": Row(saliency(f, X, target=[0, 1, 2]), ValueError, ("4 integers, one for each example",)),
    "too few positions": Row(
        saliency(f, X, target=[(0,), (1,)]),
        ValueError,
        ("target lists 2 positions for a batch of 4", "one for each example"),
    ),
    "one position for two axes": Row(
        saliency(two_axes, X, target=1),
        ValueError,
        ("target=1 does not fit the output f32[4, 2, 3]", "2 positions in a tuple"),
    ),
    "two positions for one axis": Row(
        saliency(f, X, target=(1, 2)), ValueError, ("target=(1, 2) does not fit", "1 position")
    ),
    "a position where there is none": Row(
        saliency(one, X, target=1), ValueError, ("target=1 does not fit", "leave target=None")
    ),
    "a dim that is nearly there": Row(
        saliency(named, NX, target={"clas": 3}),
        ValueError,
        ("target={'clas': 3}", "clas", "Did you mean 'class'?"),
    ),
    "the batch as a dim": Row(
        saliency(named, NX, target={"batch": 1}), ValueError, ("target={'batch': 1}", "class")
    ),
    "one dim of two": Row(
        saliency(two_names, NX, target={"row": 1}), ValueError, ("target={'row': 1} does not fit", "column")
    ),
    "a dict for an unnamed output": Row(
        saliency(f, X, target={"class": 3}),
        ValueError,
        ("target={'class': 3} goes by name", "f32[4, 6] has no names", "give positions"),
    ),
    "a function that does not choose": Row(
        saliency(f, X, target=lambda out: out),
        ValueError,
        ("the target function returned f32[4, 6]", "one number for each of 4 examples"),
    ),
}

BASELINES = {
    "wrong shape": Row(
        ig(X, B[:, :2]), ValueError, ("baseline 0 is f32[4, 2]", "its input is f32[4, 3]", "one example [3]")
    ),
    "wrong number": Row(ig(X, (B, B)), ValueError, ("2 baselines for 1 inputs", "one for each")),
    "one for two inputs": Row(ig((X, X), B), ValueError, ("1 baselines for 2 inputs",)),
    "named for unnamed": Row(
        ig(X, NB), ValueError, ("baseline 0 is f32[batch:4 feature:3]", "its input has no names", "to_array")
    ),
    "unnamed for named": Row(
        lambda: IntegratedGradients(named).attribute(NX, B, target=1),
        ValueError,
        ("baseline 0", "no names", "nt.tensor"),
    ),
    "other dims": Row(
        lambda: IntegratedGradients(named).attribute(NX, nt.tensor(B, "batch pixel"), target=1),
        ValueError,
        ("baseline 0 is f32[batch:4 pixel:3]", "the same dims"),
    ),
    "NaN": Row(
        ig(X, spoiled(np.nan)), ValueError, ("baseline 0 holds 1 values", "NaN or infinite", "index (2, 1)")
    ),
    "for a method without": Row(
        saliency(f, X, B, target=1), ValueError, ("Saliency compares with no baseline", "leave baselines out")
    ),
    "for a tunnel over a method without": Row(
        tunnel(baselines=B), ValueError, ("compares with no baseline", "leave baselines out")
    ),
}

INPUTS = {
    "integers": Row(
        saliency(f, INDICES, target=1),
        TypeError,
        ("input 0 is i32[4, 3]", "floating-point", "astype", "layer="),
    ),
    "bools": Row(saliency(f, X > 1, target=1), TypeError, ("input 0 is bool[4, 3]", "floating-point")),
    "integers, compared": Row(ig(INDICES, 0), TypeError, ("input 0 is i32[4, 3]", "floating-point")),
    "integers under noise": Row(
        lambda: SmoothGrad(f).attribute(INDICES, target=1),
        TypeError,
        ("input 0 is i32[4, 3]", "floating-point"),
    ),
    "integers under noise, at a layer": Row(
        lambda: SmoothGrad(embedded, layer="embedding").attribute(INDICES, target=1),
        TypeError,
        ("input 0 is i32[4, 3]", "noise"),
    ),
    "complex": Row(saliency(f, X + 1j, target=1), TypeError, ("c64[4, ", "floating-point")),
    "NaN": Row(
        saliency(f, spoiled(np.nan), target=1),
        ValueError,
        ("input 0 holds 1 values that are NaN or infinite", "the first at index (2, 1)"),
    ),
    "infinity": Row(saliency(f, spoiled(-np.inf), target=1), ValueError, ("input 0", "index (2, 1)")),
    "named without a batch": Row(
        saliency(named, nt.tensor(X[0], "feature"), target=1),
        ValueError,
        ("input 0 is f32[feature:3]", "without the dim 'batch'", "nt.stack"),
    ),
    "a scalar": Row(saliency(f, 1.0), ValueError, ("input 0 is a scalar", "the first axis is the batch")),
    "batches of different sizes": Row(
        saliency(lambda x, y: f(x), (X, X[:3]), target=1), ValueError, ("batches of [4, 3]", "one size")
    ),
    "an empty tuple": Row(saliency(f, (), target=1), ValueError, ("inputs is empty", "array [batch, ...]")),
}

FUNCTIONS = {
    "not callable": Row(saliency(3, X), TypeError, ("the function to explain is int", "cannot be called")),
    "scalar output": Row(
        saliency(lambda x: x.sum(), X),
        ValueError,
        ("the function returned f32[]", "a batch of 4", "the batch as its first axis", "jax.vmap(function)"),
    ),
    "an output of another size": Row(
        saliency(lambda x: f(x)[:3], X, target=1),
        ValueError,
        ("the function returned f32[3, 6] for a batch of 4",),
    ),
    "a named output without a batch": Row(
        saliency(lambda x: x.sum("batch"), NX, target=1),
        ValueError,
        ("the function returned f32[feature:3]", "the dim batch"),
    ),
    "a tuple": Row(
        saliency(lambda x: (f(x), x), X, target=1),
        ValueError,
        ("the function returned tuple", "target must be a function"),
    ),
    "NaN": Row(
        saliency(lambda x: jnp.sqrt(x - 1).sum(1), np.array([[2.0, 3.0], [0.5, 2.0]])),
        ValueError,
        ("the model's output at the inputs is NaN or infinite for example 1", "jax.debug_nans"),
    ),
    "NaN at the baselines": Row(
        lambda: IntegratedGradients(lambda x: jnp.log(x).sum(1)).attribute(X, 0.0, method="riemann_left"),
        ValueError,
        ("the model's output at the baselines is NaN or infinite for example 0, 1, 2, 3",),
    ),
    "NaN that no gradient shows": Row(
        saliency(lambda x: x.sum(1) + jnp.log(jnp.float32(-1)), X),
        ValueError,
        ("the model's output at the inputs is NaN",),
    ),
    "finite, with a gradient that is not": Row(
        saliency(lambda x: jnp.sqrt(x).sum(1), spoiled(0.0)),
        ValueError,
        ("index (2, 1)", "output is finite and its gradient is not", "sqrt or log at 0"),
    ),
    "an output of integers": Row(
        saliency(lambda x: f(x).argmax(1), X), TypeError, ("the function returned i32[4]", "floating-point")
    ),
    "the method is given the function": Row(
        lambda: NoiseTunnel(f), TypeError, ("NoiseTunnel wraps a method", "NoiseTunnel(Saliency(f))")
    ),
}

OPTIONS = {
    "unknown, nearly there": Row(
        ig(X, nsteps=5),
        TypeError,
        ("IntegratedGradients has no option 'nsteps'", "internal_batch_size", "Did you mean 'n_steps'?"),
    ),
    "of another method": Row(
        saliency(f, X, target=1, n_steps=3),
        TypeError,
        ("Saliency has no option 'n_steps'", "there are: abs."),
    ),
    "for a method without any": Row(
        lambda: InputXGradient(f).attribute(X, target=1, abs=True),
        TypeError,
        ("no option 'abs'; there are: none.",),
    ),
    "unknown for a tunnel": Row(
        tunnel(nt_sample=3),
        TypeError,
        ("NoiseTunnel has no option 'nt_sample'", "Did you mean 'nt_samples'?"),
    ),
    "unknown quadrature": Row(
        ig(X, method="simpson"), ValueError, ("method='simpson' is not a quadrature", "'gausslegendre'")
    ),
    "no step": Row(ig(X, n_steps=0), ValueError, ("n_steps=0", "at least 1")),
    "half a step": Row(ig(X, n_steps=2.5), ValueError, ("n_steps=2.5", "whole number")),
    "no row at once": Row(
        ig(X, internal_batch_size=0), ValueError, ("internal_batch_size=0", "at least 1 row")
    ),
    "no sample": Row(tunnel(nt_samples=0), ValueError, ("nt_samples=0", "at least one")),
    "no sample in older words": Row(tunnel(n_samples=0), ValueError, ("samples=0", "at least one")),
    "unknown statistic": Row(
        tunnel(nt_type="median"), ValueError, ("nt_type='median' is not known", "'smoothgrad_sq'")
    ),
    "two widths of noise": Row(
        tunnel(stdevs=1.0, noise_level=0.1), ValueError, ("stdevs and noise_level", "choose one")
    ),
    "widths for other inputs": Row(tunnel(stdevs=(1.0, 2.0)), ValueError, ("2 stdevs for 1 inputs",)),
    "noise of another shape": Row(
        tunnel(noise=np.zeros((2, 4, 3)), nt_samples=3),
        ValueError,
        ("noise is f64[2, 4, 3]", "give [3, 4, 3]"),
    ),
    "noise for other inputs": Row(
        tunnel(noise=(np.zeros((5, 4, 3)),) * 2), ValueError, ("2", "noise", "1 inputs")
    ),
    "a delta of a method that has none": Row(
        saliency(f, X, target=1, return_convergence_delta=True),
        ValueError,
        ("Saliency is not complete", "leave return_convergence_delta out"),
    ),
    "unknown layer, nearly there": Row(
        lambda: Saliency(f, layer="hiden").attribute(X, target=1),
        ValueError,
        ("no tap 'hiden'", "'hidden'", "Did you mean 'hidden'?"),
    ),
    "a layer of a function without taps": Row(
        lambda: Saliency(one, layer="hidden").attribute(X), ValueError, ("the function has no taps", "nt.tap")
    ),
    "a layer without the batch in front": Row(
        lambda: Saliency(turned, layer="turned").attribute(X, target=1),
        ValueError,
        ("'turned'", "f32[6, 4]", "batch of 4"),
    ),
    "a layer of other rows than examples": Row(
        lambda: Saliency(doubled, layer="doubled").attribute(X, target=1),
        ValueError,
        ("'doubled'", "f32[8, 6]", "batch of 4"),
    ),
    "a layer inside a scan": Row(
        lambda: Saliency(repeated, layer="step").attribute(X, target=1),
        ValueError,
        ("'step'", "f32[2, 4, 3]", "inside a loop", "Explain a place before or after"),
    ),
    "a layer passed twice": Row(
        lambda: Saliency(lambda x: nt.tap(f(x) * 2, "hidden"), layer="hidden").attribute(X, target=1),
        ValueError,
        ("'hidden' is passed 2 times", "'hidden#1', 'hidden#2'"),
    ),
    "unknown method, nearly there": Row(
        lambda: captum_lite.methods.find("integrated gradient"),
        ValueError,
        ("no method 'integrated gradient'", "saliency", "Did you mean 'integrated gradients'?"),
    ),
}


def rows(table: dict[str, Row]) -> Any:
    return pytest.mark.parametrize("row", table.values(), ids=table)


def check(row: Row) -> None:
    with pytest.raises(row.error) as caught:
        row.call()
    message = str(caught.value)
    assert [part for part in row.parts if part not in message] == [], message


@rows(TARGETS)
def test_target(row):
    check(row)


@rows(BASELINES)
def test_baselines(row):
    check(row)


@rows(INPUTS)
def test_inputs(row):
    check(row)


@rows(FUNCTIONS)
def test_function(row):
    check(row)


@rows(OPTIONS)
def test_options(row):
    check(row)


def test_an_unnamed_baseline_is_never_lined_up_by_position():
    """The input is stored feature first, and as many features as examples hide the mistake."""
    x, b = X[:3], B[:3]
    stored = nt.tensor(x.T, "feature batch")
    with pytest.raises(ValueError, match="names"):
        IntegratedGradients(named).attribute(stored, b.T, target=1)


@pytest.mark.parametrize("name", ["Integrated Gradients", "integrated_gradients", "IntegratedGradients"])
def test_methods_are_found_however_they_are_spelled(name):
    assert captum_lite.methods.find(name) is IntegratedGradients


def test_an_empty_batch_is_explained_by_nothing():
    for given in ({}, {"internal_batch_size": 8}):
        assert IntegratedGradients(f).attribute(X[:0], target=1, **given).shape == (0, 3)


def sharp(x):
    """A step of width 1/200 at a third of the path from 0 to 3."""
    return jax.nn.sigmoid(200 * (x - 1)).sum(1)


def test_a_large_gap_warns():
    x = np.full((2, 1), 3.0, "float32")
    with pytest.warns(IncompleteWarning, match=r"miss the difference of the outputs by .*n_steps="):
        record = IntegratedGradients(sharp).explain(x, n_steps=3)
    assert float(record.gap.min()) > 0.01
    fine = IntegratedGradients(sharp).explain(x, n_steps=2000, method="riemann_middle")
    assert float(fine.gap.max()) < 0.01  # and without a warning, which would be an error here


def test_the_warning_can_be_read_where_all_gradients_vanish():
    """Two points see nothing of the step: the attributions are 0 and all of the difference is missed."""
    with pytest.warns(IncompleteWarning, match=r"by \d{1,4}(\.\d)?% of"):
        IntegratedGradients(sharp).explain(np.full((2, 1), 3.0, "float32"), n_steps=2)


def test_rounding_is_no_reason_to_warn():
    """Where the model is saturated the attributions are of the size of the rounding of its outputs."""
    x = jax.random.normal(jax.random.key(0), (5, 4))
    tanh = lambda z: 2 * jax.nn.sigmoid(2 * z) - 1  # noqa: E731  (how XLA rounds its own depends on its version)
    record = IntegratedGradients(lambda x: tanh(x @ jnp.arange(12.0).reshape(4, 3))).explain(x, 0.3, target=2)
    assert float(record.gap.max()) > 0.01  # a large part of almost nothing
