"""`Attribution`: an explanation together with all that is needed to judge it."""

import base64
import dataclasses
import html
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from captum_lite._counting import counted, of_sums, total
from captum_lite._inputs import BATCH, Arrays
from captum_lite._packing import pack, unpack
from namedtensor import NamedTensor, is_named
from namedtensor._errors import describe

GAP_TOLERANCE = 0.01  # of the total absolute attribution: above it `explain` warns


_LINE = 60  # characters of one value in a summary
_BY_EXAMPLE = (
    "attributions", "inputs", "baselines", "prediction", "baseline_prediction", "convergence_delta", "error",
    "error_map", "residuals",
)  # fmt: skip


class IncompleteWarning(UserWarning):
    """An explanation that does not add up, or that was stopped before its end."""


@dataclass(frozen=True)
class Attribution:
    """An explanation and its evidence.

    Attributes:
      attributions: of the structure, shapes and dims of what is explained.
      inputs: what is explained (the values at ``layer``, if one was given).
      baselines: what it is compared with; None for methods without.
      target: as the user gave it.
      prediction: the explained number at the inputs, ``[batch]``.
      baseline_prediction: the same at the baselines, ``[batch]``; None without baselines.
      convergence_delta: ``sum of attributions - (prediction - baseline_prediction)``, ``[batch]``, for
        methods that are complete. It is a lower bound on the error of the sum, and says nothing about
        errors that cancel. For `LRP` it is ``prediction - sum``: what biases and stabilisers absorbed, no
        error. Else None.
      error: the estimated total absolute error as a fraction of the total absolute attribution,
        ``[batch]``; an estimate, not a bound. None where none is known.
      error_map: the estimated error of each attribution: its standard error where the method is a mean of
        random draws, an indication where it is a quadrature; None where none is known.
      samples: how many independent draws the attributions are a mean of, for `merge`; else None.
      residuals: place in the model -> how far a rule that is not exact there misses completeness,
        ``[batch]``. Empty where every rule is exact.
      status: ``"finished"``, ``"partial"`` (streaming), ``"stopped"`` (cancelled or interrupted); for an
        adaptive method ``"converged"`` (to the tolerance) or ``"budget"`` (the evaluations ran out).
      evaluations: how many examples went through the model: ``forward`` and ``gradient``.
      method: the method's name.
      arguments: its arguments.
      features: where several elements are one feature (``feature_mask=``, a window on all channels), the
        number of the feature of each element, with the attributions' dims and size 1 along those on which
        it does not depend; else None. The value of a feature stands at each of its elements, as in Captum,
        and ``gap``, ``error``, `sum` and pictures count it once.
    """

    attributions: Any
    inputs: Any
    baselines: Any
    target: Any
    prediction: Any
    baseline_prediction: Any
    convergence_delta: Any
    error: Any
    status: str
    evaluations: dict[str, int]
    method: str
    arguments: dict[str, Any] = field(default_factory=dict)
    error_map: Any = None
    samples: int | None = None
    residuals: dict[str, Any] = field(default_factory=dict)
    features: Any = None

    @property
    def gap(self) -> Any:
        """``|convergence_delta|`` as a fraction of the total absolute attribution, ``[batch]``.

        (Of the difference of the outputs where that is larger, so that attributions of zero have the gap
        1.) None for methods that are not complete. A lower bound on the relative error: errors of single
        features may cancel in the sum.
        """
        if self.convergence_delta is None:
            return None
        sizes = tuple(map(jnp.abs, _arrays(self.attributions)))
        features = None if self.features is None else tuple(_arrays(self.features))
        based = 0 if self.baseline_prediction is None else self.baseline_prediction
        whole = jnp.maximum(total(sizes, features), jnp.abs(self.prediction - based))
        return jnp.abs(self.convergence_delta) / jnp.maximum(whole, jnp.finfo(whole.dtype).tiny)

    def sum(self, over: str) -> "Attribution":
        """The record with the attributions summed over dims (named inputs): ``.sum("channel")``.

        A feature of several elements counts once in each sum, so ``.sum(("height", "width"))`` is not
        ``.sum("height").sum("width")`` where features are no rectangles.
        """
        if not all(map(is_named, _parts(self.attributions))):
            raise ValueError(
                "the attributions have no names; sum them by axis: record.attributions.sum(axis=...)."
            )
        parts = _parts(self.attributions)
        summed, features = tuple(a.sum(over) for a in parts), None
        if self.features is not None:
            summed, features = _summed_once(parts, _parts(self.features), summed)
        if not isinstance(self.attributions, tuple):
            summed, features = summed[0], features and features[0]
        return dataclasses.replace(self, attributions=summed, error_map=None, features=features)

    def example(self, i: int) -> "Attribution":
        """The record of one example of the batch; the batch stays, with size 1."""
        size = _arrays(self.attributions)[0].shape[0]
        if not -size <= i < size:
            raise IndexError(f"example {i} is out of range: there are {size}, 0 to {size - 1}.")
        cut = {k: _row(getattr(self, k), i % size) for k in _BY_EXAMPLE}
        if self.baselines is not None and _arrays(self.baselines)[0].shape[0] != size:
            cut["baselines"] = self.baselines  # a distribution, with rows of its own
        if self.features is not None:
            cut["features"] = _features_row(self.features, i % size)
        return dataclasses.replace(self, target=_target_row(self.target, i % size), **cut)

    def merge(self, other: "Attribution") -> "Attribution":
        """This record and another of the same explanation with other random draws, as one of all draws.

        Means are weighted by the number of draws, and the standard errors are those of all draws together:
        two streams of 50 samples merge into what one stream of 100 would be.

        Raises:
          ValueError: the method is no mean of draws, the records explain different things, or they hold
            the same draws.
        """
        from captum_lite._merge import merged  # (it makes records, so it knows this file)

        return merged(self, other)

    def plot(self, i: int = 0, **how: Any) -> Any:
        """Draw the attributions of one example; see `captum_lite.viz.show` for ``how``."""
        from captum_lite import viz  # (matplotlib is needed for pictures alone)

        one = self.example(i)
        a = one.attributions
        if is_named(a) and "time" in a.dims and not {"height", "width"} & set(a.dims):
            return viz.visualize_timeseries_attr(one, **({"sign": "all", "use_pyplot": False} | how))
        return viz.show(one, one.inputs, **how)

    def save(self, path: str | Path) -> None:
        """Write the record to an ``.npz`` file (arrays and JSON; nothing is pickled)."""
        arrays: dict[str, np.ndarray] = {}
        tree = {f.name: pack(getattr(self, f.name), f.name, arrays) for f in dataclasses.fields(self)}
        with Path(path).open("wb") as file:  # given a name, np.savez would change it
            np.savez(file, allow_pickle=False, **arrays, record=np.array(json.dumps(tree)))

    @classmethod
    def load(cls, path: str | Path) -> "Attribution":
        """Read a record that `save` has written."""
        with np.load(path, allow_pickle=False) as file:
            tree = json.loads(str(file["record"]))
            return cls(**{k: unpack(v, file) for k, v in tree.items()})

    def __repr__(self) -> str:
        return "\n".join(f"{k:>12}  {v}" for k, v in self._summary())

    def _summary(self) -> list[tuple[str, str]]:
        rows = [
            ("method", self.method + _call(self.arguments)),
            ("target", _short(self.target)),
            ("status", self.status),
        ]
        rows.append(("explained", ", ".join(describe(x) for x in _parts(self.attributions))))
        if self.prediction is not None:
            rows.append(("prediction", _numbers(self.prediction)))
        if self.baseline_prediction is not None:
            rows.append(("at baseline", _numbers(self.baseline_prediction)))
        if self.convergence_delta is not None:
            absorbed = self.baseline_prediction is None
            means = "absorbed by biases and stabilisers" if absorbed else "a lower bound on the error"
            gap = f"(relative {_numbers(self.gap)}; {means})"
            rows.append(("delta", f"{_numbers(self.convergence_delta)}  {gap}"))
        if self.error is not None:
            rows.append(("error", f"{_numbers(self.error)}  (estimated, of the total absolute attribution)"))
        for place, residual in self.residuals.items():
            rows.append(("residual", f"{_numbers(residual)}  at {place}, where no exact rule applies"))
        rows.append(("evaluations", ", ".join(f"{n} {k}" for k, n in self.evaluations.items())))
        return rows

    def _repr_html_(self) -> str:
        left = "text-align:left"
        cells = "".join(
            f"<tr><th style='{left}'>{k}</th><td style='{left}'>{html.escape(v)}</td></tr>"
            for k, v in self._summary()
        )
        return f"<table>{cells}</table>{self._picture()}"

    def _picture(self) -> str:
        """The first example as a picture, if it is one."""
        a = self.attributions
        is_image = is_named(a) and {BATCH, "height", "width"} <= set(a.dims)
        if not is_image:
            return ""
        try:
            figure = self.plot().figure
        except ImportError:  # without matplotlib the table alone
            return ""
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=110)
        data = base64.b64encode(buffer.getvalue()).decode()
        return f'<img alt="attributions of example 0" src="data:image/png;base64,{data}">'


