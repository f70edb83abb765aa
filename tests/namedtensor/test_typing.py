# ruff: noqa: F722, F821, UP007, UP045
"""Annotations with names: what they mean, what a call is checked for, and what the errors say."""

import dataclasses
import shutil
import subprocess
import sys
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Optional, TypedDict, Union

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor import Named
from namedtensor._errors import (
    BadPattern,
    DimMismatch,
    DuplicateDim,
    InvalidName,
    MissingName,
    RankMismatch,
    SizeMismatch,
    Unsupported,
)


def x():
    return nt.ones("batch:8 seq:16")


def y():
    return nt.ones("batch:8 embed:32")


@dataclasses.dataclass
class Layer:
    w: Named["embed ff"]
    name: str = "layer"
    b: "Named['ff'] | None" = None


@dataclasses.dataclass
class Deep(Layer):
    inner: "Deep | None" = None


class Pair(NamedTuple):
    left: Named["a"]
    right: Named["b"]


@dataclasses.dataclass
class Plain:
    rate: float


class Params(TypedDict):
    w: Named["embed ff"]
    rate: float


def layer(ff=4, **more):
    return Layer(nt.ones(f"embed:3 ff:{ff}"), **more)


RAW = np.ones((8, 16), np.float32)

# annotation, a value that fits
FITS = {
    "the names": (Named["batch seq"], x),
    "in another order": (Named["seq batch"], x),
    "sizes": (Named["batch:8 seq:16"], x),
    "commas": (Named["batch, seq"], x),
    "dots": (Named["... seq"], x),
    "dots alone": (Named["..."], x),
    "dots for nothing": (Named["batch ... seq"], x),
    "scalar": (Named[""], lambda: nt.tensor(1.0, "")),
    "bare": (Named, x),
    "prime": (Named["seq'"], lambda: nt.ones("seq':2")),
    "kind of dtypes": (Named["batch seq", float], x),
    "half is a float too": (Named["a", float], lambda: nt.ones("a:2", dtype=jnp.bfloat16)),
    "integers": (Named["a", int], lambda: nt.tensor(np.array([1], np.uint8), "a")),
    "bool": (Named["a", bool], lambda: nt.tensor([True], "a")),
    "complex": (Named["a", complex], lambda: nt.tensor([1j], "a")),
    "JAX's dtype": (Named["a", jnp.bfloat16], lambda: nt.ones("a:2", dtype=jnp.bfloat16)),
    "NumPy's dtype": (Named["a", np.float32], lambda: nt.ones("a:2")),
    "dtype by name": (Named["a", "bfloat16"], lambda: nt.ones("a:2", dtype=jnp.bfloat16)),
    "abstract dtype": (Named["a", jnp.floating], lambda: nt.ones("a:2")),
    "keys": (Named["a", jax.dtypes.prng_key], lambda: nt.tensor(jax.random.split(jax.random.key(0)), "a")),
    "Annotated": (Annotated[nt.NamedTensor, "batch seq", float], x),
    "Annotated with remarks": (Annotated[nt.NamedTensor, 3, "batch seq"], x),
    "Annotated with other remarks": (Annotated[nt.NamedTensor, 3], x),
    "Annotated twice": (Annotated[Named["batch seq"], "as it comes from the loader"], x),
    "optional, none": (Optional[Named["batch seq"]], lambda: None),
    "optional": (Named["batch seq"] | None, x),
    "union": (Union[Named["a"], Named["batch seq"]], x),
    "union with number": (Named["a"] | float, lambda: 3),
    "union with literal": (Named["a"] | Literal["auto"], lambda: "auto"),
    "union with a container": (Named["a"] | list[Named["batch seq"]], lambda: [x()]),
    "union with an array": (Named["a"] | jax.Array, lambda: jnp.ones(3)),
    "union with Any": (Union[Named["a"], Any], lambda: RAW),
    "union with object": (Union[Named["a"], object], lambda: RAW),
    "union with Annotated": (Named["a"] | Annotated[int, "how many"], lambda: 3),
    "list": (list[Named["batch seq"]], lambda: [x(), x()]),
    "empty list": (list[Named["batch seq"]], list),
    "sequence": (Sequence[Named["batch seq"]], lambda: (x(), x())),
    "tuple": (tuple[Named["batch seq"], Named["batch embed"]], lambda: (x(), y())),
    "tuple with a number": (tuple[int, Named["batch seq"]], lambda: (1, x())),
    "tuple of any length": (tuple[Named["batch seq"], ...], lambda: (x(), x(), x())),
    "old spelling": (typing.List[Named["batch seq"]], lambda: [x()]),  # noqa: UP006
    "dict": (dict[str, Named["batch seq"]], lambda: {"a": x()}),
    "mapping": (Mapping[str, Named["batch seq"]], lambda: {"a": x()}),
    "nested": (dict[str, list[tuple[Named["batch seq"], int]]], lambda: {"a": [(x(), 1)]}),
    "dataclass": (Layer, layer),
    "dataclass in a list": (list[Layer], lambda: [layer(), layer(b=nt.ones("ff:4"))]),
    "dataclass that holds itself": (Deep, lambda: Deep(**vars(layer()), inner=Deep(**vars(layer())))),
    "named tuple": (Pair, lambda: Pair(nt.ones("a:2"), nt.ones("b:3"))),
    "typed dict": (Params, lambda: {"w": nt.ones("embed:3 ff:4"), "rate": 0.1}),
    "typed dict without": (Params, lambda: {"rate": 0.1}),
    "record or tensor": (Layer | Named["a"], lambda: nt.ones("a:2")),
    "record without named tensors": (Plain, lambda: 3),
    "shapes only": (Named["batch:8 seq"], lambda: jax.eval_shape(x)),
    "a placeholder of a pytree": (Named["a"], lambda: nt.NamedTensor(object(), nt.dims("a"))),
    # no named tensor in these: not checked
    "not annotated": (int, x),
    "bare list": (list, lambda: 3),
    "text for others": ("how many, at least 3", lambda: 3),
    "callable": (Callable[[Named["a"]], Named["b"]], lambda: print),
    "iterator": (Iterator[Named["a"]], lambda: iter([3])),
}


