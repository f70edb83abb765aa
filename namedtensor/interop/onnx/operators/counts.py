"""Results whose number of elements depends on numbers: computed in NumPy, where those are known.

JAX traces programs of known shapes. So under jit, grad and vmap the operands must be known; the error
says which is not.
"""

import numpy as np

from namedtensor.interop.onnx.operators.shapes import axis_of
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.values import Value, numpy_or_jax


@operator("NonZero", static=("x",))
def non_zero(x: Value) -> Value:
    """The indices of the numbers that are not 0, a row for each axis."""
    if np.ndim(x) == 0:
        return np.zeros((0, int(x != 0)), np.int64)
    return np.stack(np.nonzero(x)).astype(np.int64)


@operator("Compress", static=("condition",))
def compress(x: Value, condition: Value, *, axis: int | None = None) -> Value:
    """The slices along an axis (or the numbers) for which the condition holds."""
    xp = numpy_or_jax(x)
    x, axis = (xp.reshape(x, -1), 0) if axis is None else (x, axis_of(axis, np.ndim(x)))
    return xp.take(x, np.flatnonzero(condition), axis)


@operator("Unique", static=("x",))
def unique(x: Value, *, axis: int | None = None, sorted: int = 1) -> tuple[Value, ...]:
    """Each number (or slice) once, where it is first, which one each is, and how often there is one."""
    x, axis = (x.reshape(-1), 0) if axis is None else (x, axis_of(axis, np.ndim(x)))
    values, first, which, counts = np.unique(x, True, True, True, axis=axis)
    order = np.arange(len(first)) if sorted else np.argsort(first)
    places = np.argsort(order)[which.reshape(-1)]
    return values.take(order, axis), *(i.astype(np.int64) for i in (first[order], places, counts[order]))


@operator("NonMaxSuppression", static=("boxes", "scores", "most", "overlap", "least"))
def non_max_suppression(
    boxes: Value, scores: Value, most: Value = None, overlap: Value = None, least: Value = None,
    *, center_point_box: int = 0,
) -> Value:  # fmt: skip
    """For each class the boxes by their scores, without those that overlap a better one by too much.

    Args:
      boxes: ``[batch box 4]``, two corners, or a center and a size.
      scores: ``[batch class box]``.
      most: boxes of a class that are kept; none by default.
      overlap: intersection over union above which a box is left out.
      least: the score that a box must exceed.
      center_point_box: whether boxes are given by their centers.

    Returns:
      ``[kept 3]``: batch, class and box.
    """
    count = 0 if most is None else int(np.asarray(most).item())
    overlap = np.float32(0) if overlap is None else np.asarray(overlap).item()
    least = None if least is None else np.asarray(least).item()
    corners = _corners(boxes, bool(center_point_box))
    kept = [
        (b, c, i)
        for b, c in np.ndindex(*np.shape(scores)[:2])
        for i in _kept(corners[b], scores[b, c], count, overlap, least)
    ]
    return np.asarray(kept, np.int64).reshape(-1, 3)


def _corners(boxes: Value, centered: bool) -> np.ndarray:
    """Low corners, then high ones."""
    first, second = boxes[..., :2], boxes[..., 2:]
    first, second = (first - second / 2, first + second / 2) if centered else (first, second)
    return np.concatenate([np.minimum(first, second), np.maximum(first, second)], -1)


def _kept(
    boxes: np.ndarray, scores: np.ndarray, count: int, overlap: float, least: float | None
) -> list[int]:
    order = np.argsort(-scores, kind="stable")
    order = order if least is None else order[scores[order] > least]
    kept: list[int] = []
    while len(order) and len(kept) < count:
        best, order = order[0], order[1:]
        kept.append(int(best))
        order = order[_shared(boxes[best], boxes[order]) <= overlap]
    return kept


def _shared(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of a box with each of others."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    inside = np.prod(np.maximum(high - low, 0), -1)
    union = np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], -1) - inside
    return np.divide(inside, union, out=np.zeros_like(inside), where=union > 0)
