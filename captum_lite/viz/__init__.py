"""Pictures of attributions, on numpy and matplotlib.

`show` draws one picture, `grid` a table of methods by samples; the functions with Captum's names draw
pictures, time series and text in Captum's words. Nothing else in `captum_lite` imports this folder
while it is imported, so attribution runs without matplotlib.
"""

from namedtensor._optional import optional

with optional("lab"):
    import matplotlib as _matplotlib  # noqa: F401  (says how to get it, before the imports below fail)

from captum_lite.viz._captum import visualize_image_attr as visualize_image_attr
from captum_lite.viz._captum import (
    visualize_image_attr_multiple as visualize_image_attr_multiple,
)
from captum_lite.viz._grid import grid as grid
from captum_lite.viz._image import show as show
from captum_lite.viz._text import VisualizationDataRecord as VisualizationDataRecord
from captum_lite.viz._text import visualize_text as visualize_text
from captum_lite.viz._timeseries import visualize_timeseries_attr as visualize_timeseries_attr
