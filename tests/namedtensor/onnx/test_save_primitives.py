"""Each primitive that can be written, run by onnxruntime: the file computes what JAX computes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from namedtensor.interop.onnx.writing import supported
from namedtensor.interpreter import compat
from tests.namedtensor.onnx.running import compared

RNG = np.random.default_rng(0)


def normal(*shape):
    """Numbers of both signs, some of them equal, with zeros of both signs."""
    x = np.round(RNG.normal(size=shape) * 2, 1).astype(np.float32)
    if x.size > 3:
        x.flat[1], x.flat[2] = 0.0, -0.0
    return x


def positive(*shape):
    return (RNG.random(shape) + 0.1).astype(np.float32)


def unit(*shape):
    return (RNG.random(shape) * 1.9 - 0.95).astype(np.float32)


def ints(*shape, low=-5, high=6, dtype="int32"):
    return RNG.integers(low, high, shape).astype(dtype)


def truth(*shape):
    return RNG.random(shape) > 0.5


F, G, P, U = normal(3, 4), normal(3, 4), positive(3, 4), unit(3, 4)
N, J, B, C = ints(3, 4), ints(3, 4), truth(3, 4), truth(3, 4)
EXTREME = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1e-8, -1e-8, 80.0, -80.0, 1e30], np.float32)
LEAST = np.array([-(2**31), 7, -7, 5, 0, -(2**31)], np.int32)
BY = np.array([-1, 2, 2, 0, 0, 3], np.int32)
H = F.astype(np.float16)


def half(f):
    """``f`` in bfloat16, between float32: onnxruntime's Python gives no bfloat16 out."""
    return lambda *xs: f(*(x.astype(jnp.bfloat16) for x in xs)).astype(jnp.float32)


