"""Small data sets with named dims: real ones, and generated ones with a known answer."""

from namedtensor.datasets import digits, photographs, planted

__all__ = ["digits", "photographs", "planted"]
