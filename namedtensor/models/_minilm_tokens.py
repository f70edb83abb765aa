"""Sentences as token numbers with names, through the library ``tokenizers``."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from namedtensor._errors import near_miss
from namedtensor._optional import optional
from namedtensor._tensor import NamedTensor
from namedtensor.interop.arrays import labelled


class Sentences(NamedTuple):
    """Sentences as a batch.

    Attributes:
      ids: token numbers ``[batch pos]``.
      mask: bools ``[batch pos]``: False where a sentence is padded.
      words: bools ``[batch pos]``: True at what the sentence says, False at ``[CLS]``, ``[SEP]`` and padding.
      tokens: of each sentence as text, without padding.
    """

    ids: NamedTensor
    mask: NamedTensor
    words: NamedTensor
    tokens: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Tokenizer:
    """Sentences to token numbers: ``tokenizer(["A man is playing.", "Music"])``.

    Attributes:
      vocabulary: the tokenizer of the library ``tokenizers``, which neither cuts nor pads.
      longest: as many tokens as a sentence may have.
    """

    vocabulary: Any
    longest: int

    @classmethod
    def read(cls, path: Path, longest: int) -> "Tokenizer":
        """The one in a ``tokenizer.json``.

        Raises:
          ValueError: it cannot be read.
        """
        with optional("text"):
            import tokenizers
        try:
            vocabulary = tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8"))
        except Exception as error:  # the library raises Exception itself
            raise ValueError(f"{path} cannot be read as a tokenizer: {error}") from error
        vocabulary.no_padding()
        vocabulary.enable_truncation(longest)
        return cls(vocabulary, longest)

    def __call__(self, sentences: str | Sequence[str], *, length: int | None = None) -> Sentences:
        """Token numbers, padded to one length.

        Args:
          sentences: one or several; one is a batch of one.
          length: how many positions there are, at least as many as the longest sentence has tokens; by
            default as many.

        Raises:
          ValueError: no sentences, or one with more tokens than ``length``.
          TypeError: what is no text.

        Warns:
          UserWarning: a sentence has more tokens than `longest` and is cut there.
        """
        texts = [sentences] if isinstance(sentences, str) else list(sentences)
        _require_texts(texts)
        found = self.vocabulary.encode_batch(texts)
        self._tell_cut([i for i, each in enumerate(found) if each.overflowing])
        width = _width([len(each.ids) for each in found], length)
        return Sentences(
            _padded([each.ids for each in found], width, np.int32, self.number("[PAD]")),
            _padded([[True] * len(each.ids) for each in found], width, np.bool_, False),
            _padded([1 - np.array(each.special_tokens_mask) for each in found], width, np.bool_, False),
            tuple(tuple(each.tokens) for each in found),
        )

    def number(self, token: str) -> int:
        """The number of a token, ``"[MASK]"`` say.

        Raises:
          ValueError: there is no such token.
        """
        found = self.vocabulary.token_to_id(token)
        if found is None:
            close = near_miss(token, self.vocabulary.get_vocab())
            raise ValueError(
                f"{token!r} is none of {self.vocabulary.get_vocab_size()} tokens. {close}".strip()
            )
        return found

    def _tell_cut(self, cut: list[int]) -> None:
        if cut:
            warnings.warn(
                f"sentences {cut} are longer than {self.longest} tokens, and cut there.",
                stacklevel=3,
            )


def _require_texts(texts: list[Any]) -> None:
    if not texts:
        raise ValueError("there are no sentences.")
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"sentence {i} is a {type(text).__name__}, expected text.")


def _width(counts: list[int], length: int | None) -> int:
    most = max(counts)
    if length is not None and length < most:
        raise ValueError(
            f"length={length}: sentence {counts.index(most)} has {most} tokens, [CLS] and [SEP] included."
        )
    return most if length is None else length


def _padded(rows: Sequence[Any], width: int, dtype: Any, value: Any) -> NamedTensor:
    array = np.full((len(rows), width), value, dtype)
    for i, row in enumerate(rows):
        array[i, : len(row)] = row
    return labelled(array, "batch pos")
