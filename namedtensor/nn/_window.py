"""Windows that slide: sizes, strides, padding and dilation, as they are written and as XLA takes them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from namedtensor._dims import Dims, require
from namedtensor._errors import BadPattern, SizeMismatch
from namedtensor.nn._checks import shown
from namedtensor.ops._static import whole

Rows = tuple[int, int]  # added before and after
Setting = Any  # one value for all spatial dims, or a mapping by name


class Windows(NamedTuple):
    """One setting for each spatial dim."""

    spatial: Dims
    stride: tuple[int, ...]
    padding: tuple[str | Rows, ...]
    dilation: tuple[int, ...]

    def reach(self, widths: Iterable[int]) -> tuple[int, ...]:
        """How many rows a window spans, its gaps included."""
        return tuple((w - 1) * d + 1 for w, d in zip(widths, self.dilation, strict=True))

    def pads(self, sizes: Sequence[int], widths: Sequence[int]) -> tuple[Rows, ...]:
        """Rows before and after each dim."""
        found = zip(self.padding, sizes, self.reach(widths), self.stride, strict=True)
        pads = tuple(rows(*each) for each in found)
        for i, name in enumerate(self.spatial):
            _require_room(name, sizes[i], widths[i], self.reach(widths)[i], self.padding[i], pads[i])
        return pads


def rows(padding: str | Rows, size: int, reach: int, stride: int) -> Rows:
    """Rows before and after one dim; "same" is TensorFlow's and JAX's, with the odd row behind."""
    if not isinstance(padding, str):
        return padding
    if padding == "same":
        return jax.lax.padtype_to_pads((size,), (reach,), (stride,), "SAME")[0]
    return (reach - 1, 0) if padding == "causal" else (0, 0)


def _require_room(name: str, size: int, width: int, reach: int, padding: str | Rows, pads: Rows) -> None:
    if width < 1:
        raise SizeMismatch(f"the window of {name!r} has no row.", "Give it one or more.")
    if size + sum(pads) < reach and padding not in ("same", "causal"):
        raise SizeMismatch(
            f"the window spans {reach} rows of {name!r}, which has {size + sum(pads)} with its padding.",
            "Take a smaller window, or padding='same'.",
        )


def windows(spatial: Dims, stride: Setting, padding: Setting, dilation: Setting) -> Windows:
    """Read the settings of a call."""
    return Windows(
        spatial,
        tuple(whole(s, "stride", least=1) for s in per_dim(stride, spatial, "stride")),
        tuple(_padding(p) for p in per_dim(padding, spatial, "padding")),
        tuple(whole(d, "dilation", least=1) for d in per_dim(dilation, spatial, "dilation")),
    )


def per_dim(value: Setting, spatial: Dims, what: str) -> tuple:
    """One setting for each spatial dim, from one value for all or a mapping by name."""
    if isinstance(value, list | tuple):
        example = f"{{{spatial[0]!r}: {value[0]!r}, ...}}" if spatial and value else "a mapping by dim"
        more = f", or {{{spatial[0]!r}: (before, after), ...}}" if what == "padding" else ""
        raise BadPattern(f"{what}={value!r} goes by position.", f"Give one number, or {example}{more}.")
    if not isinstance(value, Mapping):
        return (value,) * len(spatial)
    require(spatial, list(value))
    if len(value) < len(spatial):
        raise BadPattern(
            f"{what} is given for '{' '.join(value)}' of '{spatial}'.",
            "Give one number, or one for each dim.",
        )
    return tuple(value[d] for d in spatial)


def _padding(value: Any) -> str | Rows:
    """``"same"``, ``"valid"``, ``"causal"``, or the rows before and after."""
    if isinstance(value, str):
        if value.lower() not in ("same", "valid", "causal"):
            raise BadPattern(
                f"padding={value!r} is not known.", "Write 'causal', 'same', 'valid', or a number of rows."
            )
        return value.lower()
    pair = value if isinstance(value, list | tuple) else (value, value)
    if len(pair) != 2:
        raise BadPattern(f"padding={shown(value)} has {len(pair)} parts.", "Write (before, after).")
    return whole(pair[0], "padding", least=0), whole(pair[1], "padding", least=0)
