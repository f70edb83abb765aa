"""How alike two sentences are, when nobody sees them: a pretrained transformer on secret shares.

Each of two clients looks its tokens up in the table of embeddings, which is public, and shares 16 embedded
tokens; the six layers run on shares of both at once. What is known of the weights and of the sentences'
lengths varies. All parties and the dealer are in this process, without a network (`ct.simulate`); rounds and
bytes are counted before (`ct.estimate`), revealing the cosine included, sharing apart.

Run: python benchmarks/private_minilm.py        (after `make minilm`; `--profile` says where the time goes)
"""

import argparse
import cProfile
import os
import pstats
import time
from collections.abc import Iterator
from typing import Any

import jax

import crypten_lite as ct
from namedtensor.models import minilm

MB, POS, WARM = 1e6, 16, 7
# what is public of the weights, the tokens and the mask
CASES = {"weights shared": (2,), "weights public": (0, 2), "weights and lengths shared": ()}
PAIRS = [
    ("A man is playing a guitar on stage.", "Someone performs music with an instrument."),
    ("The patient reported mild chest pain after exercise.", "She felt her heart when she climbed stairs."),
    ("Please cancel my subscription.", "How do I reset my password?"),
    ("They sat on the bank of the river.", "The bank raised its interest rate."),
    ("The cat sleeps on the warm windowsill.", "The cat sleeps on the warm windowsill."),
]


def cosine(weights: Any, x: Any, mask: Any) -> Any:
    vectors = minilm.encode(weights, x, mask)
    return vectors.isel(batch=0).dot("embed", vectors.isel(batch=1))


def inputs(params: Any, tokenizer: minilm.Tokenizer) -> Iterator[tuple[Any, Any]]:
    """Of each pair the embedded tokens and the mask."""
    for pair in PAIRS:
        both = tokenizer(pair, length=POS)
        yield minilm.embed(params, both.ids), both.mask


class Running:
    """The encoder in a session of its own, whose weights are shared once."""

    def __init__(self, weights: Any, public: tuple[int, ...]):
        """Share what is secret of the weights."""
        self.public, self.session = public, ct.simulate(parties=2)
        self.weights = weights if 0 in public else self.session.share(weights)

    def __call__(self, x: Any, mask: Any) -> tuple[float, float]:
        """The cosine, and the seconds from sharing to revealing."""
        start = time.perf_counter()
        known = mask if 2 in self.public else self.session.share(mask)
        got = ct.private(cosine)(self.weights, self.session.share(x), known).reveal()
        return float(got.array), time.perf_counter() - start


def row(name: str, weights: Any, given: list[tuple[Any, Any]]) -> str:
    public = CASES[name]
    cost = ct.estimate(cosine, weights, *given[0], public=public)
    jax.clear_caches()
    running = Running(weights, public)
    cold = running(*given[0])[1]
    error = max(abs(running(*each)[0] - float(cosine(weights, *each).array)) for each in given)
    warm = min(running(*given[0])[1] for _ in range(WARM))
    sent = [b / MB for b in (cost.bytes_per_party, cost.dealer_bytes, cost.sharing_bytes)]
    counted = " | ".join(f"{b:.3g}" for b in sent)
    return f"| {name} | {cost.rounds} | {counted} | {cold:.2f} | {warm:.2f} | {error:.1e} |"


def profile(weights: Any, given: list[tuple[Any, Any]]) -> None:
    """Where a warm run spends its time, by function."""
    running, watch = Running(weights, (2,)), cProfile.Profile()
    running(*given[0])
    watch.runcall(running, *given[0])
    pstats.Stats(watch).sort_stats("cumulative").print_stats("crypten_lite", 40)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--profile", action="store_true", help="where the time goes, instead of the table")
    params, tokenizer = minilm.load()
    given = list(inputs(params, tokenizer))
    weights = {name: p for name, p in params.items() if name != "embedding"}
    if arguments.parse_args().profile:
        return profile(weights, given)
    print(f"jax {jax.__version__}, {jax.default_backend()}, {os.cpu_count()} cores\n")
    print(
        "| | rounds | MB a party | MB from the dealer | MB of sharing | cold, s | warm, s | largest error |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in CASES:
        print(row(name, weights, given), flush=True)
    print(f"\n{ct.estimate(cosine, weights, *given[0], public=CASES['weights shared'])}")
    return None


if __name__ == "__main__":
    main()
