"""The walker: it leaves functions as they are, and a rule table makes new transformations of them."""

import dataclasses
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor.interpreter import Equation, RuleTable, UnsupportedPrimitiveError, bind, compat, interpret

EPS = float(np.finfo(np.float32).eps)
X = np.float32([0.5, -1.25, 2.0])


@jax.custom_jvp
def kinked(x):
    return x * x


@kinked.defjvp
def _kinked_jvp(primals, tangents):
    return kinked(*primals), 100.0 * tangents[0]  # on purpose not the derivative of x * x


@jax.custom_vjp
def strange(x):
    return jnp.sin(x)


strange.defvjp(lambda x: (jnp.sin(x), x), lambda x, out: (7.0 * out * x,))


def reverse_scan_with_constants(x):
    weights = jnp.arange(6, dtype=jnp.float32).reshape(2, 3)

    def step(carry, w):
        return carry * w + x, jnp.sin(carry)

    last, each = jax.lax.scan(step, jnp.zeros(3), weights, reverse=True)
    return last.sum() + each.sum() * 2


def nested_scan(x):
    def inner(c, y):
        return c + jnp.sin(y), c

    def outer(c, y):
        c, each = jax.lax.scan(inner, c, y * x)
        return c, each.sum()

    return jax.lax.scan(outer, 0.0, jnp.ones((2, 3)))[1].sum()


def counted_scan(x):
    return jax.lax.scan(lambda c, _: (c * x, None), x, None, length=3)[0]


def branches(x):
    return jax.lax.cond(x.sum() > 0, jnp.sin, lambda v: v * jnp.cos(x), x)


def switched(x):
    return jax.lax.switch(1 + (x[0] > 0), [jnp.sin, jnp.cos, lambda v: v * 3.0], x)


def looped(x):
    return jax.lax.while_loop(lambda c: c[0] < 4, lambda c: (c[0] + 1, jnp.sin(c[1]) * x), (0, x))[1]


def counted(x):
    return jax.lax.fori_loop(0, 3, lambda i, c: c + jnp.sin(c) * i, x)


def counted_by_a_value(x):
    return jax.lax.fori_loop(0, jnp.int32(x.sum()) + 2, lambda i, c: c * x, x)


FUNCTIONS = {
    "elementwise": lambda x: jnp.exp(jnp.sin(x)) + x**2,
    "jit": jax.jit(lambda x: jnp.sin(x) * 2),
    "nested jit": jax.jit(lambda x: jax.jit(jnp.sin)(jax.jit(jax.jit(jnp.cos))(x))),
    "vmap": jax.vmap(lambda v: jnp.sin(v) * v),
    "grad inside": lambda x: jax.grad(lambda v: jnp.sin(v).sum())(x) * x,
    "grad of grad inside": jax.vmap(jax.grad(jax.grad(jnp.tanh))),
    "jacobian inside": lambda x: jax.jacrev(lambda v: jnp.outer(v, v).sum(0))(x),
    "relu": jax.nn.relu,
    "softmax": jax.nn.softmax,
    "custom_jvp": kinked,
    "custom_jvp in jit": jax.jit(lambda x: kinked(jnp.sin(x))),
    "custom_vjp": strange,
    "custom_vjp under vmap": jax.vmap(strange),
    "remat": jax.checkpoint(lambda x: jnp.sin(jnp.cos(x))),
    "remat with a policy": jax.checkpoint(
        lambda x: jnp.outer(x, x) @ jnp.sin(x), policy=jax.checkpoint_policies.dots_saveable
    ),
    "scan": reverse_scan_with_constants,
    "nested scan": nested_scan,
    "scan over nothing": counted_scan,
    "scan of length 0": lambda x: jax.lax.scan(lambda c, v: (c * v, c), x[0], x[:0])[0] * x,
    "cond": branches,
    "switch": switched,
    "while": looped,
    "fori_loop": counted,
    "fori_loop to a value": counted_by_a_value,
    "sort and top_k": lambda x: jax.lax.top_k(jnp.sort(x), 2)[0],
    "gather and scatter": lambda x: jnp.asarray(x).at[jnp.array([0, 2])].add(x[jnp.array([1, 1])]),
    "custom_linear_solve": lambda x: jnp.linalg.solve(jnp.eye(3) * 2 + jnp.outer(x, x) / 9, x),
    "stop_gradient": lambda x: x * jax.lax.stop_gradient(x),
    "a constant": lambda x: (jnp.float32(3.0), x),
    "random": lambda x: x * jax.random.normal(jax.random.key(0), (3,)),
}
FORWARD_ONLY = {"while", "fori_loop to a value"}
NOTHING = RuleTable("nothing", default=bind)
SEES_ALL = RuleTable("sees_all", default=lambda eqn, *values: eqn.bind(*values))