# name -> function and its inputs; the name begins with the primitive that the row is about
ROWS = {
    "abs": (jnp.abs, F), "abs int": (jnp.abs, N), "abs int8": (jnp.abs, ints(5, dtype="int8")),
    "neg": (lax.neg, F), "neg int": (lax.neg, N),
    "sign": (jnp.sign, F), "sign int": (jnp.sign, N), "sign extreme": (jnp.sign, EXTREME),
    "floor": (jnp.floor, F), "ceil": (jnp.ceil, F),
    "round": (jnp.round, np.array([0.5, 1.5, -0.5, 2.4, -2.6], np.float32)),
    "round away": (lambda x: lax.round(x, lax.RoundingMethod.AWAY_FROM_ZERO), np.array([0.5, 1.5, -0.5, -2.5, 0.49999997], np.float32)),
    "exp": (jnp.exp, F), "exp extreme": (jnp.exp, EXTREME), "log": (jnp.log, P), "log extreme": (jnp.log, EXTREME),
    "sqrt": (jnp.sqrt, P), "rsqrt": (lax.rsqrt, P), "cbrt": (jnp.cbrt, F), "cbrt extreme": (jnp.cbrt, EXTREME),
    "tanh": (jnp.tanh, F), "tanh small": (jnp.tanh, F * 1e-4), "logistic": (jax.nn.sigmoid, F), "logistic extreme": (jax.nn.sigmoid, EXTREME),
    "erf": (lax.erf, F), "erfc": (lax.erfc, np.linspace(-5, 9, 57, dtype=np.float32)), "erfc tail": (lax.erfc, np.linspace(2, 5, 31, dtype=np.float32)), "erfc far": (lax.erfc, np.linspace(6, 9, 31, dtype=np.float32)), "erf_inv": (lax.erf_inv, U),
    "erf_inv edges": (lax.erf_inv, np.array([-1, -0.9999, 0, 1e-6, 0.99999, 1], np.float32)),
    "sin": (jnp.sin, F), "cos": (jnp.cos, F), "tan": (jnp.tan, U), "asin": (jnp.arcsin, U), "acos": (jnp.arccos, U),
    "atan": (jnp.arctan, F), "sinh": (jnp.sinh, F), "cosh": (jnp.cosh, F), "asinh": (jnp.arcsinh, F),
    "acosh": (jnp.arccosh, P + 1), "atanh": (jnp.arctanh, U),
    "atan2": (jnp.arctan2, F, G), "atan2 signs": (jnp.arctan2, np.array([0, -0.0, 0, -0.0, np.inf, -1, 1], np.float32), np.array([1, 1, -1, -1, -np.inf, 0, -0.0], np.float32)),
    "exp2": (jnp.exp2, F), "expm1": (jnp.expm1, F), "expm1 small": (jnp.expm1, F * 1e-6), "expm1 extreme": (jnp.expm1, EXTREME),
    "log1p": (jnp.log1p, P), "log1p small": (jnp.log1p, F * 1e-6), "log1p extreme": (jnp.log1p, EXTREME),
    "add": (jnp.add, F, G), "add int": (jnp.add, N, J), "add int8 wraps": (jnp.add, ints(9, low=-128, high=127, dtype="int8"), ints(9, low=-128, high=127, dtype="int8")),
    "add uint32 wraps": (jnp.add, np.array([2**32 - 1, 7], np.uint32), np.array([5, 7], np.uint32)),
    "add float16": (jnp.add, H, H), "add bfloat16": (half(lambda x: x + x * 2), ints(3, 4, dtype="float32")), "add row": (lambda x: x + jnp.arange(4.0)[None], F),
    "sub": (jnp.subtract, F, G), "mul": (jnp.multiply, F, G), "mul int wraps": (jnp.multiply, N * 10**6, J * 10**6), "mul bool": (jnp.multiply, B, C),
    "mul uint32 wraps": (jnp.multiply, np.array([2**31 + 3, 7], np.uint32), np.array([2**31 + 5, 7], np.uint32)),
    "div": (jnp.divide, F, P), "div zero": (lambda x, y: x / y, F, np.zeros((3, 4), np.float32)),
    "div int": (lax.div, N, np.where(J == 0, 2, J)), "div int extreme": (lax.div, LEAST, BY),
    "div by constant": (lambda x: lax.div(x, jnp.full((3, 4), 3, x.dtype)), N), "div uint8": (lax.div, ints(6, low=0, high=250, dtype="uint8"), ints(6, low=0, high=3, dtype="uint8")),
    "floor division": (lambda x, y: x // y, N, np.where(J == 0, 2, J)), "floor division float": (lambda x, y: x // y, F, P),
    "rem": (lax.rem, F, P), "rem int": (lax.rem, N, np.where(J == 0, 2, J)), "rem int extreme": (lax.rem, LEAST, BY), "remainder": (jnp.remainder, F, G + 0.05),
    "pow": (jnp.power, P, F), "pow signed": (jnp.power, F, np.float32(3)), "pow integer": (lambda x, y: lax.pow(x, y), F, ints(3, 4, low=0, high=4)),
    "integer_pow": (lambda x: x**3, F), "integer_pow negative": (lambda x: lax.integer_pow(x, -2), P), "integer_pow int": (lambda x: lax.integer_pow(x, 5), N), "integer_pow zero": (lambda x: lax.integer_pow(x, 0), F),
    "square": (jnp.square, F), "max": (jnp.maximum, F, G), "max extreme": (lambda x: jnp.maximum(x, 1.0), EXTREME), "relu extreme": (lambda x: jnp.maximum(x, 0.0), EXTREME),
    "max bool": (lax.max, B, C), "max int8": (jnp.maximum, ints(7, dtype="int8"), ints(7, dtype="int8")), "max int zero": (lambda x: jnp.maximum(x, 0), N),
    "min": (jnp.minimum, F, G), "min extreme": (lambda x: jnp.minimum(x, 1.0), EXTREME), "min bool": (lax.min, B, C), "min uint32": (jnp.minimum, np.array([2**32 - 1, 7], np.uint32), np.array([5, 9], np.uint32)),
    "clamp": (lambda x: lax.clamp(-0.5, x, 1.0), F), "clamp extreme": (lambda x: lax.clamp(-0.5, x, 1.0), EXTREME), "clamp arrays": (lax.clamp, F - 1, G, F + 1), "clamp int": (lambda x: jnp.clip(x, -2, 3), N),
    "eq": (lambda x, y: x == y, N, J), "ne": (lambda x, y: x != y, F, G), "eq bool": (lambda x, y: x == y, B, C), "eq extreme": (lambda x: x == x, EXTREME), "eq uint8": (lambda x, y: x == y, ints(8, low=0, dtype="uint8"), ints(8, low=0, dtype="uint8")),
    "lt": (lambda x, y: x < y, F, G), "le": (lambda x, y: x <= y, N, J), "gt": (lambda x, y: x > y, F, G), "ge": (lambda x, y: x >= y, F, G), "lt bool": (lambda x, y: x < y, B, C), "lt bfloat16": (lambda x: x.astype(jnp.bfloat16) < 1, F),
    "and": (jnp.logical_and, B, C), "or": (jnp.logical_or, B, C), "xor": (jnp.logical_xor, B, C), "not": (jnp.logical_not, B),
    "and int": (jnp.bitwise_and, N, J), "or int": (jnp.bitwise_or, N, J), "xor int8": (jnp.bitwise_xor, ints(5, dtype="int8"), ints(5, dtype="int8")), "not int": (jnp.bitwise_not, N),
    "shift_left": (lambda x: x << 3, N), "shift_left by": (lax.shift_left, N, ints(3, 4, low=0, high=40)),
    "shift_right_logical": (lambda x: lax.shift_right_logical(x, jnp.full_like(x, 3)), N), "shift_right_logical uint8": (lambda x: x >> 3, ints(6, low=0, high=250, dtype="uint8")),
    "shift_right_arithmetic": (lambda x: x >> 1, N), "shift_right_arithmetic by": (lax.shift_right_arithmetic, N, ints(3, 4, low=0, high=40)), "shift_right_arithmetic int8": (lambda x: x >> 2, ints(6, low=-128, high=127, dtype="int8")),
    "is_finite": (jnp.isfinite, EXTREME), "is_finite float16": (jnp.isfinite, EXTREME[:9].astype(np.float16)),
    "select_n": (jnp.where, B, F, G), "select_n int": (lambda i, x, y, z: lax.select_n(i, x, y, z), ints(3, 4, low=0, high=3), F, G, P), "select_n bool": (jnp.where, B, C, C), "select_n scalar": (lambda c, x, y: lax.select_n(c, x, y), np.bool_(True), F, G), "select_n int8": (jnp.where, B, ints(3, 4, dtype="int8"), ints(3, 4, dtype="int8")),
    "convert_element_type": (lambda x: x.astype(jnp.int32), F), "convert to bool": (lambda x: x.astype(bool), F), "convert from bool": (lambda x: x.astype(jnp.float32), B), "convert to int8": (lambda x: x.astype(jnp.int8), N * 100), "convert to float16": (lambda x: x.astype(jnp.float16), F), "convert to bfloat16": (half(lambda x: x), F),
    "reduce_precision": (lambda x: lax.reduce_precision(x, 8, 7), F),
    "stop_gradient": (lax.stop_gradient, F), "copy": (jnp.copy, F), "lt_to": (lambda x, y: jnp.searchsorted(x, y), np.array([-np.inf, -2, -0.0, 0, 3, np.inf, np.nan], np.float32), EXTREME), "optimization_barrier": (lambda x, y: lax.optimization_barrier((x, y)), F, G),
    "reshape": (lambda x: x.reshape(2, 6), F), "reshape empty": (lambda x: x.reshape(0, 7), np.zeros((0, 3), np.float32)), "squeeze": (lambda x: x.squeeze(1), normal(3, 1, 4)), "expand_dims": (lambda x: x[:, None, :, None], F), "transpose": (lambda x: x.transpose(2, 0, 1), normal(2, 3, 4)),
    "broadcast_in_dim": (lambda x: jnp.broadcast_to(x[None, :, None], (2, 4, 3)), normal(4)), "broadcast_in_dim sum": (lambda x, y: (jnp.broadcast_to(x[:, None], (4, 3)) + y).sum(0), normal(4), normal(4, 3)),
    "tile": (lambda x: jnp.tile(x, (2, 3)), F), "concatenate": (lambda x, y: jnp.concatenate([x, y, x], 1), F, G), "split": (lambda x: jnp.split(x, [1, 3], 1), F),
    "unstack": (lambda x: sum(jnp.unstack(x, axis=1)), F),
    "slice": (lambda x: x[1:, ::2], F), "slice none": (lambda x: x[:, 2:2], F), "rev": (lambda x: x[::-1, ::-1], F), "rev bool": (lambda x: lax.rev(x, (0,)), B),
    "pad": (lambda x: jnp.pad(x, ((1, 2), (0, 3)), constant_values=1.5), F), "pad negative": (lambda x: lax.pad(x, jnp.float32(9), ((-1, 2, 0), (1, -2, 0))), F), "pad interior": (lambda x: lax.pad(x, jnp.float32(9), ((1, -1, 2), (-2, 1, 1))), F), "pad int": (lambda x: jnp.pad(x, 1), ints(3, dtype="int16")), "pad bool": (lambda x: jnp.pad(x, ((1, 0), (0, 0))), B),
    "iota": (lambda x: x + lax.broadcasted_iota(jnp.float32, (3, 4), 1), F), "name": (lambda x: jax.ad_checkpoint.checkpoint_name(x * 2, "a"), F),
    "dot_general": (lambda x, y: x @ y.T, F, G), "dot_general vector": (lambda x, y: x @ y, F, normal(4)), "dot_general vectors": (lambda x, y: x @ y, normal(4), normal(4)), "dot_general outer": (jnp.outer, normal(3), normal(4)),
    "dot_general batch": (lambda x, y: x @ y, normal(2, 3, 4), normal(2, 4, 5)), "dot_general heads": (lambda x, y: jnp.einsum("bqhk,bphk->bhqp", x, y), normal(2, 3, 2, 4), normal(2, 5, 2, 4)),
    "dot_general several": (lambda x, y: jnp.einsum("bqhk,hkd->bqd", x, y), normal(2, 3, 2, 4), normal(2, 4, 5)), "dot_general many": (lambda x, y: jnp.einsum("abcde,cbfeg->acfg", x, y), normal(2, 3, 2, 2, 3), normal(2, 3, 2, 3, 2)),
    "dot_general three": (lambda x, y: x @ y, normal(2, 3, 4), normal(4, 5)), "dot_general int": (lambda x, y: x @ y.T, N, J), "dot_general int8": (lambda x, y: lax.dot(x, y, preferred_element_type=jnp.int32), ints(3, 4, low=-128, high=127, dtype="int8"), ints(4, 2, low=-128, high=127, dtype="int8")),
    "dot_general bfloat16": (half(lambda x: lax.dot(x, x.T, preferred_element_type=jnp.float32)), F), "dot_general float16": (lambda x: x @ x.T, H), "dot_general elementwise": (lambda x, y: jnp.einsum("ab,ab->ab", x, y), F, G), "dot_general empty": (lambda x, y: x @ y, np.zeros((3, 0), np.float32), np.zeros((0, 2), np.float32)),
    "reduce_sum": (lambda x: x.sum(1), F), "reduce_sum all": (jnp.sum, F), "reduce_sum int": (lambda x: x.sum(0), N), "reduce_sum bool": (jnp.sum, B), "reduce_max": (lambda x: x.max((0, 2)), normal(2, 3, 4)), "reduce_max extreme": (jnp.max, np.delete(EXTREME, 2)), "reduce_max int": (lambda x: x.max(0), N), "reduce_min": (lambda x: x.min(0), F), "reduce_prod": (lambda x: x.prod(1), F),
    "reduce_and": (lambda x: x.all(1), B), "reduce_or": (lambda x: x.any(0), B), "reduce_mean": (lambda x: x.mean(1), F), "reduce_sum float16": (lambda x: x.sum(1), H), "reduce_sum bfloat16": (half(lambda x: x.sum(1)), F),
    "argmax": (lambda x: x.argmax(1), np.array([[1, 3, 3, 0], [2, 2, 2, 2]], np.float32)), "argmin": (lambda x: x.argmin(0), N), "argmax bool": (lambda x: x.argmax(1), B), "argmax all": (jnp.argmax, F), "argmax uint32": (jnp.argmax, np.array([3, 2**32 - 1, 2**32 - 1], np.uint32)),
    "cumsum": (lambda x: jnp.cumsum(x, 1), F), "cumsum reverse": (lambda x: lax.cumsum(x, 0, reverse=True), N), "cummax": (lambda x: lax.cummax(x, 1), F), "cummin": (lambda x: lax.cummin(x, 0, reverse=True), N), "cumprod": (lambda x: jnp.cumprod(x, 1), F), "cumlogsumexp": (lambda x: lax.cumlogsumexp(x, 1), F),
    "sort": (lambda x: jnp.sort(x, 1), F), "sort along": (lambda k, v: lax.sort((k, v), dimension=0, num_keys=1), N, F), "sort two keys": (lambda a, b, c: lax.sort((a, b, c), dimension=1, num_keys=2), ints(3, 9, low=0, high=3), ints(3, 9, low=0, high=3), normal(3, 9)), "argsort": (jnp.argsort, ints(12, low=0, high=4)), "sort descending": (lambda x: jnp.sort(x, descending=True), F),
    "top_k": (lambda x: lax.top_k(x, 2), F), "top_k ties": (lambda x: lax.top_k(x, 3), np.array([1, 2, 2, 2, 1], np.int32)),
    "max_pool": (lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"), normal(2, 4, 6, 3)), "max_pool same": (lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 3, 3), (1, 1, 2, 2), "SAME"), normal(2, 3, 5, 6)), "max_pool dilated": (lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 2, 1), (1, 1, 1, 1), ((0, 0), (1, 0), (0, 1), (0, 0)), window_dilation=(1, 2, 3, 1)), normal(2, 8, 8, 2)),
    "max_pool of one axis": (lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (3,), (2,), ((1, 1),)), normal(9)), "max_pool int": (lambda x: lax.reduce_window(x, np.int32(-(2**31)), lax.max, (2, 3), (1, 2), "SAME"), ints(6, 7)), "max_pool wide pads": (lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (2, 2), (1, 1), ((3, 2), (-1, 2))), normal(5, 5)), "max_pool spread": (lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (2, 2), (1, 1), "VALID", base_dilation=(2, 1)), normal(4, 4)),
    "min_pool": (lambda x: lax.reduce_window(x, jnp.inf, lax.min, (1, 2, 2), (1, 2, 1), "SAME"), normal(2, 5, 5)),
    "sum_pool": (lambda x: lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"), normal(2, 4, 6, 3)), "sum_pool same": (lambda x: lax.reduce_window(x, 0.0, lax.add, (1, 3, 3, 1), (1, 2, 1, 1), "SAME"), normal(2, 5, 6, 3)), "sum_pool dilated": (lambda x: lax.reduce_window(x, 0.0, lax.add, (2, 2), (1, 1), "SAME", window_dilation=(2, 1)), normal(5, 5)), "sum_pool int": (lambda x: lax.reduce_window(x, 0, lax.add, (2, 2), (1, 1), "VALID"), ints(5, 5)), "reduce_window": (lambda x: lax.reduce_window(x, jnp.float32(-1), lax.max, (2, 2), (1, 1), "VALID"), normal(5, 5)), "reduce": (lambda x: lax.reduce(x, jnp.float32(3), lax.add, (1,)), F), "sum_pool four axes": (lambda x: lax.reduce_window(x, 0.0, lax.add, (2, 2, 2, 2), (1, 1, 1, 1), "VALID"), normal(3, 3, 3, 3)),
}  # fmt: skip


