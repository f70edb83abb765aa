"""Attributions of text: each token on a colour, in HTML or as plain lines.

The colours are those of the signed maps: red is for, blue against. They are laid over the page as a
tint that leaves the page's own text legible, on white paper and on a dark screen alike.
"""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from captum_lite.viz._inputs import Named, features_of, only, values_of
from captum_lite.viz._scale import Clip, Scaled, describe, scale_together
from captum_lite.viz._tokens import Token, shown

# the ends of RdBu_r; at most this opaque, black and white text have a contrast of 4.5 on them
_POSITIVE, _NEGATIVE, _OPAQUE = "178, 24, 43", "33, 102, 172", 0.75
_TINTS = {"all": (_NEGATIVE, _POSITIVE), "positive": (None, _POSITIVE), "negative": (None, _NEGATIVE)}
_NEUTRAL = "118, 42, 131"  # magnitudes have no side
_BAR = 20  # characters of the longest bar in plain text
_TOKEN_DIMS = ("token", "seq", "sequence", "position", "word", "time")


@dataclass
class VisualizationDataRecord:
    """A row of `visualize_text`, with Captum's names and order.

    Attributes:
      word_attributions: one number for each token.
      pred_prob: the probability of the predicted class.
      pred_class: the predicted class.
      true_class: the true class.
      attr_class: the class that is explained.
      attr_score: the sum of the attributions.
      raw_input_ids: the tokens, as text.
      convergence_score: the completeness gap.
    """

    word_attributions: Any
    pred_prob: Any
    pred_class: Any
    true_class: Any
    attr_class: Any
    attr_score: Any
    raw_input_ids: Sequence[str]
    convergence_score: Any


@dataclass(frozen=True, eq=False)
class Line:
    """One text with its attributions.

    Attributes:
      tokens: as they are shown.
      attributions: one number for each.
      scaled: the same on the scale that all lines share.
      cells: what stands beside it: the name of a column -> text.
    """

    tokens: list[Token]
    attributions: np.ndarray
    scaled: Scaled
    cells: dict[str, str]


@dataclass(frozen=True, eq=False)
class Text:
    """Attributed texts: show them in a notebook, ``print`` them, or ``save`` them.

    Attributes:
      lines: one a text, all on one scale.
      html: as HTML.
      legend: whether the colours are explained.
      units: of the attributions.
    """

    lines: tuple[Line, ...]
    legend: bool = True
    units: str | None = None

    @property
    def html(self) -> str:
        """The table as HTML; it takes text colour and background from the page around it."""
        columns = list(dict.fromkeys(name for line in self.lines for name in line.cells))
        names = "".join(
            f"<th style='{_CELL}; {_FAINT}; font-weight: normal'>{_escaped(c)}</th>" for c in (*columns, "")
        )
        head = f"<thead><tr style='background: none'>{names}</tr></thead>" if columns else ""
        rows = "".join(_row(line, columns) for line in self.lines)
        key = _legend(self.lines[0].scaled, self.units) if self.legend else ""
        return f"<div style='{_WHOLE}'>{key}<table style='{_TABLE}'>{head}<tbody>{rows}</tbody></table></div>"

    def _repr_html_(self) -> str:
        return self.html

    def __str__(self) -> str:
        return "\n\n".join(_plain(line) for line in self.lines)

    def save(self, path: str | Path) -> None:
        """Write an ``.html`` page, or plain text under any other ending."""
        path = Path(path)
        page = f"{_PAGE}{self.html}\n" if path.suffix in (".html", ".htm") else f"{self}\n"
        path.write_text(page, encoding="utf-8")


def visualize_text(
    datarecords: Any,
    tokens: Sequence[Any] | None = None,
    legend: bool = True,
    *,
    sign: str = "all",
    clip: Clip = None,
    limit: float | None = None,
    dim: str | None = None,
    units: str | None = None,
) -> Text:
    """Draw attributions of texts: each token on a colour.

    All texts share one scale, whose end stands in the legend: equal colours mean equal attributions.

    Args:
      datarecords: `VisualizationDataRecord`s as Captum's (one or several); or an attribution record or a
        tensor, of one number a token or of more, which are summed (the embedding). A record and a named
        tensor may hold a batch; an array is ``[token]`` or ``[token, ...]``.
      tokens: for a record or a tensor, its tokens as text: a list, or one for each example of the batch.
        The marks of sub-words (``##ing``, ``▁the``, ``Ġthe``, ``the</w>``) are understood.
      legend: whether the colours are explained.
      sign: "all", "positive", "negative" or "absolute_value", as in `show`.
      clip: where the colours end, as in `show`; None is the largest magnitude.
      limit: the attribution at the end of the colours, instead of ``clip``; 1.0 draws as Captum does.
      dim: the dim of the tokens, for named tensors; by default the one called "token", "seq", "sequence",
        "position", "word" or "time", or the only one.
      units: of the attributions, "logit" say.

    Returns:
      The texts, which show themselves in a notebook; ``print`` gives plain text, ``save`` writes a file.

    Examples:
      >>> import numpy as np
      >>> text = visualize_text(np.array([0.5, -1.0, 0.25]), ["not", "bad", "!"])
      >>> print(text)
      not  +0.5   ++++++++++
      bad  -1     --------------------
      !    +0.25  +++++
    """
    rows = list(_rows(datarecords, tokens, dim))
    if not rows:
        raise ValueError("visualize_text needs a record: there are none.")
    scaled = scale_together([values[None] for _, values, _ in rows], sign=sign, clip=clip, limit=limit)
    lines = (Line(shown(t), v, s, c) for (t, v, c), s in zip(rows, scaled, strict=True))
    return Text(tuple(lines), legend, units)


