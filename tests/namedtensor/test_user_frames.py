"""Errors that arise while JAX traces: the kind and the text stay, and the traceback ends in the user's line."""

import traceback

import jax
import numpy as np
import pytest

import namedtensor as nt
from namedtensor._errors import SizeMismatch
from namedtensor.interpreter import capture

TEXT = (
    "SizeMismatch in nt.add:   left f32[batch:2 embed:3]   right f32[embed:4]\n"
    "  'embed' is 3 on the left, 4 on the right.  If they are two dims, rename one: .rename(embed='embed_2')."
)


def x():
    return nt.tensor(np.ones((2, 3), np.float32), "batch embed")


def xs():
    return nt.ones("time:4 batch:2 embed:3")


def mistaken(t):
    return t + nt.ones("embed:4")  # the line that the user should see


def loss(t):
    return mistaken(t).sum()


UNDER = {
    "eager": lambda: mistaken(x()),
    "jit": lambda: jax.jit(mistaken)(x()),
    "make_jaxpr": lambda: jax.make_jaxpr(mistaken)(x()),
    "eval_shape": lambda: jax.eval_shape(mistaken, x()),
    "checkpoint": lambda: jax.checkpoint(mistaken)(x()),
    "jax.grad": lambda: jax.grad(loss)(x()),
    "jax.vmap": lambda: jax.vmap(mistaken)(xs().peel("time")),
    "jax.lax.scan": lambda: jax.lax.scan(lambda c, t: (c, mistaken(t)), 0, xs().peel("time")),
    "jax.jvp": lambda: jax.jvp(mistaken, (x(),), (x(),)),
    "capture": lambda: capture(mistaken)(x()),
    "grad": lambda: nt.grad(loss)(x()),
    "value_and_grad": lambda: nt.value_and_grad(loss)(x()),
    "jacobian": lambda: nt.jacobian(mistaken)(x()),
    "jacobian, forward": lambda: nt.jacobian(mistaken, mode="forward")(x()),
    "hessian": lambda: nt.hessian(loss)(x()),
    "vjp": lambda: nt.vjp(mistaken, x()),
    "jvp": lambda: nt.jvp(mistaken, (x(),), (x(),)),
    "linearize": lambda: nt.linearize(mistaken, x()),
    "vmap": lambda: nt.vmap(mistaken, over="time")(xs()),
    "map": lambda: nt.map(mistaken, over="time")(xs()),
    "map, in batches": lambda: nt.map(mistaken, over="time", batch_size=3)(xs()),
    "scan": lambda: nt.scan(lambda c, t: (c, mistaken(t)), 0, xs(), over="time"),
    "associative_scan": lambda: nt.associative_scan(lambda a, b: mistaken(a), xs(), over="time"),
    "cond": lambda: nt.cond(True, mistaken, lambda t: t, x()),
    "cond, the other": lambda: nt.cond(True, lambda t: t, mistaken, x()),
    "switch": lambda: nt.switch(0, [lambda t: t, mistaken], x()),
    "while_loop": lambda: nt.while_loop(lambda c: True, mistaken, x()),
    "while_loop, condition": lambda: nt.while_loop(mistaken, lambda c: c, x()),
    "fori_loop": lambda: nt.fori_loop(0, 3, lambda i, c: mistaken(c), x()),
    "all at once": lambda: jax.jit(nt.grad(lambda t: nt.vmap(loss, over="time")(t).sum()))(xs()),
}


@pytest.mark.parametrize("under", UNDER.values(), ids=UNDER)
def test_an_error_keeps_its_kind_its_text_and_the_user_s_line(under):
    with pytest.raises(SizeMismatch) as caught:
        under()
    assert str(caught.value) == TEXT
    own = [frame for frame in traceback.extract_tb(caught.value.__traceback__) if frame.filename == __file__]
    assert (own[-1].name, own[-1].line) == (
        "mistaken",
        'return t + nt.ones("embed:4")  # the line that the user should see',
    )
    assert caught.value.__cause__ is None
