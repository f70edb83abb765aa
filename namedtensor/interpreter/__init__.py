"""The jaxpr interpreter that every transformation of this project is a rule table for."""

from namedtensor.interpreter import control_flow  # registers the handlers of calls and loops
from namedtensor.interpreter.convolutions import fast_convolutions
from namedtensor.interpreter.equation import Equation
from namedtensor.interpreter.frame import Frame
from namedtensor.interpreter.marks import tap
from namedtensor.interpreter.outline import Outline, Place, outline
from namedtensor.interpreter.rules import RuleTable, UnsupportedPrimitiveError, bind
from namedtensor.interpreter.taps import UnknownTapError, capture, list_taps, replace
from namedtensor.interpreter.walk import interpret

__all__ = [
    "Equation",
    "Frame",
    "Outline",
    "Place",
    "RuleTable",
    "UnknownTapError",
    "UnsupportedPrimitiveError",
    "bind",
    "capture",
    "control_flow",
    "fast_convolutions",
    "interpret",
    "list_taps",
    "outline",
    "replace",
    "tap",
]
