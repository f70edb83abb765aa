"""How a number is open: ``v + mask`` is public, and the mask is known to the dealer alone.

All of it has a first axis for roles, and linear operations act on each part alike.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

Linear = Callable[[Any], Any]  # of an array with a first axis for roles: ``[role, *shape] -> [role, *new]``


@dataclass(frozen=True, eq=False, repr=False)  # a secret must not get into a log
class Opening:
    """``public = v + mask``.

    Attributes:
      public: ``[seeing, *shape]``.
      masks: ``[held, *shape]``, shares of the mask.
      plain: ``[dealing, *shape]``, the mask itself.
    """

    public: Any
    masks: Any
    plain: Any

    def map(self, linear: Linear) -> "Opening":
        """The opening of a linear function of the value."""
        return Opening(linear(self.public), linear(self.masks), linear(self.plain))


@dataclass(frozen=True, eq=False, repr=False)
class Half:
    """``public = v + mask + sign * turned``: an opening whose mask depends on a public sign.

    A truncated number is open in this way for nothing. It is enough for elementwise products.

    Attributes:
      public: ``[seeing, *shape]``.
      sign: ``[seeing, *shape]``, 1 or -1 in the ring.
      mask: as shares ``[held, *shape]`` and in plain ``[dealing, *shape]``.
      turned: likewise, what the sign turns.
    """

    public: Any
    sign: Any
    mask: tuple[Any, Any]
    turned: tuple[Any, Any]

    def map(self, move: Linear) -> "Half":
        """That of the elements in other places."""
        return replace(self.times(move), sign=move(self.sign))

    def times(self, elementwise: Linear) -> "Half":
        """That of a multiple."""
        mask, turned = (tuple(map(elementwise, parts)) for parts in (self.mask, self.turned))
        return Half(elementwise(self.public), self.sign, mask, turned)

    def plus(self, opening: Opening) -> "Half":
        """That of the sum with an opened number."""
        mask = self.mask[0] + opening.masks, self.mask[1] + opening.plain
        return replace(self, public=self.public + opening.public, mask=mask)

    @property
    def masks(self) -> Any:
        """Shares of the whole mask."""
        return self.mask[0] + self.sign * self.turned[0]
