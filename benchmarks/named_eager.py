"""Eager named operations against the raw `jax.numpy` line a good user would write.

Both are timed side by side in one process, in turns; what counts is the median of the ratios.
Run: python benchmarks/named_eager.py
"""

import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp

import namedtensor as nt

ROUNDS, CALLS = 41, 200

x = nt.random.normal(jax.random.key(0), "batch:8 seq:16 embed:64")
b, w = nt.random.normal(jax.random.key(1), "embed:64"), nt.random.normal(jax.random.key(2), "embed:64 ff:64")
y = x.order("embed seq batch")
X, B, W, Y = x.array, b.array, w.array, y.array

CASES: dict[str, tuple[Callable, Callable]] = {
    "add": (lambda: x + x, lambda: X + X),
    "bias add": (lambda: x + b, lambda: X + B),
    "reordered add": (lambda: x + y, lambda: X + jnp.transpose(Y, (2, 1, 0))),
    "scale": (lambda: x * 2.0, lambda: X * 2.0),
    "exp": (lambda: nt.exp(x), lambda: jnp.exp(X)),
    "dot": (lambda: x.dot("embed", w), lambda: X @ W),
    "softmax": (lambda: x.softmax("embed"), lambda: jax.nn.softmax(X, axis=-1)),
    "mean": (lambda: x.mean("embed"), lambda: jnp.mean(X, axis=-1)),
    "standardize": (lambda: x.standardize("embed"), lambda: jax.nn.standardize(X, axis=-1)),
}


def microseconds(call: Callable) -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        out = call()
    jax.block_until_ready(getattr(out, "array", out))
    return (time.perf_counter() - start) / CALLS * 1e6


def main() -> None:
    print(f"jax {jax.__version__}, {jax.devices()[0].platform}, x is f32[batch:8 seq:16 embed:64]")
    print(f"{'operation':16} {'named us':>9} {'raw us':>9} {'ratio':>7}")
    for name, (named, raw) in CASES.items():
        named(), raw()  # compiles
        pairs = [(microseconds(named), microseconds(raw)) for _ in range(ROUNDS)]
        ratio = statistics.median(n / r for n, r in pairs)
        n, r = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"{name:16} {n:9.2f} {r:9.2f} {ratio:7.2f}")


if __name__ == "__main__":
    main()
