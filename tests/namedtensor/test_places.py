"""Places without taps: modules of flax and equinox by their paths, and named scopes."""

import functools
import threading
from typing import Any, NamedTuple

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import namedtensor as nt
from namedtensor.interpreter import UnknownTapError, UnsupportedPrimitiveError, interpret
from namedtensor.interpreter.rules import RuleTable, bind

EPS = float(np.finfo(np.float32).eps)
X = jnp.asarray(np.random.default_rng(3).normal(size=(5, 3)), jnp.float32)
W = jnp.asarray(np.random.default_rng(4).normal(size=(4, 3)), jnp.float32)
SQUARE = jnp.asarray(np.random.default_rng(5).normal(size=(3, 3)), jnp.float32)


def shapes(f, *args):
    return {name: value.shape for name, value in nt.list_taps(f, *args).items()}


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=8 * EPS, atol=8 * EPS)


def affine(kernel, bias, x=X):
    return np.asarray(x) @ np.asarray(kernel) + np.asarray(bias)


# named scopes: what leaves them, worked out by hand --------------------------------------------------


def nested(x):
    with jax.named_scope("block"):
        with jax.named_scope("mlp"):
            y = jnp.sin(x) * 2
        y = y + x
    return jnp.cos(y)


def looped(x):
    def step(c, v):
        with jax.named_scope("step"):
            c = jnp.sin(c) + v
        return c, c * v

    return jax.lax.scan(step, jnp.zeros(3), x)[1]


def in_a_scope(f, name):
    def inside(x):
        with jax.named_scope(name):
            return f(x)

    return inside


def branch(x):
    return jax.lax.cond(x[0, 0] > -9, in_a_scope(jnp.sin, "taken"), in_a_scope(jnp.cos, "other"), x) * 2


SCOPES = {  # function, name, the value there, what follows it
    "scope": (nested, "block", lambda x: 2 * np.sin(x) + x, lambda x, v: np.cos(v)),
    "scope in a scope": (nested, "block/mlp", lambda x: 2 * np.sin(x), lambda x, v: np.cos(v + x)),
    "in jit": (jax.jit(nested), "block/mlp", lambda x: 2 * np.sin(x), lambda x, v: np.cos(v + x)),
    "around jit": (in_a_scope(jax.jit(jnp.sin), "all"), "all", np.sin, lambda x, v: v),
    "across jit": (in_a_scope(jax.jit(nested), "net"), "net/block", lambda x: 2 * np.sin(x) + x, lambda x, v: np.cos(v)),
    "in remat": (jax.checkpoint(nested), "block/mlp", lambda x: 2 * np.sin(x), lambda x, v: np.cos(v + x)),
    "in a branch": (branch, "taken", np.sin, lambda x, v: 2 * v),
    "around a custom derivative": (in_a_scope(jax.nn.relu, "act"), "act", lambda x: np.maximum(x, 0), lambda x, v: v),
    "in scan": (looped, "step", lambda x: looped_by_hand(x), lambda x, v: v * x),
    "around scan": (in_a_scope(looped, "loop"), "loop", lambda x: looped_by_hand(x) * x, lambda x, v: v),
    "in vmap": (jax.vmap(nested), "block", lambda x: 2 * np.sin(x) + x, lambda x, v: np.cos(v)),
}  # fmt: skip


def looped_by_hand(x):
    c, out = np.zeros(3), []
    for row in np.asarray(x):
        c = np.sin(c) + row
        out.append(c)
    return np.stack(out)


