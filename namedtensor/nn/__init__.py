"""Named neural-network functions; activations and softmax are plain operations, `nt.relu`."""

from namedtensor.nn.attention import attention
from namedtensor.nn.batch_norm import batch_norm, moments
from namedtensor.nn.conv import conv
from namedtensor.nn.conv_transpose import conv_transpose
from namedtensor.nn.distances import absolute_error, cosine_similarity, huber, squared_error
from namedtensor.nn.dropout import dropout
from namedtensor.nn.linear import embedding, linear
from namedtensor.nn.losses import binary_cross_entropy, cross_entropy, hinge, kl_divergence, nll
from namedtensor.nn.norm import group_norm, instance_norm, l2_normalize, layer_norm, rms_norm
from namedtensor.nn.pool import avg_pool, max_pool, min_pool
from namedtensor.nn.positions import rope, sinusoidal_positions
from namedtensor.nn.resize import resize

__all__ = [
    "absolute_error",
    "attention",
    "avg_pool",
    "batch_norm",
    "binary_cross_entropy",
    "conv",
    "conv_transpose",
    "cosine_similarity",
    "cross_entropy",
    "dropout",
    "embedding",
    "group_norm",
    "hinge",
    "huber",
    "instance_norm",
    "kl_divergence",
    "l2_normalize",
    "layer_norm",
    "linear",
    "max_pool",
    "min_pool",
    "moments",
    "nll",
    "resize",
    "rms_norm",
    "rope",
    "sinusoidal_positions",
    "squared_error",
]
