"""The loss that an attack climbs, as a problem whose score it is."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from captum_lite._inputs import BATCH, require_real
from captum_lite._problem import Problem, pose
from namedtensor import NamedTensor, is_named
from namedtensor._errors import describe


def losses(fun: Callable[..., Any], loss: Any, inputs: Any, target: Any, args: Any) -> Problem:
    """The problem whose score is the loss of each example.

    Args:
      fun: the attacked function.
      loss: None for the cross-entropy of logits; or a function of the output and the target.
      inputs: batch first.
      target: the labels.
      args: further arguments of ``fun``.

    Raises:
      ValueError: no target, or an output that is not one number a class.
      TypeError: integer inputs.
    """
    if target is None:
        raise ValueError("an attack needs target=: the true classes, or with targeted=True the wanted ones.")
    args = args if isinstance(args, tuple) else () if args is None else (args,)
    if loss is None:
        problem = pose(_surprise, inputs, None, target, (*args, fun))
    else:
        labels = target if is_named(target) or isinstance(target, dict) else jnp.asarray(target)
        problem = pose(_of_output, inputs, None, None, (*args, labels, loss, fun))
    require_real(problem.inputs, "input", "an attack")
    return problem


def _surprise(*given: Any) -> Any:
    """``-log softmax`` of the output, of which the target chooses one."""
    *args, fun = given
    output = fun(*args)
    axis = class_axis(output, "give loss= for other outputs")
    if not is_named(output):
        return -jax.nn.log_softmax(output, axis)
    return NamedTensor(-jax.nn.log_softmax(output.array, axis), output.dims)


def _of_output(*given: Any) -> Any:
    *args, labels, loss, fun = given
    return loss(fun(*args), labels)


def class_axis(output: Any, advice: str) -> int:
    """The axis of the classes: the one beside the batch.

    Raises:
      ValueError: there is none, or several, or one class alone.
    """
    names = output.dims if is_named(output) else None
    sizes = output.array.shape if is_named(output) else getattr(output, "shape", ())
    axis = 1 if names is None else next((k for k, d in enumerate(names) if d != BATCH), 0)
    if len(sizes) != 2 or sizes[axis] < 2:
        raise ValueError(
            f"the function returned {describe(output)}: a class is chosen from [batch, class] with at least "
            f"two classes; {advice}."
        )
    return axis
