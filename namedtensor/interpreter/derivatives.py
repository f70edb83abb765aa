"""Functions with a derivative of their own, walked with values stored in another order (see `layouts`)."""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from namedtensor.interpreter import compat
from namedtensor.interpreter.equation import Equation
from namedtensor.interpreter.layouts import Order, Stored, dense, ordered

Run = Callable[..., list[Any]]  # (jaxpr, *values) -> results: walks a jaxpr


def custom_jvp(eqn: Equation, run: Run, run_tangents: Run, values: Sequence[Any]) -> list[Any]:
    """A function with a derivative of its own, which is walked in the stored order too."""
    layouts = [(v.axes, v.shape) for v in map(dense, values)]
    results = _Results()

    def lifted(arrays: Sequence[Any]) -> list[Stored]:
        return [Stored(a, *layout) for a, layout in zip(arrays, layouts, strict=True)]

    @jax.custom_jvp
    def call(*arrays: Any) -> list[Any]:
        return results.arrays(run(compat.called(eqn.params), *lifted(arrays)))

    @call.defjvp
    def _(primals: Any, tangents: Any) -> tuple[list[Any], list[Any]]:
        def traced(xs: Any, dxs: Any) -> Any:
            return jax.jvp(lambda *ys: _listed(eqn, ys), xs, dxs)

        xs, dxs = lifted(primals), lifted(tangents)
        out = run_tangents(jax.make_jaxpr(traced)(_shapes(xs), _shapes(dxs)), *xs, *dxs)
        half = len(out) // 2
        return results.arrays(out[:half]), results.arrays(out[half:])

    arrays = [v.array for v in map(dense, values)]
    jax.eval_shape(call, *arrays)  # settles the layouts of the results
    return results.values(call(*arrays))


def custom_vjp(eqn: Equation, run: Run, values: Sequence[Any]) -> list[Any]:
    """As `custom_jvp`, for a function with its own backward pass."""
    layouts = [(v.axes, v.shape) for v in map(dense, values)]
    results, residuals = _Results(), _Results()
    trees: list[Any] = []

    def lifted(arrays: Sequence[Any]) -> list[Any]:
        return [Stored(a, *layout) for a, layout in zip(arrays, layouts, strict=True)]

    @jax.custom_vjp
    def call(*arrays: Any) -> list[Any]:
        return results.arrays(run(compat.called(eqn.params), *lifted(arrays)))

    def forward(*arrays: Any) -> tuple[list[Any], list[Any]]:
        def traced(*xs: Any) -> tuple[list[Any], list[Any]]:
            ys, back = jax.vjp(lambda *zs: _listed(eqn, zs), *xs)
            leaves, tree = jax.tree.flatten(back)
            trees[:] = [tree, len(ys)]
            return ys, leaves

        given = lifted(arrays)
        out = run(jax.make_jaxpr(traced)(*_shapes(given)), *given)
        residuals.layouts = None
        return results.arrays(out[: trees[1]]), residuals.arrays(out[trees[1] :])

    def backward(kept: list[Any], cts: list[Any]) -> tuple[Any, ...]:
        tree, given = trees[0], [*residuals.values(kept), *results.values(cts)]
        n = len(kept)
        jaxpr = jax.make_jaxpr(lambda *xs: jax.tree.unflatten(tree, xs[:n])(list(xs[n:])))(*_shapes(given))
        found = zip(run(jaxpr, *given), layouts, strict=True)
        return tuple(ordered(v, axes, shape) for v, (axes, shape) in found)

    call.defvjp(forward, backward)
    arrays = [v.array for v in map(dense, values)]
    jax.eval_shape(call, *arrays)
    return results.values(call(*arrays))


def _listed(eqn: Equation, values: Sequence[Any]) -> list[Any]:
    return list(eqn.bind(*values))


def _shapes(values: Sequence[Stored]) -> tuple[Any, ...]:
    return tuple(jax.ShapeDtypeStruct(v.shape, v.dtype) for v in values)


class _Results:
    """The layouts of results that must be the same each time that a function is traced."""

    def __init__(self) -> None:
        self.layouts: list[tuple[Order, tuple[int, ...]]] | None = None

    def arrays(self, values: Sequence[Any]) -> list[Any]:
        there = [dense(v) for v in values]
        if self.layouts is None:
            self.layouts = [(v.axes, v.shape) for v in there]
        return [ordered(v, *layout) for v, layout in zip(there, self.layouts, strict=True)]

    def values(self, arrays: Sequence[Any]) -> list[Stored]:
        assert self.layouts is not None, "it has been traced"
        return [Stored(a, *layout) for a, layout in zip(arrays, self.layouts, strict=True)]
