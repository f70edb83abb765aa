"""How many rows go through the model at once, and the cutting of a long list into such chunks."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from captum_lite._problem import Problem

# Measured on two CPU cores: gradients of small images are fastest with 8 to 10 rows at a time, of large ones
# with one or two, and of small vectors with as many as there are. Chunks of one fixed size also mean one
# compilation for any number of steps; 10 divides the usual numbers of them.
_ROWS = 10
_ELEMENTS = 320_000
_VECTOR, _VECTORS = 1024, 128


def chunk_size(problem: Problem, internal_batch_size: int | None) -> int:
    """Points (copies of the whole batch) that are evaluated at once.

    Args:
      problem: decides the size of a row.
      internal_batch_size: the rows (examples times points) to evaluate at once, at least one copy of
        the batch; None chooses by the size of the inputs.
    """
    if internal_batch_size is not None:
        if internal_batch_size < 1:
            raise ValueError(f"internal_batch_size={internal_batch_size}: give at least 1 row, or None.")
        return max(1, internal_batch_size // max(problem.batch, 1))
    elements = sum(math.prod(x.shape) for x in problem.inputs)
    rows = _ROWS if elements > _VECTOR * problem.batch else _VECTORS
    return max(1, min(_ROWS, rows // max(problem.batch, 1), _ELEMENTS // max(elements, 1)))


def chunks(size: int, *columns: np.ndarray) -> Iterator[tuple[Any, ...]]:
    """Rows of all columns, ``size`` at a time; the last chunk is filled up.

    Filling repeats the last row, with 0 in the last column (the weights), so it changes no sum and every
    chunk has one shape.
    """
    n = len(columns[0])
    for start in range(0, n, size):
        rows = [c[start : start + size] for c in columns]
        short = size - len(rows[0])
        if short:
            rows = [np.concatenate([r, np.repeat(r[-1:], short, axis=0)]) for r in rows]
            rows[-1][-short:] = 0
        yield tuple(rows)
