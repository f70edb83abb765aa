"""Checks of a file before it takes its place: against the standard, and against the function."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from namedtensor._optional import optional
from namedtensor._tensor import NamedTensor, is_named
from namedtensor.interop.onnx.writing.symbols import are_open
from namedtensor.interop.onnx.writing.values import is_static

_CLOSE = {"float16": 1e-2, "bfloat16": 1e-1, "float64": 1e-6}  # of the largest value; else 1e-4


def standard(path: Path) -> None:
    """Let the checker of the `onnx` package read the file, types and shapes of all nodes included."""
    with optional("onnx"):
        from onnx import checker

    checker.check_model(str(path), full_check=True)


def runtime() -> Any:
    """The `onnxruntime` package.

    Raises:
      ImportError: it is not installed.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise ImportError(
            "onnxruntime is not installed, and check=True runs the file in it: pip install onnxruntime"
        ) from error
    return onnxruntime


def agreement(
    path: Path,
    f: Callable[..., Any],
    params: Any,
    args: tuple[Any, ...],
    specs: tuple[Any, ...],
    names: Sequence[str],
) -> None:
    """Run the file and the function on the same inputs: the example's, and one more along symbolic dims.

    Raises:
      ValueError: the results differ.
    """
    options = runtime().SessionOptions()
    options.log_severity_level = 3  # what it says about its own optimizations concerns nobody
    session = runtime().InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    for more in (0, 1) if are_open(specs) else (0,):
        inputs = _inputs(args, specs, more)
        feeds = dict(zip(names, _arrays(inputs), strict=True))
        feeds = {k: v for k, v in feeds.items() if k in {i.name for i in session.get_inputs()}}
        found = session.run(None, feeds)
        expected = _arrays(f(params, *inputs))
        shown = [o.name for o in session.get_outputs()]
        for name, a, b in zip(shown, found, expected, strict=True):
            _same(name, a, np.asarray(b))


def _same(name: str, found: np.ndarray, expected: np.ndarray) -> None:
    a, b = (np.asarray(x, np.complex128 if x.dtype.kind == "c" else np.float64) for x in (found, expected))
    if a.shape != b.shape:
        raise ValueError(
            f"the output {name!r} of the file has the shape {a.shape}, of the function {b.shape}."
        )
    scale = max(np.abs(b[np.isfinite(b)]).max(initial=0), 1e-6)
    close = _CLOSE.get(expected.dtype.name, 1e-4) * scale if expected.dtype.kind not in "iub" else 0
    with np.errstate(invalid="ignore"):
        right = (np.abs(a - b) <= close) | (a == b) | (np.isnan(a) & np.isnan(b))
    if not right.all():
        worst = np.abs(a - b)[~right].max()
        raise ValueError(
            f"the output {name!r} of the file differs from the function's by {worst:.3g} (its largest value "
            f"is {scale:.3g}); nothing was written. Please report it, with the function."
        )


def _arrays(tree: Any) -> list[np.ndarray]:
    leaves = jax.tree.leaves(tree, is_leaf=is_named)
    return [np.asarray(x.array if is_named(x) else x) for x in leaves]


def _inputs(args: tuple[Any, ...], specs: tuple[Any, ...], more: int) -> tuple[Any, ...]:
    """Values like the example, drawn where it only says shapes; longer along symbolic dims."""
    rng = np.random.default_rng(0)

    def values(x: Any, spec: Any) -> Any:
        if is_named(x):
            return NamedTensor(values(x.array, spec.array), x.dims)
        if not hasattr(x, "shape"):
            return x
        sizes = [n + more if not is_static(s) else n for n, s in zip(x.shape, spec.shape, strict=True)]
        if any(not is_static(n) for n in sizes):
            sizes = [2 + more if not is_static(n) else n for n in sizes]
        if isinstance(x, jax.ShapeDtypeStruct):
            drawn = rng.normal(size=sizes) if x.dtype.kind not in "iub" else rng.integers(0, 2, sizes)
            return jax.numpy.asarray(drawn, x.dtype)
        pads = [(0, n - m) for n, m in zip(sizes, x.shape, strict=True)]
        return jax.numpy.asarray(np.pad(np.asarray(x), pads, mode="wrap"))

    return jax.tree.map(
        values, args, specs, is_leaf=lambda x: is_named(x) or isinstance(x, jax.ShapeDtypeStruct)
    )
