"""A small convolutional network for the planted objects, whose explanations have a right answer.

It sees every part of the image alike and takes the strongest sign of each feature, wherever it is: what
decides is on the object, as nothing else tells the classes apart.
"""

from collections.abc import Callable, Iterable

import jax

from namedtensor import datasets, nn
from namedtensor._tensor import NamedTensor, tensor
from namedtensor.interpreter import tap
from namedtensor.models._cache import Params
from namedtensor.models._training import fit, he_normal, trained

SHAPES = {
    "conv1": "kh:3 kw:3 channel:3 feature:24",
    "conv2": "kh:3 kw:3 channel:24 feature:32",
    "conv3": "kh:3 kw:3 channel:32 feature:48",
    "out": "channel:48 class:8",
}
_FAN_IN = {"conv1": 27, "conv2": 216, "conv3": 288, "out": 48}
_STRIDES = {"conv1": 1, "conv2": 2, "conv3": 1}
IMAGES, STEPS, BATCH, RATE = 2000, 200, 64, 4e-3


def init(key: jax.Array) -> Params:
    """Parameters with He-normal weights (He et al. 2015, arXiv:1502.01852) and zero biases."""
    return he_normal(key, SHAPES, _FAN_IN)


def apply(params: Params, images: NamedTensor) -> NamedTensor:
    """Logits ``[batch class]`` of images ``[batch height width channel]``.

    Taps: ``conv1``, ``conv2``, ``conv3`` (after relu), ``logits``.
    """
    x = images - 0.5
    for layer, stride in _STRIDES.items():
        x = nn.conv(x, params[layer], {"height": "kh", "width": "kw"}, over="channel", stride=stride)
        x = tap((x + params[f"{layer}.bias"]).relu(), layer).rename(feature="channel")
    return tap(x.max("height width").dot("channel", params["out"]) + params["out.bias"], "logits")


def loss(params: Params, images: NamedTensor, labels: NamedTensor) -> NamedTensor:
    """Mean cross-entropy over the batch."""
    return nn.cross_entropy(apply(params, images), labels, "class").mean()


def accuracy(params: Params, images: NamedTensor, labels: NamedTensor) -> float:
    """The fraction of ``images`` whose largest logit is the label's."""
    return float((apply(params, images).argmax("class") == labels).mean())


def train(
    key: jax.Array,
    planted: datasets.planted.Planted,
    *,
    steps: int = STEPS,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Params:
    """Train from scratch with Adam (Kingma, Ba 2014, arXiv:1412.6980) and a cosine schedule.

    Args:
      key: decides the initial weights and the batches.
      planted: the training images.
      steps: how many batches of 64.
      progress: wraps the loop's iterable, for a progress bar: ``tqdm.auto.tqdm``.
    """
    images, labels = (x.rename(batch="n") for x in (planted.images, planted.labels))

    def drawn(params: Params, key: jax.Array) -> NamedTensor:
        chosen = tensor(jax.random.randint(key, (BATCH,), 0, len(planted)), "batch")
        return loss(params, images.isel(n=chosen), labels.isel(n=chosen))

    return fit(key, init, drawn, steps=steps, rate=RATE, progress=progress)


def load(*, progress: bool = True) -> Params:
    """The trained parameters: from the cache, or trained first (about 10 s), the same ones every time.

    Args:
      progress: show a bar while training.

    Raises:
      ImportError: optax or platformdirs is not installed.
    """

    def again(bar: Callable[[Iterable], Iterable]) -> Params:
        return train(jax.random.key(0), datasets.planted.generate(IMAGES, seed=1), progress=bar)

    recipe = f"1 {SHAPES} {IMAGES} {STEPS} {BATCH} {RATE}"
    return trained("planted_cnn", "the planted CNN", recipe, again, progress=progress)
