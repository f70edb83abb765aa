"""The attribution methods, one a file; `METHODS` is the one place where they are registered."""

import difflib
from collections.abc import Callable

from captum_lite._method import AbstractMethod
from captum_lite.methods.input_x_gradient import InputXGradient
from captum_lite.methods.integrated_gradients import IntegratedGradients
from captum_lite.methods.noise_tunnel import NoiseTunnel
from captum_lite.methods.saliency import Saliency
from captum_lite.methods.smooth_grad import SmoothGrad, VarGrad

# methods of a function, by the name under which widgets and the command line offer them
METHODS: dict[str, Callable[..., AbstractMethod]] = {
    "saliency": Saliency,
    "input x gradient": InputXGradient,
    "integrated gradients": IntegratedGradients,
    "SmoothGrad": SmoothGrad,
    "VarGrad": VarGrad,
}


def find(name: str) -> Callable[..., AbstractMethod]:
    """The method of this name (case, spaces, ``_`` and ``-`` do not matter).

    Raises:
      ValueError: there is none; the message lists them.
    """

    def plain(text: str) -> str:
        return "".join(c for c in text.lower() if c.isalnum())

    known = {plain(k): v for k, v in METHODS.items()}
    if plain(name) in known:
        return known[plain(name)]
    close = difflib.get_close_matches(plain(name), known, n=1)
    hint = f" Did you mean {list(METHODS)[list(known).index(close[0])]!r}?" if close else ""
    raise ValueError(f"there is no method {name!r}; there are: {', '.join(METHODS)}.{hint}")


__all__ = [
    "METHODS",
    "InputXGradient",
    "IntegratedGradients",
    "NoiseTunnel",
    "Saliency",
    "SmoothGrad",
    "VarGrad",
    "find",
]
