"""What the privacy explorer asks of a model: one run on shares, and how exact runs are by binary places."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import crypten_lite as ct
from crypten_lite.journal import Watched
from crypten_lite.session import Session, Spec
from crypten_lite.tensor import SharedTensor
from crypten_lite.timeline import History
from crypten_lite.widgets.records import Measured, PrivateRun
from namedtensor import is_named


class Question:
    """A model and its images, to be run on shares.

    Args:
      fun: ``images -> result``, or ``(weights, images) -> result`` if there are weights.
      images: named ``batch height width`` (and maybe ``channel``), or an array of such axes.
      weights: a tree of numbers that are secret too.

    Raises:
      ValueError: images of other shapes, or none.
    """

    def __init__(self, fun: Callable[..., Any], images: Any, weights: Any = None):
        """Check the images."""
        self.fun, self.images, self.weights = fun, checked(images), weights

    def __len__(self) -> int:
        return self.images.shape["batch"] if is_named(self.images) else self.images.shape[0]

    def args(self, start: int, stop: int) -> tuple[Any, ...]:
        """What the model is called with for some of the images."""
        here = slice(start, stop)
        images = self.images.isel(batch=here) if is_named(self.images) else self.images[here]
        return (images,) if self.weights is None else (self.weights, images)

    def run(
        self,
        sample: int,
        parties: int,
        fraction: int,
        *,
        cancel: threading.Event | None = None,
        progress: Callable[[float], Any] | None = None,
    ) -> PrivateRun:
        """One image: shared, computed with and revealed, in a simulation of its own.

        Args:
          sample: the number of the image.
          parties: how many; the first brings the image, the second the weights.
          fraction: binary places.
          cancel: set to stop it at its next step.
          progress: told how much is done, from 0 to 1.

        Raises:
          Stopped: it was cancelled.
        """
        args = self.args(sample, sample + 1)
        plain = self.fun(*args)  # first: what a plain model raises has nothing to do with shares
        rounds = ct.estimate(self.fun, *args, parties=parties, point=ct.FixedPoint(fraction)).rounds
        with ct.simulate(parties, fraction=fraction) as session:
            session.meter = history = History()
            session.journal = Watched(
                cancel or threading.Event(), progress and (lambda over: progress(over / rounds))
            )
            image = session.share(args[-1], owner=0)
            given = (image,) if self.weights is None else (session.share(self.weights, owner=1), image)
            result = session.reveal(ct.private(self.fun)(*given))
            cost, stretches = session.cost, history.stretches  # before the shares that only we look at
            shares, places = fresh_shares(session, image)
        picture = np.asarray(args[-1].array if is_named(args[-1]) else args[-1])[0]
        shares = shares.reshape(parties, *picture.shape)
        return PrivateRun(sample, parties, fraction, result, plain, cost, stretches, picture, shares, places)

    def measure(
        self,
        samples: int,
        parties: int,
        fractions: Sequence[int],
        *,
        cancel: threading.Event | None = None,
        at_once: int = 4,
    ) -> Iterator[tuple[float, list[Measured]]]:
        """Run images with fewer and more binary places: how much is done, and what is known then.

        A few images go through all fractions, then the next few: there is a curve soon, and it gets better.
        """
        known = {f: Measured(f) for f in fractions}
        samples, done = min(samples, len(self)), 0
        for start in range(0, samples, at_once):
            n = min(at_once, samples - start)
            args = self.args(start, start + n)
            for found in ct.error_by_fraction(
                self.fun, *args, fractions=fractions, parties=parties, cancel=cancel
            ):
                known[found.fraction] = known[found.fraction].plus(found, n)
                done += n
                yield done / (samples * len(known)), [m for m in known.values() if m.samples]
            if cancel is not None and cancel.is_set():
                return


def fresh_shares(session: Session, x: SharedTensor) -> tuple[np.ndarray, int]:
    """The share of each party in a number, as it is when a result is revealed; and their binary places.

    Whoever brought a number knows it, and so does its share. The dealer's shares of zero, which come before a
    reveal, make each share uniform by itself, and any of them but all together.
    """
    number = x.carrier.array if is_named(x.carrier) else x.carrier
    spec = Spec(number.shape, session.ring.dtype)
    (zeros,) = session.deal(lambda: [np.zeros((1, *number.shape), spec.dtype)], spec)
    return session.wrap(number.shares + zeros), number.scale


def checked(images: Any) -> Any:
    """Images, if they are.

    Raises:
      ValueError: of other shapes, or none.
      TypeError: truths, which are no numbers to draw.
    """
    images = images if is_named(images) else np.asarray(images)
    if is_named(images):
        dims = "batch height width channel" if "channel" in images.dims else "batch height width"
        images.expect(dims)
        images = images.order(dims)
    elif images.ndim not in (3, 4):
        raise ValueError(
            f"images have the shape {images.shape}: "
            "give [batch, height, width] or [batch, height, width, channel]."
        )
    shape = tuple(images.array.shape) if is_named(images) else images.shape
    if not all(shape):
        raise ValueError(f"there are no images, or no pixels in them: their shape is {shape}.")
    if len(shape) == 4 and shape[3] not in (1, 3):
        raise ValueError(f"images have {shape[3]} channels: one or three can be drawn.")
    if images.dtype == bool:
        raise TypeError("images are of bool: give numbers, images.astype('float32').")
    return images
