"""`nt.outline`: costs against closed forms and XLA's own count, the tree against what was written."""

import functools

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import namedtensor as nt
from namedtensor.interpreter import UnknownTapError, UnsupportedPrimitiveError, compat
from namedtensor.interpreter.flops import of_equation
from namedtensor.models import digits_cnn

X = jnp.ones((4, 6))
W = jnp.ones((6, 3))


def total(f, *args):
    return nt.outline(f, *args).root.flops


def flops(f, *args):
    return {place.path: place.flops for place in nt.outline(f, *args) if place.kind != "parameter"}


def spec(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.float32)


# products: exact ------------------------------------------------------------------------------------


def xla(f, *args):
    return jax.jit(f).lower(*args).compile().cost_analysis()["flops"]


DOTS = {
    "matrix": ("ij,jk->ik", (4, 6), (6, 3)),
    "batch": ("bij,bjk->bik", (2, 4, 6), (2, 6, 3)),
    "two summed": ("bij,jib->b", (2, 4, 6), (6, 4, 2)),
    "outer": ("i,j->ij", (4,), (3,)),
}


@pytest.mark.parametrize("case", DOTS)
def test_a_dot(case):
    subscripts, *shapes = DOTS[case]
    sizes = dict(zip(subscripts.split("->")[0].replace(",", ""), sum(shapes, ()), strict=True))
    f = functools.partial(jnp.einsum, subscripts)
    assert total(f, *(spec(*s) for s in shapes)) == 2 * np.prod(list(sizes.values()))


def test_a_dot_is_what_xla_counts():
    assert total(jnp.dot, X, W) == xla(jnp.dot, X, W) == 2 * 4 * 6 * 3


CONVS = {
    "valid": {"padding": "VALID"},
    "same": {"padding": "SAME"},
    "strides": {"padding": "SAME", "window_strides": (2, 1)},
    "uneven padding": {"padding": ((0, 3), (2, 1))},
    "negative padding": {"padding": ((-1, 0), (0, -2))},
    "dilated kernel": {"padding": "SAME", "rhs_dilation": (2, 3)},
    "transposed": {"padding": ((2, 2), (1, 2)), "lhs_dilation": (2, 2)},
    "groups": {"padding": "SAME", "feature_group_count": 2},
    "batch groups": {"padding": "SAME", "batch_group_count": 2},
}


