"""Parameter randomisation: an explanation of the model has to change when the model does."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from captum_lite.metrics._given import explainer
from captum_lite.metrics.similarity import spearman
from namedtensor import is_named


class Randomization(NamedTuple):
    """How alike explanations are before and after layers are randomised.

    Attributes:
      layers: the names of the steps, in their order.
      similarity: of the explanation after each step with that of the model, ``[steps, batch]``.
    """

    layers: tuple[str, ...]
    similarity: Any


def parameter_randomization(
    make_explanation: Callable[[Any], Any],
    params: Any,
    inputs: Any,
    *,
    layers: Sequence[str | Sequence[str]] | None = None,
    mode: str = "cascading",
    similarity: Callable[[Any, Any], Any] = spearman,
    fresh: Any = None,
    key: Any = None,
    **options: Any,
) -> Randomization:
    """The model-parameter randomisation test (MPRT).

    Layers of the parameters are replaced by random ones, from the output down, and the explanation is
    made again: a method whose explanation stays as it was does not depend on what the model has learnt.
    Costs ``1 + len(layers)`` explanations.

    Args:
      make_explanation: from parameters to a method or a function of the inputs:
        ``lambda p: Saliency(functools.partial(apply, p))``.
      params: a pytree of arrays (or named tensors).
      inputs: as for `attribute`.
      layers: the steps, from the output to the input: each the beginning of a path in ``params``
        (``"out"`` is ``params["out"]``, all of it if it is a tree, and ``params["out.bias"]``), or
        several of them that go together. None: the top level of ``params``, last first (JAX gives back
        dicts in alphabetical order: then give the layers).
      mode: ``"cascading"`` (a step keeps the layers above it random) or ``"independent"`` (one layer at
        a time).
      similarity: of two explanations, ``[batch]``: `spearman`, `ssim` or a function.
      fresh: parameters to replace by, of the structure of ``params``: ``init(key)``. None draws for each
        array normal numbers of its own mean and standard deviation.
      key: of the drawing; ``jax.random.key(0)`` by default.
      **options: passed to the explanation: ``target``, ``baselines`` ...

    Returns:
      A `Randomization`: the steps and ``similarity [steps, batch]``.

    Raises:
      ValueError: a layer that is not in the parameters, a mode that is not known, ``fresh`` of another
        structure.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import InputXGradient
      >>> from captum_lite.metrics import parameter_randomization
      >>> params = {"in": jnp.arange(12.0).reshape(4, 3), "out": jnp.array([1.0, -2.0, 5.0])}
      >>> def apply(p, x):
      ...     return jnp.tanh(x @ p["in"]) @ p["out"]
      >>> test = parameter_randomization(
      ...     lambda p: InputXGradient(lambda x: apply(p, x)), params, jnp.ones((2, 4)), layers=["out", "in"]
      ... )
      >>> test.layers, test.similarity.shape
      (('out', 'in'), (2, 2))

    Source: Adebayo, Gilmer, Muelly, Goodfellow, Hardt, Kim 2018, arXiv:1810.03292, section 3.
    """
    if mode not in ("cascading", "independent"):
        raise ValueError(f"mode={mode!r} is not known: choose 'cascading' or 'independent'.")
    key = jax.random.key(0) if key is None else key
    steps = _steps(params, layers)
    random = _redrawn(key, params) if fresh is None else _same_structure(fresh, params)
    original = explainer(make_explanation(params))(inputs, **options)
    now, found = params, []
    for chosen in steps.values():
        now = _replaced(now if mode == "cascading" else params, random, chosen)
        found.append(similarity(original, explainer(make_explanation(now))(inputs, **options)))
    return Randomization(tuple(steps), jnp.stack(found))


def _paths(params: Any) -> list[str]:
    # the array in a named tensor is a leaf of its own, whose path ends in its field
    leaves = jax.tree_util.tree_leaves_with_path(params, is_leaf=is_named)
    return [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves]


def _steps(params: Any, layers: Any) -> dict[str, set[str]]:
    """Names of the steps -> the paths that each of them replaces."""
    paths = _paths(params)
    if layers is None:
        layers = _top_level(params, paths)[::-1]
    steps = {}
    for layer in layers:
        names = (layer,) if isinstance(layer, str) else tuple(layer)
        chosen = {p for p in paths for name in names if _is_in(p, name)}
        missing = [name for name in names if not any(_is_in(p, name) for p in paths)]
        if missing or not names:
            raise ValueError(f"layers: there are no parameters at {missing}; there are: {', '.join(paths)}.")
        steps[" + ".join(names)] = chosen
    return steps


def _top_level(params: Any, paths: list[str]) -> list[str]:
    """The names of the top level, without those that go with another one (``out.bias`` with ``out``)."""
    # JAX sorts the keys of a dict, whoever wrote it did so from the input to the output
    keys = map(str, params) if isinstance(params, dict) else (path.split("/")[0] for path in paths)
    names = list(dict.fromkeys(keys))
    return [n for n in names if not any(_is_in(n, other) for other in names if other != n)]


def _is_in(path: str, name: str) -> bool:
    return path == name or path.startswith((f"{name}/", f"{name}."))


def _same_structure(fresh: Any, params: Any) -> Any:
    if jax.tree.structure(fresh) != jax.tree.structure(params):
        raise ValueError("fresh has another structure than params: give parameters as init(key) makes them.")
    return fresh


def _redrawn(key: Any, params: Any) -> Any:
    leaves, structure = jax.tree.flatten(params)
    keys = jax.random.split(key, max(len(leaves), 1))
    return jax.tree.unflatten(structure, [_like(k, x) for k, x in zip(keys, leaves, strict=False)])


def _like(key: Any, x: Any) -> Any:
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return x  # counters and masks are no weights
    return x.mean() + x.std() * jax.random.normal(key, x.shape, x.dtype)


def _replaced(params: Any, random: Any, chosen: set[str]) -> Any:
    leaves, structure = jax.tree.flatten(params, is_leaf=is_named)
    others = jax.tree.leaves(random, is_leaf=is_named)
    parts = zip(_paths(params), leaves, others, strict=True)
    return jax.tree.unflatten(structure, [new if path in chosen else old for path, old, new in parts])
