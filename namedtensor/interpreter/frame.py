"""What travels beside the values of a walk: values recorded on the way, and values fed to it.

A rule inside the body of a scan cannot write to the outside: what it has computed belongs to the
loop. So every body gets a frame of its own, whose records are returned as further results of the
body (stacked by the scan) and then added to the frame outside. Feeding is the same in reverse. Both
are lists by name, in program order, because one place may be passed several times.
"""

from collections import Counter
from typing import Any

from namedtensor.interpreter import compat

Lists = dict[str, list[Any]]


class Frame:
    """Records and feeds of one jaxpr.

    Attributes:
      recorded: name -> the values seen there, in program order.
      shadow: whether the walk computes again, for its records alone, what is also evaluated as it is.
    """

    def __init__(self, fed: Lists | None = None, *, shadow: bool = False):
        """``fed``: name -> the values to take there, in program order (None: leave as computed)."""
        self.recorded: Lists = {}
        self.shadow = shadow
        self._fed: Lists = {k: list(v) for k, v in (fed or {}).items()}

    def record(self, name: str, value: Any) -> None:
        """Note a value under a name."""
        self.recorded.setdefault(name, []).append(value)

    def merge(self, recorded: Lists) -> None:
        """Add what the frame of an inner body has recorded."""
        for name, values in recorded.items():
            self.recorded.setdefault(name, []).extend(values)

    def next_fed(self, name: str) -> Any:
        """The value to put in at this place, or None."""
        waiting = self._fed.get(name)
        return waiting.pop(0) if waiting else None

    def take(self, jaxpr: Any) -> Lists:
        """The feeds for an inner body, which are no longer waiting here."""
        passes = tap_counts(jaxpr)
        return {
            k: [v.pop(0) for _ in range(min(passes[k], len(v)))] for k, v in self._fed.items() if passes[k]
        }

    def peek(self, jaxpr: Any) -> Lists:
        """The feeds for an inner body, which wait on for its alternative (the branches of a cond)."""
        passes = tap_counts(jaxpr)
        return {k: v[: passes[k]] for k, v in self._fed.items() if passes[k]}

    def drop(self, passes: Counter) -> None:
        """Forget the feeds of alternatives that have been handed out by `peek`."""
        for name, waiting in self._fed.items():
            del waiting[: passes[name]]


def tap_counts(jaxpr: Any) -> Counter:
    """How often each tap stands in a jaxpr; the branches of a cond are alternatives of one place."""
    counts: Counter = Counter()
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "name":
            counts[eqn.params["name"]] += 1
        inner = [tap_counts(j.jaxpr) for j in compat.inner_jaxprs(eqn.params)]
        if eqn.primitive.name == "cond":
            inner = [alternatives(inner)]
        for more in inner:
            counts += more
    return counts


def alternatives(counts: list[Counter]) -> Counter:
    """The counts of a place of which one branch is taken: the largest of each."""
    most: Counter = Counter()
    for more in counts:
        most |= more
    return most
