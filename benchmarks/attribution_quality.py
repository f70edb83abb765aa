"""All attribution methods on images whose answer is known: an object planted in a texture decides the class.

A small CNN is trained on `namedtensor.datasets.planted`, then every method of `captum_lite.methods.METHODS`
and GradCAM explain the same held-out images. Three controls frame them: the object itself, an edge detector
(which knows nothing of the model) and noise.
Run: python benchmarks/attribution_quality.py [images] [rows ...]
"""

import functools
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import namedtensor as nt
from captum_lite import Attribution, IncompleteWarning, LayerAttribution, LayerGradCam, baselines, metrics
from captum_lite.methods import LRP, METHODS
from captum_lite.rules import EpsilonPlusFlat
from namedtensor import nn
from namedtensor.datasets import planted

Params = dict[str, nt.NamedTensor]
SHAPES = {
    "conv1": "kh:3 kw:3 channel:3 feature:24",
    "conv2": "kh:3 kw:3 channel:24 feature:32",
    "conv3": "kh:3 kw:3 channel:32 feature:48",
    "out": "channel:48 class:8",
}
STEPS, BATCH, RATE = 400, 128, 4e-3
IMAGES, CELL, SQUARE = 64, 3, 5
PLACES = "height width"


def init(key: jax.Array) -> Params:
    params = {}
    for k, (layer, shape) in zip(jax.random.split(key, len(SHAPES)), SHAPES.items(), strict=True):
        weights = nt.random.normal(k, shape)
        fan_in = weights.size / list(weights.shape.values())[-1]
        params[layer] = weights * (2 / fan_in) ** 0.5
        params[f"{layer}.bias"] = nt.zeros(shape.split()[-1])
    return params


def apply(params: Params, images: nt.NamedTensor) -> nt.NamedTensor:
    """Logits ``[batch class]``; taps ``conv1``, ``conv2``, ``conv3``, ``logits``."""
    x = images - 0.5
    for layer, stride in (("conv1", 1), ("conv2", 2), ("conv3", 1)):
        x = nn.conv(x, params[layer], {"height": "kh", "width": "kw"}, over="channel", stride=stride)
        x = nt.tap((x + params[f"{layer}.bias"]).relu(), layer).rename(feature="channel")
    return nt.tap(x.max(PLACES).dot("channel", params["out"]) + params["out.bias"], "logits")


def probabilities(params: Params, images: nt.NamedTensor) -> nt.NamedTensor:
    return apply(params, images).softmax("class")


def train(key: jax.Array, data: planted.Planted) -> Params:
    optimizer = optax.adam(optax.cosine_decay_schedule(RATE, STEPS))
    params = init(key)
    state = optimizer.init(params)
    images, labels = data.images.rename(batch="n"), data.labels.rename(batch="n")

    @nt.jit
    def step(params: Params, state: Any, key: jax.Array) -> tuple[Params, Any]:
        chosen = nt.tensor(jax.random.randint(key, (BATCH,), 0, len(data)), "batch")

        def loss(params: Params) -> nt.NamedTensor:
            return nn.cross_entropy(
                apply(params, images.isel(n=chosen)), labels.isel(n=chosen), "class"
            ).mean()

        gradient = nt.grad(loss)(params)
        updates, state = optimizer.update(gradient, state, params)
        return jax.tree.map(jnp.add, params, updates), state

    for k in jax.random.split(key, STEPS):
        params, state = step(params, state, k)
    return params


class Case(NamedTuple):
    """What is explained, by all methods alike."""

    images: nt.NamedTensor
    labels: Any
    masks: nt.NamedTensor
    blurred: nt.NamedTensor


def case(params: Params, data: planted.Planted, n: int) -> Case:
    """The first images whose class the model finds."""
    right = np.asarray((apply(params, data.images).argmax("class") == data.labels).array)
    print(f"held-out accuracy {right.mean():.1%} of {len(data)} images")
    chosen = nt.tensor(np.flatnonzero(right)[:n], "batch")
    images, masks, labels = (
        v.rename(batch="n").isel(n=chosen) for v in (data.images, data.masks, data.labels)
    )
    return Case(images, labels.array, masks, baselines.blurred(images, 3.0))


# explanations: maps [batch height width] of images


