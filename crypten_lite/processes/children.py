"""The processes of a launch: started together, followed, and ended together, however it goes."""

import builtins
import contextlib
import json
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crypten_lite import errors
from crypten_lite.errors import PartyError
from namedtensor.interpreter import UnsupportedPrimitiveError

_GRACE = 5.0  # seconds in which the others tell what they think went wrong, and in which a process ends
_TAIL = 2000  # characters of standard error in a message
# What a role says when another one failed; a cause is anything else.
_CONSEQUENCES = ("PeerTimeoutError", "PeerUnreachableError", "PeerClosedError", "PeerAbortedError")

Message = dict[str, Any]
Events = queue.SimpleQueue[tuple[str, Message | None]]


@dataclass
class Child:
    """A role in a process of its own.

    Attributes:
      name: of the role.
      process: with a pipe as its input, which ends it when this process ends.
      stderr: the file of what it prints.
      reader: the thread that hands on what it tells.
      done: its last message, if it came to the end.
      error: what stopped it.
    """

    name: str
    process: subprocess.Popen[bytes]
    stderr: Path
    reader: threading.Thread
    done: Message | None = None
    error: Message | None = None

    @classmethod
    def start(
        cls, name: str, command: Sequence[str], stderr: Path, env: Mapping[str, str], events: Events
    ) -> "Child":
        """Start a process that writes lines of JSON to its output."""
        with stderr.open("wb") as file:
            pipe = subprocess.PIPE
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=file, env=dict(env))
        reader = threading.Thread(target=_read, args=(name, process.stdout, events), daemon=True)
        reader.start()
        return cls(name, process, stderr, reader)

    def told(self, message: Message | None) -> None:
        """Keep what matters of a message; None is the end of them."""
        if message is None:
            self._end_within(_GRACE)
            if not (self.done or self.error):
                ended = f"the process ended, {_said(self.process.returncode)}."
                self.error = {"error": "PeerClosedError", "message": ended}
        elif "done" in message:
            self.done = message["done"]
        elif "error" in message:
            self.error = message

    def last_words(self) -> str:
        """The end of what it printed to standard error."""
        return self.stderr.read_text(errors="replace").strip()[-_TAIL:]

    def stop(self) -> None:
        """End the process, if it has not, and wait for it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.terminate()
        self.process.stdin.close()
        self._end_within(_GRACE)
        self.reader.join()
        self.process.stdout.close()

    def _end_within(self, seconds: float) -> None:
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Family:
    """All processes of a launch.

    Attributes:
      children: by name.
      events: what they tell.
    """

    children: dict[str, Child] = field(default_factory=dict)
    events: Events = field(default_factory=queue.SimpleQueue)

    def start(self, name: str, command: Sequence[str], stderr: Path, env: Mapping[str, str]) -> None:
        """Start one."""
        self.children[name] = Child.start(name, command, stderr, env, self.events)

    def follow(self, progress: Callable[[int, int], None]) -> dict[str, Message]:
        """Wait for all of them to come to the end.

        Args:
          progress: told the rounds that are over, and of how many.

        Returns:
          Their last messages, by name.

        Raises:
          PartyError: or another error: what stopped the first of them.
        """
        first, running, deadline = next(iter(self.children)), set(self.children), float("inf")
        while running and time.monotonic() < deadline:
            for name, message in self._news():
                self.children[name].told(message)
                running -= set() if message else {name}
                if message and "rounds" in message and name == first:
                    progress(message["rounds"], message["of"])
                if self.children[name].error:
                    deadline = min(deadline, time.monotonic() + _GRACE)
        self._raise_the_cause()
        return {name: child.done or {} for name, child in self.children.items()}

    def stop(self) -> None:
        """End all of them; the order does not matter to any."""
        for child in self.children.values():
            child.process.terminate()  # all at once, before the first is waited for
        for child in self.children.values():
            child.stop()

    def _news(self) -> Iterator[tuple[str, Message | None]]:
        with contextlib.suppress(queue.Empty):
            yield self.events.get(timeout=0.2)

    def _raise_the_cause(self) -> None:
        failed = [child for child in self.children.values() if child.error]
        if failed:
            raise _error(min(failed, key=_rank))


def _read(name: str, out: Any, events: Events) -> None:
    for line in out:
        with contextlib.suppress(ValueError):
            events.put((name, json.loads(line)))
    events.put((name, None))


def _said(status: int) -> str:
    return f"by signal {-status}" if status < 0 else f"with status {status}"


def _rank(child: Child) -> int:
    """What failed by itself comes before what failed because of another."""
    assert child.error is not None
    kind, did_end = child.error["error"], child.error["message"].startswith("the process ended")
    return 0 if did_end or kind not in _CONSEQUENCES else 1 + _CONSEQUENCES.index(kind)


def _error(child: Child) -> Exception:
    assert child.error is not None
    words = child.last_words()
    text = f"{child.name}: {child.error['message']}"
    return _typed(child.error["error"], f"{text}\n{child.name} printed at last:\n{words}" if words else text)


def _typed(kind: str, text: str) -> Exception:
    found = getattr(errors, kind, None) or getattr(builtins, kind, None)
    if kind == "UnsupportedPrimitiveError":
        found = UnsupportedPrimitiveError
    if isinstance(found, type) and issubclass(found, Exception):
        with contextlib.suppress(TypeError):  # some need more than a text
            return found(text)
    return PartyError(f"{kind}: {text}")
