"""Interactive widgets for JupyterLab; they need the ``lab`` extra."""

from namedtensor._optional import optional

with optional("lab"):
    import ipywidgets as _ipywidgets  # noqa: F401  (says how to get it, before the import below fails)

from captum_lite.widgets.brush import PerturbationBrush
from captum_lite.widgets.explorer import AttributionExplorer
from captum_lite.widgets.grid import MethodGrid
from captum_lite.widgets.tokens import TokenView

__all__ = ["AttributionExplorer", "MethodGrid", "PerturbationBrush", "TokenView"]