def conv(x, w, stride=(1, 1), padding="SAME", numbers=("NHWC", "HWIO", "NHWC"), **more):
    return lax.conv_general_dilated(x, w, stride, padding, dimension_numbers=numbers, **more)


NCHW = ("NCHW", "OIHW", "NCHW")
CONVOLUTIONS = {
    "plain": (lambda x, w: conv(x, w), normal(2, 5, 6, 3), normal(3, 3, 3, 4)),
    "strides": (lambda x, w: conv(x, w, (2, 3), "VALID"), normal(2, 7, 8, 3), normal(3, 2, 3, 4)),
    "channels first": (lambda x, w: conv(x, w, numbers=NCHW), normal(2, 3, 5, 6), normal(4, 3, 3, 3)),
    "odd layout": (lambda x, w: conv(x, w, numbers=("HNWC", "IHOW", "CWNH")), normal(5, 2, 6, 3), normal(3, 3, 4, 2)),
    "groups": (lambda x, w: conv(x, w, feature_group_count=3), normal(2, 5, 5, 6), normal(3, 3, 2, 9)),
    "depthwise": (lambda x, w: conv(x, w, feature_group_count=4), normal(2, 5, 5, 4), normal(3, 3, 1, 4)),
    "batch groups": (lambda x, w: conv(x, w, batch_group_count=2), normal(4, 5, 5, 3), normal(3, 3, 3, 6)),
    "dilation": (lambda x, w: conv(x, w, rhs_dilation=(2, 1)), normal(2, 7, 5, 3), normal(3, 3, 3, 4)),
    "padding": (lambda x, w: conv(x, w, padding=((2, 0), (-1, 3))), normal(2, 5, 6, 3), normal(3, 3, 3, 4)),
    "transposed": (lambda x, w: lax.conv_transpose(x, w, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")), normal(2, 4, 5, 3), normal(3, 3, 3, 4)),
    "transposed valid": (lambda x, w: lax.conv_transpose(x, w, (2, 3), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")), normal(2, 4, 5, 3), normal(3, 4, 3, 4)),
    "transposed with more rows": (lambda x, w: conv(x, w, padding=((1, 3), (2, 2)), lhs_dilation=(2, 2)), normal(1, 4, 4, 2), normal(3, 3, 2, 3)),
    "transposed groups": (lambda x, w: conv(x, w, padding=((0, 0), (0, 0)), lhs_dilation=(2, 1), feature_group_count=2), normal(1, 4, 5, 4), normal(3, 3, 2, 6)),
    "spread and strided": (lambda x, w: conv(x, w, (3, 1), ((4, 1), (0, 5)), lhs_dilation=(2, 2)), normal(1, 4, 4, 2), normal(3, 3, 2, 3)),
    "one axis": (lambda x, w: conv(x, w, (2,), "SAME", ("NWC", "WIO", "NWC")), normal(2, 9, 3), normal(3, 3, 4)),
    "three axes": (lambda x, w: conv(x, w, (1, 2, 1), "SAME", ("NDHWC", "DHWIO", "NDHWC")), normal(1, 4, 5, 4, 2), normal(2, 3, 2, 2, 3)),
    "float16": (lambda x, w: conv(x, w), normal(1, 4, 4, 2).astype(np.float16), normal(3, 3, 2, 2).astype(np.float16)),
    "bfloat16": (half(lambda x, w: conv(x, w)), ints(1, 4, 4, 2, dtype="float32"), ints(3, 3, 2, 2, dtype="float32")),
}  # fmt: skip

X3 = normal(3, 4, 5)
AT = np.array([2, 0, -1, 2], np.int32)
FAR = np.array([2, 9, -9, 1], np.int32)
INDEXING = {
    "row": (lambda x, i: x[i], F, np.int32(1)), "row from the end": (lambda x, i: x[i], F, np.int32(-1)), "row outside": (lambda x, i: x[i], F, np.int32(7)),
    "rows": (lambda x, i: x[i], F, AT), "columns": (lambda x, i: x[:, i], F, AT), "rows outside": (lambda x, i: x.at[i].get(mode="fill"), F, FAR), "rows clipped": (lambda x, i: x.at[i].get(mode="clip"), F, FAR),
    "take": (lambda x, i: jnp.take(x, i, axis=1), X3, ints(2, 3, low=0, high=4)), "take outside": (lambda x, i: jnp.take(x, i, axis=0), N, FAR), "take clip": (lambda x, i: jnp.take(x, i, axis=1, mode="clip"), X3, FAR),
    "points": (lambda x, i, j: x[i, j], X3, AT, AT), "points apart": (lambda x, i, j: x[i, :, j], X3, AT, AT), "columns of columns": (lambda x, i, j: x[:, i, j], X3, AT, AT), "grid": (lambda x, i, j: x[i[:, None], j[None]], X3, AT, AT),
    "take_along_axis": (lambda x, i: jnp.take_along_axis(x, i, 1), F, ints(3, 2, low=0, high=4)), "take_along_axis middle": (lambda x, i: jnp.take_along_axis(x, i, 1), X3, ints(3, 2, 5, low=0, high=4)),
    "windows": (lambda x, i: jax.vmap(lambda k: lax.dynamic_slice(x, (k, 1), (2, 3)))(i), normal(6, 5), np.array([0, 3, 9], np.int32)), "windows each": (jax.vmap(lambda x, k: lax.dynamic_slice(x, (k, 0), (2, 5))), X3, np.array([0, 1, 2], np.int32)), "windows of two": (lambda x, i, j: jax.vmap(lambda a, b: lax.dynamic_slice(x, (a, b), (2, 3)))(i, j), normal(6, 5), np.array([0, 3, 9], np.int32), np.array([0, 1, 2], np.int32)),
    "picked each": (jax.vmap(lambda x, k: x[k]), F, np.array([0, 2, 1], np.int32)), "bools": (lambda x, i: x[i], B, AT), "int8": (lambda x, i: x[i], ints(4, 2, dtype="int8"), AT), "bools outside": (lambda x, i: x.at[i].get(mode="fill"), B, FAR),
    "dynamic_slice": (lambda x, i: lax.dynamic_slice(x, (i, 1), (2, 2)), F, np.int32(1)), "dynamic_slice outside": (lambda x, i, j: lax.dynamic_slice(x, (i, j), (2, 2)), F, np.int32(-4), np.int32(9)), "dynamic_slice constant": (lambda x: lax.dynamic_slice(x, (7, 1), (2, 2)), F), "dynamic_slice whole": (lambda x, i: lax.dynamic_slice(x, (i, 0), (3, 4)), F, np.int32(1)),
    "dynamic_update_slice": (lambda x, u, i, j: lax.dynamic_update_slice(x, u, (i, j)), F, normal(2, 2), np.int32(1), np.int32(9)), "dynamic_update_slice rows": (lambda x, u, i: lax.dynamic_update_slice(x, u, (i, 0)), F, normal(2, 4), np.int32(-5)), "dynamic_update_slice columns": (lambda x, u, i: lax.dynamic_update_slice(x, u, (0, i)), F, normal(3, 2), np.int32(1)),
    "roll": (lambda x, i: jnp.roll(x, i), F, np.int32(5)),
    "scatter": (lambda x, i: x.at[i].set(7.0), F, np.array([2, 0], np.int32)), "scatter outside": (lambda x, u, i: x.at[i].set(u), F, normal(4, 4), np.array([2, 9, 0, -9], np.int32)), "scatter points": (lambda x, u, i, j: x.at[i, j].set(u), F, normal(2), np.array([2, 9], np.int32), np.array([1, 1], np.int32)), "scatter columns": (lambda x, u, i: x.at[:, i].set(u), F, normal(3, 2), np.array([3, 1], np.int32)),
    "scatter_add": (lambda x, u, i: x.at[i].add(u), F, normal(4, 4), AT), "scatter_add outside": (lambda x, u, i: x.at[i].add(u), F, normal(4, 4), FAR), "scatter_add int": (lambda x, i: x.at[i].add(1), ints(5), AT), "scatter_mul": (lambda x, u, i: x.at[i].mul(u), F, normal(4, 4), AT), "scatter_min": (lambda x, u, i: x.at[i].min(u), F, normal(4, 4), AT), "scatter_max": (lambda x, u, i: x.at[i].max(u), F, normal(4, 4), AT),
    "scatter windows": (lambda x, u, i: x.at[i, 1:3].add(u), F, normal(4, 2), AT), "scatter clipped": (lambda x, u, i: x.at[i].add(u, mode="clip"), F, normal(4, 4), FAR), "scatter each": (jax.vmap(lambda x, i: x.at[i].set(9.0)), F, np.array([3, 0, 1], np.int32)), "scatter constant": (lambda x: x.at[jnp.array([0, 2])].set(3.0), F),
    "one_hot": (lambda i: jax.nn.one_hot(i, 4), AT), "segment_sum": (lambda x, i: jax.ops.segment_sum(x, i, num_segments=3), normal(4, 2), np.array([0, 2, 0, 1], np.int32)),
}  # fmt: skip


def fibonacci(n):
    return lax.while_loop(
        lambda c: c[0] < n,
        lambda c: (c[0] + 1, c[2], c[1] + c[2]),
        (jnp.int32(0), jnp.int32(0), jnp.int32(1)),
    )


def cell(w):
    return lambda h, x: ((h := jnp.tanh(x @ w + h)), h * 2)


CONTROL = {
    "scan": (lambda w, x: lax.scan(cell(w), jnp.zeros(4), x), normal(4, 4), normal(5, 4)), "scan reverse": (lambda w, x: lax.scan(cell(w), jnp.zeros(4), x, reverse=True), normal(4, 4), normal(5, 4)), "scan of nothing": (lambda x: lax.scan(lambda c, _: (c * 1.5, c.sum()), x, None, length=3), F), "scan in scan": (lambda x: lax.scan(lambda c, row: lax.scan(lambda d, y: (d + y, d * y), c, row), 0.0, x), F), "scan without ys": (lambda x: lax.scan(lambda c, y: (c + y, None), jnp.zeros(4), x)[0], F), "scan unchanged": (lambda x: lax.scan(lambda c, y: (c, y), x[0], x), F), "scan twice": (lambda x: lax.scan(lambda c, y: (c + y, (c, c)), x[0], x), F), "map": (lambda x: lax.map(lambda r: r / r.sum(), P), F),
    "while": (fibonacci, np.int32(9)), "while never": (fibonacci, np.int32(0)), "fori": (lambda x: lax.fori_loop(0, 4, lambda i, c: c * 0.5 + i, x), F), "fori dynamic": (lambda x, n: lax.fori_loop(0, n, lambda i, c: c + x[i], jnp.zeros(4)), F, np.int32(2)), "while mapped": (jax.vmap(fibonacci), np.array([3, 7], np.int32)),
    "cond true": (lambda p, x: lax.cond(p, jnp.sin, lambda y: y.sum() + y, x), np.bool_(True), F), "cond false": (lambda p, x: lax.cond(p, jnp.sin, lambda y: y.sum() + y, x), np.bool_(False), F), "cond same": (lambda p, x: lax.cond(p, lambda y: y, lambda y: y, x), np.bool_(False), F), "cond constant": (lambda p, x: lax.cond(p, lambda y: 1.0, lambda y: 2.0, x), np.bool_(False), F),
    "switch 0": (lambda i, x: lax.switch(i, [jnp.sin, jnp.cos, jnp.tanh], x), np.int32(0), F), "switch 1": (lambda i, x: lax.switch(i, [jnp.sin, jnp.cos, jnp.tanh], x), np.int32(1), F), "switch 9": (lambda i, x: lax.switch(i, [jnp.sin, jnp.cos, jnp.tanh], x), np.int32(9), F),
    "remat": (jax.checkpoint(lambda x: jnp.sin(jnp.cos(x))), F), "jit": (jax.jit(lambda x: jnp.sin(x) * 2), F), "custom_jvp": (jax.nn.relu, F), "custom_vjp": (lambda x: clipped(x), F), "associative_scan": (lambda x: lax.associative_scan(jnp.add, x), normal(7)),
}  # fmt: skip


@jax.custom_vjp
def clipped(x):
    return jnp.clip(x, -1, 1)


clipped.defvjp(lambda x: (clipped(x), None), lambda _, g: (g,))

NETWORKS = {
    "softmax": (jax.nn.softmax, F), "log_softmax": (jax.nn.log_softmax, F), "gelu": (jax.nn.gelu, F), "gelu exact": (lambda x: jax.nn.gelu(x, approximate=False), F), "silu": (jax.nn.silu, F), "softplus": (jax.nn.softplus, F), "elu": (jax.nn.elu, F), "leaky_relu": (jax.nn.leaky_relu, F), "logsumexp": (lambda x: jax.nn.logsumexp(x, axis=1), F), "hard_swish": (jax.nn.hard_swish, F), "mish": (jax.nn.mish, F), "selu": (jax.nn.selu, F), "glu": (jax.nn.glu, F), "logaddexp": (jnp.logaddexp, F, G),
    "variance": (lambda x: x.var(0), F), "norm": (lambda x: x / jnp.linalg.norm(x, axis=1, keepdims=True), F), "median": (lambda x: jnp.median(x, axis=1), F), "percentile": (lambda x: jnp.percentile(x, 30.0), F), "interp": (lambda x: jnp.interp(x, jnp.linspace(-2, 2, 5), jnp.arange(5.0)), F.ravel()), "searchsorted": (lambda x: jnp.searchsorted(jnp.linspace(-2, 2, 5), x), F.ravel()), "nan_to_num": (jnp.nan_to_num, EXTREME), "resize": (lambda x: jax.image.resize(x, (6, 8), "nearest"), F), "triu": (jnp.triu, F), "polyval": (lambda x: jnp.polyval(jnp.array([1.0, -2.0, 3.0]), x), F), "gradient": (lambda x: jax.grad(lambda y: (jnp.sin(y) ** 2).sum())(x), F), "hessian": (jax.hessian(lambda y: (jnp.sin(y) ** 2).sum()), normal(3)),
}  # fmt: skip

ALL = {
    **ROWS,
    **{f"conv {k}": v for k, v in CONVOLUTIONS.items()},
    **{f"index {k}": v for k, v in INDEXING.items()},
    **CONTROL,
    **NETWORKS,
}


@pytest.mark.parametrize(("f", "inputs"), [(f, inputs) for f, *inputs in ALL.values()], ids=ALL)
def test_the_file_computes_what_jax_computes(f, inputs, tmp_path):
    compared(f, None, tuple(inputs), tmp_path)


# other releases' names, or equations that only a mesh, a device or a symbolic size brings
ELSEWHERE = """
add_any call_hi_primitive closed_call checkpoint copy_p core_call core_closed_call custom_lin custom_vjp_call_jaxpr
device_put dim_as_value eq_to expand_dims jit layout_constraint le_to lt_to mesh_cast pjit polynomial pvary
remat remat2 reshard scatter-add scatter-max scatter-min scatter-mul scatter_add scatter_max scatter_min scatter_mul
sharding_constraint tile unstack
""".split()  # noqa: SIM905


def primitives(jaxpr):
    for eqn in jaxpr.eqns:
        yield eqn.primitive.name
        for inner in compat.inner_jaxprs(eqn.params):
            yield from primitives(inner.jaxpr)


def test_each_primitive_has_a_row():
    seen = {name for f, *inputs in ALL.values() for name in primitives(jax.make_jaxpr(f)(*inputs).jaxpr)}
    assert set(supported()) - seen - set(ELSEWHERE) == set()
