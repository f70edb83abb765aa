"""The models whose private cost is promised, as anyone would write them in JAX.

A maker returns ``(apply, params, inputs)``: a pure function, a pytree of float32 arrays, and a batch. Weights and inputs
are random and of the size that training leaves; images are ``[batch, channel, height, width]``.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Model = tuple[Callable[[Any, Any], Any], Any, Any]


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Weights that keep the variance: ``[in, out]``, or ``[out, in, height, width]`` of a convolution."""
    fan_in = math.prod(shape[1:]) if len(shape) == 4 else shape[0]
    return (rng.normal(size=shape) * math.sqrt(2 / fan_in)).astype(np.float32)


def bias(rng: np.random.Generator, size: int) -> np.ndarray:
    return (0.1 * rng.normal(size=size)).astype(np.float32)


def images(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.uniform(size=shape).astype(np.float32)


def dense(p: Any, x: Any) -> Any:
    return x @ p["kernel"] + p["bias"][None]


def conv(p: Any, x: Any, stride: int = 1, padding: Any = "SAME") -> Any:
    return (
        lax.conv_general_dilated(x, p["kernel"], (stride, stride), padding) + p["bias"][None, :, None, None]
    )


def max_pool(x: Any, window: int, stride: int, padding: int = 0) -> Any:
    margins = [(0, 0), (0, 0), (padding, padding), (padding, padding)]
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, window, window), (1, 1, stride, stride), margins)


def mlp(sizes: tuple[int, ...] = (784, 256, 128, 10), batch: int = 32) -> Model:
    rng = np.random.default_rng(1)
    params = [{"kernel": normal(rng, m, n), "bias": bias(rng, n)} for m, n in itertools.pairwise(sizes)]
    return mlp_logits, params, images(rng, batch, sizes[0])


def mlp_logits(params: Any, x: Any) -> Any:
    for p in params[:-1]:
        x = jax.nn.relu(dense(p, x))
    return dense(params[-1], x)


def lenet(batch: int = 1) -> Model:
    """LeNet-5 with ReLU and max-pooling (LeCun et al. 1998, doi:10.1109/5.726791)."""
    rng = np.random.default_rng(2)
    params = {
        "conv1": {"kernel": normal(rng, 6, 1, 5, 5), "bias": bias(rng, 6)},
        "conv2": {"kernel": normal(rng, 16, 6, 5, 5), "bias": bias(rng, 16)},
        "dense": [
            {"kernel": normal(rng, m, n), "bias": bias(rng, n)} for m, n in ((400, 120), (120, 84), (84, 10))
        ],
    }
    return lenet_logits, params, images(rng, batch, 1, 28, 28)


def lenet_logits(params: Any, x: Any) -> Any:
    x = max_pool(jax.nn.relu(conv(params["conv1"], x)), 2, 2)
    x = max_pool(jax.nn.relu(conv(params["conv2"], x, padding="VALID")), 2, 2)
    return mlp_logits(params["dense"], x.reshape(len(x), -1))


STAGES = [(64, 1), (128, 2), (256, 2), (512, 2)]


def resnet18(batch: int = 1, side: int = 32, width: int = 64, *, stem: int = 3, folded: bool = True) -> Model:
    """ResNet-18 (He et al. 2016, arXiv:1512.03385), by default as it is built for small images.

    A stem of 3 reads every pixel; the one of 7, for ImageNet, reads every other one and is pooled. Batch norms are
    folded into the convolutions, as for inference, or stay as they are.
    """
    rng = np.random.default_rng(3)
    unit = norm(rng, folded)
    params: dict[str, Any] = {"stem": unit(width, 3, stem)}
    before = width
    for stage, (features, stride) in enumerate(STAGES):
        after = features * width // 64
        for i in range(2):
            block = {"first": unit(after, before, 3), "second": unit(after, after, 3)}
            if stride > 1 and not i:
                block["shortcut"] = unit(after, before, 1)
            params[f"stage{stage}/block{i}"] = block
            before = after
    params["out"] = {"kernel": normal(rng, before, 10), "bias": bias(rng, 10)}
    return resnet18_logits, params, images(rng, batch, 3, side, side)


