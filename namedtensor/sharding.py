"""Sharding by name: which axis of a device mesh each dim is split over.

Storage order is no part of it: a spec says ``batch="data"``, and each tensor of a tree puts that at the axis
where it stores ``batch``. A tensor without the dim is replicated over the mesh axis.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np
from jax.core import Tracer
from jax.sharding import AbstractMesh, AxisType, Mesh, NamedSharding, PartitionSpec

from namedtensor._dims import check_name, dims, in_transit, unknown
from namedtensor._errors import (
    BadPattern,
    DuplicateDim,
    SizeMismatch,
    UnknownDim,
    Unsupported,
    near_miss,
    showing,
)
from namedtensor._tensor import NamedTensor, is_named
from namedtensor.ops._static import whole as static_int

Axes = str | Iterable[str] | None  # "data", "data model", or None for not split
_Where = Mapping[str, tuple[str, ...]]


@dataclasses.dataclass(frozen=True)
class DeviceMesh:
    """Devices in a grid, the axes of which have names: made with `mesh`, and a context manager.

    Attributes:
      mesh: JAX's own mesh, for `jax.sharding.NamedSharding` and `jax.shard_map`.
    """

    mesh: Mesh
    _entered: list[Any] = dataclasses.field(default_factory=list, repr=False, compare=False)

    def __enter__(self) -> Mesh:
        self._entered.append(jax.set_mesh(self.mesh))
        return self.mesh

    def __exit__(self, *error: Any) -> None:
        self._entered.pop().__exit__(*error)


def mesh(*, devices: Iterable[Any] | None = None, **sizes: int) -> DeviceMesh:
    """Devices in a grid with named axes.

    The compiler chooses the shardings that nobody chose (JAX's mesh axes of type "auto"). A mesh of
    `jax.make_mesh`, the axes of which are "explicit" by default, serves here as well, but there JAX
    refuses operations such as a contraction over a dim that is split.

    Args:
      devices: which to use, by default all of `jax.devices` that are needed.
      **sizes: how many devices there are along each axis.

    Returns:
      A `DeviceMesh`, for ``with`` or as ``mesh=`` of the functions here.

    Raises:
      SizeMismatch: there are not as many devices.

    Example:
      >>> import namedtensor as nt
      >>> with nt.mesh(data=1, model=1):
      ...     x = nt.shard(nt.ones("batch:8 embed:4"), batch="data", embed="model")
      >>> tuple(x.array.sharding.spec)
      ('data', 'model')
    """
    there = list(jax.devices() if devices is None else devices)
    with showing(_call("mesh", sizes)):
        shape = tuple(static_int(size, axis, least=1) for axis, size in sizes.items())
        if not shape:
            raise BadPattern("a mesh has at least one axis.", "Write nt.mesh(data=4, model=2).")
        if (needed := math.prod(shape)) > len(there):
            shown = " ".join(f"{axis}:{size}" for axis, size in sizes.items())
            raise SizeMismatch(f"a mesh of '{shown}' needs {needed} devices, there are {len(there)}.")
    types = (AxisType.Auto,) * len(shape)
    return DeviceMesh(jax.make_mesh(shape, tuple(sizes), types, devices=there[:needed]))


def spec(x: Any, /, **where: Axes) -> Any:
    """The `jax.sharding.PartitionSpec` of a tensor, in its storage order, from what is said by name.

    It is what ``in_specs`` of `jax.shard_map` and ``in_shardings`` of `jax.jit` take for a named tensor.

    Args:
      x: a named tensor, a tree of them, or names in storage order, ``"batch embed"``.
      **where: dim = the mesh axis it is split over; several as ``"data model"``, none as None.

    Returns:
      A spec, or a tree with a spec in place of each leaf. A plain array is not split.

    Raises:
      UnknownDim: no tensor has the dim.
      DuplicateDim: a tensor would be split twice over one mesh axis.

    Example:
      >>> import namedtensor as nt
      >>> tuple(nt.spec("embed batch", batch="data"))
      (None, 'data')
    """
    call, axes = _call("spec", where), _parse("spec", where)
    if isinstance(x, str) or (isinstance(x, tuple | list) and x and all(isinstance(d, str) for d in x)):
        with showing(call):
            x = NamedTensor(None, dims(x))
    leaves = _leaves(x, axes, call)
    return jax.tree.unflatten(leaves[1], [_spec(leaf, axes, call) for leaf in leaves[0]])


def shard(x: Any, /, mesh: DeviceMesh | Mesh | None = None, **where: Axes) -> Any:
    """Distribute tensors over the devices of a mesh, by name.

    Args:
      x: a tree of named tensors. A tensor without a dim is replicated over its mesh axis, a plain array
        over the whole mesh; what is no array stays as it is.
      mesh: what to distribute over; by default the mesh of ``with nt.mesh(...):`` or `jax.set_mesh`.
      **where: dim = the mesh axis it is split over; several as ``"data model"``, none as None.

    Returns:
      The same tree, distributed. Inside `jax.jit` it is `constrain`.

    Raises:
      UnknownDim: no tensor has the dim, or the mesh has no such axis.
      SizeMismatch: the devices along the axis do not divide the size of the dim.
      DuplicateDim: a tensor would be split twice over one mesh axis.
      Unsupported: there is no mesh.

    Example:
      >>> import namedtensor as nt
      >>> params = {"w": nt.ones("embed:4 ff:8"), "b": nt.ones("ff:8")}
      >>> placed = nt.shard(params, nt.mesh(model=1), ff="model")
      >>> tuple(placed["w"].array.sharding.spec), tuple(placed["b"].array.sharding.spec)
      ((None, 'model'), ('model',))
    """
    return _placed("shard", x, mesh, where)


def constrain(x: Any, /, mesh: DeviceMesh | Mesh | None = None, **where: Axes) -> Any:
    """Tell the compiler, inside `jax.jit`, how intermediate tensors are distributed, by name.

    It is `jax.lax.with_sharding_constraint` (`jax.sharding.reshard` on explicit mesh axes). Dims that are
    not listed are not split. Outside of a trace it is `shard`.

    Args:
      x: a tree of named tensors.
      mesh: the mesh; by default that of ``with nt.mesh(...):`` or `jax.set_mesh`.
      **where: dim = the mesh axis it is split over; several as ``"data model"``, none as None.

    Returns:
      The same tree.

    Raises:
      UnknownDim: no tensor has the dim, or the mesh has no such axis.
      SizeMismatch: the devices along the axis do not divide the size of the dim.
      DuplicateDim: a tensor would be split twice over one mesh axis.
      Unsupported: there is no mesh.

    Example:
      >>> import jax, namedtensor as nt
      >>> with nt.mesh(data=1):
      ...     y = jax.jit(lambda x: nt.constrain(2 * x, batch="data"))(nt.ones("batch:8"))
      >>> y.shape
      Shape(batch:8)
    """
    return _placed("constrain", x, mesh, where)


def _call(name: str, where: Mapping[str, Any]) -> str:
    return f"nt.{name}({', '.join(f'{d}={a!r}' for d, a in where.items())})"


def _parse(name: str, where: Mapping[str, Axes]) -> _Where:
    with showing(_call(name, where)):
        return {check_name(dim): _axes(axes) for dim, axes in where.items()}


def _axes(axes: Any) -> tuple[str, ...]:
    found = tuple(axes.split() if isinstance(axes, str) else axes if isinstance(axes, tuple | list) else ())
    if (axes is None or found) and all(isinstance(axis, str) for axis in found):
        return found
    raise BadPattern(f"{axes!r} is no axis of a mesh.", "Write 'data', 'data model' for both, or None.")


def _leaves(x: Any, where: _Where, call: str) -> tuple[list[Any], Any]:
    """The leaves of a tree, some of which must have each dim."""
    leaves, tree = jax.tree.flatten(x, is_leaf=is_named)
    there = dict.fromkeys(d for leaf in leaves if is_named(leaf) for d in leaf.dims)
    for dim, axes in where.items():
        if dim not in there:
            error = unknown(dim, there)
            if set(axes) & set(there):
                error = UnknownDim(error.problem, f"Dim first, then the mesh axis: {axes[0]}={dim!r}.")
            shown = [leaf for leaf in leaves if is_named(leaf) and leaf.array is not None]
            raise error.within(call, shown)
    return leaves, tree


def _spec(x: Any, where: _Where, call: str) -> PartitionSpec:
    if not is_named(x):
        return PartitionSpec()
    split: dict[str, str] = {}
    for dim in x.dims:
        for axis in where.get(dim, ()):
            if axis in split:
                raise DuplicateDim(
                    f"the mesh axis {axis!r} would split {split[axis]!r} and {dim!r} of '{x.dims}'.",
                    f"Split one of the two: {dim}=None.",
                ).within(call, [])
            split[axis] = dim
    entries = [where.get(dim, ()) for dim in x.dims]
    return PartitionSpec(*[axes if len(axes) > 1 else axes[0] if axes else None for axes in entries])


def _placed(name: str, x: Any, mesh: DeviceMesh | Mesh | None, where: Mapping[str, Axes]) -> Any:
    call, axes = _call(name, where), _parse(name, where)
    leaves, tree = _leaves(x, axes, call)
    with showing(call):
        onto = _mesh_of(mesh)
        for axis in {a: None for found in axes.values() for a in found}:
            _require_axis(onto, axis)
    return jax.tree.unflatten(tree, [_place(leaf, onto, axes, call) for leaf in leaves])


def _mesh_of(given: DeviceMesh | Mesh | None) -> Any:
    if isinstance(given, DeviceMesh):
        return given.mesh
    if isinstance(given, Mesh | AbstractMesh):
        return given
    if given is not None:
        raise BadPattern(f"{given!r} is no mesh.", "Write mesh=nt.mesh(data=4, model=2).")
    abstract = jax.sharding.get_abstract_mesh()
    if abstract.empty:
        raise Unsupported("there is no mesh.", "Write with nt.mesh(data=4, model=2): ..., or give mesh=...")
    try:
        return jax.sharding.get_mesh()
    except ValueError:  # under a trace there is the abstract one alone
        return abstract


def _require_axis(onto: Any, axis: str) -> None:
    if axis not in onto.shape:
        there = list(onto.shape)
        raise UnknownDim(
            f"the mesh has no axis {axis!r}: there are '{' '.join(there)}'.", near_miss(axis, there)
        )


def _require_divisible(x: NamedTensor, onto: Any, where: _Where) -> None:
    if len(x.array.shape) != len(x.dims):
        raise in_transit(x.array.shape, x.dims)
    for dim in x.dims:
        axes = where.get(dim, ())
        devices = math.prod(onto.shape[axis] for axis in axes)
        if x.shape[dim] % devices:
            raise SizeMismatch(
                f"{dim!r} is {x.shape[dim]}, and there are {devices} devices along '{' '.join(axes)}'.",
                f"Choose a multiple of {devices}, or do not split it: {dim}=None.",
            )


def _place(x: Any, onto: Any, where: _Where, call: str) -> Any:
    if is_named(x):
        with showing(call, x):
            _require_divisible(x, onto, where)
        return NamedTensor(_put(x.array, NamedSharding(onto, _spec(x, where, call))), x.dims)
    if isinstance(x, jax.Array | np.ndarray):
        return _put(x, NamedSharding(onto, PartitionSpec()))
    return x


def _put(array: Any, sharding: NamedSharding) -> Any:
    if not isinstance(array, Tracer) and isinstance(sharding.mesh, Mesh):
        return jax.device_put(array, sharding)
    if AxisType.Explicit in sharding.mesh.axis_types:
        return jax.sharding.reshard(array, sharding)
    return jax.lax.with_sharding_constraint(array, sharding)


__all__ = ["DeviceMesh", "constrain", "mesh", "shard", "spec"]
