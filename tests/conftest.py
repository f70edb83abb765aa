"""Settings under which all tests run: nothing is lined up by position, and every warning is an error."""

import gc
import os
from importlib.metadata import version

import jax
import pytest

from tests.widgets import chromium

jax.config.update("jax_numpy_rank_promotion", "raise")
# Most programs here are compiled to run once: LLVM's optimizations take half of the time, and XLA's are still made.
jax.config.update("jax_disable_most_optimizations", True)
FLAGS = [
    "--xla_cpu_parallel_codegen_split_count=1",  # a program is one module for LLVM, not one a thread
    "--xla_cpu_multi_thread_eigen=false",  # as launched processes have it, which these flags reach too
]
if version("jaxlib") == "0.10.2":  # a later XLA has not got this flag, and ends a process that names it
    # Through MLIR, which is the default, the same loops take twice the time to compile.
    FLAGS.append("--xla_cpu_use_fusion_emitters=false")
os.environ["XLA_FLAGS"] = " ".join([os.environ.get("XLA_FLAGS", ""), *FLAGS]).strip()


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Modules and cases live to the end: the collector walks them neither while they are made nor after each file."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 10, 10)


@pytest.fixture(autouse=True, scope="module")
def programs_end_with_their_file():
    """Some thousand compiled programs in one process are more memory maps than Linux allows it (65530)."""
    yield
    jax.clear_caches()
    gc.collect()


@pytest.fixture(scope="module")
def browser():
    """Chromium, for the pages of a file."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def compilations():
    """A counter of the programs that XLA has compiled since the fixture was made."""

    class Counter:
        count = 0

        def listen(self, event: str, _seconds: float, **_: object) -> None:
            self.count += event == "/jax/core/compile/backend_compile_duration"

        def since(self, block) -> int:
            before = self.count
            block()
            return self.count - before

    counter = Counter()
    jax.monitoring.register_event_duration_secs_listener(counter.listen)
    yield counter
    jax.monitoring.unregister_event_duration_listener(counter.listen)
