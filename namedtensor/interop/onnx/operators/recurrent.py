"""Recurrent layers by `jax.lax.scan`: the input's part of all gates at once, the state's step by step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.operators._gates import Gate, gates
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.values import Value

State = tuple[Value, ...]
Step = Callable[[State, Value], State]  # from the state and the input's part, the state that follows
Floats = Sequence[float] | None
Names = Sequence[str] | None


@dataclass(frozen=True)
class Layer:
    """The attributes that all recurrent layers share.

    Attributes:
      direction: ``forward``, ``reverse`` or ``bidirectional``.
      layout: 0 for the sequence's axis in front, 1 for the batch's.
      kinds: the activations of each direction.
    """

    direction: str
    layout: int
    kinds: Sequence[Sequence[Gate]]


def _layer(
    direction: str,
    layout: int,
    default: Sequence[str],
    names: Names,
    alpha: Floats,
    beta: Floats,
    clip: float | None,
) -> Layer:
    count = {"forward": 1, "reverse": 1, "bidirectional": 2}.get(direction)
    if count is None:
        raise OnnxError(f"direction {direction!r} is none of forward, reverse, bidirectional.")
    if names and len(names) != len(default) * count:
        raise OnnxError(f"activations are {list(names)}: {len(default)} are needed for each direction.")
    return Layer(direction, layout, gates(names or [*default] * count, count, alpha or (), beta or (), clip))


def _run(
    layer: Layer,
    x: Value,
    lengths: Value,
    initial: Sequence[Value],
    hidden: int,
    projected: Callable[[Value, int], Value],
    step: Callable[[int], Step],
) -> tuple[Value, ...]:
    """All directions: the first state of every step, and all states at the end."""
    x = jnp.asarray(x)
    x = jnp.swapaxes(x, 0, 1) if layer.layout else x
    states = [_initial(h, layer, len(layer.kinds), x.shape[1], hidden, x.dtype) for h in initial]
    inside = None if lengths is None else np.arange(len(x))[:, None, None] < jnp.reshape(lengths, (1, -1, 1))
    ends, rows = [], []
    for d in range(len(layer.kinds)):
        reverse = layer.direction == "reverse" or d == 1
        end, row = _scanned(step(d), tuple(s[d] for s in states), projected(x, d), inside, reverse)
        ends.append(end)
        rows.append(row)
    y, last = jnp.stack(rows, 1), [jnp.stack(e) for e in zip(*ends, strict=True)]
    if layer.layout:
        return jnp.moveaxis(y, 2, 0), *(jnp.swapaxes(e, 0, 1) for e in last)
    return y, *last


def _initial(given: Value, layer: Layer, directions: int, batch: int, hidden: int, dtype: Any) -> Value:
    if given is None:
        return jnp.zeros((directions, batch, hidden), dtype)
    return jnp.swapaxes(given, 0, 1) if layer.layout else jnp.asarray(given)


def _scanned(step: Step, first: State, rows: Value, inside: Value, reverse: bool) -> tuple[State, Value]:
    """The last state, and the first part of each; behind the end of a sequence nothing changes."""

    def one(state: State, row: Any) -> Any:
        if inside is None:
            state = step(state, row)
            return state, state[0]
        row, valid = row
        state = tuple(jnp.where(valid, new, old) for new, old in zip(step(state, row), state, strict=True))
        return state, jnp.where(valid, state[0], jnp.zeros_like(state[0]))

    return jax.lax.scan(one, first, rows if inside is None else (rows, inside), reverse=reverse)


def _part(v: Value, d: int) -> Value:
    return jnp.asarray(v)[d]


def _projection(w: Value, bias: Callable[[int], Value] | None) -> Callable[[Value, int], Value]:
    """What the input adds to all gates, for a direction."""

    def projected(x: Value, d: int) -> Value:
        y = jnp.matmul(x, _part(w, d).T)
        return y if bias is None else y + bias(d)[None, None]

    return projected


def _halves(b: Value, d: int) -> tuple[Value, Value]:
    """The bias beside the input, and that beside the state."""
    first, second = jnp.split(_part(b, d), 2)
    return first, second


@operator("RNN")
def rnn(
    x: Value,
    w: Value,
    r: Value,
    b: Value = None,
    lengths: Value = None,
    initial_h: Value = None,
    *,
    activation_alpha: Floats = None,
    activation_beta: Floats = None,
    activations: Names = None,
    clip: float | None = None,
    direction: str = "forward",
    hidden_size: int | None = None,
    layout: int = 0,
    output_sequence: int = 0,
) -> tuple[Value, ...]:
    """``h = f(x w + h r + b)``."""
    del hidden_size, output_sequence
    layer = _layer(direction, layout, ["Tanh"], activations, activation_alpha, activation_beta, clip)

    def step(d: int) -> Step:
        (f,), recurrent = layer.kinds[d], _part(r, d).T
        return lambda state, row: (f(row + state[0] @ recurrent),)

    projected = _projection(w, None if b is None else lambda d: sum(_halves(b, d)))
    return _run(layer, x, lengths, [initial_h], r.shape[-1], projected, step)


@operator("GRU")
def gru(
    x: Value,
    w: Value,
    r: Value,
    b: Value = None,
    lengths: Value = None,
    initial_h: Value = None,
    *,
    activation_alpha: Floats = None,
    activation_beta: Floats = None,
    activations: Names = None,
    clip: float | None = None,
    direction: str = "forward",
    hidden_size: int | None = None,
    layout: int = 0,
    linear_before_reset: int = 0,
    output_sequence: int = 0,
) -> tuple[Value, ...]:
    """``h = (1 - z) n + z h``: gates z and r, and n of the input and of what r leaves of the state."""
    del hidden_size, output_sequence
    layer = _layer(
        direction, layout, ["Sigmoid", "Tanh"], activations, activation_alpha, activation_beta, clip
    )
    size = r.shape[-1]

    def step(d: int) -> Step:
        f, g = layer.kinds[d]
        recurrent, candidate = jnp.split(_part(r, d).T, [2 * size], 1)
        inner = None if b is None else _halves(b, d)[1][None, 2 * size :]

        def new(row: Value, h: Value, reset: Value) -> Value:
            moved = (h if linear_before_reset else reset * h) @ candidate
            moved = moved if inner is None else moved + inner
            return g(row + (reset * moved if linear_before_reset else moved))

        def one(state: State, row: Value) -> State:
            z, reset = jnp.split(f(row[:, : 2 * size] + state[0] @ recurrent), 2, 1)
            return ((1 - z) * new(row[:, 2 * size :], state[0], reset) + z * state[0],)

        return one

    def outer(d: int) -> Value:
        beside_x, beside_h = _halves(b, d)
        return beside_x + jnp.where(np.arange(3 * size) < 2 * size, beside_h, jnp.zeros_like(beside_h))

    return _run(layer, x, lengths, [initial_h], size, _projection(w, None if b is None else outer), step)


@operator("LSTM")
def lstm(
    x: Value,
    w: Value,
    r: Value,
    b: Value = None,
    lengths: Value = None,
    initial_h: Value = None,
    initial_c: Value = None,
    p: Value = None,
    *,
    activation_alpha: Floats = None,
    activation_beta: Floats = None,
    activations: Names = None,
    clip: float | None = None,
    direction: str = "forward",
    hidden_size: int | None = None,
    input_forget: int = 0,
    layout: int = 0,
    output_sequence: int = 0,
) -> tuple[Value, ...]:
    """``c = forget c + input g(...)``, ``h = output h(c)``; gates see the cell where peepholes are given."""
    del hidden_size, output_sequence
    default = ["Sigmoid", "Tanh", "Tanh"]
    layer = _layer(direction, layout, default, activations, activation_alpha, activation_beta, clip)

    def step(d: int) -> Step:
        (f, g, h), recurrent = layer.kinds[d], _part(r, d).T
        peep = [None] * 3 if p is None else jnp.split(_part(p, d)[None], 3, 1)

        def seen(gate: Value, cell: Value, i: int) -> Value:
            return gate if peep[i] is None else gate + peep[i] * cell

        def one(state: State, row: Value) -> State:
            before, cell = state
            i, o, forget, new = jnp.split(row + before @ recurrent, 4, 1)
            i = f(seen(i, cell, 0))
            forget = 1 - i if input_forget else f(seen(forget, cell, 2))
            cell = forget * cell + i * g(new)
            return f(seen(o, cell, 1)) * h(cell), cell

        return one

    projected = _projection(w, None if b is None else lambda d: sum(_halves(b, d)))
    return _run(layer, x, lengths, [initial_h, initial_c], r.shape[-1], projected, step)