def total(f):
    return lambda x: sum(jnp.sum(leaf) for leaf in jax.tree.leaves(f(x)))


@pytest.mark.parametrize("at", [X, np.zeros(3, np.float32)], ids=["somewhere", "at zero"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_table_that_binds_changes_nothing(name, at):
    f = FUNCTIONS[name]
    g = interpret(f, NOTHING)
    for got, want in zip(jax.tree.leaves(g(at)), jax.tree.leaves(f(at)), strict=True):
        np.testing.assert_array_equal(got, want)
        assert got.dtype == want.dtype
    if name in FORWARD_ONLY:
        return
    np.testing.assert_allclose(jax.grad(total(g))(at), jax.grad(total(f))(at), rtol=8 * EPS, atol=8 * EPS)


WALKED = sorted(set(FUNCTIONS) - {"custom_linear_solve"})


@pytest.mark.parametrize("name", WALKED)
def test_a_table_that_walks_into_everything_changes_no_value(name):
    """A default that is not ``bind`` itself makes the walker pass through every call and loop."""
    f = FUNCTIONS[name]
    g = interpret(f, SEES_ALL)
    for got, want in zip(jax.tree.leaves(jax.jit(g)(X)), jax.tree.leaves(jax.jit(f)(X)), strict=True):
        np.testing.assert_allclose(got, want, rtol=8 * EPS)
        assert got.dtype == want.dtype


def test_custom_derivatives_are_kept():
    zero = np.float32(0.0)
    assert jax.grad(interpret(jax.nn.relu, NOTHING))(zero) == jax.grad(jax.nn.relu)(zero) == 0.0
    assert jax.grad(interpret(kinked, NOTHING))(2.0) == 100.0
    assert jax.grad(interpret(strange, NOTHING))(2.0) == 14.0


def test_a_table_that_looks_keeps_custom_derivatives():
    seen = []
    looks = RuleTable("looks", default=bind, observes=True)

    @looks.register("mul", "max", "sin")
    def look(eqn, *values):
        seen.append(eqn.primitive)
        return eqn.bind(*values)

    assert jax.grad(interpret(jax.nn.relu, looks))(0.0) == 0.0
    assert jax.grad(interpret(kinked, looks))(2.0) == 100.0
    assert jax.grad(interpret(strange, looks))(2.0) == 14.0
    assert set(seen) == {"mul", "max", "sin"}


def doubling(**options):
    table = RuleTable("doubling", default=bind, **options)

    @table.register("sin")
    def rule(eqn, x):
        return 2 * eqn.bind(x)

    return table


def double_sin(x):
    return 2 * jnp.sin(x)


@pytest.mark.parametrize(
    "make",
    [
        lambda sin: lambda x: sin(x) + 1,
        lambda sin: jax.jit(lambda x: jax.jit(sin)(x)),
        lambda sin: jax.vmap(lambda v: sin(v)),
        lambda sin: jax.checkpoint(lambda x: sin(sin(x))),
        lambda sin: lambda x: jax.lax.scan(lambda c, v: (sin(c) + v, c), 0.5, x, reverse=True),
        lambda sin: lambda x: jax.lax.cond(x[0] > 0, sin, jnp.cos, x),
        lambda sin: lambda x: jax.lax.switch(2, [jnp.cos, jnp.cos, sin], x),
        lambda sin: lambda x: jax.lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, sin(c[1])), (0, x)),
        lambda sin: lambda x: jax.lax.while_loop(lambda c: sin(c) < 1.0, lambda c: c + 0.125, 0.0) * x,
        lambda sin: lambda x: jax.lax.fori_loop(0, 3, lambda i, c: sin(c), x),
    ],
    ids=["plain", "jit", "vmap", "remat", "scan", "cond", "switch", "while", "while test", "fori_loop"],
)
def test_a_rule_applies_wherever_its_primitive_stands(make):
    got = interpret(make(jnp.sin), doubling())(X)
    want = make(double_sin)(X)
    for g, w in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(g, w, rtol=8 * EPS, atol=EPS)


