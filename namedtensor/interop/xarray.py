"""To and from xarray: names go both ways, coordinates stay with xarray.

A named tensor has no coordinates, because each operation would have to say what becomes of them.
`to_xarray` puts back those whose dims are still there.
"""

import re
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from namedtensor._dims import Dims, check_name, dims, in_transit, require
from namedtensor._errors import InvalidName, NamedShapeError, SizeMismatch, Unsupported, showing
from namedtensor._optional import optional
from namedtensor._tensor import NamedTensor, named
from namedtensor.interop.arrays import labelled, on_host

if TYPE_CHECKING:
    import xarray


def from_xarray(data: "xarray.DataArray | xarray.Dataset") -> Any:
    """The values of xarray's data under the names of its dims; coordinates and attributes are left.

    64-bit values become what JAX is set to, as in `nt.tensor`; other dtypes are kept.

    Args:
      data: a ``DataArray``, or a ``Dataset``.

    Returns:
      A `NamedTensor` of the same dims in the same order; for a ``Dataset`` a dict of them, one for
      each data variable.

    Raises:
      InvalidName: a dim whose name is no identifier; the error shows how to rename it.
      Unsupported: values that are no numbers (dates, texts), or integers that do not fit.

    Example:
      >>> import xarray, namedtensor as nt
      >>> nt.interop.from_xarray(xarray.DataArray([[1, 2]], dims=["time", "place"])).shape
      Shape(time:1 place:2)
    """
    with optional("interop"):
        import xarray

    if isinstance(data, xarray.Dataset):
        return {name: from_xarray(variable) for name, variable in data.data_vars.items()}
    with showing("nt.interop.from_xarray"):
        if not isinstance(data, xarray.DataArray):
            raise Unsupported(f"a {type(data).__name__} is not of xarray.", "Use nt.tensor(array, '...').")
        if not (jnp.issubdtype(data.dtype, np.number) or jnp.issubdtype(data.dtype, np.bool_)):
            raise Unsupported(
                f"the values of {data.name!r} are {data.dtype}, not numbers.", "Convert them first."
            )
        return labelled(data.values, _names(data.dims))


def to_xarray(
    x: NamedTensor | Mapping[str, NamedTensor],
    coords: Mapping[Any, Any] | None = None,
    name: str | None = None,
) -> Any:
    """The values as xarray's data, with the same dims in the order in which they are stored.

    Args:
      x: a tensor; a dict of tensors becomes a ``Dataset``.
      coords: labels along the dims, as xarray takes them: ``{"time": [2000, 2001]}``. Of the
        ``data.coords`` of other data those are taken whose dims ``x`` has, so that what was read
        with `from_xarray` and worked on gets its labels back.
      name: of the ``DataArray``.

    Returns:
      An ``xarray.DataArray``, or a ``Dataset``.

    Raises:
      UnknownDim: labels along a dim that ``x`` lacks.
      SizeMismatch: not as many labels as the dim is long.
      Unsupported: values that are traced, or random keys.

    Example:
      >>> import namedtensor as nt
      >>> data = nt.interop.to_xarray(nt.ones("time:2 place:1"), coords={"time": [2000, 2001]})
      >>> nt.interop.to_xarray(nt.interop.from_xarray(data).sum("place"), coords=data.coords).time.values
      array([2000, 2001])
    """
    with optional("interop"):
        import xarray

    if isinstance(x, Mapping):
        return xarray.Dataset({key: to_xarray(value, coords) for key, value in x.items()})
    with showing("nt.interop.to_xarray", x):
        if named(x).array.ndim != len(x.dims):
            raise in_transit(x.array.shape, x.dims)
        return xarray.DataArray(on_host(x.array), _fitting(coords, x), x.dims, name)


def _fitting(coords: Mapping[Any, Any] | None, x: NamedTensor) -> Any:
    import xarray

    if isinstance(coords, xarray.Coordinates):
        gone = [key for key, labels in coords.items() if not set(labels.dims) <= set(x.dims)]
        coords = coords.to_dataset().drop_vars(gone).coords
    for key, labels in (coords or {}).items():
        there, shape = _extent(key, labels)
        for dim, size in zip(require(x.dims, there), shape, strict=True):
            if size != x.shape[dim]:
                raise SizeMismatch(
                    f"{dim!r} is {x.shape[dim]}, there are {size} labels {key!r}.",
                    "Select of the labels what was selected of the tensor: data.isel(...).coords.",
                )
    return coords


def _extent(key: Hashable, labels: Any) -> tuple[list[str], tuple[int, ...]]:
    """Dims and sizes of labels in each of the forms that xarray takes."""
    if isinstance(labels, tuple):  # (dims, values)
        there, values = labels[:2]
        return [there] if isinstance(there, str) else list(there), np.shape(values)
    shape = np.shape(labels)
    return list(labels.dims) if hasattr(labels, "dims") else [str(key)] * len(shape), shape


def _names(there: Sequence[Hashable]) -> Dims:
    try:
        return dims([check_name(dim) for dim in there])
    except InvalidName as error:
        legal = {d: re.sub(r"\W|^(?=\d)", "_", str(d)) for d in there if not _is_legal(d)}
        raise InvalidName(error.problem, f"Rename it before: data.rename({legal!r}).") from None


def _is_legal(dim: Hashable) -> bool:
    try:
        return bool(check_name(dim))
    except NamedShapeError:
        return False
