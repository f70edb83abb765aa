"""Eager named operations against the raw `jax.numpy` line a good user would write, and against the peers.

All are timed side by side in one process, in turns; what counts is the median of the ratios to raw.
Peers are measured where they are installed: ``pip install --pre marin-haliax penzai xarray``.
Run: python benchmarks/named_eager.py
"""

import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
from peers import PEERS

import namedtensor as nt

ROUNDS, CALLS, PEER_CALLS = 41, 200, 20


def by_hand(x: jax.Array) -> jax.Array:
    """Standardize in the lines that most code bases have."""
    mean = jnp.mean(x, axis=-1, keepdims=True)
    variance = jnp.mean(jnp.square(x - mean), axis=-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5)


def unit(t: jax.Array) -> jax.Array:
    """A positional function to lift."""
    return t / jnp.sqrt(t @ t)


x = nt.random.normal(jax.random.key(0), "batch:8 seq:16 embed:64")
b, w = nt.random.normal(jax.random.key(1), "embed:64"), nt.random.normal(jax.random.key(2), "embed:64 ff:64")
y = x.order("embed seq batch")
X, B, W, Y = x.array, b.array, w.array, y.array
lifted, mapped = nt.lift(unit, "embed"), jax.jit(jax.vmap(jax.vmap(unit)))

CASES: dict[str, tuple[Callable, Callable]] = {
    "add": (lambda: x + x, lambda: X + X),
    "bias add": (lambda: x + b, lambda: X + B),
    "reordered add": (lambda: x + y, lambda: X + jnp.transpose(Y, (2, 1, 0))),
    "scale": (lambda: x * 2.0, lambda: X * 2.0),
    "exp": (lambda: nt.exp(x), lambda: jnp.exp(X)),
    "dot": (lambda: x.dot("embed", w), lambda: X @ W),
    "softmax": (lambda: x.softmax("embed"), lambda: jax.nn.softmax(X, axis=-1)),
    "mean": (lambda: x.mean("embed"), lambda: jnp.mean(X, axis=-1)),
    "transpose": (lambda: x.order("embed seq batch"), lambda: jnp.transpose(X, (2, 1, 0))),
    "standardize": (lambda: x.standardize("embed"), lambda: jax.nn.standardize(X, axis=-1)),
    "standardize, by hand": (lambda: x.standardize("embed"), lambda: by_hand(X)),
    "lift": (lambda: lifted(x), lambda: mapped(X)),
}


def microseconds(call: Callable, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        out = call()
    jax.block_until_ready(out)
    return (time.perf_counter() - start) / calls * 1e6


def main() -> None:
    peers = {name: make(X, B, W) for name, make in PEERS.items()}
    print(f"jax {jax.__version__}, {jax.devices()[0].platform}, x is f32[batch:8 seq:16 embed:64]")
    print(f"{'operation':22}{'named us':>9}{'raw us':>9}{'ratio':>7}", *(f"{p:>9}" for p in peers))
    for name, (named, raw) in CASES.items():
        calls = [(named, CALLS), (raw, CALLS)]
        calls += [(peer[name], PEER_CALLS) for peer in peers.values() if name in peer]
        for call, _ in calls:
            call()  # compiles
        rounds = [[microseconds(call, n) for call, n in calls] for _ in range(ROUNDS)]
        medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
        ratios = [statistics.median(row[i] / row[1] for row in rounds) for i in range(len(calls))]
        theirs = iter(ratios[2:])
        shown = [f"{next(theirs):9.1f}" if name in peer else f"{'-':>9}" for peer in peers.values()]
        print(f"{name:22}{medians[0]:9.2f}{medians[1]:9.2f}{ratios[0]:7.2f}", *shown)


if __name__ == "__main__":
    main()
