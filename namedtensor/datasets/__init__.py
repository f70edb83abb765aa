"""Small real data sets with named dims."""

from namedtensor.datasets import digits

__all__ = ["digits"]
