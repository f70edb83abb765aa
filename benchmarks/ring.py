"""Exact products modulo 2 ** 64 against float64 products of the same shape, and other integer products.

The shapes are those of two large products and of the layers of a ResNet-18 for images of 32 pixels, one at a
time, whose windows are laid out for a matrix product. All are timed in turns in one process, after a rest. A
column says how many billion multiply-adds a second in the shortest time; the ratio is that of the shortest
times, and in brackets the median of the ratios in turns. Torch is measured where it is installed, random
numbers where cryptography is.

Run: python benchmarks/ring.py [--rounds 25] [--peers 3]
"""

import argparse
import importlib.util
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from crypten_lite.convolutions import Geometry, convolve
from crypten_lite.prg import Generator
from crypten_lite.products import product

SHAPES = {  # terms, rows, columns
    "512 x 512 x 512": (512, 512, 512),
    "1024 x 1024 x 1024": (1024, 1024, 1024),
    "ResNet-18, stem": (27, 64, 1024),
    "layer 1": (576, 64, 1024),
    "layer 2, first": (576, 128, 256),
    "layer 2": (1152, 128, 256),
    "layer 3": (2304, 256, 64),
    "layer 4": (4608, 512, 16),
    "layer 4, 8 images": (4608, 512, 128),
    "perceptron, 32 rows": (784, 32, 256),
}
CONVOLUTIONS = {  # images, kernels
    "layer 1": ((1, 64, 32, 32), (64, 64, 3, 3)),
    "layer 2": ((1, 128, 16, 16), (128, 128, 3, 3)),
    "layer 3": ((1, 256, 8, 8), (256, 256, 3, 3)),
    "layer 4": ((1, 512, 4, 4), (512, 512, 3, 3)),
}
REST = 0.02  # seconds: the threads of a float64 product stay busy for a while
Ways = dict[str, Callable[[], Any]]


def ways(a: np.ndarray, b: np.ndarray) -> tuple[Ways, Ways]:
    """The products that are compared, and those that take long."""
    floats = [np.ascontiguousarray(x.T if x is a else x).astype(np.float64) for x in (a, b)]
    fast: Ways = {"float64": lambda: floats[0] @ floats[1], "ring": lambda: product(a, b)}
    rows = np.ascontiguousarray(a.T)
    if importlib.util.find_spec("torch"):
        import torch  # pyright: ignore[reportMissingImports]

        matrices = [torch.from_numpy(x.view(np.int64)) for x in (rows, b)]
        fast["torch"] = lambda: matrices[0] @ matrices[1]
    with jax.enable_x64(True):
        left, right, dot = jnp.asarray(rows), jnp.asarray(b), jax.jit(jnp.dot).lower(rows, b).compile()
    return fast, {"NumPy": lambda: rows @ b, "XLA": lambda: dot(left, right).block_until_ready()}


def seconds(call: Callable) -> float:
    time.sleep(REST)
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def in_turns(calls: Ways, rounds: int) -> dict[str, list[float]]:
    for call in calls.values():
        call()  # compiles
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(seconds(call))
    return times


def products(rounds: int, peer_rounds: int) -> None:
    rng = np.random.default_rng(0)
    print("| | terms, rows, columns | float64 | ring | ratio | NumPy | XLA | torch |\n" + "|---" * 8 + "|")
    for name, (k, m, n) in SHAPES.items():
        a, b = (rng.integers(0, 2**64, s, dtype=np.uint64) for s in ((k, m), (k, n)))
        fast, slow = ways(a, b)
        assert (fast["ring"]() == slow["NumPy"]()).all()
        times = in_turns(fast, rounds) | in_turns(slow, peer_rounds)
        turns = statistics.median(r / f for r, f in zip(times["ring"], times["float64"], strict=True))
        ratio = f"{min(times['ring']) / min(times['float64']):.1f} ({turns:.1f})"
        speed = {way: f"{k * m * n / min(t) / 1e9:.1f}" for way, t in times.items()}
        shown = [speed["float64"], speed["ring"], ratio, speed["NumPy"], speed["XLA"], speed.get("torch", "")]
        print(f"| {name} | {k}, {m}, {n} |", " | ".join(shown), "|")


def convolutions(rounds: int) -> None:
    rng = np.random.default_rng(0)
    print("\n| convolution | multiply-adds | ring, ms | features innermost, ms |\n|---|---|---|---|")
    same = Geometry((1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1))
    for name, (images, kernels) in CONVOLUTIONS.items():
        x, w = (rng.integers(0, 2**64, s, dtype=np.uint64) for s in (images, kernels))
        last = np.ascontiguousarray(w.transpose(2, 3, 1, 0)).transpose(3, 2, 0, 1)
        calls = {
            "first": lambda x=x, w=w: convolve(x, w, same),
            "last": lambda x=x, w=last: convolve(x, w, same),
        }
        first, last = (min(t) * 1e3 for t in in_turns(calls, rounds).values())
        print(f"| {name} | {w.size * images[2] * images[3] / 1e6:.1f} M | {first:.2f} | {last:.2f} |")


def randomness(rounds: int) -> None:
    generator = Generator.fresh()
    print("\n| random numbers, uint64 | GB/s |\n|---|---|")
    for count in (1000, 100_000, 4_000_000):
        calls = 4_000_000 // count

        def draw(count: int = count, calls: int = calls) -> None:
            for _ in range(calls):
                generator.draw((count,))

        print(f"| {count} | {calls * count * 8 / min(in_turns({'draw': draw}, rounds)['draw']) / 1e9:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--peers", type=int, default=3, help="rounds of the peers")
    options = parser.parse_args()
    print(f"jax {jax.__version__}, numpy {np.__version__}, {os.cpu_count()} cores, {jax.default_backend()}\n")
    products(options.rounds, options.peers)
    convolutions(options.rounds)
    if importlib.util.find_spec("cryptography"):
        randomness(options.rounds)


if __name__ == "__main__":
    main()