def norm(rng: np.random.Generator, folded: bool) -> Callable[[int, int, int], Any]:
    """A maker of a convolution's parameters, with a batch norm or with one folded in."""

    def unit(after: int, before: int, window: int) -> dict[str, Any]:
        kernel = normal(rng, after, before, window, window) / np.float32(math.sqrt(2))
        if folded:
            return {"kernel": kernel, "bias": bias(rng, after)}
        variance = rng.uniform(0.5, 2, size=after).astype(np.float32)
        return {
            "kernel": kernel * np.sqrt(variance)[:, None, None, None],
            "mean": bias(rng, after),
            "variance": variance,
            "scale": (1 + 0.1 * rng.normal(size=after)).astype(np.float32),
            "offset": bias(rng, after),
        }

    return unit


def convolved(p: Any, x: Any, stride: int = 1) -> Any:
    """A convolution with its batch norm, folded or not."""
    margin = (p["kernel"].shape[2] - 1) // 2
    if "bias" in p:
        return conv(p, x, stride, [(margin, margin)] * 2)
    x = lax.conv_general_dilated(x, p["kernel"], (stride, stride), [(margin, margin)] * 2)
    mean, variance, scale, offset = (
        p[k][None, :, None, None] for k in ("mean", "variance", "scale", "offset")
    )
    return (x - mean) * (scale * lax.rsqrt(variance + 1e-5)) + offset


def resnet18_logits(params: Any, x: Any) -> Any:
    large = params["stem"]["kernel"].shape[-1] == 7
    x = jax.nn.relu(convolved(params["stem"], x, 2 if large else 1))
    x = max_pool(x, 3, 2, 1) if large else x
    for stage, (_, stride) in enumerate(STAGES):
        for i in range(2):
            with jax.named_scope(f"stage{stage}/block{i}"):
                x = residual(params[f"stage{stage}/block{i}"], x, 1 if i else stride)
    return dense(params["out"], x.mean((2, 3)))


def residual(p: Any, x: Any, stride: int) -> Any:
    y = convolved(p["second"], jax.nn.relu(convolved(p["first"], x, stride)))
    return jax.nn.relu(y + (convolved(p["shortcut"], x, stride) if "shortcut" in p else x))


def transformer_block(tokens: int = 64, d: int = 128, heads: int = 4, hidden: int = 256) -> Model:
    """A pre-normalised block: attention, then a network of two layers."""
    rng = np.random.default_rng(4)
    params = {
        **{f"norm{i}": {"scale": 1 + bias(rng, d), "offset": bias(rng, d)} for i in (1, 2)},
        **{
            k: {"kernel": normal(rng, d, d), "bias": bias(rng, d)} for k in ("query", "key", "value", "mixed")
        },
        "up": {"kernel": normal(rng, d, hidden), "bias": bias(rng, hidden)},
        "down": {"kernel": normal(rng, hidden, d), "bias": bias(rng, d)},
    }

    def apply(params: Any, x: Any) -> Any:
        with jax.named_scope("attention"):
            x = x + attention(params, layer_norm(params["norm1"], x), heads)
        with jax.named_scope("mlp"):
            inner = jax.nn.gelu(dense(params["up"], layer_norm(params["norm2"], x)), approximate=False)
            return x + dense(params["down"], inner)

    return apply, params, rng.normal(size=(tokens, d)).astype(np.float32)


def layer_norm(p: Any, x: Any) -> Any:
    normal = (x - x.mean(-1, keepdims=True)) * lax.rsqrt(x.var(-1, keepdims=True) + 1e-5)
    return normal * p["scale"][None] + p["offset"][None]


def attention(params: Any, x: Any, heads: int) -> Any:
    tokens, d = x.shape
    q, k, v = (dense(params[name], x).reshape(tokens, heads, -1) for name in ("query", "key", "value"))
    weights = jax.nn.softmax(jnp.einsum("qhd,khd->hqk", q, k) / math.sqrt(d // heads), axis=-1)
    return dense(params["mixed"], jnp.einsum("hqk,khd->qhd", weights, v).reshape(tokens, d))


def softmax(rows: int = 128, classes: int = 1000) -> np.ndarray:
    """Logits."""
    return (3 * np.random.default_rng(5).normal(size=(rows, classes))).astype(np.float32)
