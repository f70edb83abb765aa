"""How the tokens of a tokenizer are written as text again: what is a word, and what the rest of one.

Tokenizers mark the beginning of a word (``▁the`` of SentencePiece, ``Ġthe`` of byte-level BPE), its
continuation (``##ing`` of WordPiece) or its end (``the</w>``). The marks are not shown; they say where a
space stands.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

_BEGINS = ("\u2581", "\u0120")  # SentencePiece, byte-level BPE
_CONTINUES, _ENDS = "##", "</w>"
_BREAK = {"\u010a": "\u21b5", "\n": "\u21b5", "\t": "\u21e5", "\u0109": "\u21e5"}
_SPECIAL = re.compile(r"<[^<>]+>|\[[A-Z][A-Z0-9_]*\]|<\|.*\|>")  # <s>, [CLS], <|endoftext|>


class Token(NamedTuple):
    """A token as it is shown.

    Attributes:
      text: without the marks of its tokenizer.
      space: whether a space stands before it.
      special: whether it stands for no text: ``[CLS]``.
    """

    text: str
    space: bool
    special: bool


def shown(tokens: Sequence[str]) -> list[Token]:
    """The tokens as they are shown; without any marks, each is a word."""
    marked = any(t.startswith(_BEGINS) for t in tokens)
    ended = any(t.endswith(_ENDS) for t in tokens)
    out: list[Token] = []
    after_end = True
    for i, token in enumerate(tokens):
        special = bool(_SPECIAL.fullmatch(token)) and token != _ENDS
        if special:
            space = True
        elif ended:
            space = after_end
        elif marked:
            space = token.startswith(_BEGINS) or out[-1].special if out else True
        else:
            space = not token.startswith(_CONTINUES)
        after_end = special or token.endswith(_ENDS)
        out.append(Token(_plain(token) if not special else token, bool(i) and space, special))
    return out


def _plain(token: str) -> str:
    text = token.removesuffix(_ENDS).removeprefix(_CONTINUES)
    if text.startswith(_BEGINS):
        text = text[1:]
    return "".join(_BREAK.get(c, c) for c in text) or "\u2423"  # an open box stands for a space alone
