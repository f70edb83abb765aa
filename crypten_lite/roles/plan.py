"""What a program will do, found by rehearsing it: no number is needed for that.

The rehearsal is a run in a role that holds nothing. It gives the list of all steps, with their sizes, and
what the private functions compute. Parties compare its digest before the first round, and each one checks,
step by step, that the run does what was rehearsed. So what a peer is about to send is known before it
comes.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from weakref import WeakKeyDictionary

import jax
import jax.numpy as jnp
import numpy as np

from crypten_lite.cost import Cost
from crypten_lite.errors import AgreementError
from crypten_lite.estimate import Survey
from crypten_lite.fixed_point import FixedPoint
from crypten_lite.journal import Journal
from crypten_lite.session import Session
from crypten_lite.values import Secret
from namedtensor.interpreter import compat
from namedtensor.interpreter.walk import Program

Step = tuple[Any, ...]


@dataclass(frozen=True)
class Function:
    """A private function of a program: its name, how many equations it has, and a digest of them."""

    name: str
    equations: int
    digest: str


@dataclass(frozen=True)
class Plan:
    """All that a program will do.

    Attributes:
      steps: shares, masks, deals, openings and functions, in order.
      functions: those that are computed privately.
      cost: of all of it.
      names: of the parties.
    """

    steps: tuple[Step, ...]
    functions: tuple[Function, ...]
    cost: Cost
    names: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the steps, in hex: two plans are the same if theirs is."""
        hashed = hashlib.sha256()
        for step in self.steps:
            hashed.update(repr(step).encode() + b"\n")
        return hashed.hexdigest()

    @property
    def told(self) -> list[str]:
        """What a party wants to know before it agrees: whose inputs are used, what is revealed to whom."""
        lines = Counter(_told(step, self.names) for step in self.steps if step[0] in ("input", "reveal"))
        return [line if count == 1 else f"{line}, {count} times" for line, count in lines.items()]

    @property
    def dealt(self) -> list[int]:
        """Bytes that are dealt before each message, and after the last."""
        sizes = [0]
        for kind, *facts in self.steps:
            if kind == "deal":
                sizes[-1] += sum(math.prod(s) * np.dtype(d).itemsize for d, s in facts[:-1])
            elif kind in ("open", "share"):
                sizes.append(0)
        return sizes

    def summary(self) -> dict[str, Any]:
        """What is told to peers."""
        return {
            "digest": self.digest,
            "steps": len(self.steps),
            "rounds": self.cost.rounds,
            "bytes": self.cost.bytes_per_party,
            "functions": [asdict(f) for f in self.functions[:64]],
            "told": self.told[:64],
        }


def rehearsed(
    program: Callable[[Session], Any],
    names: Sequence[str],
    point: FixedPoint,
    inputs: Sequence[Mapping[str, Any]],
    name: str | None = None,
) -> Plan:
    """The plan of a program, which runs through without numbers.

    Args:
      program: a function of the session.
      names: of the parties.
      point: the fixed-point numbers.
      inputs: of each party: by name, trees of shapes.
      name: of the role that rehearses.
    """
    journal = _Rehearsal()
    session = Survey(names, point)
    session.name, session.journal, session.inputs = name, journal, [dict(i) for i in inputs]
    session.is_rehearsal = True
    with session:
        program(session)
    return Plan(tuple(journal.steps), tuple(journal.functions), session.cost, session.names)


class _Record(Journal):
    """Gives each secret that a program holds a number, so that steps say which one they are about."""

    def __init__(self) -> None:
        self._numbers: WeakKeyDictionary[Secret, int] = WeakKeyDictionary()
        self._made = 0

    def made(self, secret: Secret) -> None:
        if secret not in self._numbers:  # a function may return what it was given
            self._numbers[secret] = self._made
            self._made += 1
        self.step("made", self._numbers[secret])

    def revealed(self, secret: Secret, to: int | None) -> None:
        self.step("reveal", self._numbers[secret], to, (np.dtype(secret.dtype).str, secret.shape))

    def public(self, values: Iterable[Any]) -> None:
        if digest := _digest(values):
            self.step("public", digest)

    def _operands(self, program: Program) -> tuple[int, ...]:
        return tuple(self._numbers[v] for v in program.given if isinstance(v, Secret))


