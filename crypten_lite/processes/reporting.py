"""What a role says while it runs: to a user in a terminal, or to the process that started it."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import IO, TYPE_CHECKING, Any

from crypten_lite.errors import PartyError
from namedtensor._optional import optional

if TYPE_CHECKING:
    from crypten_lite.processes.results import Results
    from crypten_lite.roles.running import Outcome

Progress = Callable[[int, int], None]
_OFTEN = 0.1  # seconds between two messages of progress
_GRACE = 5.0  # seconds that a role has to end when its parent has ended


class Terminal:
    """Says all to a user.

    Args:
      name: of the role, in front of each line.
    """

    def __init__(self, name: str = "crypten_lite"):
        """Nothing said yet."""
        self.name = name
        self._bar: Any = None

    def log(self, text: str) -> None:
        """Say a line or several."""
        for line in str(text).splitlines():
            print(f"{self.name}: {line}", flush=True)

    def bar(self) -> Progress:
        """What moves a bar, where there is somebody to see it."""
        with optional("private"):
            from tqdm.auto import tqdm

        def move(done: int, of: int) -> None:
            if self._bar is None:
                self._bar = tqdm(total=of, desc=self.name, unit="round", disable=None)
            self._bar.update(done - self._bar.n)

        return move

    def done(self, outcome: "Outcome", results: "Results | None") -> None:
        """Say what it cost."""
        self.close()
        self.log("done: " + ", ".join(f"{part} {spent:.2f} s" for part, spent in outcome.seconds.items()))
        self.log(str(outcome.cost))

    def failed(self, error: BaseException) -> None:
        """Say what stopped the role, in one line."""
        self.close()
        kind = "" if type(error) is PartyError else f"{type(error).__name__}: "
        print(f"{self.name}: {kind}{error}", file=sys.stderr, flush=True)

    def crashed(self, error: BaseException) -> None:
        """Make room for the traceback of what is nobody's but the program's own."""
        self.close()

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class Pipe(Terminal):
    """Tells the process that started this one, in lines of JSON, and ends this one when that one has ended.

    Standard output carries the messages, so what else is printed goes to standard error.
    """

    def __init__(self, name: str = "crypten_lite"):
        """Take standard output, and watch standard input, which closes when the other process ends."""
        super().__init__(name)
        self._out: IO[str] = os.fdopen(os.dup(1), "w", encoding="utf-8")
        self._said = 0.0
        os.dup2(2, 1)
        threading.Thread(target=_end_with_parent, daemon=True).start()

    def log(self, text: str) -> None:
        pass  # a bar and errors are what the user of the other process sees

    def bar(self) -> Progress:
        def tell(done: int, of: int) -> None:
            if done == of or time.monotonic() > self._said + _OFTEN:
                self._said = time.monotonic()
                self._tell(rounds=done, of=of)

        return tell

    def done(self, outcome: "Outcome", results: "Results | None") -> None:
        told: dict[str, Any] = {"cost": asdict(outcome.cost), "seconds": outcome.seconds}
        if results is not None:
            told |= {"hidden": results.hidden, "has_names": results.has_names}
        self._tell(done=told)

    def failed(self, error: BaseException) -> None:
        self._tell(error=type(error).__name__, message=str(error))

    crashed = failed

    def _tell(self, **message: Any) -> None:
        print(json.dumps(message), file=self._out, flush=True)


def _end_with_parent() -> None:
    while os.read(0, 4096):  # sys.stdin would hold a lock that the end of the interpreter wants
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os._exit(1)
