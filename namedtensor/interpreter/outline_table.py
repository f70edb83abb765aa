"""The outline as a table: of text for terminals, of HTML for notebooks."""

import html as escaping
from collections.abc import Iterator
from typing import NamedTuple

from namedtensor._errors import describe
from namedtensor.interpreter.place import Place

_HEAD = ("place", "shape", "size", "FLOPs", "share", "parameters")
_QUIET = ("function", "group")  # kinds that go without saying

_STYLE = """<style>
.nt-outline { font-family: var(--jp-code-font-family, monospace); font-size: var(--jp-code-font-size, 13px);
  color: var(--jp-content-font-color1, inherit); }
.nt-outline table { border-collapse: collapse; border: none; width: auto; font-size: inherit;
  font-variant-numeric: tabular-nums; }
.nt-outline table th, .nt-outline table td { padding: 0.1em 0.9em 0.1em 0; text-align: right; border: none;
  background: none; color: inherit; white-space: pre; }
.nt-outline table th { font-weight: 600; border-bottom: 1px solid var(--jp-border-color1, #9998); }
.nt-outline table tr :nth-child(-n+2) { text-align: left; }
.nt-outline .nt-quiet { color: var(--jp-content-font-color2, inherit); opacity: 0.8; }
</style>"""


class Line(NamedTuple):
    """A place with what is drawn before it."""

    branch: str
    place: Place


def text(root: Place, notes: tuple[str, ...], *, parameters: bool = False, most: int | None = 60) -> str:
    """The tree as text."""
    lines, left = _lines(root, parameters, most)
    rows = [_HEAD, *((_named(line), *_cells(line.place, root)) for line in lines)]
    if not root.parameters:
        rows = [row[:-1] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    shown = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
    return "\n".join([*shown, *_more(left), *(f"Note: {note}" for note in notes)])


def html(root: Place, notes: tuple[str, ...], *, most: int = 200) -> str:
    """The tree for a notebook."""
    lines, left = _lines(root, False, most)
    columns = len(_HEAD) if root.parameters else len(_HEAD) - 1
    head = "".join(f'<th scope="col">{name}</th>' for name in _HEAD[:columns])
    body = "".join(_html_row(line, root, columns) for line in lines)
    under = "".join(f'<div class="nt-quiet">{escaping.escape(s)}</div>' for s in (*_more(left), *notes))
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'{_STYLE}<div class="nt-outline">{table}{under}</div>'


def _html_row(line: Line, root: Place, columns: int) -> str:
    kind = "" if line.place.kind in _QUIET else f' <span class="nt-quiet">{line.place.kind}</span>'
    first = f'<span class="nt-quiet">{line.branch}</span>{escaping.escape(line.place.label)}{kind}'
    cells = (first, *map(escaping.escape, _cells(line.place, root)))
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells[:columns])}</tr>"


def _lines(root: Place, parameters: bool, most: int | None) -> tuple[list[Line], int]:
    """The lines to show, and how many are left out."""
    lines = list(_below(root, parameters, "", ""))
    return lines[:most], 0 if most is None else max(len(lines) - most, 0)


def _below(place: Place, parameters: bool, branch: str, indent: str) -> Iterator[Line]:
    yield Line(branch, place)
    shown = [child for child in place.children if parameters or _holds_a_place(child)]
    for child in shown:
        last = child is shown[-1]
        yield from _below(
            child, parameters, indent + ("└ " if last else "├ "), indent + ("  " if last else "│ ")
        )


def _holds_a_place(place: Place) -> bool:
    """Whether there is anything but parameters."""
    return any(below.kind not in ("group", "parameter") for below in place.walk())


def _named(line: Line) -> str:
    kind = "" if line.place.kind in _QUIET else f" {line.place.kind}"
    return f"{line.branch}{line.place.label}{kind}"


def _cells(place: Place, root: Place) -> tuple[str, ...]:
    """What stands beside the name."""
    share = "" if place.flops is None or not root.flops else f"{100 * place.flops / root.flops:.0f} %"
    count = place.parameters
    return (
        "" if place.value is None else describe(place.value),
        "" if place.bytes is None else sized(place.bytes),
        "" if place.flops is None else counted(place.flops),
        share,
        f"{count:,}".replace(",", " ") if count else "",
    )


def _aligned(row: tuple[str, ...], widths: list[int]) -> Iterator[str]:
    """Texts to the left, numbers to the right."""
    for i, (cell, width) in enumerate(zip(row, widths, strict=True)):
        yield cell.ljust(width) if i < 2 else cell.rjust(width)


def _more(left: int) -> list[str]:
    return [f"... and {left} more: outline.table(most=None) shows all."] if left else []


def counted(number: int) -> str:
    """A count with three digits: ``1.23 M``."""
    return _scaled(number, 1000, ("", "k", "M", "G", "T", "P", "E"))


def sized(number: int) -> str:
    """A size in bytes: ``1.5 MiB``."""
    return _scaled(number, 1024, ("B", "KiB", "MiB", "GiB", "TiB", "PiB"))


def _scaled(number: float, step: int, units: tuple[str, ...]) -> str:
    at = 0
    while number >= 999.5 and at + 1 < len(units):
        number, at = number / step, at + 1
    digits = f"{number:.0f}" if at == 0 or number >= 99.95 else f"{number:.3g}"
    return f"{digits} {units[at]}".rstrip()
