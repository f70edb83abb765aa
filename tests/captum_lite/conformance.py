"""The reference cases of Captum: their models as JAX functions with a tap at every node, and their arrays.

``data/captum_cases.json`` and ``data/captum_arrays.npz`` were computed by Captum 0.9.0 on PyTorch
2.13 in float64. A node is ``{name, op, in, ...}``; arrays stand by name.
"""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import namedtensor as nt

_DATA = Path(__file__).parent / "data"
_REFERENCE = json.loads((_DATA / "captum_cases.json").read_text())
MODELS: dict[str, dict[str, Any]] = _REFERENCE["models"]
CASES: list[dict[str, Any]] = _REFERENCE["cases"]


@functools.cache
def arrays() -> dict[str, np.ndarray]:
    """All arrays of the reference, read once."""
    with np.load(_DATA / "captum_arrays.npz", allow_pickle=False) as file:
        return dict(file)


def value(x: Any) -> Any:
    """A parameter of a case, with the arrays that it names (a list of arrays is a tuple)."""
    if isinstance(x, dict) and "array" in x:
        return arrays()[x["array"]]
    return tuple(map(value, x)) if isinstance(x, list) and x and isinstance(x[0], dict) else x


def inputs(model: str) -> Any:
    """The inputs of a model: an array, or a tuple of them."""
    given = tuple(arrays()[k] for k in MODELS[model]["inputs"])
    return given[0] if len(given) == 1 else given


def build(model: str) -> Callable[..., Any]:
    """A model as a function of its inputs; each node is a tap of its name."""

    def function(*xs: Any) -> Any:
        there = {f"x{i}": x for i, x in enumerate(xs)}
        for node in MODELS[model]["nodes"]:
            there[node["name"]] = nt.tap(OPS[node["op"]](node, *(there[k] for k in node["in"])), node["name"])
        return there[node["name"]]

    return function


def tolerance(case: dict[str, Any], expected: Any) -> float:
    """How far from the expected array a result may be (Captum holds quadrature weights in float32)."""
    return max(case["atol"], 1e-7) * (1 + abs(expected).max())


def _along(x: Any, like: Any, axis: int) -> Any:
    """``x`` of one axis, shaped to stand at ``axis`` of ``like``."""
    return jnp.reshape(x, [-1 if k == axis % like.ndim else 1 for k in range(like.ndim)])


def _plus(node: dict[str, Any], x: Any, axis: int) -> Any:
    return x + _along(arrays()[node["b"]], x, axis) if "b" in node else x


def _linear(node: dict[str, Any], x: Any) -> Any:
    return _plus(node, x @ arrays()[node["w"]].T, -1)


def _conv(node: dict[str, Any], x: Any) -> Any:
    space = x.ndim - 2
    pad, stride = node.get("pad", 0), node.get("stride", 1)
    out = lax.conv_general_dilated(x, arrays()[node["w"]], (stride,) * space, [(pad, pad)] * space)
    return _plus(node, out, 1)


def _batchnorm(node: dict[str, Any], x: Any) -> Any:
    w, b, mean, var = (_along(arrays()[node[k]], x, 1) for k in ("w", "b", "mean", "var"))
    return (x - mean) / jnp.sqrt(var + 1e-5) * w + b


def _layernorm(node: dict[str, Any], x: Any) -> Any:
    w, b = (_along(arrays()[node[k]], x, -1) for k in "wb")
    centred = x - x.mean(-1, keepdims=True)
    return centred / jnp.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * w + b


def _pool(start: float, reduce: Callable[..., Any], scale: Callable[[int], float]) -> Callable[..., Any]:
    def pool(node: dict[str, Any], x: Any) -> Any:
        k, space = node["k"], x.ndim - 2
        step = node.get("stride", k)
        out = lax.reduce_window(x, start, reduce, (1, 1) + (k,) * space, (1, 1) + (step,) * space, "VALID")
        return out * scale(k**space)

    return pool


def _matmul(node: dict[str, Any], a: Any, b: Any) -> Any:
    return a @ (b.swapaxes(-1, -2) if node.get("tb") else b)


_max_pool = _pool(-np.inf, lax.max, lambda _: 1)

OPS: dict[str, Callable[..., Any]] = {
    "linear": _linear,
    "conv1d": _conv,
    "conv2d": _conv,
    "batchnorm2d": _batchnorm,
    "layernorm": _layernorm,
    "relu": lambda _, x: jax.nn.relu(x),
    "tanh": lambda _, x: jnp.tanh(x),
    "sigmoid": lambda _, x: jax.nn.sigmoid(x),
    "softplus": lambda _, x: jax.nn.softplus(x),
    "elu": lambda _, x: jax.nn.elu(x),
    "leaky_relu": lambda _, x: jax.nn.leaky_relu(x, 0.01),
    "gelu": lambda _, x: jax.nn.gelu(x, approximate=False),
    "silu": lambda _, x: jax.nn.silu(x),
    "softmax": lambda node, x: jax.nn.softmax(x, axis=node["dim"]),
    "maxpool1d": _max_pool,
    "maxpool2d": _max_pool,
    "avgpool2d": _pool(0.0, lax.add, lambda n: 1 / n),
    "flatten": lambda _, x: x.reshape(x.shape[0], -1),
    "unsqueeze": lambda node, x: jnp.expand_dims(x, node["dim"]),
    "squeeze": lambda node, x: jnp.squeeze(x, node["dim"]),
    "add": lambda _, a, b: a + b,
    "sub": lambda _, a, b: a - b,
    "mul": lambda _, a, b: a * b,
    "affine": lambda node, x: node["scale"] * x + node["shift"],
    "mean": lambda node, x: x.mean(tuple(node["dims"])),
    "matmul": _matmul,
    "concat": lambda node, *xs: jnp.concatenate(xs, axis=node["dim"]),
}
