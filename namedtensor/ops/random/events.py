"""Distributions of vectors and matrices, whose dims are named, and of positions along a dim."""

from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._dims import Dims, Sizes, Spec, check_name, sized, without
from namedtensor._errors import MissingDim, Unsupported, showing
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._static import pair
from namedtensor.ops._table import public
from namedtensor.ops.random._draw import as_key, drawing, parse_shape


def _one(over: str, shape: Sizes | None, *rest: Any) -> tuple:
    return check_name(over), parse_shape(shape), *rest


def _with(dtype: Any) -> dict[str, Any]:
    return {} if dtype is None else {"dtype": dtype}


def _categorical_rule(names: tuple[Dims, ...], over: str, shape: tuple) -> Body:
    return drawing(names, shape, jax.random.categorical, events=[[over]])


def _dirichlet_rule(names: tuple[Dims, ...], over: str, shape: tuple, dtype: Any) -> Body:
    draw = lambda *values, shape: jax.random.dirichlet(*values, shape=shape, **_with(dtype))  # noqa: E731
    return drawing(names, shape, draw, events=[[over]], out=[over])


def _multinomial_rule(names: tuple[Dims, ...], over: str, shape: tuple, dtype: Any) -> Body:
    def draw(key, n, p, shape):
        # JAX 0.10 and 0.12 disagree on what its own shape is, so the parameters have it
        p = jnp.broadcast_to(p, (*shape, p.shape[-1]))
        return jax.random.multinomial(key, n, p, **_with(dtype))

    return drawing(names, shape, draw, events=[[], [over]], out=[over])


def _multivariate_normal_rule(names: tuple[Dims, ...], over: Dims, shape: tuple, dtype: Any) -> Body:
    first, second = over
    draw = lambda *values, shape: jax.random.multivariate_normal(*values, shape=shape, **_with(dtype))  # noqa: E731
    return drawing(names, shape, draw, events=[[first], [first, second]], out=[first])


_categorical = Operation("random.categorical", _categorical_rule, ("over",), _one)
_dirichlet = Operation("random.dirichlet", _dirichlet_rule, ("over",), _one)
_multinomial = Operation("random.multinomial", _multinomial_rule, ("over",), _one)
_multivariate_normal = Operation(
    "random.multivariate_normal",
    _multivariate_normal_rule,
    ("over",),
    lambda over, shape, dtype: (pair(over), parse_shape(shape), dtype),
)


def _run(operation: Operation, key: Any, parameters: tuple, static: tuple) -> NamedTensor:
    with showing(operation.call(static), key, *parameters):
        key = as_key(key)
    return run(operation, (key, *parameters), static)


def categorical(key: Any, logits: NamedTensor, over: str, shape: Sizes | None = None) -> NamedTensor:
    """Positions along ``over``, of probability ``softmax(logits)``.

    Args:
      key: a random key.
      logits: log-probabilities, up to a constant.
      over: the dim of the classes.
      shape: more dims, ``"sample:8"``.

    Returns:
      Integers with the dims of the shape and those of ``logits`` without ``over``.

    Raises:
      UnknownDim: ``logits`` lacks ``over``.

    Example:
      >>> import jax, namedtensor as nt
      >>> nt.random.categorical(jax.random.key(0), nt.zeros("batch:2 class:9"), "class").shape
      Shape(batch:2)
    """
    return _run(_categorical, key, (logits,), (over, shape))


def dirichlet(
    key: Any, alpha: NamedTensor, over: str, shape: Sizes | None = None, *, dtype: Any = None
) -> NamedTensor:
    """Probabilities along ``over``, of the concentrations ``alpha``.

    Args:
      key: a random key.
      alpha: concentrations above 0, with the dim ``over``.
      over: the dim along which they sum to 1.
      shape: more dims, ``"sample:8"``.
      dtype: a floating dtype.

    Returns:
      The dims of the shape, those of ``alpha``, and ``over``.

    Raises:
      UnknownDim: ``alpha`` lacks ``over``.

    Example:
      >>> import jax, namedtensor as nt
      >>> float(nt.random.dirichlet(jax.random.key(0), nt.ones("class:1"), "class").sum())
      1.0
    """
    return _run(_dirichlet, key, (alpha,), (over, shape, dtype))


def multinomial(
    key: Any, n: Any, p: NamedTensor, over: str, shape: Sizes | None = None, *, dtype: Any = None
) -> NamedTensor:
    """How many of ``n`` draws fall into each class of probability ``p``.

    Args:
      key: a random key.
      n: a number, or a tensor of them.
      p: probabilities, with the dim ``over``.
      over: the dim of the classes.
      shape: more dims, ``"sample:8"``.
      dtype: a floating dtype.

    Returns:
      The dims of the shape and of the parameters, and ``over``.

    Raises:
      UnknownDim: ``p`` lacks ``over``.

    Example:
      >>> import jax, namedtensor as nt
      >>> p = nt.tensor([0.0, 1.0], "class")
      >>> nt.random.multinomial(jax.random.key(0), 5, p, "class").array
      Array([0., 5.], dtype=float32)
    """
    return _run(_multinomial, key, (n, p), (over, shape, dtype))


