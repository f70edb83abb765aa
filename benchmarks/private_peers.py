"""The models of the private benchmarks in CrypTen and SPU, a process for each, in an environment of its own.

`PYTHONPATH=. python benchmarks/private_peers.py crypten LeNet-5` prints JSON: seconds of each warm run, the
largest error, and, as far as the peer counts them, rounds and MB that a party sends. `--afresh` shares the
input anew in each run, as `private_two_parties.py` does, and counts that. CrypTen runs as two processes of
one thread each; its default provider is a trusted first party, who knows every secret, and its bytes include
the weights, which it masks and opens anew in each run. SPU runs in its simulator, SEMI2K with a trusted
first party, ABY3 with three parties.
"""

import argparse
import json
import math
import multiprocessing
import os
import sys
import tempfile
import time
import types
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

import jax
import numpy as np
from wide_area import DEVICE, Place

from tests.crypten_lite import models

STEPS, HEADS = 20, 4


def relu_of_a_million() -> models.Model:
    x = np.random.default_rng(0).normal(size=10**6).astype(np.float32)
    return lambda _, x: jax.nn.relu(x), {}, x


def logistic_regression() -> models.Model:
    """Steps over all of scikit-learn's breast cancer data, standardised."""
    from sklearn.datasets import load_breast_cancer

    x, y = map(np.asarray, load_breast_cancer(return_X_y=True))
    x = (x - x.mean(0)) / x.std(0)
    start = {"kernel": np.zeros(x.shape[1], np.float32), "bias": np.zeros((), np.float32)}
    return descended, start, {"x": x.astype(np.float32), "y": y.astype(np.float32)}


def descended(params: Any, batch: Any) -> Any:
    """The weights after the steps."""
    for _ in range(STEPS):
        slopes = jax.grad(cross_entropy)(params, batch)
        params = jax.tree.map(lambda p, slope: p - slope, params, slopes)
    return params


def cross_entropy(params: Any, batch: Any) -> Any:
    z = batch["x"] @ params["kernel"] + params["bias"]
    return (jax.nn.softplus(z) - batch["y"] * z).mean()


MODELS: dict[str, Callable[..., models.Model]] = {
    "MLP": models.mlp,
    "LeNet-5": models.lenet,
    "LeNet-5, batch 32": lambda: models.lenet(32),
    "ResNet-18": models.resnet18,
    "ReLU 1e6": relu_of_a_million,
    "transformer block": models.transformer_block,
    "logistic regression": logistic_regression,
}


def crypten(given: argparse.Namespace) -> dict[str, Any]:
    """Two processes on this machine."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    with tempfile.TemporaryDirectory() as folder:
        parties = [spawn.Process(target=_party, args=(rank, folder, given, theirs)) for rank in range(2)]
        for party in parties:
            party.start()
        theirs.close()
        found = ours.recv()
        for party in parties:
            party.join()
    return found


def _party(rank: int, folder: str, given: argparse.Namespace, pipe: Connection) -> None:
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "DISTRIBUTED_BACKEND": "gloo"}
    os.environ["RENDEZVOUS"] = f"file://{folder}/meeting"
    if given.places:
        Place(given.places[rank], "").enter()
        os.environ["GLOO_SOCKET_IFNAME"] = DEVICE
    # CrypTen 0.4.1 imports it for its ONNX converter, which is not used here, and newer torch has moved it.
    moved: Any = types.ModuleType("torch.onnx._internal.registration")
    moved.registry = None
    sys.modules.setdefault(moved.__name__, moved)
    import crypten
    import torch

    crypten.init()
    torch.set_num_threads(1)
    found = _measured(MODELS[given.model](), CRYPTEN[given.model], given)
    if rank == 0:
        pipe.send(found)
    crypten.uninit()


def _measured(model: models.Model, private: Callable[[Any, Any], Any], given: argparse.Namespace) -> Any:
    import crypten

    apply, params, x = model
    shared, secret = _encrypted(params), _encrypted(x)

    def run() -> Any:
        y = private(shared, _encrypted(x) if given.afresh else secret)
        return jax.tree.map(lambda y: y.get_plain_text().numpy(), y)

    crypten.cfg.communicator.verbose = True  # it counts
    crypten.communicator.get().reset_communication_stats()
    found = run()
    stats = crypten.communicator.get().get_communication_stats()
    crypten.cfg.communicator.verbose = False
    return {
        "seconds": [_seconds(run) for _ in range(given.runs)],
        "rounds": stats["rounds"],
        "MB": stats["bytes"] / 2 / 1e6,  # it counts both directions
        "error": error(found, apply(params, x)),
    }


def _seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def error(found: Any, expected: Any) -> float:
    """The largest, in trees of arrays."""
    pairs = zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True)
    return max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in pairs)


def _encrypted(tree: Any) -> Any:
    """Shared by the first party; CrypTen's tensors are leaves of trees."""
    import crypten
    import torch

    return jax.tree.map(lambda x: crypten.cryptensor(torch.tensor(x)), tree)


