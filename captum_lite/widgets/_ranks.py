"""How alike methods rank the pixels: Spearman's correlation, which knows of no scale."""

from collections.abc import Mapping, Sequence

import numpy as np

from captum_lite.widgets._facts import CELL, HEAD, escape


def rank_correlation(maps: Mapping[str, Sequence[np.ndarray]], *, signed: bool) -> np.ndarray:
    """``[method, method]``: of the pixels of each image, then the mean over the images.

    Args:
      maps: for each method the map of each image.
      signed: whether the values are ranked, from the most negative to the most positive; else their
        magnitudes, which compares methods that have a sign with those that have none.

    Returns:
      NaN where a map is the same everywhere, in all images, and has no ranks.

    Source: Spearman 1904, doi:10.2307/1412159, with mean ranks for ties; for attributions, Adebayo, Gilmer,
    Muelly, Goodfellow, Hardt, Kim 2018, arXiv:1810.03292.
    """
    from scipy.stats import rankdata  # (comes with JAX; 0.3 s, needed for this alone)

    ranks = [[rankdata(values if signed else np.abs(values)) for values in row] for row in maps.values()]
    each = [_correlations(np.stack(image)) for image in zip(*ranks, strict=True)]
    return _mean(np.stack(each)) if each else np.zeros((0, 0))


def _correlations(ranks: np.ndarray) -> np.ndarray:
    """Of rows; NaN where a row has no spread."""
    centred = ranks - ranks.mean(1, keepdims=True)
    sizes = np.sqrt((centred**2).sum(1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(centred @ centred.T / np.outer(sizes, sizes), -1, 1)


def _mean(each: np.ndarray) -> np.ndarray:
    """Over the images in which it is known."""
    known = np.isfinite(each)
    total, n = np.where(known, each, 0).sum(0), known.sum(0)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def as_table(names: Sequence[str], values: np.ndarray, *, signed: bool) -> str:
    """The correlations as an HTML table: numbers, each over a bar of its size."""
    what = "the attributions" if signed else "the magnitudes"
    caption = f"Rank correlation (Spearman) of {what} of the pixels, mean over the images"
    head = "".join(f"<th scope='col' style='{HEAD}'>{escape(n)}</th>" for n in names)
    lines = "".join(
        f"<tr><th scope='row' style='{HEAD}'>{escape(name)}</th>{''.join(map(_cell, row))}</tr>"
        for name, row in zip(names, values, strict=True)
    )
    return (
        f"<table style='line-height:1.4'>"
        f"<caption style='text-align:left;padding:8px 0 4px;white-space:nowrap'>{caption}</caption>"
        f"<tr><td></td>{head}</tr>{lines}</table>"
    )


def _cell(value: float) -> str:
    if np.isnan(value):
        return f"<td style='{CELL}'>-</td>"
    colour = "var(--jp-brand-color1, #1565c0)" if value >= 0 else "var(--jp-error-color1, #b00020)"
    bar = f"<div style='height:4px;width:{60 * abs(value):.0f}px;background:{colour}'></div>"
    text = f"{value:.2f}".replace("-", "\N{MINUS SIGN}")
    return f"<td style='{CELL}'>{text}{bar}</td>"
