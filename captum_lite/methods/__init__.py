"""The attribution methods, one a file; `METHODS` is the one place where they are registered."""

import difflib
from collections.abc import Callable

from captum_lite._method import AbstractMethod
from captum_lite.methods.blur_ig import BlurIG
from captum_lite.methods.deep_lift import DeepLift
from captum_lite.methods.deep_lift_shap import DeepLiftShap
from captum_lite.methods.feature_ablation import FeatureAblation
from captum_lite.methods.feature_permutation import FeaturePermutation
from captum_lite.methods.gradient_shap import ExpectedGradients, GradientShap
from captum_lite.methods.guided_backprop import Deconvolution, GuidedBackprop
from captum_lite.methods.guided_grad_cam import GuidedGradCam
from captum_lite.methods.guided_ig import GuidedIG
from captum_lite.methods.input_x_gradient import InputXGradient
from captum_lite.methods.integrated_gradients import IntegratedGradients
from captum_lite.methods.internal_influence import InternalInfluence
from captum_lite.methods.kernel_shap import KernelShap
from captum_lite.methods.layer_activation import LayerActivation, LayerGradientXActivation
from captum_lite.methods.layer_conductance import LayerConductance
from captum_lite.methods.layer_grad_cam import LayerGradCam
from captum_lite.methods.lime import Lime
from captum_lite.methods.lrp import LRP
from captum_lite.methods.neuron_conductance import NeuronConductance
from captum_lite.methods.noise_tunnel import NoiseTunnel
from captum_lite.methods.occlusion import Occlusion
from captum_lite.methods.saliency import Saliency
from captum_lite.methods.shapley_value_sampling import ShapleyValueSampling
from captum_lite.methods.shapley_values import ShapleyValues
from captum_lite.methods.smooth_grad import SmoothGrad, VarGrad
from captum_lite.methods.xrai import XRAI

# methods of a function, by the name under which widgets and the command line offer them
METHODS: dict[str, Callable[..., AbstractMethod]] = {
    "saliency": Saliency,
    "input x gradient": InputXGradient,
    "integrated gradients": IntegratedGradients,
    "guided IG": GuidedIG,
    "DeepLift": DeepLift,
    "LRP": LRP,
    "guided backprop": GuidedBackprop,
    "deconvolution": Deconvolution,
    "SmoothGrad": SmoothGrad,
    "VarGrad": VarGrad,
    "feature ablation": FeatureAblation,
    "occlusion": Occlusion,
    "Shapley values": ShapleyValues,
    "Shapley value sampling": ShapleyValueSampling,
    "KernelShap": KernelShap,
    "LIME": Lime,
}

# those of images alone, which need to know their height and width
IMAGE_METHODS: dict[str, Callable[..., AbstractMethod]] = {"BlurIG": BlurIG, "XRAI": XRAI}


def find(name: str) -> Callable[..., AbstractMethod]:
    """The method of this name (case, spaces, ``_`` and ``-`` do not matter).

    Raises:
      ValueError: there is none; the message lists them.
    """

    def plain(text: str) -> str:
        return "".join(c for c in text.lower() if c.isalnum())

    every = METHODS | IMAGE_METHODS
    known = {plain(k): v for k, v in every.items()}
    if plain(name) in known:
        return known[plain(name)]
    close = difflib.get_close_matches(plain(name), known, n=1)
    hint = f" Did you mean {list(every)[list(known).index(close[0])]!r}?" if close else ""
    raise ValueError(f"there is no method {name!r}; there are: {', '.join(every)}.{hint}")


__all__ = [
    "IMAGE_METHODS",
    "LRP",
    "METHODS",
    "XRAI",
    "BlurIG",
    "Deconvolution",
    "DeepLift",
    "DeepLiftShap",
    "ExpectedGradients",
    "FeatureAblation",
    "FeaturePermutation",
    "GradientShap",
    "GuidedBackprop",
    "GuidedGradCam",
    "GuidedIG",
    "InputXGradient",
    "IntegratedGradients",
    "InternalInfluence",
    "KernelShap",
    "LayerActivation",
    "LayerConductance",
    "LayerGradCam",
    "LayerGradientXActivation",
    "Lime",
    "NeuronConductance",
    "NoiseTunnel",
    "Occlusion",
    "Saliency",
    "ShapleyValueSampling",
    "ShapleyValues",
    "SmoothGrad",
    "VarGrad",
    "find",
]