Row = tuple[list[str], np.ndarray, dict[str, str]]


def _rows(source: Any, tokens: Any, dim: str | None) -> Iterable[Row]:
    """Tokens, attributions and cells of each text."""
    if hasattr(source, "word_attributions"):
        source = [source]
    if isinstance(source, (list, tuple)) and all(hasattr(r, "word_attributions") for r in source):
        return [_of_captums(record, i) for i, record in enumerate(source)]
    if tokens is None:
        raise ValueError("visualize_text needs the tokens of an attribution: visualize_text(attr, tokens).")
    return _of_attributions(source, tokens, dim)


def _of_captums(record: Any, i: int) -> Row:
    what = f"datarecords[{i}]"
    values = values_of(record.word_attributions, f"{what}.word_attributions", ("token",))[0]
    tokens = _checked_tokens(record.raw_input_ids, len(values), what, may_be_fewer=True)
    prediction = f"{_number(record.pred_class)} ({_number(record.pred_prob, 2)})"
    cells = {
        "true": _number(record.true_class),
        "predicted": prediction,
        "explained": _number(record.attr_class),
        "sum": _number(record.attr_score, 2),
    }
    return tokens, values[: len(tokens)], cells


def _of_attributions(source: Any, tokens: Any, dim: str | None) -> Iterable[Row]:
    record = source if hasattr(source, "attributions") else None
    attr = only(source.attributions, "attributions") if record is not None else source
    values, dims = values_of(attr, "attributions", None, batched=record is not None)
    axis = _token_axis(dims, dim, values.shape)
    batch = dims.index("batch") if "batch" in dims else None
    rest = tuple(i for i in range(values.ndim) if i not in (axis, batch))
    if record is not None:
        values = Named(values, dims, features_of(record, dims)).once(rest)
    by_example = values.sum(axis=rest) if batch is None or batch < axis else values.sum(axis=rest).T
    if batch is None:
        by_example, texts = by_example[None], [tokens]
    else:
        texts = [tokens] if tokens and isinstance(tokens[0], str) else list(tokens)
    if len(texts) != len(by_example):
        raise ValueError(f"there are {len(by_example)} examples and the tokens of {len(texts)}.")
    for i, (text, row) in enumerate(zip(texts, by_example, strict=True)):
        number = {"example": str(i)} if len(texts) > 1 else {}
        cells = {} if record is None else _cells(record, i)
        yield _checked_tokens(text, len(row), f"example {i}"), row, number | cells


def _token_axis(dims: tuple[str, ...], dim: str | None, shape: tuple[int, ...]) -> int:
    candidates = [d for d in dims if d != "batch"]
    if dim is not None and dim in candidates:
        return dims.index(dim)
    known = [d for d in candidates if d in _TOKEN_DIMS]
    if dim is None and len(known) == 1:
        return dims.index(known[0])
    if dim is None and len(candidates) == 1:
        return dims.index(candidates[0])
    listed = ", ".join(f"{d}:{n}" for d, n in zip(dims, shape, strict=True))
    asked = f"no dim {dim!r}" if dim is not None else "several dims that may be those of the tokens"
    raise ValueError(f"the attributions are [{listed}], with {asked}: give dim=, one of {candidates}.")


def _checked_tokens(tokens: Any, count: int, what: str, *, may_be_fewer: bool = False) -> list[str]:
    tokens = list(tokens)
    for token in tokens:
        if not isinstance(token, str):
            raise TypeError(
                f"the tokens of {what} hold {token!r}: give their text, "
                "tokenizer.convert_ids_to_tokens(ids) say."
            )
    if len(tokens) > count or (len(tokens) < count and not may_be_fewer) or not tokens:
        raise ValueError(f"{what} has {len(tokens)} tokens and {count} attributions: one for each.")
    return tokens


