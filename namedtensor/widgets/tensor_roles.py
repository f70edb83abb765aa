"""What each dim of a tensor does in a picture of it, and the slice that this leaves to draw.

Rows, columns and facets (pictures side by side) show a dim each; of the dims on a slider one position is
shown; over the others the mean is taken.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

ROLES = ("rows", "columns", "facets", "slider", "mean")
ALONE = ("facets", "rows", "columns")  # each holds one dim; in this order they are sent
_FEW = 64  # positions of a dim that are looked at side by side without asking
_PLANE = ({"height", "width"}, ("height", "width"))


def by_default(sizes: Mapping[str, int]) -> dict[str, str]:
    """Height and width, or else the last two dims, as a picture; one that is short side by side."""
    dims = [dim for dim in sizes if sizes[dim] != 1] or list(sizes)
    plane = _PLANE[1] if _PLANE[0] <= set(sizes) else tuple(dims[-2:])
    roles = dict.fromkeys(sizes, "slider")
    roles.update(zip(reversed(plane), ("columns", "rows"), strict=False))
    left = [dim for dim in dims if roles[dim] == "slider" and 1 < sizes[dim] <= _FEW and dim != "batch"]
    if left:
        roles[left[-1]] = "facets"
    return roles


def chosen(
    sizes: Mapping[str, int], rows: Any, columns: Any, facets: Any, mean: str | Iterable[str]
) -> dict[str, str]:
    """Roles as a call names them; dims not named are on sliders. Nothing named: the default.

    Raises:
      ValueError: a dim that is not there, or one dim in two roles.
    """
    means = mean.split() if isinstance(mean, str) else list(mean)
    named = [(d, r) for d, r in ((facets, "facets"), (rows, "rows"), (columns, "columns")) if d is not None]
    named += [(dim, "mean") for dim in means]
    if not named:
        return by_default(sizes)
    seen: dict[str, str] = {}
    for dim, role in named:
        if dim in seen:
            raise ValueError(f"the dim {dim!r} cannot be both {seen[dim]} and {role}: name it once.")
        seen[dim] = role
    return checked(dict.fromkeys(sizes, "slider") | seen, sizes)


def checked(roles: Mapping[str, str], sizes: Mapping[str, int]) -> dict[str, str]:
    """Roles that give each dim one, and a picture each of its dims once.

    Raises:
      ValueError: otherwise.
    """
    if unknown := [dim for dim in roles if dim not in sizes]:
        raise ValueError(
            f"there is no dim {unknown[0]!r}: there are {', '.join(map(repr, sizes)) or 'none'}."
        )
    full = {dim: roles.get(dim, "slider") for dim in sizes}
    if wrong := [role for role in full.values() if role not in ROLES]:
        raise ValueError(f"{wrong[0]!r} is no role of a dim: there are {', '.join(ROLES)}.")
    for role in ALONE:
        if len(there := [dim for dim in full if full[dim] == role]) > 1:
            raise ValueError(f"{role} can show one dim, not {' and '.join(map(repr, there))}.")
    return full


def dim_in(roles: Mapping[str, str], role: str) -> str | None:
    """The dim in a role that holds one."""
    return next((dim for dim, its in roles.items() if its == role), None)


def sliced(
    array: Any, dims: Sequence[str], roles: Mapping[str, str], at: Mapping[str, int], most: int | None = None
) -> np.ndarray:
    """What is shown, ``[facets, rows, columns]``, each of size 1 where no dim is there.

    Args:
      array: the tensor.
      dims: of its axes.
      roles: of the dims.
      at: positions of those on sliders, 0 by default.
      most: how many numbers there may be: facets are left out first, then rows, then columns.
    """
    shown = [dim for role in ALONE if (dim := dim_in(roles, role)) is not None]
    index = tuple(int(at.get(d, 0)) if roles[d] == "slider" else slice(None) for d in dims)
    left = [dim for dim in dims if roles[dim] != "slider"]
    part = array[index]
    keeps = cropped([part.shape[left.index(dim)] for dim in shown], most)
    part = part[tuple(slice(keeps[shown.index(d)] if d in shown else None) for d in left)]
    means = tuple(i for i, dim in enumerate(left) if roles[dim] == "mean")
    if means:
        xp = np if isinstance(part, np.ndarray) else jnp
        part = xp.mean(part, axis=means, dtype=xp.float32)
    kept = [dim for dim in left if roles[dim] != "mean"]
    out = np.asarray(part).transpose([kept.index(dim) for dim in shown])
    sizes = dict(zip(shown, out.shape, strict=True))
    return out.reshape([sizes.get(dim_in(roles, role) or "", 1) for role in ALONE])


def cropped(sizes: Sequence[int], most: int | None) -> list[int]:
    """Sizes, the first ones made smaller, until there are at most so many numbers."""
    kept = list(sizes)
    for i in range(len(kept)):
        rest = int(np.prod(kept[i + 1 :], dtype=np.int64))
        if most is not None and kept[i] * rest > most:
            kept[i] = max(1, most // max(rest, 1))
    return kept
