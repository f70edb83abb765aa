"""A named tensor as plain HTML: what it is, and a corner of its values under the names of the dims.

It needs nothing but a browser. The colours are JupyterLab's own variables, so that light and dark
themes both fit; elsewhere they fall back to the colours of the page.
"""

import html
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from namedtensor._errors import describe
from namedtensor._tensor import NamedTensor

_EDGE = 5  # positions shown at each end of a dim
_ON_HOST = 1 << 22  # the statistics of the repr have moved as much already; above, only what is shown

_STYLE = """<style>
.nt-tensor { font-family: var(--jp-code-font-family, monospace); font-size: var(--jp-code-font-size, 13px);
  color: var(--jp-content-font-color1, inherit); line-height: 1.5; }
.nt-tensor .nt-dim { color: var(--jp-brand-color1, #1976d2); font-weight: 600; }
.nt-tensor .nt-quiet { color: var(--jp-content-font-color2, inherit); }
.nt-tensor summary { cursor: pointer; }
.nt-tensor table { border-collapse: collapse; border: none; margin: 0.4em 0; font-size: inherit;
  font-variant-numeric: tabular-nums; width: auto; }
.nt-tensor table th, .nt-tensor table td { padding: 0.1em 0.7em; text-align: right; border: none;
  background: none; color: inherit; }
.nt-tensor table th { font-weight: normal; color: var(--jp-content-font-color2, inherit); }
.nt-tensor table th.nt-dim { text-align: left; color: var(--jp-brand-color1, #1976d2); font-weight: 600; }
.nt-tensor thead tr:last-child th { border-bottom: 1px solid var(--jp-border-color1, #9998); }
.nt-tensor tbody th { border-right: 1px solid var(--jp-border-color1, #9998); }
</style>"""


def as_html(x: NamedTensor) -> str:
    """The representation of ``x`` in a notebook."""
    head, table = _head(x), _table(x)
    if table and len(x.dims) > 2:
        at = " ".join(f"{_dim(d)}=0" for d in x.dims[:-2])
        table = f'<details><summary class="nt-quiet">values at {at}</summary>{table}</details>'
    return f'{_STYLE}<div class="nt-tensor"><div>{head}</div>{table}</div>'


def _head(x: NamedTensor) -> str:
    kind, text = describe(x), repr(x)
    rest = html.escape(text.removeprefix(kind))
    shown = html.escape(kind, quote=False)
    for dim in x.dims:  # each stands after a bracket or a space, before its size
        name = html.escape(dim, quote=False)
        for before in "[ ":
            shown = shown.replace(f"{before}{name}:", f"{before}{_dim(dim)}:")
    return f'{shown}<span class="nt-quiet">{rest}</span>'


def _dim(name: str) -> str:
    return f'<span class="nt-dim">{html.escape(name, quote=False)}</span>'


def _table(x: NamedTensor) -> str:
    array = x.array
    if not has_values(array) or array.ndim != len(x.dims) or array.size <= 1:
        return ""
    at = [_ends(size) for size in array.shape[-2:]]
    texts = _texts(_corner(array, at))
    positions = "".join(f"<th>{_position(i)}</th>" for i in at[-1])
    if len(at) == 1:
        head = f'<tr><th class="nt-dim">{html.escape(x.dims[0])}</th>{positions}</tr>'
        return f"<table><thead>{head}</thead><tbody>{_row('', texts, at[0])}</tbody></table>"
    down, across = map(html.escape, x.dims[-2:])
    head = f'<tr><th></th><th class="nt-dim" colspan="{len(at[1])}">{across}</th></tr>'
    head += f'<tr><th class="nt-dim">{down}</th>{positions}</tr>'
    lines = iter(texts)
    rows = [_row(_position(i), [] if i is None else next(lines), at[1]) for i in at[0]]
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def _row(label: str, texts: Sequence[str], at: Sequence[int | None]) -> str:
    """One line of values; a line that is left out has none."""
    values = iter(texts)
    shown = ["\N{HORIZONTAL ELLIPSIS}" if i is None or not texts else next(values) for i in at]
    return f"<tr><th>{label}</th>{''.join(f'<td>{html.escape(text)}</td>' for text in shown)}</tr>"


def _position(i: int | None) -> str:
    return "\N{HORIZONTAL ELLIPSIS}" if i is None else str(i)


def has_values(array: Any) -> bool:
    """Whether there are numbers, here and now."""
    return (
        isinstance(array, jax.Array)
        and not isinstance(array, Tracer)
        and not array.is_deleted()
        and array.is_fully_addressable
        and not jnp.issubdtype(array.dtype, jax.dtypes.prng_key)
    )


def _ends(size: int) -> list[int | None]:
    """The positions shown, None for those left out."""
    if size <= 2 * _EDGE:
        return list(range(size))
    return [*range(_EDGE), None, *range(size - _EDGE, size)]


def _corner(array: Any, at: Sequence[Sequence[int | None]]) -> np.ndarray:
    """The values of the first slice at these positions, moved to the host."""
    array = np.asarray(array) if array.size <= _ON_HOST else array
    array = array[(0,) * (array.ndim - len(at))]
    for axis, shown in enumerate(at):
        if None in shown:
            ends = [slice(None)] * axis + [slice(_EDGE)], [slice(None)] * axis + [slice(-_EDGE, None)]
            join = np.concatenate if isinstance(array, np.ndarray) else jnp.concatenate
            array = join([array[tuple(end)] for end in ends], axis)
    return np.asarray(array)


def _texts(values: np.ndarray) -> Any:
    """The values as texts with one number of decimals for all, so that they can be compared."""
    write = _format(values)
    return np.vectorize(write, otypes=[object])(values).tolist()


def _format(values: np.ndarray) -> Any:
    if jnp.issubdtype(values.dtype, jnp.complexfloating):
        return lambda v: f"{complex(v):.3g}"
    if not jnp.issubdtype(values.dtype, jnp.floating):
        return str
    sizes = np.abs(values.astype(np.float64))
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    if sizes.size == 0:
        return lambda v: f"{float(v):g}"
    largest = int(np.floor(np.log10(sizes.max())))
    if not -4 <= largest <= 5:
        return lambda v: f"{float(v):.2e}" if v else "0"
    return lambda v: f"{float(v):.{max(3 - largest, 0)}f}"
