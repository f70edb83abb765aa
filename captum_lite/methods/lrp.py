"""Layer-wise relevance propagation."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax

from captum_lite._backend import compiled
from captum_lite._estimate import Estimate
from captum_lite._function_method import GradientMethod
from captum_lite._inputs import Arrays
from captum_lite._problem import Problem
from captum_lite.rules._relevant import Relevant
from captum_lite.rules.composites import Chosen, Composite, Rules, composite
from captum_lite.rules.lrp import lrp_rules
from namedtensor.interpreter import interpret


@dataclass(frozen=True)
class LRP(GradientMethod):
    """The score handed down from layer to layer, in proportion to what each value contributed: relevance.

    Of the shape and dims of the inputs. One gradient evaluation. Through each layer of weights by a rule,
    epsilon by default: ``R_i = sum_j x_i w_ij / (z_j + eps sign(z_j)) R_j``. Relevance adds up to the
    score, less what biases and stabilisers absorb: ``return_convergence_delta`` and the record give
    ``score - sum of relevances``, which is no error.

    A bias added to a layer, and a normalisation by constants behind it (batch norm), are part of the
    layer. Activations pass relevance on, a maximum gives it to its winner, a sum shares it by
    contributions. Products of two values that depend on the inputs (gates, attention), softmax and layer
    norm go by AttnLRP. Functional code, modules used twice, scan, cond and jit inside are all the same to it.

    Args:
      rules: which layer gets which rule: a dict or pairs ``(pattern, rule)``, of which the first that fits
        counts, or a preset of `captum_lite.rules` (`EpsilonPlusFlat()`, `EpsilonGammaBox(0, 1)` ...). A
        pattern is made of the words ``first``, ``conv``, ``dense``, or is the name (with ``*``) of a
        named scope or of a tap behind the layer. Rules: `Epsilon`, `Gamma`, `GeneralizedGamma`, `AlphaBeta`,
        `ZPlus`, `Alpha1Beta0`, `ZBox`, `WSquare`, `Flat`, `Pass`; or Captum's as text,
        ``{"l1": "gamma 0.25"}``.
      default: the rule of other layers, ``Epsilon()`` by default.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import LRP
      >>> f = lambda x: x @ jnp.array([1.0, 2.0]) + 3
      >>> LRP(f).attribute(jnp.array([[1.0, 1.0]]), return_convergence_delta=True)
      (Array([[1., 2.]], dtype=float32), Array([3.], dtype=float32))

    Raises:
      UnsupportedPrimitiveError: an operation without a rule; the message has its line and what to use.
      ValueError: a pattern that fits no layer; the message lists the layers.
      TypeError: a rule that is none.

    Source: Bach, Binder, Montavon, Klauschen, Müller, Samek 2015, doi:10.1371/journal.pone.0130140;
    Montavon, Binder, Lapuschkin, Samek, Müller 2019, doi:10.1007/978-3-030-28954-6_10; attention: Achtibat
    et al. 2024, arXiv:2402.05602.
    """

    rules: Rules = ()
    default: Any = None

    def __post_init__(self) -> None:
        """The rules as a composite, which is hashable."""
        object.__setattr__(self, "rules", composite(self.rules, self.default))
        object.__setattr__(self, "default", None)

    def absorbs(self) -> bool:
        """Biases and stabilisers do."""
        return True

    def delta(self, estimate: Estimate, at_input: Any, at_baseline: Any) -> Any:
        """What was absorbed, as in Captum: the score less the sum of relevances."""
        return -super().delta(estimate, at_input, 0 * at_input)

    def configuration(self) -> dict[str, Any]:
        """The rules as text."""
        return {**super().configuration(), "rules": repr(self.rules)}

    def steps(self, problem: Problem) -> Iterator[Estimate]:
        """One walk back."""
        assert isinstance(self.rules, Composite), "made of what was given"
        yield Estimate(relevance(problem, self.rules), gradients=problem.batch)


@compiled
def relevance(problem: Problem, rules: Composite) -> Arrays:
    """The relevance of the inputs for the scores."""
    chosen = Chosen(rules)

    def score(inputs: Arrays) -> Any:
        given = tuple(Relevant(x, first=True) for x in inputs)
        return interpret(problem.score, lrp_rules(chosen), wrap=Relevant, unwrap=_unwrapped)(given)

    scores, backward = jax.vjp(score, problem.inputs)
    chosen.require_fitted()
    return backward(scores)[0]


def _unwrapped(x: Any) -> Any:
    return x.array if isinstance(x, Relevant) else x
