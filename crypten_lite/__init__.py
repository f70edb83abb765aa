"""Private computation: any JAX function on secret shares.

>>> import jax.numpy as jnp
>>> import crypten_lite as ct
>>> with ct.simulate(parties=2) as session:  # every share in this process: for experiments, not private
...     x = session.share(jnp.array([3.0, 4.0]))
...     ct.private(lambda x: x @ x)(x).reveal()
Array(25., dtype=float32)
"""

from crypten_lite import operations as operations  # attaches the operators and methods of shared tensors
from crypten_lite.aliases import cryptensor
from crypten_lite.cost import Cost
from crypten_lite.errors import PartyError
from crypten_lite.estimate import estimate
from crypten_lite.fixed_point import FixedPoint
from crypten_lite.private import private
from crypten_lite.processes.launching import launch
from crypten_lite.ring import Ring
from crypten_lite.roles import inputs
from crypten_lite.roles.exactness import error_by_fraction
from crypten_lite.roles.simulation import simulate
from crypten_lite.rules import secret_rules
from crypten_lite.session import Session
from crypten_lite.tensor import SharedTensor
from crypten_lite.timeline import timeline

__all__ = [
    "Cost",
    "FixedPoint",
    "PartyError",
    "Ring",
    "Session",
    "SharedTensor",
    "cryptensor",
    "error_by_fraction",
    "estimate",
    "inputs",
    "launch",
    "private",
    "secret_rules",
    "simulate",
    "timeline",
]