def taking(annotation):
    def f(value):
        return value

    f.__annotations__ = {"value": annotation, "return": annotation}
    return nt.typed(f)


@pytest.mark.parametrize(("annotation", "make"), FITS.values(), ids=FITS)
def test_what_fits(annotation, make):
    value = make()
    assert taking(annotation)(value) is value


F = "f(value: "
MISFITS = {
    "other names": (Named["batch sep"], x, DimMismatch,
        [f"DimMismatch in {F}Named['batch sep'])", "f32[batch:8 seq:16]", "expected 'batch sep', there is 'batch seq'", "Did you mean 'seq'?"]),
    "a name more": (Named["batch"], x, DimMismatch, ["expected 'batch', there is 'batch seq'", "'batch ...'"]),
    "a name less": (Named["batch seq time"], x, DimMismatch, ["expected 'batch seq time', there is 'batch seq'"]),
    "dots": (Named["time ..."], x, DimMismatch, [f"{F}Named['time ...'])", "expected 'time ...'"]),
    "size": (Named["batch:4 ..."], x, SizeMismatch, ["Named['batch:4 ...']", "'batch' should be 4, it is 8"]),
    "scalar": (Named[""], x, DimMismatch, ["expected '', there is 'batch seq'"]),
    "kind": (Named["batch seq", int], x, Unsupported, ["Named['batch seq', int]", "expected values of int, there is f32", "astype"]),
    "dtype": (Named["batch seq", jnp.bfloat16], x, Unsupported, ["expected values of bfloat16, there is f32"]),
    "bool is no integer": (Named["a", int], lambda: nt.tensor([True], "a"), Unsupported, ["there is bool"]),
    "raw array": (Named["batch seq"], lambda: RAW, MissingName,
        [f"{F}Named['batch seq'])", "f32[8, 16]", "a named tensor is expected", "nt.tensor(array, 'batch seq')"]),
    "None": (Named["batch"], lambda: None, MissingName, ["NoneType"]),
    "raw array for any names": (Named, lambda: RAW, MissingName, [f"{F}Named['...'])"]),
    "raw array in an optional": (Named["a"] | None, lambda: RAW, MissingName, ["Named['a']"]),
    "optional": (Named["a"] | None, x, DimMismatch, ["expected 'a'"]),
    "union": (Named["a"] | Named["b"], x, DimMismatch, ["no member of the union fits", "expected 'a'", "expected 'b'"]),
    "union of kinds": (Named["batch:4 seq"] | Named["b"], x, DimMismatch, ["'batch' should be 4", "expected 'b'"]),
    "literal": (Named["a"] | Literal["auto"], lambda: RAW, MissingName, ["Named['a']"]),
    "list": (list[Named["a"]], lambda: [nt.ones("a:2"), x()], DimMismatch, ["f(value[1]: Named['a'])", "f32[batch:8 seq:16]"]),
    "list of arrays": (list[Named["a"]], lambda: [RAW], MissingName, ["value[0]"]),
    "no list": (list[Named["a"]], x, Unsupported, ["f(value: list)", "a list of named tensors is expected"]),
    "a tuple is no list": (list[Named["a"]], lambda: (nt.ones("a:2"),), Unsupported, ["a list of named tensors"]),
    "tuple": (tuple[int, Named["a"]], lambda: (1, x()), DimMismatch, ["value[1]"]),
    "longer tuple": (tuple[int, Named["a"]], lambda: (1, x(), 2), Unsupported, ["a tuple of 2 is expected here, not of 3"]),
    "dict": (dict[str, Named["a"]], lambda: {"w": x()}, DimMismatch, ["f(value['w']: Named['a'])"]),
    "no dict": (dict[str, Named["a"]], lambda: [x()], Unsupported, ["a dict of named tensors"]),
    "nested": (dict[str, list[Named["a"]]], lambda: {"w": [x()]}, DimMismatch, ["f(value['w'][0]: "]),
    "dataclass": (Layer, lambda: Layer(x()), DimMismatch, ["f(value.w: Named['embed ff'])"]),
    "dataclass, a text": (Layer, lambda: layer(b=x()), DimMismatch, ["f(value.b: Named['ff'])"]),
    "sizes within a dataclass": (Layer, lambda: layer(b=nt.ones("ff:5")), SizeMismatch, ["'ff' is 4 in value.w, 5 in value.b"]),
    "an inner dataclass": (Deep, lambda: Deep(**vars(layer()), inner=Deep(x())), DimMismatch, ["f(value.inner.w: "]),
    "no dataclass": (Layer, x, Unsupported, ["f(value: Layer)", "a Layer of named tensors is expected"]),
    "neither": (Layer | Named["a"], x, DimMismatch, ["a Layer of named tensors", "expected 'a'"]),
    "no typed dict": (Params, x, Unsupported, ["a dict of named tensors"]),
    "named tuple": (Pair, lambda: Pair(nt.ones("a:2"), x()), DimMismatch, ["f(value.right: Named['b'])"]),
    "typed dict": (Params, lambda: {"w": x()}, DimMismatch, ["f(value.w: "]),
    "in transit": (Named["seq"], lambda: nt.ones("batch:2 seq:3").peel("batch"), RankMismatch, ["in transit", "nt.vmap"]),
}  # fmt: skip


