"""Images that can be explained without a notebook, with the models that see them."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import namedtensor as nt
from namedtensor import datasets, models
from notebooks.errors import CommandError

_SOME = 500  # images whose mean may be a baseline


@dataclass(frozen=True)
class Case:
    """What is explained.

    Attributes:
      model: images -> logits ``[batch class]``.
      image: ``[batch:1 height width]``, and maybe ``channel``, 0 to 1.
      shown: the image as it is drawn.
      label: the true class.
      classes: names of the classes; none if their numbers say it all.
      measure: what the image's numbers measure.
      others: images of the same kind, whose mean may be a baseline.
    """

    model: Callable[[nt.NamedTensor], nt.NamedTensor]
    image: nt.NamedTensor
    shown: nt.NamedTensor
    label: int
    classes: tuple[str, ...]
    measure: str
    others: Callable[[], nt.NamedTensor]

    def name(self, number: int) -> str:
        """A class in words."""
        return f"class {number} ({self.classes[number]})" if self.classes else f"class {number}"


def digits(index: int) -> Case:
    """A held-out digit.

    Raises:
      CommandError: there is no image of this number.
    """
    held_out = datasets.digits.load("heldout")
    image = _chosen(held_out.images, index)
    model = functools.partial(models.digits_cnn.apply, models.digits_cnn.load())
    label = int(held_out.labels.array[index])
    return Case(model, image, 1 - image, label, (), "ink", lambda: datasets.digits.load("train").images)


def planted(index: int) -> Case:
    """A held-out image with an object planted in it.

    Raises:
      CommandError: there is no image of this number.
    """
    held_out = datasets.planted.load("heldout")
    image = _chosen(held_out.images, index)
    model = functools.partial(models.planted_cnn.apply, models.planted_cnn.load())
    label, names = int(held_out.labels.array[index]), datasets.planted.CLASSES
    return Case(model, image, image, label, names, "light", lambda: datasets.planted.generate(_SOME).images)


MODELS: dict[str, Callable[[int], Case]] = {"digits": digits, "planted": planted}


def _chosen(images: nt.NamedTensor, index: int) -> nt.NamedTensor:
    n = images.shape["batch"]
    if not 0 <= index < n:
        raise CommandError(f"--index {index} is out of range: there are {n} held-out images, 0 to {n - 1}.")
    return images.isel(batch=slice(index, index + 1))
