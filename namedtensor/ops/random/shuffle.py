"""Drawing from what a dim holds: shuffled, or some of it."""

from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._dims import Dims, Sizes, axis_of, check_name, require_new, sized, without
from namedtensor._errors import SizeMismatch, Unsupported, showing
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._align import align
from namedtensor.ops._batch import lead, mapped
from namedtensor.ops._table import public
from namedtensor.ops.random._draw import as_key


def _permutation_rule(names: tuple[Dims, ...], over: str) -> Body:
    keys, there = names
    axis_of(there, over)
    _require_no_key(keys, over)
    rest = without(there, keys)
    shuffle = lambda key, array: jax.random.permutation(key, array, axis=rest.index(over))  # noqa: E731

    def permutation(key, array):
        return mapped(shuffle, names, keys)(key, align(array, there, lead(there, keys, rest)))

    return Body(permutation, Dims([*keys, *rest]))


def _require_no_key(keys: Dims, over: str) -> None:
    if over in keys:
        raise Unsupported(f"there is a key for each position of {over!r}.", "Draw along another dim.")


def _choice_rule(names: tuple[Dims, ...], over: str, shape: tuple, replace: bool) -> Body:
    keys, there, *weights = names
    axis_of(there, over)
    _require_no_key(keys, over)
    listed, sizes = shape
    rest = without(there, keys)
    kept = without(rest, [over])
    for dim in listed:
        require_new([*keys, *kept], dim)
    for probability in weights:
        axis_of(probability, over)
        if without(probability, [*keys, over]):
            raise Unsupported(
                f"p has the dims '{probability}': one draw is for all other dims.",
                f"Give p along {over!r} alone, or keys for the others: nt.random.split(key, 'batch:8').",
            )

    def choose(key, array, *p):
        return jax.random.choice(key, array, sizes, replace, *p, axis=rest.index(over))

    def choice(key, array, *p):
        _require_enough(over, array.shape[there.index(over)], sizes, replace)
        p = [align(jnp.asarray(w), d, lead(d, keys, [over])) for w, d in zip(p, weights, strict=True)]
        return mapped(choose, names, keys)(key, align(array, there, lead(there, keys, rest)), *p)

    at = rest.index(over)
    return Body(choice, Dims([*keys, *rest[:at], *listed, *rest[at + 1 :]]))


def _require_enough(over: str, size: int, sizes: tuple[int, ...], replace: bool) -> None:
    wanted = 1
    for n in sizes:
        wanted *= n
    if wanted and (size == 0 or (not replace and wanted > size)):
        raise SizeMismatch(
            f"{over!r} is {size}, and {wanted} are drawn.", "Draw fewer, or with replace=True."
        )


_permutation = Operation("random.permutation", _permutation_rule, ("over",), lambda over: (check_name(over),))
_choice = Operation(
    "random.choice",
    _choice_rule,
    ("over",),
    lambda over, shape, replace: (check_name(over), sized(shape), bool(replace)),
)


def permutation(key: Any, x: NamedTensor, over: str) -> NamedTensor:
    """``x`` in a random order along ``over``, the same for all other dims.

    A key with dims, of which ``x`` may have some, shuffles anew for each of its keys.

    Raises:
      UnknownDim: ``x`` lacks ``over``.

    Example:
      >>> import jax, namedtensor as nt
      >>> int(nt.random.permutation(jax.random.key(0), nt.arange("seq", 5), "seq").sum())
      10
    """
    with showing(f"nt.random.permutation(over={over!r})", key, x):
        key = as_key(key)
    return run(_permutation, (key, x), (over,))


def choice(
    key: Any, x: NamedTensor, over: str, shape: Sizes, *, replace: bool = True, p: NamedTensor | None = None
) -> NamedTensor:
    """Random positions of ``over``, along the dims of ``shape`` in its place.

    Args:
      key: a random key; one with dims draws for each of its keys.
      x: a tensor with the dim ``over``.
      over: the dim from which positions are drawn.
      shape: the dims of the draws, ``"draw:8"``.
      replace: whether a position may be drawn twice.
      p: the probability of each position ``[over]``; all are as likely by default.

    Raises:
      UnknownDim: ``x`` or ``p`` lacks ``over``.
      SizeMismatch: more draws than positions without replacement.

    Example:
      >>> import jax, namedtensor as nt
      >>> x = nt.ones("token:9 embed:4")
      >>> nt.random.choice(jax.random.key(0), x, "token", "draw:3", replace=False).shape
      Shape(draw:3 embed:4)
    """
    with showing(f"nt.random.choice(over={over!r})", key, x):
        key = as_key(key)
    return run(_choice, (key, x) if p is None else (key, x, p), (over, shape, replace))


__all__ = public(globals())
