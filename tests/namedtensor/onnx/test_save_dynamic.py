"""Dims left open: the file takes other sizes than the example's, and computes what it needs of them."""

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import pytest
from jax import lax

import namedtensor as nt
from namedtensor.interop.onnx.writing import save
from tests.namedtensor.onnx.running import agrees, wrapped

RNG = np.random.default_rng(1)
W = RNG.normal(size=(4, 4)).astype(np.float32)
K = RNG.normal(size=(3, 3, 4, 2)).astype(np.float32)


def rows(n):
    return RNG.normal(size=(n, 4)).astype(np.float32)


def image(n):
    return RNG.normal(size=(n, 5, 6, 4)).astype(np.float32)


# functions of [batch 4]; each line is one that needs the size in another way
ROWS = {
    "mean": lambda x: x.mean(0),
    "matmul": lambda x: jnp.tanh(x @ W) @ W.T,
    "gram": lambda x: x @ x.T,
    "flat": lambda x: x.reshape(-1),
    "merged and split": lambda x: x.reshape(x.shape[0] * 2, 2).reshape(x.shape[0], 2, 2),
    "broadcast": lambda x: jnp.broadcast_to(x[:, None], (x.shape[0], 3, 4)),
    "made anew": lambda x: jnp.ones((x.shape[0], 2)) + jnp.arange(2.0)[None],
    "counted": lambda x: x + jnp.arange(x.shape[0])[:, None],
    "reversed": lambda x: x[::-1],
    "shifted": lambda x: x[1:] - x[:-1],
    "the last": lambda x: x[-1],
    "twice": lambda x: jnp.concatenate([x, x], 0),
    "halves": lambda x: x[: x.shape[0] // 2],
    "odd or even": lambda x: x * (x.shape[0] % 2),
    "padded": lambda x: jnp.pad(x, ((1, 2), (0, 0))),
    "between": lambda x: lax.pad(x, jnp.float32(9), ((0, 0, 1), (0, 0, 0))),
    "sorted": lambda x: jnp.sort(x, 0),
    "summed up": lambda x: jnp.cumsum(x, 0),
    "scanned": lambda x: lax.scan(lambda c, r: (c + r, c * r), jnp.zeros(4), x),
    "scanned inside": lambda x: lax.scan(
        lambda c, w: (jnp.tanh(c @ W + w[None]), c.sum(1)), x, jnp.ones((3, 4))
    ),
    "mapped": jax.vmap(lambda r: jnp.where(r > 0, r, r.sum())),
    "picked": lambda x: x[jnp.array([0, 1])],
    "along": lambda x: jnp.take_along_axis(x, jnp.argsort(x, 1), 1),
    "written": lambda x: x.at[:, 1].set(0.0),
    "a loop": lambda x: lax.fori_loop(0, 3, lambda i, c: c * x.mean() + i, x),
    "one of its rows": lambda x: lax.dynamic_slice_in_dim(x, jnp.int32(x[0, 0]), 1),
    "norm": lambda x: (x - x.mean(0, keepdims=True)) / (x.std(0, keepdims=True) + 1.0),
}
IMAGES = {
    "conv": lambda x: lax.conv_general_dilated(
        x, K, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    ),
    "transposed": lambda x: lax.conv_transpose(
        x, K, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    ),
    "max pool": lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"),
    "sum pool over the batch": lambda x: lax.reduce_window(
        x, 0.0, lax.add, (2, 1, 1, 1), (1, 1, 1, 1), "VALID"
    ),
}
CASES = {**{k: (f, rows) for k, f in ROWS.items()}, **{f"image {k}": (f, image) for k, f in IMAGES.items()}}


@pytest.mark.parametrize(("f", "make"), CASES.values(), ids=CASES)
def test_any_batch(f, make, tmp_path):
    saved = save(wrapped(f), None, make(3), tmp_path / "f.onnx", dynamic={0: "batch"})
    assert onnx.load(saved.path).graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    for n in (2, 7):
        agrees(saved, f, None, (make(n),))


def test_dims_of_named_tensors_are_left_open_by_their_names(tmp_path):
    def f(params, x, y):
        return (x.dot("seq", y) * params).sum("batch")

    x, y = nt.ones("batch:2 seq:3 embed:4"), nt.ones("batch:2 seq:3 out:5")
    saved = save(f, nt.ones("embed:4"), (x, y), tmp_path / "f.onnx", dynamic=("batch", "seq"))
    graph = onnx.load(saved.path).graph
    shapes = {
        v.name: [(d.dim_param or d.dim_value, d.denotation) for d in v.type.tensor_type.shape.dim]
        for v in (*graph.input, *graph.output)
    }
    assert shapes["x"] == [("batch", "batch"), ("seq", "seq"), (4, "embed")]
    assert shapes["y"] == [("batch", "batch"), ("seq", "seq"), (5, "out")]
    assert shapes["output"] == [(4, "embed"), (5, "out")]
    key = jax.random.key(0)
    agrees(
        saved,
        f,
        nt.ones("embed:4"),
        (nt.random.normal(key, "batch:3 seq:4 embed:4"), nt.random.normal(key, "batch:3 seq:4 out:5")),
    )


def test_what_may_be_assumed_of_a_size(tmp_path):
    def f(params, x):
        return x + params[None, : x.shape[1]] if x.shape[1] <= 8 else x

    params = np.arange(8, dtype=np.float32)
    x = np.ones((2, 3), np.float32)
    with pytest.raises(Exception, match="inconclusive") as caught:
        save(f, params, x, tmp_path / "f.onnx", dynamic={1: "pos"})
    assert "leaves dims open" in "".join(caught.value.__notes__)
    shape = jax.export.symbolic_shape("2, pos", constraints=["pos <= 8"])
    saved = save(f, params, jax.ShapeDtypeStruct(shape, "float32"), tmp_path / "f.onnx")
    agrees(saved, f, params, (np.ones((2, 7), np.float32),))


REFUSED = {
    "a name": (
        "bach",
        ["the inputs have the dims batch, embed", "Did you mean 'batch'?"],
        nt.ones("batch:2 embed:3"),
    ),
    "no named tensor": (
        "batch",
        ["no input is a named tensor", "dynamic={0: 'batch'}"],
        np.ones((2, 3), np.float32),
    ),
    "an axis": ({2: "batch"}, ["no array among the inputs has an axis 2"], np.ones((2, 3), np.float32)),
}


@pytest.mark.parametrize(("dynamic", "parts", "x"), REFUSED.values(), ids=REFUSED)
def test_dims_that_no_input_has(dynamic, parts, x, tmp_path):
    with pytest.raises(ValueError, match="dynamic=") as caught:
        save(lambda params, x: x, None, x, tmp_path / "f.onnx", dynamic=dynamic)
    assert all(part in str(caught.value) for part in parts)
