"""Every primitive against plain JAX, with what it costs: rounds, and bytes that one party sends."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax, nn

import crypten_lite as ct
from crypten_lite.rules import secret_rules
from crypten_lite.rules.refusals import REFUSED
from namedtensor.interpreter import compat

RNG = np.random.default_rng(0)


def f(*shape):
    return jnp.asarray(RNG.normal(size=shape), jnp.float32)


def i(*shape, low=-5, high=6):
    return jnp.asarray(RNG.integers(low, high, shape), jnp.int32)


def b(*shape):
    return jnp.asarray(RNG.integers(0, 2, shape), bool)


@dataclass
class Row:
    """A function, which arguments are secret (s) and which public (p), its cost without sharing and revealing."""

    name: str
    fun: object
    args: tuple
    kinds: str
    rounds: int
    sent: int
    tolerance: float = 1e-4
    newer: tuple | None = None  # rounds and bytes from JAX 0.12 on, which writes the function in another way


row = Row


def grad(fun):
    """Of the sum of squares."""
    return jax.grad(lambda x, *args: (fun(x, *args) ** 2).sum())


def window(init, op, size, stride, padding="VALID"):
    return lambda x: lax.reduce_window(x, init, op, (1, 1, size, size), (1, 1, stride, stride), padding)


MAXES = {size: window(-np.inf, lax.max, *size) for size in ((2, 2), (3, 2, "SAME"), (3, 1, "SAME"), (2, 3))}
SUMS = {size: window(0.0, lax.add, *size) for size in ((2, 2), (3, 2, "SAME"))}


def conv(x, k, strides=(1, 1), padding="SAME", **options):
    return lax.conv_general_dilated(x, k, strides, padding, **options)


ODD = {"strides": (2, 1), "padding": [(2, 1), (0, 1)], "rhs_dilation": (2, 1)}
X, Y, W = f(3, 4), f(3, 4), f(4, 5)
POSITIVE = 1 + abs(Y)
IMAGES, KERNEL = f(2, 3, 7, 5), f(4, 3, 3, 3)

# Inputs are open; an opening takes a round and 8 bytes, a comparison of what is open three rounds and 5 bytes and a bit.
# fmt: off
ROWS = [
    # sums
    row("add", lambda x, y: x + y, (X, Y), "ss", 0, 0),
    row("add a public array", lambda x, y: x + y, (X, Y), "sp", 0, 0),
    row("add to a public array", lambda x, y: x + y, (X, Y), "ps", 0, 0),
    row("add one to many", lambda x, y: lax.add(x, y), (f(3, 1), f(1, 4)), "ss", 0, 0),
    row("add places", lambda x, y: x * y + y, (X, Y), "ss", 0, 0),
    row("add integers", lambda x, y: x + y, (i(3), i(3)), "ss", 0, 0),
    row("add an integer to a float", lambda x, y: x + y, (X, i(3, 4)), "ss", 0, 0),
    row("add truths", lambda x, y: (x > 0).astype(int) + y, (f(5), b(5)), "ss", 3, 26),
    row("subtract", lambda x, y: x - y, (X, Y), "ss", 0, 0),
    row("subtract from public", lambda x, y: x - y, (X, Y), "ps", 0, 0),
    row("negative", lambda x: -x, (X,), "s", 0, 0),
    row("nothing at all", lambda x, y: (x * y + 1).sum(), (f(0, 3), f(0, 3)), "ss", 0, 0),
    row("sum", lambda x: x.sum((0, 2)), (f(2, 3, 2),), "s", 0, 0),
    row("mean", lambda x: x.mean(), (X,), "s", 0, 0),
    row("variance", lambda x: x.var(-1), (X,), "s", 0, 0),
    row("count", lambda x: (x > 0).sum(0), (X,), "s", 3, 62),
    row("cumsum", lambda x: jnp.cumsum(x, 1), (X,), "s", 0, 0),
    row("cumsum backwards", lambda x: lax.cumsum(x, 0, reverse=True), (X,), "s", 0, 0),
    row("cumsum gradient", grad(lambda x: jnp.cumsum(x, 1)), (X,), "s", 0, 0),
    # products
    row("multiply", lambda x, y: x * y, (X, Y), "ss", 0, 0),
    row("multiply by public", lambda x, y: x * y, (X, Y), "sp", 0, 0),
    row("multiply public by", lambda x, y: x * y, (X, Y), "ps", 0, 0),
    row("multiply scalars", lambda x, y: x * y, (f(), f()), "ss", 0, 0),
    row("multiply one by many", lambda x, y: lax.mul(x, y), (f(3, 1), f(1, 4)), "ss", 0, 0),
    row("multiply unopened", lambda x, y: (x * y) * (x + y), (X, Y), "ss", 1, 96),
    row("multiply one unopened by many", lambda x, y: lax.mul(x * x, y * y), (f(3, 1), f(1, 4)), "ss", 1, 56),
    row("multiply truncated ones by many", lambda x, y: lax.mul(nn.relu(x * x), y * y * y), (f(3, 1), f(1, 4)), "ss", 7, 128),
    row("add unopened ones to many", lambda x, y: lax.add(x * x, y * y) * x, (f(3, 1), f(1, 4)), "ss", 1, 96),
    row("greater, one than many", lambda x, y: lax.gt(x * x, y), (f(3, 1), f(1, 4)), "ss", 4, 86),
    row("multiply four", lambda x: x * x * x * x, (X,), "s", 2, 192, 1e-3),
    row("multiply integers", lambda x, y: x * y, (i(3), i(3)), "ss", 0, 0),
    row("multiply an integer and a float", lambda x, y: x * y, (X, i(3, 4)), "ss", 0, 0),
    row("multiply by a truth", lambda x, y: x * (y > 0), (X, Y), "ss", 3, 62),
    row("multiply by truths shared", lambda x, y: x * y, (X, b(3, 4)), "ss", 0, 0),
    row("multiply by constants", lambda x: x * 0.3 * 0.7 * 1.1, (X,), "s", 1, 96),
    row("multiply by whole numbers and halves", lambda x, y: x * y * 2 * 0.25, (X, Y), "ss", 0, 0),
    row("a small factor and back", lambda x: x * 1e-6 * 1e6, (X,), "s", 0, 0, 1e-3),
    row("a tiny factor", lambda x, y: x * 1e-30 + y, (X, Y), "ss", 0, 0),
    row("square", jnp.square, (X,), "s", 0, 0),
    row("third power", lambda x: x**3, (X,), "s", 1, 96),
    row("seventh power", lambda x: x**7, (0.5 * X,), "s", 2, 288, 1e-3),
    row("divide by public", lambda x, y: x / y, (X, POSITIVE), "sp", 0, 0),
    row("divide", lambda x, y: x / y, (X, POSITIVE), "ss", 5, 1395),
    row("divide public by", lambda x, y: x / y, (X, POSITIVE), "ps", 5, 1299),
    row("inverse square", lambda x: x**-2, (POSITIVE,), "s", 4, 1203, 1e-3),
    row("product of all", lambda x: x.prod(), (X,), "s", 3, 80),
    row("product along", lambda x: x.prod(0), (X,), "s", 1, 64),
    row("product of nothing", lambda x: x.prod(0), (f(0, 3),), "s", 0, 0),
    row("product of integers", lambda x: x.prod(), (i(5),), "s", 2, 32),
    row("cumprod", lambda x: lax.cumprod(x, 1), (X,), "s", 1, 96, 1e-3),
    # comparisons
    row("greater", lambda x, y: x > y, (X, Y), "ss", 3, 62),
    row("less than public", lambda x, y: x < y, (i(9), i(9)), "sp", 3, 47),
    row("public at least", lambda x, y: x >= y, (i(9), i(9)), "ps", 3, 47),
    row("at most", lambda x, y: x <= y, (i(9), i(9)), "ss", 3, 47),
    row("equal", lambda x, y: x == y, (i(9), i(9)), "ss", 3, 93),
    row("differ", lambda x, y: x != y, (i(9), i(9)), "sp", 3, 93),
    row("greater than a half", lambda x: x > 0.5, (jnp.array([0.5, 0.50002, 0.49998, -1]),), "s", 3, 21),
    row("greater than between places", lambda x: x > 1.5, (i(9),), "s", 3, 47),
    row("unopened against a constant", lambda x: x * x >= 0.25, (X,), "s", 4, 158),
    row("truths alike", lambda x, y: (x > 0) == (y > 0), (X, Y), "ss", 6, 124),
    row("truths alike public", lambda x, y: (x > 0) == y, (X, b(3, 4)), "sp", 3, 62),
    row("beyond all numbers", lambda x: (x > -jnp.inf) & (x < 1e30) & (x != jnp.nan), (X,), "s", 0, 0),
    row("partly beyond", lambda x, y: x < y, (f(4), jnp.array([jnp.inf, 0.0, -jnp.inf, jnp.nan])), "sp", 3, 21),
    row("not a number", lambda x: jnp.isnan(x) | ~jnp.isfinite(x) | jnp.isinf(x), (X,), "s", 3, 62),
    # logic
    row("and", lambda x, y: (x > 0) & (y > 0), (X, Y), "ss", 7, 126),
    row("or public", lambda x, y: (x > 0) | y, (X, b(3, 4)), "sp", 3, 62),
    row("xor", lambda x, y: (x > 0) ^ (y > 0), (X, Y), "ss", 6, 124),
    row("logic of shared truths", lambda x, y: (x & y) | (~x ^ y), (b(3, 4), b(3, 4)), "ss", 2, 4),
    row("any", lambda x: (x > 1).any(), (X,), "s", 7, 76),
    row("all", lambda x: (x > -1).all(0), (X,), "s", 7, 115),
    row("parity", lambda x: jnp.bitwise_xor.reduce(x), (b(5),), "s", 0, 0),
    # choices
    row("maximum", jnp.maximum, (X, Y), "ss", 3, 62),
    row("maximum with public", jnp.maximum, (X, Y), "sp", 3, 62),
    row("maximum of integers", jnp.maximum, (i(6), i(6)), "ss", 3, 31),
    row("maximum with none", lambda x: jnp.maximum(x, -jnp.inf), (X,), "s", 0, 0),
    row("maximum with some", jnp.maximum, (f(3), jnp.array([-jnp.inf, 0.3, -0.3])), "sp", 3, 16),
    row("minimum", jnp.minimum, (X, Y), "ss", 3, 62),
    row("minimum with public", jnp.minimum, (X, Y), "ps", 3, 62),
    row("minimum with some", jnp.minimum, (f(3), jnp.array([jnp.inf, 0.3, -0.3])), "sp", 3, 16),
    row("relu", nn.relu, (X,), "s", 3, 62),
    row("relu of a product", lambda x, y: nn.relu(x * y), (X, Y), "ss", 4, 158),
    row("relu of nothing", nn.relu, (f(0, 3),), "s", 0, 0),
    row("relu6", nn.relu6, (3 * X,), "s", 7, 220),
    row("leaky relu", nn.leaky_relu, (X,), "s", 4, 158),
    row("clip", lambda x: jnp.clip(x, -0.5, 0.5), (X,), "s", 7, 220),
    row("clip between secrets", lambda x, y: lax.clamp(y, x, y + 1), (X, Y), "ss", 7, 220),
    row("absolute value", jnp.abs, (X,), "s", 3, 62),
    row("sign", jnp.sign, (i(6),), "s", 3, 62),
    row("sign of a product", lambda x: jnp.sign(x * x - 0.3), (X,), "s", 4, 219),
    row("where", lambda x, y: jnp.where(x > y, x, y), (X, Y), "ss", 3, 62),
    row("where or zero", lambda x: jnp.where(x > 0, x, 0), (X,), "s", 3, 62),
    row("where or one", lambda x: jnp.where(x > 0, 1, x), (X,), "s", 3, 62),
    row("where of constants", lambda x: jnp.where(x > 0, 2.0, -1.0), (X,), "s", 3, 62),
    row("where in where", lambda x: jnp.where(x > 1, 1, jnp.where(x < -1, -1, x)), (X,), "s", 7, 220),
    row("where of truths", lambda x, y: jnp.where(x > 0, y > 0, y < -1), (X, Y), "ss", 10, 188),
    row("where of a truth or none", lambda x, y: jnp.where(x > 0, y > 0, False), (X, Y), "ss", 7, 126),
    row("where of a shared truth", lambda t, x: jnp.where(t, x, -x), (b(3, 4), X), "ss", 0, 0),
    row("where, publicly", lambda t, x, y: jnp.where(t, x, y), (b(3, 4), X, Y), "pss", 0, 0),
    row("where, publicly, or a constant", lambda t, x: jnp.where(t, x * x, -1e4), (b(3, 4), X), "ps", 0, 0),
    row("where, publicly, all", lambda x: jnp.where(x.size > 3, x, jnp.nan), (X,), "s", 0, 0),
    row("where, publicly, of truths", lambda t, x: jnp.where(t, x > 0, True), (b(3, 4), X), "ps", 3, 62),
    row("one of three", lambda k, x, y: lax.select_n(k, x, y, x * y), (jnp.arange(3), f(3), f(3)), "pss", 0, 0),
    # maxima along axes
    row("max", lambda x: x.max(), (X,), "s", 7, 125),
    row("max along", lambda x: x.max(0), (X,), "s", 3, 62),
    row("max along two", lambda x: x.max((0, 2), keepdims=True), (f(2, 3, 5),), "s", 7, 295),
    row("max of one", lambda x: x.max(1), (f(3, 1),), "s", 0, 0),
    row("max unopened", lambda x: (x * x).max(1), (X,), "s", 4, 189),
    row("max of a relu", lambda x: nn.relu(x * x - 1).max(), (X,), "s", 12, 235),
    row("max of integers", lambda x: x.max(), (i(5),), "s", 7, 35),
    row("min along", lambda x: x.min(1), (X,), "s", 3, 93),
    row("argmax", lambda x: x.argmax(-1), (f(3, 7),), "s", 8, 236),
    row("argmax of ties", lambda x: x.argmax(0), (i(7, 4, low=0, high=3),), "s", 8, 313),
    row("argmin", lambda x: x.argmin(), (X,), "s", 8, 141),
    row("cummax", lambda x: lax.cummax(x, 1), (X,), "s", 7, 126),
    row("cummin backwards", lambda x: lax.cummin(x, 0, reverse=True), (X,), "s", 7, 94),
    # their gradients
    row("relu gradient", grad(lambda x: nn.relu(x * x - 1)), (X,), "s", 6, 350, 1e-3),
    row("maximum gradient", grad(lambda x, y: jnp.maximum(x * y, y)), (X, Y), "ss", 10, 604, 1e-3),
    row("maximum gradient at ties", grad(lambda x: jnp.maximum(x, 0) + 1), (i(9).astype(float),), "s", 8, 310),
    row("minimum gradient", grad(lambda x, y: jnp.minimum(x * y, y)), (X, Y), "ss", 11, 604, 1e-3, (15, 762)),
    row("abs gradient", grad(lambda x: abs(x)), (X,), "s", 7, 220),
    row("clip gradient", grad(lambda x: jnp.clip(x, -0.5, 0.5)), (X,), "s", 17, 920, newer=(24, 1140)),
    row("where gradient", grad(lambda x: jnp.where(x > 0, x * x, x)), (X,), "s", 6, 350, 1e-3),
    row("max gradient", grad(lambda x: x.max(1)), (X,), "s", 10, 251, 1e-3),
    row("max gradient at ties", grad(lambda x: x.max(1)), (i(5, 6).astype(float),), "s", 14, 534, 1e-3),
    row("max gradient of a relu", grad(lambda x: nn.relu(x * x - 1).max(1)), (X,), "s", 20, 641, 1e-3),
    row("min gradient", grad(lambda x: x.min(1)), (X,), "s", 14, 499, 1e-3),
    row("product gradient", grad(lambda x: x.prod()), (f(3),), "s", 3, 40, 1e-3),
    # matrices
    row("dot", jnp.dot, (X, W), "ss", 0, 0),
    row("dot public", jnp.dot, (X, W), "sp", 0, 0),
    row("public dot", jnp.dot, (X, W), "ps", 0, 0),
    row("dot of vectors", jnp.dot, (f(5), f(5)), "ss", 0, 0),
    row("dot of none", jnp.dot, (f(2, 0), f(0, 3)), "ss", 0, 0),
    row("dot unopened", lambda x, w: (x * x) @ w, (X, W), "ss", 2, 192),
    row("dot of a dot", lambda x, w: (x @ w) @ w.T, (X, W), "ss", 2, 240, 1e-3),
    row("dot of a relu", lambda x, w: nn.relu(x) @ w, (X, W), "ss", 4, 158),
    row("dot of truths", lambda x, w: (x > 0).astype(float) @ w, (X, W), "ss", 4, 158),
    row("dot of integers", jnp.dot, (i(3, 4), i(4, 2)), "ss", 0, 0),
    row("batched", jnp.matmul, (f(2, 3, 4), f(2, 4, 5)), "ss", 0, 0),
    row("transposed", lambda x, y: jnp.einsum("bij,kbj->ikb", x, y), (f(2, 3, 4), f(5, 2, 4)), "sp", 0, 0),
    row("attention scores", lambda x, y: jnp.einsum("bqhd,bkhd->bhqk", x, y), (f(2, 3, 2, 4), f(2, 5, 2, 4)), "ss", 0, 0),
    row("einsum of three", lambda x, y: jnp.einsum("bij,jk,bkl->bil", x, y, x), (f(2, 3, 4), f(4, 3)), "ss", 2, 288, 1e-3),
    row("dot gradient", grad(jnp.dot), (X, W), "ss", 2, 240, 1e-3),
    row("outer", jnp.outer, (f(3), f(4)), "ss", 0, 0),
    # convolutions
    row("conv", conv, (IMAGES, KERNEL), "ss", 0, 0),
    row("conv public", lambda x, k: conv(x, k, (2, 2), "VALID"), (IMAGES, KERNEL), "sp", 0, 0),
    row("public conv", lambda x, k: conv(x, k, (2, 1), "VALID"), (IMAGES, KERNEL), "ps", 0, 0),
    row("conv dilated", lambda x, k: conv(x, k, **ODD), (IMAGES, KERNEL), "ss", 0, 0),
    row("conv channels last", lambda x, k: conv(x, k, dimension_numbers=("NHWC", "HWIO", "NHWC")), (f(2, 5, 4, 3), f(3, 3, 3, 2)), "ss", 0, 0),
    row("conv transposed", lambda x, k: lax.conv_transpose(x, k, (2, 2), "SAME"), (f(2, 5, 4, 3), f(3, 3, 3, 4)), "ss", 0, 0),
    row("conv in groups", lambda x, k: conv(x, k, feature_group_count=2), (f(2, 4, 5, 5), f(6, 2, 3, 3)), "ss", 0, 0),
    row("conv in batch groups", lambda x, k: conv(x, k, batch_group_count=2), (f(4, 3, 5, 5), f(6, 3, 3, 3)), "ss", 0, 0),
    row("conv of a line", lambda x, k: conv(x, k, (1,)), (f(2, 3, 9), f(4, 3, 3)), "ss", 0, 0),
    row("conv of a volume", lambda x, k: conv(x, k, (1, 1, 1)), (f(1, 2, 3, 4, 3), f(2, 2, 2, 2, 2)), "ss", 0, 0),
    row("conv of points", lambda x, k: conv(x, k, (), ()), (f(2, 3), f(4, 3)), "ss", 0, 0),
    row("conv input gradient", grad(conv), (IMAGES, KERNEL), "ss", 2, 4480, 1e-3),
    row("conv kernel gradient", grad(lambda k, x: conv(x, k, **ODD)), (KERNEL, IMAGES), "ss", 2, 1536, 1e-3),
    row("conv input gradient dilated", grad(lambda x, k: conv(x, k, **ODD)), (IMAGES, KERNEL), "ss", 2, 1536, 1e-3),
    row("conv kernel gradient in groups", grad(lambda k, x: conv(x, k, (2, 2), feature_group_count=2)), (f(6, 2, 3, 3), f(2, 4, 5, 5)), "ss", 2, 1728, 1e-3),
    row("conv input gradient in batch groups", grad(lambda x, k: conv(x, k, batch_group_count=2)), (f(4, 3, 5, 5), f(6, 3, 3, 3)), "ss", 2, 4800, 1e-3),
    # windows
    row("max-pool (2, 2)", MAXES[2, 2], (IMAGES,), "s", 7, 842),
    row("max-pool (3, 2, SAME)", MAXES[3, 2, "SAME"], (IMAGES,), "s", 7, 5580),
    row("max-pool (3, 1, SAME)", MAXES[3, 1, "SAME"], (IMAGES,), "s", 7, 16276),
    row("max-pool (2, 3)", MAXES[2, 3], (IMAGES,), "s", 7, 561),
    row("max-pool of a relu", lambda x: MAXES[2, 2](nn.relu(x)), (IMAGES,), "s", 7, 1499),
    row("max-pool dilated", lambda x: lax.reduce_window(x, -np.inf, lax.max, (3,), (1,), ((1, 0),), window_dilation=(2,)), (f(9),), "s", 7, 110),
    row("min-pool", window(np.inf, lax.min, 2, 2), (IMAGES,), "s", 7, 842),
    row("max-pool of integers", lambda x: lax.reduce_window(x, np.int32(-(2**31)), lax.max, (2,), (2,), "VALID"), (i(8),), "s", 3, 21),
    row("sum-pool (2, 2)", SUMS[2, 2], (IMAGES,), "s", 0, 0),
    row("sum-pool (3, 2, SAME)", SUMS[3, 2, "SAME"], (IMAGES,), "s", 0, 0),
    row("max-pool gradient (2, 2)", grad(MAXES[2, 2]), (IMAGES,), "s", 9, 1706),
    row("max-pool gradient (3, 2, SAME)", grad(MAXES[3, 2, "SAME"]), (IMAGES,), "s", 9, 7884),
    row("max-pool gradient (3, 1, SAME)", grad(MAXES[3, 1, "SAME"]), (IMAGES,), "s", 9, 22996),
    row("max-pool gradient (2, 3)", grad(MAXES[2, 3]), (IMAGES,), "s", 9, 1137),
    row("max-pool gradient of a relu", grad(lambda x: MAXES[2, 2](nn.relu(x))), (IMAGES,), "s", 13, 5120, 1e-3),
    row("max-pool of a relu, gradient of its weights", jax.grad(lambda w, x: (nn.relu(x @ w).reshape(3, 1, 2, 2).max((2, 3)) ** 2).sum()), (f(4, 4), X), "ss", 18, 793, 1e-3),
    row("sum-pool gradient", grad(SUMS[3, 2, "SAME"]), (IMAGES,), "s", 0, 0, 1e-3),
    row("max-pool tangent", lambda x, t: jax.jvp(MAXES[2, 2], (x,), (t,))[1], (IMAGES, f(2, 3, 7, 5)), "ss", 8, 1130),
    row("max-pool tangent, publicly", lambda x, t: jax.jvp(MAXES[2, 2], (x,), (t,))[1], (IMAGES, f(2, 3, 7, 5)), "sp", 8, 1130),
    row("max-pool curvature", lambda x, t: jax.jvp(grad(MAXES[2, 2]), (x,), (t,))[1], (IMAGES, f(2, 3, 7, 5)), "ss", 10, 1994, 1e-3),
    # structure
    row("reshape", lambda x: x.reshape(2, 6).T[:, None].ravel(), (X,), "s", 0, 0),
    row("transpose", lambda x: x.transpose(2, 0, 1), (f(2, 3, 4),), "s", 0, 0),
    row("broadcast", lambda x, y: jnp.broadcast_to(x[:, None], (3, 2, 4)) + y, (X, f()), "ss", 0, 0),
    row("slice", lambda x: x[2:0:-1, ::2], (X,), "s", 0, 0),
    row("flip", lambda x: jnp.flip(x, 1), (X,), "s", 0, 0),
    row("squeeze", lambda x: jnp.squeeze(x, (1, 3)), (f(3, 1, 2, 1),), "s", 0, 0),
    row("tile", lambda x: jnp.tile(x, (2, 3)), (X,), "s", 0, 0),
    row("repeat", lambda x: jnp.repeat(x, 2, axis=1), (X,), "s", 0, 0),
    row("roll", lambda x: jnp.roll(x, 1, axis=1), (X,), "s", 0, 0),
    row("pad", lambda x: jnp.pad(x, 1), (X,), "s", 0, 0),
    row("pad with a number", lambda x: jnp.pad(x * x, ((1, 0), (0, 2)), constant_values=3), (X,), "s", 0, 0),
    row("pad inside and crop", lambda x: lax.pad(x, 2.0, ((-1, 1, 1), (0, -2, 2))), (X,), "s", 0, 0),
    row("pad with a secret", lambda x, y: lax.pad(x, y, ((1, 1, 0), (0, 0, 1))), (X, f()), "ss", 0, 0),
    row("pad public with a secret", lambda x, y: lax.pad(x, y, ((1, 1, 0), (0, 0, 1))), (X, f()), "ps", 0, 0),
    row("pad nothing", lambda x: lax.pad(x, 1.0, ((1, 1, 0), (0, 0, 2))), (f(0, 3),), "s", 0, 0),
    row("pad truths", lambda x: jnp.pad(x > 0, 1, constant_values=True), (X,), "s", 3, 62),
    row("pad edges", lambda x: jnp.pad(x, 1, mode="edge"), (X,), "s", 0, 0),
    row("concatenate", lambda x, y: jnp.concatenate([x, x * y, y], 1), (X, Y), "ss", 0, 0),
    row("concatenate public", lambda x, y: jnp.concatenate([x, y]), (X, Y), "sp", 0, 0),
    row("concatenate truths", lambda x, y: jnp.concatenate([x > 0, y]), (X, b(3, 4)), "sp", 3, 62),
    row("stack", lambda x, y: jnp.stack([x, y], 1), (X, Y), "ss", 0, 0),
    row("unstack", lambda x: jnp.unstack(x)[1], (X,), "s", 0, 0),
    row("split", lambda x: jnp.split(x, [1, 3], axis=1)[1], (X,), "s", 0, 0),
    row("structure gradient", grad(lambda x: jnp.concatenate([jnp.pad(x[1:, ::2], 1).ravel(), x[0]])), (X,), "s", 0, 0),
    # types
    row("float16", lambda x, y: x * y, (X.astype(jnp.float16), Y.astype(jnp.float16)), "ss", 0, 0, 2e-3),
    row("bfloat16", lambda x, y: nn.relu(x @ y.T), (X.astype(jnp.bfloat16), Y.astype(jnp.bfloat16)), "ss", 4, 119, 2e-2),
    row("bfloat16 public", lambda x, y: x * y + y, (X.astype(jnp.bfloat16), Y.astype(jnp.bfloat16)), "sp", 0, 0, 2e-2),
    row("to float16", lambda x: nn.relu(x).astype(jnp.float16), (X,), "s", 3, 62, 2e-3),
    row("integer to float", lambda x: x.astype(float) * 0.5, (i(5),), "s", 0, 0),
    row("integer to a shorter one", lambda x: x.astype(jnp.int8), (i(5),), "s", 0, 0),
    row("truth to float", lambda x: (x > 0).astype(float) + x, (X,), "s", 3, 62),
    row("shared truth to integer", lambda x: x.astype(int) + 1, (b(5),), "s", 0, 0),
    row("integers to truths", lambda x: x.astype(bool), (i(9),), "s", 3, 93),
    row("reduced precision", lambda x: lax.reduce_precision(x, 8, 7), (X,), "s", 0, 0, 1e-2),
    # positions
    row("row", lambda x, k: x[k], (X, -1), "sp", 0, 0),
    row("rows", lambda x, k: x[k], (X, jnp.array([2, 0, -1, 1])), "sp", 0, 0),
    row("elements", lambda x, k: x[k, k], (X, jnp.array([2, 0, 1])), "sp", 0, 0),
    row("take", lambda x, k: jnp.take(x, k, axis=1), (X, jnp.array([[2, 0], [1, 1]])), "sp", 0, 0),
    row("take or zero", lambda x, k: jnp.take(x, k, axis=1, mode="fill", fill_value=0), (X, jnp.array([20, 0])), "sp", 0, 0),
    row("take or three", lambda x, k: jnp.take(x, k, axis=1, mode="fill", fill_value=3), (X, jnp.array([20, 0])), "sp", 0, 0),
    row("take the nearest", lambda x, k: jnp.take(x, k, axis=1, mode="clip"), (X, jnp.array([20, -7])), "sp", 0, 0),
    row("take along", lambda x, k: jnp.take_along_axis(x, k, 1), (X, jnp.array([[2], [1], [0]])), "sp", 0, 0),
    row("take truths", lambda x, k: jnp.take(x > 0, k, axis=1), (X, jnp.array([2, 0])), "sp", 3, 62),
    row("dynamic slice", lambda x, k: lax.dynamic_slice(x, (k, 1), (2, 2)), (X, 9), "sp", 0, 0),
    row("diagonal", jnp.diagonal, (f(3, 3),), "s", 0, 0),
    row("set", lambda x, y: x.at[1].set(y[0]), (X, Y), "ss", 0, 0),
    row("set public", lambda x, y: x.at[1].set(y[0]), (X, Y), "ps", 0, 0),
    row("set beyond", lambda x: x.at[7].set(5.0), (X,), "s", 0, 0),
    row("set truths", lambda x: (x > 0).at[1].set(True), (X,), "s", 3, 62),
    row("add at", lambda x, y: x.at[jnp.array([1, 1, 0])].add(y), (X, Y), "ss", 0, 0),
    row("add public at", lambda x, y: x.at[jnp.array([1, 1, 0])].add(y), (X, Y), "sp", 0, 0),
    row("add at public", lambda x, y: x.at[jnp.array([1, 1, 0])].add(y), (X, Y), "ps", 0, 0),
    row("update a slice", lambda x, y: lax.dynamic_update_slice(x, y, (1, 9)), (X, f(1, 2)), "ss", 0, 0),
    row("take gradient", grad(lambda x, k: x[k]), (X, jnp.array([2, 0, 2])), "sp", 0, 0),
    row("take along gradient", grad(lambda x, k: jnp.take_along_axis(x, k, 1)), (X, jnp.array([[2], [1], [0]])), "sp", 0, 0),
    row("slice gradient", grad(lambda x: lax.dynamic_slice(x, (1, 1), (2, 2))), (X,), "s", 0, 0),
    # secret positions
    row("embedding", lambda t, k: t[k], (f(7, 3), jnp.array([2, 0, 6, -1])), "ss", 8, 400),
    row("embedding in a public table", lambda t, k: t[k], (f(7, 3), jnp.array([2, 0, 6, -1])), "ps", 7, 176),
    row("embedding of naturals", lambda t, k: t[k], (f(7, 3), jnp.array([2, 0, 6, 1], jnp.uint32)), "ss", 4, 347),
    row("embedding of one", lambda t, k: t[k], (f(7, 3), 4), "ss", 8, 101),
    row("take secretly", lambda t, k: jnp.take(t, k, axis=1), (f(7, 3), jnp.array([[2, 0], [1, 1]])), "ss", 8, 190),
    row("take secretly, clipped", lambda t, k: jnp.take(t, k, axis=0, mode="clip"), (f(7, 3), jnp.array([9, -9])), "ss", 4, 174),
    row("take along secretly", lambda t, k: jnp.take_along_axis(t, k, 1), (f(5, 3), jnp.array([[2], [0], [1], [1], [2]])), "ss", 8, 238),
    row("slice of one secretly", lambda t, k: lax.dynamic_slice_in_dim(t, k, 1), (f(7, 3), 4), "ss", 8, 101),
    row("one-hot", lambda k: nn.one_hot(k, 5), (i(4),), "s", 3, 205),
    row("the row of the largest", lambda t, x: t[x.argmax(-1)], (f(7, 3), f(4, 7)), "ss", 17, 745),
]


def run(case, parties=2):
    """The result, the cost of computing and revealing it, and rounds and bytes of computing it."""
    with ct.simulate(parties) as session:
        given = [session.share(a) if k == "s" else a for a, k in zip(case.args, case.kinds, strict=True)]
        before = session.cost
        out = ct.private(case.fun)(*given)
        shown = out.reveal() if isinstance(out, ct.SharedTensor) else out
        cost = session.cost - before
    own = [part for place, part in cost.by_layer.items() if place != "revealing"]
    return shown, cost, (sum(p.rounds for p in own), sum(p.bytes_per_party for p in own))


def cost_of(case):
    return case.newer if case.newer and jax.__version_info__ >= (0, 12) else (case.rounds, case.sent)


def agree(case, found, wanted):
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    found, wanted = (np.asarray(v).astype(np.float64) for v in (found, wanted))
    np.testing.assert_allclose(found, wanted, atol=case.tolerance * max(1, abs(wanted).max(initial=0)), rtol=0)


@pytest.mark.parametrize("case", ROWS, ids=lambda c: c.name)
def test_agrees_with_jax_and_costs_what_it_says(case):
    found, cost, own = run(case)
    agree(case, found, jnp.asarray(case.fun(*case.args)))
    assert own == cost_of(case)
    public = [k for k, kind in enumerate(case.kinds) if kind == "p"]
    foreseen = ct.estimate(case.fun, *case.args, public=public)
    assert (foreseen - ct.Cost()).by_layer == cost.by_layer


THREE = ["multiply", "equal", "relu of a product", "max along", "conv", "max-pool gradient (2, 2)", "embedding", "any"]


@pytest.mark.parametrize("case", [r for r in ROWS if r.name in THREE], ids=lambda c: c.name)
def test_three_parties_send_to_two_others(case):
    found, _, own = run(case, parties=3)
    agree(case, found, jnp.asarray(case.fun(*case.args)))
    rounds, sent = cost_of(case)
    assert own == (rounds, 2 * sent)


ELSEWHERE = {  # the functions of one variable, calls and control flow, and what is refused
    "test_functions.py": {"cbrt", "erf", "erf_inv", "erfc", "exp", "exp2", "expm1", "log", "log1p", "logistic", "pow", "rsqrt", "sqrt", "tanh"},
    "test_control.py": {"scan", "while", "cond", "remat", "remat2", "checkpoint", "optimization_barrier", "stop_gradient", "name"},
}
# fmt: on


def primitives(jaxpr):
    for eqn in jaxpr.eqns:
        yield eqn.primitive.name
        for inner in compat.inner_jaxprs(eqn.params):
            yield from primitives(inner.jaxpr)


def test_every_rule_has_a_row():
    """What the rows reach, by the primitives in their jaxprs."""
    seen = {p for r in ROWS for p in primitives(jax.make_jaxpr(r.fun)(*r.args).jaxpr)}
    elsewhere = set(REFUSED).union(*ELSEWHERE.values())
    unseen = {p for p in secret_rules if not p.startswith("jit:")} - seen - elsewhere
    assert unseen <= {"copy", "copy_p", "expand_dims", "one_minus_square", "pvary", "sharding_constraint"}