def multivariate_normal(
    key: Any,
    mean: NamedTensor,
    cov: NamedTensor,
    over: Spec,
    shape: Sizes | None = None,
    *,
    dtype: Any = None,
) -> NamedTensor:
    """Normal vectors along the first dim of ``over``.

    Args:
      key: a random key.
      mean: with the first dim of ``over``.
      cov: the covariance, with both dims of ``over``.
      over: the dim of the vectors, and the name of the covariance's second dim, ``"x x'"``.
      shape: more dims, ``"sample:8"``.
      dtype: a floating dtype.

    Returns:
      The dims of the shape and of the parameters, and the first dim of ``over``.

    Raises:
      RankMismatch: ``over`` is not two dims.
      UnknownDim: a parameter lacks its dim.

    Example:
      >>> import jax, namedtensor as nt
      >>> mean, cov = nt.zeros("x:3"), nt.eye("x:3 x':3")
      >>> nt.random.multivariate_normal(jax.random.key(0), mean, cov, "x x'", "sample:5").shape
      Shape(sample:5 x:3)
    """
    return _run(_multivariate_normal, key, (mean, cov), (over, shape, dtype))


def _inside(shape: Sizes, over: Dims) -> tuple[tuple[Dims, tuple[int, ...]], tuple[int, ...]]:
    """The shape without the dims of one event, and the sizes of these."""
    names, sizes = sized(shape)
    for dim in over:
        if dim not in names:
            raise MissingDim(f"the shape '{names}' lacks {dim!r}.", f"Give its size too: '{dim}:8'.")
    by_name = dict(zip(names, sizes, strict=True))
    rest = without(names, over)
    return (rest, tuple(by_name[d] for d in rest)), tuple(by_name[d] for d in over)


def _orthogonal_rule(names: tuple[Dims, ...], over: Dims, shape: tuple, sizes: tuple, dtype: Any) -> Body:
    n, m = sizes
    draw = lambda key, shape: jax.random.orthogonal(key, n, shape, m=m, **_with(dtype))  # noqa: E731
    return drawing(names, shape, draw, out=over)


def _ball_rule(names: tuple[Dims, ...], over: Dims, shape: tuple, sizes: tuple, dtype: Any) -> Body:
    (d,) = sizes
    if names[1]:
        raise Unsupported(f"p has the dims '{names[1]}', and it is one number.", "Draw for each p apart.")
    draw = lambda key, p, shape: jax.random.ball(key, d, p, shape, **_with(dtype))  # noqa: E731
    return drawing(names, shape, draw, out=over)


_orthogonal = Operation(
    "random.orthogonal",
    _orthogonal_rule,
    ("over",),
    lambda over, shape, dtype: (pair(over), *_inside(shape, pair(over)), dtype),
)
_ball = Operation(
    "random.ball",
    _ball_rule,
    ("over",),
    lambda over, shape, dtype: (Dims([check_name(over)]), *_inside(shape, Dims([over])), dtype),
)


def orthogonal(key: Any, shape: Sizes, over: Spec, *, dtype: Any = None) -> NamedTensor:
    """Orthogonal matrices, uniform over all of them.

    Args:
      key: a random key.
      shape: all dims, ``"head:2 row:3 col:3"``; with fewer rows than columns the rows are orthonormal,
        with more the columns are.
      over: the rows and columns, ``"row col"``.
      dtype: a floating dtype.

    Raises:
      MissingDim: the shape lacks a dim of ``over``.

    Example:
      >>> import jax, namedtensor as nt
      >>> nt.random.orthogonal(jax.random.key(0), "head:2 row:3 col:3", "row col").shape
      Shape(head:2 row:3 col:3)
    """
    return _run(_orthogonal, key, (), (over, shape, dtype))


def ball(key: Any, shape: Sizes, over: str, p: Any = 2, *, dtype: Any = None) -> NamedTensor:
    """Points uniform in the unit ball of the p-norm along ``over``.

    Args:
      key: a random key.
      shape: all dims, ``"sample:8 x:3"``.
      over: the dim of the points' coordinates.
      p: a number.
      dtype: a floating dtype.

    Raises:
      MissingDim: the shape lacks ``over``.

    Example:
      >>> import jax, namedtensor as nt
      >>> points = nt.random.ball(jax.random.key(0), "sample:8 x:3", "x")
      >>> bool((points.square().sum("x") <= 1).all())
      True
    """
    return _run(_ball, key, (p,), (over, shape, dtype))


__all__ = public(globals())
