"""Control flow: loops run in Python, step by step, because their rounds do; what decides them is public."""

from typing import Any

import numpy as np

from crypten_lite.rules import constants
from crypten_lite.rules.table import refuse, secret_rules
from crypten_lite.values import Secret, Truth
from namedtensor.interpreter import Equation, compat


@secret_rules.register("scan")
def _(eqn: Equation, *values: Any) -> Any:
    consts, carry, xs = compat.scan_operands(eqn.params, list(values))
    length, steps = eqn.params["length"], []
    order = range(length)[::-1] if eqn.params["reverse"] else range(length)
    for i in order:
        results = eqn.walk(eqn.params["jaxpr"], *consts, *carry, *(_taken(x, i) for x in xs))
        carry, ys = results[: len(carry)], results[len(carry) :]
        steps.append(ys)
    steps = steps[::-1] if eqn.params["reverse"] else steps
    columns = zip(*steps, strict=True) if steps else [()] * (len(eqn.outputs) - len(carry))
    stacked = [
        _stacked(eqn, column, out) for column, out in zip(columns, eqn.outputs[len(carry) :], strict=True)
    ]
    return [*carry, *stacked]


def _taken(x: Any, i: int) -> Any:
    return x.map(lambda a: a[:, i], x.shape[1:]) if isinstance(x, Secret) else x[i]


def _stacked(eqn: Equation, parts: tuple[Any, ...], out: Any) -> Any:
    if not any(isinstance(p, Secret) for p in parts):
        return np.stack([np.asarray(p) for p in parts]) if parts else np.zeros(out.shape, out.dtype)
    if all(isinstance(p, Truth) for p in parts):
        return parts[0].joined(parts[1:], lambda *arrays: np.stack(arrays, 1), out.shape)
    numbers = constants.aligned(eqn, *parts)
    return constants.joined(numbers, lambda arrays: np.stack(arrays, 1), out.shape).tagged(dtype=out.dtype)


@secret_rules.register("while")
def _(eqn: Equation, *values: Any) -> Any:
    params = eqn.params
    n_test, n_body = params["cond_nconsts"], params["body_nconsts"]
    test, body, carry = values[:n_test], values[n_test : n_test + n_body], list(values[n_test + n_body :])
    while True:
        (more,) = eqn.walk(params["cond_jaxpr"], *test, *carry)
        if isinstance(more, Secret):
            raise refuse(
                eqn,
                "whether the loop goes on is secret",
                "Run a fixed number of steps (jax.lax.fori_loop, scan) and keep what counts with jnp.where.",
            )
        if not more:
            return carry
        carry = eqn.walk(params["body_jaxpr"], *body, *carry)


@secret_rules.register("cond")
def _(eqn: Equation, index: Any, *operands: Any) -> Any:
    if isinstance(index, Secret):
        raise refuse(
            eqn,
            "the branch taken is secret, and who runs it would see which",
            "Compute both and choose with jnp.where.",
        )
    branches = eqn.params["branches"]
    return eqn.walk(branches[int(np.clip(int(index), 0, len(branches) - 1))], *operands)


@secret_rules.register(*compat.REMAT)
def _(eqn: Equation, *values: Any) -> Any:
    return eqn.walk(compat.called(eqn.params), *values)
