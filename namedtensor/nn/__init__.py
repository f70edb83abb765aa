"""Named neural-network functions; activations and softmax are plain operations, `nt.relu`."""

from namedtensor.nn.conv import conv
from namedtensor.nn.losses import cross_entropy
from namedtensor.nn.pool import avg_pool, max_pool

__all__ = ["avg_pool", "conv", "cross_entropy", "max_pool"]
