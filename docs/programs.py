r"""The formulas of Named Tensor Notation as programs, one function each, and the page that shows them.

The notation is that of Chiang, Rush, Barak 2021, *Named Tensor Notation* (arXiv:2102.13196). Each
function is compared with loops in NumPy by tests/namedtensor/test_programs.py.

Run: python docs/programs.py        (writes docs/programs.md)
"""

import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import namedtensor as nt
from namedtensor import NamedTensor as Tensor


# Networks
def feedforward(w: Tensor, b: Tensor, x: Tensor) -> Tensor:
    r"""$X^1 = \sigma(W \odot_{inp} X^0 + b)$"""
    return nt.sigmoid(w.dot("inp", x) + b)


def fullconn(layers: Sequence[tuple[Tensor, Tensor]], x: Tensor) -> Tensor:
    r"""$X^l = [\sigma(W^l \odot_{layer} X^{l-1} + b^l)]_{layer' \to layer}$"""
    for w, b in layers:
        x = nt.sigmoid(w.dot("layer", x) + b).rename({"layer'": "layer"})
    return x


def rnn(wh: Tensor, wi: Tensor, b: Tensor, h0: Tensor, x: Tensor) -> Tensor:
    r"""$h^t = [\sigma(W^h \odot_{hidden} h^{t-1} + W^i \odot_{inp} x^t + b)]_{hidden' \to hidden}$"""

    def step(h, x):
        h = nt.sigmoid(wh.dot("hidden", h) + wi.dot("inp", x) + b).rename({"hidden'": "hidden"})
        return h, h

    _, states = nt.scan(step, h0, x, over="time")
    return states


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | float) -> Tensor:
    r"""$\operatorname{softmax}_{seq}\Big(\frac{Q \odot_{key} K}{\sqrt{|key|}} + M\Big) \odot_{seq} V$"""
    weights = nt.softmax(q.dot("key", k) / k.shape["key"] ** 0.5 + mask, "seq")
    return weights.dot("seq", v)


def conv1d(w: Tensor, b: Tensor, x: Tensor) -> Tensor:
    r"""$W \odot_{chans, kernel} \operatorname{unroll}_{seq, kernel} X + b$"""
    return x.unroll("seq", "kernel", w.shape["kernel"]).dot("chans kernel", w) + b


def conv2d(w: Tensor, b: Tensor, x: Tensor) -> Tensor:
    r"""$W \odot_{chans, kh, kw} \operatorname{unroll}_{height, kh} \operatorname{unroll}_{width, kw} X + b$"""
    windows = x.unroll("height", "kh", w.shape["kh"]).unroll("width", "kw", w.shape["kw"])
    return windows.dot("chans kh kw", w) + b


def maxpool1d(x: Tensor, size: int) -> Tensor:
    r"""$\max_{kernel} \operatorname{pool}_{seq, kernel} X$"""
    return x.pool("seq", "kernel", size).max("kernel")


def maxpool2d(x: Tensor, size: int) -> Tensor:
    r"""$\max_{kh, kw} \operatorname{pool}_{height, kh} \operatorname{pool}_{width, kw} X$"""
    return x.pool("height", "kh", size).pool("width", "kw", size).max("kh kw")


# Normalisation
def standardize(x: Tensor, epsilon: float = 1e-5) -> Tensor:
    r"""$\frac{X - \operatorname{mean}_{ax} X}{\sqrt{\operatorname{var}_{ax} X + \epsilon}}$"""
    return (x - x.mean("ax")) / nt.sqrt(x.var("ax") + epsilon)  # it is x.standardize("ax") too


def batchnorm(x: Tensor, g: Tensor, b: Tensor) -> Tensor:
    r"""$\operatorname{standardize}_{batch, layer}(X) \odot \gamma + \beta$, with γ and β in $R^{chans}$"""
    return x.standardize("batch layer") * g + b


