"""Attribution for any JAX function: no hooks, no module types."""

from captum_lite import _baselines as baselines
from captum_lite import methods
from captum_lite._method import AbstractMethod, GradientMethod
from captum_lite._record import Attribution, IncompleteWarning
from captum_lite.methods import (
    InputXGradient,
    IntegratedGradients,
    NoiseTunnel,
    Saliency,
    SmoothGrad,
    VarGrad,
)

__all__ = [
    "AbstractMethod",
    "Attribution",
    "GradientMethod",
    "IncompleteWarning",
    "InputXGradient",
    "IntegratedGradients",
    "NoiseTunnel",
    "Saliency",
    "SmoothGrad",
    "VarGrad",
    "baselines",
    "methods",
]
