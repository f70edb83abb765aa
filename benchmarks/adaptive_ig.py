"""Is the error of adaptive integrated gradients honest, and what does it cost?

Random networks with random inputs and random baselines, in float64. The true error is the relative L1
distance to 4000 points of the midpoint rule; a run is honest if that is at most twice the estimate.
Beside it the true error of 50 Gauss-Legendre points, which is what Captum takes for all of them.

    python benchmarks/adaptive_ig.py --networks 200
"""

import argparse
import functools
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite import IntegratedGradients

SIDE, CHANNELS, CLASSES, REFERENCE = 8, 6, 5, 4000
TOLERANCES = (3e-2, 1e-2, 1e-3)
Params = dict[str, Any]


def mlp(params: Params, x: Any, *, act: Callable[[Any], Any]) -> Any:
    """Images ``[batch, 64]`` through three layers."""
    for w, b in params["layers"][:-1]:
        x = act(x @ w + b[None])
    w, b = params["layers"][-1]
    return x @ w + b[None]


def cnn(params: Params, x: Any, *, act: Callable[[Any], Any], pool: str) -> Any:
    """Two convolutions with pooling, then a layer."""
    x = x.reshape(-1, SIDE, SIDE, 1)
    for kernel, b in params["kernels"]:
        x = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        x = act(x + b[None, None, None])
        cut = x.reshape(x.shape[0], x.shape[1] // 2, 2, x.shape[2] // 2, 2, x.shape[3])
        x = cut.max((2, 4)) if pool == "max" else cut.mean((2, 4))
    w, b = params["head"]
    return x.reshape(x.shape[0], -1) @ w + b[None]


def attention(params: Params, x: Any) -> Any:
    """One block of attention over the rows of the image, with layer norm, a residual and gelu."""
    x = x.reshape(-1, SIDE, SIDE)
    normed = (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-2)
    q, k, v = (normed @ params[name] for name in "qkv")
    weights = jax.nn.softmax(jnp.einsum("bid,bjd->bij", q, k) / SIDE**0.5)
    x = x + weights @ v
    w, b = params["head"]
    return jax.nn.gelu(x.reshape(x.shape[0], -1) @ params["up"]) @ w + b[None]


def saturated(params: Params, x: Any, *, body: Callable[..., Any]) -> Any:
    """Probabilities of logits that are tens apart."""
    return jax.nn.softmax(params["gain"] * body(params, x))


def random_params(rng: np.random.Generator) -> Params:
    """Weights for all of them, of random sizes around He's."""
    scale = rng.uniform(0.7, 1.8)

    def draw(*shape: int) -> Any:
        return jnp.asarray(rng.normal(size=shape) * scale * np.sqrt(2 / np.prod(shape[:-1])))

    def bias(n: int) -> Any:
        return jnp.asarray(0.3 * rng.normal(size=n))

    n = SIDE * SIDE
    return {
        "layers": [(draw(n, 32), bias(32)), (draw(32, 24), bias(24)), (draw(24, CLASSES), bias(CLASSES))],
        "kernels": [(draw(3, 3, 1, CHANNELS), bias(CHANNELS)), (draw(3, 3, CHANNELS, 8), bias(8))],
        "head": (draw((SIDE // 4) ** 2 * 8, CLASSES), bias(CLASSES)),
        **{name: draw(SIDE, SIDE) for name in "qkv"},
        "up": draw(n, 32),
        "gain": jnp.asarray(rng.uniform(5, 20)),
    }


relu_mlp = functools.partial(mlp, act=jax.nn.relu)
gelu_mlp = functools.partial(mlp, act=jax.nn.gelu)
relu_cnn = functools.partial(cnn, act=jax.nn.relu, pool="max")
NETWORKS: dict[str, dict[str, Callable[..., Any]]] = {
    "smooth": {
        "tanh": functools.partial(mlp, act=jnp.tanh),
        "gelu": gelu_mlp,
        "gelu, convolutions": functools.partial(cnn, act=jax.nn.gelu, pool="mean"),
        "attention": attention,
    },
    "kinked": {
        "relu": relu_mlp,
        "relu, max-pool": relu_cnn,
        "relu, mean-pool": functools.partial(cnn, act=jax.nn.relu, pool="mean"),
        "tanh, max-pool": functools.partial(cnn, act=jnp.tanh, pool="max"),
    },
    "softmax, saturated": {
        "of gelu": functools.partial(saturated, body=gelu_mlp),
        "of relu": functools.partial(saturated, body=relu_mlp),
        "of relu, max-pool": functools.partial(saturated, body=relu_cnn),
        "of attention": functools.partial(saturated, body=attention),
    },
}


class Run(NamedTuple):
    """A run to a tolerance: its evaluations, its estimate, whether it got there, and the true error."""

    evaluations: int
    estimate: float
    finished: bool
    error: float


class Question(NamedTuple):
    """A network, an input, a baseline of another class, and the input's class."""

    method: IntegratedGradients
    x: Any
    b: Any
    target: int


def question(fun: Callable[..., Any], rng: np.random.Generator) -> Question:
    """One at random.

    (A saturated output that is 1 at both ends is 1 all the way, and its gradient is rounding.)
    """
    while True:
        params = random_params(rng)
        x, b = rng.normal(size=(2, 1, SIDE * SIDE))
        at_input, at_baseline = (int(np.asarray(fun(params, v)).argmax()) for v in (x, b))
        if at_input != at_baseline:
            return Question(IntegratedGradients(functools.partial(fun, params)), x, b, at_input)


def total_error(found: Any, exact: Any) -> float:
    """The relative L1 distance."""
    return float(abs(found - exact).sum() / abs(exact).sum())


def runs_of(fun: Callable[..., Any], rng: np.random.Generator, max_evals: int) -> Iterator[tuple[str, Run]]:
    """One network: the tolerances, one after another on the same path, then 50 fixed points."""
    method, x, b, target = question(fun, rng)
    exact = method.attribute(
        x, b, target, n_steps=REFERENCE, method="riemann_middle", internal_batch_size=REFERENCE // 4
    )
    path = method.path(x, b, target)
    for rtol in TOLERANCES:
        record = path.explain(rtol=rtol, max_evals=max_evals)
        yield (
            f"{rtol:g}",
            Run(
                record.evaluations["gradient"],
                float(record.error[0]),
                record.status == "converged",
                total_error(record.attributions, exact),
            ),
        )
    fixed = method.attribute(x, b, target, n_steps=50)
    yield "50 fixed", Run(50, float("nan"), True, total_error(fixed, exact))


def row(name: str, rtol: str, runs: list[Run], default: int = 256) -> str:
    """A line of the table."""
    done = [r for r in runs if r.finished]
    errors = [r.error for r in done] or [float("nan")]
    honest = "-" if rtol == "50 fixed" else f"{np.mean([r.error <= 2 * r.estimate for r in done]):.1%}"
    within = np.mean([r.finished and r.evaluations <= default for r in runs])
    cells = (
        name,
        rtol,
        f"{np.median([r.evaluations for r in runs]):.0f}",
        f"{np.median(errors):.1e}",
        f"{np.percentile(errors, 90):.1e}",
        honest,
        f"{within:.0%}",
        f"{len(done) / len(runs):.0%}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-evals", type=int, default=1024)
    parser.add_argument("--by-network", action="store_true", help="a row for each kind of network")
    options = parser.parse_args()
    kinds = [(group, name, jax.jit(f)) for group, some in NETWORKS.items() for name, f in some.items()]
    table: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for i in range(options.networks):
        group, name, fun = kinds[i % len(kinds)]
        label = f"{group}: {name}" if options.by_network else group
        for rtol, run in runs_of(fun, np.random.default_rng([options.seed, i]), options.max_evals):
            table[label, rtol].append(run)
    print("| network | tolerance | evaluations, median | true error, median | 90 % | honest", end="")
    print(f" | finished in 256 | in {options.max_evals} |\n|---|---|---|---|---|---|---|---|")
    for (label, rtol), runs in sorted(table.items(), key=lambda kv: kv[0][0]):
        print(row(label, rtol, runs))


if __name__ == "__main__":
    with jax.enable_x64(True):
        main()