def _cells(record: Any, i: int) -> dict[str, str]:
    """What a record knows of one example."""
    named = {
        "prediction": getattr(record, "prediction", None),
        "at baseline": getattr(record, "baseline_prediction", None),
        "gap": getattr(record, "gap", None),
    }
    return {name: _number(np.asarray(v)[i], 3) for name, v in named.items() if v is not None}


def _number(value: Any, digits: int | None = None) -> str:
    if digits is None or isinstance(value, str):
        return str(value)
    return f"{float(value):.{digits}g}".replace("-", "\N{MINUS SIGN}")


# HTML ------------------------------------------------------------------------------------------------

_WHOLE = "font: 14px/2 system-ui, sans-serif; text-align: left; margin: 0.5em 0 1em"
# a table inherits neither font nor colour in old pages, and notebooks style their tables
_TABLE = "font: inherit; color: inherit; border-collapse: collapse; border: none; margin: 0"
_LINE = "background: none; border: none; border-top: 1px solid rgba(128, 128, 128, 0.3)"
_CELL = (
    "text-align: left; vertical-align: baseline; padding: 3px 1.4em 3px 0; border: none; white-space: nowrap"
)
_FAINT = "font-size: 12px; color: rgb(118, 118, 118)"  # a contrast of 4.5 on white and on black
_PAGE = (
    '<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
    "<title>attributions</title>\n"
)


def _row(line: Line, columns: list[str]) -> str:
    beside = "".join(f"<td style='{_CELL}'>{_escaped(line.cells.get(name, ''))}</td>" for name in columns)
    fractions = line.scaled.values[0]
    whole = zip(line.tokens, line.attributions, fractions, strict=True)
    words = "".join(_word(*each, line.scaled.sign) for each in whole)
    text_cell = _CELL.replace("nowrap", "normal")
    return f"<tr style='{_LINE}'>{beside}<td style='{text_cell}'>{words}</td></tr>"


def _word(token: Token, attribution: float, fraction: float, sign: str) -> str:
    """A token on its tint; what it is attributed shows when it is pointed at."""
    faint = "; font-size: 11px" if token.special else ""
    style = f"background: {tint(fraction, sign)}; color: inherit; padding: 2px 1px; border-radius: 2px{faint}"
    label = f"{token.text} {attribution:+.4g}"
    space = " " if token.space else ""
    return f"{space}<mark style='{style}' title='{_escaped(label)}'>{_escaped(token.text)}</mark>"


def tint(fraction: float, sign: str = "all") -> str:
    """The CSS colour of a fraction of the limit, -1 to 1: the more opaque the larger."""
    below, above = _TINTS.get(sign, (None, _NEUTRAL))
    colour = above if fraction >= 0 or below is None else below
    return f"rgba({colour}, {_OPAQUE * min(abs(float(fraction)), 1.0):.3f})"


def _legend(scaled: Scaled, units: str | None) -> str:
    low, high = scaled.ends
    quantity, rule = describe(scaled, units)
    ends = [low, 0.0, high] if scaled.signed else [0.0, high]
    stops = ", ".join(tint(end / (high or 1.0), scaled.sign) for end in ends)
    bar = (
        f"<span style='display: inline-block; width: 9em; height: 0.8em; vertical-align: middle; "
        f"margin: 0 0.5em; outline: 1px solid rgba(128, 128, 128, 0.5); "
        f"background: linear-gradient(to right, {stops})'></span>"
    )
    empty = "" if scaled.limit else ": all zero"
    first, last = (_tick(end) for end in (ends[0], ends[-1]))
    return f"<div style='{_FAINT}'>{_escaped(quantity)}{empty}: {first}{bar}{last} ({_escaped(rule)})</div>"


def _tick(value: float) -> str:
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")


def _escaped(text: Any) -> str:
    return html.escape(str(text), quote=True)


# plain text ------------------------------------------------------------------------------------------


def _plain(line: Line) -> str:
    """One token a line, with its attribution and a bar of its sign."""
    numbers = [f"{value:+.3g}" for value in line.attributions]
    words = [token.text for token in line.tokens]
    left, middle = max(map(len, words)), max(map(len, numbers))
    head = [", ".join(f"{k} {v}".strip() for k, v in line.cells.items())] if line.cells else []
    body = zip(words, numbers, line.scaled.values[0], line.attributions, strict=True)
    return "\n".join(
        [
            *head,
            *(f"{w:<{left}}  {n:<{middle}}  {_stroke(f, a)}".rstrip() for w, n, f, a in body),
        ]
    )


def _stroke(fraction: float, attribution: float) -> str:
    return ("-" if attribution < 0 else "+") * round(_BAR * abs(float(fraction)))
