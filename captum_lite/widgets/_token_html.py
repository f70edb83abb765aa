"""Attributed tokens as HTML that needs no script: in a saved notebook, in a mail, on a code-hosting site.

Each output is a `<details>` that the browser opens by itself, by mouse and by keys. Where a site takes the
colours away there is still the underline, and the value when a token is pointed at.
"""

import html
from collections.abc import Sequence

import numpy as np

from captum_lite.viz._scale import Scaled, describe, scale_together
from captum_lite.viz._text import tint
from captum_lite.viz._tokens import Token
from captum_lite.widgets._token_matrix import TokenMatrix
from captum_lite.widgets._token_text import runs_left, visible

OPACITY = (
    0.8  # of the tints of `visualize_text`: dark grey text, not only black, has a contrast of 4.5 on them
)
STROKES = (0.1, 0.4, 0.7)  # fractions of the limit from which the underline is 1, 2, 3 pixels thick
_MOST = 5_000  # tokens, of some 200 bytes each: the HTML is saved with the notebook
_WHOLE = "font: 14px/2 system-ui, sans-serif; text-align: left; margin: 0.5em 0 1em; max-width: 60em"
_FAINT = "font-size: 12px; opacity: 0.8"
_BAR = (
    "display: inline-block; width: 9em; height: 0.8em; vertical-align: middle; margin: 0 0.5em; "
    "outline: 1px solid rgba(128, 128, 128, 0.5); background: linear-gradient(to right, "
)


def as_html(
    matrix: TokenMatrix,
    *,
    chosen: int = 0,
    sign: str = "all",
    clip: tuple[str, float] | None = None,
    shared: bool = True,
    threshold: float = 0.0,
    unit: str = "",
) -> str:
    """The chosen output open, the others closed; arguments as the traits of `TokenView`."""
    rows = scaled_rows(matrix, sign, clip, shared)
    inputs, left = visible(matrix.inputs), runs_left(matrix.inputs)
    names = visible(matrix.outputs or ())
    shown = _affordable(len(matrix.values), len(inputs), chosen)
    alone = shared or len(rows) == 1
    parts = [_legend(rows[chosen], unit, threshold, "" if len(rows) == 1 else "all" if shared else "each")]
    for i in shown:
        words = _line(inputs, matrix.values[i], rows[i], threshold, unit, left)
        end = "" if alone else f", colours end at {_number(rows[i].limit, unit).lstrip('+')}"
        if matrix.outputs is None:
            parts.append(words)
        else:
            note = f"sum {_number(float(matrix.values[i].sum()))}{end}"
            parts.append(_output(i, names[i].text, note, words, i == chosen))
    if len(shown) < len(rows):
        rest = len(rows) - len(shown)
        parts.append(f"<div style='{_FAINT}'>and {rest} more outputs, which only the widget shows</div>")
    return f"<div style='{_WHOLE}'>{''.join(parts)}</div>"


def scaled_rows(matrix: TokenMatrix, sign: str, clip: tuple[str, float] | None, shared: bool) -> list[Scaled]:
    """Each output's attributions on its scale."""
    rows = [row[None] for row in matrix.values]
    if shared:
        return scale_together(rows, sign=sign, clip=clip)
    return [scale_together([row], sign=sign, clip=clip)[0] for row in rows]


def _affordable(outputs: int, inputs: int, chosen: int) -> Sequence[int]:
    """The outputs that are written, those around the chosen one."""
    most = max(1, min(outputs, _MOST // inputs))
    first = min(max(0, chosen - most // 2), outputs - most)
    return range(first, first + most)


def _output(i: int, name: str, note: str, words: str, is_open: bool) -> str:
    head = f"output {i}: <b><bdi>{_escaped(name)}</bdi></b> <span style='{_FAINT}'>{note}</span>"
    return f"<details{' open' if is_open else ''}><summary>{head}</summary>{words}</details>"


def _line(
    tokens: list[Token], values: np.ndarray, scaled: Scaled, threshold: float, unit: str, left: bool
) -> str:
    each = zip(tokens, values, scaled.values[0], strict=True)
    words = "".join(_word(t, float(v), float(f), scaled.sign, threshold, unit) for t, v, f in each)
    direction = " dir='rtl' align='right'" if left else ""
    return (
        f"<p{direction} style='margin: 0 0 0.5em; white-space: pre-wrap; overflow-wrap: anywhere'>{words}</p>"
    )


def _word(token: Token, value: float, fraction: float, sign: str, threshold: float, unit: str) -> str:
    seen = 0.0 if abs(fraction) < threshold else fraction
    text = f"<bdi>{_escaped(token.text)}</bdi>"
    if thick := sum(abs(seen) >= least for least in STROKES):
        dashes = "dashed" if seen < 0 or sign == "negative" else "solid"
        text = (
            f"<u style='text-decoration: underline {dashes} {thick}px; text-underline-offset: 3px'>{text}</u>"
        )
    style = f"background: {tint(OPACITY * seen, sign)}; padding: 2px 1px; border-radius: 2px"
    faint = "; font-size: 11px" if token.special else ""
    said = _escaped(f"{token.text} {_number(value, unit)}")
    return f"{' ' if token.space else ''}<span title='{said}' style='{style}{faint}'>{text}</span>"


def _legend(scaled: Scaled, unit: str, threshold: float, scale: str) -> str:
    low, high = scaled.ends
    quantity, rule = describe(scaled, unit or None)
    stops = ", ".join(tint(OPACITY * end / high, scaled.sign) for end in (low, 0.0, high))
    empty = "" if scaled.limit else ", all zero"
    said = [
        rule,
        {"": "", "all": "one scale for all outputs", "each": "this is the open output's scale"}[scale],
    ]
    said.append(f"no colour below {threshold:.0%} of the end" if threshold else "")
    line = (
        f"{_escaped(quantity)}{empty}: {_number(low)}<span style='{_BAR}{stops})'></span>{_number(high)} "
        f"({_escaped('; '.join(filter(None, said)))}). {_underlines(scaled.sign)}"
    )
    return f"<div style='{_FAINT}'>{line}</div>"


def _underlines(sign: str) -> str:
    """What the underline says."""
    return "Thicker underline: larger; dashed: against." if sign == "all" else "Thicker underline: larger."


def _number(value: float, unit: str = "") -> str:
    text = f"{value:+.3g}" if value else "0"
    return text.replace("-", "\N{MINUS SIGN}") + (f" {unit}" if unit else "")


def _escaped(text: str) -> str:
    return html.escape(text, quote=True)
