"""The methods that the widgets offer, each with the one number that says how much work it does.

What perturbs pixels is offered for squares of them: a photograph has more pixels than anyone waits for.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from captum_lite._method import AbstractMethod
from captum_lite._perturbation import PerturbationMethod
from captum_lite.methods import IMAGE_METHODS, METHODS, find
from namedtensor import is_named

ADAPTIVE = "integrated gradients, adaptive"
_COUNTS = ("n_steps", "nt_samples", "n_samples")  # how much work, by the method's own name for it
_MOST_SQUARES = 196  # by default; 14 x 14
_MANY, _FEW = 4096, 300  # the ends of the slider for evaluations, and for gradients
_SAMPLES = 1024  # of methods that choose by themselves


@dataclass(frozen=True)
class Offer:
    """A method as it is offered.

    Attributes:
      kind: makes the method of a function.
      fixed: options that are not asked for.
    """

    kind: Callable[..., AbstractMethod]
    fixed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def defaults(self) -> dict[str, Any]:
        """The method's options."""
        return self.kind(_nothing).defaults()

    @property
    def count(self) -> str | None:
        """The option that says how much work is done."""
        return None if self.fixed else next((name for name in _COUNTS if name in self.defaults), None)

    @property
    def first_count(self) -> int:
        """Its value to begin with."""
        return self.defaults[self.count] or _SAMPLES if self.count else 1

    @property
    def most(self) -> int:
        """Its largest value."""
        return _MANY if self.first_count > _FEW else _FEW

    @property
    def perturbs(self) -> bool:
        """Whether it evaluates the model with squares of pixels taken away."""
        return isinstance(self.kind, type) and issubclass(self.kind, PerturbationMethod)

    @property
    def compares(self) -> bool:
        """Whether it needs a baseline."""
        return self.kind(_nothing).compares()

    def options(self, images: Any, count: int | None, square: int) -> dict[str, Any]:
        """The options for some images."""
        found = dict(self.fixed)
        if self.count and count is not None:
            found[self.count] = count
        if "feature_mask" in self.defaults:
            found["feature_mask"] = _along(images, square)
        if "sliding_window_shapes" in self.defaults:  # windows overlap by half
            found["sliding_window_shapes"] = _window(images, 2 * square)
            found["strides"] = _window(images, square)
        return found


def _nothing(*_: Any) -> Any:
    raise AssertionError("asked about a method, not about a function")


def _made() -> dict[str, Offer]:
    every = {name: Offer(kind) for name, kind in {**METHODS, **IMAGE_METHODS}.items()}
    adaptive = {ADAPTIVE: Offer(METHODS["integrated gradients"], {"method": "adaptive"})}
    at = list(every).index("integrated gradients") + 1
    return {
        k: v
        for part in (list(every.items())[:at], adaptive.items(), list(every.items())[at:])
        for k, v in part
    }


OFFERED = _made()


def named(name: str) -> Offer:
    """The offer of this name, written as `captum_lite.methods.find` takes it.

    Raises:
      ValueError: there is none.
    """
    return OFFERED[name] if name in OFFERED else Offer(find(name))


def first_square(shape: tuple[int, int]) -> int:
    """The side of squares that are few enough."""
    return max(1, math.ceil(math.sqrt(shape[0] * shape[1] / _MOST_SQUARES)))


def _along(images: Any, square: int) -> dict[Any, int]:
    return dict.fromkeys(("height", "width") if is_named(images) else (1, 2), square)


def _window(images: Any, side: int) -> Any:
    if is_named(images):
        return {d: min(side, images.shape[d]) for d in ("height", "width")}
    return (*(min(side, n) for n in images.shape[1:3]), *images.shape[3:])
