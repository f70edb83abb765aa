"""A row of the table of operations, and the values that its operands may have.

A row says which roles ("a b c") its operands and its result have. Hypothesis draws a name for each
role, a size, and the order in which each operand is stored; the positional counterpart gets the axes
in the order of the roles, and the result is compared in the order of its roles.
"""

import dataclasses
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True)
class Row:
    """One operation: how it is called by name, and by position."""

    operation: str
    signature: str  # roles of each operand and of each result, "a b, b c -> a b c"
    named: Callable  # (names of the roles, *named operands)
    positional: Callable  # (numpy or jax.numpy, *arrays)
    _: dataclasses.KW_ONLY
    values: tuple[str, ...] = ()  # of each operand; "real" where left out
    sizes: dict[str, int | str] = dataclasses.field(default_factory=dict)  # a role: as large as that one
    nonempty: str = ""  # roles of which size 0 is not legal
    slopes: bool = False  # whether it is differentiable
    roundings: int = 1  # for each element of the operands that a result depends on
    label: str = ""
    examples: int = 5  # of names, sizes and orders

    @property
    def operands(self):
        return [o for o in self.signature.partition("->")[0].strip().split(", ") if o]

    @property
    def results(self):
        return [r.strip() for r in self.signature.partition("->")[2].split(",")]

    @property
    def roles(self):
        return sorted(set(" ".join([*self.operands, *self.results]).split()))

    def sized(self, sizes):
        """Sizes as drawn, and where a role stands for its size, that one's."""
        return {r: sizes[n] if isinstance(n, str) else n for r, n in sizes.items()}

    def domain(self, i):
        return self.values[i] if i < len(self.values) else "real"


def with_spectrum(rng, shape, *, symmetric):
    """Matrices, the last two axes, with singular values from 0.25 to 1: condition number 4, all apart."""
    *batch, rows, columns = shape
    k = min(rows, columns)
    left = np.linalg.qr(rng.normal(size=(*batch, rows, k)))[0]
    right = left if symmetric else np.linalg.qr(rng.normal(size=(*batch, columns, k)))[0]
    return ((left * np.linspace(0.25, 1, k)) @ np.swapaxes(right, -1, -2)).astype(np.float32)


def with_nan(rng, shape):
    """Numbers of which some are missing, and at least one is there wherever they are counted over two axes."""
    values = rng.uniform(0.25, 1, shape).astype(np.float32)
    flat = values.reshape(-1)
    flat[1::3] = np.nan
    return values


DOMAINS = {
    "real": lambda rng, n: rng.uniform(-1, 1, n).astype(np.float32),
    "positive": lambda rng, n: rng.uniform(0.25, 1, n).astype(np.float32),
    "inner": lambda rng, n: rng.uniform(-0.75, 0.75, n).astype(np.float32),
    "share": lambda rng, n: rng.uniform(0.125, 0.875, n).astype(np.float32),
    "above one": lambda rng, n: rng.uniform(1.25, 2, n).astype(np.float32),
    "with nan": with_nan,
    "low": lambda rng, n: rng.uniform(-0.5, -0.25, n).astype(np.float32),
    "high": lambda rng, n: rng.uniform(0.25, 0.5, n).astype(np.float32),
    "integer": lambda rng, n: rng.integers(-3, 4, n).astype(np.int32),
    "count": lambda rng, n: rng.integers(1, 4, n).astype(np.int32),
    "bool": lambda rng, n: rng.integers(0, 2, n).astype(bool),
    "index": lambda rng, n: rng.integers(-3, 3, n).astype(np.int32),
    "complex": lambda rng, n: (rng.uniform(-0.5, 0.5, n) + 1j * rng.uniform(-0.5, 0.5, n)).astype(
        np.complex64
    ),
    "matrix": lambda rng, shape: with_spectrum(rng, shape, symmetric=False),
    "spd": lambda rng, shape: with_spectrum(rng, shape, symmetric=True),
    "special": lambda rng, n: rng.choice(np.float32([0, 1, np.nan, np.inf, -np.inf]), n),
}
DISCRETE = {"integer", "count", "bool", "index"}


def same(name):
    """The function of this name in NumPy, and in jax.numpy where a derivative is asked for."""
    return lambda xp, *arrays: getattr(xp, name)(*arrays)


def jax_only(function):
    return lambda xp, *arrays: function(*arrays)


def einsum(formula):
    return lambda xp, *arrays: xp.einsum(formula, *arrays)