def test_a_rule_applies_inside_custom_derivatives():
    np.testing.assert_allclose(interpret(strange, doubling())(1.0), 2 * np.sin(1.0), rtol=4 * EPS)
    np.testing.assert_allclose(jax.grad(interpret(strange, doubling()))(1.0), 2 * np.cos(1.0), rtol=4 * EPS)


def test_the_result_is_a_jax_function():
    g = interpret(lambda x: jnp.sin(x) * x, doubling())
    want = 2 * np.sin(X) * X
    np.testing.assert_allclose(jax.jit(g)(X), want, rtol=8 * EPS)
    np.testing.assert_allclose(jax.vmap(g)(X), want, rtol=8 * EPS)
    np.testing.assert_allclose(jax.vmap(jax.grad(g))(X), 2 * (np.cos(X) * X + np.sin(X)), rtol=16 * EPS)
    np.testing.assert_allclose(interpret(g, doubling())(X), 2 * want, rtol=8 * EPS)


def test_a_rule_may_replace_the_derivative():
    table = RuleTable("surrogate", default=bind)

    @table.register("sign")
    def straight_through(eqn, x):
        return x + jax.lax.stop_gradient(eqn.bind(x) - x)

    f = interpret(lambda x: (jnp.sign(x) * 3).sum(), table)
    assert f(X) == 3.0
    np.testing.assert_array_equal(jax.grad(f)(X), [3.0, 3.0, 3.0])


def test_several_results():
    table = RuleTable("reversed", default=bind)

    @table.register("top_k")
    def rule(eqn, x):
        assert eqn.several
        return [r[::-1] for r in eqn.bind(x)]

    values, places = interpret(lambda x: jax.lax.top_k(x, 2), table)(X)
    np.testing.assert_array_equal(values, [0.5, 2.0])
    np.testing.assert_array_equal(places, [0, 2])


def test_arguments_and_results_are_pytrees():
    def f(tree, scale, *, shift, flag=None):
        assert flag is None or flag == "static"
        return {"out": (jnp.sin(tree["a"]) * scale, tree["b"]), "none": None, "shift": shift}

    args = ({"a": X, "b": np.int32([1, 2])}, 3.0)
    got = interpret(f, doubling())(*args, shift=X, flag="static")
    assert jax.tree.structure(got) == jax.tree.structure(f(*args, shift=X))
    np.testing.assert_allclose(got["out"][0], 6 * np.sin(X), rtol=4 * EPS)
    np.testing.assert_array_equal(got["out"][1], [1, 2])


def test_wrap_and_unwrap():
    f = interpret(lambda a, b: a * b, NOTHING, wrap=lambda v: v + 1, unwrap=lambda v: -v)
    assert f(2.0, 3.0) == -12.0


# a rule table of its own: forward-mode differentiation -------------------------------------------


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Dual:
    value: jax.Array
    slope: jax.Array

    @property
    def shape(self):
        return jnp.shape(self.value)

    @property
    def dtype(self):
        return jnp.result_type(self.value)


def lift(x):
    return x if isinstance(x, Dual) else Dual(x, jnp.zeros_like(x))


duals = RuleTable("duals", lifted=Dual)


