"""Patching: what a place in a model contributes, by carrying its value from one run into another.

A clean input gives an answer, a corrupted one (another name in the sentence, say) does not. Where the
clean value, put into the corrupted run, brings the answer back, what the answer needs has passed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite import _baselines
from captum_lite._backend import compiled
from captum_lite._chunks import chunk_size, chunks
from captum_lite._inputs import Arrays, Layout
from captum_lite._patched_places import Over, Place, array_of, find_places
from captum_lite._problem import Problem, in_floats, pose
from captum_lite._progress import Progress, reporter
from namedtensor import NamedTensor, capture, is_named
from namedtensor.interpreter import Equation, Frame, RuleTable, bind, places


@dataclass(frozen=True)
class Patching(Mapping[str, Any]):
    """The effects of patching: a mapping from each place to its effect.

    Attributes:
      effects: place -> how much the metric of the corrupted run changes, ``[batch]``; with ``over``
        ``[batch, *over]``, named where the place is. An iteration of a loop is a place of its own,
        ``"block[3]"``.
      clean: the metric of the clean run, ``[batch]``.
      corrupted: the metric of the corrupted run, ``[batch]``.
      method: ``"activation patching"``, or ``"attribution patching"``, its linear approximation.
      evaluations: how many examples went through the model: ``forward`` and ``gradient``.
    """

    effects: dict[str, Any]
    clean: Any
    corrupted: Any
    method: str
    evaluations: dict[str, int]

    def __getitem__(self, place: str) -> Any:
        """The effect of a place."""
        return self.effects[place]

    def __iter__(self) -> Iterator[str]:
        """The places, in the order of the program."""
        return iter(self.effects)

    def __len__(self) -> int:
        """How many places."""
        return len(self.effects)

    def restored(self) -> dict[str, Any]:
        """The effects as fractions of ``clean - corrupted``: 1 where a place brings back all of it."""
        lost = self.clean - self.corrupted

        def fraction(effect: Any) -> Any:
            array = effect.array if is_named(effect) else effect
            out = array / lost.reshape(-1, *[1] * (array.ndim - 1))
            return NamedTensor(out, effect.dims) if is_named(effect) else out

        return {place: fraction(effect) for place, effect in self.effects.items()}

    def __repr__(self) -> str:
        def mean(x: Any) -> np.ndarray:
            return np.asarray(x.array if is_named(x) else x).mean(0)

        head = f"{self.method}: metric {mean(self.clean):.4g} clean, {mean(self.corrupted):.4g} corrupted"
        width = max(map(len, self.effects), default=0)
        return "\n".join(
            [head, *(f"  {k:<{width}}  {_largest(v, mean(v))}" for k, v in self.effects.items())]
        )


def activation_patching(
    fun: Callable[..., Any],
    clean: Any,
    corrupted: Any,
    layers: str | Iterable[str] | None = None,
    *,
    metric: Any = None,
    over: Over = (),
    additional_forward_args: Any = (),
    internal_batch_size: int | None = None,
    show_progress: Progress = False,
) -> Patching:
    """Put clean values into the corrupted run, one place at a time, and measure what that changes.

    ``effect = metric(corrupted run with the place's clean value) - metric(corrupted run)``. For the
    opposite question (what breaks the clean run) exchange ``clean`` and ``corrupted``.

    Costs one forward evaluation for each place, or for each position of ``over``, and two more.

    Args:
      fun: any JAX function whose output has the batch first (or the dim ``batch``).
      clean: its inputs: an array ``[batch, ...]``, a named tensor, or a tuple of them; token numbers too.
      corrupted: others of the same shape.
      layers: the places, of those that `namedtensor.list_taps` shows; None for all taps.
      metric: the number that is measured, written as a target is: an integer, ``{"class": 3}``, or a
        function of the output that gives ``[batch]``, a difference of two logits say.
      over: patch each position along these dims by itself (``"pos"``, ``"pos head"``), or along these axes
        of plain values (0 is the batch); by default the whole place at once.
      additional_forward_args: further arguments of the function.
      internal_batch_size: rows (examples times positions) evaluated at once; None chooses.
      show_progress: True for a bar, or a function called with the fraction done.

    Returns:
      The effects by place.

    Raises:
      UnknownTapError: the function has no such place.
      ValueError: a place without the dims of ``over``, no place at all, or inputs that do not fit.

    Example:
      >>> import jax.numpy as jnp, namedtensor as nt
      >>> from captum_lite import activation_patching
      >>> f = lambda x: nt.tap(3 * x[:, 0], "first") + nt.tap(x[:, 1] ** 2, "second")
      >>> activation_patching(f, jnp.array([[1.0, 2.0]]), jnp.array([[0.0, 0.0]]))
      activation patching: metric 7 clean, 0 corrupted
        first   3
        second  4

    Source: Vig et al. 2020, arXiv:2004.12265; Meng, Bau, Andonian, Belinkov 2022, arXiv:2202.05262; Wang
    et al. 2022, arXiv:2211.00593.
    """
    problem = _posed(fun, clean, corrupted, metric, additional_forward_args, differentiates=False)
    chosen = find_places(*_call(problem, problem.inputs), problem.batch, layers, over)
    here, _, (first, second) = _two_runs(problem, tuple(place.name for place in chosen))
    size = chunk_size(problem, internal_batch_size)
    report = reporter(show_progress, "activation patching")
    effects: dict[str, Any] = {}
    for done, place in enumerate(chosen):
        scores = []
        for numbers, _ in chunks(min(size, place.count), np.arange(place.count), np.ones(place.count)):
            scores.append(_patched(problem, here[place.name], numbers, place=place))
            report((done + min(1, size * len(scores) / place.count)) / len(chosen))
        moved = jnp.concatenate(scores)[: place.count] - second[None]
        effects |= place.entries(jnp.moveaxis(moved, 1, 0).reshape(-1, *place.sizes))
    forwards = problem.batch * (2 + sum(place.count for place in chosen))
    return Patching(effects, first, second, "activation patching", {"forward": forwards, "gradient": 0})


def attribution_patching(
    fun: Callable[..., Any],
    clean: Any,
    corrupted: Any,
    layers: str | Iterable[str] | None = None,
    *,
    metric: Any = None,
    over: Over = (),
    additional_forward_args: Any = (),
    gradient_at: str = "corrupted",
) -> Patching:
    """The linear approximation of `activation_patching`: all places and positions for one gradient.

    ``effect = sum of d metric / d value * (clean value - corrupted value)`` at each place, over all of its
    axes but the batch and those of ``over``. Exact where the metric is linear in the place; poor where what
    follows is saturated. Use it to find the places that are worth patching.

    Costs one gradient evaluation and two forward ones, for any number of places.

    Args:
      fun: see `activation_patching`.
      clean: see `activation_patching`.
      corrupted: see `activation_patching`.
      layers: see `activation_patching`; None for all taps of floating-point values.
      metric: see `activation_patching`.
      over: see `activation_patching`; more dims cost nothing.
      additional_forward_args: further arguments of the function.
      gradient_at: ``"corrupted"``, which approximates putting clean values into the corrupted run, or
        ``"clean"``, which approximates what corrupted values take from the clean run.

    Returns:
      The effects by place.

    Raises:
      UnknownTapError: the function has no such place.
      ValueError: as for `activation_patching`, or another ``gradient_at``.
      TypeError: a place of integers.

    Example:
      >>> import jax.numpy as jnp, namedtensor as nt
      >>> from captum_lite import attribution_patching
      >>> f = lambda x: nt.tap(3 * x[:, 0], "first") + nt.tap(x[:, 1] ** 2, "second")
      >>> attribution_patching(f, jnp.array([[1.0, 2.0]]), jnp.array([[0.0, 0.0]]))
      attribution patching: metric 7 clean, 0 corrupted
        first   3
        second  4

    Source: Nanda 2023, neelnanda.io/attribution-patching; Syed, Rager, Conmy 2023, arXiv:2310.10348.
    """
    if gradient_at not in ("clean", "corrupted"):
        raise ValueError(f"gradient_at={gradient_at!r} is not known: choose 'corrupted' or 'clean'.")
    problem = _posed(fun, clean, corrupted, metric, additional_forward_args, differentiates=True)
    call = _call(problem, problem.inputs)
    chosen = tuple(find_places(*call, problem.batch, layers, over, differentiates=True))
    names = tuple(place.name for place in chosen)
    here, there, (first, second) = _two_runs(problem, names)
    products = _linear(problem, here, there, chosen=chosen, at_clean=gradient_at == "clean")
    effects: dict[str, Any] = {}
    for place in chosen:
        effects |= place.entries(products[place.name])
    counts = {"forward": 2 * problem.batch, "gradient": problem.batch}
    return Patching(effects, first, second, "attribution patching", counts)


def _posed(fun: Any, clean: Any, corrupted: Any, metric: Any, args: Any, *, differentiates: bool) -> Problem:
    """The clean run as the inputs, the corrupted one as the baselines."""

    def fit(corrupted: Any, inputs: Arrays, layout: Layout) -> Arrays:
        try:
            return _baselines.unpack(corrupted, inputs, layout)
        except ValueError as error:
            raise ValueError(
                f"the corrupted inputs, as baselines, do not fit the clean ones: {error}"
            ) from None

    return pose(
        fun, clean, corrupted, metric, args,
        compares=True, differentiates=differentiates, fit_baselines=fit,
    )  # fmt: skip


def _call(problem: Problem, inputs: Arrays) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The user's function and its arguments."""
    fun, args = problem.call.fill(problem.held)
    given = problem.layout.restore(inputs)
    return fun, (*((given,) if problem.layout.single else given), *args)


def _metric(problem: Problem, output: Any) -> Any:
    assert problem.target is not None, "pose() sets it"
    return in_floats(problem.target(output, problem.batch))


@compiled(static_argnames="names")
def _two_runs(problem: Problem, names: tuple[str, ...]) -> tuple[Any, Any, tuple[Any, Any]]:
    """What passes at the places in the clean and in the corrupted run, and the metric of both."""
    assert problem.baselines is not None, "the corrupted inputs"
    out = []
    for inputs in (problem.inputs, problem.baselines):
        fun, given = _call(problem, inputs)
        output, there = capture(fun, names)(*given)
        out.append(({k: array_of(v) for k, v in there.items()}, _metric(problem, output)))
    (here, first), (there, second) = out
    return here, there, (first, second)


_change = RuleTable("captum_lite.patching", default=bind)


@_change.register("name")
def _(eqn: Equation, value: Any) -> Any:
    """Part of the value replaced: an iteration of a loop too goes on from what the others have left."""
    fed = eqn.frame.next_fed(eqn.params["name"])
    return eqn.bind(value if fed is None else fed.applied(value))


class _Put(NamedTuple):
    """A value put in where a mask is true."""

    mask: Any
    value: Any

    def applied(self, value: Any) -> Any:
        return jnp.where(self.mask, self.value, value)


class _Added(NamedTuple):
    """Something added."""

    value: Any

    def applied(self, value: Any) -> Any:
        return value + self.value


def _changed(problem: Problem, inputs: Arrays, changes: Mapping[str, Any]) -> Any:
    """The metric ``[batch]`` with changes at places."""
    fun, given = _call(problem, inputs)
    program = places.traced(fun, changes, given, {})
    return _metric(problem, program.walk(_change, frame=Frame(_fed(changes))))


@compiled(static_argnames="place")
def _patched(problem: Problem, here: Any, numbers: Any, *, place: Place) -> Any:
    """The metric ``[position, batch]`` of the corrupted run with one position of a place clean."""
    corrupted = problem.baselines
    assert corrupted is not None, "the corrupted inputs"

    def one(number: Any) -> Any:
        return _changed(problem, corrupted, {place.name: _Put(place.mask(number), here)})

    return jax.vmap(one)(numbers)


@compiled(static_argnames=("chosen", "at_clean"))
def _linear(
    problem: Problem, here: Any, there: Any, *, chosen: tuple[Place, ...], at_clean: bool
) -> dict[str, Any]:
    """Gradient times difference at each place, summed over all axes but the batch and the positions."""
    inputs = problem.inputs if at_clean else problem.baselines
    assert inputs is not None, "the corrupted inputs"

    def total(more: dict[str, Any]) -> Any:
        """With something added to all places at once: one gradient serves them all."""
        return _changed(problem, inputs, {k: _Added(v) for k, v in more.items()}).sum()

    slopes = jax.grad(total)({place.name: jnp.zeros_like(there[place.name]) for place in chosen})
    out = {}
    for place in chosen:
        axes, kept = list(range(len(place.shape))), [place.batch_axis, *place.axes]
        apart = here[place.name] - there[place.name]
        out[place.name] = jnp.einsum(slopes[place.name], axes, apart, axes, kept)
    return out


def _fed(values: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Values by place as lists by name: ``name#3`` is the third time that the name is passed."""
    fed: dict[str, list[Any]] = {}
    for place, value in values.items():
        name, _, which = place.partition("#")
        passed, number = fed.setdefault(name, []), int(which or 1)
        passed.extend([None] * (number - len(passed)))
        passed[number - 1] = value
    return fed


def _largest(effect: Any, mean: np.ndarray) -> str:
    """A line on an effect: its mean over the examples, of several positions the largest and where it is."""
    if not mean.ndim:
        return f"{mean:.4g}"
    where = np.unravel_index(np.argmax(np.abs(mean)), mean.shape)
    names = effect.dims[1:] if is_named(effect) else [f"axis {k + 1}" for k in range(mean.ndim)]
    place = ", ".join(f"{name}={i}" for name, i in zip(names, where, strict=True))
    return f"largest {mean[where]:.4g} at {place}"
