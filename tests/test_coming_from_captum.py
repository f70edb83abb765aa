"""docs/coming_from_captum.md: our line of each pair runs and returns what Captum's shapes are."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import captum_lite
import namedtensor as nt
from captum_lite import metrics, robust, viz

PAGE = (Path(__file__).parents[1] / "docs/coming_from_captum.md").read_text()
LINES = [
    line for code in re.findall(r"```python\n(.*?)```", PAGE, re.S) for line in code.strip().splitlines()
]
HERE = [line.removesuffix("  # here") for line in LINES if line.endswith("# here")]
SMALLER = {"LayerGradCam": (2, 1, 8, 8)}  # [batch, channel, height, width] by default


def keys(n):
    return jax.random.split(jax.random.key(7), n)


@pytest.fixture(scope="module")
def names():
    kernel, out, x, b, data = keys(5)
    kernel = jax.random.normal(kernel, (3, 3, 3, 3)) / 3
    out = jax.random.normal(out, (3, 5))

    def f(x):
        y = nt.tap(jax.nn.relu(jax.lax.conv(x, kernel, (1, 1), "SAME")), "conv")
        return (y**2).mean((2, 3)) @ out

    x, b, data = (jax.random.normal(k, (n, 3, 8, 8)) for k, n in ((x, 2), (b, 2), (data, 4)))
    a = np.asarray(captum_lite.Saliency(f).attribute(x, target=3, abs=False))[0].transpose(1, 2, 0)
    image = np.asarray(jax.nn.sigmoid(x[0])).transpose(1, 2, 0)
    mask = np.broadcast_to(np.arange(8)[:, None] // 4 * 2 + np.arange(8) // 4, (3, 8, 8))

    def noise(x):
        return jnp.full_like(x, 0.01), x - 0.01

    methods = {n: getattr(captum_lite, n) for n in captum_lite.__all__}
    measures = {"infidelity": metrics.infidelity, "sensitivity_max": metrics.sensitivity_max}
    given = {"f": f, "x": x, "b": b, "data": data, "mask": mask, "a": a, "image": image, "noise": noise}
    return {**methods, **measures, **given, "robust": robust, "viz": viz}


@pytest.mark.parametrize("line", HERE)
def test_our_line_runs(line, names):
    found = eval(line, dict(names))
    found = getattr(found, "attributions", found)
    if not hasattr(found, "shape"):
        return
    method = line.partition("(")[0]
    per_example = method in ("infidelity", "sensitivity_max")
    expected = (2,) if per_example else SMALLER.get(method, names["x"].shape)
    assert found.shape == expected
    assert np.isfinite(np.asarray(found)).all()


def test_each_line_has_its_pair():
    assert len(LINES) == 2 * len(HERE)
    assert all("# Captum" in line for line in LINES[1::2])
