"""How alike two attribution maps are: rank correlation and structural similarity, for each example.

On arrays of JAX, a batch at once: SciPy's `spearmanr` and scikit-image's `structural_similarity` take
one pair after the other, on the host.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.stats import rankdata

from captum_lite._fitting import fitting
from captum_lite._inputs import unpack
from captum_lite.metrics._given import axes_of, flat


def spearman(a: Any, b: Any, *, abs: bool = False) -> Any:
    """Spearman's rank correlation of two attributions, ``[batch]``, -1 to 1.

    Equal values share the mean of their ranks. A map that is the same everywhere has no order: its
    correlation is 0.

    Args:
      a: attributions, as `attribute` returns them.
      b: the same shape and dims (in any storage order).
      abs: rank by the absolute values.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite.metrics import spearman
      >>> spearman(jnp.array([[1.0, 2.0, 30.0]]), jnp.array([[0.1, 0.5, 0.6]]))
      Array([1.], dtype=float32)

    Source: Spearman 1904, DOI 10.2307/1412159.
    """
    arrays, layout = unpack(a)
    rows = flat(arrays), flat(fitting(b, arrays, layout))
    return _spearman(*(jnp.abs(r) for r in rows) if abs else rows)


@jax.jit
def _spearman(a: Any, b: Any) -> Any:
    return jax.vmap(lambda x, y: _correlation(rankdata(x), rankdata(y)))(a, b)


def _correlation(x: Any, y: Any) -> Any:
    x, y = (v / len(v) for v in (x - x.mean(), y - y.mean()))  # (of order 1: products cannot overflow)
    size = jnp.sqrt(jnp.dot(x, x) * jnp.dot(y, y))
    return jnp.where(size == 0, 0, jnp.dot(x, y) / jnp.where(size == 0, 1, size))


def ssim(a: Any, b: Any, *, over: Any = None, window: int = 7) -> Any:
    """Structural similarity of two attribution maps, ``[batch]``; 1 where they are the same.

    The mean over all full windows of ``window x window`` pixels of
    ``(2 m_a m_b + c1)(2 s_ab + c2) / ((m_a^2 + m_b^2 + c1)(s_a^2 + s_b^2 + c2))`` with the means, variances
    and covariance (``n - 1``) in the window, ``c1 = 0.01^2`` and ``c2 = 0.03^2``. Each map is first summed
    over what is not in ``over`` and divided by its largest absolute value.

    Args:
      a: attributions of images.
      b: the same shape and dims (in any storage order).
      over: the dims of a place, by default ``"height width"``; axes of plain arrays, by default ``(1, 2)``.
      window: in pixels.

    Raises:
      ValueError: maps that are smaller than the window.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite.metrics import ssim
      >>> heat = jnp.arange(64.0).reshape(1, 8, 8)
      >>> ssim(heat, 2 * heat).round(4)
      Array([1.], dtype=float32)

    Source: Wang, Bovik, Sheikh, Simoncelli 2004, DOI 10.1109/TIP.2003.819861; for attributions Adebayo et
    al. 2018, arXiv:1810.03292.
    """
    arrays, layout = unpack(a)
    if len(arrays) != 1:
        raise ValueError(f"there are attributions of {len(arrays)} inputs: give those of the image alone.")
    (first,), (second,), (dims,) = arrays, fitting(b, arrays, layout), layout.dims
    axes = axes_of(over, first.ndim, dims, (1, 2) if dims is None else "height width")
    if len(axes) != 2 or min(first.shape[k] for k in axes) < window:
        raise ValueError(f"ssim needs maps of two dims of at least window={window} pixels.")
    return _ssim(_unit_map(first, axes), _unit_map(second, axes), window)


def _unit_map(values: Any, axes: tuple[int, ...]) -> Any:
    summed = tuple(k for k in range(1, values.ndim) if k not in axes)
    image = values.astype(jnp.promote_types(values.dtype, jnp.float32)).sum(summed)
    largest = jnp.abs(image).max((1, 2), keepdims=True)
    return image / jnp.where(largest == 0, 1, largest)


def _ssim(a: Any, b: Any, window: int) -> Any:
    n = window**2

    def mean(x: Any) -> Any:
        area = (1, window, window)
        return jax.lax.reduce_window(x, jnp.zeros((), x.dtype), jax.lax.add, area, (1, 1, 1), "valid") / n

    m_a, m_b = mean(a), mean(b)
    s_a, s_b, s_ab = (n / (n - 1) * (mean(x * y) - mean(x) * mean(y)) for x, y in ((a, a), (b, b), (a, b)))
    c1, c2 = 0.01**2, 0.03**2
    above = (2 * m_a * m_b + c1) * (2 * s_ab + c2)
    below = (m_a**2 + m_b**2 + c1) * (s_a + s_b + c2)
    return (above / below).mean((1, 2))
