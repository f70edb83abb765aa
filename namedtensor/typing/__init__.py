"""Names in annotations: ``Named["batch seq"]``, and `typed`, which checks them at each call.

A check reads names and sizes, which are known while JAX traces, so a compiled function contains
nothing of it.
"""

from namedtensor.typing.names import Named
from namedtensor.typing.signature import typed

__all__ = ["Named", "typed"]
