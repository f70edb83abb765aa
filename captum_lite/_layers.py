"""What passes at a tap and the gradient there, at any input: what all layer methods are made of.

The value, the gradient and the sums of them along a path of the inputs are compiled functions of a
`Problem` posed on the inputs. What goes around the layer moves with the inputs.
"""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite import _target
from captum_lite._backend import compiled
from captum_lite._chunks import chunk_size, chunks
from captum_lite._estimate import Estimate
from captum_lite._function_method import FunctionMethod, GradientMethod
from captum_lite._gradient import gradient, weighted_sum
from captum_lite._inputs import Arrays, require_real, unpack
from captum_lite._problem import Problem, at_layer
from captum_lite._quadrature import spread_order


class OfLayer(FunctionMethod):
    """Before a method's class: ``layer`` must be given, and all of it is explained."""

    def __post_init__(self) -> None:
        """A layer, and no neuron of it."""
        super().__post_init__()
        name = type(self).__name__
        if not isinstance(self.layer, str):
            raise ValueError(
                f"{name} explains a layer: give its name, {name}(f, 'name') "
                "(namedtensor.list_taps lists them)."
            )
        if self.neuron is not None:
            raise ValueError(
                f"{name} explains all of the layer {self.layer!r}, so neuron={self.neuron!r} has no meaning: "
                "leave it out, or use a method of a neuron (NeuronGradient, NeuronConductance)."
            )

    @property
    def place(self) -> str:
        """The layer."""
        assert self.layer is not None, "checked when the method is made"
        return self.layer


@dataclass(frozen=True)
class LayerMethod(OfLayer, GradientMethod):
    """A method that is of a layer by its definition."""


@dataclass(frozen=True)
class OnPath(LayerMethod):
    """A method of a layer whose path is one of the inputs: it is posed on them, not at the layer."""

    def compares(self) -> bool:
        """The path begins at the baselines."""
        return True

    def explained(self, posed: Problem) -> Problem:
        """The inputs; the attributions are laid out as the layer is."""
        require_real(posed.inputs, "input")
        return posed


def passing(problem: Problem, inputs: Arrays, layer: str) -> Problem:
    """The problem at the layer for these inputs, without baselines: its inputs are what passes there."""
    here = at_layer(dataclasses.replace(problem, inputs=inputs, baselines=None), layer)
    require_real(here.inputs, f"the value at {layer!r}, input")
    return here


def value_and_gradient(problem: Problem, inputs: Arrays, layer: str) -> tuple[Any, Any]:
    """What passes at the layer, and the gradient of the score there; named where the function names it."""
    here = passing(problem, inputs, layer)
    return here.layout.restore(here.inputs), here.layout.restore(gradient(here, here.inputs))


def value_at(problem: Problem, inputs: Arrays, layer: str) -> Any:
    """What passes at the layer."""
    here = passing(problem, inputs, layer)
    return here.layout.restore(here.inputs)


def point(problem: Problem, node: Any) -> Arrays:
    """The inputs at ``baseline + node * (input - baseline)``."""
    assert problem.baselines is not None, "the method compares"
    ends = zip(problem.inputs, problem.baselines, strict=True)
    return tuple(b + node.astype(x.dtype) * (x - b) for x, b in ends)


def _over_nodes(at: Callable[..., Any], weights: Any, *nodes: Any) -> Any:
    """``sum over k of weights[k] * at(nodes[k])``."""
    return jax.tree.map(lambda values: weighted_sum(weights, values), jax.vmap(at)(*nodes))


@compiled(static_argnames="layer")
def gradients_on_path(problem: Problem, nodes: Any, weights: Any, *, layer: str) -> Any:
    """``sum over k of weights[k] * gradient at the layer, for the inputs at nodes[k]``."""

    def at(node: Any) -> Any:
        return value_and_gradient(problem, point(problem, node), layer)[1]

    return _over_nodes(at, weights, nodes)


