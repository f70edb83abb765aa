"""What cannot be done says so: what was asked, what there is, what to write instead."""

import copy  # noqa: F401  (in the codes)
import functools
import pickle  # noqa: F401
import re

import jax  # noqa: F401
import jax.numpy as jnp
import numpy as np
import pytest

import crypten_lite as ct
import namedtensor as nt
from namedtensor.interpreter import UnsupportedPrimitiveError

X = np.float32([[1, 2, 3], [4, 5, 6]])
NAN = np.float32([[1, 2, 3], [4, 5, np.nan]])
SHOWN = "SharedTensor(float32[2 3], 2 parties, 16 binary places, simulation: not private)"


@pytest.fixture(scope="module")
def names():
    session, other, precise = ct.simulate(), ct.simulate(), ct.simulate(fraction=20)
    with ct.simulate() as over:
        old = over.share(X)
    named = session.share(nt.tensor(X, "row col"))
    shared = {"x": session.share(X), "i": session.share(np.array([0, 1])), "n": named, "old": old}
    shared |= {"elsewhere": other.share(X), "finer": precise.share(X)}
    return {**globals(), **shared, "session": session, "over": over, "precise": precise}


def refused(code, names, error, text):
    with pytest.raises(error, match=re.escape(text)):
        eval(code, dict(names))


SHARING = {
    "session.share(NAN)": (ValueError, "the value has nan at [1, 2]: NaN and infinity cannot be shared."),
    "session.share({'w': [X, NAN]})": (ValueError, "the value at ['w'][1] has nan at [1, 2]"),
    "session.share(nt.tensor(NAN, 'row col'))": (ValueError, "the value has nan at [1, 2]"),
    "session.share(-np.inf)": (ValueError, "the value is -inf: NaN and infinity"),
    "session.share(2.0**30)": (ValueError, "the value is 1073741824.0, beyond the range: with fraction=16"),
    "session.share([3, -(2**30)])": (ValueError, "the value at [1] is -1073741824, beyond the range"),
    "session.share(np.uint64(2**63))": (ValueError, "the value is 9223372036854775808, beyond the range"),
    "session.share(-(2**70))": (ValueError, "beyond the range of 64 bits"),
    "precise.share(2**22)": (ValueError, "beyond the range: with fraction=20"),
    "ct.simulate(fraction=8).share(2**40)": (ValueError, "which JAX's int32 cannot hold. Share floats"),
    "session.share('a')": (TypeError, "the value is of <U1: only real numbers can be shared."),
    "session.share(1j)": (TypeError, "the value is of complex128: only real numbers can be shared."),
    "session.share({'k': jax.random.key(0)})": (TypeError, "the value at ['k'] is a random key"),
    "session.share(np.array([None]))": (TypeError, "the value is of type NoneType: only arrays of real"),
    "session.share(np.ma.array([1.0, 2.0], mask=[0, 1]))": (
        TypeError,
        "is a masked array: fill it, x.filled(0)",
    ),
    "session.share(print)": (TypeError, "the value is of type builtin_function_or_method"),
    "session.share(np.datetime64('2020-01-01'))": (TypeError, "the value is of datetime64[D]"),
    "session.share(x)": (TypeError, "the value is shared already: compute with it as it is."),
    "jax.jit(session.share)(X)": (TypeError, "is being traced: share it outside of jax.jit"),
    "ct.private(session.share)(x)": (TypeError, "is being traced: share it outside"),
    "session.share(X, owner=2)": (ValueError, "owner=2: the parties are 0 to 1."),
    "session.share(X, owner=-1)": (ValueError, "owner=-1: the parties are 0 to 1."),
    "session.share(X, owner=True)": (ValueError, "owner=True: the parties are 0 to 1."),
    "session.share(X, owner='a')": (ValueError, "owner='a': the parties are 0 to 1."),
    "ct.cryptensor(X)": (
        ValueError,
        "cryptensor() needs a session: call it within `with ct.simulate(parties=2):`",
    ),
    "ct.simulate(parties=1)": (ValueError, "parties=1: a secret is shared between two or more."),
    "ct.simulate(fraction=31)": (ValueError, "fraction=31: a ring of 64 bits has room for 0 to 30 places"),
}


@pytest.mark.parametrize("code", SHARING)
def test_sharing(code, names):
    refused(code, names, *SHARING[code])


