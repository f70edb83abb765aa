"""The plan cache: names are worked out once, and leave nothing behind in compiled code."""

import threading
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor.interpreter.compat import JIT, inner_jaxprs


@pytest.fixture(autouse=True)
def no_plans():
    """Each test begins and ends without plans."""
    nt.clear_cache()
    yield
    nt.clear_cache()


def x():
    return nt.tensor(np.arange(24, dtype=np.float32).reshape(2, 3, 4), "batch seq embed")


ids = nt.tensor([1, 0], "seq_2")
PROGRAMS = {
    "add": lambda a: a + 1.5,
    "union": lambda a: a * nt.ones("embed:4 head:2"),
    "where": lambda a: nt.where(a > 0, a, 0.0),
    "sum": lambda a: a.sum("seq"),
    "mean": lambda a: a.mean(),
    "softmax": lambda a: a.softmax("embed"),
    "dot": lambda a: a.dot("embed", nt.ones("embed:4 ff:5")),
    "order": lambda a: a.order("embed ..."),
    "split": lambda a: a.split("embed", "head key", head=2),
    "merge": lambda a: a.merge("embed batch", "all"),
    "concat": lambda a: nt.concat([a, a], "seq"),
    "isel": lambda a: a.isel(seq=1, embed=slice(2)),
    "gather": lambda a: a.isel(seq=ids),
    "one_hot": lambda a: ids.one_hot("class", 3),
    "conv": lambda a: nt.nn.conv(a, nt.ones("k:3 embed:4 f:2"), {"seq": "k"}, over="embed"),
    "max_pool": lambda a: nt.nn.max_pool(a, {"embed": 2}),
    "cross_entropy": lambda a: nt.nn.cross_entropy(a.isel(seq=0), nt.tensor([1, 2], "batch"), "embed"),
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_the_second_call_compiles_nothing(compilations, program):
    tensor = x()
    program(tensor)
    misses = nt.cache_info().misses
    assert misses > 0
    assert compilations.since(lambda: program(tensor)) == 0
    assert nt.cache_info().misses == misses


def test_equal_names_are_one_plan_however_they_are_written(compilations):
    tensor = x()
    tensor.sum("seq embed")
    info = nt.cache_info()
    assert (
        compilations.since(lambda: [tensor.sum(s) for s in ("seq,embed", ["seq", "embed"], ("seq", "embed"))])
        == 0
    )
    assert nt.cache_info().misses == info.misses


def test_other_values_and_numbers_compile_nothing(compilations):
    tensor = x()
    tensor + 1.5
    assert compilations.since(lambda: [tensor + 2.5, x() + 3.5]) == 0


def test_new_sizes_compile_and_make_no_plan(compilations):
    x().cumsum("seq")
    misses = nt.cache_info().misses
    wider = nt.ones("batch:2 seq:9 embed:4")
    assert compilations.since(lambda: wider.cumsum("seq")) == 1
    assert nt.cache_info().misses == misses


def test_an_eager_operation_is_one_program(compilations):
    """A composite is one dispatch: nothing is evaluated piece by piece."""
    tensor, labels = nt.ones("batch:5 class:7"), nt.tensor([0, 1, 2, 3, 4], "batch")
    for program in (
        lambda: tensor.softmax("class"),
        lambda: tensor.standardize("class"),
        lambda: tensor.dot("class", tensor),
        lambda: nt.nn.cross_entropy(tensor, labels, "class"),
    ):
        assert compilations.since(program) == 1


def test_names_alone_compile_nothing(compilations):
    tensor = x()
    assert (
        compilations.since(
            lambda: [tensor.rename(seq="time"), tensor.rename("a ..."), tensor.expect("seq ...")]
        )
        == 0
    )
    assert tensor.rename(seq="time").array is tensor.array


def test_errors_are_not_plans():
    for _ in range(3):
        with pytest.raises(nt.NamedShapeError):
            x().sum("time")
    assert nt.cache_info().currsize == 0


def test_the_cache_is_bounded():
    bound, tensor = nt.cache_info().maxsize, nt.ones("a:1")
    assert 1000 <= bound <= 10_000
    for i in range(bound + 50):
        tensor.rename(a=f"name_{i}")
    assert nt.cache_info().currsize == bound


def test_clear_cache():
    x().sum("seq")
    assert nt.cache_info().currsize > 0
    nt.clear_cache()
    assert nt.cache_info()[:2] == (0, 0)
    assert nt.cache_info().currsize == 0
    assert nt.equal(x().sum("seq"), x().sum("seq"))


def test_threads_at_once():
    """Threads that meet at the same new plans get the right results."""
    workers, rounds = 4, 10
    gate, wrong = threading.Barrier(workers), []

    def work(which):
        for i in range(rounds):
            a, b = f"a_{i}", f"b_{i}"
            tensor = nt.tensor(np.float32([[1, 2, 3], [4, 5, 6]]) + which, [a, b])
            gate.wait()
            got = (tensor * 2).rename(**{b: a, a: b}).sum(b)
            if not np.array_equal(got.to_array(a), np.float32([10, 14, 18]) + 4 * which):
                wrong.append((which, i, got))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def primitives(jaxpr):
    """The primitives of a jaxpr and of all jaxprs inside it; calls of jitted functions by their name."""
    for eqn in jaxpr.eqns:
        called = eqn.primitive.name in JIT
        yield f"jit:{eqn.params['name']}" if called else eqn.primitive.name
        for inner in inner_jaxprs(eqn.params):
            yield from primitives(inner.jaxpr)


BATCH, SEQ, EMBED, FF = 2, 3, 4, 5
A, BIAS = np.ones((BATCH, SEQ, EMBED), np.float32), np.ones(EMBED, np.float32)
WEIGHT, KERNEL = np.ones((EMBED, FF), np.float32), np.ones((3, EMBED, FF), np.float32)
NUMBERS = np.zeros(BATCH, np.int32)


def named_a():
    return nt.tensor(A, "batch seq embed")


SAME = {  # named, its arguments, by hand, its arguments
    "bias": (
        lambda a, b: a + b, lambda: (named_a(), nt.tensor(BIAS, "embed")),
        lambda a, b: a + jnp.expand_dims(b, (0, 1)), (A, BIAS)),
    "same names": (lambda a: a * a, lambda: (named_a(),), lambda a: a * a, (A,)),
    "number": (lambda a: 2.0 * a - 1, lambda: (named_a(),), lambda a: 2.0 * a - 1, (A,)),
    "another order": (
        lambda a, b: a + b, lambda: (named_a(), nt.tensor(A.transpose(2, 0, 1), "embed batch seq")),
        lambda a, b: a + jnp.transpose(b, (1, 2, 0)), (A, A.transpose(2, 0, 1))),
    "power": (lambda a: a**2, lambda: (named_a(),), lambda a: a**2, (A,)),
    "dot": (
        lambda a, w: a.dot("embed", w), lambda: (named_a(), nt.tensor(WEIGHT, "embed ff")),
        lambda a, w: jax.lax.dot_general(a, w, (((2,), (0,)), ((), ()))), (A, WEIGHT)),
    "dot, stored the other way": (
        lambda a, w: a.dot("embed", w), lambda: (named_a(), nt.tensor(WEIGHT.T, "ff embed")),
        lambda a, w: jax.lax.dot_general(a, w, (((2,), (1,)), ((), ()))), (A, WEIGHT.T)),
    "batched dot": (
        lambda a, b: a.dot("embed", b.rename(seq="key")), lambda: (named_a(), named_a()),
        lambda a, b: jax.lax.dot_general(a, b, (((2,), (2,)), ((0,), (0,)))), (A, A)),
    "softmax": (lambda a: a.softmax("seq"), lambda: (named_a(),), lambda a: jax.nn.softmax(a, 1), (A,)),
    "log_softmax": (lambda a: a.log_softmax("seq"), lambda: (named_a(),), lambda a: jax.nn.log_softmax(a, 1), (A,)),
    "sum": (lambda a: a.sum("seq batch"), lambda: (named_a(),), lambda a: a.sum((1, 0)), (A,)),
    "mean": (lambda a: a.mean("seq"), lambda: (named_a(),), lambda a: a.mean(1), (A,)),
    "var": (lambda a: a.var(), lambda: (named_a(),), lambda a: a.var(), (A,)),
    "max": (lambda a: a.max("seq"), lambda: (named_a(),), lambda a: a.max(1), (A,)),
    "argmax": (lambda a: a.argmax("seq"), lambda: (named_a(),), lambda a: a.argmax(1), (A,)),
    "logsumexp": (lambda a: a.logsumexp("seq"), lambda: (named_a(),), lambda a: jax.nn.logsumexp(a, 1), (A,)),
    "relu": (lambda a: a.relu(), lambda: (named_a(),), jax.nn.relu, (A,)),
    "gelu": (lambda a: a.gelu(), lambda: (named_a(),), jax.nn.gelu, (A,)),
    "names only": (
        lambda a: a.rename(seq="t").expect("t ...").order("batch t embed"), lambda: (named_a(),), lambda a: a, (A,)),
    "split": (
        lambda a: a.split("embed", "head key", head=2), lambda: (named_a(),),
        lambda a: a.reshape(BATCH, SEQ, 2, 2), (A,)),
    "merge": (
        lambda a: a.merge("seq embed", "all"), lambda: (named_a(),), lambda a: a.reshape(BATCH, SEQ * EMBED), (A,)),
    "merge, moved": (
        lambda a: a.merge("embed batch", "all"), lambda: (named_a(),),
        lambda a: jnp.transpose(a, (1, 2, 0)).reshape(SEQ, EMBED * BATCH), (A,)),
    "conv, channels last": (
        lambda a, k: nt.nn.conv(a, k, {"seq": "k"}, over="embed"),
        lambda: (named_a(), nt.tensor(KERNEL, "k embed ff")),
        lambda a, k: jax.lax.conv_general_dilated(a, k, (1,), "SAME", dimension_numbers=("NHC", "HIO", "NHC")),
        (A, KERNEL)),
    "dense layer": (
        lambda a, w, b: (a.dot("embed", w) + b).relu().mean("seq"),
        lambda: (named_a(), nt.tensor(WEIGHT, "embed ff"), nt.tensor(WEIGHT[0], "ff")),
        lambda a, w, b: jax.nn.relu(jax.lax.dot_general(a, w, (((2,), (0,)), ((), ()))) + b[None, None]).mean(1),
        (A, WEIGHT, WEIGHT[0])),
}  # fmt: skip


@pytest.mark.parametrize(("named", "tensors", "by_hand", "arrays"), SAME.values(), ids=SAME)
def test_names_leave_nothing_in_the_program(named, tensors, by_hand, arrays):
    got = list(primitives(jax.make_jaxpr(named)(*tensors()).jaxpr))
    want = list(primitives(jax.make_jaxpr(by_hand)(*arrays).jaxpr))
    assert got == want


def test_a_loss_and_its_gradient_cost_the_same():
    """Forward, backward and loss: the same primitives as often as by hand."""

    def named(w, a, numbers):
        return nt.nn.cross_entropy(a.mean("seq").dot("embed", w), numbers, "ff").mean().array

    def by_hand(w, a, numbers):
        logits = jax.lax.dot_general(a.mean(1), w, (((1,), (0,)), ((), ())))
        log_p = jax.nn.log_softmax(logits, 1)
        return -jax.vmap(lambda p, i: jnp.take(p, i, axis=0, mode="fill"))(log_p, numbers).mean()

    tensors = nt.tensor(WEIGHT, "embed ff"), named_a(), nt.tensor(NUMBERS, "batch")
    counts = [
        Counter(
            p for p in primitives(jax.make_jaxpr(jax.grad(f))(*operands).jaxpr) if not p.startswith("jit")
        )
        for f, operands in ((named, tensors), (by_hand, (WEIGHT, A, NUMBERS)))
    ]
    assert (
        counts[0] == counts[1]
    )  # where they stand, at once or inside a jit, JAX 0.10 and 0.12 do differently


def test_under_jit_nothing_is_compiled_apart(compilations):
    tensor = x()
    step = jax.jit(lambda a: (a.softmax("embed") * 2).sum("seq"))
    assert compilations.since(lambda: step(tensor)) == 1
    assert compilations.since(lambda: step(tensor + 0)) <= 1


def test_without_jit_the_results_are_the_same():
    want = x().softmax("embed").sum("seq")
    with jax.disable_jit():
        got = x().softmax("embed").sum("seq")
    assert nt.equal(got, want)
