"""What shares cannot do, or not cheaply: each refusal says what to write instead."""

from typing import Any

import numpy as np

from crypten_lite.rules.table import refuse, secret_rules
from namedtensor.interpreter import Equation

REFUSED = {
    **dict.fromkeys(
        ("floor", "ceil", "round", "rem"),
        (
            "it depends on every binary place of a secret number",
            "Compare with thresholds, (x > 1).astype(float), or round in public after revealing.",
        ),
    ),
    **dict.fromkeys(
        ("sort", "top_k", "approx_top_k"),
        (
            "where a number would go depends on the secret numbers",
            "Take maxima (jnp.max, jnp.argmax), or reveal and sort in public.",
        ),
    ),
    **dict.fromkeys(
        (
            "bitcast_convert_type",
            "shift_left",
            "shift_right_logical",
            "shift_right_arithmetic",
            "nextafter",
            "clz",
        ),
        ("shares have no floating-point bits", "Write it with arithmetic and comparisons."),
    ),
    **dict.fromkeys(
        ("scatter-mul", "scatter-min", "scatter-max"),
        (
            "only setting and adding at positions have rules",
            "Read, compute and write: x.at[i].set(f(x[i])), or choose with jnp.where and a public mask.",
        ),
    ),
    **dict.fromkeys(
        ("fft",),
        ("complex numbers cannot be shared", "Multiply by the real and imaginary parts of the DFT matrix."),
    ),
    **dict.fromkeys(
        ("pure_callback", "io_callback", "debug_callback", "debug_print"),
        ("a callback would see a secret", "Reveal what it may see, outside of the private function."),
    ),
    **dict.fromkeys(
        ("eigh", "eig", "svd", "qr", "lu", "cholesky", "triangular_solve"),
        (
            "its pivots and iterations depend on the secret numbers",
            "Decompose in public, or write a fixed number of steps (Newton's, or of gradient descent).",
        ),
    ),
}


@secret_rules.register(*REFUSED)
def _(eqn: Equation, *values: Any) -> Any:
    raise refuse(eqn, *REFUSED[eqn.primitive])


@secret_rules.register("is_finite")
def _(eqn: Equation, x: Any) -> Any:
    return np.ones(x.shape, bool)  # NaN and infinity cannot be shared
