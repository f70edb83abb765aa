"""Private functions of one variable, each with the domain and the error that it promises.

Each is a `Piecewise`: tables and lines. `tables` says how a table is evaluated on an opened number,
`bounds` derives the errors, and `tables.apply` computes in the clear, bit for bit, what parties reveal.
"""

from crypten_lite.functions.erf import ERF, ERF_DERIVATIVE, ERFC
from crypten_lite.functions.exp import EXP, EXP_NEGATIVE, EXP_NEGATIVE_COARSE, exp_below, exp_on
from crypten_lite.functions.gelu import GELU, GELU_DERIVATIVE, GELU_TANH, GELU_TANH_DERIVATIVE
from crypten_lite.functions.log import LOG, log_on
from crypten_lite.functions.piecewise import Line, Piece, Piecewise, Segments
from crypten_lite.functions.reciprocal import RECIPROCAL, RECIPROCAL_SIGNED, reciprocal_on
from crypten_lite.functions.rsqrt import RSQRT, rsqrt_on
from crypten_lite.functions.sigmoid import SIGMOID, SIGMOID_DERIVATIVE
from crypten_lite.functions.silu import SILU, SILU_DERIVATIVE
from crypten_lite.functions.softplus import SOFTPLUS
from crypten_lite.functions.sqrt import SQRT, sqrt_on
from crypten_lite.functions.tanh import TANH, TANH_DERIVATIVE

__all__ = [
    "ERF",
    "ERFC",
    "ERF_DERIVATIVE",
    "EXP",
    "EXP_NEGATIVE",
    "EXP_NEGATIVE_COARSE",
    "GELU",
    "GELU_DERIVATIVE",
    "GELU_TANH",
    "GELU_TANH_DERIVATIVE",
    "LOG",
    "RECIPROCAL",
    "RECIPROCAL_SIGNED",
    "RSQRT",
    "SIGMOID",
    "SIGMOID_DERIVATIVE",
    "SILU",
    "SILU_DERIVATIVE",
    "SOFTPLUS",
    "SQRT",
    "TANH",
    "TANH_DERIVATIVE",
    "Line",
    "Piece",
    "Piecewise",
    "Segments",
    "exp_below",
    "exp_on",
    "log_on",
    "reciprocal_on",
    "rsqrt_on",
    "sqrt_on",
]
