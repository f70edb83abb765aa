"""Convolutions and pools as a CPU runs them fastest, in any JAX function: one more rule table.

What a convolution returns is stored with the channels last, whatever the program says, and stays so
until an operation needs the axes as written (see `layouts`).
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from namedtensor.interpreter import compat, derivatives, layouts
from namedtensor.interpreter.equation import Equation
from namedtensor.interpreter.frame import Frame, Lists
from namedtensor.interpreter.layouts import Stored, as_written, order_of, ordered, plain
from namedtensor.interpreter.rules import RuleTable, bind
from namedtensor.interpreter.walk import HANDLERS, Program, Walker
from namedtensor.kernels import Prepared, Window, convolution, max_pool

CONVOLUTION = "conv_general_dilated"
_LOOPS = ("scan", "while", "cond", *compat.REMAT)
_MOST_PLACES = 49  # in the window of a pool that is unrolled


class Kernel(NamedTuple):
    """The weights of a convolution, and what they are used for.

    Attributes:
      weights: as the program has them.
      order: their axes: height, width, channel, feature.
      choice: which kernel they are for; without the images' size.
    """

    weights: Any
    order: tuple[int, ...]
    choice: convolution.Choice

    def prepare(self, weights: Any) -> Prepared:
        """What the kernel needs of weights."""
        return convolution.prepare(ordered(weights, self.order), self.choice)


Known = Sequence[tuple[Kernel, Prepared]]


def fast_convolutions(fun: Callable[..., Any], *, known: Known = ()) -> Callable[..., Any]:
    """``fun`` with its convolutions and max-pools computed by `namedtensor.kernels`.

    The same function, up to rounding, and its gradient: faster on CPU, much faster inside loops. On
    other backends leave it out. A 3x3 convolution of stride 1 takes Winograd's algorithm, other
    undilated and ungrouped two-dimensional ones a dot over windows; all others stay, with the channels
    last. A function without a convolution is left as it is.

    Forward mode (`jax.jvp`, `jax.jacfwd`) does not pass the new kernels; reverse mode does, any number
    of times. Taps are gone: apply `capture` and `replace` first.

    Args:
      fun: any JAX function of pytrees of arrays.
      known: weights that have been prepared (see `kernels_of`), so that this is done once for many calls.

    Returns:
      A function of the same arguments. It is traced anew at each call: put `jax.jit` around it.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from jax import lax
      >>> from namedtensor.interpreter import fast_convolutions
      >>> weights = jnp.ones((8, 8, 3, 3))
      >>> f = lambda x: lax.conv_general_dilated(x, weights, (1, 1), "SAME").sum()
      >>> g = jax.jit(jax.grad(fast_convolutions(f)))
      >>> float(g(jnp.ones((1, 8, 4, 4)))[0, 0, 1, 1])
      72.0

    Source: the algorithms' papers are named in `namedtensor.kernels`.
    """

    def fast(*args: Any, **kwargs: Any) -> Any:
        program = Program.traced(fun, args, kwargs)
        if not convolves(program.jaxpr.jaxpr):
            return program.walk(RuleTable("as written", default=bind))
        return program.walk(_table(program.jaxpr.jaxpr, known, []), unwrap=plain)

    return fast


def kernels_of(fun: Callable[..., Any], *args: Any) -> list[Kernel] | None:
    """The weights that `fast_convolutions` prepares in ``fun``; None if it has no convolution.

    Call it while tracing: weights that are arguments are tracers, others the arrays themselves.
    """
    program = Program.traced(fun, args, {})
    seen: list[Kernel] = []
    if not convolves(program.jaxpr.jaxpr):
        return None
    program.walk(_table(program.jaxpr.jaxpr, (), seen), unwrap=plain)
    return seen


def convolves(jaxpr: Any) -> bool:
    """Whether there is a convolution somewhere in a jaxpr."""
    return any(
        eqn.primitive.name == CONVOLUTION or any(convolves(j.jaxpr) for j in compat.inner_jaxprs(eqn.params))
        for eqn in jaxpr.eqns
    )


def _table(
    jaxpr: Any, known: Known, seen: list[Kernel], *, linear: bool = False, looped: bool = False
) -> RuleTable:
    """The rules of one walk, ``looped`` in the body of a loop, which note in ``seen`` what weights there are.

    What is ``linear``, derivatives in forward mode, JAX has to transpose: the kernels are not for it.
    """
    table = RuleTable("fast_convolutions", default=as_written)
    table.register(*_holders(jaxpr))(as_written)
    layouts.register(table)

    @table.register(CONVOLUTION)
    def _(eqn: Equation, x: Any, weights: Any) -> Any:
        return _convolved(eqn, x, weights, None if linear else known, seen, looped)

    @table.register("reduce_window_max")
    def _(eqn: Equation, x: Any) -> Any:
        return layouts.window(eqn, x) if linear else _pooled(eqn, x)

    @table.register(*compat.CALLS)
    def _(eqn: Equation, *values: Any) -> Sequence[Any]:
        return eqn.walk(compat.called(eqn.params), *values)

    @table.register(*_LOOPS)
    def _(eqn: Equation, *values: Any) -> Sequence[Any]:
        if not any(convolves(j.jaxpr) for j in compat.inner_jaxprs(eqn.params)):
            return as_written(eqn, *values)
        again = looped or eqn.primitive in ("scan", "while")
        inside = _table(jaxpr, known, seen, linear=linear, looped=again)
        walker = _AsWritten(inside, lambda x: x, Frame(), eqn.outer)
        return HANDLERS[eqn.primitive](walker, eqn, [plain(v) for v in values])

    @table.register(*compat.CUSTOM_DERIVATIVES)
    def _(eqn: Equation, *values: Any) -> Sequence[Any]:
        inside = convolves(compat.called(eqn.params).jaxpr)
        continuous = all(jnp.issubdtype(a.dtype, jnp.floating) for a in (*eqn.inputs, *eqn.outputs))
        if not continuous or (layouts.unmoved(values) and not inside):
            return as_written(eqn, *values)
        if eqn.primitive != "custom_jvp_call":
            return derivatives.custom_vjp(eqn, eqn.walk, values)
        return derivatives.custom_jvp(eqn, eqn.walk, functools.partial(tangents, eqn), values)

    def tangents(eqn: Equation, jaxpr: Any, *values: Any) -> list[Any]:
        rules = _table(jaxpr.jaxpr, (), [], linear=True)
        return Walker(rules, lambda x: x, Frame(), eqn).run(jaxpr, values)

    return table


def _holders(jaxpr: Any) -> set[str]:
    """The primitives that hold jaxprs (which an update or a comparison is written as)."""
    found = set()
    for eqn in jaxpr.eqns:
        inner = list(compat.inner_jaxprs(eqn.params))
        found |= {eqn.primitive.name} if inner and eqn.primitive.name not in HANDLERS else set()
        for j in inner:
            found |= _holders(j.jaxpr)
    return found


class _AsWritten(Walker):
    """A walker whose inner bodies take and return values as written, as loops need them."""

    def body(self, jaxpr: Any, outer: Equation) -> Callable[..., tuple[list[Any], Lists]]:
        """The body of the walk, between plain arrays."""
        inner = super().body(jaxpr, outer)

        def call(fed: Lists, *values: Any) -> tuple[list[Any], Lists]:
            results, recorded = inner(fed, *values)
            return [plain(r) for r in results], recorded

        return call


def _convolved(
    eqn: Equation, x: Any, weights: Any, known: Known | None, seen: list[Kernel], looped: bool
) -> Any:
    params, numbers = eqn.params, eqn.params["dimension_numbers"]
    if len(numbers.lhs_spec) != 4 or params.get("out_sharding") is not None:
        return as_written(eqn, x, weights)
    last, order = _channels_last(numbers.lhs_spec), _kernel_order(numbers.rhs_spec)
    images = ordered(x, last)
    window = Window(
        tuple(eqn.inputs[1].shape[a] for a in order[:2]),
        tuple(params["window_strides"]),
        tuple(map(tuple, params["padding"])),  # pyright: ignore[reportArgumentType]
        images.shape[1:3],
    )
    kernel = ordered(weights, order)
    simple = _is_simple(params, images)
    choice = convolution.choose(images, kernel, window, looped=looped) if simple else None
    if choice is None or known is None:
        y = _as_it_is(params, images, kernel)
    else:
        use = Kernel(weights, order, choice._replace(window=window._replace(image=(0, 0))))
        seen.append(use)
        y = convolution.convolve(images, kernel, window, _prepared(known, use), looped=looped)
    return Stored(y, _channels_last(numbers.out_spec), eqn.outputs[0].shape)


def _channels_last(spec: Sequence[int]) -> tuple[int, ...]:
    batch, channel, height, width = spec
    return batch, height, width, channel


def _kernel_order(spec: Sequence[int]) -> tuple[int, ...]:
    feature, channel, height, width = spec
    return height, width, channel, feature


def _is_simple(params: dict[str, Any], images: Any) -> bool:
    """No groups, no dilation, no other precision of the sums."""
    ones = (*params["lhs_dilation"], *params["rhs_dilation"])
    groups = (params["feature_group_count"], params["batch_group_count"])
    return {*ones, *groups} == {1} and params["preferred_element_type"] in (None, images.dtype)


def _as_it_is(params: dict[str, Any], images: Any, kernel: Any) -> Any:
    """XLA's convolution, in the layout that it is fastest in."""
    kept = {k: v for k, v in params.items() if k not in ("dimension_numbers", "out_sharding")}
    return lax.conv_general_dilated(images, kernel, dimension_numbers=("NHWC", "HWIO", "NHWC"), **kept)


def _prepared(known: Known, use: Kernel) -> Prepared | None:
    """What has been prepared of these very weights for this use."""
    for kernel, prepared in known:
        if kernel.weights is use.weights and kernel[1:] == use[1:]:
            return prepared
    return None


def _pooled(eqn: Equation, x: Any) -> Any:
    params = eqn.params
    size, strides, padding = (params[k] for k in ("window_dimensions", "window_strides", "padding"))
    over = [a for a, k in enumerate(size) if (k, strides[a], tuple(padding[a])) != (1, 1, (0, 0))]
    dilated = {*params["base_dilation"], *params["window_dilation"]} != {1}
    images = jnp.issubdtype(eqn.inputs[0].dtype, jnp.floating) and len(size) == 4 and len(over) == 2
    order = order_of([x], len(size))
    if dilated or not images or list(order[1:3]) != over or size[over[0]] * size[over[1]] > _MOST_PLACES:
        return layouts.window(eqn, x)
    array = ordered(x, order)
    height, width = over
    window = Window(
        (size[height], size[width]),
        (strides[height], strides[width]),
        (tuple(padding[height]), tuple(padding[width])),
        array.shape[1:3],
    )
    return Stored(max_pool(array, window), order, eqn.outputs[0].shape)
