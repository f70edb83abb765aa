"""What a model takes and gives: the names of dims, the sizes that a file fixes, and examples one by one.

A file's symbolic sizes are names of dims. What is named comes out named; what is an array stays one.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from namedtensor._dims import Dims, Spec, dims
from namedtensor._errors import describe, near_miss
from namedtensor._tensor import NamedTensor, is_named
from namedtensor.interop.onnx.errors import OnnxError, listed
from namedtensor.interop.onnx.graph import Declared
from namedtensor.interop.onnx.values import Value, canonical
from namedtensor.ops.rename import to_array


@dataclass(frozen=True)
class Place:
    """An input or an output of a model.

    Attributes:
      dtype: of its numbers; None where the file does not say.
      sizes: for each axis a number, a name, or None for any; None where the file does not say.
      dims: the names of its axes; None where one is missing.
      known: whether its numbers must be known while JAX traces, because shapes depend on them.
      steers: whether they choose what is computed, so that they are better known.
    """

    dtype: np.dtype | None
    sizes: tuple[int | str | None, ...] | None
    dims: Dims | None
    known: bool = False
    steers: bool = False

    @property
    def held(self) -> bool:
        """Whether its numbers are kept from tracing where they are known."""
        return self.known or self.steers

    def __repr__(self) -> str:
        sizes = self.sizes or ()
        names = self.dims or [None] * len(sizes)
        inside = [_shown(n, size) for n, size in zip(names, sizes, strict=True)]
        known = ", its numbers must be known" if self.known else ""
        return f"{self.dtype or 'any'}[{'...' if self.sizes is None else ' '.join(inside)}]{known}"


def _shown(name: str | None, size: int | str | None) -> str:
    if name is None:
        return "?" if size is None else str(size)
    return f"{name}:{size}" if isinstance(size, int) else name


def place(declared: Declared, given: Spec | None, known: bool = False, steers: bool = False) -> Place:
    """The place that a file declares, with the names that the user gives it."""
    small = declared.sizes is not None and len(declared.sizes) <= 1
    steers = steers and small and declared.dtype is not None and declared.dtype.kind in "iub"
    if given is None:
        return Place(declared.dtype, declared.sizes, _told(declared), known, steers)
    names = dims(given)
    if declared.sizes is not None and len(names) != len(declared.sizes):
        raise OnnxError(
            f"dims for {declared.name!r}: '{names}' are {len(names)} names, the file says "
            f"{len(declared.sizes)} axes: {list(declared.sizes)}."
        )
    return Place(declared.dtype, declared.sizes or (None,) * len(names), names, known, steers)


def _told(declared: Declared) -> Dims | None:
    """The names that a file gives axes: symbolic sizes, or else denotations; None where one has neither.

    A name that stands twice gets a prime.
    """
    names: list[str] = []
    for size, denoted in itertools.zip_longest(declared.sizes or (), declared.denoted):
        name = size if isinstance(size, str) and size.isidentifier() else denoted
        if not name or not name.rstrip("'").isidentifier():
            return None
        while name in names:
            name += "'"
        names.append(name)
    return None if declared.sizes is None else dims(names)


def arranged(places: Mapping[str, Place], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Each input's value, as given by position or by name.

    Raises:
      TypeError: too many, too few, an unknown one.
    """
    names = list(places)
    shown = ", ".join(f"{name}: {p!r}" for name, p in places.items())
    if len(args) > len(names):
        raise TypeError(f"the model takes {len(names)} inputs ({shown}), {len(args)} were given.")
    given = dict(zip(names, args, strict=False))
    for name, value in kwargs.items():
        if name not in places:
            raise TypeError(
                f"the model has no input {name!r}: it takes {shown}. {near_miss(name, names)}".rstrip()
            )
        if name in given:
            raise TypeError(f"the input {name!r} is given twice.")
        given[name] = value
    if missing := [name for name in names if name not in given]:
        raise TypeError(f"the model takes {shown}: {listed(missing)} missing.")
    return {name: given[name] for name in names}


def array(name: str, there: Place, x: Any) -> Value:
    """An input as an array of the file's kind, with its axes in the file's order.

    Raises:
      OnnxError: another rank, another kind of numbers, or names that the file does not know.
    """
    if is_named(x):
        if there.dims is None:
            raise OnnxError(
                f"the input {name!r} is {describe(x)}, and the file does not name its axes "
                f"{list(there.sizes or ())}: "
                f"nt.interop.onnx.load(path, dims={{{name!r}: {str(x.dims)!r}}})."
            )
        x = to_array(x, there.dims)
    x = x if hasattr(x, "dtype") and hasattr(x, "shape") else np.asarray(x)
    if there.dtype is not None and _kind(x.dtype) != _kind(there.dtype):
        raise OnnxError(f"the input {name!r} is {describe(x)}, the model takes {there.dtype} numbers.")
    if there.dtype is not None and _kind(x.dtype) != "float":
        x = x.astype(there.dtype if isinstance(x, np.ndarray | np.generic) else canonical(there.dtype))
    if there.sizes is not None and len(there.sizes) != np.ndim(x):
        raise OnnxError(f"the input {name!r} is {describe(x)}, the model takes {there!r}.")
    return x


def _kind(dtype: Any) -> str:
    if jnp.issubdtype(dtype, jnp.floating):
        return "float"
    if jnp.issubdtype(dtype, jnp.integer):
        return "integer"
    return "boolean" if jnp.issubdtype(dtype, jnp.bool) else str(dtype)


def examples(places: Mapping[str, Place], arrays: Mapping[str, Value]) -> int | None:
    """How many examples there are for a file made for one at a time; None where the file takes them all.

    Raises:
      OnnxError: another size than the file's, or two for one name.
    """
    counts: set[int] = set()
    sizes: dict[str, tuple[int, str]] = {}
    for name, there in places.items():
        for axis, (asked, size) in enumerate(zip(there.sizes or (), np.shape(arrays[name]), strict=False)):
            if isinstance(asked, str):
                before, where = sizes.setdefault(asked, (size, name))
                if before != size:
                    raise OnnxError(f"{asked!r} is {before} in the input {where!r} and {size} in {name!r}.")
            elif asked == 1 and axis == 0 and not there.held:
                counts.add(size)
            elif asked is not None and asked != size:
                raise OnnxError(
                    f"the input {name!r} is {describe(arrays[name])}, the file is made for {there!r}: "
                    f"axis {axis} must have size {asked}. Export it with dynamic axes, or give that size."
                )
    if counts <= {1}:
        return None
    if len(counts) > 1 or not _all_single(places):
        shown = ", ".join(f"{name} {describe(x)}" for name, x in arrays.items())
        raise OnnxError(f"the file is made for one example at a time, and the inputs are {shown}.")
    return counts.pop()


def _all_single(places: Mapping[str, Place]) -> bool:
    return all(p.held or (p.sizes is not None and p.sizes[:1] == (1,)) for p in places.values())


def named(name: str, there: Place, x: Any) -> NamedTensor:
    """An output with its names.

    Raises:
      OnnxError: it has no names.
    """
    if there.dims is None or len(there.dims) != x.ndim:
        raise OnnxError(
            f"the inputs are named and the output {name!r} {describe(x)} cannot be: the file has no names "
            f"for its axes. Name them, nt.interop.onnx.load(path, dims={{{name!r}: '...'}}), or give arrays."
        )
    return NamedTensor(x, there.dims)
