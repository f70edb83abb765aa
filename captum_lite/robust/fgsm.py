"""The fast gradient sign method: one step uphill in the loss."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from captum_lite._backend import compiled
from captum_lite._gradient import gradient
from captum_lite._inputs import Arrays
from captum_lite._problem import Problem
from captum_lite.robust._limits import beside, each_example, finished, masks, require_inside
from captum_lite.robust._loss import losses


@dataclass(frozen=True)
class FGSM:
    """``x + epsilon * sign(d loss / d x)``: the step of that size that raises a linear loss most.

    One gradient evaluation.

    Args:
      fun: any JAX function, as for the methods; logits ``[batch, class]`` for the default loss.
      loss: a function of the output and the target that returns ``[batch]``; None is the cross-entropy of
        logits. (Captum's default takes probabilities: ``lambda p, y: -jnp.log(p[jnp.arange(len(p)), y])``.)
      bounds: the lowest and the highest value that an input can have: ``(0, 1)`` for images.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite.robust import FGSM
      >>> f = lambda x: jnp.stack([x[:, 0], -x[:, 1]], 1)
      >>> FGSM(f).perturb(jnp.array([[1.0, 2.0]]), epsilon=0.5, target=0)
      Array([[0.5, 1.5]], dtype=float32)

    Source: Goodfellow, Shlens, Szegedy 2014, arXiv:1412.6572, section 4.
    """

    fun: Callable[..., Any]
    loss: Callable[..., Any] | None = None
    bounds: tuple[float, float] = (-float("inf"), float("inf"))

    def perturb(
        self,
        inputs: Any,
        epsilon: Any,
        target: Any,
        additional_forward_args: Any = (),
        *,
        targeted: bool = False,
        mask: Any = None,
    ) -> Any:
        """The perturbed inputs.

        Args:
          inputs: an array ``[batch, ...]``, a named tensor, or a tuple of them.
          epsilon: the size of the step, in units of the input; one number, or one for each example.
          target: the true classes: an integer or one for each example; ``{"class": 3}`` for named outputs;
            whatever ``loss`` takes.
          additional_forward_args: further arguments of the function.
          targeted: step towards ``target`` (the wanted classes) instead of away from it.
          mask: 1 where an input may change, 0 where it may not; of the input's shape or some of its dims.

        Returns:
          What ``inputs`` is, changed by at most ``epsilon`` in each number.

        Raises:
          ValueError: a target or a mask that does not fit, inputs out of bounds, an output that is not
            logits.
          TypeError: integer inputs.
        """
        problem = losses(self.fun, self.loss, inputs, target, additional_forward_args)
        require_inside(problem.inputs, self.bounds)
        size = each_example(epsilon, "epsilon", problem.inputs) * (-1 if targeted else 1)
        allowed = masks(mask, problem.inputs, problem.layout)
        return finished(problem, _step(problem, size, allowed, self.bounds))


@compiled
def _step(problem: Problem, size: Any, allowed: Arrays, bounds: tuple[Any, Any]) -> Arrays:
    parts = zip(problem.inputs, gradient(problem, problem.inputs), allowed, strict=True)
    return tuple(
        jnp.clip(x + beside(size, x) * jnp.sign(g) * m, *bounds).astype(x.dtype) for x, g, m in parts
    )
