"""Interactive widgets for JupyterLab; they need the ``lab`` extra."""

from captum_lite.widgets.explorer import AttributionExplorer

__all__ = ["AttributionExplorer"]
