"""Projected gradient descent: many small steps uphill in the loss, kept in a ball around the input."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from captum_lite._backend import compiled
from captum_lite._gradient import gradient
from captum_lite._inputs import Arrays
from captum_lite._problem import Problem
from captum_lite.metrics.perturbations import by_name
from captum_lite.robust._limits import beside, each_example, finished, masks, require_inside
from captum_lite.robust._loss import losses

_NORMS = ("Linf", "L2")
_STEPS = ("sign", "gradient")


@dataclass(frozen=True)
class PGD:
    """``x' <- clip(x' + step_size * sign(d loss / d x'))``, clipped to the ball of ``radius`` around ``x``.

    ``step_num`` gradient evaluations.

    Args:
      fun: any JAX function, as for the methods; logits ``[batch, class]`` for the default loss.
      loss: a function of the output and the target that returns ``[batch]``; None is the cross-entropy of
        logits.
      bounds: the lowest and the highest value that an input can have: ``(0, 1)`` for images.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite.robust import PGD
      >>> f = lambda x: jnp.stack([x[:, 0], -x[:, 1]], 1)
      >>> PGD(f).perturb(jnp.array([[1.0, 2.0]]), radius=0.5, step_size=0.25, step_num=4, target=0)
      Array([[0.5, 1.5]], dtype=float32)

    Source: Madry, Makelov, Schmidt, Tsipras, Vladu 2017, arXiv:1706.06083, section 2.1.
    """

    fun: Callable[..., Any]
    loss: Callable[..., Any] | None = None
    bounds: tuple[float, float] = (-float("inf"), float("inf"))

    def perturb(
        self,
        inputs: Any,
        radius: Any,
        step_size: Any,
        step_num: int,
        target: Any,
        additional_forward_args: Any = (),
        *,
        targeted: bool = False,
        random_start: bool = False,
        norm: str = "Linf",
        step: str = "sign",
        mask: Any = None,
        key: Any = None,
    ) -> Any:
        """The perturbed inputs; arguments that are not here are those of `FGSM.perturb`.

        Args:
          inputs: as for `FGSM.perturb`.
          radius: of the ball, in units of the input; one number, or one for each example.
          step_size: of each step; one number, or one for each example.
          step_num: how many steps.
          target: as for `FGSM.perturb`.
          additional_forward_args: as for `FGSM.perturb`.
          targeted: as for `FGSM.perturb`.
          random_start: start at a random point of the ball instead of its middle.
          norm: of the ball: ``"Linf"`` (no number changes by more than the radius) or ``"L2"`` (the changes
            of an example have at most this Euclidean length, of each input alone).
          step: ``"sign"``, as Captum does with either norm; or ``"gradient"``, the gradient with the length
            ``step_size``, the steepest step of the L2 norm.
          mask: as for `FGSM.perturb`.
          key: of the random start; ``jax.random.key(0)`` by default.

        Returns:
          What ``inputs`` is, changed within the ball.

        Raises:
          ValueError: as `FGSM.perturb`, and for a norm or a step that is not known or no steps.
        """
        _require_known("norm", norm, _NORMS)
        _require_known("step", step, _STEPS)
        if step_num < 1:
            raise ValueError(f"step_num={step_num}: take at least one step.")
        problem = losses(self.fun, self.loss, inputs, target, additional_forward_args)
        require_inside(problem.inputs, self.bounds)
        size = each_example(step_size, "step_size", problem.inputs) * (-1 if targeted else 1)
        ball = each_example(radius, "radius", problem.inputs), self.bounds
        allowed = masks(mask, problem.inputs, problem.layout)
        now = problem.inputs
        if random_start:
            key = jax.random.key(0) if key is None else key
            now = _start(key, now, allowed, *ball, norm=norm, names=problem.layout.dims)
        # a step at a time: XLA for CPU is many times slower with convolutions inside of a loop
        for _ in range(step_num):
            now = _step(problem, now, size, allowed, *ball, norm=norm, step=step)
        return finished(problem, now)


def _require_known(what: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise ValueError(f"{what}={given!r} is not known: choose {' or '.join(map(repr, known))}.")


@compiled(static_argnames=("norm", "step"))
def _step(
    problem: Problem,
    now: Arrays,
    size: Any,
    allowed: Arrays,
    radius: Any,
    bounds: Any,
    *,
    norm: str,
    step: str,
) -> Arrays:
    parts = zip(problem.inputs, now, gradient(problem, now), allowed, strict=True)
    moved = ((x, y + beside(size, x) * _direction(g * m, step)) for x, y, g, m in parts)
    return tuple(_within(x, y - x, radius, bounds, norm) for x, y in moved)


def _direction(g: Any, step: str) -> Any:
    if step == "sign":
        return jnp.sign(g)
    length = _lengths(g)
    return g / jnp.where(length == 0, 1, length)


def _lengths(x: Any) -> Any:
    """Euclidean lengths of the examples, shaped to stand beside them."""
    return jnp.sqrt(jnp.square(x).sum(tuple(range(1, x.ndim)), keepdims=True))


def _within(x: Any, change: Any, radius: Any, bounds: Any, norm: str) -> Any:
    """``x`` with the change projected to the ball, and then to the bounds, which never leaves the ball."""
    r = beside(radius, x)
    if norm == "Linf":
        change = jnp.clip(change, -r, r)
    else:
        length = _lengths(change)
        change = change * jnp.where(length > r, r / jnp.where(length == 0, 1, length), 1)
    return jnp.clip(x + change, *bounds).astype(x.dtype)


@functools.partial(jax.jit, static_argnames=("norm", "names"))
def _start(
    key: Any, inputs: Arrays, allowed: Arrays, radius: Any, bounds: Any, *, norm: str, names: Any
) -> Arrays:
    keys = jax.random.split(key, len(inputs))
    parts = zip(keys, inputs, allowed, names, strict=True)
    return tuple(
        _within(x, m * _in_ball(k, x, radius, d, norm), radius, bounds, norm) for k, x, m, d in parts
    )


def _in_ball(key: Any, x: Any, radius: Any, dims: Any, norm: str) -> Any:
    """Uniform in the ball around 0."""
    if norm == "Linf":
        draw = functools.partial(jax.random.uniform, minval=-1.0)
        return beside(radius, x) * by_name(draw, key, x.shape, dims, x.dtype)
    first, second = jax.random.split(key)
    normal = by_name(jax.random.normal, first, x.shape, dims, x.dtype)
    outward = jax.random.uniform(second, (x.shape[0],), x.dtype) ** (x.shape[0] / x.size)
    return normal / _lengths(normal) * beside(radius * outward, x)
