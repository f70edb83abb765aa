"""Two controls that ipywidgets has only without a name for those who do not see them."""

from typing import Any

import traitlets

from namedtensor.widgets.view import View, source


class Slider(View):
    """A slider that writes its value back once, when it is let go.

    Traits:
      value: the number, from ``min`` to ``max`` in steps of ``step``.
      disabled: whether it is for looking at only.
    """

    _esm = source("core.js", "slider.js")
    value = traitlets.Float().tag(sync=True)
    min = traitlets.Float(0.0).tag(sync=True)
    max = traitlets.Float(1.0).tag(sync=True)
    step = traitlets.Float(0.01).tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)

    @traitlets.validate("value")
    def _in_range(self, proposal: Any) -> float:
        return min(max(proposal["value"], self.min), self.max)


class Work(View):
    """A bar of progress, and a button that cancels.

    Traits:
      fraction: how much is done, from 0 to 1.
      text: beside the bar.
      running: whether it is shown.
    """

    _esm = source("core.js", "work.js")
    label = traitlets.Unicode("work that runs").tag(sync=True)
    fraction = traitlets.Float(0.0).tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)
    running = traitlets.Bool(False).tag(sync=True)
