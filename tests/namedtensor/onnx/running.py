"""Run what `save` has written in onnxruntime, and compare it with JAX."""

import jax
import numpy as np
import onnxruntime

from namedtensor._tensor import is_named
from namedtensor.interop.onnx.writing import save


def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def arrays(tree):
    leaves = jax.tree.leaves(tree, is_leaf=is_named)
    return [np.asarray(x.array if is_named(x) else x) for x in leaves]


def compared(f, params, inputs, folder, at=None, **options):
    """Save ``f`` on ``inputs``, run the file on ``at`` (or the same), and expect what ``f`` gives."""
    saved = save(wrapped(f), params, inputs, folder / "f.onnx", **options)
    agrees(saved, f, params, inputs if at is None else at)
    return saved


def wrapped(f):
    return lambda params, *inputs: f(*inputs) if params is None else f(params, *inputs)


def agrees(saved, f, params, inputs):
    run = session(saved.path)
    feeds = dict(zip(saved.inputs, arrays(inputs), strict=True))
    there = {i.name for i in run.get_inputs()}
    found = run.run(None, {k: v for k, v in feeds.items() if k in there})
    reference = jax.jit(
        lambda *inputs: wrapped(f)(params, *inputs)
    )  # one program, where eager calls are many
    expected = arrays(reference(*inputs))
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        same(a, b)


def same(found, expected):
    """Equal to 1e-5 (a float16: to 4 units in the last place), or to a tenth of that of the largest value.

    Two libraries sum in different orders, and what is left of large terms is as wrong as they are.
    """
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    if expected.dtype.kind in "iub":
        np.testing.assert_array_equal(found, expected)
        return
    close = 4e-3 if expected.dtype == np.float16 else 1e-5
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=0)
    np.testing.assert_allclose(found, expected, rtol=close, atol=close * float(scale) / 10)
