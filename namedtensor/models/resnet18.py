"""ResNet-18 written with names (He et al. 2016, arXiv:1512.03385).

Eleven million parameters at full width, or a small one for small images. The images' layout is
free: ``[batch height width channel]`` in any order, with any other dims beside them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax

from namedtensor import nn
from namedtensor._tensor import NamedTensor
from namedtensor.interpreter import capture, tap
from namedtensor.ops import random
from namedtensor.ops.factories import ones, zeros

Params = Mapping[str, Any]

_WINDOW = {"height": "kh", "width": "kw"}
_SPATIAL = "height width"
# Name, stage and stride of each residual block; the 18 layers are 1 + 4 * 2 * 2 + 1.
_BLOCKS = [(f"stage{s}/block{i}", s, 2 if s and not i else 1) for s in range(4) for i in range(2)]


class Sizes(NamedTuple):
    """What varies between ResNet-18s.

    Attributes:
      channel: channels of the images.
      classes: how many classes there are.
      width: features of the first stage; each stage doubles them.
      stem: size of the first kernel; 7 reads with stride 2 and is pooled, a smaller one is not.
    """

    channel: int = 3
    classes: int = 1000
    width: int = 64
    stem: int = 7


def init(key: jax.Array, sizes: Sizes = Sizes()) -> dict[str, Any]:  # noqa: B008  (immutable)
    """He-normal weights (He et al. 2015, arXiv:1502.01852), and norms that do nothing yet."""
    keys = iter(jax.random.split(key, 32))
    params: dict[str, Any] = {"stem": _conv(next(keys), sizes.stem, sizes.channel, sizes.width)}
    before = sizes.width
    for place, stage, stride in _BLOCKS:
        width = sizes.width * 2**stage
        params[place] = {
            "first": _conv(next(keys), 3, before, width),
            "second": _conv(next(keys), 3, width, width),
        }
        if stride > 1:
            params[place]["shortcut"] = _conv(next(keys), 1, before, width)
        before = width
    out = random.normal(next(keys), f"channel:{before} class:{sizes.classes}")
    return params | {"out": out * before**-0.5, "out.bias": zeros(f"class:{sizes.classes}")}


def _conv(key: jax.Array, window: int, before: int, after: int) -> dict[str, Any]:
    kernel = random.normal(key, f"kh:{window} kw:{window} channel:{before} feature:{after}")
    one, none = ones(f"channel:{after}"), zeros(f"channel:{after}")
    norm = {"scale": one, "offset": none, "mean": none, "variance": one}
    return {"kernel": kernel * (2 / (window * window * before)) ** 0.5, "norm": norm}


def conv(
    params: Params, x: NamedTensor, place: str, *, stride: int = 1, training: bool = False
) -> NamedTensor:
    """Convolution and batch norm; the tap ``place/norm`` is what the norm reads."""
    margin = (params["kernel"].shape["kh"] - 1) // 2
    x = nn.conv(x, params["kernel"], _WINDOW, over="channel", stride=stride, padding=margin)
    x, norm = tap(x.rename(feature="channel"), f"{place}/norm"), params["norm"]
    over = [d for d in x.dims if d != "channel"]
    moments = {} if training else {"mean": norm["mean"], "variance": norm["variance"]}
    return nn.batch_norm(x, norm["scale"], norm["offset"], over=over, **moments)


def block(params: Params, x: NamedTensor, place: str, *, stride: int, training: bool = False) -> NamedTensor:
    """Two convolutions, added to what they read."""
    y = conv(params["first"], x, f"{place}/first", stride=stride, training=training).relu()
    y = conv(params["second"], y, f"{place}/second", training=training)
    if "shortcut" in params:
        x = conv(params["shortcut"], x, f"{place}/shortcut", stride=stride, training=training)
    return tap((x + y).relu(), place)


def apply(params: Params, images: NamedTensor, *, training: bool = False) -> NamedTensor:
    """Logits ``[batch class]`` of images ``[batch height width channel]``.

    Taps: ``stem``, ``stage0/block0`` ... ``stage3/block1``, ``pool``, ``logits``; and before each
    batch norm ``stem/norm``, ``stage0/block0/first/norm`` ...

    Args:
      params: from `init`.
      images: any names beside height, width and channel are batch dims.
      training: normalise by the batch's own moments instead of the moving ones.

    Example:
      >>> import jax, namedtensor as nt
      >>> from namedtensor.models import resnet18
      >>> params = resnet18.init(jax.random.key(0), resnet18.Sizes(width=4, classes=10, stem=3))
      >>> resnet18.apply(params, nt.ones("batch:2 height:16 width:16 channel:3")).shape
      Shape(batch:2 class:10)
    """
    large = params["stem"]["kernel"].shape["kh"] == 7
    x = conv(params["stem"], images, "stem", stride=2 if large else 1, training=training).relu()
    if large:
        x = nn.max_pool(x, {"height": 3, "width": 3}, stride=2, padding=1)
    x = tap(x, "stem")
    for place, _, stride in _BLOCKS:
        x = block(params[place], x, place, stride=stride, training=training)
    x = tap(x.mean(_SPATIAL), "pool")
    return tap(nn.linear(x, params["out"], params["out.bias"], over="channel"), "logits")


def convolutions(params: Params) -> Iterator[tuple[str, Params]]:
    """Each convolution with its place, in the order of the forward pass."""
    yield "stem", params["stem"]
    for place, _, _ in _BLOCKS:
        for name, conv_params in params[place].items():
            yield f"{place}/{name}", conv_params


def with_moving_moments(params: Params, images: NamedTensor, *, momentum: float = 0.1) -> dict[str, Any]:
    """Parameters whose moving moments have taken a step towards those of a batch, as in training.

    Watching is a transformation too: what each norm reads is captured from `apply`.

    Args:
      params: from `init`.
      images: a batch.
      momentum: how far to go towards the batch's moments; 1 takes them.
    """
    places = dict(convolutions(params))
    run = lambda images: apply(params, images, training=True)  # noqa: E731
    _, seen = capture(run, [f"{place}/norm" for place in places])(images)
    norms = {place: _step(p["norm"], seen[f"{place}/norm"], momentum) for place, p in places.items()}
    return _with_norms(params, norms)


def _step(norm: Params, read: NamedTensor, momentum: float) -> dict[str, NamedTensor]:
    mean, variance = nn.moments(read, over=[d for d in read.dims if d != "channel"])
    return {
        **norm,
        "mean": (1 - momentum) * norm["mean"] + momentum * mean,
        "variance": (1 - momentum) * norm["variance"] + momentum * variance,
    }


def _with_norms(params: Params, norms: dict[str, Any]) -> dict[str, Any]:
    new = {**params, "stem": {**params["stem"], "norm": norms["stem"]}}
    for place, _, _ in _BLOCKS:
        new[place] = {k: {**p, "norm": norms[f"{place}/{k}"]} for k, p in params[place].items()}
    return new
