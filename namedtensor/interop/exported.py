"""Models without code: functions that `jax.export` has written, as functions that can be explained.

A file holds the compiled form of a function, for any number of examples if it was written so, and its
derivatives if these were asked for. What it computes inside has no names, so there are no layers, and no
rules; everything that works on inputs, outputs and gradients does.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.export

from namedtensor._errors import describe
from namedtensor._optional import optional
from namedtensor._tensor import NamedTensor, is_named
from namedtensor.interop._artifact import Artifact
from namedtensor.interop.files import write_beside

__all__ = ["ExportedFunction", "load", "save"]


@dataclass(frozen=True, eq=False, repr=False)
class ExportedFunction:
    """A function whose Python one does not have, made by `load`.

    It is called as the function was. Unlike ``exported.call`` of JAX it can be mapped (`jax.vmap`), and it
    says how the file must be written where a derivative is missing.

    Attributes:
      artifact: what is called.

    Example:
      >>> import jax, jax.numpy as jnp, namedtensor as nt
      >>> from captum_lite import IntegratedGradients
      >>> shape = jax.ShapeDtypeStruct(jax.export.symbolic_shape("batch, 3"), jnp.float32)
      >>> model = nt.interop.exported.load(jax.export.export(jax.jit(lambda x: x**2))(shape))
      >>> model
      ExportedFunction(0: f32[batch, 3]) -> f32[batch, 3], with derivatives
      >>> IntegratedGradients(model).attribute(jnp.array([[1.0, 2.0, 3.0]]), target=1).round(3)
      Array([[0., 4., 0.]], dtype=float32)
    """

    artifact: Artifact

    @property
    def exported(self) -> "jax.export.Exported":
        """JAX's own object: platforms, versions, the StableHLO text."""
        return self.artifact.exported

    @property
    def __name__(self) -> str:
        """That of the function that was written."""
        return self.artifact.fun_name

    @property
    def inputs(self) -> Mapping[str, Any]:
        """Shape and dtype of each array it takes, named where it was, by position or by name."""
        args, kwargs = jax.tree.unflatten(self.exported.in_tree, map(_shape, self.exported.in_avals))
        return {**_by_path(args), **_by_path(kwargs)}

    @property
    def outputs(self) -> Mapping[str, Any]:
        """Shape and dtype of each array it returns; a single one has an empty name."""
        return _by_path(jax.tree.unflatten(self.exported.out_tree, map(_shape, self.exported.out_avals)))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returns.

        Raises:
          ValueError: arguments of another structure, shape or dtype; with JAX's words.
        """
        leaves, structure = jax.tree.flatten((args, kwargs))
        if structure != self.exported.in_tree:
            return self.exported.call(*args, **kwargs)  # which says where they differ
        return jax.tree.unflatten(self.exported.out_tree, self.artifact(*leaves))

    def __repr__(self) -> str:
        takes = ", ".join(f"{name}: {describe(x)}" for name, x in self.inputs.items())
        gives = ", ".join(f"{name}: {describe(x)}".removeprefix(": ") for name, x in self.outputs.items())
        derivatives = "with" if self.exported.has_vjp() else "without"
        return f"ExportedFunction({takes}) -> {gives}, {derivatives} derivatives"


def load(
    source: "str | os.PathLike[str] | bytes | bytearray | jax.export.Exported", *, independent: bool = False
) -> ExportedFunction:
    """Read a function that `save`, or ``exported.serialize()`` of JAX, has written.

    Attributions of its inputs are those of the function itself: gradient methods need a file with
    derivatives (``vjp_order=1``), perturbation methods any. A file is code: read only what you trust.

    Args:
      source: a path, the bytes, or what `jax.export` has made of either.
      independent: the results of each example depend on that example alone, so that the points of a
        path or the copies of a perturbation may be one larger batch; it must be exported with an open
        number of examples in front. Without, they run one after the other, which is right for functions
        that compare examples too (batch normalisation in training).

    Returns:
      The `ExportedFunction`.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: no such file by its contents, or one that this JAX cannot read.

    Example: see `ExportedFunction`.
    """
    exported = source if isinstance(source, jax.export.Exported) else _read(source)
    return ExportedFunction(Artifact.of(exported, independent=independent))


def save(
    path: str | os.PathLike[str],
    fun: Callable[..., Any],
    *args: Any,
    vjp_order: int = 1,
    platforms: tuple[str, ...] | None = None,
    **kwargs: Any,
) -> None:
    """Write a function without its code: what it computes, its constants and its derivatives.

    Args:
      path: the file; one that is there is replaced, in one step.
      fun: any JAX function; parameters that should be in the file are bound to it.
      *args: its arguments, or their shapes. An open number of examples is a symbol,
        ``jax.ShapeDtypeStruct(jax.export.symbolic_shape("batch, 3"), jnp.float32)``; of a named tensor,
        ``nt.NamedTensor(shape, "batch feature")``.
      vjp_order: how often it can be differentiated: 0 for predictions, 1 for gradients.
      platforms: where it shall run, ``("cpu", "cuda")``; by default where it is written.
      **kwargs: its keyword arguments, or their shapes.

    Raises:
      FileNotFoundError: there is no such directory.

    Example:
      >>> import tempfile, jax.numpy as jnp, namedtensor as nt
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     nt.interop.exported.save(f"{folder}/model", jnp.sin, jnp.zeros(2))
      ...     nt.interop.exported.load(f"{folder}/model")
      ExportedFunction(0: f32[2]) -> f32[2], with derivatives
    """
    with optional("interop"):
        import flatbuffers  # noqa: F401 (JAX writes with it)
    exported = jax.export.export(jax.jit(fun), platforms=platforms)(*args, **kwargs)
    written = exported.serialize(vjp_order=vjp_order)
    write_beside(Path(path).resolve(), lambda part: part.write_bytes(written))


def _read(source: str | os.PathLike[str] | bytes | bytearray) -> "jax.export.Exported":
    with optional("interop"):
        import flatbuffers  # noqa: F401 (JAX reads with it)
    held = isinstance(source, bytes | bytearray)
    what = f"{len(source)} bytes" if held else str(source)
    written = bytearray(source if held else Path(source).read_bytes())
    try:
        return jax.export.deserialize(written)
    except Exception as error:  # the reader follows whatever offsets it finds
        raise ValueError(
            f"{what}: no function that jax.export has written, or a damaged one "
            f"({type(error).__name__}: {error})."
        ) from error


def _shape(aval: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(aval.shape, aval.dtype)


def _by_path(tree: Any) -> dict[str, NamedTensor | jax.ShapeDtypeStruct]:
    found, _ = jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_named)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): x for path, x in found}
