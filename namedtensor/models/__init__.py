"""Small real models, as pure functions and dicts of named parameters."""

from namedtensor.models import digits_cnn

__all__ = ["digits_cnn"]
