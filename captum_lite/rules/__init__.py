"""Rule tables of the attribution methods, for the interpreter of `namedtensor`, and the rules of LRP."""

from captum_lite.rules.composites import (
    Composite,
    EpsilonAlpha2Beta1,
    EpsilonAlpha2Beta1Flat,
    EpsilonGammaBox,
    EpsilonPlus,
    EpsilonPlusFlat,
)
from captum_lite.rules.lrp_linear import (
    Alpha1Beta0,
    AlphaBeta,
    Epsilon,
    Flat,
    Gamma,
    GeneralizedGamma,
    Pass,
    Rule,
    WSquare,
    ZBox,
    ZPlus,
)

__all__ = [
    "Alpha1Beta0",
    "AlphaBeta",
    "Composite",
    "Epsilon",
    "EpsilonAlpha2Beta1",
    "EpsilonAlpha2Beta1Flat",
    "EpsilonGammaBox",
    "EpsilonPlus",
    "EpsilonPlusFlat",
    "Flat",
    "Gamma",
    "GeneralizedGamma",
    "Pass",
    "Rule",
    "WSquare",
    "ZBox",
    "ZPlus",
]
