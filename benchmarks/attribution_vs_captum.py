"""captum_lite on CPU against Captum: the same models, the same weights, in turns in one process.

Captum explains the model with its batch norms folded into the convolutions, in eager PyTorch, with whichever
internal batch is fastest for it; further columns are PyTorch with channels last and compiled. captum_lite
explains the same model written with the channels first, as a user of PyTorch would write it. Both have
as many threads as the machine has cores. Needs torch and captum beside this package.

Run: python benchmarks/attribution_vs_captum.py [--sizes 32 224] [--batches 1 8] [--rounds 3] [--eager]
"""

import argparse
import functools
import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import captum.attr as theirs
import jax
import jax.numpy as jnp
import numpy as np
import torch
from jax import lax
from torch import nn

import captum_lite as ours

warnings.filterwarnings("ignore")
torch.set_num_threads(os.cpu_count() or 1)
TARGET, WINDOWS = 3, {32: 4, 224: 32}
GOALS = {
    "Saliency": 1.4,
    "IG-50": 1.25,
    "SmoothGrad-20": 1.25,
    "DeepLift": 1.7,
    "GuidedBackprop": 1.5,
    "Occlusion": 1.3,
}

# -- the models, in PyTorch


class Block(nn.Module):
    """Two convolutions and a shortcut; every relu is a module, as Captum asks."""

    def __init__(self, before: int, width: int, stride: int):
        """Its parts."""
        super().__init__()
        self.first = nn.Conv2d(before, width, 3, stride, 1)
        self.second = nn.Conv2d(width, width, 3, 1, 1)
        self.shortcut = nn.Conv2d(before, width, 1, stride) if stride > 1 else None
        self.relus = nn.ModuleList([nn.ReLU(), nn.ReLU()])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.second(self.relus[0](self.first(x)))
        return self.relus[1](y + (x if self.shortcut is None else self.shortcut(x)))


