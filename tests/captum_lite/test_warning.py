"""Warnings point at the line that the user wrote."""

import inspect

import jax.numpy as jnp
import pytest

from captum_lite import GuidedBackprop, IncompleteWarning, IntegratedGradients, NeuronGuidedBackprop
from namedtensor import tap

X = jnp.array([[0.3, -1.2, 0.9]])


def smooth(x):
    hidden = tap(jnp.tanh(3 * x), "hidden")
    return (hidden**3).sum(1, keepdims=True)


CALLS = {
    "attribute": lambda: GuidedBackprop(smooth).attribute(X, target=0),
    "explain": lambda: GuidedBackprop(smooth).explain(X, target=0),
    "a neuron": lambda: NeuronGuidedBackprop(smooth, "hidden").attribute(X, neuron_selector=1),
    "incomplete": lambda: IntegratedGradients(smooth).explain(
        X, 0.5, target=0, method="gausslegendre", n_steps=2
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_at_the_users_line(name):
    category = IncompleteWarning if name == "incomplete" else UserWarning
    with pytest.warns(category) as seen:
        CALLS[name]()
    line = inspect.getsourcelines(CALLS[name])[1]
    assert [(w.filename, w.lineno) for w in seen] == [(__file__, line)]