@pytest.mark.parametrize(("annotation", "make", "kind", "parts"), MISFITS.values(), ids=MISFITS)
def test_what_does_not_fit(annotation, make, kind, parts):
    with pytest.raises(kind) as caught:
        taking(annotation)(make())
    assert type(caught.value) is kind
    for part in parts:
        assert part in str(caught.value)


BAD = {
    "dots twice": (lambda: Named["... a ..."], BadPattern, "stands twice"),
    "no size": (lambda: Named["batch: seq"], BadPattern, "'batch' has no size"),
    "negative size": (lambda: Named["batch:-1"], BadPattern, "'batch' has no size"),
    "dots with a size": (lambda: Named["...:3"], BadPattern, "Write 'batch:8'"),
    "not a name": (lambda: Named["batch-size"], InvalidName, "'batch-size' is not a name"),
    "twice": (lambda: Named["a a"], DuplicateDim, "stands twice"),
    "no text": (lambda: Named[3], BadPattern, r"Named\[3\] is not understood"),
    "the dtype first": (lambda: Named[jnp.float32, "a"], BadPattern, r"Named\['batch seq', float\]"),
    "no dtype": (lambda: Named["a", "float33"], BadPattern, "'float33' is no dtype"),
    "too much": (lambda: Named["a", float, 3], BadPattern, "not understood"),
}


@pytest.mark.parametrize(("write", "kind", "text"), BAD.values(), ids=BAD)
def test_annotations_that_cannot_be_read(write, kind, text):
    with pytest.raises(kind, match=text):
        write()


