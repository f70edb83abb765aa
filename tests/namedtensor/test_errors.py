"""What each mistake raises, and that its text says what was asked, what there is, and what to write."""

import operator
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor import _errors
from namedtensor._errors import (
    BadPattern,
    DimMismatch,
    DuplicateDim,
    InvalidName,
    MissingDim,
    MissingName,
    NamedShapeError,
    RankMismatch,
    SizeMismatch,
    UnknownDim,
    Unsupported,
)
from namedtensor.interpreter import UnknownTapError


def x():
    return nt.ones("batch:8 seq:16")


def y():
    return nt.ones("batch:8 embed:32")


def moving():
    """A tensor whose leading axis is in transit."""
    return nt.ones("layer:4 batch:8 seq:16").peel("layer")


def ids():
    return nt.tensor([0, 1], "seq")


RAW, X = np.ones((8, 16), np.float32), "f32[batch:8 seq:16]"
LEFT, RIGHT = f"left {X}", f"right {X}"
NO_NAMES = "f32[8, 16] has no names"
IN_TRANSIT = ["(4, 8, 16)", "'batch seq'", "in transit", "nt.vmap(f, over='...')", "y.name('...')"]

CASES = {
    # names that are not there
    "unknown dim, near miss": (lambda: x().sum("sec"), UnknownDim,
        ["UnknownDim in nt.sum(over='sec')", X, "no dim 'sec'", "'batch seq'", "Did you mean 'seq'?"]),
    "unknown dim, nothing near": (lambda: x().softmax("kitchen"), UnknownDim,
        ["nt.softmax(over='kitchen')", X, "no dim 'kitchen'", "'batch seq'"]),
    "unknown dim of a scalar": (lambda: nt.tensor(1.0, "").sum("seq"), UnknownDim,
        ["f32[]", "no dim 'seq'", "there are none (it is a scalar)"]),
    "unknown dim in dot": (lambda: x().dot("embed", x()), UnknownDim,
        ["nt.dot(over='embed')", LEFT, RIGHT, "no dim 'embed'"]),
    "dim of one operand in dot": (lambda: x().dot("seq", y()), MissingDim,
        ["MissingDim in nt.dot(over='seq')", LEFT, "'seq' is a dim of one operand alone", "x.sum('seq')"]),
    "dim of two operands of three in dot, and of one": (lambda: nt.dot(x(), x(), y(), over=["batch", "embed"]), MissingDim,
        ["nt.dot(over='batch embed')", "'embed' is a dim of one operand alone"]),
    "unknown dim in argmax": (lambda: x().argmax("vocab"), UnknownDim, ["nt.argmax(over='vocab')", X]),
    "unknown dim in isel": (lambda: x().isel(sequence=0), UnknownDim,
        ["nt.isel(sequence=...)", X, "no dim 'sequence'"]),
    "unknown dim in x[...]": (lambda: x()[{"sep": 0}], UnknownDim, [X, "Did you mean 'seq'?"]),
    "unknown dim in a slice": (lambda: x().isel(time=slice(2)), UnknownDim, [X, "no dim 'time'"]),
    "unknown dim in rename": (lambda: x().rename(time="t"), UnknownDim, ["nt.rename", X, "no dim 'time'"]),
    "unknown dim in order": (lambda: x().order("time ..."), UnknownDim, ["nt.order(pattern='time ...')", X]),
    "unknown dim in to_array": (lambda: x().to_array("batch sea"), MissingDim,
        [X, "'batch sea' leaves out 'seq', and there is no dim 'sea'", "Did you mean 'seq'?"]),
    "unknown dim beside all": (lambda: x().to_array("batch seq sea"), UnknownDim, [X, "no dim 'sea'"]),
    "unknown dim in split": (lambda: x().split("time", "a b", a=2), UnknownDim, ["nt.split(dim='time'", X]),
    "unknown part in split": (lambda: x().split("seq", "outer inner", outr=2), UnknownDim,
        ["no dim 'outr'", "'outer inner'", "Did you mean 'outer'?"]),
    "unknown dim in merge": (lambda: x().merge("batch time", "all"), UnknownDim,
        ["nt.merge(dims='batch time'", X]),
    "unknown dim in concat": (lambda: nt.concat([x(), x()], "time"), UnknownDim,
        ["nt.concat(dim='time')", LEFT, RIGHT]),
    "unknown dim in unstack": (lambda: x().unstack("time"), UnknownDim, ["no dim 'time'", "'batch seq'"]),
    "unknown dim in peel": (lambda: x().peel("time"), UnknownDim, [X, "no dim 'time'"]),
    "unknown dim in shape": (lambda: x().shape["sep"], UnknownDim,
        ["no dim 'sep'", "'batch seq'", "Did you mean 'seq'?"]),
    "unknown dim in vmap": (lambda: nt.vmap(lambda t: t, over="time")(x()), UnknownDim,
        ["nt.vmap(over='time')", X, "'batch seq'"]),
    "unknown dim in conv": (lambda: nt.nn.conv(x(), nt.ones("k:3"), {"time": "k"}), UnknownDim,
        ["nt.nn.conv(", f"left {X}", "right f32[k:3]", "no dim 'time'"]),
    "unknown window in conv": (lambda: nt.nn.conv(x(), nt.ones("k:3"), {"seq": "kernel"}), UnknownDim,
        ["no dim 'kernel'", "'k'"]),
    "unknown channels in conv": (lambda: nt.nn.conv(x(), nt.ones("k:3"), {"seq": "k"}, over="batch"), UnknownDim,
        ["over='batch'", "no dim 'batch'", "'k'"]),
    "unknown dim in pool": (lambda: nt.nn.max_pool(x(), {"time": 2}), UnknownDim, ["nt.nn.max_pool(", X]),
    "unknown dim in stride": (lambda: nt.nn.avg_pool(x(), {"seq": 2}, stride={"sep": 1}), UnknownDim,
        ["no dim 'sep'", "Did you mean 'seq'?"]),
    "unknown class dim": (lambda: nt.nn.cross_entropy(x(), ids(), "class"), UnknownDim,
        ["nt.nn.cross_entropy(over='class')", X]),
    # names twice, and names that are none
    "a dim twice": (lambda: nt.tensor(RAW, "seq seq"), DuplicateDim,
        ["'seq'", "twice", "'seq seq'", "seq='seq_2'"]),
    "a dim twice in a factory": (lambda: nt.zeros("seq:2 seq:3"), DuplicateDim, ["'seq' stands twice"]),
    "a dim twice in over": (lambda: x().sum("seq seq"), DuplicateDim, ["'seq' stands twice", "'seq seq'"]),
    "a dim twice by rename": (lambda: x().rename(seq="batch"), DuplicateDim,
        ["nt.rename(old='seq', new='batch')", X, "'batch' stands twice"]),
    "a dim twice by position": (lambda: x().rename("seq ..."), DuplicateDim,
        ["nt.rename(pattern='seq ...')", X]),
    "a dim that is there: stack": (lambda: nt.stack([x(), x()], "seq"), DuplicateDim,
        ["nt.stack(dim='seq')", LEFT, RIGHT, "there is a dim 'seq' already"]),
    "a dim that is there: merge": (lambda: nt.ones("a:2 b:2 c:2").merge("a b", "c"), DuplicateDim,
        ["nt.merge(dims='a b', into='c')", "f32[a:2 b:2 c:2]", "x.rename(c='c_2')"]),
    "a dim that is there: split": (lambda: x().split("seq", "batch new", new=2), DuplicateDim,
        [X, "'batch' already"]),
    "a dim that is there: one_hot": (lambda: ids().one_hot("seq", 3), DuplicateDim,
        ["i32[seq:2]", "'seq' already"]),
    "a dim that is there: name": (lambda: moving().name("seq"), DuplicateDim, ["'seq' already"]),
    "a dim that is there: gather": (lambda: x().isel(seq=ids()), DuplicateDim,
        ["nt.gather(dim='seq')", LEFT, "right i32[seq:2]", "the dim 'seq' that it indexes", "ids.rename(seq='seq_2')"]),
    "no name": (lambda: nt.tensor(RAW, "batch 1st"), InvalidName, ["'1st' is not a name"]),
    "a size in a name": (lambda: nt.tensor(RAW, "batch:8 seq:16"), InvalidName,
        ["'batch:8' is not a name", "Sizes are given to factories only", "write 'batch' here"]),
    "no name in rename": (lambda: x().rename(seq="a b"), InvalidName,
        ["nt.rename", X, "'a b' is not a name"]),
    "two names for one dim": (lambda: x().cumsum("batch seq"), InvalidName, ["'batch seq' is not a name"]),
    "two names for argmax": (lambda: x().argmax("batch seq"), InvalidName, [X, "'batch seq' is not a name"]),
    # sizes
    "sizes differ": (lambda: x() + nt.ones("batch:4"), SizeMismatch,
        ["SizeMismatch in nt.add", LEFT, "right f32[batch:4]", "'batch' is 8 on the left, 4 on the right",
         ".rename(batch='batch_2')"]),
    "size 1 never stretches": (lambda: x() * nt.ones("seq:1"), SizeMismatch,
        ["'seq' is 16 on the left, 1 on the right"]),
    "sizes differ in where": (lambda: nt.where(x() > 0, x(), nt.ones("seq:3")), SizeMismatch,
        ["operand 0 bool[batch:8 seq:16]", f"operand 1 {X}", "operand 2 f32[seq:3]",
         "'seq' is 16 in operand 0, 3 in operand 2"]),
    "sizes differ in dot": (lambda: x().dot("seq", nt.ones("seq:3 embed:2")), SizeMismatch,
        ["nt.dot(over='seq')", LEFT, "right f32[seq:3 embed:2]", "'seq' is 16 on the left, 3 on the right"]),
    "sizes differ in concat": (lambda: nt.concat([x(), nt.ones("batch:4 seq:2")], "seq"), SizeMismatch,
        ["nt.concat(dim='seq')", "'batch' is 8 on the left, 4 on the right"]),
    "sizes differ in stack": (lambda: nt.stack([x(), nt.ones("seq:4 batch:8")], "new"), SizeMismatch,
        ["nt.stack(dim='new')", "right f32[seq:4 batch:8]", "'seq' is 16 on the left, 4 on the right"]),
    "sizes differ in gather": (lambda: x().isel(seq=nt.tensor([0], "batch")), SizeMismatch,
        ["nt.gather(dim='seq')", "'batch' is 8 on the left, 1 on the right"]),
    "sizes differ in conv": (
        lambda: nt.nn.conv(nt.ones("t:5 c:3"), nt.ones("k:3 c:4"), {"t": "k"}, over="c"), SizeMismatch,
        ["over='c'", "left f32[t:5 c:3]", "right f32[k:3 c:4]", "'c' is 3 on the left, 4 on the right"]),
    "sizes differ in cross_entropy": (lambda: nt.nn.cross_entropy(x(), nt.tensor([1, 2], "batch"), "seq"), SizeMismatch,
        [LEFT, "right i32[batch:2]", "'batch' is 8 on the left, 2 on the right"]),
    "split does not fit": (lambda: x().split("seq", "head key", head=3, key=5), SizeMismatch,
        ["nt.split(dim='seq', into='head key')", X, "'seq' is 16, which is not 'head:3 key:5'"]),
    "split does not divide": (lambda: x().split("seq", "head key", head=3), SizeMismatch,
        [X, "'seq' is 16, which is not 'head:3 key:?'"]),
    "split of nothing is not determined": (lambda: nt.zeros("seq:0").split("seq", "head key", head=0), SizeMismatch,
        ["f32[seq:0]", "'seq' is 0, which is not 'head:0 key:?'"]),
    "split into less than nothing": (lambda: x().split("seq", "head key", head=-2), SizeMismatch,
        [X, "head:-2"]),
    # names that should be equal
    "expect": (lambda: x().expect("batch embed"), DimMismatch,
        ["nt.expect(pattern='batch embed')", X, "expected 'batch embed', there is 'batch seq'"]),
    "expect with a near miss": (lambda: x().expect("sep ..."), DimMismatch, ["Did you mean 'seq'?"]),
    "expect leaves out": (lambda: x().expect("batch"), DimMismatch,
        ["expected 'batch', there is 'batch seq'"]),
    "concat of other names": (lambda: nt.concat([x(), y()], "batch"), DimMismatch,
        ["nt.concat(dim='batch')", LEFT, "right f32[batch:8 embed:32]", "'batch seq' and 'batch embed'"]),
    "stack of other names": (lambda: nt.stack([x(), y()], "new"), DimMismatch,
        ["nt.stack(dim='new')", "are not the same names"]),
    "a loss that is no scalar": (lambda: nt.grad(lambda t: t * t)(x()), DimMismatch,
        [X, "not a scalar", "loss.mean() or loss.sum()"]),
    "a loss that is no scalar, with its value": (
        lambda: nt.value_and_grad(lambda t: (t.sum("seq"), None), has_aux=True)(x()), DimMismatch,
        ["f32[batch:8], not a scalar"]),
    # patterns
    "order leaves out": (lambda: x().order("seq"), MissingDim,
        ["nt.order(pattern='seq')", X, "'seq' leaves out 'batch'", "'seq ...'"]),
    "order with dots twice": (lambda: x().order("... seq ..."), BadPattern, [X, "'...' stands twice"]),
    "a factory without sizes": (lambda: nt.zeros("batch seq:3"), BadPattern,
        ["'batch' has no size", "'batch:8'"]),
    "two open sizes": (lambda: x().split("seq", "head key"), BadPattern,
        [X, "the sizes of ['head', 'key'] are not known", "head=8"]),
    "merge of nothing": (lambda: x().merge("", "new"), BadPattern, [X, "nothing to merge", "x.merge("]),
    "padding unknown": (lambda: nt.nn.max_pool(x(), {"seq": 2}, padding="full"), BadPattern,
        ["padding='full'", "'same', 'valid', or a number"]),
    "a stride left out": (lambda: nt.nn.max_pool(x(), {"seq": 2, "batch": 2}, stride={"seq": 1}), BadPattern,
        ["stride is given for 'seq' of 'seq batch'"]),
    "concat of nothing": (lambda: nt.concat([], "seq"), NamedShapeError, ["nt.concat"]),
    "stack of nothing": (lambda: nt.stack([], "seq"), NamedShapeError, ["nt.stack"]),
    "dot of nothing": (lambda: nt.dot(over="seq"), NamedShapeError, ["nt.dot"]),
    # arrays without names
    "array on the right": (lambda: x() + RAW, MissingName,
        ["MissingName in nt.add", LEFT, "right f32[8, 16]", NO_NAMES, "nt.tensor(array, 'batch ...')"]),
    "array on the left": (lambda: RAW - x(), MissingName,
        ["nt.subtract", "left f32[8, 16]", RIGHT, NO_NAMES]),
    "jax array on the right": (lambda: x() / jnp.asarray(RAW), MissingName,
        ["nt.divide", LEFT, "right f32[8, 16]"]),
    "jax array on the left": (lambda: jnp.asarray(RAW) * x(), MissingName,
        ["nt.multiply", "left f32[8, 16]", RIGHT]),
    "array compared": (lambda: x() < RAW, MissingName, ["nt.less", LEFT, NO_NAMES]),
    "array compared, on the left": (lambda: operator.lt(RAW, x()), MissingName, ["nt.greater", LEFT, NO_NAMES]),
    "array equal": (lambda: operator.eq(RAW, x()), MissingName, ["nt.equal_to", NO_NAMES]),
    "jax array equal": (lambda: operator.eq(jnp.asarray(RAW), x()), MissingName, ["nt.equal_to", NO_NAMES]),
    "a list": (lambda: operator.add(x(), [1.0, 2.0]), MissingName, ["nt.add", LEFT, "a list has no names"]),
    "array in a function": (lambda: nt.exp(RAW), MissingName, ["nt.exp", NO_NAMES]),
    "array in where": (lambda: nt.where(RAW > 0, x(), 0.0), MissingName,
        ["operand 0 bool[8, 16]", "operand 2 0.0"]),
    "array in clip": (lambda: x().clip(0.0, RAW), MissingName, ["nt.clip", NO_NAMES]),
    "array in dot": (lambda: x().dot("seq", RAW), MissingName, ["nt.dot(over='seq')", LEFT, NO_NAMES]),
    "array in concat": (lambda: nt.concat([x(), RAW], "seq"), MissingName,
        ["nt.concat(dim='seq')", NO_NAMES]),
    "array in equal": (lambda: nt.equal(x(), RAW), MissingName, [NO_NAMES]),
    "array as labels": (lambda: nt.nn.cross_entropy(x(), np.zeros(8, int), "seq"), MissingName,
        [LEFT, "has no names"]),
    # positions
    "x[0]": (lambda: x()[0], Unsupported, ["x[0]", "no positions", "'batch seq'", "x[{'batch': 0}]"]),
    "x['seq']": (lambda: x()["seq"], Unsupported, ["x['seq']", "'batch seq'"]),
    "x.shape[0]": (lambda: x().shape[0], Unsupported, ["x.shape[0]", "'batch seq'", "x.shape['batch']"]),
    "np.asarray": (lambda: np.asarray(x()), Unsupported,
        ["NumPy would drop the names", X, "x.to_array('batch seq')"]),
    "jnp.asarray": (lambda: jnp.asarray(x()), Unsupported, [X, "x.to_array('batch seq')"]),
    "iteration": (lambda: list(x()), Unsupported, ["'batch seq'", "x.unstack('name')"]),
    "unpacking": (lambda: (lambda *parts: parts)(*x()), Unsupported, ["x.unstack('name')"]),
    "len": (lambda: len(x()), Unsupported, ["'batch seq'", "x.shape['name'] or x.size"]),
    "names for a tensor": (lambda: nt.tensor(x(), "a b"), Unsupported,
        ["nt.tensor", X, "has names already", "x.rename('a b')"]),
    "too few names": (lambda: nt.tensor(RAW, "batch"), RankMismatch,
        ["nt.tensor('batch')", "f32[8, 16]", "2 axes (8, 16)", "1 names 'batch'"]),
    "too many names": (lambda: nt.tensor(RAW, "a b c"), RankMismatch, ["2 axes (8, 16)", "3 names 'a b c'"]),
    "too few names in rename": (lambda: x().rename("new"), RankMismatch,
        ["nt.rename(pattern='new')", X, "'new' names 1 axes, there are 2: 'batch seq'", "'...'"]),
    "too many names in rename": (lambda: x().rename("a b ... c"), RankMismatch,
        [X, "names 3 axes, there are 2"]),
    # in transit
    "in transit: unary": (lambda: moving().exp(), RankMismatch,
        ["nt.exp", "f32[4, batch:8 seq:16]", *IN_TRANSIT]),
    "in transit: binary": (lambda: x() + moving(), RankMismatch,
        [LEFT, "right f32[4, batch:8 seq:16]", *IN_TRANSIT]),
    "in transit: reduction": (lambda: moving().sum(), RankMismatch, IN_TRANSIT),
    "in transit: rename": (lambda: moving().rename(seq="s"), RankMismatch, ["nt.rename", *IN_TRANSIT]),
    "in transit: expect": (lambda: moving().expect("..."), RankMismatch, IN_TRANSIT),
    "in transit: isel": (lambda: moving().isel(batch=0), RankMismatch, IN_TRANSIT),
    "in transit: peel again": (lambda: moving().peel("seq"), RankMismatch, IN_TRANSIT),
    "in transit: astype": (lambda: moving().astype(jnp.int32), RankMismatch, IN_TRANSIT),
    "in transit: unstack": (lambda: moving().unstack("batch"), RankMismatch, IN_TRANSIT),
    "in transit out of raw vmap": (
        lambda: jax.vmap(lambda t: t.sum("seq"))(nt.ones("layer:4 batch:8 seq:16").peel("layer")) + 1, RankMismatch,
        ["nt.add", "left f32[4, batch:8]", "in transit"]),
    "raw vmap takes an axis away": (lambda: jax.vmap(lambda t: t.sum())(x()), RankMismatch,
        ["nt.sum", "f32[16] named 'batch seq'", "nt.vmap(f, over='...')"]),
    "name without transit": (lambda: x().name("layer"), Unsupported,
        ["nt.name('layer')", X, "2 axes for the names 'batch seq'", "one axis in transit"]),
    # other kinds of index
    "index of floats": (lambda: x().isel(seq=nt.tensor([0.0], "new")), Unsupported,
        ["'seq' cannot be indexed", "integer", X]),
    "index of bools": (lambda: x().isel(seq=nt.tensor([True, False], "new")), Unsupported,
        ["'seq' cannot be indexed", "integer", X]),
    "a float": (lambda: x().isel(seq=0.5), Unsupported, [X, "'seq' cannot be indexed by float", "integer"]),
    "a bool": (lambda: x().isel(seq=True), Unsupported, [X, "'seq' cannot be indexed by bool"]),
    "a string": (lambda: x().isel(seq="first"), Unsupported, [X, "'seq' cannot be indexed by str"]),
    "None": (lambda: x().isel(seq=None), Unsupported, [X, "'seq' cannot be indexed by NoneType"]),
    "a list as index": (lambda: x().isel(seq=[0, 1]), Unsupported,
        [X, "'seq' cannot be indexed by list", "nt.tensor(index, 'seq_2')"]),
    "an array as index": (lambda: x().isel(seq=np.array([0, 1])), Unsupported, [X, "indexed by ndarray"]),
    "labels that are neither": (lambda: nt.nn.cross_entropy(x(), nt.zeros("batch:8"), "seq"), Unsupported,
        [LEFT, "right f32[batch:8]", "the labels are float32 and have no dim 'seq'", "integers"]),
    "conv with a spatial dim in both": (
        lambda: nt.nn.conv(nt.ones("t:5 c:3"), nt.ones("k:3 t:3"), {"t": "k"}), DuplicateDim,
        ["left f32[t:5 c:3]", "right f32[k:3 t:3]", "'t' is slid along in one operand", ".rename(t='t_2')"]),
    "position after the end": (lambda: x().isel(seq=16), IndexError,
        ["seq=16", X, "size 16, positions 0 to 15"]),
    "position before the start": (lambda: x().isel(seq=-17), IndexError, ["seq=-17", X]),
    "position in nothing": (lambda: nt.zeros("seq:0").isel(seq=0), IndexError, ["seq=0", "f32[seq:0]"]),
    # taps
    "tap, near miss": (lambda: nt.capture(lambda t: nt.tap(t, "hidden"), ["hiden"])(x()), UnknownTapError,
        ["no tap 'hiden'", "'hidden'", "Did you mean 'hidden'?"]),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "parts"), CASES.values(), ids=CASES)
