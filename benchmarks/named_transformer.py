"""A 12-layer transformer with names against the same model in raw `jax.numpy`.

Tracing, the eager forward pass, the eager gradient, and both compiled; and what is compiled: FLOPs and
transposes. The raw model is what a good user would write: matrix products with ``@``, attention by two
einsums, `jax.nn` for softmax and gelu. haliax, penzai and xarray have no such model to call; their
operations are compared in `named_eager.py`.
Run: python benchmarks/named_transformer.py
"""

import functools
import re
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

import namedtensor as nt
from namedtensor.models import transformer

SIZES = transformer.Sizes(vocab=256, pos=16, embed=64, head=4, key=16, ff=256, layers=12)
BATCH, ROUNDS = 8, 15


def raw_params(params: dict) -> dict:
    """The same numbers as positional arrays, matrices as ``@`` wants them."""
    e, hk = SIZES.embed, SIZES.head * SIZES.key

    def block(p: dict) -> dict:
        a, m = p["attention"], p["mlp"]
        return {
            **{n: a[n].to_array("embed head key").reshape(e, hk) for n in ("query", "key", "value")},
            "out": a["out"].to_array("head key embed").reshape(hk, e),
            "norm1": (a["norm"]["scale"].array, a["norm"]["offset"].array),
            "norm2": (m["norm"]["scale"].array, m["norm"]["offset"].array),
            "up": (m["up"].to_array("embed ff"), m["up.bias"].array),
            "down": (m["down"].to_array("ff embed"), m["down.bias"].array),
        }

    return {
        "embedding": params["embedding"].to_array("vocab embed"),
        "positions": params["positions"].to_array("pos embed"),
        "norm": (params["norm"]["scale"].array, params["norm"]["offset"].array),
        "blocks": tuple(map(block, params["blocks"])),
    }


def raw_norm(x: Any, scale: Any, offset: Any) -> Any:
    mean = jnp.mean(x, axis=-1, keepdims=True)
    variance = jnp.mean(jnp.square(x - mean), axis=-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * scale + offset


def raw_attention(p: dict, x: Any) -> Any:
    batch, pos, _ = x.shape
    q, k, v = ((x @ p[n]).reshape(batch, pos, SIZES.head, SIZES.key) for n in ("query", "key", "value"))
    scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) * SIZES.key**-0.5
    scores = jnp.where(jnp.tril(jnp.ones((pos, pos), bool)), scores, jnp.finfo(scores.dtype).min)
    mixed = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores, axis=-1), v)
    return mixed.reshape(batch, pos, SIZES.head * SIZES.key) @ p["out"]


def attention_by_head(p: dict, x: Any) -> Any:
    """The same with heads as axes of the weights, as the named model stores them: einsum throughout."""
    pos, (e, h, k) = x.shape[1], (SIZES.embed, SIZES.head, SIZES.key)
    query, key, value = (
        jnp.einsum("bte,ehk->bthk", x, p[n].reshape(e, h, k)) for n in ("query", "key", "value")
    )
    scores = jnp.einsum("bqhd,bkhd->bhqk", query, key) * k**-0.5
    scores = jnp.where(jnp.tril(jnp.ones((pos, pos), bool)), scores, jnp.finfo(scores.dtype).min)
    mixed = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores, axis=-1), value)
    return jnp.einsum("bqhd,hde->bqe", mixed, p["out"].reshape(h, k, e))


def raw_apply(p: dict, ids: Any, attention: Callable = raw_attention) -> Any:
    x = p["embedding"][ids] + p["positions"][: ids.shape[1]]
    for b in p["blocks"]:
        x = x + attention(b, raw_norm(x, *b["norm1"]))
        hidden = jax.nn.gelu(raw_norm(x, *b["norm2"]) @ b["up"][0] + b["up"][1])
        x = x + (hidden @ b["down"][0] + b["down"][1])
    return raw_norm(x, *p["norm"]) @ p["embedding"].T


def raw_loss(p: dict, ids: Any, attention: Callable = raw_attention) -> Any:
    log_p = jax.nn.log_softmax(raw_apply(p, ids[:, :-1], attention))
    return -jnp.mean(jnp.take_along_axis(log_p, ids[:, 1:, None], axis=-1))


