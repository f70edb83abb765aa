"""Which line of the user's a call or an error comes from, and what to write there instead."""

import contextlib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import jax

_HERE = Path(__file__).parent
_NOT_THE_USERS = (
    str(Path(jax.__file__).parent),
    *(str(_HERE.parent / package) for package in ("namedtensor", "captum_lite", "crypten_lite")),
)
_MASK = "a mask makes a size secret: keep the shape, jnp.where(mask, x, 0)"
_BRANCH = "who takes a branch sees which: compute both and choose, jnp.where(condition, a, b)"
_INDEX = "indices and sizes are public: read with a one-hot vector, jax.nn.one_hot(i, n) @ x"
_NUMBER = "float(), int() and sizes need it: stay in arrays, or reveal it before"
_ADVICE: dict[type[Exception], str] = {  # special cases before general ones
    jax.errors.NonConcreteBooleanIndexError: _MASK,
    jax.errors.TracerBoolConversionError: _BRANCH,
    jax.errors.TracerIntegerConversionError: _INDEX,
    jax.errors.TracerArrayConversionError: "NumPy computes on numbers: write it with jax.numpy",
    jax.errors.ConcretizationTypeError: _NUMBER,
}


def caller() -> str:
    """The user's line that called into this package: ``model.py:41 (forward)``."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(str(_HERE)):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} ({frame.f_code.co_name})"


@contextlib.contextmanager
def needing_no_numbers() -> Iterator[None]:
    """Let an error of a traced function that asks for numbers say where it does, and what to write there.

    Raises:
      TypeError: in the place of JAX's errors for it.
    """
    try:
        yield
    except (TypeError, IndexError) as error:  # JAX's own are kinds of these
        shape = _INDEX if "Shapes must be 1D sequences of concrete values" in str(error) else None
        advice = next((text for kind, text in _ADVICE.items() if isinstance(error, kind)), shape)
        if advice is None:
            raise
        raise TypeError(
            f"a private function needs a number that it cannot see, at {_line_of(error)}: {advice}.\n"
            "  A public number that decides is part of the function: functools.partial(f, flag=True)."
        ) from error


def _line_of(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    users = [f for f in frames if not f.filename.startswith(_NOT_THE_USERS)]
    return (
        f"{Path(users[-1].filename).name}:{users[-1].lineno} ({users[-1].name})"
        if users
        else "an unknown place"
    )