def test_error(call, error, parts):
    with pytest.raises(error) as caught:
        call()
    missing = [part for part in parts if part not in str(caught.value)]
    assert not missing, str(caught.value)


def test_every_kind_is_covered():
    kinds = {k for k in vars(_errors).values() if isinstance(k, type) and issubclass(k, NamedShapeError)}
    raised = {error for _, error, _ in CASES.values()}
    assert kinds <= raised


def test_all_kinds_are_value_errors_of_one_family():
    assert issubclass(nt.NamedShapeError, ValueError)
    with pytest.raises(nt.NamedShapeError):
        x() + nt.ones("batch:4")


@pytest.mark.parametrize(
    ("call", "head"),
    [
        (
            lambda: x() + nt.ones("batch:4"),
            "SizeMismatch in nt.add:   left f32[batch:8 seq:16]   right f32[batch:4]",
        ),
        (lambda: x().sum("sec"), "UnknownDim in nt.sum(over='sec'):   f32[batch:8 seq:16]"),
        (lambda: 2 + moving(), "RankMismatch in nt.add:   left 2   right f32[4, batch:8 seq:16]"),
    ],
)
def test_the_layout_of_a_message(call, head):
    with pytest.raises(NamedShapeError) as caught:
        call()
    first, second = str(caught.value).split("\n")
    assert first == head
    assert second.startswith("  ")
    assert caught.value.problem in second
    assert caught.value.advice in second


