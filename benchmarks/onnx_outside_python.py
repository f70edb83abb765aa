"""A model run where there is no Python: the digits CNN as an ONNX file, in Node by onnxruntime's WebAssembly.

    python benchmarks/onnx_outside_python.py

The program in `onnx_in_node` is installed into a temporary folder, without running any script of a package;
it needs node and npm. What it prints: how far the logits are from JAX's, how many digits get the same
label, and the time of a batch in both.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

import namedtensor as nt
from namedtensor.interop.onnx.writing import save
from namedtensor.models import digits_cnn

PROGRAM = Path(__file__).parent / "onnx_in_node"
RUNS = 20
CLOSE = 1e-5  # of the largest logit: both sum in float32, in different orders


def main() -> int:
    if not (shutil.which("node") and shutil.which("npm")):
        print("node and npm are needed: https://nodejs.org")
        return 1
    images, params = digits()
    logits, ours = timed(params, images)
    with tempfile.TemporaryDirectory() as folder:
        saved = save(digits_cnn.apply, params, images, f"{folder}/digits.onnx", dynamic="batch")
        theirs = in_node(Path(folder), saved, images)
    output = theirs["outputs"][saved.outputs[0]]
    return report(saved, logits, np.reshape(output["data"], output["dims"]), ours, theirs)


def digits() -> tuple[Any, Any]:
    """The held-out digits and the trained parameters."""
    return nt.datasets.digits.load("heldout").images, digits_cnn.load()


def timed(params: Any, images: Any) -> tuple[np.ndarray, float]:
    """The logits of JAX, and the milliseconds of a compiled call."""
    f = jax.jit(digits_cnn.apply)
    logits = f(params, images).to_numpy("batch class")
    start = time.perf_counter()
    for _ in range(RUNS):
        jax.block_until_ready(f(params, images))
    return logits, 1e3 * (time.perf_counter() - start) / RUNS


def in_node(folder: Path, saved: Any, images: Any) -> dict[str, Any]:
    """What the program in Node says of the file."""
    for name in ("package.json", "run.mjs"):
        shutil.copy(PROGRAM / name, folder)
    quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(["npm", "install", "--ignore-scripts", *quiet], cwd=folder, check=True)
    array = images.to_numpy("batch height width")
    given = {"name": saved.inputs[0], "dims": array.shape, "data": array.ravel().tolist()}
    (folder / "input.json").write_text(json.dumps(given))
    command = ["node", "run.mjs", saved.path.name, "input.json"]
    run = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return json.loads(run.stdout)


def report(saved: Any, ours: np.ndarray, theirs: np.ndarray, jax_ms: float, node: dict[str, Any]) -> int:
    far = np.abs(ours - theirs).max() / np.abs(ours).max()
    agree = (ours.argmax(1) == theirs.argmax(1)).mean()
    print(f"file: {saved.bytes / 1e3:.0f} kB, {saved.nodes} nodes, opset {saved.opset}; {len(ours)} digits")
    print(f"{node['runtime']} in Node: off by {far:.1e} of the largest logit, labels equal: {agree:.1%}")
    ratio = node["milliseconds"] / jax_ms
    print(f"a batch: {node['milliseconds']:.2f} ms in Node, {jax_ms:.2f} ms in JAX, ratio {ratio:.2f}")
    return 0 if far < CLOSE and agree == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
