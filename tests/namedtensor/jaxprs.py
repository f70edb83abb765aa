"""What a traced program consists of, for the tests that compare it with one written by hand."""

import jax

from namedtensor.interpreter.compat import JIT, inner_jaxprs


def equations(jaxpr):
    """The equations of a jaxpr and of all jaxprs inside it; what a jitted function calls stands for the call."""
    for eqn in jaxpr.eqns:
        if eqn.primitive.name not in JIT:
            yield eqn
        for inner in inner_jaxprs(eqn.params):
            yield from equations(inner.jaxpr)


def primitives(fun, *args):
    """The names of the primitives that ``fun`` consists of."""
    return [eqn.primitive.name for eqn in equations(jax.make_jaxpr(fun)(*args).jaxpr)]