OPERANDS_SHOWN = {  # mistakes in what is written after the tensor
    "dot, twice": (lambda: nt.dot(x(), x(), over="seq seq"), DuplicateDim, [LEFT, RIGHT]),
    "sum, no name": (lambda: x().sum("seq:16"), InvalidName, [X]),
    "softmax, twice": (lambda: x().softmax("seq seq"), DuplicateDim, [X]),
    "cumsum, two names": (lambda: x().cumsum("batch seq"), InvalidName, [X]),
    "split, a size too many": (lambda: x().split("seq", "head key", heads=2), UnknownDim, [X]),
    "merge, no name": (lambda: x().merge("batch, 1", "all"), InvalidName, [X]),
    "unstack": (lambda: x().unstack("time"), UnknownDim, [X]),
    "equal": (lambda: nt.equal(x(), RAW), MissingName, [LEFT, "right f32[8, 16]"]),
}


@pytest.mark.parametrize(("call", "error", "shown"), OPERANDS_SHOWN.values(), ids=OPERANDS_SHOWN)
def test_the_operands_are_shown_whatever_is_wrong(call, error, shown):
    with pytest.raises(error) as caught:
        call()
    assert not [part for part in shown if part not in str(caught.value)], str(caught.value)


FUNCTIONS_OF_AN_ARRAY = {
    "astype": lambda: nt.astype(RAW, jnp.int32),
    "expect": lambda: nt.expect(RAW, "batch seq"),
    "isel": lambda: nt.isel(RAW, seq=0),
    "merge": lambda: nt.merge(RAW, "batch seq", "all"),
    "name": lambda: nt.name(RAW, "layer"),
    "one_hot": lambda: nt.one_hot(RAW, "class", 3),
    "order": lambda: nt.order(RAW, "batch seq"),
    "peel": lambda: nt.peel(RAW, "batch"),
    "rename": lambda: nt.rename(RAW, seq="s"),
    "split": lambda: nt.split(RAW, "seq", "a b", a=2),
    "sum": lambda: nt.sum(RAW, "seq"),
    "softmax": lambda: nt.softmax(RAW, "seq"),
    "to_array": lambda: nt.to_array(RAW, "batch seq"),
    "unstack": lambda: nt.unstack(RAW, "batch"),
    "conv": lambda: nt.nn.conv(RAW, nt.ones("k:3"), {"seq": "k"}),
    "max_pool": lambda: nt.nn.max_pool(RAW, {"seq": 2}),
}


