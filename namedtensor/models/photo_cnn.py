"""A small network that says where in a photograph there is sky, leaves, a temple or a dahlia.

It has seen the left parts of two photographs, in small crops, and nothing else: enough to have something
real to explain, and no model of the world. It is fully convolutional, so it takes images of any size.
"""

import math
from collections.abc import Callable, Iterable

import jax
import numpy as np

from namedtensor import nn
from namedtensor._tensor import NamedTensor, tensor
from namedtensor.datasets import photographs
from namedtensor.interpreter import tap
from namedtensor.models._cache import Params
from namedtensor.models._training import fit, he_normal, trained
from namedtensor.ops import random
from namedtensor.ops.logic import where

SHRINK = 4  # of the photographs: the scale that it knows
SHAPES = {
    "conv1": "kh:5 kw:5 channel:3 feature:16",
    "conv2": "kh:3 kw:3 channel:16 feature:32",
    "conv3": "kh:3 kw:3 channel:32 feature:32",
    "out": "channel:32 class:4",
}
_FAN_IN = {"conv1": 75, "conv2": 144, "conv3": 288, "out": 32}
_STRIDES = {"conv1": 2, "conv2": 2, "conv3": 1}
SIDE, APART = 17, 4  # pixels: a place sees a square of 17, and the next one begins 4 further
STEPS, BATCH, RATE = 250, 24, 4e-3
CROPS, CROP = 768, 45  # how many for training, and their side in pixels
_LIGHT = 0.3  # contrast and brightness of the crops vary by so much


def init(key: jax.Array) -> Params:
    """Parameters with He-normal weights (He et al. 2015, arXiv:1502.01852) and zero biases."""
    return he_normal(key, SHAPES, _FAN_IN)


def evidence(params: Params, images: NamedTensor) -> NamedTensor:
    """Logits ``[batch height width class]`` of each place of images ``[batch height width channel]``.

    A place is a square of 17 x 17 pixels, the next one begins 4 further; nothing is padded.

    Taps: ``conv1``, ``conv2``, ``conv3`` (after relu), ``evidence``.
    """
    x = images
    for layer, stride in _STRIDES.items():
        window = {"height": "kh", "width": "kw"}
        x = nn.conv(x, params[layer], window, over="channel", stride=stride, padding="valid")
        x = tap((x + params[f"{layer}.bias"]).relu(), layer).rename(feature="channel")
    return tap(x.dot("channel", params["out"]) + params["out.bias"], "evidence")


def apply(params: Params, images: NamedTensor) -> NamedTensor:
    """Scores ``[batch class]``: the soft maximum, ``log mean exp``, of the evidence over the places.

    It is high where a class is somewhere in the image. Classes do not exclude each other.

    Raises:
      SizeMismatch: images smaller than a place.
    """
    each = evidence(params, images)
    return each.logsumexp("height width") - math.log(each.shape["height"] * each.shape["width"])


def loss(params: Params, images: NamedTensor, classes: NamedTensor) -> NamedTensor:
    """Mean cross-entropy over the places whose class is known (not -1)."""
    known = classes >= 0
    each = nn.cross_entropy(evidence(params, images), where(known, classes, 0), "class")
    return (each * known).sum() / known.sum()


def accuracy(params: Params, part: str = "heldout") -> dict[str, float]:
    """The fraction of places that it gets right, by class and for ``"all"``.

    Args:
      params: the parameters.
      part: of the photographs: ``"heldout"``, right of the middle, or ``"train"``, left of it.
    """
    rights: dict[str, list[np.ndarray]] = {name: [] for name in (*photographs.CLASSES, "all")}
    for image, classes in _parts(part):
        found = evidence(params, tensor(image[None], "batch height width channel")).argmax("class")
        truth = _at_places(classes)
        right = found.to_array("batch height width")[0] == truth
        for name, which in rights.items():
            index = photographs.CLASSES.index(name) if name != "all" else None
            which.append(right[truth >= 0 if index is None else truth == index])
    return {name: float(np.concatenate(which).mean()) for name, which in rights.items()}