@nt.typed
def attend(
    q: Named["seq key"], k: Named["seq' key"], *rest: Named["seq'"], scale=1.0, **more: Named["seq"]
) -> Named["seq seq'"]:
    return nt.dot(q, k, over="key") * scale


def test_sizes_are_bound_over_the_whole_call():
    q, k = nt.ones("seq:2 key:4"), nt.ones("seq':3 key:4")
    assert attend(q, k).dims == ("seq", "seq'")
    assert attend(q=q, k=k, scale=RAW[0, 0]).shape == {"seq": 2, "seq'": 3}
    with pytest.raises(SizeMismatch, match=r"'key' is 4 in q, 5 in k\.\s+If they are two dims"):
        attend(q, nt.ones("seq':3 key:5"))
    with pytest.raises(SizeMismatch, match=r"is 3 in k, 2 in rest\[1\]") as caught:
        attend(q, k, nt.ones("seq':3"), nt.ones("seq':2"))
    assert "f32[seq':2]" in str(caught.value)
    with pytest.raises(SizeMismatch, match=r"attend\(bias: Named\['seq'\]\)"):
        attend(q, k, bias=nt.ones("seq:9"))


def test_the_result_is_checked_too():
    @nt.typed
    def f(a: Named["a"]) -> Named["a"]:
        return nt.concat([a, a], "a")

    with pytest.raises(SizeMismatch, match=r"'a' is 2 in a, 4 in the result") as caught:
        f(nt.ones("a:2"))
    assert "SizeMismatch in test_the_result" not in str(caught.value)
    assert "SizeMismatch in f(...) -> Named['a']:   f32[a:4]" in str(caught.value)


def test_a_member_of_a_union_that_does_not_fit_binds_no_size():
    @nt.typed
    def f(a: Named["a b:3"] | Named["a b"], b: Named["a"]):
        return a, b

    f(nt.ones("a:2 b:4"), nt.ones("a:2"))
    with pytest.raises(SizeMismatch, match="'a' is 2 in a, 3 in b"):
        f(nt.ones("a:2 b:4"), nt.ones("a:3"))


def test_sizes_of_other_names_are_free():
    @nt.typed
    def f(a: Named["... key"], b: Named["... key"]):
        return a, b

    f(nt.ones("seq:2 key:4"), nt.ones("seq:3 key:4"))


def test_under_transformations():
    seen = []

    @nt.typed
    def f(a: Named["a"], b: Named["a"]) -> Named[""]:
        seen.append(a)
        return (a * b).sum()

    a = nt.ones("a:3")
    plain = jax.make_jaxpr(lambda a, b: (a * b).sum())(a, a)
    assert str(jax.make_jaxpr(f)(a, a)) == str(plain)
    assert float(jax.jit(f)(a, a).array) == 3.0
    assert nt.equal(nt.grad(f)(a, a), a)
    assert nt.equal(nt.vmap(f, over="batch")(nt.ones("batch:2 a:3"), a), nt.tensor([3.0, 3.0], "batch"))
    with pytest.raises(SizeMismatch, match="'a' is 3 in a, 4 in b"):
        jax.jit(f)(a, nt.ones("a:4"))
    before = len(seen)
    jax.jit(f)(a, a)
    assert len(seen) == before  # it is compiled: nothing of Python runs


def test_a_function_that_is_jitted_already():
    @nt.typed
    @jax.jit
    def f(a: Named["a"]) -> Named["a"]:
        return a + 1

    assert nt.equal(f(nt.zeros("a:2")), nt.ones("a:2"))
    with pytest.raises(DimMismatch, match=r"in .*f\(a: Named"):
        f(nt.zeros("b:2"))


class Model:
    @nt.typed
    def __call__(self, a: Named["a"]) -> "Named['a']":
        return a

    @staticmethod
    @nt.typed
    def fixed(a: Named["a"]):
        return a

    @classmethod
    @nt.typed
    def make(cls, a: Named["a"]) -> "Model":
        return cls()


def test_methods():
    for f in (Model(), Model.fixed, Model().fixed, Model.make):
        f(nt.ones("a:2"))
        with pytest.raises(DimMismatch, match="a: Named"):
            f(nt.ones("b:2"))
    with pytest.raises(DimMismatch, match=r"in Model.__call__\(a: "):
        Model()(a=nt.ones("b:2"))


