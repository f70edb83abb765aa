"""Modules of haiku as places, and frameworks whose release is not supported."""

import functools
import sys

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import namedtensor as nt
from namedtensor.interpreter import UnknownTapError, frameworks
from namedtensor.interpreter.modules import as_scopes

EPS = float(np.finfo(np.float32).eps)
X = jnp.asarray(np.random.default_rng(3).normal(size=(5, 3)), jnp.float32)


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=16 * EPS, atol=16 * EPS)


class Block(hk.Module):
    def __call__(self, x):
        return jnp.tanh(hk.Linear(4)(x)) + x


class Twice(Block):
    """A class whose ``__call__`` calls that of its parent."""

    def __call__(self, x):
        return 2 * super().__call__(x)


class Net(hk.Module):
    def __init__(self):
        super().__init__()
        self.first = hk.Linear(4)
        self.shared = hk.Linear(4, name="shared")

    def __call__(self, x):
        x = self.shared(self.shared(self.first(x)))
        return self.head(hk.remat(Block(name="again"))(x)), {"norm": jnp.abs(x).sum(), "kind": None}

    def head(self, x):
        return Twice()(x)


MODEL = hk.without_apply_rng(hk.transform(lambda x: Net()(x)))
PARAMS = MODEL.init(jax.random.key(2), X)
PLACES = {
    "net/~/linear": (5, 4),
    "net/~/shared#1": (5, 4),
    "net/~/shared#2": (5, 4),
    "net/again/linear": (5, 4),
    "net/again": (5, 4),
    "net/~head/twice/linear": (5, 4),
    "net/~head/twice": (5, 4),
}
CALLS = {
    "partial": functools.partial(MODEL.apply, PARAMS),
    "closure": lambda x: MODEL.apply(PARAMS, x),
    "jitted before": functools.partial(jax.jit(MODEL.apply), PARAMS),
    "vmap": jax.vmap(functools.partial(MODEL.apply, PARAMS)),
}


def affine(module, x):
    return np.asarray(x) @ np.asarray(PARAMS[module]["w"]) + np.asarray(PARAMS[module]["b"])


@pytest.mark.parametrize("case", CALLS)
def test_modules_of_haiku_are_places_by_the_keys_of_their_parameters(case):
    f = CALLS[case]
    f(X)  # fills JAX's caches
    there = {name: value.shape for name, value in nt.list_taps(f, X).items()}
    assert {name: there[name] for name in PLACES} == PLACES
    assert {name.partition("#")[0] for name in PLACES} >= PARAMS.keys()
    (out, _), seen = nt.capture(f, ["net/~/linear", "net/~/shared#1", "net/again", "net/~head/twice"])(X)
    first = affine("net/~/linear", X)
    again = affine("net/~/shared", affine("net/~/shared", first))
    again = np.tanh(affine("net/again/linear", again)) + again
    close(seen["net/~/linear"], first)
    close(seen["net/~/shared#1"], affine("net/~/shared", first))
    close(seen["net/again"], again)
    close(seen["net/~head/twice"], out)
    close(out, 2 * (np.tanh(affine("net/~head/twice/linear", again)) + again))
    new = jnp.ones((5, 4))
    close(nt.replace(f, {"net/~head/twice": new})(X)[0], new)
    close(f(X)[0], out)


def test_modules_of_haiku_are_listed_once_though_each_is_a_scope_too():
    there = nt.list_taps(CALLS["partial"], X)
    own = [name for name in there if not name.startswith(("net[", "net/head", "net/shared"))]
    assert sorted(own) == sorted(PLACES)  # and what leaves the model, and a method's scope
    close(*(nt.capture(CALLS["partial"], name)(X)[1][name] for name in ("net/linear", "net/~/linear")))


def test_scopes_of_a_path_of_haiku():
    assert as_scopes("cnn/~/conv2_d") == {"cnn/conv2_d"}
    assert as_scopes("net/~encode/linear") == {"net/linear", "net/encode/linear"}


def test_the_outline_of_haiku_has_its_parameters():
    outline = nt.outline(CALLS["partial"], X, params=PARAMS)
    assert outline["net/~/linear"].kind == "module"
    assert outline["net/~/linear"].parameters == 3 * 4 + 4
    assert outline.root.parameters == sum(p.size for p in jax.tree.leaves(PARAMS))


