"""A named ResNet-18 against the same model by hand with the axes ``[batch channel height width]`` of PyTorch.

Names leave the layout to the library, which stores channels last; whoever writes axis numbers chooses for
all backends at once. Both are compiled, forward and gradient, and once inside a scan over batches.
Run: python benchmarks/named_resnet.py
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import namedtensor as nt
from namedtensor.models import resnet18

SIZES = resnet18.Sizes(channel=3, classes=10, width=16, stem=3)
BATCH, SIDE, STEPS, ROUNDS = 8, 32, 4, 9


def raw_conv(p: dict, x: Any, stride: int = 1) -> Any:
    kernel, (mean, variance, scale, offset) = p["kernel"], p["norm"]
    margin = (kernel.shape[2] - 1) // 2
    x = jax.lax.conv_general_dilated(x, kernel, (stride, stride), [(margin, margin)] * 2)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * scale + offset


def raw_apply(params: dict, x: Any) -> Any:
    x = jax.nn.relu(raw_conv(params["stem"], x))
    for stage in range(4):
        for i in range(2):
            p, stride = params[f"stage{stage}/block{i}"], 2 if stage and not i else 1
            y = raw_conv(p["second"], jax.nn.relu(raw_conv(p["first"], x, stride)))
            x = jax.nn.relu(y + (raw_conv(p["shortcut"], x, stride) if "shortcut" in p else x))
    return x.mean((2, 3)) @ params["out"] + params["out.bias"]


def raw_params(params: dict) -> dict:
    """The same numbers, kernels as ``[feature channel kh kw]``."""

    def conv(p: dict) -> dict:
        norm = [p["norm"][k].array[:, None, None] for k in ("mean", "variance", "scale", "offset")]
        return {"kernel": p["kernel"].to_array("feature channel kh kw"), "norm": norm}

    blocks = {k: {n: conv(c) for n, c in p.items()} for k, p in params.items() if k.startswith("stage")}
    dense = {"out": params["out"].to_array("channel class"), "out.bias": params["out.bias"].array}
    return {"stem": conv(params["stem"]), **blocks, **dense}


def milliseconds(call: Callable) -> float:
    start = time.perf_counter()
    jax.block_until_ready(jax.tree.leaves(call()))
    return (time.perf_counter() - start) * 1e3


def named_scan(params: Any, batches: nt.NamedTensor) -> Any:
    return nt.scan(
        lambda total, x: (total + resnet18.apply(params, x).sum(), None), 0.0, batches, over="step"
    )[0]


def raw_scan(params: Any, batches: Any) -> Any:
    return jax.lax.scan(lambda total, x: (total + raw_apply(params, x).sum(), None), 0.0, batches)[0]


def main() -> None:
    params = resnet18.init(jax.random.key(0), SIZES)
    shape = f"step:{STEPS} batch:{BATCH} height:{SIDE} width:{SIDE} channel:3"
    batches = nt.random.normal(jax.random.key(1), shape)
    x, raw = batches.isel(step=0), raw_params(params)
    raw_batches = batches.to_array("step batch channel height width")
    raw_x = raw_batches[0]
    difference = np.abs(resnet18.apply(params, x).to_array("batch class") - raw_apply(raw, raw_x)).max()
    print(f"jax {jax.__version__}, {jax.devices()[0].platform}, {SIZES}, {BATCH} images of {SIDE}x{SIDE}")
    print(f"largest difference of the logits: {difference:.1e}\n")

    named_loss = lambda p, x: (resnet18.apply(p, x) ** 2).mean()  # noqa: E731
    raw_loss = lambda p, x: jnp.square(raw_apply(p, x)).mean()  # noqa: E731
    cases = {
        "forward": (resnet18.apply, raw_apply, x, raw_x),
        "gradient": (nt.grad(named_loss), jax.grad(raw_loss), x, raw_x),
        "forward in a scan": (named_scan, raw_scan, batches, raw_batches),
    }
    print(f"{'':20}{'named ms':>10}{'raw ms':>10}{'ratio':>8}")
    for name, (mine, theirs, named_input, raw_input) in cases.items():
        a, b = jax.jit(mine), jax.jit(theirs)
        calls = (lambda a=a, i=named_input: a(params, i)), (lambda b=b, i=raw_input: b(raw, i))
        for call in calls:
            call()
        pairs = [[milliseconds(call) for call in calls] for _ in range(ROUNDS)]
        m, t = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"{name:20}{m:10.1f}{t:10.1f}{statistics.median(p / q for p, q in pairs):8.2f}")


if __name__ == "__main__":
    main()
