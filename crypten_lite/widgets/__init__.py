"""Interactive widgets for JupyterLab; they need the ``lab`` extra."""

from namedtensor._optional import optional

with optional("lab"):
    import ipywidgets as _ipywidgets  # noqa: F401  (says how to get it, before the imports below fail)

from crypten_lite.widgets.explorer import PrivacyExplorer
from crypten_lite.widgets.records import Measured, PrivateRun

__all__ = ["Measured", "PrivacyExplorer", "PrivateRun"]
