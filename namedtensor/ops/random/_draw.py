"""What all random operations share: reading the key, and lining up parameters with the shape."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._dims import Dims, Sizes, require, require_new, sized, without
from namedtensor._errors import DuplicateDim, MissingName, SizeMismatch, Unsupported, describe
from namedtensor._plan import Body
from namedtensor._tensor import is_named
from namedtensor.ops._align import align
from namedtensor.ops._batch import lead, mapped

NO_SHAPE = (Dims(), ())


def as_key(key: Any) -> Any:
    """``key``, a random key of either kind, or a named tensor of keys.

    Raises:
      MissingName: an array of keys without names.
      Unsupported: something else.
    """
    array = key.array if is_named(key) else key
    dtype = getattr(array, "dtype", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key):
        if is_named(key) or array.ndim == 0:
            return key
        raise MissingName(
            f"{describe(key)} has no names.", "Name them: nt.tensor(keys, 'layer'), or split by name."
        )
    if dtype == jnp.uint32 and array.ndim == 1 and not is_named(key):  # a key of the old kind
        with contextlib.suppress(TypeError):  # of a length that no key has
            return jax.random.wrap_key_data(array)
    raise Unsupported(f"{describe(key)} is no random key.", "Make one: jax.random.key(0).")


def parse_shape(shape: Sizes | None) -> tuple[Dims, tuple[int, ...]]:
    """Names and sizes of a shape, of which there are none by default."""
    return NO_SHAPE if shape is None else sized(shape)


def drawing(
    names: tuple[Dims, ...],
    shape: tuple[Dims, tuple[int, ...]],
    sampler: Callable[..., Any],
    *,
    events: Sequence[Sequence[str]] = (),
    out: Sequence[str] = (),
) -> Body:
    """The body of a sampler.

    Args:
      names: those of the key, and of each parameter.
      shape: names and sizes that the user listed.
      sampler: ``sampler(key, *parameters, shape=...)``.
      events: for each parameter, the names that the sampler wants last.
      out: the names that the sampler adds to the shape, last.
    """
    keys, *given = names
    listed, _ = shape
    events = [*events, *[()] * (len(given) - len(events))]
    for there, event in zip(given, events, strict=True):
        require(there, event)
    batches = [without(there, event) for there, event in zip(given, events, strict=True)]
    _require_other(keys, listed)
    extra = sorted({d for there in batches for d in there} - {*listed, *keys})
    target = Dims([*listed, *extra])
    for dim in out:
        require_new([*keys, *target], dim)
    orders = [lead(b, keys, [*target, *e]) for b, e in zip(batches, events, strict=True)]

    def draw(key, *parameters):
        known = _known_sizes(shape, parameters, batches, given)
        wanted = tuple(known[d] for d in target)
        aligned = [align(jnp.asarray(p), d, o) for p, d, o in zip(parameters, given, orders, strict=True)]
        one = lambda key, *values: sampler(key, *values, shape=wanted)  # noqa: E731
        return mapped(one, [keys, *given], keys)(key, *aligned)

    return Body(draw, Dims([*keys, *target, *out]))


def _require_other(keys: Dims, listed: Dims) -> None:
    for dim in keys:
        if dim in listed:
            raise DuplicateDim(
                f"the key has the dim {dim!r}, and so has the shape.",
                f"Leave {dim!r} out of the shape: there is a draw for each key.",
            )


def _known_sizes(
    shape: tuple[Dims, tuple[int, ...]],
    parameters: Sequence[Any],
    batches: Sequence[Dims],
    given: Sequence[Dims],
) -> dict[str, int]:
    known = dict(zip(*shape, strict=True))
    for parameter, batch, there in zip(parameters, batches, given, strict=True):
        for dim, size in zip(there, jnp.shape(parameter), strict=True):
            if dim in batch and known.setdefault(dim, size) != size:
                raise SizeMismatch(
                    f"{dim!r} is {known[dim]} in the shape, {size} in a parameter.",
                    f"If they are two dims, rename one: .rename({dim}='{dim}_2').",
                )
    return known