def _parts(part: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """The left or the right part of each photograph, and the classes of its pixels."""
    if part not in ("train", "heldout"):
        raise ValueError(f"part={part!r} is not known: choose 'train' or 'heldout'.")
    found = []
    for name in photographs.NAMES:
        photo = photographs.load(name, shrink=SHRINK)
        columns = slice(0, photo.middle) if part == "train" else slice(photo.middle, None)
        image = np.asarray(photo.image.to_array("height width channel"))[:, columns]
        found.append((image, np.asarray(photo.classes.to_array("height width"))[:, columns]))
    return found


def _at_places(classes: np.ndarray) -> np.ndarray:
    """The classes at the centres of the places."""
    rows, columns = (slice(SIDE // 2, n - SIDE // 2, APART) for n in classes.shape)
    return classes[rows, columns]


def crops(n: int = CROPS, *, seed: int = 0) -> tuple[NamedTensor, NamedTensor]:
    """Crops of the left parts, half of them mirrored, and the classes at the centres of their places.

    They are ``[batch height:45 width:45 channel]`` and ``[batch height:8 width:8]``.
    """
    rng, images, classes = np.random.default_rng(seed), [], []
    parts = _parts("train")
    for i in range(n):
        image, truth = parts[i % len(parts)]
        square = tuple(slice(k, k + CROP) for k in (rng.integers(m - CROP + 1) for m in truth.shape))
        flip = rng.choice([-1, 1])
        images.append(image[square][:, ::flip])
        classes.append(_at_places(truth[square][:, ::flip]))
    return (
        tensor(np.stack(images), "batch height width channel"),
        tensor(np.stack(classes), "batch height width"),
    )


def train(key: jax.Array, *, steps: int = STEPS, progress: Callable[[Iterable], Iterable] = iter) -> Params:
    """Train from scratch with Adam (Kingma, Ba 2014, arXiv:1412.6980) and a cosine schedule.

    Args:
      key: decides the initial weights, the batches and their light.
      steps: how many batches of 24 crops.
      progress: wraps the loop's iterable, for a progress bar: ``tqdm.auto.tqdm``.
    """
    images, classes = (x.rename(batch="n") for x in crops())

    def drawn(params: Params, key: jax.Array) -> NamedTensor:
        which, light = jax.random.split(key)
        chosen = tensor(jax.random.randint(which, (BATCH,), 0, CROPS), "batch")
        return loss(params, _lit(light, images.isel(n=chosen)), classes.isel(n=chosen))

    return fit(key, init, drawn, steps=steps, rate=RATE, progress=progress)


def _lit(key: jax.Array, images: NamedTensor) -> NamedTensor:
    """The images in another light: contrast, and brightness by colour."""
    contrast, brightness = jax.random.split(key)
    batch, colours = f"batch:{BATCH}", "channel:3"
    factor = 1 + random.uniform(contrast, batch, low=-_LIGHT, high=_LIGHT)
    shift = random.uniform(brightness, f"{batch} {colours}", low=-_LIGHT / 2, high=_LIGHT / 2)
    return (images - 0.5) * factor + 0.5 + shift


def load(*, progress: bool = True) -> Params:
    """The trained parameters: from the cache, or trained first (about 10 s), the same ones every time.

    Args:
      progress: show a bar while training.

    Raises:
      ImportError: scikit-learn, pillow, optax or platformdirs is not installed.
    """

    def again(bar: Callable[[Iterable], Iterable]) -> Params:
        return train(jax.random.key(0), progress=bar)

    recipe = f"1 {SHAPES} {STEPS} {BATCH} {RATE} {CROPS} {CROP} {_LIGHT}"
    return trained("photo_cnn", "the photo CNN", recipe, again, progress=progress)