@compiled(static_argnames="layer")
def flow_on_path(problem: Problem, nodes: Any, weights: Any, *, layer: str) -> Any:
    """``sum over k of weights[k] * gradient at the layer * d layer / d node``, at the nodes."""
    assert problem.baselines is not None, "the method compares"
    along = tuple(x - b for x, b in zip(problem.inputs, problem.baselines, strict=True))

    def at(node: Any) -> Any:
        inputs = point(problem, node)
        speed = _derivative(lambda xs: value_at(problem, xs, layer), inputs, along)
        return jax.tree.map(jnp.multiply, value_and_gradient(problem, inputs, layer)[1], speed)

    return _over_nodes(at, weights, nodes)


def _derivative(fun: Callable[..., Any], inputs: Arrays, along: Arrays) -> Any:
    """Of ``fun`` in a direction."""
    try:
        return jax.jvp(fun, (inputs,), (along,))[1]
    except TypeError as error:
        if "custom_vjp" not in str(error):
            raise
        raise TypeError(
            "the derivative of the layer along the path is needed, and the function has a part with a "
            "derivative for backward passes alone (jax.custom_vjp, or an exported function): take "
            "differences instead, method_variant='captum'."
        ) from error


@compiled(static_argnames="layer")
def steps_on_path(problem: Problem, nodes: Any, following: Any, weights: Any, *, layer: str) -> Any:
    """``sum over k of weights[k] * gradient at the layer * (layer at following[k] - layer)``."""

    def at(node: Any, after: Any) -> Any:
        value, slope = value_and_gradient(problem, point(problem, node), layer)
        ahead = value_at(problem, point(problem, after), layer)
        return jax.tree.map(lambda g, a, b: g * (b - a), slope, value, ahead)

    return _over_nodes(at, weights, nodes, following)


@compiled(static_argnames="layer")
def neuron_on_path(
    problem: Problem, neuron: _target.Target, nodes: Any, weights: Any, *, layer: str
) -> Arrays:
    """``sum over k of weights[k] * d score / d neuron * d neuron / d input``, at the nodes."""

    def at(node: Any) -> Arrays:
        inputs = point(problem, node)
        through = neuron(value_and_gradient(problem, inputs, layer)[1], problem.batch)
        return jax.grad(lambda xs: through @ neuron(value_at(problem, xs, layer), problem.batch))(inputs)

    return _over_nodes(at, weights, nodes)


def accumulated(
    problem: Problem, part: Callable[..., Any], columns: tuple[np.ndarray, ...], size: int
) -> Iterator[tuple[Any, float, int]]:
    """The sums over chunks of the path, each chunk spread over all of it.

    Args:
      problem: passed to ``part``.
      part: ``part(problem, *columns)``: the sum over some rows of the columns, the last of which is
        the weights.
      columns: one row for each point of the path.
      size: rows at once.

    Yields:
      The sum so far, scaled to stand for the whole; the fraction done; the number of points seen.
    """
    n, weights = len(columns[-1]), columns[-1]
    order = spread_order(n)
    total, seen, covered = None, 0, 0.0
    for some in chunks(size, *(c[order] for c in columns)):
        value = part(problem, *some)
        total = value if total is None else jax.tree.map(jnp.add, total, value)
        seen, covered = min(seen + size, n), covered + some[-1].sum()
        scale = 1.0 if seen == n else weights.sum() / covered
        yield jax.tree.map(lambda t, scale=scale: scale * t, total), seen / n, seen


def layer_estimates(
    problem: Problem,
    part: Callable[..., Any],
    columns: tuple[np.ndarray, ...],
    internal_batch_size: int | None,
    *,
    forwards: int = 0,
) -> Iterator[Estimate]:
    """`accumulated` as estimates of attributions laid out as the layer; ``forwards`` for each point."""
    dtype = jnp.result_type(*problem.inputs)
    for total, done, seen in accumulated(problem, part, columns, chunk_size(problem, internal_batch_size)):
        arrays, layout = unpack(total)
        yield Estimate(
            tuple(a.astype(dtype) for a in arrays),
            done,
            gradients=seen * problem.batch,
            forwards=forwards * seen * problem.batch,
            layout=layout,
        )
