"""What each dim becomes in a plot: an axis, a line of its own, or a panel of its own.

Every dim must have a place. What is left over is not averaged or sliced silently: the error says
how to do either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np

from namedtensor._dims import Dims, check_name, in_transit, require, without
from namedtensor._errors import BadPattern, DimMismatch, DuplicateDim, SizeMismatch, Unsupported, showing
from namedtensor._tensor import NamedTensor, named
from namedtensor.interop.arrays import on_host
from namedtensor.ops._align import align

_LINES, _PANELS = 200, 100  # more than these nobody can tell apart

Roles = dict[str, str]  # what a dim is for -> the dim


@dataclass(frozen=True, eq=False)
class Picture:
    """What is drawn.

    Attributes:
      values: [row, column, hue or y, x], of size 1 where no dim has the role.
      roles: the dim of each role that is taken: x, y, hue, col, row.
      ticks: texts at the positions of some dims.
    """

    values: np.ndarray = field(repr=False)
    roles: Roles
    ticks: Mapping[str, Sequence[str]]

    @property
    def is_image(self) -> bool:
        """Whether the values are colours, and not heights of lines."""
        return "y" in self.roles

    def text(self, role: str, i: int) -> str:
        """What stands at a panel or a line: ``head = 3``; nothing where no dim has the role."""
        if role not in self.roles:
            return ""
        dim = self.roles[role]
        return self.ticks[dim][i] if dim in self.ticks else f"{dim} = {i}"


def picture(x: NamedTensor, roles: Mapping[str, str | None], ticks: Mapping[str, Sequence[Any]]) -> Picture:
    """Give each dim its place.

    Raises:
      DimMismatch: a dim is left over.
      UnknownDim: a dim that ``x`` lacks.
      DuplicateDim: one dim for two roles.
      SizeMismatch: not as many texts as positions.
      Unsupported: nothing that can be drawn, or more of it than can be told apart.
    """
    with showing("nt.plot", x):
        if named(x).array.ndim != len(x.dims):
            raise in_transit(x.array.shape, x.dims)
        taken = _placed(x, {role: check_name(dim) for role, dim in roles.items() if dim is not None})
        _can_be_seen(x, taken)
        order = Dims(taken[role] for role in ("row", "col", "y", "hue", "x") if role in taken)
        values = on_host(align(x.array, x.dims, order)).astype(np.float64)
        shape = [1 if role not in taken else x.shape[taken[role]] for role in ("row", "col")]
        values = values.reshape(*shape, -1, x.shape[taken["x"]])
        return Picture(values, taken, _texts(x, ticks))


def _placed(x: NamedTensor, taken: Roles) -> Roles:
    for role, dim in taken.items():
        require(x.dims, [dim])
        twice = [other for other in taken if taken[other] == dim and other != role]
        if twice:
            raise DuplicateDim(f"{dim!r} is both {role} and {twice[0]}.", "Give each dim one place.")
    if "y" in taken and "hue" in taken:
        raise BadPattern(
            "y is for images and hue for lines.", "Give one of the two; col and row go with both."
        )
    left = without(x.dims, taken.values())
    if "x" not in taken and len(left) == 1:
        return taken | {"x": left[0]}
    if left or "x" not in taken:
        raise _left_over(x, left, taken)
    return taken


def _left_over(x: NamedTensor, left: Dims, taken: Roles) -> Exception:
    if not x.dims:
        return Unsupported("a scalar has nothing along which to plot.")
    if not left:
        return BadPattern("no dim is left for x.", f"Leave out {next(iter(taken))}.")
    dim = left[-1]
    free = [role for role in ("x", "y", "hue", "col", "row") if role not in taken]
    if "y" in taken or "hue" in taken:
        free = [role for role in free if role not in ("y", "hue")]
    places = ", ".join(f"{role}={dim!r}" for role in free)
    return DimMismatch(
        f"'{' '.join(left)}' {'has' if len(left) == 1 else 'have'} no place in the plot.",
        f"Give one, {places}, or take it out before: x.mean({dim!r}) or x.isel({dim}=0).",
    )


def _can_be_seen(x: NamedTensor, taken: Roles) -> None:
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        raise Unsupported("complex values have no one height or colour.", "Plot abs(x), or its parts.")
    if x.size == 0:
        raise Unsupported("there are no values.")
    count = {role: x.shape[dim] for role, dim in taken.items()}
    lines, panels = count.get("hue", 1), count.get("row", 1) * count.get("col", 1)
    for what, number, most, role in (("lines", lines, _LINES, "hue"), ("panels", panels, _PANELS, "col")):
        if number > most:
            dim = taken.get(role) or taken["row"]
            raise Unsupported(
                f"{number} {what} cannot be told apart.", f"Take some: x.isel({dim}=slice({min(most, 8)}))."
            )


def _texts(x: NamedTensor, ticks: Mapping[str, Sequence[Any]]) -> dict[str, list[str]]:
    for dim, texts in ticks.items():
        if len(texts) != x.shape[dim]:
            raise SizeMismatch(f"{dim!r} is {x.shape[dim]}, there are {len(texts)} ticks for it.")
    return {dim: [str(text) for text in texts] for dim, texts in ticks.items()}