@pytest.mark.parametrize("case", CONVS)
def test_a_convolution_is_what_xla_counts(case):
    options = {"window_strides": (1, 1), **CONVS[case]}
    groups = options.get("feature_group_count", 1)
    image, kernel = spec(2, 4, 9, 8), spec(6, 4 // groups, 3, 2)

    def f(x, k):
        return jax.lax.conv_general_dilated(x, k, **options)

    assert total(f, image, kernel) == xla(f, image, kernel) > 0


def test_a_convolution_without_padding_is_the_closed_form():
    f = functools.partial(jax.lax.conv, window_strides=(1, 1), padding="VALID")
    assert total(f, spec(2, 4, 9, 8), spec(5, 4, 3, 2)) == 2 * (2 * 5 * 7 * 7) * (4 * 3 * 2)


# the rest: conventions --------------------------------------------------------------------------------

RULES = {
    "elementwise": (jnp.sin, 24),
    "two operands": (lambda x: x + 2 * x, 48),
    "moved": (lambda x: x.T.reshape(-1)[::2], 0),
    "cast": (lambda x: x.astype(jnp.int32), 0),
    "sum": (lambda x: x.sum(1), 24 - 4),
    "largest": (lambda x: x.max(), 24 - 1),
    "running sum": (lambda x: jnp.cumsum(x, 1), 24),
    "window": (
        lambda x: jax.lax.reduce_window(x, 0.0, jax.lax.add, (2, 3), (1, 1), "VALID"),
        (3 * 4) * (2 * 3 - 1),
    ),
    "sort": (lambda x: jnp.sort(x, axis=1), 24 * 3),
}  # fmt: skip


@pytest.mark.parametrize("case", RULES)
def test_a_rule(case):
    f, expected = RULES[case]
    outline = nt.outline(f, X)
    assert (outline.root.flops, outline.notes) == (expected, ())


FACTORS = {
    "cholesky": (jnp.linalg.cholesky, 6**3 / 3),
    "eigh": (jnp.linalg.eigh, 9 * 6**3),
    "lu": (jax.scipy.linalg.lu_factor, 6**3 - 6**3 / 3),
    "qr": (jnp.linalg.qr, 2 * 6**2 * (6 - 6 / 3)),
    "svd": (jnp.linalg.svd, 12 * 6**3),
    "triangular_solve": (lambda m: jax.scipy.linalg.solve_triangular(m, m[:, :2]), 6 * 2 * 6),
    "scatter-add": (lambda m: m.at[jnp.asarray([0, 3])].add(1.0), 2 * 6),
    "fft": (jnp.fft.fft, 5 * 36 * np.log2(6)),
    "top_k": (lambda m: jax.lax.top_k(m, 2), 36),
}


def equations(jaxpr):
    for eqn in jaxpr.eqns:
        yield eqn
        for inner in compat.inner_jaxprs(eqn.params):
            yield from equations(inner.jaxpr)


@pytest.mark.parametrize("primitive", FACTORS)
def test_a_leading_term(primitive):
    f, expected = FACTORS[primitive]
    program = jax.make_jaxpr(f)(jnp.eye(6)).jaxpr
    (eqn,) = [eqn for eqn in equations(program) if eqn.primitive.name == primitive]
    assert of_equation(eqn) == round(expected)


def test_a_primitive_without_a_rule_is_told():
    outline = nt.outline(lambda m: jnp.linalg.eigvals(m), jnp.eye(3))
    assert "no cost is known for eig" in outline.notes[-1]
    assert "Note: no cost is known for eig" in str(outline)


# calls and loops --------------------------------------------------------------------------------------


def step(c, v):
    with jax.named_scope("step"):
        c = jnp.sin(c) + v
    return c, c * v


CALLS = {
    "jit": (lambda x: jax.jit(jnp.sin)(x), 24),
    "remat": (lambda x: jax.checkpoint(jnp.sin)(x), 24),
    "custom derivative": (lambda x: jax.nn.relu(x), 24),
    "vmap": (lambda x: jax.vmap(jnp.sin)(x), 24),
    "scan": (lambda x: jax.lax.scan(step, jnp.zeros(6), x), 4 * 3 * 6),
    "scan in scan": (lambda x: jax.lax.scan(lambda c, _: (CALLS["scan"][0](x)[0], None), X[0], None, length=5), 5 * 72),
    "shard_map": (
        lambda x: jax.shard_map(jnp.sin, mesh=jax.make_mesh((1,), ("d",)), in_specs=jax.P(), out_specs=jax.P())(x),
        24,
    ),
    "dearest branch": (
        lambda x: jax.lax.cond(x[0, 0] > 0, lambda v: v @ W @ W.T, lambda v: jnp.sin(v), x),
        1 + 2 * (2 * 4 * 6 * 3),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CALLS)
def test_a_call(case):
    f, expected = CALLS[case]
    assert total(f, X) == expected


def test_a_solution_costs_its_factors():
    outline = nt.outline(jnp.linalg.solve, jnp.eye(6), jnp.ones((6, 2)))
    assert outline.notes == ()
    assert outline.root.flops >= 6**3 - 6**3 / 3 + 2 * (6 * 2 * 6)  # LU, and two triangular systems


def test_a_while_loop_counts_once_and_says_so():
    def f(x):
        return jax.lax.while_loop(lambda c: c[0, 0] < 9, lambda c: jnp.exp(c), x)

    outline = nt.outline(f, X)
    assert outline.root.flops == 24 + 1
    assert outline.notes == (
        "a while loop is counted as one iteration; how many there are depends on the data.",
    )


# places -----------------------------------------------------------------------------------------------


def tapped(x):
    first = nt.tap(jnp.sin(x), "block/first")
    aside = jnp.cos(x)
    second = nt.tap((first @ W) * 2, "block/second")
    return nt.tap(second.sum() + aside.sum(), "end") + 1


def test_a_tap_costs_what_no_tap_before_it_has_needed():
    assert flops(tapped, X) == {
        "block": 24 + 144 + 12,
        "block/first": 24,
        "block/second": 2 * 4 * 6 * 3 + 12,
        "end": 24 + 23 + 11 + 1,
    }
    assert total(tapped, X) == 24 + 144 + 12 + 24 + 23 + 11 + 1 + 1


@pytest.mark.parametrize("under", [jax.jit, jax.checkpoint, jax.vmap], ids=["jit", "remat", "vmap"])
def test_a_tap_costs_the_same_inside_a_call(under):
    def f(x):
        return under(lambda v: nt.tap(jnp.sin(v), "a") * 2)(x) + 1

    assert (flops(f, X), total(f, X)) == ({"a": 24}, 72)


def test_a_tap_in_a_loop_costs_all_its_iterations():
    def f(x):
        return jax.lax.scan(lambda c, v: (nt.tap(jnp.sin(c) + v, "a") * 2, None), jnp.zeros(6), x)[0]

    assert (flops(f, X), total(f, X)) == ({"a": 4 * 12}, 4 * 18)


def test_taps_in_branches():
    def f(x):
        first, second = lambda v: nt.tap(v @ W @ W.T, "p") * 2, lambda v: nt.tap(nt.tap(jnp.sin(v), "p"), "q")
        return nt.tap(jax.lax.cond(x[0, 0] > 0, first, second, x), "end")

    found = flops(f, X)
    assert (found["p"], found["q"]) == (288, 0)
    assert found["end"] == 24 + 1  # what the dearest branch does after its tap, and the test


def test_a_tap_passed_twice_is_told_apart():
    def f(x):
        return nt.tap(nt.tap(jnp.sin(x), "p") @ W, "p")

    outline = nt.outline(f, X)
    assert [(p.path, p.label, p.layer, p.flops) for p in outline] == [
        ("p", "p", None, 168),
        ("p#1", "#1", "p#1", 24),
        ("p#2", "#2", "p#2", 144),
    ]


def test_a_tap_with_places_below_it_includes_them():
    def f(x):
        return nt.tap(nt.tap(jnp.sin(x), "block/inner") * 2, "block")

    assert flops(f, X) == {"block": 48, "block/inner": 24}


def test_scopes_cost_what_is_in_them():
    def f(x):
        with jax.named_scope("block"):
            with jax.named_scope("mlp"):
                y = jnp.sin(x) * 2
            y = jax.jit(lambda v: v + x)(y)
        return jnp.cos(y)

    assert flops(f, X) == {"block": 72, "block/mlp": 48}
    assert nt.outline(f, X)["block/mlp"].kind == "scope"


def test_the_scope_of_a_loop_costs_all_its_iterations():
    assert flops(CALLS["scan"][0], X) == {"step": 4 * 12}


def test_a_backward_pass_is_of_the_function_alone():
    def f(x):
        with jax.named_scope("block"):
            return jnp.sin(x).sum()

    outline = nt.outline(jax.value_and_grad(f), X)
    assert outline["block"].flops == 24 + 24 + 23  # sin, its derivative, sum
    assert outline.root.flops == 24 + 24 + 23 + 24


# modules of frameworks ----------------------------------------------------------------------------------


class Linen(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(3, name="out")(nn.relu(nn.Dense(8, name="hidden")(x)))


class Nnx(nnx.Module):
    def __init__(self, rngs):
        self.blocks = nnx.List([nnx.Linear(6, 8, rngs=rngs), nnx.Dropout(0.1, rngs=rngs)])
        self.out = nnx.Linear(8, 3, rngs=rngs)

    def __call__(self, x):
        return self.out(nnx.relu(self.blocks[1](self.blocks[0](x), deterministic=True)))


class Equinox(eqx.Module):
    hidden: eqx.nn.Linear
    out: eqx.nn.Linear

    def __call__(self, x):
        return self.out(jax.nn.relu(self.hidden(x)))


def equinox_model():
    keys = jax.random.split(jax.random.key(0), 2)
    return Equinox(eqx.nn.Linear(6, 8, key=keys[0]), eqx.nn.Linear(8, 3, key=keys[1]))


def linen_case():
    return Linen().apply, (jax.eval_shape(Linen().init, jax.random.key(0), X), X), "hidden", "hidden/kernel"


MODULES = {
    "linen": linen_case,
    "nnx": lambda: (Nnx(nnx.Rngs(0)), (X,), "blocks/0", "blocks/0/kernel"),
    "equinox": lambda: (jax.vmap(equinox_model()), (X,), "hidden", "hidden/weight"),
}


@pytest.mark.parametrize("case", MODULES)
def test_modules(case):
    f, args, hidden, kernel = MODULES[case]()
    outline = nt.outline(f, *args)
    assert (outline[hidden].kind, outline[hidden].value.shape) == ("module", (4, 8))
    assert outline[hidden].flops == 2 * 4 * 6 * 8 + 4 * 8
    assert outline["out"].flops == 2 * 4 * 8 * 3 + 4 * 3
    assert outline.root.flops == outline[hidden].flops + outline["out"].flops + 32  # and relu
    assert sorted(outline[kernel].value.shape) == [6, 8]
    assert outline.root.parameters == 6 * 8 + 8 + 8 * 3 + 3
    assert not [p for p in outline if p.kind == "scope"]  # those are the frameworks' own


@pytest.mark.parametrize("case", MODULES)
def test_the_name_of_a_place_is_a_layer(case):
    f, args, hidden, _ = MODULES[case]()
    layer = nt.outline(f, *args)[hidden].layer
    shapes = jax.eval_shape(nt.capture(f, [layer]), *args)[1]
    assert shapes[layer].shape == (4, 8)


# what is shown ----------------------------------------------------------------------------------------


def digits():
    params = jax.eval_shape(digits_cnn.init, jax.random.key(0))
    return nt.outline(digits_cnn.apply, params, nt.ones("batch:2 height:8 width:8"), params=params)


def test_named_shapes_sizes_and_parameters():
    outline = digits()
    conv2 = outline["conv2"]
    assert dict(conv2.value.shape) == {"batch": 2, "height": 8, "width": 8, "feature": 32}
    assert (conv2.bytes, conv2.parameters) == (2 * 8 * 8 * 32 * 4, 3 * 3 * 16 * 32 + 32)
    assert [p.path for p in conv2.children] == ["conv2/conv2", "conv2/bias"]
    assert dict(outline["conv2/bias"].value.shape) == {"feature": 32}
    assert dict(outline.root.value.shape) == {"batch": 2, "class": 10}
    # 22 of the 24 rows that a kernel of 3 meets on 8 pixels are no padding
    products = 2 * (2 * 22 * 22 * 16 * 32)
    assert conv2.flops == products + 2 * (2 * 8 * 8 * 32)  # and bias, and relu


def test_taps_part_the_whole():
    outline = digits()
    assert sum(child.flops for child in outline.root.children if child.flops) == outline.root.flops


@pytest.mark.parametrize("place", ["block0/mlp", "blocks/0/mlp", "blocks0/mlp"])
def test_parameters_find_their_place_by_path(place):
    params = {"blocks": [{"mlp": {"kernel": jnp.ones(6)}}], "other": {"scale": jnp.ones(2)}}

    def f(params, x):
        return nt.tap(x * params["blocks"][0]["mlp"]["kernel"].reshape(1, 6), place)

    if place == "blocks0/mlp":
        assert nt.outline(f, params, X, params=params)["blocks/0/mlp/kernel"].kind == "parameter"
        return
    outline = nt.outline(f, params, X, params=params)
    assert outline[place].parameters == 6
    assert outline["other/scale"].parameters == 2
    assert outline.root.parameters == 8


def test_the_text():
    text = digits().table(parameters=True)
    assert text.splitlines()[0].split() == ["place", "shape", "size", "FLOPs", "share", "parameters"]
    line = next(line for line in text.splitlines() if "conv2 tap" in line)
    assert line.split()[1:3] == ["conv2", "tap"]
    assert "f32[batch:2 height:8 width:8 feature:32]" in line
    assert "16 KiB" in line
    assert "4 640" in line
    assert "│ └ bias parameter" in text
    assert "bias" not in str(digits())
    assert len({len(line) for line in text.splitlines()[:2]}) == 1


def test_a_long_outline_says_what_is_left_out():
    def f(x):
        for i in range(9):
            x = nt.tap(x + 1, f"place{i}")
        return x

    outline = nt.outline(f, X)
    assert len(outline.table(most=4).splitlines()) == 6
    assert "... and 6 more: outline.table(most=None)" in outline.table(most=4)
    assert "place8" in outline.table(most=None)
    assert "parameters" not in str(outline)


def test_the_html_escapes_names():
    html = nt.outline(lambda x: nt.tap(x + 1, "<b>"), X)._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html


def test_nothing_is_computed(compilations):
    digits()
    assert compilations.since(digits) == 0


def test_an_unknown_place_lists_those_that_are_there():
    with pytest.raises(
        UnknownTapError, match=r"no tap 'conv3': there are 'conv1', 'conv2'.*Did you mean 'conv"
    ):
        digits()["conv3"]


def test_a_tap_in_a_while_loop_is_refused():
    def f(x):
        return jax.lax.while_loop(lambda c: c[0, 0] < 9, lambda c: nt.tap(c * 2, "inside"), x)

    with pytest.raises(UnsupportedPrimitiveError, match="the tap 'inside' is inside a while loop"):
        nt.outline(f, X)


def test_a_function_without_places():
    outline = nt.outline(jnp.sin, 1.0)
    assert (list(outline), outline.root.flops, outline.root.label) == ([], 1, "sin")
