"""Two records of one explanation, made with other random draws, as one record of all the draws.

With ``n`` draws of mean ``m`` and standard error ``s`` the sum of squares about the mean is
``n (n - 1) s^2``; sums of squares of two sets add, and what lies between their means comes on top
(Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115). So nothing is lost by merging.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite._estimate import Estimate, total_error

if TYPE_CHECKING:
    from captum_lite._record import Attribution

_DRAWS = {"key", "nt_samples", "n_samples", "noise", "internal_batch_size"}  # what may differ


def merged(a: "Attribution", b: "Attribution") -> "Attribution":
    """See `Attribution.merge`."""
    _require_mergeable(a, b)
    assert a.samples is not None
    assert b.samples is not None
    n, m = a.samples, b.samples
    mean = jax.tree.map(lambda x, y: (n * x + m * y) / (n + m), a.attributions, b.attributions)
    error_map = None
    if a.error_map is not None and b.error_map is not None:

        def pooled(s: Any, t: Any, x: Any, y: Any) -> Any:
            squares = n * (n - 1) * s**2 + m * (m - 1) * t**2 + n * m / (n + m) * (x - y) ** 2
            return jnp.sqrt(squares / ((n + m) * (n + m - 1)))

        error_map = jax.tree.map(pooled, a.error_map, b.error_map, a.attributions, b.attributions)
    delta = None
    if a.convergence_delta is not None:
        delta = (n * a.convergence_delta + m * b.convergence_delta) / (n + m)
    leaves = tuple(jax.tree.leaves(mean))
    errors = None if error_map is None else tuple(jax.tree.leaves(error_map))
    features = None if a.features is None else tuple(jax.tree.leaves(a.features))
    evaluations = {k: v + b.evaluations[k] for k, v in a.evaluations.items()}
    return dataclasses.replace(
        a,
        attributions=mean,
        convergence_delta=delta,
        error_map=error_map,
        error=total_error(Estimate(leaves, error_map=errors, features=features)),
        samples=n + m,
        evaluations=evaluations,
        arguments={**a.arguments, "key": (*_keys(a), *_keys(b))},
    )


def _require_mergeable(a: "Attribution", b: "Attribution") -> None:
    for record in (a, b):
        if record.samples is None:
            raise ValueError(
                f"{record.method} with these arguments is no mean of independent draws: two of its records "
                "cannot be merged. Take more steps or evaluations in one call."
            )
    differing = [
        name
        for name in ("method", "target", "inputs", "baselines")
        if not _same(getattr(a, name), getattr(b, name))
    ]
    ours, theirs = ({k: v for k, v in r.arguments.items() if k not in _DRAWS} for r in (a, b))
    differing += [k for k in ours | theirs if not _same(ours.get(k), theirs.get(k))]
    if differing:
        raise ValueError(
            f"the records differ in {', '.join(differing)}: only records of one explanation can be merged."
        )
    if _shares_draws(a, b):
        raise ValueError(
            "the records were made with the same key, so they hold the same draws: "
            "make one of them with another, key=jax.random.key(1)."
        )


def _keys(record: "Attribution") -> list[Any]:
    key = record.arguments.get("key")
    return list(key) if isinstance(key, tuple) else [key]


def _shares_draws(a: "Attribution", b: "Attribution") -> bool:
    if a.arguments.get("noise") is not None or b.arguments.get("noise") is not None:
        return _same(a.arguments.get("noise"), b.arguments.get("noise"))
    return any(_same(k, other) for k in map(_data, _keys(a)) for other in map(_data, _keys(b)))


def _data(key: Any) -> np.ndarray:
    """What a key holds; None is the default key."""
    key = jax.random.key(0) if key is None else key
    typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(key) if typed else key)


def _same(x: Any, y: Any) -> bool:
    if callable(x) or callable(y):
        return x is y
    if jax.tree.structure(x) != jax.tree.structure(y):
        return False
    pairs = zip(jax.tree.leaves(x), jax.tree.leaves(y), strict=True)
    return all(np.shape(p) == np.shape(q) and bool(np.all(np.equal(p, q))) for p, q in pairs)