def trace(fun: Callable, *args: Any) -> Any:
    """A jaxpr made anew: JAX would return the one it keeps for ``fun`` itself."""
    return jax.make_jaxpr(lambda *args: fun(*args))(*args).jaxpr.eqns


def milliseconds(call: Callable) -> float:
    start = time.perf_counter()
    jax.block_until_ready(jax.tree.leaves(call()))
    return (time.perf_counter() - start) * 1e3


def compiled(fun: Callable, *args: Any) -> dict[str, float]:
    """FLOPs of the compiled program, and the transposes asked for and left after optimisation."""
    program = jax.jit(fun).lower(*args)
    text = program.as_text()
    executable = program.compile()
    return {
        "FLOPs": executable.cost_analysis()["flops"],
        "transposes written": len(re.findall(r"stablehlo\.transpose", text)),
        "transposes compiled": len(re.findall(r" transpose\(", executable.as_text())),
    }


def main() -> None:
    named = transformer.init(jax.random.key(0), SIZES)
    ids = nt.random.randint(jax.random.key(1), f"batch:{BATCH} pos:{SIZES.pos}", 0, SIZES.vocab)
    raw, raw_ids = raw_params(named), ids.to_array("batch pos")
    difference = jnp.abs(
        transformer.apply(named, ids).to_array("batch pos vocab") - raw_apply(raw, raw_ids)
    ).max()
    print(f"jax {jax.__version__}, {jax.devices()[0].platform}, {SIZES}, batch {BATCH}")
    print(f"largest difference of the logits: {difference:.1e}\n")

    apply, loss = transformer.apply, transformer.loss
    jitted = [jax.jit(f) for f in (apply, raw_apply, nt.value_and_grad(loss), jax.value_and_grad(raw_loss))]
    cases = {
        "trace": (lambda: trace(apply, named, ids), lambda: trace(raw_apply, raw, raw_ids)),
        "eager forward": (lambda: apply(named, ids), lambda: raw_apply(raw, raw_ids)),
        "eager value_and_grad": (
            lambda: nt.value_and_grad(loss)(named, ids),
            lambda: jax.value_and_grad(raw_loss)(raw, raw_ids),
        ),
        "jitted forward": (lambda: jitted[0](named, ids), lambda: jitted[1](raw, raw_ids)),
        "jitted value_and_grad": (lambda: jitted[2](named, ids), lambda: jitted[3](raw, raw_ids)),
    }
    print(f"{'':24}{'named ms':>10}{'raw ms':>10}{'ratio':>8}")
    for name, (mine, theirs) in cases.items():
        mine(), theirs()  # compiles
        pairs = [(milliseconds(mine), milliseconds(theirs)) for _ in range(ROUNDS)]
        ratio = statistics.median(m / t for m, t in pairs)
        m, t = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"{name:24}{m:10.2f}{t:10.2f}{ratio:8.2f}")

    print(f"\n{'':32}{'named':>14}{'raw':>14}{'raw by head':>14}")
    for what, columns in counts(named, ids).items():
        for measure in columns[0]:
            print(f"{what + ', ' + measure:32}" + "".join(f"{c[measure]:14.0f}" for c in columns))


def counts(named: dict, ids: nt.NamedTensor) -> dict[str, list[dict[str, float]]]:
    """What is compiled for the named model, the raw one, and the raw one with heads as axes."""
    raw, raw_ids = raw_params(named), ids.to_array("batch pos")
    by_head = {"attention": attention_by_head}
    forward = [functools.partial(raw_apply, **kind) for kind in ({}, by_head)]
    gradient = [jax.grad(functools.partial(raw_loss, **kind)) for kind in ({}, by_head)]
    return {
        "forward": [compiled(transformer.apply, named, ids), *(compiled(f, raw, raw_ids) for f in forward)],
        "gradient": [
            compiled(nt.grad(transformer.loss), named, ids),
            *(compiled(f, raw, raw_ids) for f in gradient),
        ],
    }


if __name__ == "__main__":
    main()
