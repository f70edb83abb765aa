"""What private inference costs and how long it takes, beside the same models in CrypTen and SPU.

Rounds and bytes are counted before anything runs (`ct.estimate`); revealing is part of them, sharing inputs
and weights, once a session, is apart. Times are of a simulation: all parties and the dealer in this process,
and no network. Peers run in turns with ours, a process each, in the environments that are named.

Run: PYTHONPATH=. python benchmarks/private_inference.py [--peer crypten=/path/to/python ...] [--images 200]
"""

import argparse
import functools
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

import captum_lite as cl
import crypten_lite as ct
import namedtensor as nt
from namedtensor.models import digits_cnn
from tests.crypten_lite import models

WARM, TURNS, CHUNK = 7, 3, 20
MB = 1e6


def input_gradient(model: models.Model) -> models.Model:
    apply, params, x = model

    def gradient(params: Any, x: Any) -> Any:
        return jax.grad(lambda x: apply(params, x)[:, 3].sum())(x)

    return gradient, params, x


def digits(batch: int) -> models.Model:
    """The trained network and held-out digits."""
    images = nt.datasets.digits.load("heldout").images
    return digits_cnn.apply, digits_cnn.load(progress=False), images.isel(batch=slice(0, batch))


def rows(batch: int = 128, classes: int = 1000) -> models.Model:
    return lambda _, x: jax.nn.softmax(x, axis=-1), {}, models.softmax(batch, classes)


CASES: dict[str, Callable[[], models.Model]] = {
    "MLP 784-256-128-10, batch 32": models.mlp,
    "its input gradient": lambda: input_gradient(models.mlp()),
    "digits CNN, batch 32": lambda: digits(32),
    "LeNet-5": models.lenet,
    "LeNet-5, batch 32": lambda: models.lenet(32),
    "ResNet-18, 32 px": models.resnet18,
    "ResNet-18, 32 px, stem of ImageNet": lambda: models.resnet18(stem=7),
    "transformer block": models.transformer_block,
    "softmax 128 x 1000": rows,
}
WINDOW = {"height": 3, "width": 3}
EXPLAINED = 20  # digits, whose explanations take all of their points at once
EXPLANATIONS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "Saliency": (cl.Saliency, {}),
    "IG, 50 points": (cl.IntegratedGradients, {"n_steps": 50, "internal_batch_size": 50 * EXPLAINED}),
    "SmoothGrad, 20 samples": (cl.SmoothGrad, {"nt_samples": 20, "internal_batch_size": 20 * EXPLAINED}),
    "GradCAM at conv2": (functools.partial(cl.LayerGradCam, layer="conv2"), {}),
    "DeepLift": (cl.DeepLift, {}),
    "Occlusion 3 x 3": (
        cl.Occlusion,
        {"sliding_window_shapes": WINDOW, "internal_batch_size": 37 * EXPLAINED},
    ),
}
PEERS = {"MLP": "MLP 784-256-128-10, batch 32", "LeNet-5": "LeNet-5", "ResNet-18": "ResNet-18, 32 px"}
PREDICTING = {  # so many examples at a time
    "digits CNN": lambda: digits(CHUNK),
    "LeNet-5": lambda: models.lenet(CHUNK),
    "ResNet-18, 32 px": lambda: models.resnet18(CHUNK),
    "transformer block": models.transformer_block,
}


class Running:
    """A model in a session of its own, shared once."""

    def __init__(self, model: models.Model):
        """Share it."""
        apply, params, x = model
        self.session = ct.simulate(parties=2)
        self.params, self.x = self.session.share(params), self.session.share(x)
        self.function = ct.private(apply)

    def seconds(self) -> float:
        start = time.perf_counter()
        self.function(self.params, self.x).reveal()
        return time.perf_counter() - start


def table() -> None:
    print("| | rounds | MB a party | MB from the dealer | MB of sharing | cold, s | warm, s |")
    print("|---|---|---|---|---|---|---|")
    for name, make in CASES.items():
        model = make()
        cost = ct.estimate(*model)
        jax.clear_caches()
        running = Running(model)
        cold = running.seconds()
        warm = min(running.seconds() for _ in range(WARM))
        sent = [b / MB for b in (cost.bytes_per_party, cost.dealer_bytes, cost.sharing_bytes)]
        print(
            f"| {name} | {cost.rounds} | {' | '.join(f'{b:.3g}' for b in sent)} | {cold:.2f} | {warm:.4f} |",
            flush=True,
        )