@duals.register(
    "add", "sub", "neg", "reduce_sum", "broadcast_in_dim", "reshape", "squeeze", "slice", "transpose", "convert_element_type",
    "add_any", "copy", "concatenate",
)  # fmt: skip
def _linear(eqn, *xs):
    xs = [lift(x) for x in xs]
    return Dual(eqn.bind(*[x.value for x in xs]), eqn.bind(*[x.slope for x in xs]))


@duals.register("mul", "dot_general")
def _product(eqn, x, y):
    x, y = lift(x), lift(y)
    return Dual(eqn.bind(x.value, y.value), eqn.bind(x.slope, y.value) + eqn.bind(x.value, y.slope))


@duals.register("sin")
def _sin(eqn, x):
    return Dual(eqn.bind(x.value), jnp.cos(x.value) * x.slope)


@duals.register("cos")
def _cos(eqn, x):
    return Dual(eqn.bind(x.value), -jnp.sin(x.value) * x.slope)


@duals.register("exp")
def _exp(eqn, x):
    value = eqn.bind(x.value)
    return Dual(value, value * x.slope)


@duals.register("max")
def _max(eqn, x, y):
    x, y = lift(x), lift(y)
    return Dual(eqn.bind(x.value, y.value), jnp.where(x.value > y.value, x.slope, y.slope))


@duals.register("select_n")
def _select(eqn, which, *cases):
    cases = [lift(c) for c in cases]
    return Dual(eqn.bind(which, *[c.value for c in cases]), eqn.bind(which, *[c.slope for c in cases]))


@duals.register("lt", "gt", "le", "ge", "eq", "ne", "sign", "floor")
def _on_values(eqn, *xs):
    return eqn.bind(*[lift(x).value for x in xs])


def forward(f):
    """`jax.jvp` as a rule table."""

    def run(primals, tangents):
        args = [Dual(p, t) for p, t in zip(primals, tangents, strict=True)]
        return interpret(f, duals, wrap=lift, unwrap=lift)(*args)

    return run


def scan_with_plain_carry(x):
    """The carry begins as a constant and becomes a dual only in the second step."""

    def step(carry, v):
        count, first, _ = carry
        return (count + 1, v * 2.0, first * v), first

    (count, _, second), each = jax.lax.scan(step, (0, 1.0, 3.0), x)
    return second * count + each.sum()


def reverse_scan_with_dual_constants(x):
    return jax.lax.scan(lambda c, v: (c * v + x.sum(), c), x[0], jnp.sin(x), reverse=True)


def constants_in_the_while_carry(x):
    def step(carry):
        i, a, b, constant = carry
        return i + 1, b * constant, jnp.sin(x) * a, constant

    return jax.lax.while_loop(lambda c: c[0] < 5, step, (0, jnp.ones(3), jnp.full(3, 2.0), 0.5))


DIFFERENTIATED = {
    "arithmetic": lambda x: -(x * x + 2.0 * x - jnp.exp(x)) * jnp.sin(x),
    "reductions": lambda x: (x * x).sum() + jnp.dot(x, jnp.cos(x)),
    "a constant result": lambda x: (x, jnp.ones(2)),
    "max and select": lambda x: jnp.maximum(x, 0.25) + jnp.where(x > 0, x * x, -x),
    "jit": jax.jit(lambda x: jax.jit(jnp.sin)(x) * 2),
    "custom_jvp": jax.nn.relu,
    "custom_vjp by its body": lambda x: strange(x) * 2,
    "remat": jax.checkpoint(lambda x: jnp.sin(jnp.exp(x))),
    "scan, plain carry": scan_with_plain_carry,
    "scan, dual constants": reverse_scan_with_dual_constants,
    "scan of nothing dual": lambda x: x * jax.lax.scan(lambda c, v: (c + v, c), 0.0, jnp.ones(3))[0],
    "scan over nothing": counted_scan,
    "scan of length 0": lambda x: jax.lax.scan(lambda c, v: (c * v, c), 1.0, x[:0])[0] * x,
    "nested scan": nested_scan,
    "cond, one branch constant": lambda x: jax.lax.cond(True, lambda v: jnp.ones(3), jnp.sin, x),
    "cond, mixed results": lambda x: jax.lax.cond(
        jnp.array(False), lambda v: (v, jnp.ones(3), 1.0), lambda v: (jnp.ones(3), v * v, 2.0), x
    ),
    "cond on the data": branches,
    "cond in scan": lambda x: jax.lax.scan(
        lambda c, iv: (jax.lax.cond(iv[0] > 0, lambda: c * iv[1], lambda: 2.0), c), 1.0, (jnp.arange(3), x)
    ),
    "switch": lambda x: jax.lax.switch(jnp.int32(2), [jnp.sin, jnp.exp, lambda v: v * v], x),
    "while, constants in the carry": constants_in_the_while_carry,
    "while on the data": lambda x: jax.lax.while_loop(lambda c: c.sum() < 9, lambda c: c * c + 1.0, x),
    "while in scan": lambda x: jax.lax.scan(
        lambda c, v: (jax.lax.fori_loop(0, jnp.int32(2), lambda i, d: d * v, c), c), 1.0, x
    ),
    "fori_loop": lambda x: jax.lax.fori_loop(0, 4, lambda i, c: c * x + i, jnp.ones(3)),
    "fori_loop to a value": lambda x: jax.lax.fori_loop(0, jnp.int32(3), lambda i, c: jnp.sin(c) * x, x),
}  # fmt: skip


