"""The named operations: one file a naming rule, one line an operation.

Importing this package attaches them to `NamedTensor` as methods and operators.
"""

from namedtensor.ops import along, contract, elementwise, factories, index, random, reduce, shape

__all__ = ["along", "contract", "elementwise", "factories", "index", "random", "reduce", "shape"]
