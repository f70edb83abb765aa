"""Widgets for JupyterLab, and what those of the other packages are made of; they need the ``lab`` extra."""

from namedtensor._optional import optional

with optional("lab"):
    import anywidget as _anywidget  # noqa: F401  (says how to get it, before the imports below fail)

from namedtensor.widgets.chart import Chart, line
from namedtensor.widgets.controls import Slider, Work
from namedtensor.widgets.job import Job
from namedtensor.widgets.model_explorer import ModelExplorer
from namedtensor.widgets.overlay import Overlay, OverlayPanel
from namedtensor.widgets.panel import Panel
from namedtensor.widgets.tensor_explorer import TensorExplorer
from namedtensor.widgets.view import View, source

__all__ = [
    "Chart",
    "Job",
    "ModelExplorer",
    "Overlay",
    "OverlayPanel",
    "Panel",
    "Slider",
    "TensorExplorer",
    "View",
    "Work",
    "line",
    "source",
]
