"""If, Loop and Scan: decided while tracing where the condition is known, else by JAX's control flow."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.evaluate import Call
from namedtensor.interop.onnx.graph import Graph, Node
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.values import Value, beside_traced, known

MOST = 4096  # iterations of a loop that are written out one by one


@operator("If", steers=("condition",))
def if_(condition: Value, *, then_branch: Graph, else_branch: Graph, node: Call) -> list[Value]:
    """One branch or the other; where the condition is traced, both give the same shapes."""
    if not isinstance(condition, Tracer):
        return node.run(then_branch if np.asarray(condition).item() else else_branch)
    branches = [lambda g=g: _traced(node.run(g)) for g in (then_branch, else_branch)]
    shapes = [[(jnp.shape(x), x.dtype) for x in jax.eval_shape(branch)] for branch in branches]
    if shapes[0] != shapes[1]:
        raise OnnxError(
            f"its condition is computed from the inputs, and the branches give different shapes: {shapes[0]} "
            f"and {shapes[1]}. Outside of jit, grad and vmap one branch is chosen."
        )
    return jax.lax.cond(jnp.reshape(condition, ()), *branches)


def _decide_about_shapes(node: Node) -> tuple[str, ...]:
    """A loop that collects something in each iteration has as many of them as it has iterations."""
    return ("most", "condition") if len(node.outputs) > len(node.inputs) - 2 else ()


@operator("Loop", static=_decide_about_shapes, steers=("most", "condition"))
def loop(
    most: Value = None, condition: Value = None, *initial: Value, body: Graph, node: Call
) -> list[Value]:
    """The body again and again: written out where the number of iterations is known, else a while loop."""
    if not any(isinstance(x, Tracer) for x in (most, condition)):
        out = _written_out(most, condition, initial, body, node)
        if out is not None:
            return out
    if len(body.outputs) - 1 > len(initial):
        raise OnnxError(
            "it collects a result of each iteration, and how many there are is computed from the inputs: "
            "call the model outside of jit, grad and vmap."
        )
    return _while(most, condition, initial, body, node)


def _written_out(
    most: Value, condition: Value, initial: Sequence[Value], body: Graph, node: Call
) -> list[Value] | None:
    """All iterations one after the other; None if an iteration's condition turns out to be traced."""
    count = None if most is None else int(np.asarray(most).item())
    going = True if condition is None else bool(np.asarray(condition).item())
    carried, collected, i = list(initial), [], 0
    while going and (count is None or i < count):
        if i == MOST:
            raise OnnxError(f"more than {MOST} iterations are not written out.")
        again, *made = node.run(body, np.asarray(i, np.int64), np.asarray(going), *carried)
        carried, i = made[: len(initial)], i + 1
        collected.append(made[len(initial) :])
        if isinstance(again, Tracer):
            return None
        going = bool(np.asarray(again).item())
    return [*carried, *_stacked(collected, len(body.outputs) - 1 - len(initial), body)]


def _stacked(rows: list[list[Value]], columns: int, body: Graph) -> list[Value]:
    if rows:
        stacks = zip(*rows, strict=True)
        return [np.stack(c) if known(*c) else jnp.stack(c) for c in stacks] if columns else []
    outputs = body.outputs[len(body.outputs) - columns :]
    if any(d.sizes is None or not all(isinstance(n, int) for n in d.sizes) for d in outputs):
        raise OnnxError("no iteration runs, and the file does not say the shape of what they collect.")
    return [np.zeros((0, *d.sizes), d.dtype or np.float32) for d in outputs]  # type: ignore[misc]


def _while(most: Value, condition: Value, initial: Sequence[Value], body: Graph, node: Call) -> list[Value]:
    start = (
        jnp.asarray(0),
        jnp.asarray(True if condition is None else condition).reshape(()),
        _traced(initial),
    )

    def going(state: Any) -> Any:
        i, again, _ = state
        return again if most is None else again & (i < jnp.reshape(beside_traced(most), ()))

    def step(state: Any) -> Any:
        i, again, carried = state
        again, *carried = node.run(body, i, again, *carried)
        return i + 1, jnp.reshape(again, ()), _traced(carried)

    return list(jax.lax.while_loop(going, step, start)[2])


@operator("Scan", since=9)
def scan(
    *operands: Value,
    body: Graph,
    num_scan_inputs: int,
    scan_input_axes: Sequence[int] | None = None,
    scan_input_directions: Sequence[int] | None = None,
    scan_output_axes: Sequence[int] | None = None,
    scan_output_directions: Sequence[int] | None = None,
    node: Call,
) -> list[Value]:
    """The body for each slice of the inputs, as `jax.lax.scan`; each axis has a direction."""
    states = len(operands) - num_scan_inputs
    axes = scan_input_axes or [0] * num_scan_inputs
    back = scan_input_directions or [0] * num_scan_inputs
    rows = [
        jnp.flip(x, 0) if reverse else x
        for x, reverse in zip(
            [jnp.moveaxis(beside_traced(x), a, 0) for x, a in zip(operands[states:], axes, strict=True)],
            back,
            strict=True,
        )
    ]

    def step(carried: Any, row: Any) -> Any:
        made = _traced(node.run(body, *carried, *row))
        return made[:states], made[states:]

    carried, stacked = jax.lax.scan(step, _traced(operands[:states]), rows)
    axes = scan_output_axes or [0] * len(stacked)
    back = scan_output_directions or [0] * len(stacked)
    turned = [jnp.flip(x, 0) if reverse else x for x, reverse in zip(stacked, back, strict=True)]
    return [*carried, *(jnp.moveaxis(x, 0, a) for x, a in zip(turned, axes, strict=True))]


@operator("Scan")
def scan_of_batches(
    lengths: Value = None,
    *operands: Value,
    body: Graph,
    num_scan_inputs: int,
    directions: Sequence[int] = (),
    node: Call,
) -> list[Value]:
    """Scan as opset 8 had it: the batch in front, then the axis that is scanned."""
    if lengths is not None:
        raise OnnxError(
            "sequences of different lengths are not supported: save the model with opset 9 or later."
        )
    rows = [
        scan(
            *[jnp.asarray(x)[i] for x in operands],
            body=body,
            num_scan_inputs=num_scan_inputs,
            scan_input_directions=list(directions) or None,
            node=node,
        )
        for i in range(operands[0].shape[0])
    ]
    return [jnp.stack(column) for column in zip(*rows, strict=True)]


def _traced(values: Sequence[Value]) -> list[Any]:
    return [jnp.asarray(beside_traced(x)) for x in values]
