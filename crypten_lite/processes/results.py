"""What a program returned, as its owner keeps it: an ``.npz`` file of what was revealed to this party."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from crypten_lite.roles import inputs
from crypten_lite.roles.trees import Empty, flatten, unflatten

ALONE = "result"  # the key of what is returned without a name


@dataclass(frozen=True, repr=False)  # it holds results
class Results:
    """The parts of what a program returned.

    Attributes:
      revealed: arrays by key.
      hidden: keys of what was revealed to others.
      dropped: keys of what is no array.
      has_names: whether the program returned a dict.
    """

    revealed: dict[str, Any]
    hidden: list[str]
    dropped: list[str]
    has_names: bool

    @classmethod
    def of(cls, tree: Any) -> "Results":
        """Take apart what a program returned."""
        has_names = isinstance(tree, dict)
        parts = cls({}, [], [], has_names)
        for key, value in flatten(tree if has_names else {ALONE: tree}).items():
            if isinstance(value, jax.ShapeDtypeStruct):  # Unrevealed is one
                parts.hidden.append(key)
            elif isinstance(value, Empty) or not inputs.is_numbers(value):
                parts.dropped.append(key)
            else:
                parts.revealed[key] = value
        return parts

    def describe(self) -> list[str]:
        """A line for each part: names, types and shapes, and no values."""
        lines = [f"{key}: {inputs.description(value)}" for key, value in self.revealed.items()]
        lines += [f"{key}: revealed to another party" for key in self.hidden]
        return lines + [f"{key}: no array, so it is not kept" for key in self.dropped]

    def write(self, path: Path) -> None:
        """Write what was revealed; values on one device only, and for their owner alone.

        Raises:
          OSError: the file cannot be written.
        """
        inputs.write_flat(path, {key: np.asarray(value) for key, value in self.revealed.items()})


def reread(path: Path, hidden: list[str], *, has_names: bool) -> Any:
    """What a program returned, from its file: None stands for what was revealed to another party."""
    tree = unflatten({**inputs.read_flat(path), **dict.fromkeys(hidden)}, path.name)
    return tree if has_names else tree.get(ALONE)
