"""Colour maps for the browser: those of matplotlib, so that a widget and a paper's figure agree."""

import base64
import json

import matplotlib
import numpy as np

# Never jet, never red beside green: both mislead, and one in twelve men cannot read the second.
SIGNED = ("RdBu_r", "PuOr_r", "PRGn")
UNSIGNED = ("viridis", "cividis", "gray")


def palettes() -> str:
    """JSON: name -> 256 colours as base64 of ``[256, rgb]`` bytes."""
    return json.dumps({name: _encoded(name) for name in (*SIGNED, *UNSIGNED)})


def _encoded(name: str) -> str:
    colours = matplotlib.colormaps[name](np.arange(256), bytes=True)[:, :3]
    return base64.b64encode(np.ascontiguousarray(colours).tobytes()).decode()