def options(method: Any, given: Case) -> dict[str, Any]:
    """What a method needs on images: baselines, cells of pixels as features, and not too many samples."""
    known, shape = method.defaults(), given.images.shape
    rows, columns = (np.arange(shape[d]) // CELL for d in PLACES.split())
    cells = nt.tensor(rows[:, None] * (columns.max() + 1) + columns[None], PLACES)
    window = dict.fromkeys(PLACES.split(), SQUARE)
    how = {"feature_mask": cells, "n_steps": 50, "sliding_window_shapes": window}
    how |= {"strides": dict.fromkeys(window, 2), "n_samples": 5 if "antithetic" in known else 256}
    how |= {"noise_level": 0.15} | ({"baselines": given.blurred} if method.compares() else {})
    return {k: v for k, v in how.items() if k in known or k == "baselines"}


def explained(
    make: Callable[..., Any], given: Case, params: Params, images: Any, *, record: bool = False
) -> Any:
    """The map of a method, or its record."""
    method = make(functools.partial(apply, params))
    call = method.explain if record else method.attribute
    found = call(images, target={"class": given.labels}, **options(method, given))
    return found if record else as_map(found)


def as_map(attributions: nt.NamedTensor) -> nt.NamedTensor:
    return attributions.sum("channel") if "channel" in attributions.dims else attributions


def grad_cam(given: Case, params: Params, images: nt.NamedTensor, *, record: bool = False) -> Any:
    method = LayerGradCam(functools.partial(apply, params), "conv3")
    call = method.explain if record else method.attribute
    found = call(images, target={"class": given.labels}, relu_attributions=True, channel="feature")
    sizes = {d: images.shape[d] for d in PLACES.split()}
    return found if record else LayerAttribution.interpolate(found, sizes, "bilinear")


def edges(given: Case, params: Params, images: nt.NamedTensor) -> nt.NamedTensor:
    """The length of the gradient of the brightness."""
    grey = images.mean("channel").to_array(f"batch {PLACES}")
    return nt.tensor(jnp.hypot(*jnp.gradient(grey, axis=(1, 2))), f"batch {PLACES}")


def noise(given: Case, params: Params, images: nt.NamedTensor) -> nt.NamedTensor:
    return nt.random.normal(jax.random.key(9), given.masks.shape)


def the_object(given: Case, params: Params, images: nt.NamedTensor) -> nt.NamedTensor:
    return given.masks.astype("float32")


CONTROLS = {"the object itself": the_object, "edge detector": edges, "noise": noise}


# the table


def row(explain: Callable[..., Any], params: Params, given: Case) -> list[float]:
    """The metrics of one method; ``explain(params, images)`` is a map."""
    maps, images = explain(params, given.images), given.images
    target = {"class": given.labels}
    spread = maps / images.shape["channel"] + 0 * images  # a pixel's attribution, shared by its channels
    curve = functools.partial(
        _area, functools.partial(probabilities, params), images, spread, given.blurred, target
    )
    removal = functools.partial(
        metrics.infidelity, functools.partial(apply, params), metrics.SquareRemoval(SQUARE), images,
        baselines=given.blurred, target=target, n_perturb_samples=40, normalize=True,
    )  # fmt: skip
    test = metrics.parameter_randomization(
        lambda p: lambda x: explain(p, x), params, images, layers=list(SHAPES)[::-1]
    )
    return [
        metrics.pointing_game(maps, given.masks).mean(),
        metrics.relevance_mass(maps, given.masks).mean(),
        curve(metrics.deletion),
        curve(metrics.insertion),
        removal(attributions=spread).mean() / removal(attributions=0 * spread).mean(),
        metrics.sensitivity_max(lambda x: explain(params, x), images, n_perturb_samples=4).mean(),
        test.similarity.mean(),
    ]


def _area(fun: Any, images: Any, spread: Any, blurred: Any, target: Any, curve: Callable[..., Any]) -> Any:
    return curve(fun, images, spread, blurred, target, over=PLACES, steps=24).auc.mean()


HEAD = ["pointing game", "mass on object", "deletion", "insertion", "infidelity", "sensitivity", "MPRT"]


def rows(given: Case) -> dict[str, Callable[..., Any]]:
    """The methods, by the name that they have in the table."""
    makes = {**METHODS, "LRP, epsilon plus flat": functools.partial(LRP, rules=EpsilonPlusFlat())}
    methods = {name: functools.partial(explained, make, given) for name, make in makes.items()}
    return {**methods, "GradCAM at conv3": functools.partial(grad_cam, given)}


def main() -> None:
    warnings.simplefilter("ignore", IncompleteWarning)
    number, *wanted = sys.argv[1:] or [IMAGES]
    start = time.perf_counter()
    params = train(jax.random.key(0), planted.load("train"))
    print(
        f"jax {jax.__version__}, {jax.devices()[0].platform}; trained in {time.perf_counter() - start:.0f} s"
    )
    given = case(params, planted.load("heldout"), int(number))
    print(f"\n| | evaluations | {' | '.join(HEAD)} |\n|{'---|' * (len(HEAD) + 2)}")
    skipped = {}
    for name, explain in rows(given).items():
        if wanted and name not in wanted:
            continue
        try:
            record: Attribution = explain(params, given.images, record=True)
            cost = sum(record.evaluations.values()) / len(given.labels)
            show(name, f"{cost:.0f}", row(explain, params, given))
        except (TypeError, ValueError, NotImplementedError) as error:
            skipped[name] = f"{type(error).__name__}: {error}"
    for name, control in CONTROLS.items():
        show(f"*{name}*", "", row(functools.partial(control, given), params, given))
    for name, reason in skipped.items():
        print(f"\n{name} is left out: {reason}")
    print(f"\n{len(given.labels)} images, {time.perf_counter() - start:.0f} s in all")


def show(name: str, cost: str, numbers: list[float]) -> None:
    print(f"| {name} | {cost} | {' | '.join(f'{float(v):.2f}' for v in numbers)} |", flush=True)


if __name__ == "__main__":
    main()
