"""What the privacy explorer says in words: that nothing is hidden, and what it found."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crypten_lite.fixed_point import FixedPoint
from crypten_lite.widgets.records import Measured, PrivateRun, classes
from namedtensor import is_named

_REAL = (
    "Parties that do not trust each other run the same function in a process each: <code>python -m "
    "crypten_lite party</code>, step by step in <code>docs/two_parties.md</code>."
)
SHARES = (
    "Each party has 64 random bits for each pixel. All shares together, added up modulo 2<sup>64</sup>, are "
    "the image; without one of them the rest is noise. (Who brought the image knows it besides.) A picture "
    "goes from its smallest number, black, to its largest, white. Bars: how many bytes of its numbers are in "
    "each of 16 groups of values; of noise equally many."
)
ERRORS = (
    "Each private result against the plain one. Few binary places round; many leave large numbers no room."
)
NOTHING = "Nothing was compared yet: press <i>Compare binary places</i>."


@dataclass(frozen=True, eq=False)
class Words:
    """Facts about runs, with the names of things.

    Attributes:
      images: how many there are.
      secret_weights: whether the second party brings weights.
      labels: the true class of each image, or None.
      class_names: or None.
    """

    images: int
    secret_weights: bool
    labels: Any = None
    class_names: Sequence[str] | None = None

    def names(self, parties: int) -> list[str]:
        """Each party, and what it brought."""
        brought = [": brought the image", ": brought the weights" if self.secret_weights else ""]
        return [f"party {i}{note}" for i, note in enumerate((brought + [""] * parties)[:parties])]

    def facts(self, run: PrivateRun) -> str:
        """A run as a table."""
        cost, room = run.cost, FixedPoint(run.fraction).limit
        secret = "the image and the weights" if self.secret_weights else "the image; the model is public"
        return table(
            [
                ("image", f"number {run.sample} of {self.images}{self._label(run.sample)}"),
                ("secret", secret),
                *self._predictions(run),
                ("largest error", f"{run.error:.2g}, with {run.fraction} binary places"),
                ("room", f"for numbers below {room:,.0f}"),
                ("rounds", f"{cost.rounds:,}"),
                ("bytes", f"{cost.bytes_per_party:,} from each party, {cost.dealer_bytes:,} from the dealer"),
            ]
        )

    def _label(self, sample: int) -> str:
        return "" if self.labels is None else f", labelled {self._class(int(self.labels[sample]))}"

    def _predictions(self, run: PrivateRun) -> list[tuple[str, str]]:
        private, plain = classes(run.result), classes(run.plain)
        if private is None or plain is None:
            return []
        said = [
            f"{self._class(int(best[0]))}, score {_array(result)[0, best[0]]:.5g}"
            for result, best in ((run.result, private), (run.plain, plain))
        ]
        return [("private prediction", said[0]), ("plain prediction", said[1])]

    def _class(self, number: int) -> str:
        named = self.class_names is not None and number < len(self.class_names)
        return str(self.class_names[number]) if self.class_names is not None and named else f"class {number}"


def _array(result: Any) -> np.ndarray:
    return np.asarray(result.array if is_named(result) else result)


def notice(what: str) -> str:
    """That nothing is hidden, and where it would be."""
    return f"<div class='nt-view nt-notice' role='note'><b>{what}</b> {_REAL}</div>"


def part(title: str, text: str = "") -> str:
    """The beginning of a part."""
    return (
        f"<div class='nt-view'><div class='nt-part' role='heading' aria-level='2'>{title}</div>{text}</div>"
    )


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Names and what they are."""
    cells = "".join(f"<tr><th scope='row'>{k}</th><td>{html.escape(v)}</td></tr>" for k, v in rows)
    return f"<div class='nt-view'><table class='nt-facts'>{cells}</table></div>"


def compared(found: Sequence[Measured]) -> str:
    """How many images were compared, and where there are no results."""
    return f"<div class='nt-view'><span class='nt-note'>{_compared(found) if found else NOTHING}</span></div>"


def _compared(found: Sequence[Measured]) -> str:
    fewest, most = min(m.samples for m in found), max(m.samples for m in found)
    count = f"{most} image{'s' if most > 1 else ''}" if fewest == most else f"{fewest} to {most} images"
    failed = next((m for m in found if m.failure), None)
    why = "" if failed is None else f" None with {failed.fraction}: {html.escape(str(failed.failure))}"
    exact = ", ".join(str(m.fraction) for m in found if m.error == 0)
    no_error = f" Without any error, which has no place on the axis, with {exact}." if exact else ""
    return f"{count}, with {found[0].fraction} to {found[-1].fraction} binary places.{no_error}{why}"
