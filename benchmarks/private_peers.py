"""The models of `private_inference.py` in CrypTen and SPU, a process for each, in an environment of its own.

`PYTHONPATH=. python benchmarks/private_peers.py crypten LeNet-5` prints JSON: seconds of each warm run, the
largest error, and, as far as the peer counts them, rounds and MB that a party sends. CrypTen runs as two
processes of one thread each; its default provider is a trusted first party, who knows every secret, and its
bytes include the weights, which it masks and opens anew in each run. SPU runs in its simulator, SEMI2K with a
trusted first party, ABY3 with three parties.
"""

import json
import sys
import time
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.crypten_lite import models

RUNS = 3
MODELS = {"MLP": models.mlp, "LeNet-5": models.lenet, "ResNet-18": models.resnet18}


def crypten(name: str) -> dict[str, Any]:
    """Two processes on this machine."""
    # CrypTen 0.4.1 imports it for its ONNX converter, which is not used here, and newer torch has moved it.
    moved: Any = types.ModuleType("torch.onnx._internal.registration")
    moved.registry = None
    sys.modules.setdefault(moved.__name__, moved)
    from crypten.mpc import run_multiprocess

    first, _ = run_multiprocess(world_size=2)(_party)(name)
    return first


def _party(name: str) -> dict[str, Any]:
    import crypten
    import torch

    torch.set_num_threads(1)
    apply, params, x = MODELS[name]()
    plain = np.asarray(apply(params, x))
    shared, secret = _encrypted(params), crypten.cryptensor(torch.tensor(x))
    crypten.cfg.communicator.verbose = True  # it counts
    y = CRYPTEN[name](shared, secret).get_plain_text()
    stats = crypten.communicator.get().get_communication_stats()
    crypten.cfg.communicator.verbose = False
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        CRYPTEN[name](shared, secret).get_plain_text()
        seconds.append(time.perf_counter() - start)
    return {
        "seconds": seconds,
        "rounds": stats["rounds"],
        "MB": stats["bytes"] / 2 / 1e6,  # it counts both directions
        "error": float(np.abs(y.numpy() - plain).max()),
    }


def _encrypted(tree: Any) -> Any:
    import crypten
    import torch

    if isinstance(tree, dict):
        return {k: _encrypted(v) for k, v in tree.items()}
    if isinstance(tree, list):
        return [_encrypted(v) for v in tree]
    return crypten.cryptensor(torch.tensor(tree))


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


CRYPTEN: dict[str, Callable[[Any, Any], Any]] = {"MLP": _mlp, "LeNet-5": _lenet, "ResNet-18": _resnet}


def semi2k(name: str) -> dict[str, Any]:
    return _spu(name, 2, "SEMI2K")


def aby3(name: str) -> dict[str, Any]:
    return _spu(name, 3, "ABY3")


def _spu(name: str, parties: int, protocol: str) -> dict[str, Any]:
    import spu
    import spu.utils.simulation as simulation

    apply, params, x = MODELS[name]()
    simulator = simulation.Simulator.simple(parties, getattr(spu.ProtocolKind, protocol), spu.FieldType.FM64)
    private = simulation.sim_jax(simulator, apply)
    seconds, y = [], None
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        y = private(params, x)
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds[1:], "error": float(np.abs(y - np.asarray(apply(params, x))).max())}


PEERS = {"crypten": crypten, "spu-semi2k": semi2k, "spu-aby3": aby3}


if __name__ == "__main__":
    print(json.dumps(PEERS[sys.argv[1]](sys.argv[2])))
