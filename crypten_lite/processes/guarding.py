"""How a process with keys and inputs is run: no core dumps, and a clean end when it is asked to end."""

import contextlib
import gc
import os
import signal
import threading
from types import FrameType

_AGAIN = 0.05  # seconds


def guard() -> None:
    """Keep keys and inputs out of core dumps; a request to end is an interrupt, so the peers are told."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on every system
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Raise `KeyboardInterrupt`, a moment later if it would be lost where the process is now.

    Python drops what is raised while it collects garbage. JAX has a function called at every collection, so
    that is where a process which compiles often is when the signal is looked at.
    """
    if _is_collecting(frame):
        again = threading.Timer(_AGAIN, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()
        return
    raise KeyboardInterrupt


def _is_collecting(frame: FrameType | None) -> bool:
    collecting = {getattr(callback, "__code__", None) for callback in gc.callbacks}
    while frame is not None:
        if frame.f_code in collecting or frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False