def explanations() -> None:
    """Of the digits CNN, its weights and the images shared."""
    print(f"\n| {EXPLAINED} digits | rounds | MB a party | MB from the dealer | s |\n|---|---|---|---|---|")
    for name, (method, options) in EXPLANATIONS.items():
        model = explained(method, options)
        cost, running = ct.estimate(*model), Running(model)
        running.seconds()
        sent = f"{cost.bytes_per_party / MB:.3g} | {cost.dealer_bytes / MB:.3g}"
        print(f"| {name} | {cost.rounds} | {sent} | {running.seconds():.2f} |", flush=True)


def explained(method: Callable[..., Any], options: dict[str, Any]) -> models.Model:
    apply, params, images = digits(EXPLAINED)
    labels = nt.datasets.digits.load("heldout").labels.isel(batch=slice(0, EXPLAINED))

    def attribute(params: Any, images: Any) -> Any:
        explainer = method(functools.partial(apply, params))
        return explainer.attribute(images, target={"class": labels}, **options)

    return attribute, params, images


def predictions(images: int) -> None:
    """The same class as in the clear, for so many examples (tokens, of the block), and the largest error."""
    print("\n| | examples | same prediction | largest error | of logits up to |\n|---|---|---|---|---|")
    for name, make in PREDICTING.items():
        apply, params, x = make()
        same, errors, largest = [], [], []
        with ct.simulate(parties=2) as session:
            shared, function = session.share(params), ct.private(apply)
            while sum(map(len, same)) < images:
                x = another(name, x, len(same))
                private, plain = (
                    array(y) for y in (function(shared, session.share(x)).reveal(), apply(params, x))
                )
                same.append(private.argmax(-1) == plain.argmax(-1))
                errors.append(np.abs(private - plain).max())
                largest.append(np.abs(plain).max())
        flat = np.concatenate(same)
        print(f"| {name} | {flat.size} | {flat.sum()} | {max(errors):.1e} | {max(largest):.2g} |", flush=True)


def another(name: str, x: Any, chunk: int) -> Any:
    """Further held-out digits, or random inputs."""
    if name == "digits CNN":
        images = nt.datasets.digits.load("heldout").images
        return images.isel(batch=slice(chunk * CHUNK, (chunk + 1) * CHUNK))
    rng = np.random.default_rng(100 + chunk)
    return (rng.normal(size=x.shape) if x.ndim == 2 else rng.uniform(size=x.shape)).astype(np.float32)


def array(y: Any) -> np.ndarray:
    return np.asarray(y.array if isinstance(y, nt.NamedTensor) else y)


def beside(peers: dict[str, str]) -> None:
    """Ours and the peers' in turns: the median of the ratios of the fastest runs."""
    print("\n| | peer | its rounds | its MB a party | its s | ours, s | ratio | its largest error |")
    print("|---|---|---|---|---|---|---|---|")
    for model, case in PEERS.items():
        running = Running(CASES[case]())
        running.seconds()
        for peer, python in peers.items():
            ours, theirs, last = [], [], {}
            for _ in range(TURNS):
                ours.append(min(running.seconds() for _ in range(WARM)))
                last = ask(python, peer, model)
                theirs.append(min(last["seconds"]))
            ratio = statistics.median(t / o for t, o in zip(theirs, ours, strict=True))
            counted = f"{last.get('rounds', '-')} | {last.get('MB', float('nan')):.3g}"
            times = f"{statistics.median(theirs):.3g} | {statistics.median(ours):.3g} | {ratio:.1f}"
            print(f"| {case} | {peer} | {counted} | {times} | {last['error']:.1e} |", flush=True)


def ask(python: str, peer: str, model: str) -> dict[str, Any]:
    command = [python, "benchmarks/private_peers.py", peer, model]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument(
        "--peer", action="append", default=[], help="name=python, as private_peers.py names them"
    )
    arguments.add_argument("--images", type=int, default=200, help="how many predictions are compared")
    given = arguments.parse_args()
    print(f"jax {jax.__version__}, {jax.default_backend()}, {os.cpu_count()} cores\n")
    table()
    explanations()
    if given.images:
        predictions(given.images)
    if given.peer:
        beside(dict(peer.split("=", 1) for peer in given.peer))


if __name__ == "__main__":
    main()
