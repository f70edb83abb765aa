"""The benchmark of real roles runs, and counts what an estimate says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import crypten_lite as ct
from tests.crypten_lite import models

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_a_quick_run_of_the_benchmark():
    command = [sys.executable, "benchmarks/private_two_parties.py", "--quick"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    header, row = ([c.strip() for c in line.split("|")[1:-1]] for line in done.stdout.splitlines()[2::2])
    found, expected = dict(zip(header, row, strict=True)), ct.estimate(*models.lenet())
    assert found["rounds"] == str(expected.rounds)
    assert found["MB a party"] == f"{expected.bytes_per_party / 1e6:.3g}"
    assert found["MB from the dealer"] == f"{expected.dealer_bytes / 1e6:.3g}"
    assert float(found["error"]) < 1e-3