def _parts(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)


def _arrays(x: Any) -> list[Any]:
    return [p.order([BATCH, "..."]).array if is_named(p) else p for p in _parts(x)]


def _summed_once(parts: Arrays, features: Arrays, summed: Arrays) -> tuple[Arrays, Arrays]:
    """Named attributions summed to the dims of ``summed``, each feature once, and the sums' features."""
    gone = [[d for d in a.dims if d not in s.dims] for a, s in zip(parts, summed, strict=True)]
    index = tuple(np.asarray(f.to_array([*a.dims])) for a, f in zip(parts, features, strict=True))
    axes = [[a.dims.index(d) for d in names] for a, names in zip(parts, gone, strict=True)]
    sums = []
    for a, f, along, names in zip(parts, index, axes, gone, strict=True):
        inside = [k for k in along if a.dims[k] != BATCH]  # features are those of one example
        once = jnp.where(counted(f, a.array.shape, inside), a.array, 0)
        sums.append(NamedTensor(once, a.dims).sum(names))
    named = zip(of_sums(index, axes), summed, strict=True)
    return tuple(sums), tuple(NamedTensor(f, s.dims) for f, s in named)


def _row(x: Any, i: int) -> Any:
    if x is None:
        return None
    if isinstance(x, dict):
        return {k: _row(part, i) for k, part in x.items()}
    if isinstance(x, tuple):
        return tuple(_row(p, i) for p in x)
    return x.isel(batch=slice(i, i + 1)) if is_named(x) else x[i : i + 1]