class ResNet18(nn.Module):
    """With the stem for large images (7x7 of stride 2, and a pool), or the 3x3 one for small images."""

    def __init__(self, large: bool):
        """Its parts."""
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 7, 2, 3) if large else nn.Conv2d(3, 64, 3, 1, 1)
        self.relu, self.pool = nn.ReLU(), nn.MaxPool2d(3, 2, 1) if large else nn.Identity()
        places = [(s, 2 if s and not i else 1) for s in range(4) for i in range(2)]
        self.blocks = nn.Sequential(
            *[Block(64 * 2**s // (stride), 64 * 2**s, stride) for s, stride in places]
        )
        self.out = nn.Linear(512, 1000 if large else 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.blocks(self.pool(self.relu(self.stem(x)))).mean((2, 3)))


class Layer(nn.Module):
    """A transformer layer with the norms in front."""

    def __init__(self, size: int = 256, heads: int = 4):
        """Its parts."""
        super().__init__()
        self.heads, self.norms = heads, nn.ModuleList([nn.LayerNorm(size), nn.LayerNorm(size)])
        self.qkv, self.mix = nn.Linear(size, 3 * size), nn.Linear(size, size)
        self.up, self.down = nn.Linear(size, 4 * size), nn.Linear(4 * size, size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, n, d = x.shape
        q, k, v = self.qkv(self.norms[0](x)).reshape(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(q, k, v)
        x = x + self.mix(seen.transpose(1, 2).reshape(b, n, d))
        return x + self.down(nn.functional.gelu(self.up(self.norms[1](x))))


class Transformer(nn.Module):
    """Six layers, of embedded tokens ``[batch, 64, 256]``."""

    def __init__(self) -> None:
        """Its parts."""
        super().__init__()
        self.layers, self.out = nn.Sequential(*[Layer() for _ in range(6)]), nn.Linear(256, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.layers(x).mean(1))


# -- the same models in JAX, on PyTorch's own weights and axes


def conv(p: dict, name: str, x: Any, stride: int = 1) -> Any:
    weight, bias = p[f"{name}.weight"], p[f"{name}.bias"]
    margin = weight.shape[2] // 2
    return lax.conv_general_dilated(x, weight, (stride, stride), [(margin, margin)] * 2) + bias[:, None, None]


def dense(p: dict, name: str, x: Any) -> Any:
    return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def resnet(large: bool, p: dict, x: Any) -> Any:
    x = jax.nn.relu(conv(p, "stem", x, 2 if large else 1))
    if large:
        edges = [(0, 0), (0, 0), (1, 1), (1, 1)]
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 3, 3), (1, 1, 2, 2), edges)
    for i in range(8):
        name = f"blocks.{i}"
        stride = 2 if f"{name}.shortcut.weight" in p else 1
        y = conv(p, f"{name}.second", jax.nn.relu(conv(p, f"{name}.first", x, stride)))
        x = jax.nn.relu(y + (x if stride == 1 else conv(p, f"{name}.shortcut", x, stride)))
    return dense(p, "out", x.mean((2, 3)))


def layer_norm(p: dict, name: str, x: Any) -> Any:
    return jax.nn.standardize(x, epsilon=1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]


def transformer(p: dict, x: Any) -> Any:
    for i in range(6):
        name = f"layers.{i}"
        b, n, d = x.shape
        qkv = dense(p, f"{name}.qkv", layer_norm(p, f"{name}.norms.0", x)).reshape(b, n, 3, 4, d // 4)
        q, k, v = (qkv[:, :, j] for j in range(3))
        seen = jnp.einsum("bhnm,bmhd->bnhd", jax.nn.softmax(jnp.einsum("bnhd,bmhd->bhnm", q, k) / 8), v)
        x = x + dense(p, f"{name}.mix", seen.reshape(b, n, d))
        hidden = dense(p, f"{name}.up", layer_norm(p, f"{name}.norms.1", x))
        x = x + dense(p, f"{name}.down", jax.nn.gelu(hidden, approximate=False))
    return dense(p, "out", x.mean(1))


class Case(NamedTuple):
    """A model in both libraries, with its inputs."""

    name: str
    side: int | None
    net: nn.Module
    fun: Callable
    x: np.ndarray


def cases(sizes: list[int], batches: list[int]) -> Iterator[Case]:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    for side in sizes:
        net = ResNet18(side > 64).eval()
        for batch in batches:
            x = rng.normal(size=(batch, 3, side, side)).astype(np.float32)
            yield Case(
                f"ResNet-18, {side} px, batch {batch}", side, net, functools.partial(resnet, side > 64), x
            )
    net = Transformer().eval()
    for batch in batches:
        x = rng.normal(size=(batch, 64, 256)).astype(np.float32)
        yield Case(f"transformer, batch {batch}", None, net, transformer, x)


def weights(net: nn.Module) -> dict:
    return {k: jnp.asarray(v.detach().numpy()) for k, v in net.state_dict().items()}


# -- the methods, in both libraries


def our_calls(case: Case) -> dict[str, Callable[[], Any]]:
    fun, x = functools.partial(case.fun, weights(case.net)), jnp.asarray(case.x)
    options: dict[str, tuple[str, dict]] = {
        "Saliency": ("Saliency", {}),
        "IG-50": ("IntegratedGradients", {"n_steps": 50}),
        "SmoothGrad-20": ("SmoothGrad", {"nt_samples": 20, "stdevs": 0.1}),
    }
    if case.side:
        window = WINDOWS[case.side]
        slide = {"sliding_window_shapes": (3, window, window), "strides": (3, window, window)}
        options |= {"DeepLift": ("DeepLift", {}), "GuidedBackprop": ("GuidedBackprop", {})}
        options["Occlusion"] = ("Occlusion", slide)
    calls = {}
    for name, (method, given) in options.items():
        if hasattr(ours, method):
            explain = getattr(ours, method)(fun)
            calls[name] = lambda e=explain, g=given: np.asarray(e.attribute(x, target=TARGET, **g))
        else:
            print(f"{name}: captum_lite has no {method} yet")
    return calls


def their_calls(case: Case, net: nn.Module, x: torch.Tensor, *, hooks: bool) -> dict[str, list[Callable]]:
    """For each method the calls with several internal batches, of which the fastest counts."""
    batch = len(case.x)
    rows = [1, 2, 4] if case.side == 224 else [5, 10, 25, 50]
    path, gradient = theirs.IntegratedGradients(net), theirs.Saliency(net)
    noisy = theirs.NoiseTunnel(gradient)
    noise = {"nt_type": "smoothgrad", "nt_samples": 20, "stdevs": 0.1, "abs": False}
    several = [r for r in rows if case.side != 224 or r * batch <= 16]
    calls: dict[str, list[Callable]] = {
        "Saliency": [lambda: gradient.attribute(x, target=TARGET)],
        "IG-50": [
            lambda r=r: path.attribute(x, target=TARGET, internal_batch_size=r * batch) for r in several
        ],
        "SmoothGrad-20": [
            lambda r=r: noisy.attribute(x, target=TARGET, nt_samples_batch_size=min(r, 20), **noise)
            for r in several
        ],
    }
    if case.side and hooks:
        calls["DeepLift"] = [lambda: theirs.DeepLift(net).attribute(x, target=TARGET)]
        calls["GuidedBackprop"] = [lambda: theirs.GuidedBackprop(net).attribute(x, target=TARGET)]
    if case.side:
        window, occlusion = (3, *[WINDOWS[case.side]] * 2), theirs.Occlusion(net)
        slide = {"target": TARGET, "sliding_window_shapes": window, "strides": window}
        calls["Occlusion"] = [
            lambda r=r: occlusion.attribute(x, perturbations_per_eval=r, **slide) for r in several
        ]
    return calls


def variants(case: Case, eager_only: bool) -> dict[str, dict[str, list[Callable]]]:
    x = torch.tensor(case.x)
    out = {"eager": their_calls(case, case.net, x, hooks=True)}
    if eager_only:
        return out
    if case.side:
        other = type(case.net)(case.side > 64).eval()
        other.load_state_dict(case.net.state_dict())
        other = other.to(memory_format=torch.channels_last)
        last = x.contiguous(memory_format=torch.channels_last)
        out["channels last"] = their_calls(case, other, last, hooks=True)
    if len(case.x) == 1:
        # compiled code is for one batch, which rules out the methods that choose theirs
        compiled = torch.compile(case.net)
        out["compiled"] = {"Saliency": their_calls(case, compiled, x, hooks=False)["Saliency"]}
    return out


# -- comparing


def far(a: Any, b: Any) -> float:
    return float(np.abs(np.asarray(a) - np.asarray(b)).max() / np.abs(np.asarray(b)).max())


def check_equal(case: Case) -> str:
    """The outputs in float32; the gradient in float64, where no relu changes its sign by rounding."""
    with torch.no_grad():
        output = far(
            jax.jit(case.fun)(weights(case.net), jnp.asarray(case.x)), case.net(torch.tensor(case.x))
        )
    net = case.net.double()
    wanted = theirs.Saliency(net).attribute(torch.tensor(case.x[:1], dtype=torch.float64), target=TARGET)
    with jax.enable_x64(True):
        fun = functools.partial(case.fun, weights(net))
        found = ours.Saliency(fun).attribute(jnp.asarray(case.x[:1], np.float64), target=TARGET)
        gradient = far(found, wanted)
    case.net.float()
    if output > 1e-4 or gradient > 1e-10:
        raise AssertionError(f"{case.name}: the models differ, outputs by {output}, gradients by {gradient}")
    return f"outputs differ by {output:.0e}, gradients in float64 by {gradient:.0e}"


def seconds(call: Callable) -> float:
    """Of a call with the machine to itself: OpenMP's threads keep a core busy a while after their work."""
    time.sleep(0.02)
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def fastest(calls: list[Callable]) -> Callable:
    """Of calls that differ in their internal batch, after one round to warm up."""
    if len(calls) > 1:
        calls[0]()
    return min(calls, key=seconds)


def compare(
    mine: Callable, others: dict[str, Callable], rounds: int
) -> tuple[list[float], dict[str, list[float]]]:
    """Times in turns."""
    own, their = [], {k: [] for k in others}
    for _ in range(rounds):
        own.append(seconds(mine))
        for name, call in others.items():
            their[name].append(seconds(call))
    return own, their


def report(case: Case, arguments: argparse.Namespace) -> None:
    print(f"\n{case.name}: {check_equal(case)}", flush=True)
    print("| method | goal | ours, ms | eager, ms | ratio min / median | other columns: ratio of min |")
    print("|---|---|---|---|---|---|", flush=True)
    calls, peers = our_calls(case), variants(case, arguments.eager)
    for method, mine in calls.items():
        first = seconds(mine)
        chosen = {}
        for name, there in peers.items():
            try:
                if method in there:
                    chosen[name] = fastest(there[method])
                    chosen[name]()
            except Exception as error:
                print(f"{method}, {name}: {type(error).__name__}: {str(error).splitlines()[0][:90]}")
        once = seconds(mine)
        rounds = max(2, min(8 * arguments.rounds, int(arguments.seconds / max(once, 1e-3))))
        own, their = compare(mine, chosen, rounds)
        ratios = [t / o for t, o in zip(their["eager"], own, strict=True)]
        goal = (GOALS[method] if len(case.x) == 1 else 1.2) if case.side else None
        more = ", ".join(f"{k} {min(v) / min(own):.2f}" for k, v in their.items() if k != "eager")
        print(
            f"| {method} | {goal or '-'} | {min(own) * 1e3:.1f} | {min(their['eager']) * 1e3:.1f} | "
            f"{min(their['eager']) / min(own):.2f} / {statistics.median(ratios):.2f} | {more} | "
            f"(first call {first:.1f} s)",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[32, 224])
    parser.add_argument("--batches", type=int, nargs="*", default=[1, 8])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of our own calls, for each line")
    parser.add_argument("--eager", action="store_true", help="leave the further columns out")
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, jax {jax.__version__}, {os.cpu_count()} cores")
    for case in cases(arguments.sizes, arguments.batches):
        report(case, arguments)


if __name__ == "__main__":
    main()
