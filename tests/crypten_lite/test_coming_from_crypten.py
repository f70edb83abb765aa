"""docs/coming_from_crypten.md: our line of each pair runs on shares and gives what JAX gives in the clear."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import crypten_lite as ct
import namedtensor as nt
from captum_lite import IntegratedGradients  # noqa: F401  (on the page)

PAGE = (Path(__file__).parents[2] / "docs/coming_from_crypten.md").read_text()
LINES = [
    line for code in re.findall(r"```python\n(.*?)```", PAGE, re.S) for line in code.strip().splitlines()
]
HERE = [line.removesuffix("  # here") for line in LINES if line.endswith("# here")]

DATA = np.random.default_rng(0)
PLAIN = {
    "x": DATA.normal(size=(3, 4)).astype(np.float32),
    "y": DATA.normal(size=(3, 4)).astype(np.float32),
    "w": DATA.normal(size=(4, 2)).astype(np.float32),
    "v": DATA.uniform(0.5, 3, (3, 4)).astype(np.float32),
    "image": DATA.normal(size=(1, 1, 5, 5)).astype(np.float32),
    "kernel": DATA.normal(size=(2, 1, 3, 3)).astype(np.float32),
    "n": nt.tensor(DATA.normal(size=(3, 4)).astype(np.float32), "batch embed"),
}
PUBLIC = {
    "a": DATA.normal(size=(3, 4)).astype(np.float32),
    "params": {"w": DATA.normal(size=(4, 2)).astype(np.float32), "b": np.zeros(2, np.float32)},
}


def model(params, x):
    return jnp.tanh(x @ params["w"]) + params["b"][None]


def loss(params, x):
    return (model(params, x) ** 2).mean()


def score(x):
    return (x**2).sum(1)


class InTheClear:
    """What the names of the page mean for plain arrays, which is what shares must reveal."""

    estimate = staticmethod(ct.estimate)

    @staticmethod
    def private(function):
        return function

    @staticmethod
    def cryptensor(x):
        return x

    @staticmethod
    def share(x, owner=0):
        return x


class Plain:
    """A plain array with the methods that JAX has as functions."""

    def __init__(self, array):
        self.array = jnp.asarray(array)

    def __getattr__(self, name):
        if hasattr(self.array, name):
            return getattr(self.array, name)
        module = next(m for m in (jnp, jax.nn, jax.scipy.special, jax.lax) if hasattr(m, name))
        return lambda *args: getattr(module, name)(self.array, *args)


def in_the_clear(line):
    """The line on plain arrays; methods that these lack are written out."""
    for kind in ("exp", "log", "sqrt", "reciprocal", "rsqrt", "tanh", "sigmoid", "relu", "erf", "sign"):
        line = re.sub(rf"\b([xyv])\.{kind}\(\)", rf"Plain(\1).{kind}()", line)
    line = re.sub(r"\bx\.(softmax|expand_dims)\(", r"Plain(x).\1(", line)
    line = re.sub(r"x\.where\((.*), y\)", r"jnp.where(\1, x, y)", line)
    line = re.sub(r"\.get_plain_text\(\)|\.reveal\(to=1\)", "", line)
    names = {**globals(), **PUBLIC, **{k: v if k == "n" else jnp.asarray(v) for k, v in PLAIN.items()}}
    return eval(line, {**names, "ct": InTheClear, "session": InTheClear})


@pytest.fixture(scope="module")
def names():
    with ct.simulate(parties=2) as session:
        yield {**globals(), **PUBLIC, **session.share(PLAIN), "session": session}


@pytest.mark.parametrize("line", HERE)
def test_our_line_runs(line, names):
    found = eval(line, dict(names))
    if isinstance(found, ct.Cost):
        assert found == ct.estimate(model, names["params"], names["a"])
        return
    leaves = jax.tree.leaves(found, is_leaf=lambda x: isinstance(x, ct.SharedTensor))
    revealed = [x.reveal() if isinstance(x, ct.SharedTensor) else x for x in leaves]
    expected = jax.tree.leaves(in_the_clear(line), is_leaf=lambda x: isinstance(x, nt.NamedTensor))
    assert len(revealed) == len(expected)
    for r, e in zip(revealed, expected, strict=True):
        assert getattr(r, "dims", None) == getattr(e, "dims", None)
        np.testing.assert_allclose(*(np.asarray(getattr(t, "array", t), float) for t in (r, e)), atol=2e-3)


def test_each_line_has_its_pair():
    assert len(LINES) == 2 * len(HERE)
    assert all("# CrypTen" in line for line in LINES[1::2])


def test_the_costs_of_the_page():
    """The bytes and rounds of a ReLU that the last table states, an element."""
    z = np.zeros(10_000, np.float32)
    cost, opened = ct.estimate(lambda z, y: jax.nn.relu(z * y), z, z), ct.estimate(lambda z, y: z * y, z, z)
    assert (
        f"| ReLU, each element | 232, 9 | {(cost.bytes_per_party - opened.bytes_per_party) / 1e4:.1f}, "
        in PAGE
    )
    assert f", {cost.rounds - opened.rounds} |" in PAGE