def _features_row(features: Any, i: int) -> Any:
    """Those of one example, where they are not the same for all."""
    if isinstance(features, tuple):
        return tuple(_features_row(part, i) for part in features)
    return features if _arrays(features)[0].shape[0] == 1 else _row(features, i)


def _target_row(target: Any, i: int) -> Any:
    """The target of one example, of those given for each."""
    if isinstance(target, list):
        return target[i : i + 1]
    if isinstance(target, tuple):
        return tuple(_target_row(part, i) for part in target)
    if isinstance(target, dict):
        return {k: _target_row(part, i) for k, part in target.items()}
    return _row(target, i) if getattr(target, "ndim", 0) else target


def _call(arguments: dict[str, Any]) -> str:
    return f"({', '.join(f'{k}={_short(v)}' for k, v in arguments.items())})"


def _short(x: Any) -> str:
    """A value on part of a line: arrays and long lists by their shape."""
    if getattr(x, "shape", ()) or is_named(x):
        return describe(x)
    if isinstance(x, tuple):
        return f"({', '.join(map(_short, x))})"
    if isinstance(x, dict):
        return f"{{{', '.join(f'{k!r}: {_short(v)}' for k, v in x.items())}}}"
    text = " ".join(repr(x).split())
    return text if len(text) <= _LINE else f"{text[: _LINE - 4]} ..."


def _numbers(x: Any) -> str:
    values = np.asarray(x).ravel()
    shown = " ".join(f"{v:.3g}" for v in values[:4])
    return shown + (f" ... ({values.size})" if values.size > 4 else "")
