"""Metrics: how good explanations are, by what they promise, predict and find."""

from captum_lite.metrics.completeness import Completeness, completeness
from captum_lite.metrics.deletion import Curve, deletion, insertion
from captum_lite.metrics.infidelity import infidelity
from captum_lite.metrics.perturbations import (
    GaussianNoise,
    NoisyBaseline,
    Perturbation,
    RandomSubset,
    SquareRemoval,
    infidelity_perturb_func_decorator,
)
from captum_lite.metrics.pointing_game import (
    energy_pointing_game,
    pointing_game,
    relevance_mass,
    relevance_rank,
)
from captum_lite.metrics.randomization import Randomization, parameter_randomization
from captum_lite.metrics.sensitivity import sensitivity_max
from captum_lite.metrics.similarity import spearman, ssim

__all__ = [
    "Completeness",
    "Curve",
    "GaussianNoise",
    "NoisyBaseline",
    "Perturbation",
    "RandomSubset",
    "Randomization",
    "SquareRemoval",
    "completeness",
    "deletion",
    "energy_pointing_game",
    "infidelity",
    "infidelity_perturb_func_decorator",
    "insertion",
    "parameter_randomization",
    "pointing_game",
    "relevance_mass",
    "relevance_rank",
    "sensitivity_max",
    "spearman",
    "ssim",
]
