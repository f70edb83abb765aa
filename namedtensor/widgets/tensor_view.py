"""A tensor in the browser: its dims are moved between roles there, and sliced there, without the kernel.

The numbers go over once, as float32. Of a tensor that is too large for that the kernel sends what is shown,
anew whenever another part is asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import traitlets
from jax.core import Tracer

from namedtensor._errors import describe
from namedtensor._tensor import NamedTensor, is_named
from namedtensor.interpreter.outline_table import sized
from namedtensor.widgets import tensor_roles
from namedtensor.widgets.palettes import SIGNED, UNSIGNED
from namedtensor.widgets.view import View, source

_EXACT = 2**24  # integers above are not all there in float32


@dataclass(frozen=True, eq=False)
class Explored:
    """A tensor, ready to be looked at.

    Attributes:
      array: a NumPy or JAX array, real, of at least one element.
      dims: a name for each axis: its own, or ``axis0``, ``axis1``.
      named: whether they are its own.
      text: what it is, ``f32[batch:8 embed:64]``.
    """

    array: Any
    dims: tuple[str, ...]
    named: bool
    text: str

    @classmethod
    def of(cls, x: Any) -> "Explored":
        """Any array.

        Raises:
          ValueError: none, or one that cannot be drawn.
        """
        array = x.array if is_named(x) else x
        if isinstance(array, Tracer):
            raise ValueError("a tensor inside jit has no values to show: explore what the function returns.")
        if not hasattr(array, "dtype") or not hasattr(array, "shape"):
            array = _as_array(array)
        if isinstance(array, jax.Array) and array.is_deleted():
            raise ValueError(f"{describe(x)} was donated to a compiled function, its values are gone.")
        _require_drawable(array, x)
        names = tuple(x.dims) if is_named(x) else tuple(f"axis{i}" for i in range(array.ndim))
        return cls(array, names, is_named(x), describe(x if hasattr(x, "shape") else array))

    @property
    def sizes(self) -> dict[str, int]:
        """The size of each dim."""
        return dict(zip(self.dims, map(int, self.array.shape), strict=True))

    @property
    def kind(self) -> str:
        """``"float"``, ``"int"`` or ``"bool"``."""
        dtype = self.array.dtype
        return "bool" if dtype.kind == "b" else "int" if jnp.issubdtype(dtype, jnp.integer) else "float"


def _as_array(x: Any) -> np.ndarray:
    if x is None or isinstance(x, (str, bytes, Mapping)):
        raise ValueError(f"a {type(x).__name__} is no tensor: give a named tensor, or an array of numbers.")
    try:
        return np.asarray(x)
    except ValueError as error:
        raise ValueError(f"NumPy makes no array of this {type(x).__name__}: {error}") from error


def _require_drawable(array: Any, x: Any) -> None:
    what = describe(x if hasattr(x, "shape") else array)
    if jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise ValueError(f"{what} is complex, and a colour is one number: explore x.real, x.imag or abs(x).")
    number = any(jnp.issubdtype(array.dtype, kind) for kind in (jnp.number, jnp.bool_))
    if not number:
        raise ValueError(f"{what} holds no numbers ({array.dtype}): there is nothing to draw.")
    if array.size == 0:
        raise ValueError(f"{what} is empty: there is nothing to draw.")


def facts(x: Explored) -> dict[str, Any]:
    """What is told beside the picture: the ends of the finite values, and what has no colour."""
    array = x.array
    if x.kind != "float":
        low, high = (float(end(array)) for end in (_numpy(array).min, _numpy(array).max))
        rough = max(abs(low), abs(high)) > _EXACT
        return {
            "limits": [low, high],
            "note": "integers beyond 16 777 216 are shown rounded, as float32 has them." if rough else "",
        }
    xp = _numpy(array)
    nan, infinite = int(xp.isnan(array).sum()), int(xp.isinf(array).sum())
    finite = xp.isfinite(array)
    low, high = float(xp.where(finite, array, xp.inf).min()), float(xp.where(finite, array, -xp.inf).max())
    told = [f"{nan} NaN (grey)"] if nan else []
    told += [f"{infinite} infinite (magenta)"] if infinite else []
    return {"limits": [low, high] if low <= high else [], "note": ", ".join(told)}


def _numpy(array: Any) -> Any:
    return np if isinstance(array, np.ndarray) else jnp


class TensorView(View):
    """A tensor, whose dims are dragged between roles.

    Traits:
      roles: dim -> "rows", "columns", "facets", "slider" or "mean".
      at: dim -> position, of those on sliders.
      selection: dim -> position of the value that was clicked on; without the dims in "mean".
      palette: of values of both signs.
      unsigned_palette: of others.
      scale: whose values the colours span: of "each" picture, "shared" by all shown, of the "whole" tensor.
      whole: whether the browser has the whole tensor.
    """

    _esm = source("core.js", "board.js", "lines.js", "zones.js", "picked.js", "tensor.js")
    _css = source("core.css", "picked.css", "tensor.css")

    numbers = traitlets.Bytes().tag(sync=True)
    held = traitlets.Dict().tag(sync=True)  # which dims the numbers have, their sizes, and for which roles
    dims = traitlets.List(traitlets.Unicode()).tag(sync=True)
    sizes = traitlets.List(traitlets.Int()).tag(sync=True)
    name = traitlets.Unicode("x").tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)
    kind = traitlets.Unicode("float").tag(sync=True)
    named = traitlets.Bool(True).tag(sync=True)
    unit = traitlets.Unicode().tag(sync=True)
    labels = traitlets.Dict().tag(sync=True)
    limits = traitlets.List(traitlets.Float()).tag(sync=True)
    note = traitlets.Unicode().tag(sync=True)
    whole = traitlets.Bool(True).tag(sync=True)
    roles = traitlets.Dict().tag(sync=True)
    at = traitlets.Dict().tag(sync=True)
    selection = traitlets.Dict().tag(sync=True)
    palette = traitlets.Enum(SIGNED, SIGNED[0]).tag(sync=True)
    unsigned_palette = traitlets.Enum(UNSIGNED, UNSIGNED[0]).tag(sync=True)
    scale = traitlets.Enum(["each", "shared", "whole"], "shared").tag(sync=True)
    version = traitlets.Int(0).tag(sync=True)  # set last: whoever hears of it finds the rest in place

    def __init__(self, *, most_bytes: int, **traits: Any):
        """Nothing to show yet."""
        super().__init__(label="tensor", **traits)
        self.most_bytes = most_bytes
        self.shown: Explored | None = None
        self.observe(lambda _change: self._put_part(), ["roles", "at"])

    def put(self, x: Explored, roles: Mapping[str, str], **traits: Any) -> None:
        """Show another tensor."""
        whole = x.array.size * 4 <= self.most_bytes
        with self.hold_sync():
            self.shown = None  # while roles change, nothing is sent by half
            self.set_trait("dims", list(x.dims))
            self.set_trait("sizes", list(x.sizes.values()))
            self.set_trait("roles", dict(roles))
            self.set_trait("at", {})
            self.set_trait("selection", {})
            for name, value in {**facts(x), **traits}.items():
                self.set_trait(name, value)
            self.set_trait("kind", x.kind)
            self.set_trait("named", x.named)
            self.set_trait("text", x.text)
            self.set_trait("whole", whole)
            self.shown, self._told = x, self.note
            if whole:
                self._put_numbers(_numbers(x.array), list(x.dims), list(x.sizes.values()))
            else:
                self._put_part()

    def _put_numbers(self, numbers: np.ndarray, dims: Sequence[str], sizes: Sequence[int]) -> None:
        self.set_trait("numbers", numbers.tobytes())
        held = {"dims": list(dims), "sizes": [int(n) for n in sizes]}
        self.set_trait("held", held if self.whole else held | {"roles": self.roles, "at": self.at})
        self.set_trait("version", self.version + 1)

    def _put_part(self) -> None:
        """Of a tensor that is too large, what is shown."""
        if self.shown is None or self.whole:
            return
        part = self.part(self.most_bytes // 4)
        dims = {role: tensor_roles.dim_in(self.roles, role) for role in tensor_roles.ALONE}
        sizes = {dim: n for dim, n in zip(dims.values(), part.shape, strict=True) if dim is not None}
        size = sized(self.shown.array.size * 4)
        told = [self._told] if self._told else []
        told.append(f"too large to send ({size}): the kernel sends what is shown")
        left = {dim: n for dim, n in sizes.items() if n < self.shown.sizes[dim]}
        told += [f"the first {n} of {self.shown.sizes[dim]} along {dim}" for dim, n in left.items()]
        with self.hold_sync():
            self.set_trait("note", ", ".join(told))
            self._put_numbers(_numbers(part), list(sizes), list(sizes.values()))

    def part(self, most: int | None = None) -> np.ndarray:
        """What is shown, ``[facets, rows, columns]``."""
        assert self.shown is not None, "a tensor was put"
        return tensor_roles.sliced(self.shown.array, self.shown.dims, self.roles, self.at, most)

    @traitlets.validate("roles")
    def _one_dim_each(self, proposal: Any) -> dict[str, str]:
        try:
            return tensor_roles.checked(proposal["value"], dict(zip(self.dims, self.sizes, strict=True)))
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None

    @traitlets.validate("at")
    def _inside(self, proposal: Any) -> dict[str, int]:
        sizes = dict(zip(self.dims, self.sizes, strict=True))
        return {d: min(max(int(i), 0), sizes[d] - 1) for d, i in proposal["value"].items() if d in sizes}


def _numbers(array: Any) -> np.ndarray:
    with np.errstate(over="ignore"):  # what float32 cannot hold is shown as infinite
        return np.ascontiguousarray(np.asarray(array), dtype="<f4")


def value_at(x: NamedTensor | Any, selection: Mapping[str, int]) -> Any:
    """The part of a tensor at these positions."""
    if is_named(x):
        return x.isel(**selection) if selection else x
    return x[tuple(selection.get(f"axis{i}", slice(None)) for i in range(np.ndim(x)))]