def _mlp(params: Any, x: Any) -> Any:
    for p in params[:-1]:
        x = (x.matmul(p["kernel"]) + p["bias"]).relu()
    return x.matmul(params[-1]["kernel"]) + params[-1]["bias"]


def _conv(p: Any, x: Any, stride: int = 1, padding: int = 0) -> Any:
    return x.conv2d(p["kernel"], stride=stride, padding=padding) + p["bias"].view(1, -1, 1, 1)


def _lenet(params: Any, x: Any) -> Any:
    x = _conv(params["conv1"], x, padding=2).relu().max_pool2d(2, stride=2)
    x = _conv(params["conv2"], x).relu().max_pool2d(2, stride=2)
    return _mlp(params["dense"], x.flatten(start_dim=1))


def _resnet(params: Any, x: Any) -> Any:
    x = _conv(params["stem"], x, padding=1).relu()
    for stage, (_, first_stride) in enumerate(models.STAGES):
        for i in range(2):
            p, stride = params[f"stage{stage}/block{i}"], 1 if i else first_stride
            y = _conv(p["second"], _conv(p["first"], x, stride, 1).relu(), padding=1)
            x = (y + (_conv(p["shortcut"], x, stride) if "shortcut" in p else x)).relu()
    return _mlp([params["out"]], x.mean(3).mean(2))


def _relu(_: Any, x: Any) -> Any:
    return x.relu()


def _block(params: Any, x: Any) -> Any:
    x = x + _attention(params, _norm(params["norm1"], x))
    y = _linear(params["up"], _norm(params["norm2"], x))
    return x + _linear(params["down"], _gelu(y))


def _attention(params: Any, x: Any) -> Any:
    tokens, d = x.size()
    q, k, v = (
        _linear(params[name], x).view(tokens, HEADS, -1).transpose(0, 1) for name in ("query", "key", "value")
    )
    scores = q.matmul(k.transpose(1, 2)).div(math.sqrt(d // HEADS))
    return _linear(params["mixed"], scores.softmax(-1).matmul(v).transpose(0, 1).reshape(tokens, d))


def _linear(p: Any, x: Any) -> Any:
    return x.matmul(p["kernel"]) + p["bias"]


def _norm(p: Any, x: Any) -> Any:
    x = x - x.mean(-1, keepdim=True)
    return x * (x.square().mean(-1, keepdim=True) + 1e-5).inv_sqrt() * p["scale"] + p["offset"]


def _gelu(x: Any) -> Any:
    """By the sigmoid: CrypTen's own erf is a Taylor series, which is good for small numbers alone."""
    return x * (1.702 * x).sigmoid()


def _logistic(params: Any, batch: Any) -> Any:
    """The gradient by hand, which takes less than CrypTen's automatic one."""
    x, y, w, b = batch["x"], batch["y"], params["kernel"], params["bias"]
    for _ in range(STEPS):
        wrong = (x.matmul(w) + b).sigmoid() - y
        w, b = w - x.t().matmul(wrong).div(len(y)), b - wrong.mean()
    return {"kernel": w, "bias": b}


CRYPTEN: dict[str, Callable[[Any, Any], Any]] = {
    "MLP": _mlp,
    "LeNet-5": _lenet,
    "LeNet-5, batch 32": _lenet,
    "ResNet-18": _resnet,
    "ReLU 1e6": _relu,
    "transformer block": _block,
    "logistic regression": _logistic,
}


def semi2k(given: argparse.Namespace) -> dict[str, Any]:
    return _spu(given, 2, "SEMI2K")


def aby3(given: argparse.Namespace) -> dict[str, Any]:
    return _spu(given, 3, "ABY3")


def _spu(given: argparse.Namespace, parties: int, protocol: str) -> dict[str, Any]:
    import spu
    import spu.utils.simulation as simulation

    apply, params, x = MODELS[given.model]()
    simulator = simulation.Simulator.simple(parties, getattr(spu.ProtocolKind, protocol), spu.FieldType.FM64)
    private = simulation.sim_jax(simulator, apply)
    y = private(params, x)
    seconds = [_seconds(lambda: private(params, x)) for _ in range(given.runs)]
    return {"seconds": seconds, "error": error(y, apply(params, x))}


PEERS = {"crypten": crypten, "spu-semi2k": semi2k, "spu-aby3": aby3}


def main(words: Sequence[str]) -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("peer", choices=PEERS)
    arguments.add_argument("model", choices=MODELS)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--afresh", action="store_true", help="share the input anew in each run")
    arguments.add_argument(
        "--places", type=int, nargs=2, help="processes in whose networks CrypTen's parties are"
    )
    given = arguments.parse_args(words)
    print(json.dumps(PEERS[given.peer](given)))


if __name__ == "__main__":
    main(sys.argv[1:])
