"""The rules of `private`: primitive -> protocol, in one table."""

from crypten_lite.rules import (
    arithmetic,
    choices,
    control,
    functions,
    indexing,
    linear,
    logic,
    pooling,
    refusals,
    running,
    structure,
)
from crypten_lite.rules.table import secret_rules

__all__ = [
    "arithmetic",
    "choices",
    "control",
    "functions",
    "indexing",
    "linear",
    "logic",
    "pooling",
    "refusals",
    "running",
    "secret_rules",
    "structure",
]
