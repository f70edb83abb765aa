"""A small convolutional network for the digits, written with names.

Pure functions and a dict of parameters; compiled, the names cost nothing.
"""

from collections.abc import Callable, Iterable

import jax

from namedtensor import datasets, nn
from namedtensor._tensor import NamedTensor
from namedtensor.interpreter import tap
from namedtensor.models._cache import Params
from namedtensor.models._training import fit, he_normal, trained

SHAPES = {
    "conv1": "kh:3 kw:3 feature:16",
    "conv2": "kh:3 kw:3 channel:16 feature:32",
    "dense": "pixel:512 hidden:64",
    "out": "hidden:64 class:10",
}
_FAN_IN = {"conv1": 9, "conv2": 144, "dense": 512, "out": 64}
STEPS, BATCH, RATE = 2000, 128, 2e-3


def init(key: jax.Array) -> Params:
    """Parameters with He-normal weights (He et al. 2015, arXiv:1502.01852) and zero biases."""
    return he_normal(key, SHAPES, _FAN_IN)


def apply(params: Params, images: NamedTensor) -> NamedTensor:
    """Logits ``[batch class]`` of images ``[batch height width]``.

    Taps: ``conv1``, ``conv2`` (after relu), ``pool``, ``hidden``, ``logits``.
    """
    window = {"height": "kh", "width": "kw"}
    x = tap((nn.conv(images, params["conv1"], window) + params["conv1.bias"]).relu(), "conv1")
    x = x.rename(feature="channel")
    x = tap((nn.conv(x, params["conv2"], window, over="channel") + params["conv2.bias"]).relu(), "conv2")
    x = tap(nn.max_pool(x, {"height": 2, "width": 2}), "pool")
    x = tap(
        (
            x.merge("height width feature", "pixel").dot("pixel", params["dense"]) + params["dense.bias"]
        ).relu(),
        "hidden",
    )
    return tap(x.dot("hidden", params["out"]) + params["out.bias"], "logits")


def loss(params: Params, images: NamedTensor, labels: NamedTensor) -> NamedTensor:
    """Mean cross-entropy over the batch."""
    return nn.cross_entropy(apply(params, images), labels, "class").mean()


def accuracy(params: Params, images: NamedTensor, labels: NamedTensor) -> float:
    """The fraction of ``images`` whose largest logit is the label's."""
    return float((apply(params, images).argmax("class") == labels).mean())


def train(
    key: jax.Array,
    digits: datasets.digits.Digits,
    *,
    steps: int = STEPS,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Params:
    """Train from scratch with Adam (Kingma, Ba 2014, arXiv:1412.6980) and a cosine schedule.

    Args:
      key: decides the initial weights and the batches.
      digits: the training images.
      steps: how many batches of 128.
      progress: wraps the loop's iterable, for a progress bar: ``tqdm.auto.tqdm``.
    """

    def drawn(params: Params, key: jax.Array) -> NamedTensor:
        images, labels = (x.rename(batch="n") for x in (digits.images, digits.labels))
        chosen = NamedTensor(jax.random.randint(key, (BATCH,), 0, len(digits)), digits.labels.dims)
        return loss(params, images.isel(n=chosen), labels.isel(n=chosen))

    return fit(key, init, drawn, steps=steps, rate=RATE, progress=progress)


def load(*, progress: bool = True) -> Params:
    """The trained parameters: from the cache, or trained first (about 10 s), the same ones every time.

    Args:
      progress: show a bar while training.

    Raises:
      ImportError: scikit-learn, optax or platformdirs is not installed.
    """

    def again(bar: Callable[[Iterable], Iterable]) -> Params:
        return train(jax.random.key(0), datasets.digits.load("train"), progress=bar)

    recipe = f"1 {SHAPES} {STEPS} {BATCH} {RATE}"
    return trained("digits_cnn", "the digits CNN", recipe, again, progress=progress)