def instancenorm(x: Tensor, g: Tensor, b: Tensor) -> Tensor:
    r"""$\operatorname{standardize}_{layer}(X) \odot \gamma + \beta$, with γ and β in $R^{chans}$"""
    return x.standardize("layer") * g + b


def layernorm(x: Tensor, g: Tensor, b: Tensor) -> Tensor:
    r"""$\operatorname{standardize}_{layer, chans}(X) \odot \gamma + \beta$, γ and β in $R^{chans, layer}$"""
    return x.standardize("layer chans") * g + b


def groupnorm(x: Tensor, g: Tensor, b: Tensor, groups: int) -> Tensor:
    r"""$\big[\operatorname{standardize}_{kernel, layer} \operatorname{pool}_{chans, kernel} X\big]_{(chans, kernel) \to chans} \odot \gamma + \beta$"""
    split = x.split("chans", "group kernel", group=groups).standardize("kernel layer")
    return split.merge("group kernel", "chans") * g + b


# The transformer
def embedding(e: Tensor, positions: Tensor, ids: Tensor) -> Tensor:
    r"""$X^0 = (E \odot_{vocab} I)\sqrt{|layer|} + P$, with the one-hot $I$ as an index"""
    return e[{"vocab": ids}] * e.shape["layer"] ** 0.5 + positions


def self_attention(p: Mapping[str, Tensor], x: Tensor, mask: Tensor | float) -> Tensor:
    r"""$W^O \odot_{heads, val} [\operatorname{Attention}(W^Q \odot_{layer} [X]_{seq \to seq'}, W^K \odot_{layer} X, W^V \odot_{layer} X, M)]_{seq' \to seq}$"""
    q = p["q"].dot("layer", x.rename({"seq": "seq'"}))
    mixed = attention(q, p["k"].dot("layer", x), p["v"].dot("layer", x), mask)
    return p["o"].dot("heads val", mixed.rename({"seq'": "seq"})).rename({"layer'": "layer"})


def feedforward_block(p: Mapping[str, Tensor], x: Tensor) -> Tensor:
    r"""$[W^2 \odot_{hidden} \operatorname{relu}(W^1 \odot_{layer} X + b^1) + b^2]_{layer' \to layer}$"""
    hidden = nt.relu(p["w1"].dot("layer", x) + p["b1"])
    return (p["w2"].dot("hidden", hidden) + p["b2"]).rename({"layer'": "layer"})


def transformer(p: Mapping, ids: Tensor, mask: Tensor | float) -> Tensor:
    r"""$T^l = \operatorname{LayerNorm}(\operatorname{SelfAtt}(X^{l-1}) + X^{l-1})$,
    $X^l = \operatorname{LayerNorm}(\operatorname{FFN}(T^l) + T^l)$,
    $O = \operatorname{softmax}_{vocab}(E \odot_{layer} X^L)$
    """
    x = embedding(p["e"], p["positions"], ids)
    for layer in p["layers"]:
        t = (self_attention(layer, x, mask) + x).standardize("layer") * layer["g1"] + layer["o1"]
        x = (feedforward_block(layer, t) + t).standardize("layer") * layer["g2"] + layer["o2"]
    return nt.softmax(p["e"].dot("layer", x), "vocab")


# Images
def lenet(p: Mapping[str, Tensor], x: Tensor) -> Tensor:
    r"""Two convolutions with max pooling, two full connections, a softmax over the classes; the dense layer
    reads height, width and channels as they are: $W \odot_{height, width, chans} X$, nothing is flattened
    """
    t = maxpool2d(nt.relu(conv2d(p["conv1"], p["b1"], x)), 2).rename({"chans'": "chans"})
    t = maxpool2d(nt.relu(conv2d(p["conv2"], p["b2"], t)), 2).rename({"chans'": "chans"})
    t = nt.relu(p["dense"].dot("height width chans", t) + p["b3"])
    return nt.softmax(p["out"].dot("hidden", t) + p["b4"], "classes")


