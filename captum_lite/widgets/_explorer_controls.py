"""The controls of the attribution explorer: each has a name that a screen reader reads."""

from typing import Any

import ipywidgets as w

from captum_lite.widgets._images import Samples
from captum_lite.widgets._offers import OFFERED, first_square
from namedtensor.widgets import Slider

_WIDTH = w.Layout(width="280px")
_WIDE = {"description_width": "70px"}


def number(samples: Samples) -> Slider:
    """Which image."""
    last = len(samples) - 1
    return Slider(label="sample", min=0, max=last, step=1, value=0, disabled=last == 0)


def target(samples: Samples) -> w.IntText | w.Dropdown:
    """Which class: by its name, if it has one; none until the model has said what it sees."""
    names, tooltip = samples.class_names, "class whose score is explained"
    if names is not None:
        return dropdown("target", [(name, i) for i, name in enumerate(names)], tooltip, value=None)
    return w.IntText(-1, description="target", tooltip=tooltip, layout=_WIDTH, style=_WIDE)


def dropdown(name: str, options: list[Any], tooltip: str, **more: Any) -> w.Dropdown:
    """One of some; the first, to begin with."""
    return w.Dropdown(options=options, description=name, tooltip=tooltip, layout=_WIDTH, style=_WIDE, **more)


def steps() -> Slider:
    """How much work; its ends depend on the method."""
    return Slider(label="steps", min=1, max=300, step=1, value=50)


def square(samples: Samples) -> w.BoundedIntText:
    """The features of methods that perturb."""
    shape = samples.shape
    tooltip = "side, in pixels, of the squares that are taken away together"
    return w.BoundedIntText(
        first_square(shape),
        min=1,
        max=max(shape),
        description="square",
        tooltip=tooltip,
        layout=_WIDTH,
        style=_WIDE,
    )


def run() -> w.Button:
    """Asks again."""
    return w.Button(description="Run", tooltip="ask again, after a cancel or an error", layout=_WIDTH)


def settle(method: w.Dropdown, baseline: w.Dropdown, steps: Slider, square: w.BoundedIntText) -> None:
    """Offer what the chosen method has: its own number of steps, a baseline, squares."""
    offer = OFFERED[str(method.value)]
    baseline.disabled, square.disabled = not offer.compares, not offer.perturbs
    steps.disabled = offer.count is None
    if offer.count is not None and offer.most != steps.max:
        steps.max = offer.most
        steps.value = offer.first_count
