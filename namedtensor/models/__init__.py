"""Small real models, as pure functions and pytrees of named parameters."""

from namedtensor.models import digits_cnn, minilm, photo_cnn, planted_cnn, resnet18, transformer

__all__ = ["digits_cnn", "minilm", "photo_cnn", "planted_cnn", "resnet18", "transformer"]
