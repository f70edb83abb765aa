"""Random numbers that hide secrets: the key stream of a block cipher.

A share is as secret as the randomness it was made of, so neither a Mersenne twister nor threefry will do.
AES in counter mode is a standard (NIST SP 800-38A) and, on processors with instructions for it, ten times
as fast as the generators of JAX.
"""

import hmac
import os
import secrets
from typing import Any, NoReturn

import numpy as np

from crypten_lite._memory import aligned
from crypten_lite.ring import Ring
from namedtensor._optional import optional

KEY_BYTES = 16
_BLOCK = 16
_ZEROS = bytes(1 << 18)  # what is encrypted at once: the key stream is encrypted zeros
_DERIVE = b"crypten_lite.prg derive\0"


class Generator:
    """A stream of random numbers that a key determines: that of AES-128 in counter mode.

    Two parties with the same key draw the same numbers, in the same order. No part of the stream comes twice:
    the counter of ``2 ** 128`` blocks only grows, and a generator can be neither copied nor pickled.

    Args:
      key: 16 secret bytes.

    Raises:
      ValueError: a key of another length.
      ImportError: the package ``cryptography`` is missing.
      RuntimeError: use in a forked process.
      TypeError: copying or pickling.

    Example:
      >>> import numpy as np
      >>> from crypten_lite.prg import Generator
      >>> Generator(bytes(16)).draw((2,), np.uint8)  # AES-128 of zeros, with a key of zeros
      array([102, 233], dtype=uint8)
      >>> Generator.fresh().draw((2, 3), np.uint64).shape
      (2, 3)

    Source: M. Dworkin 2001, NIST SP 800-38A, DOI 10.6028/NIST.SP.800-38A.
    """

    def __init__(self, key: bytes):
        """Open the stream at its beginning."""
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key of {len(key)} bytes: AES-128 takes {KEY_BYTES}.")
        self._key = bytes(key)
        self._cipher = _cipher(self._key, bytes(_BLOCK))
        self._process = os.getpid()

    @classmethod
    def fresh(cls) -> "Generator":
        """A generator with a key from the operating system, which nobody else knows."""
        return cls(secrets.token_bytes(KEY_BYTES))

    def derive(self, label: bytes) -> "Generator":
        """A generator with a stream of its own, which key and label determine, whatever was drawn so far.

        Its key is the beginning of an HMAC-SHA256 (RFC 2104), so the stream of one label says nothing of the
        stream of another, or of this one.
        """
        return Generator(hmac.digest(self._key, _DERIVE + label, "sha256")[:KEY_BYTES])

    def draw(self, shape: tuple[int, ...], dtype: Any = np.uint64) -> Any:
        """The next numbers of the stream, each as likely as any other.

        Args:
          shape: of the array.
          dtype: unsigned integers.

        Returns:
          An array of its own, aligned so that XLA need not copy it.

        Raises:
          TypeError: no unsigned integers.
        """
        dtype = np.dtype(dtype)
        if dtype.kind != "u":
            raise TypeError(f"random numbers of {dtype}: give uint8, uint16, uint32 or uint64.")
        numbers = aligned(shape, dtype)
        self._fill(numbers.reshape(-1).view(np.uint8))
        return numbers

    def draw_ring(self, shape: tuple[int, ...], ring: Ring) -> Any:
        """The next elements of a ring, each as likely as any other: ``shape``."""
        return ring.wrap(self.draw(shape, ring.dtype))

    def bytes(self, count: int) -> bytes:
        """The next bytes of the stream."""
        return self.draw((count,), np.uint8).tobytes()

    def _fill(self, target: Any) -> None:
        if os.getpid() != self._process:
            raise RuntimeError(
                "a Generator was used in a forked process, where it would repeat its stream: make it there."
            )
        zeros = memoryview(_ZEROS)
        for start in range(0, len(target), len(zeros)):
            part = target[start : start + len(zeros)]
            self._cipher.update_into(zeros[: len(part)], part)

    def __repr__(self) -> str:
        return "Generator(key hidden)"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(
            "a Generator can be neither copied nor pickled: a copy repeats the stream, and randomness used "
            "twice reveals what it hides. Use derive(label) for another stream of the same key."
        )


def _cipher(key: bytes, counter: bytes) -> Any:
    """AES-128 in counter mode, from this counter on."""
    with optional("private"):
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    return Cipher(algorithms.AES(key), modes.CTR(counter)).encryptor()
