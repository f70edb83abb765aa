"""Names for the parameters of models that have none: Flax, Equinox, or any tree of arrays.

A model stays what it is; only the leaves of its parameter tree get names, by the place where they
stand. Patterns are those of shells: ``*`` stands within one part of a path, ``**`` for any parts.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import jax
import numpy as np

from namedtensor._dims import Dims, Spec, dims
from namedtensor._errors import (
    BadPattern,
    DimMismatch,
    MissingName,
    RankMismatch,
    Unsupported,
    describe,
    showing,
)
from namedtensor._tensor import NamedTensor, is_named
from namedtensor.interop.arrays import labelled
from namedtensor.ops.rename import to_array

Patterns = Mapping[str, Spec]
_SHOWN = 8  # paths listed in an error


def named_params(tree: Any, names: Patterns, *, default: str = "raise") -> Any:
    """Name the arrays of a parameter tree by their paths.

    A path is made of keys, indices and attributes: ``params/Dense_0/kernel``, ``layers/0/weight``;
    the ``value`` at the end of the paths of ``flax.nnx`` may be left out. The first pattern that
    matches counts. An array without axes needs no name, and leaves that are no arrays (functions,
    texts) are left as they are.

    Args:
      tree: any pytree: a dict of ``flax.linen``, an ``nnx.State``, an Equinox module, or the dict
        that `nt.load` reads from a file from elsewhere.
      names: for each pattern the names of the axes in their order, ``{"**/kernel": "embed ff"}``.
        ``*`` matches within a part of the path, ``**`` any number of parts.
      default: "raise" when an array is matched by nothing, "keep" to leave it without names.

    Returns:
      The same tree with a `NamedTensor` for each array that a pattern matches.

    Raises:
      MissingName: an array is matched by nothing.
      RankMismatch: a pattern has not as many names as an array has axes.
      BadPattern: a pattern matches nothing, or nothing that earlier ones have left.
      Unsupported: an array has names already.

    Example:
      >>> import numpy as np, namedtensor as nt
      >>> tree = {"layers": [{"kernel": np.ones((2, 3)), "bias": np.ones(3)}]}
      >>> params = nt.interop.named_params(tree, {"**/kernel": "embed ff", "**/bias": "ff"})
      >>> params["layers"][0]["kernel"].shape
      Shape(embed:2 ff:3)
    """
    with showing("nt.interop.named_params"):
        if default not in ("raise", "keep"):
            raise BadPattern(f"default={default!r} is unknown.", "Write 'raise' or 'keep'.")
        needs = _has_axes if default == "raise" else (lambda leaf: False)
        return _mapped(tree, names, _label, _is_array, needs, "Add a pattern, or default='keep'.")


def unnamed_params(tree: Any, names: Patterns) -> Any:
    """Take the names off again, for the model whose parameters they are.

    The patterns say the order of the axes: what has worked on the parameters since may have stored
    them in another one.

    Args:
      tree: what `named_params` returned, or a tree like it.
      names: the patterns that named it.

    Returns:
      The same tree with an array for each `NamedTensor`.

    Raises:
      MissingName: a tensor is matched by no pattern.
      DimMismatch: a tensor has other names than its pattern.

    Example:
      >>> import namedtensor as nt
      >>> params = {"kernel": nt.ones("ff:3 embed:2")}
      >>> nt.interop.unnamed_params(params, {"kernel": "embed ff"})["kernel"].shape
      (2, 3)
    """
    with showing("nt.interop.unnamed_params"):
        return _mapped(tree, names, _unlabel, is_named, is_named, "Give the patterns that named it.")


def _mapped(
    tree: Any,
    names: Patterns,
    act: Callable[[Any, Dims, str], Any],
    concerns: Callable[[Any], bool],
    needs: Callable[[Any], bool],
    advice: str,
) -> Any:
    """``act`` on each leaf that a pattern matches; the others are kept unless they need a name."""
    flat, structure = jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_named)
    chosen = {pattern: dims(spec) for pattern, spec in names.items()}
    leaves, paths, used, missing = [], [], set(), []
    for keys, leaf in flat:
        path = jax.tree_util.keystr(keys, simple=True, separator="/")
        pattern = next((p for p in chosen if _matches(path, p)), None) if concerns(leaf) else None
        if concerns(leaf):
            paths.append(path)
        if pattern is not None:
            used.add(pattern)
            leaf = act(leaf, chosen[pattern], f"{path!r}, which {pattern!r} matches,")
        elif needs(leaf):
            missing.append(f"{path!r} {describe(leaf)}")
        leaves.append(leaf)
    _all_used([p for p in chosen if p not in used], paths)
    if missing:
        raise MissingName(f"no pattern matches {_listed(missing)}.", advice)
    return jax.tree.unflatten(structure, leaves)


def _label(leaf: Any, there: Dims, place: str) -> NamedTensor:
    if is_named(leaf):
        raise Unsupported(f"{place} has names already: {describe(leaf)}.", "To rename: x.rename(...).")
    if leaf.ndim != len(there):
        raise RankMismatch(f"{place} is {describe(leaf)}, there are {len(there)} names '{there}'.")
    return labelled(leaf, there) if isinstance(leaf, np.ndarray | np.generic) else NamedTensor(leaf, there)


def _unlabel(leaf: NamedTensor, there: Dims, place: str) -> Any:
    if set(leaf.dims) != set(there):
        raise DimMismatch(f"{place} is {describe(leaf)}, expected '{there}'.")
    return to_array(leaf, there)


def _is_array(leaf: Any) -> bool:
    return is_named(leaf) or (hasattr(leaf, "shape") and hasattr(leaf, "dtype"))


def _has_axes(leaf: Any) -> bool:
    return _is_array(leaf) and not is_named(leaf) and leaf.ndim > 0


def _matches(path: str, pattern: str) -> bool:
    parts = path.split("/")
    wanted = pattern.split("/")
    return _fits(parts, wanted) or (parts[-1] == "value" and _fits(parts[:-1], wanted))


def _fits(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return any(_fits(parts[i:], wanted[1:]) for i in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], wanted[0]) and _fits(parts[1:], wanted[1:])


def _all_used(unused: Sequence[str], paths: Sequence[str]) -> None:
    """Refuse a pattern that does nothing: most often it is misspelled."""
    for pattern in unused:
        if any(_matches(path, pattern) for path in paths):
            raise BadPattern(
                f"all that {pattern!r} matches is matched by earlier patterns.", "Write it before them."
            )
        # compared with the ends of the paths, as long as what the pattern spells out
        fixed = [part for part in pattern.split("/") if part != "**"]
        ends = {"/".join(path.removesuffix("/value").split("/")[-len(fixed) :]) for path in paths}
        close = difflib.get_close_matches("/".join(fixed), sorted(ends), n=1)
        advice = f"Did you mean {pattern.replace('/'.join(fixed), close[0])!r}?" if close else ""
        raise BadPattern(f"{pattern!r} matches nothing: there are {_listed(map(repr, paths))}.", advice)


def _listed(items: Iterable[str]) -> str:
    items = list(items)
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return (", ".join(items[:_SHOWN]) or "no arrays") + more