@pytest.mark.parametrize("call", FUNCTIONS_OF_AN_ARRAY.values(), ids=FUNCTIONS_OF_AN_ARRAY)
def test_no_function_takes_an_array_without_names(call):
    with pytest.raises(MissingName, match="has no names"):
        call()


def test_jax_and_numpy_functions_refuse_names_loudly():
    with pytest.raises(TypeError):
        jnp.sin(x())
    with pytest.raises(TypeError):
        np.sin(x())


@pytest.mark.parametrize(
    "under",
    [
        lambda f: jax.jit(f)(x(), nt.ones("batch:4")),
        lambda f: jax.make_jaxpr(f)(x(), nt.ones("batch:4")),
        lambda f: jax.eval_shape(f, x(), nt.ones("batch:4")),
        lambda f: nt.grad(lambda a, b: f(a, b).sum())(x(), nt.ones("batch:4")),
        lambda f: nt.vmap(f, over="layer")(nt.ones("layer:2 batch:8 seq:16"), nt.ones("batch:4")),
        lambda f: jax.lax.scan(lambda c, _: (f(c, nt.ones("batch:4")), None), x(), length=3),
        lambda f: nt.capture(f)(x(), nt.ones("batch:4")),
    ],
    ids=["jit", "make_jaxpr", "eval_shape", "grad", "vmap", "scan", "capture"],
)
def test_a_traced_error_keeps_its_message(under):
    with pytest.raises(SizeMismatch) as caught:
        under(lambda a, b: a * b)
    assert str(caught.value) == (
        "SizeMismatch in nt.multiply:   left f32[batch:8 seq:16]   right f32[batch:4]\n"
        "  'batch' is 8 on the left, 4 on the right.  If they are two dims, rename one: .rename(batch='batch_2')."
    )


