"""The conductance of one unit, split over the inputs."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax

from captum_lite import _target
from captum_lite._chunks import chunk_size
from captum_lite._estimate import Estimate
from captum_lite._function_method import GradientMethod
from captum_lite._inputs import require_real
from captum_lite._layers import accumulated, neuron_on_path, value_at
from captum_lite._method import AbstractMethod
from captum_lite._neurons import OfNeuron
from captum_lite._problem import Problem
from captum_lite._quadrature import quadrature


@dataclass(frozen=True)
class NeuronConductance(OfNeuron, GradientMethod):
    """``(x - b) * integral over a in [0, 1] of d score / d y * dy / d input`` for one unit ``y``.

    How much of each input's integrated gradient flows through the unit ``neuron`` of ``layer``. Over the
    inputs it sums to the unit's `LayerConductance`; over the units of a cut, to `IntegratedGradients`.
    ``n_steps`` times two gradient evaluations, in chunks.

    Options of `attribute`:
      neuron_selector: which unit, written as a target is, if it was not given as ``neuron=``.
      n_steps: how many points on the path.
      method: of `IntegratedGradients`. (Captum's default is ``"riemann_trapezoid"``, whose weights do not
        sum to 1 there: ``"riemann_trapezoid_captum"`` here.)
      internal_batch_size: rows (examples times points) evaluated at once; None chooses.

    Example:
      >>> import jax.numpy as jnp, namedtensor as nt
      >>> from captum_lite import NeuronConductance
      >>> f = lambda x: (nt.tap(jnp.stack([x.sum(1), x[:, 0]], 1), "units") ** 2).sum(1)
      >>> NeuronConductance(f, "units", neuron=0).attribute(jnp.array([[1.0, 2.0]]), n_steps=8).round(4)
      Array([[3., 6.]], dtype=float32)

    Raises:
      UnknownTapError: the function has no such layer.
      ValueError: no layer or no neuron; a neuron that does not fit the layer.
      IndexError: a neuron out of range.

    Source: Dhamdhere, Sundararajan, Yan 2018, arXiv:1805.12233; Shrikumar, Su, Kundaje 2018,
    arXiv:1807.09946.
    """

    def compares(self) -> bool:
        """The path begins at the baselines."""
        return True

    def _asked(self, target: Any, args: Any) -> tuple[Callable[..., Any], Any, Any]:
        """The output is explained, through the unit."""
        return self.of(None).fun, target, args

    def explained(self, posed: Problem) -> Problem:
        """The inputs."""
        require_real(posed.inputs, "input")
        return posed

    def unbound(self) -> AbstractMethod:
        """The method without its function; the unit is not part of the posed problem, so it stays."""
        return dataclasses.replace(super().unbound(), neuron=self.neuron)  # pyright: ignore

    def steps(
        self,
        problem: Problem,
        *,
        n_steps: int = 50,
        method: str = "gausslegendre",
        internal_batch_size: int | None = None,
    ) -> Iterator[Estimate]:
        """One chunk of the path at a time."""
        part = functools.partial(neuron_on_path, layer=self.layer)
        unit = self._unit(problem)
        columns = quadrature(method, n_steps)
        size = chunk_size(problem, internal_batch_size)
        run = accumulated(problem, lambda problem, *some: part(problem, unit, *some), columns, size)
        assert problem.baselines is not None, "it compares"
        for total, done, seen in run:
            parts = zip(total, problem.inputs, problem.baselines, strict=True)
            yield Estimate(
                tuple((t * (x - b)).astype(x.dtype) for t, x, b in parts),
                done,
                gradients=2 * seen * problem.batch,
            )

    def _unit(self, problem: Problem) -> _target.Target:
        """The unit as a target in the layer."""
        layer = self.layer
        assert layer is not None, "OfNeuron.of has looked"
        if callable(self.neuron):
            raise TypeError(
                f"NeuronConductance goes through one unit of {layer!r}, and neuron= is a function: "
                "give its position, neuron=3 or a tuple or a dict by name."
            )
        there = jax.eval_shape(lambda p: value_at(p, p.inputs, layer), problem)
        return _target.make(self.neuron, there, problem.batch)
