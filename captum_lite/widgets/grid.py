"""Methods by images: where do they agree, what does each cost, and how far is each to be trusted?"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as w
import numpy as np
import traitlets
from matplotlib.figure import Figure

from captum_lite import viz
from captum_lite.widgets import _facts as facts
from captum_lite.widgets import _ranks as ranks
from captum_lite.widgets._images import row, samples, scores_of
from captum_lite.widgets._look import clip_of, finish, sign_of, zoom
from captum_lite.widgets._rows import FIRST, Cell, Row, cell, joined, rows_of, summary
from namedtensor import tensor
from namedtensor.widgets import Job, Overlay, OverlayPanel, Panel

_MOST = 16  # images side by side: more would be stamps
_PIXELS = 2**23  # of all pictures together
_HEAD = ("method", "time for an image", "evaluations for an image", "largest gap", "largest estimated error")
_CAPTION = (
    "A gap is a lower bound on the error. The first call of a method may compile it, and is left out of its "
    "time where there are others."
)


class MethodGrid(Panel):
    """Methods down, images across: one hover, one zoom, one look for all.

    The methods run one after the other in the background, and each picture appears when it is known. A method
    that raises shows its message in its row, and the others go on. Cancel keeps what is there; `run` starts
    again.

    Args:
      fun: images -> scores ``[batch class]``.
      images: as for `AttributionExplorer`; 16 at most.
      methods: names, as `captum_lite.methods.find` knows them; or name -> method of a function, or name ->
        pair of it and its options: ``{"IG, 8 steps": (IntegratedGradients(fun), {"n_steps": 8})}``. What
        perturbs pixels and is asked for by name alone does so in squares, 196 of them at most.
      targets: the class of each image, or one for all; by default the class that the model sees.
      baseline: for the methods that compare: a number, an image, or one for each; zero by default.
      labels: the true class of each image.
      class_names: names of the classes.
      display: what is drawn in place of ``images``, from 0 to 1.
      ranks_of: what the rank correlation ranks: "absolute_value" (which pixels matter; compares methods with
        a sign and without) or "all" (the values with their signs).

    Traits:
      attributions: name -> `Attribution` of all images, for the methods that have finished.
      correlation: ``[method method']``, the rank correlation of those methods, in their order: Spearman's
        over the pixels of an image, mean over the images. NaN where a map is the same everywhere.

    Raises:
      ValueError: no images or too many, no methods, a name that there is not, targets of another number.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite.widgets import MethodGrid
      >>> images = jnp.linspace(0, 1, 8).reshape(2, 2, 2)
      >>> fun = lambda x: jnp.stack([x.sum((1, 2)), x[:, 0, 0]], 1)
      >>> grid = MethodGrid(fun, images, ["saliency", "input x gradient"])
      >>> grid.wait()
      >>> list(grid.attributions), grid.correlation.shape
      (['saliency', 'input x gradient'], Shape(method:2 method':2))
    """

    title = "Attribution methods side by side"
    attributions = traitlets.Dict(default_value={})
    correlation = traitlets.Any(None, allow_none=True)

    def __init__(
        self,
        fun: Callable[..., Any],
        images: Any,
        methods: Sequence[str] | Mapping[str, Any] = FIRST,
        *,
        targets: Any = None,
        baseline: Any = None,
        labels: Any = None,
        class_names: Sequence[str] | None = None,
        display: Any = None,
        ranks_of: str = "absolute_value",
    ):
        """Show the images, and run the methods."""
        them = samples(images, labels, class_names, display)
        _require_few(len(them))
        self._fun, self._samples = fun, them.within(_PIXELS // (len(them) * (len(methods) + 3)))
        self._rows = rows_of(fun, methods, self._samples)
        self._targets, self._baseline = _checked_targets(targets, len(self._samples)), baseline
        if ranks_of not in ("absolute_value", "all"):
            raise ValueError(f"ranks_of={ranks_of!r}: rank the 'absolute_value' of attributions, or 'all'.")
        self._signed = ranks_of == "all"
        self._cells: dict[tuple[str, int], Cell] = {}
        self._errors: dict[str, str] = {}
        self._chosen: list[int] = []  # the targets, once they are known
        self.overlay = Overlay(label="attributions by method and image", scale="shared", tools=["look"])
        self.overlay.coords = self._samples.coordinates()
        self.summary, self.ranks = w.HTML(), w.HTML()
        self.again = w.Button(
            description="Run", tooltip="run all methods again", layout=w.Layout(width="120px")
        )
        self.again.on_click(lambda _: self.run())
        super().__init__([], [self.overlay, self.summary, self.ranks, self.again])
        self.add_class("captum-lite-grid")
        self.run()

    # ---- running

    def run(self) -> None:
        """Run all methods, in the background; what ran before is cancelled."""
        self.start(self._work, "asking the model ...")

    def _work(self, job: Job) -> None:
        """One method after the other (in the job's thread)."""
        self._cells, self._errors, self._chosen = {}, {}, []
        self.attributions, self.correlation = {}, None
        self._chosen = self._chosen_targets()
        job.show(self._show)
        for k, (name, asked) in enumerate(self._rows.items()):
            if job.cancel.is_set():
                return
            self.work.text = f"{name} ..."
            try:
                self._fill(name, asked, k, job)
            except Exception as error:  # whatever one method raises, the others go on
                self._errors = {**self._errors, name: str(error) or type(error).__name__}
            self._finish_row(name)
            job.show(self._show)

    def _chosen_targets(self) -> list[int]:
        if self._targets is not None:
            return self._targets
        each = range(len(self._samples))
        return [int(scores_of(self._fun(self._samples.one(i))).argmax()) for i in each]

    def _fill(self, name: str, asked: Row, k: int, job: Job) -> None:
        """The cells of one method."""
        n = len(self._samples)
        for i in range(n):
            if job.cancel.is_set():
                return
            done = (k * n + i, len(self._rows) * n)
            found = cell(
                asked,
                self._samples,
                i,
                row(self._baseline, i),
                self._chosen[i],
                first=i == 0,
                cancel=job.cancel,
                show_progress=lambda part, done=done: job.report((done[0] + part) / done[1]),
            )
            # a new dict each time: who reads it in another thread reads a whole one
            self._cells = {**self._cells, (name, i): found}
            job.show(self._show)

    def _finish_row(self, name: str) -> None:
        """The record of a method whose cells are all there."""
        cells = self._cells_of(name)
        if len(cells) < len(self._samples) or name in self._errors or cells[-1].record.status == "stopped":
            return
        self.attributions = {**self.attributions, name: joined([c.record for c in cells])}
        maps = {k: [c.values for c in self._cells_of(k)] for k in self.attributions}
        values = ranks.rank_correlation(maps, signed=self._signed)
        self.correlation = tensor(values.astype(np.float32), "method method'")

    def _cells_of(self, name: str) -> list[Cell]:
        cells = self._cells
        return [cells[name, i] for i in range(len(self._samples)) if (name, i) in cells]

    # ---- showing

    def _show(self) -> None:
        """Draw what is known; nothing is computed."""
        names = list(self._rows)
        pictures = [self._samples.picture(i) for i in range(len(self._samples))]
        panels = [
            OverlayPanel(image=p, column=i, note=self._seen(i), index={"batch": i})
            for i, p in enumerate(pictures)
        ]
        panels += [
            OverlayPanel(
                image=pictures[i],
                map=found.values,
                row=1 + names.index(name),
                column=i,
                note=found.note(),
                group=name,
                index={"method": name, "batch": i},
            )
            for (name, i), found in self._cells.items()
            if name not in self._errors
        ]
        remarks = {str(1 + names.index(name)): text for name, text in self._errors.items()}
        self.overlay.put(panels, rows=["image", *names], columns=self._titles(), remarks=remarks)
        self.summary.value, self.ranks.value = self._summary(), self._rank_table()

    def _titles(self) -> list[str]:
        return [f"for {self._samples.class_name(target)}" for target in self._chosen]

    def _seen(self, i: int) -> str:
        truth = self._samples.truth(i)
        return f"sample {i}" if truth is None else f"labelled {truth}"

    def _summary(self) -> str:
        lines = []
        for name in self._rows:
            cells = self._cells_of(name)
            if name in self._errors:
                lines.append([name, "failed", "", "", ""])
            elif cells:
                n = len(self._samples)
                stopped = len(cells) < n or cells[-1].record.status == "stopped"
                part = f" ({len(cells)} of {n}, not finished)" if stopped else ""
                lines.append([name + part, *summary(cells)])
        return facts.table(lines, _HEAD, _CAPTION) if lines else ""

    def _rank_table(self) -> str:
        if self.correlation is None or len(self.attributions) < 2:
            return ""
        names, values = list(self.attributions), np.asarray(self.correlation.array)
        return ranks.as_table(names, values, signed=self._signed)

    def fail(self, error: Exception) -> None:
        """One message, and no stale pictures."""
        self.overlay.put([], rows=[], columns=[], remarks={})
        self.summary.value = self.ranks.value = ""
        super().fail(error)

    # ---- figures

    def figure(self) -> Figure:
        """The finished methods as a matplotlib figure, with the look that is set in the widget.

        Raises:
          ValueError: no method has finished (yet).
        """
        names, overlay = list(self.attributions), self.overlay
        if not names:
            raise ValueError("there is nothing to draw: no method has finished (yet).")
        maps = {name: [c.values for c in self._cells_of(name)] for name in names}
        drawn = viz.grid(
            maps,
            [self._samples.picture(i) for i in range(len(self._samples))],
            method="blended_heat_map",
            sign={name: sign_of(overlay, some) for name, some in maps.items()},
            clip=clip_of(overlay),
            opacity=overlay.opacity,
            norm=overlay.scale,
            column_titles=self._titles(),
            cell_notes={name: [c.note() for c in self._cells_of(name)] for name in names},
        )
        for picture in (p for some in drawn.pictures.values() for p in some):
            finish(picture, overlay)
            if picture.colorbar is not None:
                picture.colorbar.mappable.set_cmap(picture.image.get_cmap())
        height, width = maps[names[0]][0].shape
        for ax in drawn.axes[0]:
            zoom(ax, height, width, overlay)
        return drawn.figure


def _require_few(n: int) -> None:
    if n > _MOST:
        raise ValueError(
            f"there are {n} images, and a grid shows {_MOST} side by side at most: give some of them, "
            "images.isel(batch=slice(0, 6)) or images[:6]."
        )


def _checked_targets(targets: Any, n: int) -> list[int] | None:
    if targets is None:
        return None
    found = np.asarray(getattr(targets, "array", targets))
    if found.dtype.kind not in "iu" or found.shape not in ((), (n,)):
        raise ValueError(
            f"targets={targets!r}: give the number of a class for all {n} images, or one for each of them."
        )
    return [int(t) for t in np.broadcast_to(found, n)]
