"""Tokens as they can be seen: what has no shape of its own (a space, a line break, nothing) is given one.

A tokenizer makes tokens that no reader could point at, and some that would change how their neighbours
are drawn: the marks that turn the direction of writing, for one. Each is written so that it is seen, and
stands for itself alone.
"""

import unicodedata
from collections.abc import Sequence

from captum_lite.viz._tokens import Token, shown

EMPTY = "\N{MATHEMATICAL LEFT ANGLE BRACKET}empty\N{MATHEMATICAL RIGHT ANGLE BRACKET}"
_SPACE, _DOTTED = "\N{OPEN BOX}", "\N{DOTTED CIRCLE}"
_JOINERS = "\u200c\u200d"  # between letters they make one shape of two, an emoji of several people


def visible(tokens: Sequence[str]) -> list[Token]:
    """The tokens as they are shown; the marks of sub-words are read as `visualize_text` reads them."""
    return [_visible(raw, token) for raw, token in zip(tokens, shown(tokens), strict=True)]


def _visible(raw: str, token: Token) -> Token:
    if raw == "":
        return token._replace(text=EMPTY, special=True)
    return token._replace(text=_with_shape(token.text))


def _with_shape(text: str) -> str:
    inner = text.strip(" ")
    before, after = (_SPACE * (len(text) - len(s)) for s in (text.lstrip(" "), text.rstrip(" ")))
    if not inner:
        return before
    joins = len(inner) > 2 and inner[0] not in _JOINERS and inner[-1] not in _JOINERS
    letters = "".join(c if joins and c in _JOINERS else _letter(c) for c in inner)
    # an accent alone would sit on the token before it
    lead = _DOTTED if unicodedata.category(inner[0]).startswith("M") else ""
    return before + lead + letters + after


def _letter(c: str) -> str:
    """The character, or for one that draws nothing a name of it."""
    nothing = unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    if nothing or (c.isspace() and c != " "):
        return f"\N{MATHEMATICAL LEFT ANGLE BRACKET}U+{ord(c):04X}\N{MATHEMATICAL RIGHT ANGLE BRACKET}"
    return c


def runs_left(tokens: Sequence[str]) -> bool:
    """Whether a text is read from right to left: what its first letter says, as browsers do."""
    strong = (unicodedata.bidirectional(c) for c in "".join(tokens))
    return next((kind in ("R", "AL") for kind in strong if kind in ("L", "R", "AL")), False)
