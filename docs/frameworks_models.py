"""The small CNN in each framework, as the page shows it, with the weights of the hand-written one.

Run: python docs/frameworks.py, which checks them and writes docs/frameworks.md
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import namedtensor as nt

RNG = np.random.default_rng(8)
X, BASELINES = RNG.normal(size=(2, 2, 4, 4, 1)).astype(np.float32)
KERNEL, HEAD = (
    RNG.normal(size=(3, 3, 1, 2)).astype(np.float32),
    RNG.normal(size=(32, 3)).astype(np.float32) / 4,
)
CONV_BIAS, HEAD_BIAS = RNG.normal(size=2).astype(np.float32), RNG.normal(size=3).astype(np.float32)
SCALE, SHIFT, MEAN = RNG.normal(size=(3, 2)).astype(np.float32)
VAR = RNG.uniform(0.5, 2, size=2).astype(np.float32)


def cnn(params, stats, x):
    dims = ("NHWC", "HWIO", "NHWC")
    h = jax.lax.conv_general_dilated(x, params["conv"], (1, 1), "SAME", dimension_numbers=dims)
    h = nt.tap(h + params["conv_bias"], "conv")
    h = (h - stats["mean"]) / jnp.sqrt(stats["var"] + 1e-5)
    h = nt.tap(h * params["scale"] + params["shift"], "norm")
    h = jax.nn.relu(h).reshape(x.shape[0], -1)
    return nt.tap(h @ params["head"] + params["head_bias"], "head")


class NnxCnn(nnx.Module):
    def __init__(self, rngs):
        self.conv = nnx.Conv(1, 2, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(2, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)
        self.head = nnx.Linear(32, 3, rngs=rngs)

    def __call__(self, x):
        x = self.drop(nnx.relu(self.norm(self.conv(x))))
        return self.head(x.reshape(x.shape[0], -1))


class LinenCnn(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        x = nn.Conv(2, (3, 3), name="conv")(x)
        x = nn.relu(nn.BatchNorm(not train, name="norm")(x))
        x = nn.Dropout(0.5, deterministic=not train)(x)
        return nn.Dense(3, name="head")(x.reshape(x.shape[0], -1))


class EquinoxCnn(eqx.Module):
    conv: eqx.nn.Conv2d
    norm: eqx.nn.BatchNorm
    drop: eqx.nn.Dropout
    head: eqx.nn.Linear

    def __init__(self, key):
        self.conv = eqx.nn.Conv2d(1, 2, 3, padding="SAME", key=key)
        self.norm = eqx.nn.BatchNorm(2, "batch", mode="batch")
        self.drop = eqx.nn.Dropout(0.5)
        self.head = eqx.nn.Linear(32, 3, key=key)

    def __call__(self, x, state):
        x, state = self.norm(self.conv(x), state)
        return self.head(self.drop(jax.nn.relu(x)).reshape(-1)), state


def haiku_cnn(x, is_training):
    x = hk.Conv2D(2, 3, name="conv")(x)
    x = jax.nn.relu(hk.BatchNorm(True, True, 0.9, name="norm")(x, is_training))
    x = hk.dropout(hk.next_rng_key(), 0.5, x) if is_training else x
    return hk.Linear(3, name="head")(x.reshape(x.shape[0], -1))


# with the weights of the hand-written one


def by_hand_weights() -> tuple[Any, Any]:
    """Parameters and statistics, with an axis for each that they are added to."""
    row = lambda v: v.reshape(1, 1, 1, 2)  # noqa: E731
    params = {
        "conv": KERNEL,
        "conv_bias": row(CONV_BIAS),
        "scale": row(SCALE),
        "shift": row(SHIFT),
        "head": HEAD,
        "head_bias": HEAD_BIAS.reshape(1, 3),
    }
    return jax.tree.map(jnp.asarray, (params, {"mean": row(MEAN), "var": row(VAR)}))


def nnx_model() -> Any:
    """With statistics that training would have left."""
    model = NnxCnn(nnx.Rngs(0))
    for variable, value in (
        (model.conv.kernel, KERNEL), (model.conv.bias, CONV_BIAS), (model.head.kernel, HEAD), (model.head.bias, HEAD_BIAS),
        (model.norm.scale, SCALE), (model.norm.bias, SHIFT), (model.norm.mean, MEAN), (model.norm.var, VAR),
    ):  # fmt: skip
        variable[...] = jnp.asarray(value)
    return model


def linen_variables() -> Any:
    """Parameters and statistics."""
    norm, head = {"scale": SCALE, "bias": SHIFT}, {"kernel": HEAD, "bias": HEAD_BIAS}
    params = {"conv": {"kernel": KERNEL, "bias": CONV_BIAS}, "norm": norm, "head": head}
    return jax.tree.map(jnp.asarray, {"params": params, "batch_stats": {"norm": {"mean": MEAN, "var": VAR}}})


def equinox_model() -> tuple[Any, Any]:
    """Equinox has the channels in front, so its head reads them in another order."""
    model, state = eqx.nn.make_with_state(EquinoxCnn)(jax.random.key(0))
    head = HEAD.reshape(4, 4, 2, 3).transpose(3, 2, 0, 1).reshape(3, 32)
    where = lambda m: [m.conv.weight, m.conv.bias, m.norm.weight, m.norm.bias, m.head.weight, m.head.bias]  # noqa: E731
    values = [KERNEL.transpose(3, 2, 0, 1), CONV_BIAS.reshape(2, 1, 1), SCALE, SHIFT, head, HEAD_BIAS]
    state = state.set(model.norm.batch_state_index, (jnp.asarray(MEAN), jnp.asarray(VAR)))
    return eqx.tree_at(where, model, [jnp.asarray(v) for v in values]), state


def haiku_weights() -> tuple[Any, Any]:
    """Parameters and state, as ``net.init`` returns them."""
    row = lambda v: jnp.asarray(v).reshape(1, 1, 1, 2)  # noqa: E731
    norm, head = (
        {"scale": row(SCALE), "offset": row(SHIFT)},
        {"w": jnp.asarray(HEAD), "b": jnp.asarray(HEAD_BIAS)},
    )
    params = {"conv": {"w": jnp.asarray(KERNEL), "b": jnp.asarray(CONV_BIAS)}, "norm": norm, "head": head}
    ema = lambda v: {"average": row(v), "hidden": row(v), "counter": jnp.asarray(1)}  # noqa: E731
    return params, {"norm/~/mean_ema": ema(MEAN), "norm/~/var_ema": ema(VAR)}


# how one writes it


@dataclass(frozen=True)
class Framework:
    """A column of the table, and a section of the page.

    Attributes:
      title: its name.
      model: the source of the model.
      imports: what its code needs.
      given: what the user has already.
      lines: what she writes; they define ``f``, and ``apply`` of ``weights``.
      compiled: the model as the framework compiles it.
      names: patterns for the axes of its weights.
      channels_first: where its channels are.
      note: what to know.
    """

    title: str
    model: Any
    imports: str
    given: Callable[[], dict[str, Any]]
    lines: str
    compiled: str
    names: dict[str, str]
    note: str
    channels_first: bool = False


FLAX = {
    "head/kernel": "pixel class",
    "head/bias": "class",
    "conv/kernel": "h w in out",
    "conv/bias": "out",
    "norm/*": "out",
}
FRAMEWORKS = {
    "plain function": Framework(
        "Plain functions", cnn, "", lambda: dict(zip(("weights", "stats"), by_hand_weights(), strict=True)) | {"cnn": cnn},
        "apply = lambda weights, x: cnn(weights, stats, x)\nf = functools.partial(apply, weights)",
        "jax.jit(f)",
        {"conv": "h w in out", "head": "pixel class", "head_bias": "one class", "*": "a b c out"},
        "Places are what `nt.tap` names, and `jax.named_scope`.",
    ),
    "flax nnx": Framework(
        "flax nnx", NnxCnn, "from flax import nnx", lambda: {"model": nnx_model()},
        "model.eval()  # statistics are used, dropout is off\n"
        "f = model\n"
        "graph, weights, rest = nnx.split(model, nnx.Param, ...)\n"
        "apply = lambda weights, x: nnx.merge(graph, weights, rest)(x)",
        "functools.partial(nnx.jit(lambda model, x: model(x), graph_updates=False), model)",
        FLAX,
        "`nnx.jit` takes the model as an argument and writes updates back into it, which flax refuses inside of another "
        "trace: with `graph_updates=False`, or `jax.jit`, nothing is written.",
    ),
    "flax linen": Framework(
        "flax linen", LinenCnn, "import flax.linen as nn", lambda: {"variables": linen_variables(), "LinenCnn": LinenCnn},
        "f = functools.partial(LinenCnn().apply, variables)\n"
        "apply = lambda weights, x: LinenCnn().apply(variables | {\"params\": weights}, x)\n"
        "weights = variables[\"params\"]",
        "functools.partial(jax.jit(LinenCnn().apply), variables)",
        FLAX,
        "`nn.compact` names layers `Conv_0`, `Dense_1` where the model does not.",
    ),
    "equinox": Framework(
        "equinox", EquinoxCnn, "import equinox as eqx", lambda: dict(zip(("model", "state"), equinox_model(), strict=True)),
        "model = eqx.nn.inference_mode(model)\n"
        "each = lambda m, x: jax.vmap(m, axis_name=\"batch\", in_axes=(0, None), out_axes=(0, None))(x, state)[0]\n"
        "f = functools.partial(each, model)\n"
        "weights, rest = eqx.partition(model, eqx.is_inexact_array)\n"
        "apply = lambda weights, x: each(eqx.combine(weights, rest), x)",
        "eqx.Partial(eqx.filter_jit(each), model)",
        {"conv/weight": "out in h w", "conv/bias": "out one one'", "norm/*": "out", "head/weight": "class pixel", "head/bias": "class"},
        "Its modules take one example, with the channels in front: `jax.vmap` makes the batch.",
        channels_first=True,
    ),
    "haiku": Framework(
        "haiku", haiku_cnn, "import haiku as hk", lambda: {**dict(zip(("weights", "state"), haiku_weights(), strict=True)), "haiku_cnn": haiku_cnn},
        "net = hk.without_apply_rng(hk.transform_with_state(haiku_cnn))\n"
        "apply = lambda weights, x: net.apply(weights, state, x, is_training=False)[0]\n"
        "f = functools.partial(apply, weights)",
        "jax.jit(f)",
        {"conv/w": "h w in out", "conv/b": "out", "norm/*": "a b c out", "head/w": "pixel class", "head/b": "class"},
        "Places are the keys of the parameters, `cnn/~/conv2_d`, and the scopes `cnn/conv2_d`.",
    ),
}  # fmt: skip


def written(framework: Framework) -> dict[str, Any]:
    """The names after what the user writes."""
    there = {"functools": functools, "jax": jax, "nnx": nnx, "eqx": eqx, "hk": hk, **framework.given()}
    exec(framework.lines, there)
    there["compiled"] = eval(framework.compiled, there)
    return there