def test_it_still_is_the_function():
    def f(a: Named["a"], b=3):
        """What it does."""

    assert nt.typed(f).__name__ == "f"
    assert nt.typed(f).__doc__ == "What it does."
    assert nt.typed(f).__wrapped__ is f
    assert nt.typed(f).__annotations__ == f.__annotations__


def test_wrong_calls_are_left_to_python():
    with pytest.raises(TypeError, match="missing 1 required"):
        attend(nt.ones("seq:2 key:4"))
    with pytest.raises(TypeError, match="multiple values"):
        attend(nt.ones("seq:2 key:4"), nt.ones("seq':2 key:4"), q=nt.ones("seq:2 key:4"))
    with pytest.raises(TypeError, match="takes 1 positional"):
        nt.typed(lambda a: a)(1, 2)


@pytest.mark.parametrize("what", [Model, classmethod(print), staticmethod(print), 3])
def test_only_functions(what):
    with pytest.raises(TypeError, match="nearest to the def"):
        nt.typed(what)


def test_a_coroutine_has_no_result_yet():
    @nt.typed
    async def f(a: Named["a"]) -> Named["a"]:
        return a

    coroutine = f(nt.ones("a:2"))
    coroutine.close()
    with pytest.raises(DimMismatch):
        f(nt.ones("b:2"))


LATER = """
from __future__ import annotations
import namedtensor as nt
from namedtensor import Named

class Model:
    @nt.typed
    def step(self, a: Named["a"], next: Model | None = None) -> Named["a"]:
        return Later(a).a

@nt.typed
def of_later(later: Later) -> nt.Named["a"]:
    return later.a

import dataclasses
@dataclasses.dataclass
class Later:
    a: Named["a"]

def hidden():
    from namedtensor import Named as MyNamed
    @nt.typed
    def f(a: MyNamed["a"]):
        return a
    return f
"""


def test_annotations_that_are_read_later():
    module = type(sys)("later")
    sys.modules["later"] = module
    try:
        exec(LATER, vars(module))
        a, b = nt.ones("a:2"), nt.ones("b:2")
        assert module.Model().step(a, module.Model()) is a
        assert module.of_later(module.Later(a)) is a
        with pytest.raises(DimMismatch, match=r"Model.step\(a: Named\['a'\]\)"):
            module.Model().step(b)
        with pytest.raises(DimMismatch, match=r"of_later\(later.a: Named\['a'\]\)"):
            module.of_later(module.Later(b))
        with pytest.raises(
            NameError, match=r"f\(a\): the annotation .* cannot be read here .*top of the module"
        ):
            module.hidden()(a)
    finally:
        del sys.modules["later"]


def test_what_the_annotation_is_for_others():
    assert Named is nt.NamedTensor
    hint = Named["batch seq:3", float]
    assert typing.get_origin(hint) is Annotated
    assert typing.get_args(hint)[0] is nt.NamedTensor
    assert repr(hint.__metadata__[0]) == "Named['batch seq:3', float]"
    assert Named["a  b"] == Named["a b"]
    assert hash(Named["a"]) == hash(Named["a"])


USER = """
from typing import Annotated, Callable, Optional

import namedtensor as nt
from namedtensor import Named


@nt.typed
def f(x: Named["batch seq"], w: Named["seq:512 ...", float], o: Optional[nt.Named[""]] = None) -> Named["batch"]:
    return x.sum("seq")


def g(xs: "list[Named['batch seq']]", h: Callable[[Named["a"]], Named["b"]]) -> dict[str, Named["a'"] | None]:
    return {"a": f(xs[0], xs[1])}


def k(x: Annotated[nt.NamedTensor, "batch seq"]) -> Named:
    return f(x, x, None)
"""


@pytest.mark.skipif(
    not shutil.which("pyright", path=str(sys.prefix) + "/bin"), reason="pyright is not installed"
)
def test_a_static_checker_reads_them_as_named_tensors(tmp_path):
    def pyright(text):
        (tmp_path / "user.py").write_text(text)
        command = [f"{sys.prefix}/bin/pyright", "--pythonpath", sys.executable, str(tmp_path / "user.py")]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert "0 errors, 0 warnings" in (good := pyright(USER)).stdout, good.stdout
    bad = pyright(USER + "\nf(3, nt.ones('a:3'))\n")
    assert '"Literal[3]" cannot be assigned to parameter "x"' in bad.stdout
    assert "1 error" in bad.stdout
