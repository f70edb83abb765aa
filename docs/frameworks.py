"""What can be done with a model of each framework: one small CNN in each, checked against the same CNN by hand.

Each cell of the table is what a check found: the framework's model and the hand-written function with the same weights
agree to 1e-4 (float32), in private execution to 1e-2 (16 binary places). The code on the page is the code that is checked.

The models are in frameworks_models.py.

Run: python docs/frameworks.py        (writes docs/frameworks.md)
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from frameworks_models import BASELINES, FRAMEWORKS, Framework, X, by_hand_weights, cnn, written

import captum_lite as cl
import crypten_lite as ct
import namedtensor as nt
from namedtensor.interpreter.frameworks import EQUINOX, HAIKU, LINEN, NNX

PAGE = Path(__file__).with_name("frameworks.md")


def by_hand(x: Any) -> Any:
    """What all are compared with."""
    return cnn(*by_hand_weights(), x)


@dataclass(frozen=True)
class Given:
    """What a check gets: inputs in the framework's layout, and the other's results in it."""

    names: dict[str, Any]
    framework: Framework

    def layout(self, x: Any) -> Any:
        """An image as the framework has it."""
        return np.moveaxis(np.asarray(x), -1, 1) if self.framework.channels_first else np.asarray(x)

    def agree(self, found: Any, expected: Any, tolerance: float = 1e-4) -> None:
        """Raise if they differ."""
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


EXPECTED: dict[str, Any] = {}


def expected(name: str, act: Callable[[], Any]) -> Any:
    """What the hand-written function gives, computed once."""
    if name not in EXPECTED:
        EXPECTED[name] = act()
    return EXPECTED[name]


def evaluation(given: Given) -> str:
    """The function itself: BatchNorm by its statistics, dropout off."""
    given.agree(jax.jit(given.names["f"])(given.layout(X)), expected("f", lambda: by_hand(X)))
    return "yes"


def integrated(given: Given, fun: str = "f", **layer: str) -> str:
    """Integrated gradients."""
    explain = lambda f, x, b: cl.IntegratedGradients(f, **layer).attribute(x, b, target=1, n_steps=4)  # noqa: E731
    hand = expected(f"ig {layer}", lambda: explain(by_hand, X, BASELINES))
    given.agree(explain(given.names[fun], given.layout(X), given.layout(BASELINES)), given.layout(hand))
    return "yes"


def compiled(given: Given) -> str:
    """A layer in what the framework compiles."""
    integrated(given, "compiled", layer="conv")
    jitted = given.framework.compiled.removeprefix("functools.partial(").removeprefix("eqx.Partial(")
    return f"`{jitted.partition('(')[0]}`"


def rules(given: Given) -> str:
    """DeepLift and LRP, which see the operations."""
    for name, explain in {
        "DeepLift": lambda f, x, b: cl.DeepLift(f).attribute(x, b, target=1),
        "LRP": lambda f, x, b: cl.LRP(f).attribute(x, target=1),
    }.items():
        hand = expected(name, lambda explain=explain: explain(by_hand, X, BASELINES))
        given.agree(
            explain(given.names["f"], given.layout(X), given.layout(BASELINES)), given.layout(hand), 1e-3
        )
    return "DeepLift, LRP"


def private(given: Given) -> str:
    """Inputs that nobody sees."""
    return _privately(given, given.names["f"], X=given.layout(X))


def private_weights(given: Given) -> str:
    """Weights that nobody sees either."""
    return _privately(given, given.names["apply"], weights=given.names["weights"], X=given.layout(X))


def _privately(given: Given, fun: Callable[..., Any], **secrets: Any) -> str:
    with ct.simulate() as session:
        shared = session.share(tuple(secrets.values()))
        before = session.cost
        out = ct.private(fun)(*shared).reveal()
        rounds = (session.cost - before).rounds
    given.agree(out, expected("f", lambda: by_hand(X)), 1e-2)
    return f"{rounds} rounds"


def named(given: Given) -> str:
    """Names for the weights, and the same model from them."""
    weights, names = given.names["weights"], given.framework.names
    back = nt.interop.unnamed_params(nt.interop.named_params(weights, names), names)
    given.agree(given.names["apply"](back, given.layout(X)), expected("f", lambda: by_hand(X)))
    return "yes"


def listed(given: Given) -> str:
    """What there is to choose from."""
    there = {n.partition("[")[0]: None for n in nt.list_taps(given.names["f"], given.layout(X))}
    return ", ".join(f"`{n}`" for n in there if n in ("conv", "norm", "head"))


def without_code(given: Given) -> str:
    """Exported and read back, when nothing but the file is left."""
    x, b = given.layout(X), given.layout(BASELINES)
    model = nt.interop.exported.load(jax.export.export(jax.jit(given.names["f"]))(x))
    hand = expected(
        "ig {}", lambda: cl.IntegratedGradients(by_hand).attribute(X, BASELINES, target=1, n_steps=4)
    )
    given.agree(cl.IntegratedGradients(model).attribute(x, b, target=1, n_steps=4), given.layout(hand))
    return "yes"


CHECKS: dict[str, Callable[[Given], str]] = {
    "BatchNorm by its statistics, dropout off": evaluation,
    "modules among its places": listed,
    "attribution of the inputs": integrated,
    "attribution of a layer": lambda given: integrated(given, layer="conv"),
    "of a layer in the compiled model": compiled,
    "methods that see operations": rules,
    "private inputs": private,
    "private inputs and weights": private_weights,
    "named weights, and back": named,
    "explained without its code (`jax.export`)": without_code,
}


def checked() -> dict[str, dict[str, str]]:
    """What each check found, for each framework."""
    given = {name: Given(written(framework), framework) for name, framework in FRAMEWORKS.items()}
    return {title: {name: result(check, g) for name, g in given.items()} for title, check in CHECKS.items()}


def result(check: Callable[[Given], str], given: Given) -> str:
    """What a cell says."""
    try:
        return check(given)
    except Exception as error:  # a cell that fails is a cell that says so
        return f"no: {type(error).__name__}: {str(error).strip().splitlines()[0][:80]}"


HEAD_OF_PAGE = """# Models of frameworks