@pytest.mark.parametrize("under", [lambda f: f, jax.jit], ids=["eager", "jit"])
@pytest.mark.parametrize("name", DIFFERENTIATED)
def test_dual_numbers_are_jax_jvp(name, under):
    f, tangent = DIFFERENTIATED[name], np.float32([1.0, -2.0, 0.5])
    reference = (lambda x: jnp.sin(x) * 2) if name == "custom_vjp by its body" else f
    got = under(lambda x, t: forward(f)((x,), (t,)))(X, tangent)
    values, slopes = jax.jit(lambda x, t: jax.jvp(reference, (x,), (t,)))(X, tangent)
    leaves = jax.tree.leaves(got, is_leaf=lambda v: isinstance(v, Dual))
    for g, value, slope in zip(leaves, jax.tree.leaves(values), jax.tree.leaves(slopes), strict=True):
        np.testing.assert_allclose(g.value, value, rtol=16 * EPS, atol=16 * EPS)
        if slope.dtype != jax.dtypes.float0:
            np.testing.assert_allclose(g.slope, slope, rtol=32 * EPS, atol=32 * EPS)


def test_dual_numbers_of_two_arguments_one_of_them_plain():
    out = interpret(lambda x, y: x * y, duals, wrap=lift)(Dual(jnp.asarray(2.0), jnp.asarray(1.0)), 3.0)
    assert (out.value, out.slope) == (6.0, 3.0)


def test_equations_of_constants_need_no_rules():
    """`tan` has no rule in this table, and needs none where nothing dual goes in."""
    out = forward(lambda x: x * jnp.tan(1.0))((2.0,), (1.0,))
    np.testing.assert_allclose(out.slope, np.tan(1.0), rtol=4 * EPS)


def test_a_loop_that_depends_on_the_data_is_refused():
    secret = duals.extend("secret", lt=lambda eqn, x, y: Dual(eqn.bind(lift(x).value, lift(y).value), 0.0))

    def f(x):
        return jax.lax.while_loop(lambda c: c < 10.0, lambda c: c * 2.0, x)

    with pytest.raises(UnsupportedPrimitiveError, match="whether the loop goes on depends on the data"):
        interpret(f, secret, wrap=lift)(1.0)


def test_a_branch_that_depends_on_the_data_is_refused():
    def keep(eqn, x):
        return Dual(eqn.bind(x.value), 0.0)

    secret = duals.extend(
        "secret", gt=lambda eqn, x, y: Dual(eqn.bind(x.value, y), 0.0), convert_element_type=keep
    )
    with pytest.raises(
        UnsupportedPrimitiveError, match=r"the branch taken depends on the data(.|\n)*jnp\.where"
    ):
        interpret(lambda x: jax.lax.cond(x > 1.0, jnp.sin, jnp.cos, x), secret, wrap=lift)(1.0)


