"""`private`: a JAX function on shares. It is traced as JAX would, and each equation is run by a protocol."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from crypten_lite.lines import needing_no_numbers
from crypten_lite.rules import secret_rules
from crypten_lite.session import Session
from crypten_lite.tensor import SharedTensor
from crypten_lite.values import Number, Secret
from namedtensor.interpreter import compat
from namedtensor.interpreter.walk import Program

Tree = Any


def private(fun: Callable[..., Any]) -> Callable[..., Any]:
    """``fun`` on shared arguments: what it computes stays secret, and so does what it computes it from.

    Arguments that are shared (`SharedTensor`, alone or in trees) are secret; others are public and cost
    nothing. They are traced too, as by `jax.jit`: what decides in Python which operations run is bound to the
    function, ``functools.partial(f, flag=True)``. Shapes and operations are public always.

    Args:
      fun: any JAX function: a model, ``jax.grad(loss)``, ``IntegratedGradients(model).attribute``.

    Returns:
      A function of the same arguments that returns shared tensors (and public values, where a result
      depends on nothing secret).

    Raises (when called):
      ValueError: nothing is shared, or the arguments belong to different sessions.
      TypeError: ``fun`` needs numbers while it is traced (``if``, ``float``, NumPy); with the user's line.
      UnsupportedPrimitiveError: a primitive without a rule, or a branch, a loop or an index that is secret;
        with the user's source line.

    Example:
      >>> import jax.numpy as jnp
      >>> import crypten_lite as ct
      >>> with ct.simulate(parties=2) as session:
      ...     x = session.share(jnp.array([1.0, -2.0, 3.0]))
      ...     ct.private(lambda x: jnp.maximum(x, 0).sum())(x).reveal()
      Array(4., dtype=float32)
    """

    @functools.wraps(fun)
    def on_shares(*args: Any, **kwargs: Any) -> Any:
        given, named = jax.tree.map(_secret, (args, kwargs), is_leaf=_is_shared)
        session = _session((args, kwargs))
        session.memo = {}
        try:
            with needing_no_numbers():
                program = Program.traced(fun, given, named, Secret).changed(compat.without_dead_code)
            session.journal.function(getattr(fun, "__name__", type(fun).__name__), program)
            result = program.walk(secret_rules, wrap=_public)
            for leaf in jax.tree.leaves(result, is_leaf=lambda x: isinstance(x, Secret)):
                if isinstance(leaf, Number):
                    leaf.settle()  # errors and costs belong to this call
                if isinstance(leaf, Secret):
                    session.journal.made(leaf)
        finally:
            session.memo = {}
        return jax.tree.map(_shared, result, is_leaf=SharedTensor.is_carrier)

    return on_shares


def _is_shared(x: Any) -> bool:
    return isinstance(x, SharedTensor)


def _secret(x: Any) -> Any:
    return x.carrier if isinstance(x, SharedTensor) else x


def _shared(x: Any) -> Any:
    return SharedTensor.of_carrier(x) if SharedTensor.is_carrier(x) else x


def _public(x: Any) -> Any:
    return np.asarray(x) if isinstance(x.dtype, np.dtype) and x.dtype.kind in "biuf" else x


def _session(tree: Tree) -> Session:
    leaves = [x for x in jax.tree.leaves(tree, is_leaf=_is_shared) if isinstance(x, SharedTensor)]
    if not leaves:
        raise ValueError("none of the arguments is shared: share one first, x = session.share(array).")
    sessions = {id(x.session): x.session for x in leaves}
    if len(sessions) > 1:
        kinds = "; ".join(f"{s.parties} parties, {s.point.fraction} binary places" for s in sessions.values())
        raise ValueError(
            f"the arguments belong to {len(sessions)} different sessions ({kinds}): their shares cannot be "
            "computed with together. Share all of them in one session."
        )
    session = leaves[0].session
    session.require_open()
    return session