@pytest.mark.parametrize("case", SCOPES)
@pytest.mark.parametrize("under", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_the_value_of_a_scope(case, under):
    f, name, by_hand, _ = SCOPES[case]
    out, there = under(nt.capture(f, name))(X)
    close(out, f(X))
    assert list(there) == [name]
    close(there[name], by_hand(np.asarray(X)))
    assert shapes(f, X)[name] == there[name].shape


@pytest.mark.parametrize("case", SCOPES)
def test_what_follows_a_scope(case):
    f, name, by_hand, tail = SCOPES[case]
    new = jnp.asarray(by_hand(np.asarray(X)) + 0.5, jnp.float32)
    close(nt.replace(f, {name: new})(X), tail(np.asarray(X), np.asarray(new)))


@pytest.mark.parametrize("case", sorted(set(SCOPES) - {"around a custom derivative"}))
def test_derivatives_at_a_scope(case):
    f, name, _, _ = SCOPES[case]
    value = nt.capture(f, name)(X)[1][name]
    direction = jnp.ones_like(value)
    slope = jax.grad(lambda v: nt.replace(f, {name: v})(X).sum())(value)
    step = 1e-2
    more, less = (nt.replace(f, {name: value + s * direction})(X).sum() for s in (step, -step))
    np.testing.assert_allclose((slope * direction).sum(), (more - less) / (2 * step), rtol=2e-2, atol=2e-3)


def test_the_gradient_of_a_function_with_scopes_is_not_changed():
    for name in ("block", "block/mlp"):
        got = jax.grad(lambda x, name=name: nt.capture(nested, name)(x)[0].sum())(X)
        close(got, jax.grad(lambda x: nested(x).sum())(X))


def test_what_the_scope_computes_further_is_not_changed():
    """A result that the scope itself goes on with: only what follows sees the new value."""

    def f(x):
        with jax.named_scope("both"):
            first = x + 1
            second = first * 2
        return first, second

    first, second = nt.replace(f, {"both[0]": jnp.zeros(())})(3.0)
    assert (first, second) == (0.0, 8.0)


def test_a_scope_with_several_results():
    def f(x):
        with jax.named_scope("split"):
            a, b = jnp.sin(x), jnp.cos(x)
            _ = a * b
        return a - b

    assert list(nt.list_taps(f, 1.0)) == ["split[0]", "split[1]"]
    _, there = nt.capture(f, ["split[1]"])(1.0)
    close(there["split[1]"], np.cos(1.0))
    assert nt.replace(f, {"split[0]": 3.0, "split[1]": 1.0})(1.0) == 2.0


def test_a_scope_entered_again():
    def f(x):
        for _ in range(2):
            x = in_a_scope(lambda v: v * 2, "twice")(x) + 1
        return x

    assert list(nt.list_taps(f, 1.0)) == ["twice#1", "twice#2"]
    assert nt.replace(f, {"twice#2": 10.0})(1.0) == 11.0
    assert float(nt.capture(f, "twice#2")(1.0)[1]["twice#2"]) == 6.0


def test_a_scope_that_computes_nothing_that_is_used_is_no_place():
    def f(x):
        with jax.named_scope("idle"):
            jnp.sin(x)
        return in_a_scope(lambda v: v, "identity")(x)

    assert nt.list_taps(f, 1.0) == {}


def test_the_backward_pass_belongs_to_no_scope():
    def f(x):
        return jax.grad(lambda v: nested(v).sum())(x)

    assert shapes(f, X).keys() == {"block", "block/mlp"}
    close(nt.capture(f, "block/mlp")(X)[1]["block/mlp"], 2 * np.sin(X))


def test_a_tap_comes_before_a_scope_of_its_name():
    def f(x):
        with jax.named_scope("p"):
            return nt.tap(x + 1, "p") * 2

    assert list(nt.list_taps(f, 1.0)) == ["p"]
    assert float(nt.capture(f, "p")(1.0)[1]["p"]) == 2.0
    assert nt.replace(f, {"p": 10.0})(1.0) == 20.0


def test_taps_and_scopes_together():
    def f(x):
        return nt.tap(nested(x), "end")

    assert list(nt.list_taps(f, X)) == ["end", "block/mlp", "block"]
    assert list(nt.capture(f)(X)[1]) == ["end"]
    _, there = nt.capture(f, ["block", "end"])(X)
    close(there["end"], np.cos(there["block"]))


def test_named_tensors_may_pass_a_scope():
    def f(x):
        with jax.named_scope("block"):
            hidden = nt.tap(x.sin(), "hidden")
        return hidden.sum("embed")

    x = nt.tensor(X, "batch embed")
    out, there = nt.capture(f, ["block", "hidden"])(x)
    assert nt.equal(out, x.sin().sum("embed"))
    assert nt.equal(there["block"], x.sin())  # what leaves the scope is the tap's value
    assert list(nt.list_taps(f, x)) == ["hidden", "block"]


COMPOSED = {
    "capture": lambda f: lambda x: nt.capture(f, list(nt.list_taps(f, x))[:1])(x)[0],
    "replace": lambda f: nt.replace(f, {}),
    "another table": lambda f: interpret(f, RuleTable("nothing", default=bind)),
    "a table that goes inside": lambda f: interpret(f, RuleTable("sines", default=bind).extend("sines", sin=bind)),
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(set(SCOPES) - {"around a custom derivative"}))
@pytest.mark.parametrize("compose", COMPOSED.values(), ids=COMPOSED)
def test_scopes_are_still_there_in_a_transformed_function(compose, case):
    f, name, by_hand, _ = SCOPES[case]
    close(nt.capture(compose(f), name)(X)[1][name], by_hand(np.asarray(X)))
    assert shapes(compose(f), X) == shapes(f, X)


def test_a_backward_pass_stays_one_in_a_transformed_function():
    f = nt.replace(lambda x: jax.grad(lambda v: nested(v).sum())(x), {})
    assert shapes(f, X).keys() == {"block", "block/mlp"}
    close(nt.capture(f, "block/mlp")(X)[1]["block/mlp"], 2 * np.sin(X))


def test_paths_as_haiku_writes_them():
    f = in_a_scope(in_a_scope(jnp.tanh, "linear_1"), "mlp/~")
    close(nt.capture(f, "mlp/~/linear_1")(X)[1]["mlp/~/linear_1"], np.tanh(X))


def test_a_scope_costs_nothing_compiled():
    programs = [jax.jit(f).lower(X).compile().cost_analysis() for f in (nested, nt.replace(nested, {}))]
    assert programs[0] == programs[1]


# taps under vmap -------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit, jax.checkpoint], ids=["plain", "jit", "remat"])
def test_what_vmap_maps_over_is_in_front_at_a_tap(wrap):
    """``w @ x`` leaves the mapped axis behind; a tap that showed it so would be read transposed."""
    f = jax.vmap(wrap(lambda x: nt.tap(SQUARE @ x, "place").sum()))
    close(nt.capture(f)(X)[1]["place"], X @ SQUARE.T)
    twice = jax.vmap(jax.vmap(wrap(lambda x: nt.tap(W @ x, "place").sum()), in_axes=1))
    there = nt.capture(twice)(jnp.stack([X.T, 2 * X.T]))[1]["place"]
    close(there, jnp.stack([X @ W.T, 2 * X @ W.T]))


def test_a_tap_under_vmap_is_put_in_as_it_is_seen():
    f = jax.vmap(lambda x: nt.tap(W @ x, "place") * 2)
    new = jnp.arange(20.0).reshape(5, 4)
    close(nt.replace(f, {"place": new})(X), 2 * new)


# modules ---------------------------------------------------------------------------------------------


class Block(nnx.Module):
    def __init__(self, rngs):
        self.mlp = nnx.Linear(4, 4, rngs=rngs)

    def __call__(self, x):
        return jnp.tanh(self.mlp(x)) + x


class Residual(Block):
    """A class whose ``__call__`` calls that of its parent."""

    def __call__(self, x):
        return 2 * super().__call__(x)


class Net(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Linear(3, 4, rngs=rngs)
        self.blocks = nnx.List([Block(rngs), Residual(rngs)])

    def __call__(self, x):
        return self.head(self.first(x))

    def head(self, x):
        for block in self.blocks:
            x = block(x)
        return x


NET = Net(nnx.Rngs(0))
GRAPH, STATE = nnx.split(NET)
NNX_PLACES = {f"blocks/{i}{part}" for i in (0, 1) for part in ("", "/mlp")}

NNX = {
    "the model": NET,
    "a closure": lambda x: NET(x),
    "a partial": functools.partial(lambda model, x: model(x), NET),
    "jitted before": jax.jit(lambda x: NET(x)),
    "split and merged": functools.partial(lambda state, x: nnx.merge(GRAPH, state)(x), STATE),
    "remat": jax.checkpoint(lambda x: NET(x)),
}


@pytest.mark.parametrize("case", NNX)
def test_nnx(case):
    f = NNX[case]
    f(X)  # fills JAX's caches
    first = affine(NET.first.kernel[...], NET.first.bias[...])
    assert shapes(f, X).keys() == {"first"} | NNX_PLACES
    out, there = nt.capture(f, ["first", "blocks/0", "blocks/1"])(X)
    close(out, NET(X))
    close(there["first"], first)
    close(there["blocks/0"], NET.blocks[0](first))
    close(there["blocks/1"], out)
    new = jnp.ones((5, 4))
    close(nt.replace(f, {"blocks/0": new})(X), NET.blocks[1](new))
    assert shapes(jax.jit(lambda x: f(x)), X)  # nothing is left in the caches
    close(f(X), out)


def test_nnx_jit():
    """It takes the model as an argument: flax refuses one from outside the trace."""
    f = nnx.jit(lambda model, x: model(x))
    f(NET, X)
    assert shapes(f, NET, X).keys() == {"first"} | NNX_PLACES
    close(nt.capture(f, "first")(NET, X)[1]["first"], NET.first(X))


def test_the_model_is_the_module_that_is_called_first_by_any_method():
    x = jnp.ones((5, 4))
    for f in (NET.head, functools.partial(NET.head), lambda x: NET.head(x)):
        assert shapes(f, x).keys() == NNX_PLACES


def test_a_tap_comes_before_a_module_of_its_name():
    def f(x):
        return nt.tap(NET(x) + 1, "blocks/0")

    close(nt.capture(f, "blocks/0")(X)[1]["blocks/0"], NET(X) + 1)
    assert next(iter(nt.list_taps(f, X))) == "blocks/0"
    assert not [name for name in nt.list_taps(f, X) if "#" in name]


class Mlp(eqx.Module):
    layers: list
    scale: jax.Array
    act: object = eqx.field(static=True)

    def __init__(self, key):
        one, two = jax.random.split(key)
        self.layers = [eqx.nn.Linear(3, 3, use_bias=False, key=one), {"last": eqx.nn.Linear(3, 2, key=two)}]
        self.scale, self.act = jnp.asarray(2.0), jnp.tanh

    def __call__(self, x):
        return self.layers[1]["last"](self.act(self.layers[0](x))) * self.scale


MLP = Mlp(jax.random.key(1))
EQUINOX = {
    "vmap of the model": jax.vmap(MLP),
    "filter_vmap": eqx.filter_vmap(MLP),
    "a partial": functools.partial(lambda model, x: jax.vmap(model)(x), MLP),
    "filter_jit": eqx.Partial(eqx.filter_jit(lambda model, x: jax.vmap(model)(x)), MLP),
    "a closure": lambda x: jax.vmap(lambda row: MLP(row))(x),
    "rows": lambda x: jnp.stack([MLP(row) for row in x]),
}


@pytest.mark.parametrize("case", sorted(set(EQUINOX) - {"rows"}))
def test_equinox(case):
    f = EQUINOX[case]
    f(X)
    places = {k: v for k, v in shapes(f, X).items() if "eqx.nn" not in k}
    assert places == {"layers/0": (5, 3), "layers/1/last": (5, 2)}
    out, there = nt.capture(f, list(places))(X)
    close(out, jax.vmap(MLP)(X))
    close(there["layers/0"], X @ MLP.layers[0].weight.T)
    close(2 * there["layers/1/last"], out)
    new = jnp.arange(15.0).reshape(5, 3) / 10
    close(nt.replace(f, {"layers/0": new})(X), 2 * jax.vmap(MLP.layers[1]["last"])(jnp.tanh(new)))


def test_a_module_called_several_times():
    names = [name for name in shapes(EQUINOX["rows"], X) if name.startswith("layers/0")]
    assert names == [f"layers/0#{i}" for i in range(1, 6)]
    there = nt.capture(EQUINOX["rows"], "layers/0#2")(X)[1]["layers/0#2"]
    close(there, MLP.layers[0].weight @ X[1])


class LinenBlock(nn.Module):
    @nn.compact
    def __call__(self, x):
        return jnp.tanh(nn.Dense(4, name="mlp")(x)) + x


class LinenNet(nn.Module):
    @nn.compact
    def __call__(self, x):
        shared = nn.Dense(4, name="shared")
        x = nn.Dense(4)(x)
        x = shared(shared(x))
        x = LinenBlock()(x)
        return nn.remat(LinenBlock)(name="again")(x), {"norm": x.sum(), "kind": None}


LINEN = LinenNet()
PARAMS = LINEN.init(jax.random.key(2), X)
LINEN_CALLS = {
    "partial": functools.partial(LINEN.apply, PARAMS),
    "jitted before": functools.partial(jax.jit(LINEN.apply), PARAMS),
    "bound": LINEN.bind(PARAMS),
    "vmap": jax.vmap(functools.partial(LINEN.apply, PARAMS)),
}


@pytest.mark.parametrize("case", LINEN_CALLS)
def test_linen(case):
    f = LINEN_CALLS[case]
    f(X)
    names = {"Dense_0", "shared#1", "shared#2", "LinenBlock_0/mlp", "LinenBlock_0", "again/mlp", "again"}
    assert set(list(nt.list_taps(f, X))[: len(names)]) == names
    (out, _), there = nt.capture(f, ["Dense_0", "shared#1", "LinenBlock_0", "again"])(X)
    weights = PARAMS["params"]
    first = affine(**weights["Dense_0"])
    close(there["Dense_0"], first)
    close(there["shared#1"], affine(**weights["shared"], x=first))
    close(there["again"], out)
    close(nt.replace(f, {"again": jnp.ones((5, 4))})(X)[0], 1.0)


def test_linen_modules_are_scopes_too():
    f = LINEN_CALLS["partial"]
    a, b = (nt.capture(f, name)(X)[1][name] for name in ("LinenNet/LinenBlock_0", "LinenBlock_0"))
    close(a, b)


class Two(NamedTuple):
    double: Any
    total: Any


OUTPUTS = {  # what a module returns, the name of the sum in it
    "tuple": (lambda x: (x * 2, x.sum()), "[1]"),
    "dict": (lambda x: {"double": x * 2, "sum": x.sum()}, "['sum']"),
    "fields": (lambda x: Two(x * 2, x.sum()), ".total"),
    "nested": (lambda x: [x * 2, {"a": x.sum()}], "[1]['a']"),
    "not arrays only": (lambda x: (x * 2, "text", x.sum()), "[2]"),
}


@pytest.mark.parametrize(("returns", "name"), OUTPUTS.values(), ids=OUTPUTS)
def test_a_module_with_several_outputs(returns, name):
    class Pair(nnx.Module):
        def __call__(self, x):
            return returns(x)

    class Outer(nnx.Module):
        def __init__(self):
            self.pair = Pair()

        def __call__(self, x):
            return jax.tree.leaves(self.pair(x))[-1] * 3

    names = list(nt.list_taps(Outer(), X))
    assert len(names) == 2
    assert f"pair{name}" in names
    out, there = nt.capture(Outer(), f"pair{name}")(X)
    close(there[f"pair{name}"], X.sum())
    close(out, 3 * X.sum())
    assert nt.replace(Outer(), {f"pair{name}": 7.0})(X) == 21.0
    with pytest.raises(UnknownTapError, match=r"the place 'pair' has 2 values: choose one of ['\"]pair"):
        nt.capture(Outer(), "pair")(X)


def test_the_classes_are_as_before():
    before = [(cls, cls.__call__) for cls in (Net, Block, Residual, nnx.Linear, Mlp, eqx.nn.Linear)]
    nt.list_taps(NET, X)
    with pytest.raises(UnknownTapError):
        nt.capture(EQUINOX["a partial"], "nowhere")(X)
    with pytest.raises(RuntimeError, match="on purpose"):
        nt.list_taps(lambda x: NET(x) + stumble(), X)
    assert [(cls, cls.__call__) for cls, _ in before] == before
    assert "__wrapped__" not in vars(Net.__call__)


def stumble():
    raise RuntimeError("on purpose")


def test_threads_see_each_their_own():
    found, gate = {}, threading.Barrier(3)

    def work(name):
        def f(x):
            gate.wait(60)  # all three are inside at once
            out = NET(x)
            gate.wait(60)
            return out

        jaxpr = jax.make_jaxpr(f)(X) if name == "plain" else None
        found[name] = jaxpr or nt.capture(f, name)(X)[1]

    # each traces once without and, where it asks for a module, once with the classes wrapped
    def plain():
        work("plain")
        work("plain")

    threads = [threading.Thread(target=t) for t in (plain, lambda: work("first"), lambda: work("blocks/0"))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    close(found["first"]["first"], NET.first(X))
    assert list(found["blocks/0"]) == ["blocks/0"]
    assert "name[" not in str(found["plain"])
    assert "__wrapped__" not in vars(Net.__call__)


# errors ----------------------------------------------------------------------------------------------


def in_while(x):
    return jax.lax.while_loop(lambda c: c[0, 0] < 9, in_a_scope(lambda c: c * c + 1, "body"), x)


def many(x):
    for i in range(40):
        x = in_a_scope(jnp.sin, f"layer{i}")(x)
    return x


ERRORS = {
    "unknown scope": (lambda: nt.capture(nested, "block/mpl")(X), UnknownTapError,
        ["no tap 'block/mpl'", "there are 'block/mlp', 'block'", "Did you mean 'block/mlp'?"]),
    "unknown module": (lambda: nt.replace(NET, {"block/0": X})(X), UnknownTapError,
        ["no tap 'block/0'", "'first', ", "Did you mean 'blocks/0'?"]),
    "a path with dots": (lambda: nt.capture(NET, "blocks.1.mlp")(X), UnknownTapError,
        ["no tap 'blocks.1.mlp'", "Did you mean 'blocks/1/mlp'?"]),
    "of many": (lambda: nt.capture(many, "layer99")(X), UnknownTapError,
        ["no tap 'layer99': of 40 places (nt.list_taps) the nearest are 'layer"]),
    "several passages": (lambda: nt.capture(EQUINOX["rows"], "layers/0")(X), UnknownTapError,
        ["'layers/0' is passed 5 times: choose one of 'layers/0#1', "]),
    "wrong shape": (lambda: nt.replace(NET, {"first": X})(X), ValueError,
        ["the place 'first' holds f32[5, 4], the new value is f32[5, 3]"]),
    "in while": (lambda: nt.capture(in_while, "body")(X), UnsupportedPrimitiveError,
        ["'body' is inside a while loop", "jax.lax.scan"]),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "parts"), ERRORS.values(), ids=ERRORS)
def test_error(call, error, parts):
    with pytest.raises(error) as caught:
        call()
    assert not [part for part in parts if part not in str(caught.value)], str(caught.value)


def test_scopes_in_while_loops_are_not_listed():
    assert nt.list_taps(in_while, X) == {}
