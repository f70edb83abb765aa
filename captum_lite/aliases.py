"""Captum's names for methods of a layer and of a neuron, one line each.

There is one mechanism: ``layer=`` and ``neuron=`` of every method of a function. Captum has a class for
each pair instead, and these are their names:

==============================  =============================================================
Captum's name                   is
==============================  =============================================================
``LayerX(f, "name")``           ``X(f, layer="name")``, which must be given
``NeuronX(f, "name")``          ``X(f, layer="name", neuron=...)``; the neuron may come with the
                                call: ``attribute(x, 3, baselines=...)``, also as
                                ``neuron_selector=3``
``NeuronGradient(f, "name")``   ``Saliency(f, layer="name", neuron=...)`` with the sign kept
==============================  =============================================================

`LayerActivation`, `LayerGradientXActivation`, `LayerConductance`, `InternalInfluence`, `LayerGradCam`,
`GuidedGradCam` and `NeuronConductance` are methods of their own, not aliases.
"""

import functools
from typing import Any, TypeVar

from captum_lite._function_method import FunctionMethod
from captum_lite._layers import OfLayer
from captum_lite._neurons import OfNeuron
from captum_lite.methods.deep_lift import DeepLift
from captum_lite.methods.deep_lift_shap import DeepLiftShap
from captum_lite.methods.feature_ablation import FeatureAblation
from captum_lite.methods.feature_permutation import FeaturePermutation
from captum_lite.methods.gradient_shap import GradientShap
from captum_lite.methods.guided_backprop import Deconvolution, GuidedBackprop
from captum_lite.methods.integrated_gradients import IntegratedGradients
from captum_lite.methods.lrp import LRP
from captum_lite.methods.saliency import Saliency

M = TypeVar("M", bound=FunctionMethod)


def alias(name: str, method: type[M], **defaults: Any) -> type[M]:
    """``method`` under Captum's name: of a layer for ``Layer...``, of a neuron for ``Neuron...``.

    Args:
      name: the name.
      method: the class; the alias is a subclass, with the same fields and options.
      **defaults: options whose default is another one.
    """
    of, spelling = (
        (OfLayer, "layer='name'") if name.startswith("Layer") else (OfNeuron, "layer='name', neuron=...")
    )
    text = f"Captum's name for ``{method.__name__}(f, {spelling})``; see `{method.__name__}`."
    changed = {"steps": functools.partialmethod(method.steps, **defaults)} if defaults else {}
    return type(name, (of, method), {"__doc__": text, "__module__": __name__, **changed})


LayerDeepLift = alias("LayerDeepLift", DeepLift)
LayerDeepLiftShap = alias("LayerDeepLiftShap", DeepLiftShap)
LayerFeatureAblation = alias("LayerFeatureAblation", FeatureAblation)
LayerFeaturePermutation = alias("LayerFeaturePermutation", FeaturePermutation)
LayerGradientShap = alias("LayerGradientShap", GradientShap)
LayerIntegratedGradients = alias("LayerIntegratedGradients", IntegratedGradients)
LayerLRP = alias("LayerLRP", LRP)

NeuronDeepLift = alias("NeuronDeepLift", DeepLift)
NeuronDeepLiftShap = alias("NeuronDeepLiftShap", DeepLiftShap)
NeuronDeconvolution = alias("NeuronDeconvolution", Deconvolution)
NeuronFeatureAblation = alias("NeuronFeatureAblation", FeatureAblation)
NeuronGradient = alias("NeuronGradient", Saliency, abs=False)
NeuronGradientShap = alias("NeuronGradientShap", GradientShap)
NeuronGuidedBackprop = alias("NeuronGuidedBackprop", GuidedBackprop)
NeuronIntegratedGradients = alias("NeuronIntegratedGradients", IntegratedGradients)

ALIASES: dict[str, type[FunctionMethod]] = {
    k: v for k, v in globals().items() if k.startswith(("Layer", "Neuron")) and v.__module__ == __name__
}