A model of flax, equinox or haiku is explained, run privately and named as it is: it is a JAX function, and its modules are
places, by their paths. Nothing is registered and nothing is converted. Below, the same small CNN (a convolution,
BatchNorm, Dropout, a dense layer) is written in each, and compared with the hand-written function that has the same
weights: they agree to 1e-4, and private results to 1e-2. The table and the code are those of `python docs/frameworks.py`,
which runs them, with JAX {version}.

"""
AFTER_TABLE = """
*Releases* older than that are told apart: asking for a module says which release there is, which is needed, and the line that
installs it. *Rounds* are those of two parties with everything precomputed by the dealer; a model that divides by the root of a
variance, instead of multiplying by its inverse, takes one more. Models that exist only as a file are in
[Models without code](models_without_code.md), and more on places in [Layers and neurons](attribution/layers.md).

In all of the code below `x` and `baselines` are batches of images, and

```python
import functools

import jax, jax.numpy as jnp
import captum_lite as cl
import crypten_lite as ct
import namedtensor as nt
```
"""
USE = """
```python
cl.IntegratedGradients(f, layer="conv").attribute(x, baselines, target=1)
with ct.simulate() as session:
    secret = ct.private(apply)(session.share(weights), session.share(x))
axes = {{
{names}
}}
named = nt.interop.named_params(weights, axes)
```
"""


def table(found: dict[str, dict[str, str]]) -> list[str]:
    """The checks, and what each found."""
    oldest = {"flax nnx": NNX, "flax linen": LINEN, "equinox": EQUINOX, "haiku": HAIKU}
    releases = [f"{f.install} {f.oldest}" if (f := oldest.get(name)) else "" for name in FRAMEWORKS]
    rows = [f"| {title} | {' | '.join(cells.values())} |" for title, cells in found.items()]
    return [
        f"| | {' | '.join(FRAMEWORKS)} |", "|---" * (len(FRAMEWORKS) + 1) + "|",
        f"| oldest release | {' | '.join(releases)} |", *rows,
    ]  # fmt: skip


def section(framework: Framework) -> str:
    """A framework's model, and what one writes for it."""
    model = inspect.getsource(framework.model).rstrip()
    model = "\n\n\n".join(filter(None, (framework.imports, model)))
    code = f"```python\n{model}\n```\n\n```python\n{framework.lines}\n```\n"
    names = "\n".join(f'    "{k}": "{v}",' for k, v in framework.names.items())
    return f"\n## {framework.title}\n\n{framework.note}\n\n{code}{USE.format(names=names)}"


def page(found: dict[str, dict[str, str]]) -> str:
    """The whole page."""
    lines = "\n".join(table(found))
    sections = "".join(map(section, FRAMEWORKS.values()))
    return HEAD_OF_PAGE.format(version=jax.__version__) + lines + "\n" + AFTER_TABLE + sections


if __name__ == "__main__":
    PAGE.write_text(page(checked()))
