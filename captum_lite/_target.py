"""Target selection: from the model's output to one number for each example."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from captum_lite._callable import Skeleton, split
from captum_lite._inputs import BATCH
from namedtensor import NamedTensor, is_named
from namedtensor import _errors as shapes
from namedtensor._dims import unknown


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Target:
    """Which number of the output is explained.

    Attributes:
      indices: an integer, or one for each example, for each axis of the output after the batch.
      names: the dims that the indices belong to; None where they go by position.
      select: a function of the output instead, without its arrays.
      held: the arrays that it holds.
    """

    indices: tuple[Any, ...]
    names: tuple[str, ...] | None = field(default=None, metadata={"static": True})
    select: Skeleton | None = field(default=None, metadata={"static": True})
    held: tuple[Any, ...] = ()

    def __call__(self, output: Any, batch: int) -> Any:
        """The scores ``[batch]``."""
        if self.select is not None:
            return _scores(self.select.fill(self.held)(output), batch)
        output = _positional(output, self.names)
        rows = jnp.arange(batch)
        if not self.indices:
            return output.reshape(batch)
        return output.at[(rows, *self.indices)].get(mode="fill", fill_value=jnp.nan)


def make(target: Any, output: Any, batch: int, *, differentiable: bool = True) -> Target:
    """The `Target` for what the user wrote, checked against the shape of the model's output.

    Args:
      target: None, an integer, an array ``[batch]`` of integers, a tuple (or a list of tuples, one
        for each example) for outputs of several axes, a dict by dim, or a function of the output.
      output: the output, or its shape.
      batch: the number of examples.
      differentiable: whether the number must have a gradient.

    Raises:
      ValueError: an output without a batch, or a target of the wrong form for it.
      TypeError: an output of integers.
      IndexError: a target out of range.
    """
    if callable(target):
        select, held = split(target)
        return Target((), select=select, held=held)
    _require_batch(output, batch)
    if differentiable and not jnp.issubdtype(output.dtype, jnp.floating):
        raise TypeError(
            f"the function returned {shapes.describe(output)}: a gradient needs floating-point scores; "
            "return them as they are before argmax or rounding."
        )
    if isinstance(target, Mapping):
        names, values = tuple(target), tuple(target.values())
        if not is_named(output):
            raise ValueError(
                f"target={target!r} goes by name and the output {shapes.describe(output)} has no names: "
                "give positions."
            )
        for name in names:
            if name not in output.dims or name == BATCH:
                raise ValueError(
                    f"target={target!r}: {unknown(name, [d for d in output.dims if d != BATCH])}"
                )
    else:
        names, values = None, _by_position(target, batch)
    sizes = _sizes(output, names)
    if target is None and all(n == 1 for n in sizes.values()):
        return Target(())
    if len(values) != len(sizes):
        raise _wrong_form(target, output, sizes)
    indices = tuple(_index(v, n, target, output, batch) for v, n in zip(values, sizes.values(), strict=True))
    return Target(indices, names)


def _by_position(target: Any, batch: int) -> tuple[Any, ...]:
    if target is None:
        return ()
    if isinstance(target, tuple):
        return target
    if isinstance(target, list) and target and isinstance(target[0], tuple | list):
        if len(target) != batch:
            raise ValueError(
                f"target lists {len(target)} positions for a batch of {batch}: give one for each example."
            )
        return tuple(np.asarray(target).T)
    return (target,)


def _sizes(output: Any, names: tuple[str, ...] | None) -> dict[Any, int]:
    """Sizes of the axes after the batch, in the order in which the indices go."""
    if is_named(output):
        rest = {d: n for d, n in output.shape.items() if d != BATCH}
        return {d: rest[d] for d in names or ()} | {d: n for d, n in rest.items() if d not in (names or ())}
    return dict(enumerate(output.shape[1:], start=1))


def _wrong_form(target: Any, output: Any, sizes: Mapping[Any, int]) -> ValueError:
    shown = shapes.describe(output)
    if target is None:
        advice = (
            "choose one number for each example: target=3, target={'class': 3} or a function of the output"
        )
    elif not sizes:
        advice = "it has one number for each example already: leave target=None"
    else:
        advice = f"give {len(sizes)} positions in a tuple, one for each axis after the batch"
    return ValueError(f"target={target!r} does not fit the output {shown}: {advice}.")


def _index(value: Any, size: int, target: Any, output: Any, batch: int) -> Any:
    if isinstance(value, NamedTensor):
        value = value.to_array(BATCH) if value.dims else value.array
    if isinstance(value, Tracer):
        return value
    index = np.asarray(value)
    if index.dtype.kind not in "iu" or index.shape not in ((), (batch,)):
        raise ValueError(
            f"target={target!r}: give an integer, or {batch} integers, one for each example; "
            f"not {shapes.describe(index)}."
        )
    if index.size and (index.min() < -size or index.max() >= size):
        wrong = int(index.max() if index.max() >= size else index.min())
        raise IndexError(
            f"target {wrong} is out of range: the output {shapes.describe(output)} has {size} there, "
            f"0 to {size - 1}."
        )
    return jnp.asarray(index % size if size else index)


def _require_batch(output: Any, batch: int) -> None:
    if not is_named(output) and not hasattr(output, "shape"):
        raise ValueError(
            f"the function returned {type(output).__name__}: it must return one array, "
            "or target must be a function that makes one of it."
        )
    size = output.shape.get(BATCH) if is_named(output) else (output.shape or (None,))[0]
    if size != batch:
        raise ValueError(
            f"the function returned {shapes.describe(output)} for a batch of {batch}: the output must have "
            f"{'the dim batch' if is_named(output) else 'the batch as its first axis'}, of the same size. "
            "If the function takes one example, give jax.vmap(function)."
        )


def _positional(output: Any, names: tuple[str, ...] | None) -> Any:
    return output.to_array([BATCH, *(names or ()), "..."]) if is_named(output) else output


def _scores(scores: Any, batch: int) -> Any:
    scores = scores.to_array(BATCH) if isinstance(scores, NamedTensor) else jnp.asarray(scores)
    if scores.shape != (batch,):
        raise ValueError(
            f"the target function returned {shapes.describe(scores)}: "
            f"it must return one number for each of {batch} examples."
        )
    return scores
