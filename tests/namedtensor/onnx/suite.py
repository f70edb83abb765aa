"""The cases that the onnx wheel brings for those who run its operators: made in memory, or on its disk."""

import dataclasses
import functools
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import onnx
from onnx.backend.test.loader import load_model_tests

import namedtensor as nt

# Kinds of cases that are left out, each with its reason; the page is generated from this.
LEFT_OUT = {
    "strings": "texts are no arrays of numbers",
    "sequences and optionals": "values that are no tensors have no place in a JAX program",
    "training": "optimisers, and dropout while training: randomness is a key here, and optax trains",
    "random numbers": "an operator that draws numbers without a key; the results of the cases are not checked either",
    "below 8 bits, and float8": "int2, int4, float4 and float8 numbers: storage formats, which the models of this project do not use",
    "image files": "decoding JPEG and PNG is for a library of images, before the model",
    "other domains": "ai.onnx.ml (trees, encoders) and previews of operators that are not part of ONNX yet",
}
# Cases that end with an error, each with its reason.
REFUSED = {
    f"test_tfidfvectorizer_{name}": "counting n-grams (TfIdfVectorizer) is for a library of texts"
    for name in (
        "tf_batch_onlybigrams_skip0", "tf_batch_onlybigrams_skip5", "tf_batch_uniandbigrams_skip5", "tf_only_bigrams_skip0",
        "tf_onlybigrams_levelempty", "tf_onlybigrams_skip5", "tf_uniandbigrams_skip5",
    )
}  # fmt: skip
KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")
_SMALL = re.compile(r"FLOAT8|FLOAT4|INT4|UINT4|INT2|UINT2|FLOAT6|E8M0")


@dataclasses.dataclass(frozen=True)
class Case:
    """A model, its inputs and what it should give."""

    name: str
    kind: str
    source: Any

    def parts(self) -> tuple[Any, list[tuple[list[Any], list[Any]]]]:
        """The ModelProto, and pairs of inputs and outputs."""
        if self.source.model is not None:
            return self.source.model, self.source.data_sets
        folder = Path(self.source.model_dir)
        sets = [
            [_values(d, kind) for kind in ("input", "output")] for d in sorted(folder.glob("test_data_set_*"))
        ]
        return onnx.load(folder / "model.onnx"), sets


def _values(folder: Path, kind: str) -> list[Any]:
    files = sorted(folder.glob(f"{kind}_*.pb"), key=lambda p: int(p.stem.split("_")[1]))
    return [onnx.numpy_helper.to_array(onnx.TensorProto.FromString(f.read_bytes())) for f in files]


@functools.cache
def cases(kind: str) -> tuple[Case, ...]:
    """All cases of a kind: "node", "simple", "pytorch-converted", "pytorch-operator"."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # some of the cases divide by zero while they are made
        return tuple(Case(c.name, kind, c) for c in load_model_tests(kind=kind))


def left_out(case: Case) -> str | None:
    """The reason for which a case is not run; None if it is."""
    model = case.source.model if case.source.model is not None else case.parts()[0]
    if any(word in case.name for word in ("bernoulli", "training_dropout")) or "_training" in case.name:
        return "random numbers" if "bernoulli" in case.name else "training"
    domains = {n.domain for n in model.graph.node} - {"", "ai.onnx"}
    if "ai.onnx.preview.training" in domains:
        return "training"
    if domains:
        return "other domains"
    if any(n.op_type == "ImageDecoder" for n in model.graph.node):
        return "image files"
    types = [v.type for v in (*model.graph.input, *model.graph.output, *model.graph.value_info)]
    if any(not t.HasField("tensor_type") for t in types):
        return "sequences and optionals"
    kinds = {onnx.TensorProto.DataType.Name(n) for n in _dtypes(model)}
    if "STRING" in kinds:
        return "strings"
    if any(
        n.op_type.startswith(("Sequence", "SplitToSequence", "Optional", "ConcatFromSequence"))
        for n in model.graph.node
    ):
        return "sequences and optionals"
    return "below 8 bits, and float8" if any(map(_SMALL.search, kinds)) else None


def _dtypes(model: Any) -> Iterator[int]:
    for value in (*model.graph.input, *model.graph.output):
        yield value.type.tensor_type.elem_type
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name in ("to", "dtype", "output_dtype"):
                yield attribute.i
            if attribute.HasField("t"):
                yield attribute.t.data_type


def run(case: Case) -> None:
    """Load the case's model, run it, and compare.

    Raises:
      AssertionError: another value, shape or dtype.
    """
    model, sets = case.parts()
    loaded = nt.interop.onnx.load(model)
    for inputs, expected in sets:
        given = [_array(x) for x in inputs]
        out = loaded(*given)
        for found, wanted in zip(out if isinstance(out, tuple) else (out,), expected, strict=True):
            wanted = _array(wanted)
            assert found.shape == wanted.shape
            assert found.dtype == jax.dtypes.canonicalize_dtype(wanted.dtype)
            np.testing.assert_allclose(
                np.asarray(found).astype(np.complex128 if wanted.dtype.kind == "c" else np.float64),
                wanted.astype(np.complex128 if wanted.dtype.kind == "c" else np.float64),
                rtol=max(case.source.rtol, _rounding(wanted.dtype)), atol=case.source.atol,
            )  # fmt: skip


def _rounding(dtype: np.dtype) -> float:
    """Two units in the last place: XLA rounds the results of fused operations once, the cases each of them."""
    return 2 * float(jax.numpy.finfo(dtype).eps) if dtype.kind in "fV" else 0.0


def _array(x: Any) -> np.ndarray:
    return onnx.numpy_helper.to_array(x) if isinstance(x, onnx.TensorProto) else np.asarray(x)
