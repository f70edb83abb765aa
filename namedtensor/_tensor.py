"""`NamedTensor`: an array and the names of its axes.

The class holds no operation: those are tables in `namedtensor.ops`, which attach themselves as
methods. What is here is what a tensor is: its parts, its refusals, and how it shows itself.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from namedtensor._dims import Dims, Spec, dims, in_transit, unknown
from namedtensor._errors import MissingName, RankMismatch, Unsupported, describe

_NUMBERS = (float, int, bool, complex)  # the commonest operands beside tensors are found first
_NO_DIMS = Dims()
_STATISTICS_LIMIT = 1 << 22  # a repr must not move gigabytes: above this many elements no statistics


class Shape(Mapping[str, int]):
    """Sizes by name: ``x.shape["batch"]``. Immutable."""

    __slots__ = ("_sizes",)

    def __init__(self, sizes: dict[str, int]):
        self._sizes = sizes

    def __getitem__(self, name: str) -> int:
        if isinstance(name, str):
            try:
                return self._sizes[name]
            except KeyError:
                raise unknown(name, self._sizes) from None
        raise Unsupported(
            f"x.shape[{name!r}]: axes have names here and no positions, there are '{' '.join(self._sizes)}'.",
            f"Write x.shape[{next(iter(self._sizes), 'name')!r}].",
        )

    # Mapping's own versions wait for a KeyError, which an unknown dim is not.
    def __contains__(self, name: object) -> bool:
        return name in self._sizes

    def get(self, name: str, default: Any = None) -> Any:
        """The size of ``name``, or ``default``."""
        return self._sizes.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._sizes)

    def __len__(self) -> int:
        return len(self._sizes)

    def __repr__(self) -> str:
        return f"Shape({' '.join(f'{k}:{v}' for k, v in self._sizes.items())})"


class NamedTensor:
    """A JAX array whose axes have names; made with `nt.tensor`, `nt.zeros`, ... .

    The names are a set: the order in which the array stores its axes shows in the repr and never
    changes a result. It is a pytree of one leaf, so every JAX transformation takes it.

    Attributes:
      array: the JAX array, axes in storage order.
      dims: the names of its axes, as an interned tuple.
    """

    __slots__ = ("array", "dims")
    # NumPy and JAX must hand ``array + x`` over to us, never treat x as an unnamed array.
    __array_ufunc__ = None

    def __init__(self, array: Any, dims: Dims):
        # No checks: JAX unflattens placeholders through here. `nt.tensor` is the checked way in.
        self.array = array
        self.dims = dims

    if TYPE_CHECKING:  # the operations are attached as methods by namedtensor.ops
        at: Any  # x.at[{"seq": 3}].set(0.0)
        real: "NamedTensor"
        imag: "NamedTensor"

        def __getattr__(self, name: str) -> Callable[..., Any]: ...
        def __add__(self, other: Any) -> "NamedTensor": ...
        def __radd__(self, other: Any) -> "NamedTensor": ...
        def __sub__(self, other: Any) -> "NamedTensor": ...
        def __rsub__(self, other: Any) -> "NamedTensor": ...
        def __mul__(self, other: Any) -> "NamedTensor": ...
        def __rmul__(self, other: Any) -> "NamedTensor": ...
        def __truediv__(self, other: Any) -> "NamedTensor": ...
        def __rtruediv__(self, other: Any) -> "NamedTensor": ...
        def __floordiv__(self, other: Any) -> "NamedTensor": ...
        def __rfloordiv__(self, other: Any) -> "NamedTensor": ...
        def __mod__(self, other: Any) -> "NamedTensor": ...
        def __rmod__(self, other: Any) -> "NamedTensor": ...
        def __pow__(self, other: Any) -> "NamedTensor": ...
        def __rpow__(self, other: Any) -> "NamedTensor": ...
        def __and__(self, other: Any) -> "NamedTensor": ...
        def __rand__(self, other: Any) -> "NamedTensor": ...
        def __or__(self, other: Any) -> "NamedTensor": ...
        def __ror__(self, other: Any) -> "NamedTensor": ...
        def __xor__(self, other: Any) -> "NamedTensor": ...
        def __rxor__(self, other: Any) -> "NamedTensor": ...
        def __lshift__(self, other: Any) -> "NamedTensor": ...
        def __rlshift__(self, other: Any) -> "NamedTensor": ...
        def __rshift__(self, other: Any) -> "NamedTensor": ...
        def __rrshift__(self, other: Any) -> "NamedTensor": ...
        def __divmod__(self, other: Any) -> "tuple[NamedTensor, NamedTensor]": ...
        def __neg__(self) -> "NamedTensor": ...
        def __pos__(self) -> "NamedTensor": ...
        def __abs__(self) -> "NamedTensor": ...
        def __invert__(self) -> "NamedTensor": ...
        def __round__(self, decimals: int | None = None) -> "NamedTensor": ...
        def __lt__(self, other: Any) -> "NamedTensor": ...
        def __le__(self, other: Any) -> "NamedTensor": ...
        def __gt__(self, other: Any) -> "NamedTensor": ...
        def __ge__(self, other: Any) -> "NamedTensor": ...
        def __getitem__(self, index: Any) -> "NamedTensor": ...
        def __class_getitem__(cls, names: Any) -> Any: ...  # Named["batch seq"] in annotations

    @property
    def shape(self) -> Shape:
        """Sizes by name."""
        sizes = self.array.shape
        if len(sizes) < len(self.dims):
            raise in_transit(sizes, self.dims)
        return Shape(dict(zip(self.dims, sizes[len(sizes) - len(self.dims) :], strict=True)))

    @property
    def dtype(self) -> Any:
        """The array's dtype."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """How many dims there are."""
        return len(self.dims)

    @property
    def size(self) -> int:
        """How many elements there are."""
        return self.array.size

    def item(self) -> Any:
        """The Python number of a tensor of one element."""
        return self.array.item()

    def __float__(self) -> float:
        return float(self.array)

    def __int__(self) -> int:
        return int(self.array)

    def __bool__(self) -> bool:
        return bool(self.array)

    def __iter__(self):
        raise Unsupported(
            f"a tensor with the dims '{self.dims}' has no first axis to iterate over.",
            "Write x.unstack('name').",
        )

    def __len__(self) -> int:
        raise Unsupported(
            f"len() has no meaning for the dims '{self.dims}'.", "Write x.shape['name'] or x.size."
        )

    def __array__(self, *args: Any, **kwargs: Any):
        raise Unsupported(
            f"NumPy would drop the names of {describe(self)}.",
            f"Give the order of the axes: x.to_array({str(self.dims)!r}).",
        )

    def __repr__(self) -> str:
        return f"{describe(self)}{_statistics(self.array)}"