SESSIONS = {
    "over.share(X)": "the session is over, and so are its shares",
    "old + 1": "the session is over, and so are its shares",
    "old.sum()": "the session is over, and so are its shares",
    "old.reveal()": "the session is over, and so are its shares",
    "over.__enter__()": "the session is over",
    "x + elsewhere": "the arguments belong to 2 different sessions",
    "x + finer": "2 different sessions (2 parties, 16 binary places; 2 parties, 20 binary places): their shares",
    "x.at[0].set(elsewhere[0])": "the arguments belong to 2 different sessions",
    "ct.private(lambda a, b: a)(x, {'b': elsewhere})": "the arguments belong to 2 different sessions",
    "ct.private(jnp.add)(1, X)": "none of the arguments is shared: share one first",
    "x.reveal(to=2)": "to=2: the parties are 0 to 1; None reveals to all of them.",
    "x.reveal(to=-1)": "to=-1: the parties are 0 to 1",
    "x.reveal(to='alice')": "to='alice': the parties are 0 to 1",
    "x.get_plain_text(dst=True)": "to=True: the parties are 0 to 1",
}


@pytest.mark.parametrize("code", SESSIONS)
def test_sessions(code, names):
    refused(code, names, ValueError, SESSIONS[code])


NUMBERS = {
    "bool(x)": f"whether {SHOWN} holds is secret: who takes a branch would see which",
    "1 if x[0, 0] > 0 else 2": "Compute both and choose, ct.private(jnp.where)(condition, a, b), or reveal it",
    "(x > 0) and (x < 5)": "holds is secret",
    "int(x)": f"int() needs the numbers of {SHOWN}, which are secret. Compute with it, ct.private(function)(x)",
    "float(x)": "float() needs the numbers of",
    "complex(x)": "complex() needs the numbers of",
    "round(x)": "round() needs the numbers of",
    "x.item()": "item() needs the numbers of",
    "n.item()": "item() needs the numbers of",
    "x.tolist()": "tolist() needs the numbers of",
    "np.asarray(x)": "numpy.asarray() needs the numbers of",
    "np.array(n)": "numpy.asarray() needs the numbers of",
    "np.stack([x, x])": "numpy.asarray() needs the numbers of",
    "np.full(3, x)": "numpy.asarray() needs the numbers of",
    "X[i]": "numpy.asarray() needs the numbers of",
    "range(i)": "is a secret position: who reads there would see where. Multiply by a one-hot vector",
    "[1, 2][i]": "is a secret position",
    "pickle.dumps(x)": f"{SHOWN} cannot be pickled or copied: its shares live in the session, and never change",
    "copy.copy(x)": "cannot be pickled or copied",
    "copy.deepcopy({'x': x})": "cannot be pickled or copied",
    "x.__setitem__(0, 1)": "a shared tensor does not change: write x = x.at[index].set(value).",
    "hash(x)": "unhashable type: 'SharedTensor'",
    "len(x[0, 0])": "a shared tensor of no axes has no len().",
    "x + 'a'": "unsupported operand type(s) for +: 'SharedTensor' and 'str'",
    "x == [1, 2]": "unsupported operand type(s) for ==",
}


@pytest.mark.parametrize("code", NUMBERS)
def test_what_needs_the_numbers(code, names):
    refused(code, names, TypeError, NUMBERS[code])


GIVEN_TO_JAX = [
    "jnp.exp(x)", "jnp.sum(x)", "jnp.add(x, 1)", "jnp.where(x, 1, 2)", "jnp.stack([x, x])", "jnp.dot(X.T, x)",
    "jax.nn.relu(x)", "jax.nn.softmax(x)", "jax.lax.exp(x)", "jax.jit(lambda a: a)(x)", "jax.vmap(lambda a: a)(x)",
    "jax.grad(lambda a: a.sum())(x)", "ct.private(lambda a: jnp.multiply(a, x))(x)", "ct.private(lambda a: x)(x)",
    "jnp.exp(n)", "jnp.broadcast_to(x, (4, 2, 3))",
]  # fmt: skip


@pytest.mark.parametrize("code", GIVEN_TO_JAX)
def test_jax_functions_say_private(code, names):
    refused(
        code,
        names,
        TypeError,
        "crypten_lite.tensor.SharedTensor': JAX functions take it as ct.private(function)(x)>",
    )


@pytest.mark.parametrize(
    "code",
    [
        "ct.private(lambda a: a + x)(x)",
        "jax.jit(lambda a: x * a)(X)",
        "jax.grad(lambda a: (a @ x).sum())(X.T)",
    ],
)
def test_a_shared_constant_of_a_traced_function(code, names):
    refused(code, names, TypeError, f"{SHOWN} meets an array that is being traced, as if it were a constant")
    refused(
        code, names, TypeError, "Give it to the private function as an argument: ct.private(function)(x, w)."
    )


NAMES = {
    "x.summ()": "SharedTensor has no 'summ'. Did you mean 'sum'? Any JAX function of it is ct.private(function)(x).",
    "x.reveall()": "Did you mean 'reveal'?",
    "x.nothing_like_it": "SharedTensor has no 'nothing_like_it'. Any JAX function of it is ct.private(function)(x).",
    "n.softmx('row')": "Did you mean 'softmax'?",
    "x.numpy()": f"{SHOWN} has no 'numpy': its numbers are secret. Reveal them: x.reveal().",
    "n.array": "has no 'array': its numbers are secret",
    "n.T": "axes have names here. Write x.order(",
    "n.reshape(6)": "axes have names here. Write x.split(",
    "x.at.set(1)": "x.at has no 'set': write x.at[index].set(value).",
    "x._private": "'SharedTensor' object has no attribute '_private'",
}


