"""Reading a table at a secret position: it is compared with each row's, and the answers are multiplied.

All comparisons go together, so a look-up of any size takes three rounds for them (the index is open) and one
for the product with a secret table; with a public table the product is free. An index beyond the table reads
its first or last row, as where JAX clips it.
"""

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from crypten_lite.products import matmul
from crypten_lite.protocols.comparison import at_least
from crypten_lite.protocols.selection import as_number
from crypten_lite.rules import constants, logic
from crypten_lite.rules.linear import bilinear
from crypten_lite.rules.table import refuse
from crypten_lite.values import Number, Secret, Truth, flat
from namedtensor.interpreter import Equation

if TYPE_CHECKING:
    from crypten_lite.rules.indexing import Windows

_LETTERS = "abcdefghijklmnopqrstuvwxy"
_ADVICE = (
    "Read whole rows along one axis, table[i] or jnp.take(table, i, axis), or one number of each row with "
    "jnp.take_along_axis; or write the index as a one-hot vector and multiply: jax.nn.one_hot(i, n) @ table."
)


def looked_up(eqn: Equation, table: Any, indices: Secret, windows: "Windows") -> Any:
    """Rows of a table, or numbers of its rows, at secret positions along one axis."""
    if len(windows.indexed) != 1:
        return _with_public_columns(eqn, table, indices, windows)
    (axis,) = windows.indexed
    full = all(
        s == n or a in (axis, *windows.batch)
        for a, (s, n) in enumerate(zip(windows.sizes, windows.shape, strict=True))
    )
    if windows.sizes[axis] != 1 or not full:
        raise refuse(eqn, "windows stand at secret positions", _ADVICE)
    if isinstance(table, Truth):
        table = constants.number(eqn, table)
    index = constants.number(eqn, indices)
    one_hot = encoded(index.map(lambda a: a[..., 0], index.shape[:-1]), windows.shape[axis])
    kept = [a for a in range(len(windows.shape)) if a not in (*windows.batch, axis)]

    def rows(hot: Any, values: Any) -> Any:
        return _rows(hot, values.transpose(*windows.batch, axis, *kept), windows, len(kept))

    return bilinear(eqn, one_hot, table, rows)


def _with_public_columns(eqn: Equation, table: Any, indices: Secret, windows: "Windows") -> Any:
    """Where all but one of the numbers of an index are public: these are looked up first."""
    axis, index, places, before = _located(eqn, indices, windows)
    rows = moved(table, places) if isinstance(table, Secret) else np.asarray(table).reshape(-1)[places]

    def chosen(hot: Any, values: Any) -> Any:
        outer, inner = _LETTERS[: index.ndim], _LETTERS[index.ndim : values.ndim - 1]
        found = np.einsum(f"{outer}z,{outer}{inner[:before]}z{inner[before:]}->{outer}{inner}", hot, values)
        if axis in windows.kept:
            found = np.expand_dims(found, index.ndim + before)
        return np.moveaxis(found, range(index.ndim, found.ndim), windows.inner)

    return bilinear(eqn, encoded(index, windows.shape[axis]), rows, chosen)


def spread(eqn: Equation, update: Any, indices: Secret, windows: "Windows") -> tuple[Number, Any]:
    """What is added along a whole axis, zeros but at the secret position, and the places of it all."""
    axis, index, places, before = _located(eqn, indices, windows)

    def everywhere(hot: Any, values: Any) -> Any:
        values = np.moveaxis(values, windows.inner, range(index.ndim, values.ndim))
        values = values.squeeze(index.ndim + before) if axis in windows.kept else values
        outer, inner = _LETTERS[: index.ndim], _LETTERS[index.ndim : values.ndim]
        return np.einsum(f"{outer}z,{outer}{inner}->{outer}{inner[:before]}z{inner[before:]}", hot, values)

    return bilinear(eqn, encoded(index, windows.shape[axis]), update, everywhere, places.shape), places


def _located(eqn: Equation, indices: Secret, windows: "Windows") -> tuple[int, Number, Any, int]:
    """The secret index and its axis, the places along all of that axis, and how many axes come before."""
    columns = [c for piece in _pieces(indices) for c in _columns(piece)]
    secret = [i for i, c in enumerate(columns) if isinstance(c, Secret)]
    if len(columns) != len(windows.indexed) or len(secret) != 1:
        raise refuse(eqn, "positions along several axes are secret", _ADVICE)
    axis, index = windows.indexed[secret[0]], constants.number(eqn, columns[secret[0]])
    if windows.sizes[axis] != 1:
        raise refuse(eqn, "windows stand at secret positions", _ADVICE)
    public = np.stack([np.zeros(index.shape, np.int64) if isinstance(c, Secret) else c for c in columns], -1)
    whole = windows.along(axis, index.ndim)
    return axis, index, whole.places(public, clip=True), sum(a < axis for a in whole.kept)


def _pieces(indices: Secret) -> Any:
    number = indices if isinstance(indices, Number) else None
    return () if number is None else number.known.get("columns", (number,))


def _columns(piece: Any) -> list[Any]:
    """``[*outer, n] -> n`` times ``[*outer]``."""
    if not isinstance(piece, Number):
        return [] if isinstance(piece, Secret) else list(np.moveaxis(np.asarray(piece), -1, 0))
    return [piece.map(lambda a, i=i: a[..., i], piece.shape[:-1]) for i in range(piece.shape[-1])]


def _rows(hot: Any, values: Any, windows: "Windows", kept: int) -> Any:
    """``[*outer, n]`` one-hot rows times ``[*batch, n, *kept]``, with the window's axes where they belong."""
    outer = hot.shape[:-1]
    if windows.batch:
        rows, rest = _LETTERS[: len(outer)], _LETTERS[len(outer) : len(outer) + kept]
        batch = "".join(rows[i] for i in windows.batch_indices)
        found = np.einsum(f"{rows}z,{batch}z{rest}->{rows}{rest}", hot, values)
    else:
        size = (math.prod(outer), hot.shape[-1], math.prod(values.shape[1:]))
        found = matmul(hot.reshape(size[:2]), values.reshape(size[1:])).reshape(*outer, *values.shape[1:])
    if len(windows.inner) > kept:  # a window of one number that keeps its axis
        (axis,) = windows.indexed
        found = np.expand_dims(
            found, len(outer) + sum(a < axis for a in range(axis) if a not in windows.batch)
        )
    return np.moveaxis(found, range(len(outer), found.ndim), windows.inner)


def encoded(index: Number, size: int) -> Number:
    """``[*shape] -> [*shape, size]``: 1 at the index, 0 elsewhere."""
    steps = at_least(*((index, r << index.scale) for r in range(1, size)))
    first, last = (logic.lifted(index.session, np.full(index.shape, bit)) for bit in (1, 0))
    here = [a.differs(b) for a, b in itertools.pairwise((first, *steps, last))]
    hot = here[0].joined(here[1:], lambda *parts: np.stack(parts, -1), (*index.shape, size))
    return as_number(hot, index.dtype)


def moved(x: Secret, places: Any) -> Any:
    """The elements at public places."""

    def take(a: Any) -> Any:
        return flat(a)[:, places]

    return x.moved(take, places.shape) if isinstance(x, Number) else x.map(take, places.shape)