def test_batch_norm_of_haiku_by_its_state():
    def forward(x, is_training):
        x = hk.BatchNorm(True, True, 0.9, name="norm")(hk.Linear(4)(x), is_training)
        return hk.Linear(2, name="head")(x)

    model = hk.without_apply_rng(hk.transform_with_state(forward))
    params, state = model.init(jax.random.key(0), X, True)
    _, state = model.apply(params, state, X, True)
    f = lambda x: model.apply(params, state, x, False)[0]  # noqa: E731
    seen = nt.capture(f, ["linear", "norm"])(X)[1]
    mean, var = (state[f"norm/~/{k}_ema"]["average"] for k in ("mean", "var"))
    close(seen["norm"], (seen["linear"] - mean) / jnp.sqrt(var + 1e-5))


# releases that are not supported ---------------------------------------------------------------------


class Linen(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(x)


class Nnx(nnx.Module):
    def __init__(self):
        self.conv = nnx.Linear(3, 2, rngs=nnx.Rngs(0))

    def __call__(self, x):
        return self.conv(x)


class Eqx(eqx.Module):
    conv: eqx.nn.Linear

    def __call__(self, x):
        return self.conv(x)


def linen():
    return functools.partial(Linen().apply, Linen().init(jax.random.key(0), X))


OLD = {  # package, too old, what is said, a model and a module of it
    "nnx": ("flax", "0.6.1", "flax 0.6.1 is older than 0.12.2", "pip install -U flax", Nnx, "conv"),
    "linen": ("flax", "0.11.2", "flax 0.11.2 is older than 0.12.2", "pip install -U flax", linen, "Dense_0"),
    "equinox": ("equinox", "0.13.0", "equinox 0.13.0 is older than 0.13.1", "pip install -U equinox", lambda: jax.vmap(Eqx(eqx.nn.Linear(3, 2, key=jax.random.key(0)))), "conv"),
    "haiku": ("haiku", "0.0.9", "haiku 0.0.9 is older than 0.0.16", "pip install -U dm-haiku", lambda: CALLS["partial"], "net/~/linear"),
}  # fmt: skip


@pytest.mark.parametrize("case", OLD)
def test_a_release_that_is_too_old_is_named_with_what_to_do(case, monkeypatch):
    package, version, said, remedy, make, place = OLD[case]
    f = make()
    monkeypatch.setattr(sys.modules[package], "__version__", version)
    with pytest.raises(UnknownTapError, match=rf"no tap '{place}'.*{said}, so its modules .*{remedy}"):
        nt.capture(f, place)(X)
    for listing in (nt.list_taps, nt.outline):
        with pytest.warns(UserWarning, match=f"{said}.*{remedy}") as caught:
            assert place not in {getattr(p, "layer", p) for p in listing(f, X)}
        assert [w.filename for w in caught] == [__file__]


@pytest.mark.parametrize("case", OLD)
def test_an_old_framework_is_in_nobodys_way(case, monkeypatch):
    package, version, *_ = OLD[case]
    monkeypatch.setattr(sys.modules[package], "__version__", version)
    assert nt.capture(lambda x: nt.tap(x + 1, "here"), "here")(1.0)[1] == {"here": 2.0}
    other = "equinox" if package != "equinox" else "nnx"
    assert nt.capture(OLD[other][4](), "conv")(X)[1]["conv"].shape == (5, 2)


@pytest.mark.parametrize("version", ["0.12.2", "0.12.10", "0.13", "1.0.0.dev20270101", "unknown", ""])
def test_newer_releases_are_taken(version, monkeypatch):
    monkeypatch.setattr(sys.modules["flax"], "__version__", version)
    assert frameworks.troubles() == []
    assert nt.capture(Nnx(), "conv")(X)[1]["conv"].shape == (5, 2)


def test_a_release_that_lost_a_function_is_named(monkeypatch):
    model = Nnx()
    monkeypatch.delattr(nnx, "iter_modules")
    monkeypatch.setattr(sys.modules["flax"], "__version__", "9.9")
    with pytest.raises(
        UnknownTapError, match=r"flax 9\.9 has no flax\.nnx\.iter_modules, so its modules .*nt\.tap"
    ):
        nt.capture(model, "conv")(X)
    assert nt.capture(linen(), "Dense_0")(X)[1]["Dense_0"].shape == (5, 2)
