"""Named neural-network functions; activations and softmax are plain operations too, `nt.relu`."""

from namedtensor.nn.activations import (
    celu,
    elu,
    expit,
    gelu,
    glu,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    hard_tanh,
    identity,
    leaky_relu,
    log1mexp,
    log_sigmoid,
    logistic,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_sign,
    softplus,
    sparse_plus,
    sparse_sigmoid,
    squareplus,
    swish,
)
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
from namedtensor.ops.along import log_softmax, softmax
from namedtensor.ops.elementwise import tanh

__all__ = [
    "absolute_error",
    "attention",
    "avg_pool",
    "batch_norm",
    "binary_cross_entropy",
    "celu",
    "conv",
    "conv_transpose",
    "cosine_similarity",
    "cross_entropy",
    "dropout",
    "elu",
    "embedding",
    "expit",
    "gelu",
    "glu",
    "group_norm",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "hinge",
    "huber",
    "identity",
    "instance_norm",
    "kl_divergence",
    "l2_normalize",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log1mexp",
    "log_sigmoid",
    "log_softmax",
    "logistic",
    "max_pool",
    "min_pool",
    "mish",
    "moments",
    "nll",
    "relu",
    "relu6",
    "resize",
    "rms_norm",
    "rope",
    "selu",
    "sigmoid",
    "silu",
    "sinusoidal_positions",
    "soft_sign",
    "softmax",
    "softplus",
    "sparse_plus",
    "sparse_sigmoid",
    "squared_error",
    "squareplus",
    "swish",
    "tanh",
]