# strict tables ------------------------------------------------------------------------------------


def line_of(function, text):
    """The number of the line of ``function`` on which ``text`` stands."""
    lines, first = inspect.getsourcelines(function)
    return first + next(i for i, line in enumerate(lines) if text in line)


def model(x):
    hidden = jnp.sin(x)
    with jax.named_scope("encoder"), jax.named_scope("head"):
        hidden = jnp.tan(hidden)  # no rule for this
    return hidden * 2


def model_in_a_loop(x):
    def step(c, _):
        return jnp.tan(c) * x, None  # no rule in the loop

    return jax.lax.scan(step, x, length=2)[0]


def text_of(f, table=duals):
    with pytest.raises(UnsupportedPrimitiveError) as caught:
        interpret(f, table, wrap=lift)(0.5)
    return str(caught.value)


def test_a_strict_table_says_where_and_how_to_add_a_rule():
    text = text_of(model)
    assert "duals cannot pass the primitive 'tan'" in text
    assert f"test_interpreter.py:{line_of(model, 'no rule for this')} (model)" in text
    assert "in encoder/head" in text
    assert f"duals has {len(duals)} rules" in text
    assert "@duals.register('tan') on a function rule(eqn, *values)" in text


@pytest.mark.parametrize("under", [jax.jit, jax.vmap, jax.checkpoint, jax.grad], ids=lambda f: f.__name__)
def test_the_line_is_right_under_transformations(under):
    f = (lambda x: under(lambda v: model(v))(x[None])[0]) if under is jax.vmap else under(lambda v: model(v))
    assert f"test_interpreter.py:{line_of(model, 'no rule for this')} (model)" in text_of(f)


def test_the_line_is_right_in_a_loop():
    line = line_of(model_in_a_loop, "no rule in the loop")
    assert f"test_interpreter.py:{line} (step)" in text_of(model_in_a_loop)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: jax.nn.silu(x) * 2,
        lambda x: jax.nn.relu(x) * 2,
        lambda x: jnp.where(x, x, 0.0),
        lambda x: nt.softplus(nt.tensor(x, "")).array,
        lambda x: nt.tensor(x, "").silu().array,
        lambda x: jax.lax.scan(lambda c, _: (jax.nn.silu(c), None), x, length=2)[0],
    ],
    ids=["silu", "relu", "where", "named function", "method", "in scan"],
)
def test_the_line_is_the_users_where_jax_jits_its_own_functions(f):
    text = text_of(f, RuleTable("strict", default=None))
    assert f" at test_interpreter.py:{f.__code__.co_firstlineno} (<lambda>)" in text


def test_the_place_is_known_in_a_function_that_was_interpreted():
    """The source line is the first interpreter's then; the scope remains."""
    passing = interpret(model, RuleTable("passing", default=bind))
    assert "at encoder/head" in text_of(passing)


def test_near_rules_are_offered():
    table = duals.extend("near", tanh=_sin, atan=_sin)
    assert "(near: " in text_of(model, table)
    assert "tanh" in text_of(model, table).partition("(near: ")[2].partition(")")[0]


def test_an_empty_strict_table():
    with pytest.raises(UnsupportedPrimitiveError, match="empty has 0 rules: none"):
        interpret(jnp.sin, RuleTable("empty"))(1.0)


def test_it_is_a_not_implemented_error():
    assert issubclass(UnsupportedPrimitiveError, NotImplementedError)


def test_a_default_must_not_swallow_a_rule_further_inside():
    def f(x):
        return jax.lax.custom_linear_solve(lambda v: v + 0 * jnp.sin(v), x, lambda _, b: b)

    assert interpret(lambda x: f(x), NOTHING)(1.0) == 1.0
    with pytest.raises(UnsupportedPrimitiveError, match="a rule applies inside it"):
        interpret(f, doubling())(1.0)


# tables and equations -----------------------------------------------------------------------------