# Other programs
def bayes(likelihood: Tensor, prior: Tensor) -> Tensor:
    r"""$p(A \mid B) = \frac{p(B \mid A) \odot p(A)}{p(B \mid A) \odot_{A} p(A)}$"""
    return likelihood * prior / likelihood.dot("A", prior)


def cbow(e: Tensor, w: Tensor, ids: Tensor) -> Tensor:
    r"""$\operatorname{softmax}_{classes}\big(W \odot_{emb} \sum_{seq} E \odot_{vocab} X\big)$"""
    return nt.softmax(w.dot("emb", e[{"vocab": ids}].sum("seq")), "classes")


def kmeans_step(centres: Tensor, x: Tensor) -> Tensor:
    r"""$Q = \operatorname{argmin}_{clusters} \operatorname{norm}_{d}(C - X)$,
    $C \leftarrow \frac{\sum_{batch} Q \odot X}{\sum_{batch} Q}$
    """
    nearest = nt.norm(centres - x, "d").argmin("clusters")
    q = nt.one_hot(nearest, "clusters", centres.shape["clusters"])
    return q.dot("batch", x) / q.sum("batch")


def beam_step(h: Tensor, s: Tensor, f: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    r"""$H' = \max_{beam}(H \odot f(S))$, then the best states become the new beam:
    $\operatorname{maxk}_{state, beam} H'$
    """
    return (h * f(s)).max("beam").top_k("state", k=h.shape["beam"], new="beam")


def multivariate_normal(x: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    r"""$\frac{\exp\big(-\frac12 [\Sigma^{-1}] \odot_{d1, d2} [X-\mu]_{d \to d1} \odot [X-\mu]_{d \to d2}\big)}{\sqrt{(2\pi)^{|d|} \det \Sigma}}$"""
    z = x - mean
    square = nt.linalg.inv(covariance, "d1 d2").dot("d1 d2", z.rename(d="d1"), z.rename(d="d2"))
    volume = nt.linalg.det(covariance, "d1 d2") * (2 * math.pi) ** x.shape["d"]
    return nt.exp(-0.5 * square) / nt.sqrt(volume)


def sudoku(x: Tensor) -> Tensor:
    r"""$X \in \{0, 1\}^{height[9], width[9], assign[9]}$ is solved when each cell has one digit, and each row,
    column and square of three by three has each digit once
    """
    squares = x.split("height", "height' h", h=3).split("width", "width' w", w=3)
    sums = [x.sum("assign"), x.sum("height"), x.sum("width"), squares.sum("h w")]
    return nt.stack([(s == 1).all() for s in sums], "constraint").all()


HEAD = """# Named Tensor Notation, as programs

The formulas of Chiang, Rush, Barak 2021, [*Named Tensor Notation*](https://arxiv.org/abs/2102.13196), one function
each. $A \\odot_{ax} B$ is `a.dot("ax", b)`, $[X]_{a \\to b}$ is `x.rename(a="b")`, and a function with a name as its index
works along that dim. Dims that a line does not mention are batch dims of it. Each function is compared with loops in
NumPy by the tests. The page is written by `python docs/programs.py`.
"""


def page() -> str:
    """The page: heading, formula and code of each function, in the order of this file."""
    here = Path(__file__).read_text()
    parts = [HEAD]
    for line in here.splitlines():
        if line.startswith("# "):
            parts.append(f"## {line[2:]}\n")
        elif line.startswith("def ") and (name := line[4:].partition("(")[0]) != "page":
            function = globals()[name]
            formula = inspect.cleandoc(function.__doc__)
            code = re.sub(r'    r""".*?"""\n', "", inspect.getsource(function), count=1, flags=re.DOTALL)
            parts.append(f"### {name}\n\n{formula}\n\n```python\n{code.strip()}\n```\n")
        if line.startswith("HEAD"):
            break
    return "\n".join(parts)


if __name__ == "__main__":
    Path(__file__).with_suffix(".md").write_text(page())
