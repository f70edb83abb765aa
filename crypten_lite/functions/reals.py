"""The functions themselves, of float64 arrays: what the dealer fits, and what errors are measured against."""

import numpy as np


def erf(x: np.ndarray) -> np.ndarray:
    """``2 / sqrt(pi) * integral of exp(-t ** 2) from 0 to x``."""
    from scipy.special import erf as scipy_erf  # with JAX; 0.1 s, needed for this alone

    return scipy_erf(x)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """``1 / (1 + exp(-x))``, without overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def normal(x: np.ndarray) -> np.ndarray:
    """The density of the standard normal distribution."""
    return np.exp(-0.5 * np.square(x)) / np.sqrt(2 * np.pi)


def normal_below(x: np.ndarray) -> np.ndarray:
    """The standard normal distribution: the probability of less than ``x``."""
    return 0.5 + 0.5 * erf(x / np.sqrt(2))
