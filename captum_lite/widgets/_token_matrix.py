"""What `TokenView` is given, as a matrix of outputs by inputs with a token for each, checked once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from captum_lite.viz._inputs import Named, features_of, only, values_of
from captum_lite.viz._text import _TOKEN_DIMS

OUTPUT, INPUTS = "output", ("input", *_TOKEN_DIMS, "pos")


@dataclass(frozen=True, eq=False)
class TokenMatrix:
    """Attributions of outputs to the tokens of an input.

    Attributes:
      values: ``[output, input]``.
      inputs: the tokens.
      outputs: what was asked about; None for one question, whose name nobody needs.
    """

    values: np.ndarray = field(repr=False)
    inputs: tuple[str, ...]
    outputs: tuple[str, ...] | None


def token_matrix(
    attributions: Any,
    tokens: Any,
    outputs: Sequence[str] | None,
    input_dim: str | None,
    output_dim: str | None,
) -> TokenMatrix:
    """The checked matrix; arguments and errors are those of `TokenView`."""
    read = _read(attributions)
    values, dims = read.array, read.dims
    across = _input_axis(dims, values.shape, input_dim, output_dim)
    down = _output_axis(dims, values.shape, output_dim, across)
    if outputs is not None and down is None and len(list(outputs)) != 1:
        raise ValueError(
            f"the attributions are [{_listed(dims, values.shape)}], of one output, and there are names of "
            f"{len(list(outputs))}: leave outputs= out, or say which dim they are, output_dim=."
        )
    kept = [a for a in (down, across) if a is not None]
    rest = tuple(k for k in range(values.ndim) if k not in kept)
    moved = np.moveaxis(read.once(rest), kept, range(len(kept)))
    matrix = moved.sum(axis=tuple(range(len(kept), len(kept) + len(rest))))
    one_question = outputs is None and down is None
    count, dim = (1, OUTPUT) if down is None else (values.shape[down], dims[down])
    names = None if one_question else _names(outputs, count, f"outputs ({dim})")
    inputs = _names(tokens, values.shape[across], f"inputs ({dims[across]})")
    return TokenMatrix(np.atleast_2d(matrix), inputs, names)


def _read(source: Any) -> Named:
    """Finite values, the names of their axes, and the features of a record; a batch of one is no axis."""
    given, record = source, hasattr(source, "attributions")
    source = only(source.attributions, "attributions") if record else source
    named = hasattr(source, "dims")
    lead = ("batch", "input") if record else ("input",) if np.ndim(source) < 2 else (OUTPUT, "input")
    rest = tuple(f"axis {k}" for k in range(len(lead), 0 if named else np.ndim(source)))
    values, dims = values_of(source, "attributions", None if named else (*lead, *rest))
    features = features_of(given, dims) if record else None
    if "batch" in dims and values.shape[dims.index("batch")] == 1:
        batch = dims.index("batch")
        values, features = values.squeeze(batch), None if features is None else features.squeeze(batch)
        dims = tuple(d for d in dims if d != "batch")
    return Named(values, dims, features)


def _input_axis(dims: tuple[str, ...], shape: tuple[int, ...], asked: str | None, output: str | None) -> int:
    there = [d for d in dims if d not in (output, OUTPUT if output is None else output)]
    known = [asked] if asked is not None else [d for d in there if d in INPUTS] or there
    if len(known) != 1 or known[0] not in there:
        raise ValueError(
            f"the attributions are [{_listed(dims, shape)}]: say which dim the tokens are, input_dim=, one "
            f"of {there}."
        )
    return dims.index(known[0])


def _output_axis(dims: tuple[str, ...], shape: tuple[int, ...], asked: str | None, across: int) -> int | None:
    there = [d for k, d in enumerate(dims) if k != across]
    if asked is None and "batch" in there:
        raise ValueError(
            f"the attributions are [{_listed(dims, shape)}], a batch: select one example, .isel(batch=0) or "
            "record.example(0); or, where each row explains another output, say output_dim='batch'."
        )
    if asked is not None and asked not in there:
        raise ValueError(
            f"the attributions are [{_listed(dims, shape)}], without {asked!r} beside the tokens "
            f"({dims[across]}): give output_dim=, one of {there}, or leave it out."
        )
    wanted = OUTPUT if asked is None else asked
    return dims.index(wanted) if wanted in there else None


def _names(tokens: Any, count: int, what: str) -> tuple[str, ...]:
    if tokens is None:
        return tuple(map(str, range(count)))
    if isinstance(tokens, str):
        raise TypeError(f"the {what} are the text {tokens!r}: give a list of its tokens.")
    names: Sequence[Any] = list(tokens)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(
                f"the {what} hold {name!r}: give their text, tokenizer.convert_ids_to_tokens(ids) say."
            )
    if len(names) != count:
        raise ValueError(f"there are {len(names)} tokens for {count} {what}: give one for each.")
    return tuple(names)


def _listed(dims: tuple[str, ...], shape: tuple[int, ...]) -> str:
    return ", ".join(f"{d}:{n}" for d, n in zip(dims, shape, strict=True))