class _Rehearsal(_Record):
    """Writes down each step."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.functions: list[Function] = []

    def step(self, kind: str, *facts: Any) -> None:
        self.steps.append((kind, *facts))

    def function(self, name: str, program: Program) -> None:
        found = Function(name, len(program.jaxpr.jaxpr.eqns), _equations(program))
        self.functions.append(found)
        self.step("function", found.equations, found.digest, _public(program), self._operands(program))


class Performance(_Record):
    """Checks that each step is the one that was rehearsed.

    A program that does something else the second time (chance, the clock, a file that changed, a branch on
    what was revealed) would make the parties compute with wrong masks.

    Args:
      plan: of the program.
      progress: told how many rounds are over, and of how many, now and then.

    Raises (by `step` and `function`):
      AgreementError: another step.
    """

    def __init__(self, plan: Plan, progress: Callable[[int, int], None] | None = None):
        """Before the first step."""
        super().__init__()
        self._plan, self._progress = plan, progress
        self._done = self._rounds = 0

    def step(self, kind: str, *facts: Any) -> None:
        self._require((kind, *facts))
        if kind == "open":
            self._rounds += 1
            if self._progress:
                self._progress(self._rounds, self._plan.cost.rounds)

    def function(self, name: str, program: Program) -> None:
        # The digest of the equations is not computed again: their number, and the steps that follow, tell.
        count, expected = len(program.jaxpr.jaxpr.eqns), self._expected
        digest = expected[2] if expected[:2] == ("function", count) else "other equations"
        self._require(("function", count, digest, _public(program), self._operands(program)))

    def finish(self) -> None:
        """Raise if something is left to do."""
        if self._done < len(self._plan.steps):
            raise AgreementError(
                f"the program ended after {self._done} of the {len(self._plan.steps)} steps it rehearsed."
            )

    @property
    def _expected(self) -> Step:
        return self._plan.steps[self._done] if self._done < len(self._plan.steps) else ("the end",)

    def _require(self, step: Step) -> None:
        if step != self._expected:
            raise AgreementError(
                f"the program does something else than in its rehearsal: step {self._done} was "
                f"{_said(self._expected)}, now it is {_said(step)}. A program must do the same each time: no "
                "unseeded chance, no clock, no branch on what was revealed."
            )
        self._done += 1


def _told(step: Step, names: Sequence[str]) -> str:
    if step[0] == "input":
        return f"{names[step[2]]} brings {step[1]}"
    whom = "all parties" if step[2] is None else names[step[2]]
    return f"{_sizes(step)} is revealed to {whom}"


def _sizes(step: Step) -> str:
    return ", ".join(f"{np.dtype(f[0])}{list(f[1])}" for f in step[1:] if isinstance(f, tuple))


def _said(step: Step) -> str:
    if step[0] == "function":
        return "a private function"
    return f"{step[0]} {_sizes(step)}".strip()


def _equations(program: Program) -> str:
    """A digest of the equations of a function, as JAX prints them."""
    text = re.sub(r" at 0x[0-9a-f]+", "", str(program.jaxpr.jaxpr))
    return hashlib.sha256(text.encode()).hexdigest()


def _public(program: Program) -> str:
    """A digest of the public numbers that a function computes with: they must be the same everywhere."""
    return _digest(v for v in (*_constants(program.jaxpr), *program.given) if not isinstance(v, Secret))


def _digest(values: Iterable[Any]) -> str:
    """Of public arrays; nothing of none."""
    hashed, some = hashlib.blake2b(digest_size=16), False
    for value in values:
        array, some = _array(value), True
        hashed.update(f"{array.dtype}{array.shape}".encode())
        hashed.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return hashed.hexdigest() if some else ""


def _constants(jaxpr: Any) -> Iterator[Any]:
    yield from jaxpr.consts
    for eqn in jaxpr.jaxpr.eqns:
        for inner in compat.inner_jaxprs(eqn.params):
            yield from _constants(inner)


def _array(value: Any) -> Any:
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        return np.asarray(jax.random.key_data(value))
    return np.asarray(value)
