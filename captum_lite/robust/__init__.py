"""Robustness: attacks on a function, and the smallest one that changes what it says."""

from captum_lite.robust.fgsm import FGSM
from captum_lite.robust.minimal_perturbation import MinimalPerturbation, minimal_perturbation
from captum_lite.robust.pgd import PGD

__all__ = ["FGSM", "PGD", "MinimalPerturbation", "minimal_perturbation"]
