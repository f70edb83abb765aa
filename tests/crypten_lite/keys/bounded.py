"""A test that waits for ever says so instead."""

import contextlib
import signal


@contextlib.contextmanager
def within(seconds: int):
    """Raise TimeoutError in a block that takes longer, also if it waits in the system."""

    def late(*_):
        raise TimeoutError(f"not done in {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
