"""What each misuse of `nt.nn` raises, and that its text says what is there and what to write."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor._errors import (
    BadPattern,
    DimMismatch,
    DuplicateDim,
    InvalidName,
    MissingDim,
    MissingName,
    RankMismatch,
    SizeMismatch,
    UnknownDim,
    Unsupported,
)

nn = nt.nn
RAW = np.ones((2, 8, 4), np.float32)
KEY = jax.random.key(0)


def x():
    return nt.ones("batch:2 seq:8 embed:4")


def integers():
    return nt.tensor(RAW.astype(np.int32), "batch seq embed")


def image():
    return nt.ones("batch:2 height:8 width:8 channel:4")


def kernel(shape="kh:3 kw:3 channel:4 feature:5"):
    return nt.ones(shape)


def conv(x=None, k=None, window=None, **more):
    window = {"height": "kh", "width": "kw"} if window is None else window
    return nn.conv(
        image() if x is None else x, kernel() if k is None else k, window, **{"over": "channel", **more}
    )


def attend(query="q d", key="k d", value="k d", **more):
    sized = lambda names: nt.ones(" ".join(f"{n}:{3 if n == 'k' else 2}" for n in names.split()))  # noqa: E731
    return nn.attention(sized(query), sized(key), sized(value), **{"over": "k", "features": "d", **more})


def norm(**more):
    return nn.layer_norm(x(), **{"over": "embed", **more})


X, IMAGE = "f32[batch:2 seq:8 embed:4]", "f32[batch:2 height:8 width:8 channel:4]"
CASES = {
    # linear and embedding
    "linear: the input lacks a dim": (lambda: nn.linear(x(), nt.ones("ff:3"), over="embd"), UnknownDim,
        ["nt.nn.linear(over='embd')", f"left {X}", "the input has no dim 'embd'", "Did you mean 'embed'?"]),
    "linear: the weight lacks a dim": (lambda: nn.linear(x(), nt.ones("em:4 ff:3"), over="embed"), UnknownDim,
        ["right f32[em:4 ff:3]", "the weight has no dim 'embed': its dims are 'em ff'"]),
    "linear: a bias of what is summed": (
        lambda: nn.linear(x(), nt.ones("embed:4 ff:3"), nt.ones("embed:4"), over="embed"), DimMismatch,
        ["operand 2 f32[embed:4]", "the bias has the dim 'embed', which the product sums over", "bias.rename(embed="]),
    "linear: sizes": (lambda: nn.linear(x(), nt.ones("embed:5 ff:3"), over="embed"), SizeMismatch,
        ["'embed' is 4 on the left, 5 on the right"]),
    "linear: a raw weight": (lambda: nn.linear(x(), RAW, over="embed"), MissingName, ["f32[2, 8, 4] has no names"]),
    "embedding: no such dim": (lambda: nn.embedding(x(), nt.tensor([0], "new")), UnknownDim,
        [X, "no dim 'vocab'", "'batch seq embed'"]),
    "embedding: raw ids": (lambda: nn.embedding(x(), np.array([0, 1]), over="embed"), Unsupported,
        [X, "'embed' cannot be indexed by", "nt.tensor(index,"]),
    "embedding: ids of floats": (lambda: nn.embedding(x(), nt.ones("new:2"), over="embed"), Unsupported,
        ["'embed' cannot be indexed by", "integer"]),
    "embedding: no name": (lambda: nn.embedding(x(), nt.tensor([0], "new"), over=3), InvalidName,
        ["nt.nn.embedding", X, "3 is not a name"]),
    # convolution
    "conv: no such spatial dim": (lambda: conv(window={"heigt": "kh", "width": "kw"}), UnknownDim,
        ["nt.nn.conv(window={'heigt': 'kh'", f"left {IMAGE}", "the input has no dim 'heigt'", "Did you mean 'height'?"]),
    "conv: no such window dim": (lambda: conv(window={"height": "k", "width": "kw"}), UnknownDim,
        ["the kernel has no dim 'k': its dims are 'kh kw channel feature'", "Did you mean 'kw'?"]),
    "conv: the kernel lacks the channel": (lambda: conv(k=kernel("kh:3 kw:3 feature:5")), UnknownDim,
        ["the kernel has no dim 'channel'"]),
    "conv: no window": (lambda: conv(window={}), BadPattern,
        ["window={} does not say which dims", "window={'height': 'kh', 'width': 'kw'}"]),
    "conv: a window by position": (lambda: conv(window=("kh", "kw")), BadPattern, ["window=('kh', 'kw') does not say"]),
    "conv: one window dim twice": (lambda: conv(window={"height": "kh", "width": "kh"}), DuplicateDim, ["'kh' stands twice"]),
    "conv: a spatial dim of the kernel": (
        lambda: conv(k=kernel("kh:3 kw:3 channel:4 height:8")), DuplicateDim,
        ["'height' is slid along in one operand, and the other has it", ".rename(height='height_2')"]),
    "conv: a window dim of the input": (
        lambda: nn.conv(image(), kernel("batch:2 channel:4"), {"height": "batch"}, over="channel"), DuplicateDim,
        ["'batch' is slid along in one operand", ".rename(batch='batch_2')"]),
    "conv: summed and slid along": (
        lambda: nn.conv(image(), kernel("height:3"), {"height": "height"}, over="height"), BadPattern,
        ["'height' is slid along and summed over", "over="]),
    "conv: sizes of groups": (lambda: conv(k=kernel("kh:3 kw:3 channel:3"), over=()), SizeMismatch,
        ["'channel' is 4 on the left, 3 on the right"]),
    "conv: no group": (
        lambda: nn.conv(nt.ones("t:4 g:0"), nt.ones("k:2 g:0"), {"t": "k"}), SizeMismatch,
        ["the groups 'g' are none"]),
    "conv: a window too large": (
        lambda: conv(k=kernel("kh:5 kw:3 channel:4"), dilation=2, padding="valid"), SizeMismatch,
        ["the window spans 9 rows of 'height', which has 8 with its padding", "padding='same'"]),
    "conv: a window of nothing": (lambda: conv(k=kernel("kh:0 kw:3 channel:4")), SizeMismatch, ["the window of 'height' has no row"]),
    "conv: stride 0": (lambda: conv(stride=0), BadPattern, ["stride=0", "whole number", "1"]),
    "conv: half a stride": (lambda: conv(stride=1.5), BadPattern, ["stride=1.5", "whole number"]),
    "conv: strides by position": (lambda: conv(stride=(2, 1)), BadPattern,
        ["stride=(2, 1) goes by position", "{'height': 2, ...}"]),
    "conv: a stride of another dim": (lambda: conv(stride={"channel": 2}), UnknownDim, ["no dim 'channel'", "'height width'"]),
    "conv: one stride of two": (lambda: conv(stride={"width": 2}), BadPattern, ["stride is given for 'width' of 'height width'"]),
    "conv: an unknown padding": (lambda: conv(padding="full"), BadPattern,
        ["padding='full' is not known", "'causal', 'same', 'valid', or a number of rows"]),
    "conv: paddings by position": (lambda: conv(padding=(1, 2)), BadPattern,
        ["padding=(1, 2) goes by position", "{'height': (before, after), ...}"]),
    "conv: a padding of three": (lambda: conv(padding={"height": (1, 2, 3), "width": 0}), BadPattern,
        ["padding=(1, 2, 3) has 3 parts", "(before, after)"]),
    "conv: a negative padding": (lambda: conv(padding=-1), BadPattern, ["padding=-1"]),
    "conv: a traced stride": (lambda: jax.jit(lambda s: conv(stride=s))(2), BadPattern, ["stride=", "traced"]),
    "conv: bools": (
        lambda: nn.conv(nt.ones("t:4").astype(bool), nt.ones("k:2").astype(bool), {"t": "k"}), Unsupported,
        ["bool values cannot be summed", "astype"]),
    "conv: a raw kernel": (lambda: nn.conv(image(), RAW, {"height": "kh"}), MissingName, ["f32[2, 8, 4] has no names"]),
    "conv_transpose: the kernel lacks a dim": (
        lambda: nn.conv_transpose(image(), kernel("kh:3 feature:5"), {"height": "kh"}, over="channel"), UnknownDim,
        ["nt.nn.conv_transpose(window={'height': 'kh'}, over='channel'", "the kernel has no dim 'channel'"]),
    "conv_transpose: too much padding": (
        lambda: nn.conv_transpose(nt.ones("t:2"), nt.ones("k:2"), {"t": "k"}, padding=5), SizeMismatch,
        ["padding=(5, 5) takes away more than the 3 rows of 't'", "fewer rows"]),
    # pooling
    "pool: no such dim": (lambda: nn.max_pool(image(), {"heigth": 2}), UnknownDim,
        ["nt.nn.max_pool(window={'heigth': 2}", IMAGE, "no dim 'heigth'", "Did you mean 'height'?"]),
    "pool: no window": (lambda: nn.avg_pool(image(), 2), BadPattern, ["window=2 does not say which dims", "{'height': 2, 'width': 2}"]),
    "pool: a window of 0": (lambda: nn.min_pool(image(), {"height": 0}), BadPattern, ["nt.nn.min_pool", "window=0"]),
    "pool: a window too large": (lambda: nn.max_pool(image(), {"height": 9}), SizeMismatch,
        ["the window spans 9 rows of 'height', which has 8"]),
    "pool: no bool": (lambda: nn.avg_pool(image(), {"height": 2}, count_padding=1), BadPattern, ["count_padding=1 is not a bool"]),
    "pool: no order": (lambda: nn.max_pool(image().astype("complex64"), {"height": 2}), Unsupported, ["c64 values have no order"]),
    "pool: a raw array": (lambda: nn.max_pool(RAW, {"height": 2}), MissingName, ["has no names"]),
    # resize
    "resize: no such dim": (lambda: nn.resize(image(), {"heigth": 2}), UnknownDim,
        ["nt.nn.resize(sizes={'heigth': 2}, method='linear'", IMAGE, "Did you mean 'height'?"]),
    "resize: sizes by position": (lambda: nn.resize(image(), (4, 4)), BadPattern, ["(4, 4) has no names"]),
    "resize: a size of 0": (lambda: nn.resize(image(), {"height": 0}), BadPattern, ["the size of 'height' is 0"]),
    "resize: a size of half a row": (lambda: nn.resize(image(), {"height": 2.5}), BadPattern, ["the size of 'height' is 2.5"]),
    "resize: an unknown method": (lambda: nn.resize(image(), {"height": 2}, method="bilinaer"), BadPattern,
        ["method='bilinaer' is not known", "nearest, linear"]),
    "resize: a method of another kind": (lambda: nn.resize(image(), {"height": 2}, method=["linear"]), BadPattern, ["method=['linear'] is not known"]),
    "resize: of nothing": (lambda: nn.resize(nt.zeros("height:0"), {"height": 2}), SizeMismatch,
        ["'height' is 0: there is nothing to resize"]),
    # norms
    "norm: no such dim": (lambda: norm(over="embd"), UnknownDim,
        ["nt.nn.layer_norm(over='embd', epsilon=1e-05)", X, "no dim 'embd'", "Did you mean 'embed'?"]),
    "norm: over nothing": (lambda: norm(over=""), BadPattern, ["over='' names no dim", "over='embed'"]),
    "norm: over no name": (lambda: norm(over=None), InvalidName, [X, "None is not a list of names"]),
    "norm: over a number": (lambda: norm(over=[-1]), InvalidName, [X, "-1 is not a name"]),
    "norm: epsilon below 0": (lambda: norm(epsilon=-1), BadPattern, ["epsilon=-1 is outside [0, inf)"]),
    "norm: epsilon is a text": (lambda: norm(epsilon="small"), BadPattern, ["epsilon='small' is not a number"]),
    "norm: epsilon is an array": (lambda: norm(epsilon=jnp.ones(3)), BadPattern, ["epsilon=f32[3] is not a number"]),
    "norm: epsilon is traced": (lambda: jax.jit(lambda e: norm(epsilon=e))(0.1), BadPattern, ["epsilon=f32[] is not a number"]),
    "norm: integers": (lambda: nn.layer_norm(integers(), over="embed"), Unsupported,
        ["x is i32, and this needs floating numbers", "x.astype('float32')"]),
    "norm: a raw scale": (lambda: norm(scale=np.ones(4)), MissingName, ["left f32[batch:2 seq:8 embed:4]", "right f64[4]", "has no names"]),
    "norm: a complex scale": (lambda: norm(scale=1j), Unsupported, ["the scale is c64"]),
    "norm: sizes of the scale": (lambda: norm(scale=nt.ones("embed:3")), SizeMismatch, ["'embed' is 4 on the left, 3 on the right"]),
    "rms_norm: integers": (lambda: nn.rms_norm(integers(), over="embed"), Unsupported, ["nt.nn.rms_norm(over='embed'", "i32"]),
    "l2_normalize: integers": (lambda: nn.l2_normalize(integers(), over="embed"), Unsupported, ["nt.nn.l2_normalize(", "i32"]),
    "instance_norm: no such dim": (lambda: nn.instance_norm(x(), over="height"), UnknownDim, ["nt.nn.instance_norm(", X]),
    "moments: integers": (lambda: nn.moments(integers(), "embed"), Unsupported, ["nt.nn.moments(over='embed')", "i32"]),
    "moments: over nothing": (lambda: nn.moments(x(), ()), BadPattern, ["names no dim"]),
    "batch_norm: a mean without a variance": (lambda: nn.batch_norm(x(), over="batch", mean=0.0), BadPattern,
        ["nt.nn.batch_norm(over='batch'", "mean is given without variance", "both, or neither"]),
    "batch_norm: a variance without a mean": (lambda: nn.batch_norm(x(), over="batch", variance=1.0), BadPattern,
        ["variance is given without mean"]),
    "batch_norm: a mean of each example": (
        lambda: nn.batch_norm(x(), over="batch", mean=nt.ones("batch:2"), variance=1.0), DimMismatch,
        ["the mean has the dim 'batch', and is said to be taken over it", "nt.nn.moments(x, over)"]),
    "group_norm: groups do not divide": (
        lambda: nn.group_norm(x(), dim="embed", groups=3, over="seq"), SizeMismatch,
        ["nt.nn.group_norm(dim='embed', groups=3, over='seq'", "'embed' is 4, which 3 groups do not divide"]),
    "group_norm: no groups": (lambda: nn.group_norm(x(), dim="embed", groups=0, over="seq"), BadPattern, ["groups=0"]),
    "group_norm: no such dim": (lambda: nn.group_norm(x(), dim="channel", groups=2, over="seq"), UnknownDim, ["no dim 'channel'"]),
    "group_norm: two dims": (lambda: nn.group_norm(x(), dim="seq embed", groups=2, over=""), InvalidName, ["'seq embed' is not a name"]),
    # dropout
    "dropout: a rate of 1": (lambda: nn.dropout(x(), 1.0, key=KEY), BadPattern,
        ["nt.nn.dropout", X, "rate=1.0 is outside [0, 1)"]),
    "dropout: a rate below 0": (lambda: nn.dropout(x(), -0.1, key=KEY), BadPattern, ["rate=-0.1 is outside [0, 1)"]),
    "dropout: a rate of nan": (lambda: nn.dropout(x(), float("nan"), key=None), BadPattern, ["rate=nan is outside [0, 1)"]),
    "dropout: a rate of True": (lambda: nn.dropout(x(), True, key=KEY), BadPattern, ["rate=True is not a number"]),
    "dropout: a rate for each": (lambda: nn.dropout(x(), nt.zeros("batch:2"), key=KEY), Unsupported, ["the rate has the dims 'batch'"]),
    "dropout: a rate beyond 1 in a tensor": (lambda: nn.dropout(x(), nt.tensor(2.0, ""), key=None), BadPattern, ["rate=2.0 is outside [0, 1)"]),
    "dropout: an array of rates": (lambda: nn.dropout(x(), np.zeros(2), key=KEY), BadPattern, ["rate=f64[2] is not a number"]),
    "dropout: no such dim": (lambda: nn.dropout(x(), 0.5, key=KEY, over="embd"), UnknownDim,
        ["nt.nn.dropout(over='embd')", "Did you mean 'embed'?"]),
    "dropout: no such dim, without a key": (lambda: nn.dropout(x(), 0.5, key=None, over="embd"), UnknownDim, [X, "no dim 'embd'"]),
    "dropout: no key": (lambda: nn.dropout(x(), 0.5, key=0), Unsupported,
        [X, "key=0 is not a random key", "jax.random.key(0)"]),
    "dropout: several keys": (lambda: nn.dropout(x(), 0.5, key=jax.random.split(KEY, 3)), Unsupported,
        ["is several keys", "nt.vmap(f, over='...')"]),
    "dropout: integers": (lambda: nn.dropout(integers(), 0.5, key=KEY), Unsupported, ["x is i32"]),
    "dropout: a raw array": (lambda: nn.dropout(RAW, 0.5, key=KEY), MissingName, ["f32[2, 8, 4] has no names"]),
    "dropout: a raw array, without a key": (lambda: nn.dropout(RAW, 0.5, key=None), MissingName, ["has no names"]),
    # attention
    "attention: the query has the softmax's dim": (lambda: attend(query="k d"), DuplicateDim,
        ["nt.nn.attention(over='k', features='d')", "operand 0 f32[k:3 d:2]", "operand 2 f32[k:3 d:2]",
         "the query has the dim 'k' that the softmax runs over", "x.rename(k='key_k'), and over='key_k'"]),
    "attention: the key was not renamed": (lambda: attend(key="q d"), UnknownDim,
        ["the key has no dim 'k': its dims are 'q d'", "key.rename(pos='k')"]),
    "attention: the value was not renamed": (lambda: attend(value="q d"), UnknownDim, ["the value has no dim 'k'"]),
    "attention: the key lacks the features": (lambda: attend(key="k e"), UnknownDim, ["the key has no dim 'd': its dims are 'k e'"]),
    "attention: the query lacks the features": (lambda: attend(query="q e"), UnknownDim, ["the query has no dim 'd'"]),
    "attention: one dim for both": (lambda: attend(key="k d", features="k", query="k"), BadPattern, ["'k' is in over= and in features="]),
    "attention: no features": (lambda: attend(features=""), BadPattern, ["features='' names no dim"]),
    "attention: a mask of numbers": (lambda: attend(mask=nt.ones("q:2 k:3")), Unsupported,
        ["operand 3 f32[q:2 k:3]", "the mask is f32", "mask > 0", "bias="]),
    "attention: a mask as bias": (lambda: attend(bias=nt.ones("q:2 k:3") > 0), Unsupported, ["the bias is bool", "mask="]),
    "attention: scale is True": (lambda: attend(scale=True), Unsupported, ["the scale is bool"]),
    "attention: a complex bias": (lambda: attend(bias=1j), Unsupported, ["the bias is c64, and this needs real numbers"]),
    "attention: a mask of another dim": (lambda: attend(mask=nt.ones("q:2 kk:3") > 0), UnknownDim,
        ["the mask has the dim 'kk', and the scores have 'q k'", "Did you mean 'k'?"]),
    "attention: a bias of another dim": (lambda: attend(bias=nt.ones("head:2")), UnknownDim, ["the bias has the dim 'head'"]),
    "attention: a scale of the features": (lambda: attend(scale=nt.ones("d:2")), UnknownDim, ["the scale has the dim 'd'"]),
    "attention: a mask of another size": (lambda: attend(mask=nt.ones("q:3") > 0), SizeMismatch, ["'q' is 2 in operand 0, 3 in operand 3"]),
    "attention: a raw mask": (lambda: attend(mask=np.ones((2, 3), bool)), MissingName, ["bool[2, 3] has no names"]),
    "attention: causal is True": (lambda: attend(causal=True), BadPattern, ["causal=True does not say which dim", "causal='pos'"]),
    "attention: causal is unknown": (lambda: attend(causal="pos"), UnknownDim, ["the query has no dim 'pos'", "causal= is the query's sequence dim"]),
    "attention: causal is the key's": (lambda: attend(causal="d"), BadPattern, ["causal='d' is a dim of the key too"]),
    "attention: causal over two dims": (
        lambda: nn.attention(nt.ones("q:2 d:2"), nt.ones("i:2 j:2 d:2"), nt.ones("i:2 j:2"), over="i j", features="d", causal="q"),
        BadPattern, ["causal= with over='i j' has no order", "mask="]),
    "attention: integers": (
        lambda: nn.attention(*[nt.tensor([[1, 2]], n) for n in ("q d", "k d", "k d")], over="k", features="d"), Unsupported,
        ["the promoted dtype of query, key and value is i32"]),
    # positions
    "rope: no such dim": (lambda: nn.rope(x(), over="pos", features="embed"), UnknownDim,
        ["nt.nn.rope(over='pos', features='embed'", X, "x has no dim 'pos'"]),
    "rope: an odd size": (lambda: nn.rope(nt.ones("seq:2 embed:3"), over="seq", features="embed"), SizeMismatch, ["'embed' is 3, and pairs are needed"]),
    "rope: one dim for both": (lambda: nn.rope(x(), over="seq", features="seq"), BadPattern, ["'seq' is in over= and in features="]),
    "rope: positions that all share": (
        lambda: nn.rope(x(), 5, over="seq", features="embed"), MissingDim, ["lack 'seq'", "nt.arange('seq', size) + n"]),
    "rope: positions of another dim": (
        lambda: nn.rope(x(), nt.ones("seq:8 time:2"), over="seq", features="embed"), UnknownDim, ["x has no dim 'time'"]),
    "rope: positions of features": (
        lambda: nn.rope(x(), nt.ones("seq:8 embed:4"), over="seq", features="embed"), BadPattern, ["the positions have the dim 'embed'"]),
    "rope: positions that are bools": (
        lambda: nn.rope(x(), nt.ones("seq:8") > 0, over="seq", features="embed"), Unsupported, ["the positions are bool"]),
    "rope: base 0": (lambda: nn.rope(x(), over="seq", features="embed", base=0), BadPattern, ["base=0 is outside (0, inf)"]),
    "rope: interleaved is a text": (lambda: nn.rope(x(), over="seq", features="embed", interleaved="yes"), BadPattern, ["interleaved='yes' is not a bool"]),
    "rope: integers": (lambda: nn.rope(integers(), over="seq", features="embed"), Unsupported, ["x is i32"]),
    "waves: no such dim": (lambda: nn.sinusoidal_positions("pos:4 embed:4", over="seq", features="embed"), UnknownDim,
        ["nt.nn.sinusoidal_positions(shape='pos:4 embed:4', over='seq'", "the shape has no dim 'seq'"]),
    "waves: an odd size": (lambda: nn.sinusoidal_positions("pos:4 embed:3", over="pos", features="embed"), SizeMismatch, ["'embed' is 3"]),
    "waves: one dim for both": (lambda: nn.sinusoidal_positions("pos:4 embed:4", over="pos", features="pos"), BadPattern, ["'pos' is in over= and in features="]),
    "waves: a dim more": (lambda: nn.sinusoidal_positions("b:2 pos:4 embed:4", over="pos", features="embed"), BadPattern, ["more dims than a position and its features"]),
    "waves: no sizes": (lambda: nn.sinusoidal_positions("pos embed", over="pos", features="embed"), BadPattern, ["'pos' has no size"]),
    # losses
    "cross_entropy: no such dim": (lambda: nn.cross_entropy(x(), nt.tensor([0, 1], "batch"), "class"), UnknownDim,
        ["nt.nn.cross_entropy(over='class')", f"left {X}", "no dim 'class'"]),
    "cross_entropy: smoothing": (lambda: nn.cross_entropy(x(), nt.tensor([0, 1], "batch"), "embed", label_smoothing=1.5), BadPattern,
        ["label_smoothing=1.5 is outside [0, 1]"]),
    "cross_entropy: labels of floats": (lambda: nn.cross_entropy(x(), nt.zeros("batch:2"), "embed"), Unsupported,
        ["the labels are float32 and have no dim 'embed'", "class numbers as integers"]),
    "cross_entropy: integers": (lambda: nn.cross_entropy(integers(), nt.tensor([0, 1], "batch"), "embed"), Unsupported, ["the first operand is i32"]),
    "nll: two dims": (lambda: nn.nll(x(), nt.tensor([0, 1], "batch"), "seq embed"), InvalidName, ["'seq embed' is not a name"]),
    "kl_divergence: q lacks the dim": (lambda: nn.kl_divergence(x(), nt.ones("batch:2"), "embed"), UnknownDim, ["log_q has no dim 'embed'"]),
    "kl_divergence: integers": (lambda: nn.kl_divergence(integers(), integers(), "embed"), Unsupported, ["log_p or log_q is i32"]),
    "binary_cross_entropy: integers": (lambda: nn.binary_cross_entropy(integers(), 1), Unsupported, ["nt.nn.binary_cross_entropy", "i32"]),
    "binary_cross_entropy: complex labels": (lambda: nn.binary_cross_entropy(x(), 1j), Unsupported, ["the label is c64"]),
    "hinge: complex labels": (lambda: nn.hinge(x(), 1j), Unsupported, ["the label is c64"]),
    "hinge: bools": (lambda: nn.hinge(x(), nt.ones("batch:2") > 0), Unsupported, ["the labels are bools", "2 * labels - 1"]),
    "squared_error: integers": (lambda: nn.squared_error(integers(), integers()), Unsupported, ["nt.nn.squared_error", "i32"]),
    "absolute_error: sizes": (lambda: nn.absolute_error(x(), nt.ones("embed:3")), SizeMismatch, ["'embed' is 4 on the left, 3 on the right"]),
    "huber: delta 0": (lambda: nn.huber(x(), 0.0, delta=0), BadPattern, ["nt.nn.huber(delta=0)", "delta=0 is outside (0, inf)"]),
    "cosine_similarity: y lacks the dim": (lambda: nn.cosine_similarity(x(), nt.ones("seq:8"), "embed"), UnknownDim, ["y has no dim 'embed'"]),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "parts"), CASES.values(), ids=CASES)
def test_error(call, error, parts):
    with pytest.raises(error) as caught:
        call()
    missing = [part for part in parts if part not in str(caught.value)]
    assert not missing, str(caught.value)
    assert str(caught.value).count("\n") == 1, "the call and its operands first, then what is wrong"


UNARY = {
    "avg_pool": lambda x: nn.avg_pool(x, {"seq": 2}),
    "batch_norm": lambda x: nn.batch_norm(x, over="seq"),
    "conv": lambda x: nn.conv(x, nt.ones("k:3"), {"seq": "k"}),
    "conv_transpose": lambda x: nn.conv_transpose(x, nt.ones("k:3"), {"seq": "k"}),
    "cosine_similarity": lambda x: nn.cosine_similarity(x, x, "seq"),
    "cross_entropy": lambda x: nn.cross_entropy(x, 1, "seq"),
    "dropout": lambda x: nn.dropout(x, 0.5, key=KEY),
    "group_norm": lambda x: nn.group_norm(x, dim="embed", groups=2, over="seq"),
    "kl_divergence": lambda x: nn.kl_divergence(x, x, "seq"),
    "layer_norm": lambda x: nn.layer_norm(x, over="seq"),
    "linear": lambda x: nn.linear(x, nt.ones("embed:4 f:2"), over="embed"),
    "moments": lambda x: nn.moments(x, "seq"),
    "resize": lambda x: nn.resize(x, {"seq": 2}),
    "rope": lambda x: nn.rope(x, over="seq", features="embed"),
    "squared_error": lambda x: nn.squared_error(x, 1.0),
}


@pytest.mark.parametrize("call", UNARY.values(), ids=UNARY)
def test_a_raw_array_and_a_tensor_in_transit_are_refused(call):
    with pytest.raises(MissingName, match="has no names"):
        call(RAW)
    with pytest.raises(MissingName):
        call(None)
    with pytest.raises(RankMismatch, match="in transit"):
        call(nt.ones("layer:2 batch:2 seq:8 embed:4").peel("layer"))
