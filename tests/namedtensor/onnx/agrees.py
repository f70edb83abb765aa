"""Whether the compiled program of nodes gives what onnxruntime gives; what NumPy would give is not asked."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import helper

import namedtensor as nt
from tests.namedtensor.onnx import build
from tests.namedtensor.onnx.rows import Row, loaded, same, together


def agrees(rows: Sequence[Row], expected: Sequence[Any] | None = None) -> None:
    m = together(*rows)
    m.proto.opset_import.extend(
        helper.make_opsetid(domain, 1) for domain in {r.attributes.get("domain", "") for r in rows} - {""}
    )
    wanted = m.parted(build.runtime(m.proto, *m.given.values()) if expected is None else expected)
    found = m.parted(nt.interop.onnx.load(m.proto)(**m.given))
    for row, ours, theirs in zip(rows, found, wanted, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            same(a, np.asarray(b), str(row))


def computed(row: Row) -> Any:
    """What one node gives here."""
    return loaded(row)(*row.given.values())