jax.tree_util.register_dataclass(NamedTensor, data_fields=["array"], meta_fields=["dims"])


def _statistics(array: Any) -> str:
    if isinstance(array, Tracer):
        return " (traced)"
    if isinstance(array, jax.Array) and array.is_deleted():
        return " (deleted)"  # donated to a compiled function
    is_key = isinstance(array, jax.Array) and jnp.issubdtype(array.dtype, jax.dtypes.prng_key)
    if not isinstance(array, jax.Array) or is_key or array.size == 0 or array.size > _STATISTICS_LIMIT:
        return ""
    where = f" on {next(iter(array.devices())).platform}"
    values = np.asarray(array)
    if array.size == 1:
        return (
            f" = {values.item():.6g}{where}" if values.dtype.kind in "fiu" else f" = {values.item()}{where}"
        )
    if jnp.issubdtype(array.dtype, jnp.floating):
        values = values.astype(np.float64)
        finite = values[np.isfinite(values)]
        bad = values.size - finite.size
        note = f" {bad} not finite" if bad else ""
        if finite.size == 0:
            return f"{note}{where}"
        spread = f"~N({finite.mean():.3g}, {finite.std():.3g}) in [{finite.min():.3g}, {finite.max():.3g}]"
        return f" {spread}{note}{where}"
    if values.dtype.kind in "iu":
        return f" in [{values.min()}, {values.max()}]{where}"
    return where


def tensor(array: Any, names: Spec, *, dtype: Any = None) -> NamedTensor:
    """Name the axes of an array.

    Args:
      array: an array, or nested lists of numbers, of as many axes as there are names.
      names: the names in the order of the axes, ``"batch height width"``.
      dtype: what to convert to; by default what JAX makes of the array.

    Returns:
      The `NamedTensor`, of the same shape.

    Raises:
      RankMismatch: not as many names as axes.
      Unsupported: JAX makes no array of it, or it has other names already.
      InvalidName: a name that is no identifier.
      DuplicateDim: a name twice.

    Example:
      >>> import namedtensor as nt
      >>> nt.tensor([[1.0, 2.0], [3.0, 4.0]], "batch embed").sum("embed")
      f32[batch:2] ~N(5, 2) in [3, 7] on cpu
    """
    there = dims(names)
    if isinstance(array, NamedTensor):
        if array.dims is there and dtype in (None, array.dtype):
            return array
        raise Unsupported(
            f"{describe(array)} has names already.", f"To rename: x.rename({str(there)!r})."
        ).within("nt.tensor", [array])
    array = _as_array(array, dtype)
    if array.ndim != len(there):
        raise RankMismatch(
            f"the array has {array.ndim} axes {array.shape}, there are {len(there)} names '{there}'.",
            "Name each axis once.",
        ).within(f"nt.tensor({str(there)!r})", [array])
    return NamedTensor(array, there)


def _as_array(values: Any, dtype: Any) -> Any:
    try:
        return jnp.asarray(values, dtype=dtype)
    except (TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise Unsupported(
            f"JAX makes no array of a {type(values).__name__}: {reason}",
            "Give an array, or nested lists of numbers.",
        ).within("nt.tensor", []) from error


def operand(x: Any) -> tuple[Any, Dims]:
    """Array and names of what stands in a named operation: a named tensor, or a scalar.

    Raises:
      MissingName: a raw array of one or more axes.
    """
    if type(x) in _NUMBERS:
        return x, _NO_DIMS
    if isinstance(x, NamedTensor):
        return x.array, x.dims
    if getattr(x, "ndim", None) == 0 or isinstance(x, int | float | complex):  # JAX subclasses numbers
        return x, _NO_DIMS
    raise _nameless(x)


def _nameless(x: Any) -> MissingName:
    """The error for what is no named tensor."""
    if hasattr(x, "shape") or isinstance(x, list | tuple):
        what = describe(x) if hasattr(x, "shape") else f"a {type(x).__name__}"
        return MissingName(f"{what} has no names.", "Name its axes: nt.tensor(array, 'batch ...').")
    return MissingName(
        f"{x!r} is neither a named tensor nor a number.", "Give one: nt.tensor(array, 'batch ...')."
    )


def named(x: Any) -> NamedTensor:
    """``x``, which must be a named tensor.

    Raises:
      MissingName: a raw array.
    """
    if not isinstance(x, NamedTensor):
        raise _nameless(x)
    return x


def is_named(x: Any) -> bool:
    """Whether ``x`` is a `NamedTensor`; the ``is_leaf`` of trees of them."""
    return isinstance(x, NamedTensor)
