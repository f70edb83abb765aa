"""Tokens on their colours: choose an output, see which tokens of the input it came from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ipywidgets as w
import traitlets
from matplotlib.figure import Figure

from captum_lite.viz._scale import CLIPS as _RULES
from captum_lite.viz._tokens import Token
from captum_lite.widgets._token_figure import bars, heat_map
from captum_lite.widgets._token_html import OPACITY, STROKES, as_html, scaled_rows
from captum_lite.widgets._token_matrix import TokenMatrix, token_matrix
from captum_lite.widgets._token_text import runs_left, visible
from namedtensor.widgets import Panel, View, source
from namedtensor.widgets.overlay import CLIPS
from namedtensor.widgets.packed import Packed

_JS = Path(__file__).parent / "js"
# those of viz.visualize_text, in the words of a style sheet
_COLOURS = {"positive": [178, 24, 43], "negative": [33, 102, 172], "neutral": [118, 42, 131]}


class Tokens(View):
    """The lines of tokens of a `TokenView`.

    Traits:
      selection: the number of the output whose inputs are shown.
      cursor: the input token under the pointer or reached by keys; None where there is none.
      threshold: magnitudes below this fraction of the scale's end have no colour.
      sign: "all", "positive", "negative" or "absolute_value".
      clip: where the colours end: "none" (the largest magnitude), "mass 98", "mass 90", "percentile 98".
      scale: "shared" by all outputs, or "each".
      unit: of the attributions.
    """

    _esm = source("core.js", _JS / "tokens.js")
    _css = source("core.css", _JS / "tokens.css")

    numbers = traitlets.Bytes().tag(sync=True)
    inputs = traitlets.List().tag(sync=True)
    outputs = traitlets.List().tag(sync=True)
    runs_left = traitlets.List(traitlets.Bool(), default_value=[False, False]).tag(sync=True)
    colours = traitlets.Dict(_COLOURS | {"opacity": 0.75 * OPACITY, "strokes": list(STROKES)}).tag(sync=True)
    selection = traitlets.Int(0).tag(sync=True)
    cursor = traitlets.Int(None, allow_none=True).tag(sync=True)
    threshold = traitlets.Float(0.0, min=0, max=1).tag(sync=True)
    sign = traitlets.Enum(["all", "positive", "negative", "absolute_value"], "all").tag(sync=True)
    clip = traitlets.Enum(CLIPS, "none").tag(sync=True)
    scale = traitlets.Enum(["shared", "each"], "shared").tag(sync=True)
    unit = traitlets.Unicode().tag(sync=True)

    @traitlets.validate("selection")
    def _there(self, proposal: Any) -> int:
        count = max(1, len(self.outputs))
        if not 0 <= proposal["value"] < count:
            raise traitlets.TraitError(
                f"selection={proposal['value']} is no output: there are {count}, 0 to {count - 1}."
            )
        return proposal["value"]


class TokenView(Panel):
    """Tokens coloured by attribution; choose one of several outputs, by mouse or keys, to see its inputs.

    Shown in a notebook it is interactive, and where widgets do not run (a saved page, a code-hosting site) it
    is plain HTML: `html`.

    Args:
      attributions: a named tensor ``"output input"`` or ``"input"``, an array ``[output, input]`` or
        ``[input]``, or an attribution record. Further dims are summed (the embedding); the dim of the tokens
        may be called ``token``, ``seq``, ``sequence``, ``position``, ``word``, ``time`` or ``pos`` as well.
      tokens: of the input, as text; the marks of sub-words (``##ing``, ``▁the``, ``Ġthe``) are understood.
      outputs: names of the outputs: tokens, or classes; their numbers by default.
      input_dim: the dim of the tokens, if it is called otherwise.
      output_dim: the dim of the outputs, if it is not ``output``; ``"batch"`` for a record whose rows each
        explain another output of one input.
      unit: of the attributions, "logit" say.
      sign: "all", "positive", "negative" or "absolute_value".
      clip: where the colours end, as in `Tokens`.
      scale: "shared" by all outputs, or "each" its own.
      threshold: magnitudes below this fraction of the scale's end have no colour.

    Traits:
      selection: the number of the output whose inputs are shown.

    Raises:
      ValueError: numbers that do not fit the tokens, NaN or infinity, no tokens, dims that leave open which
        is which.
      TypeError: tokens that are no text.

    Example:
      >>> import numpy as np
      >>> view = TokenView(np.array([[0.5, -1.0], [0.0, 2.0]]), ["not", "bad"], ["good", "bad"], unit="logit")
      >>> view.selection = 1
      >>> view.selected
      [('not', 0.0), ('bad', 2.0)]
    """

    title = "tokens by attribution"
    selection = traitlets.Int(0)

    def __init__(
        self,
        attributions: Any,
        tokens: Sequence[str],
        outputs: Sequence[str] | None = None,
        *,
        input_dim: str | None = None,
        output_dim: str | None = None,
        unit: str = "",
        sign: str = "all",
        clip: str = "none",
        scale: str = "shared",
        threshold: float = 0.0,
    ):
        """Check what is given, and show the first output."""
        self._matrix = token_matrix(attributions, tokens, outputs, input_dim, output_dim)
        look = {"unit": unit, "sign": sign, "clip": clip, "scale": scale, "threshold": threshold}
        self.tokens = Tokens(label="tokens by attribution", **_sent(self._matrix), **look)
        super().__init__([], [self.tokens])
        self.children = [child for child in self.children if child is not self.work]  # nothing is worked at
        traitlets.link((self.tokens, "selection"), (self, "selection"))

    @traitlets.validate("selection")
    def _there(self, proposal: Any) -> int:
        self.tokens.selection = proposal["value"]  # refuses what is not there
        return proposal["value"]

    @property
    def selected(self) -> list[tuple[str, float]]:
        """The tokens of the input, each with its attribution for the chosen output."""
        return list(zip(self._matrix.inputs, self._matrix.values[self.selection].tolist(), strict=True))

    @property
    def html(self) -> str:
        """The same without a script: outputs that open and close, values on hover."""
        look = self.tokens
        return as_html(
            self._matrix,
            chosen=self.selection,
            sign=str(look.sign),
            clip=_rule(str(look.clip)),
            shared=look.scale == "shared",
            threshold=look.threshold,
            unit=look.unit,
        )

    def _repr_html_(self) -> str:
        return self.html

    def _repr_mimebundle_(self, **how: Any) -> Any:
        """As a widget, and as HTML where widgets do not run."""
        shown = w.VBox._repr_mimebundle_(self, **how)
        data, metadata = shown if isinstance(shown, tuple) else (shown, {})
        return {**(data or {}), "text/html": self.html}, metadata

    def parts(self) -> list[View | str]:
        """The view; and, for a browser that runs no script, the HTML."""
        return [*super().parts(), f"<noscript>{self.html}</noscript>"]

    def figure(self) -> Figure:
        """The matrix as a matplotlib figure, or the tokens of a single output as bars."""
        look = self.tokens
        rows = scaled_rows(self._matrix, str(look.sign), _rule(str(look.clip)), look.scale == "shared")
        draw = bars if len(rows) == 1 else heat_map
        return draw(self._matrix, rows, self.selection, look.unit)


def _sent(matrix: TokenMatrix) -> dict[str, Any]:
    """The traits that carry the data."""
    packed = Packed()
    packed.add(matrix.values)
    outputs = matrix.outputs or ()
    return {
        "numbers": packed.tobytes(),
        "inputs": [_as_dict(t) for t in visible(matrix.inputs)],
        "outputs": [_as_dict(t) for t in visible(outputs)],
        "runs_left": [runs_left(matrix.inputs), runs_left(outputs)],
    }


def _as_dict(token: Token) -> dict[str, Any]:
    return dict(token._asdict())


def _rule(clip: str) -> tuple[str, float] | None:
    """A clip rule in the words of `captum_lite.viz`."""
    name, _, amount = clip.partition(" ")
    return (name, float(amount)) if name in _RULES else None