def test_a_key_by_the_name_of_a_jitted_function():
    @jax.jit
    def layer(x):
        return jnp.sin(x)

    table = RuleTable("by_name", default=bind)

    @table.register("jit:layer")
    def rule(eqn, x):
        (out,) = eqn.bind(x)
        return [out + 10.0]

    f = interpret(lambda x: layer(x) + jax.jit(jnp.sin)(x), table)
    np.testing.assert_allclose(f(X), 2 * np.sin(X) + 10, rtol=8 * EPS)


def test_the_name_goes_before_the_primitive():
    @jax.jit
    def layer(x):
        return jnp.sin(x)

    table = RuleTable("by_name", default=bind).extend(
        "both", jit=lambda eqn, x: [x * 0.0], **{"jit:layer": lambda eqn, x: [x + 1.0]}
    )
    assert interpret(layer, table)(1.0) == 2.0
    assert interpret(jax.jit(lambda x: x * 5), table)(1.0) == 0.0


def test_a_table_may_take_a_handler_over():
    once = RuleTable("once", default=bind)

    @once.register("scan")
    def unrolled(eqn, *values):
        _, carry, _ = compat.scan_operands(eqn.params, list(values))
        return [v + 1 for v in carry]

    assert interpret(lambda x: jax.lax.scan(lambda c, _: (c * 3, None), x, length=4)[0], once)(1.0) == 2.0


def test_a_rule_may_walk_an_inner_jaxpr():
    table = doubling()

    @table.register("jit:layer")
    def rule(eqn, x):
        return [v + 100.0 for v in eqn.walk(eqn.params["jaxpr"], x)]

    @jax.jit
    def layer(x):
        return jnp.sin(x)

    np.testing.assert_allclose(interpret(layer, table)(X), 2 * np.sin(X) + 100, rtol=4 * EPS)


def test_extend_does_not_mutate():
    table = doubling()
    more = table.extend("more", sin=lambda eqn, x: 3 * eqn.bind(x), cos=lambda eqn, x: x)
    assert (table.name, more.name) == ("doubling", "more")
    assert (list(table), len(more)) == (["sin"], 2)
    assert interpret(lambda x: jnp.sin(x) + jnp.cos(x), table)(0.0) == 1.0
    np.testing.assert_allclose(interpret(jnp.sin, table)(1.0), 2 * np.sin(1.0), rtol=4 * EPS)
    assert interpret(jnp.cos, more)(0.5) == 0.5
    more.register("exp")(lambda eqn, x: x)
    assert table.get("exp") is None


def test_extend_keeps_the_options():
    strict = RuleTable("strict", lifted=Dual, observes=True).extend("more")
    assert (strict.default, strict.lifted, strict.observes) == (None, Dual, True)
    assert NOTHING.extend("more").default is bind


def test_what_an_equation_says():
    seen = {}
    table = RuleTable("looks", default=bind)

    @table.register("dot_general")
    def look(eqn, *values):
        seen["eqn"] = eqn
        return eqn.bind(*values)

    def f(x):
        with jax.named_scope("encoder"):
            return jax.jit(jax.named_call(lambda v: jnp.dot(v, v), name="attention"))(x)  # the product

    interpret(jax.vmap(f), table)(jnp.ones((2, 3)))
    eqn = seen["eqn"]
    assert isinstance(eqn, Equation)
    assert eqn.primitive == "dot_general"
    assert eqn.params["dimension_numbers"] == (((1,), (1,)), ((0,), (0,)))
    assert eqn.path == "encoder/attention"
    assert (
        eqn.source == f"test_interpreter.py:{line_of(test_what_an_equation_says, 'the product')} (<lambda>)"
    )
    assert [a.shape for a in eqn.inputs] == [(2, 3), (2, 3)]
    assert [a.shape for a in eqn.outputs] == [(2,)]
    assert not eqn.several
    assert repr(eqn) == f"Equation(dot_general at {eqn.source}, in encoder/attention)"


def test_a_scan_stays_a_scan():
    text = str(jax.make_jaxpr(interpret(reverse_scan_with_constants, SEES_ALL))(X))
    assert text.count("scan[") == 1
    assert "reverse=True" in text