@pytest.mark.parametrize("code", NAMES)
def test_names_that_there_are_not(code, names):
    refused(code, names, AttributeError, NAMES[code])


MIXED = {
    "n + X": "f32[2, 3] has no names.  Name its axes: nt.tensor(array, 'batch ...').",
    "n + x": "f32[2, 3] has no names.",
    "x - n": "f32[2, 3] has no names.",
    "X + n": "f32[2, 3] has no names.",
    "n @ n": "x @ w does not say which dim is summed over.  Write x.dot('row', w) or x.dot('col', w).",
    "n[0]": "axes have names here and no positions, there are 'row col'.  Write x[{'row': 0}].",
    "list(n)": "has no first axis to iterate over.  Write x.unstack('name').",
    "len(n)": "len() has no meaning for the dims 'row col'.",
    "n.sum('rwo')": "Did you mean 'row'?",
}


@pytest.mark.parametrize("code", MIXED)
def test_named_and_unnamed(code, names):
    refused(code, names, nt.NamedShapeError, MIXED[code])


@pytest.mark.parametrize("code", ["x[x > 0]", "x[x[0] > 0]", "x[:, x[0] > 0]"])
def test_a_secret_mask_has_a_secret_size(code, names):
    refused(
        code,
        names,
        IndexError,
        "x[mask] with a secret mask would have a size that is secret. Keep the shape: x.where(",
    )


@pytest.mark.parametrize("code", ["x.floor()", "x.ceil()", "x // 2", "x % 2", "x.sort()", "x.astype(int)"])
def test_operations_without_a_protocol_show_the_users_line(code, names):
    with pytest.raises(UnsupportedPrimitiveError, match=re.escape("at <string>:1 (<module>)")):
        eval(code, dict(names))


WRAPPED = {
    "(session.share(np.int32(2**29)) * 8).reveal()": "a revealed number is 4294967296, which int32 cannot hold",
    "(session.share(np.uint8(3)) - 4).reveal()": "a revealed number is -1, which uint8 cannot hold: in shares whole",
}


@pytest.mark.parametrize("code", WRAPPED)
def test_whole_numbers_that_would_wrap_around(code, names):
    refused(code, names, OverflowError, WRAPPED[code])


def branch(x):
    return x if x.sum() > 0 else -x


def convert(x):
    return x * float(x[0, 0])


def leave(x):
    return np.exp(x)


def read(x):
    return [1.0, 2.0][x.sum().astype(int)] * x


def select(x):
    return x[x > 0]


def size(x):
    return jnp.zeros(x.sum().astype(int))


@pytest.mark.parametrize(
    ("function", "advice"),
    [
        (branch, "who takes a branch sees which: compute both and choose, jnp.where(condition, a, b)"),
        (convert, "float(), int() and sizes need it: stay in arrays"),
        (leave, "NumPy computes on numbers: write it with jax.numpy"),
        (read, "indices and sizes are public: read with a one-hot vector"),
        (select, "a mask makes a size secret: keep the shape, jnp.where(mask, x, 0)"),
        (size, "indices and sizes are public"),
    ],
)
def test_what_a_private_function_must_not_ask(function, advice, names):
    line = function.__code__.co_firstlineno + 1
    text = f"a number that it cannot see, at test_bad_input.py:{line} ({function.__name__}): {advice}"
    with pytest.raises(TypeError, match=re.escape(text)) as caught:
        ct.private(function)(names["x"])
    assert "functools.partial(f, flag=True)" in str(caught.value)


def test_other_errors_of_the_function_are_its_own(names):
    with pytest.raises(TypeError, match="dot_general requires contracting dimensions"):
        ct.private(lambda x: x @ x)(names["x"])
    with pytest.raises(IndexError, match="Too many indices"):
        ct.private(lambda x: x[0, 0, 0])(names["x"])


def test_a_public_flag_may_decide(names):
    def scaled(x, flag):
        return 2 * x if flag else x

    found = ct.private(functools.partial(scaled, flag=True))(names["x"]).reveal()
    np.testing.assert_array_equal(found, 2 * X)


def test_after_an_error_the_session_goes_on(names):
    x = names["x"]
    for code in ("x.floor()", "bool(x)", "x @ x", "ct.private(branch)(x)"):
        with pytest.raises((TypeError, UnsupportedPrimitiveError)):
            eval(code, dict(names))
    np.testing.assert_array_equal((x + x).reveal(), 2 * X)
