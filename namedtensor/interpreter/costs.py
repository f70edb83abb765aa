"""What the places of a program cost: the operations of all equations in and below each of them.

A module and a scope have an extent: the equations made inside. A tap has none, it is a point: to it
belong the operations that its value needs and that no tap before it has needed.

A loop of known length costs its body that many times; a while loop is counted once, and a choice costs
its dearest branch.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from jax.extend import core

from namedtensor.interpreter import compat, flops
from namedtensor.interpreter.equation import scope
from namedtensor.interpreter.marks import DIMS
from namedtensor.interpreter.modules import module_of

TOTAL = ("function", "")

_INLINED = (*compat.CALLS, *compat.CUSTOM_DERIVATIVES, *compat.REMAT)


def by_extent(jaxpr: Any, outer: str = "") -> Counter[tuple[str, str]]:
    """The operations inside each module and scope of a jaxpr, and `TOTAL`."""
    costs: Counter[tuple[str, str]] = Counter()
    for eqn in jaxpr.eqns:
        modules, path = _where(eqn, outer)
        inside = _of_equation(eqn, lambda inner, path=path: by_extent(inner, path or ""))
        parts = path.split("/") if path else []
        scopes = ["/".join(parts[: i + 1]) for i in range(len(parts))]
        for place in {("module", m) for m in modules} | {("scope", s) for s in scopes}:
            costs[place] += inside[TOTAL] - inside[place]  # one that is entered again inside is there already
        costs.update(inside)
    return costs


def _where(eqn: Any, outer: str) -> tuple[set[str], str | None]:
    """The modules that an equation stands in, and its scopes; a backward pass is of no place."""
    if "transpose(" in str(eqn.source_info.name_stack):
        return set(), None
    parts = [part for part in scope(eqn).split("/") if part and not part.startswith(DIMS)]
    modules = {path for part in parts if (path := module_of(part)) is not None}
    scopes = [part for part in parts if module_of(part) is None]
    return modules, "/".join((outer, *scopes) if outer else scopes)


def _of_equation(eqn: Any, below: Callable[[Any], Counter]) -> Counter:
    """The operations of one equation, with those of the places inside it."""
    name = eqn.primitive.name
    if name == "cond":
        costs: Counter = Counter()
        for branch in eqn.params["branches"]:
            for place, n in below(compat.closed(branch).jaxpr).items():
                costs[place] = max(costs[place], n)
        return costs
    if (bodies := _bodies(eqn)) is not None:
        costs = Counter()
        for body in bodies:
            costs.update(below(body))
        return Counter({place: _repeats(eqn) * n for place, n in costs.items()})
    return Counter({TOTAL: _alone(eqn)})


def _bodies(eqn: Any) -> list[Any] | None:
    """The jaxprs that an equation runs, one after the other; None for one that is itself the operation."""
    name = eqn.primitive.name
    if name in _INLINED:
        return [compat.called(eqn.params).jaxpr]
    if name == "while":
        return [compat.closed(eqn.params[key]).jaxpr for key in ("cond_jaxpr", "body_jaxpr")]
    if name == "custom_linear_solve":  # which holds three ways to check and to differentiate the solution too
        return [compat.closed(eqn.params["jaxprs"].solve).jaxpr]
    if name in ("scan", "shard_map"):
        return [compat.closed(eqn.params["jaxpr"]).jaxpr]
    return None


def _repeats(eqn: Any) -> int:
    if eqn.primitive.name == "scan":
        return eqn.params["length"]
    return eqn.params["mesh"].size if eqn.primitive.name == "shard_map" else 1


def _alone(eqn: Any) -> int:
    """The operations of an equation without a body; one a result where nothing is known."""
    known = flops.of_equation(eqn)
    if known is None:
        return sum(getattr(v.aval, "size", 0) for v in eqn.outvars)
    return known


def unknown(jaxpr: Any) -> Counter[str]:
    """The primitives whose costs are guesses, ``while`` among them, and how often each stands there."""
    found: Counter[str] = Counter()
    for eqn in jaxpr.eqns:
        bodies = [compat.closed(b).jaxpr for b in eqn.params.get("branches", ())] or _bodies(eqn)
        if eqn.primitive.name == "while" or (bodies is None and flops.of_equation(eqn) is None):
            found[eqn.primitive.name] += 1
        for body in bodies or ():
            found += unknown(body)
    return found


class _Step:
    """An equation in the flow of values: its operations, until a tap claims them, and what it reads."""

    __slots__ = ("flops", "reads")

    def __init__(self, flops: int, reads: Iterable["_Step"]):
        self.flops, self.reads = flops, list(reads)

    def claim(self) -> int:
        """The operations of this step and of all before it that nobody has claimed; they are gone then."""
        total, waiting = 0, [self]
        while waiting:
            step = waiting.pop()
            total += step.flops
            waiting += step.reads
            step.flops, step.reads = 0, []
        return total


Taps = dict[str, list[int]]


def by_tap(jaxpr: Any) -> Taps:
    """For each tap the operations of its passages, in program order, as `capture` counts passages."""
    taps: Taps = {}
    _flow(jaxpr, [_Step(0, ()) for _ in jaxpr.invars], 1, taps, [])
    return taps


def _flow(jaxpr: Any, given: Sequence[_Step], times: int, taps: Taps, made: list[_Step]) -> list[_Step]:
    """Walk a jaxpr that runs ``times`` times; ``made`` collects the steps."""
    start = _Step(0, ())
    env: dict[Any, _Step] = dict.fromkeys(jaxpr.constvars, start)
    env.update(zip(jaxpr.invars, given, strict=True))

    def read(atom: Any) -> _Step:
        return start if isinstance(atom, core.Literal) else env[atom]

    for eqn in jaxpr.eqns:
        reads = [read(v) for v in eqn.invars]
        env.update(zip(eqn.outvars, _through(eqn, reads, times, taps, made), strict=True))
    return [read(v) for v in jaxpr.outvars]


def _through(eqn: Any, reads: list[_Step], times: int, taps: Taps, made: list[_Step]) -> list[_Step]:
    """The steps that make the results of one equation."""
    name = eqn.primitive.name
    if name == "name":
        taps.setdefault(eqn.params["name"], []).append(reads[0].claim())
        return reads
    if name == "cond":
        return _either(eqn, reads, times, taps, made)
    if name in _INLINED or name == "scan":  # a scan's body reads what the scan reads, in the same order
        body = compat.called(eqn.params).jaxpr
        return _flow(body, reads, times * _repeats(eqn), taps, made)
    cost = _of_equation(eqn, by_extent)[TOTAL]
    step = _Step(times * cost, reads)
    made.append(step)
    return [step] * len(eqn.outvars)


def _either(eqn: Any, reads: list[_Step], times: int, taps: Taps, made: list[_Step]) -> list[_Step]:
    """The branches of a choice: each claims for its own taps, then the dearest alone counts on."""
    jaxprs = [compat.closed(branch).jaxpr for branch in eqn.params["branches"]]
    dearest = max(jaxprs, key=lambda jaxpr: by_extent(jaxpr)[TOTAL])
    ends, seen = [], []
    for jaxpr in jaxprs:
        inside: Taps = {}
        steps: list[_Step] = []
        ends.append(_flow(jaxpr, reads[1:], times, inside, steps))
        seen.append(inside)
        for step in steps:
            step.flops *= jaxpr is dearest
        made += steps
    for name in dict.fromkeys(itertools.chain(*seen)):
        passages = itertools.zip_longest(*(inside.get(name, ()) for inside in seen), fillvalue=0)
        taps.setdefault(name, []).extend(map(max, passages))
    return [_Step(0, (reads[0], *results)) for results in zip(*ends, strict=True)]
