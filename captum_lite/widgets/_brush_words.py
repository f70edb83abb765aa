"""What the brush says: bars, lines and facts, of numbers that are there."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from captum_lite.metrics import Curve
from captum_lite.widgets import _facts as facts
from captum_lite.widgets._erasure import DELETION, INSERTION, ORDERS, RANDOM
from captum_lite.widgets._images import Samples
from namedtensor.widgets import line

NOTE_OF_PAGE = (
    "<p class='nt-note'>A saved page has no model: painting here covers pixels, and asks nothing.</p>"
)
_MOST = 10  # bars
_LINES = {
    DELETION: "deletion: the largest go first",
    INSERTION: "insertion: the largest come first",
    RANDOM: f"random deletion, mean of {ORDERS} orders",
}


def are_probabilities(scores: np.ndarray) -> bool:
    """Whether the scores of one image are probabilities already."""
    return bool(scores.min() >= 0 and abs(float(scores.sum()) - 1) < 1e-3)


def softmax(scores: np.ndarray) -> np.ndarray:
    """The scores of one image on one scale."""
    shares = np.exp(scores - scores.max())
    return shares / shares.sum()


def bars(
    before: np.ndarray, after: np.ndarray | None, target: int, name: Callable[[int], str]
) -> list[dict[str, Any]]:
    """The scores of the classes that matter: the highest before or after, and the target."""
    highest = before if after is None else np.maximum(before, after)
    chosen = sorted({target, *np.argsort(-highest, stable=True)[:_MOST].tolist()})
    names = [name(i) + (" (target)" if i == target else "") for i in chosen]
    made = [line("whole image", names, before[chosen].tolist())]
    return made if after is None else [*made, line("covered", names, after[chosen].tolist())]


def lines(curves: Mapping[str, Curve], painted: tuple[float, float] | None) -> list[dict[str, Any]]:
    """The curves over the percentage of pixels, and where the mask stands."""
    made = []
    for name, curve in curves.items():
        scores = np.asarray(curve.scores).mean(axis=1).tolist()
        made.append(line(_LINES[name], (100 * np.asarray(curve.fractions)).tolist(), scores))
    return made if painted is None else [*made, line("the cover now", [painted[0]], [painted[1]])]


def facts_of(
    them: Samples,
    asked: Any,
    before: np.ndarray,
    after: np.ndarray | None,
    covered: np.ndarray,
    curves: Mapping[str, Curve],
) -> str:
    """The table below the charts."""
    truth = them.truth(asked.sample)
    rows = [("whole image", facts.prediction(before, them.class_name(int(before.argmax())), truth))]
    if after is None:
        rows.append(("covered", "nothing yet: paint on the image, or erase the top of an attribution"))
    else:
        share = f"{int(covered.sum())} of {covered.size} pixels ({covered.mean():.1%})"
        seen = facts.prediction(after, them.class_name(int(after.argmax())), None)
        then, now = float(before[asked.target]), float(after[asked.target])
        change = f"{then:.3g}, now {now:.3g} ({now - then:+.3g})"
        rows += [("covered", f"{share}: {seen}"), (f"score of {them.class_name(asked.target)}", change)]
    rows += [("area under the curve", area) for area in [areas(curves)] if area]
    return facts.table(
        [(k, v.replace("-", "\N{MINUS SIGN}")) if k.startswith("score") else (k, v) for k, v in rows]
    )


def areas(curves: Mapping[str, Curve]) -> str:
    """The areas of the curves that are whole."""
    whole = {k: np.asarray(c.auc) for k, c in curves.items() if float(c.fractions[-1]) == 1}
    said = []
    if DELETION in whole:
        said.append(f"deletion {whole[DELETION][0]:.3g} (small is good)")
    if INSERTION in whole:
        said.append(f"insertion {whole[INSERTION][0]:.3g} (large is good)")
    if RANDOM in whole:
        spread = f"{whole[RANDOM].mean():.3g} \N{PLUS-MINUS SIGN} {whole[RANDOM].std(ddof=1):.2g}"
        said.append(f"random deletion {spread} over {ORDERS} orders")
    unfinished = "" if len(whole) == len(curves) else "; the other curves are not whole"
    return ", ".join(said) + unfinished if curves else ""