def test_the_innermost_operation_is_the_one_named():
    with pytest.raises(SizeMismatch, match=r"^SizeMismatch in nt\.subtract:"):
        nt.vmap(lambda t: (t - nt.ones("seq:3")).sum(), over="batch")(x())


def test_an_error_is_raised_again_for_new_sizes_only():
    """The names agree, so the plan is kept; the sizes are checked for each set of shapes."""
    good, bad = nt.ones("batch:8"), nt.ones("batch:4")
    for _ in range(2):
        x() + good
        with pytest.raises(SizeMismatch):
            x() + bad


def test_the_traceback_is_not_chained():
    with pytest.raises(UnknownDim) as caught:
        x().sum("time")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_an_error_travels_between_processes():
    with pytest.raises(SizeMismatch) as caught:
        x() + nt.ones("batch:4")
    back = pickle.loads(pickle.dumps(caught.value))
    assert type(back) is SizeMismatch
    assert str(back) == str(caught.value)
    assert (back.problem, back.advice, back.header) == (
        caught.value.problem,
        caught.value.advice,
        caught.value.header,
    )


@pytest.mark.parametrize(
    ("dtype", "short"),
    [
        ("float32", "f32"), ("bfloat16", "bf16"), ("float16", "f16"), ("int8", "i8"), ("uint32", "u32"),
        ("complex64", "c64"), ("bool", "bool"),
    ],
)  # fmt: skip
def test_dtypes_in_messages(dtype, short):
    with pytest.raises(UnknownDim) as caught:
        nt.zeros("a:2", dtype=dtype).argmax("b")
    assert f"   {short}[a:2]\n" in str(caught.value)
