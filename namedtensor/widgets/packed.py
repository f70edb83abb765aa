"""Numbers on their way to the browser: once, as float32."""

from typing import Any

import numpy as np


class Packed:
    """Arrays one behind the other; the same array given twice is sent once.

    Attributes:
      size: how many numbers there are.
    """

    def __init__(self) -> None:
        """No numbers yet."""
        self._parts: list[np.ndarray] = []
        self._places: dict[int, int] = {}
        self._kept: list[Any] = []  # an id is an array's only while the array lives
        self.size = 0

    def add(self, array: Any) -> int:
        """Where in the numbers the array begins."""
        if id(array) not in self._places:
            part = np.ascontiguousarray(array, dtype="<f4").ravel()
            self._places[id(array)] = self.size
            self._kept.append(array)
            self._parts.append(part)
            self.size += part.size
        return self._places[id(array)]

    def tobytes(self) -> bytes:
        """All numbers, little-endian."""
        return b"".join(part.tobytes() for part in self._parts)
