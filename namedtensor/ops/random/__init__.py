"""Rule D: random tensors. The key is an argument; there is no global state.

The values are those of `jax.random` with the same key, for axes in the order in which the shape lists
them. Parameters may be numbers or named tensors: they are lined up by name, and their names that the
shape lacks follow it in alphabetical order, so that how they are stored never changes a draw. A key that
has dims, from `split`, draws once for each of its keys.

Example:
  >>> import jax, namedtensor as nt
  >>> keys = nt.random.split(jax.random.key(0), "layer:3")
  >>> nt.random.normal(keys, "embed:4").shape
  Shape(layer:3 embed:4)
"""

from namedtensor.ops.random.distributions import (
    bernoulli,
    beta,
    binomial,
    bits,
    cauchy,
    chisquare,
    double_sided_maxwell,
    exponential,
    f,
    gamma,
    generalized_normal,
    geometric,
    gumbel,
    laplace,
    loggamma,
    logistic,
    lognormal,
    maxwell,
    normal,
    pareto,
    poisson,
    rademacher,
    randint,
    rayleigh,
    t,
    triangular,
    truncated_normal,
    uniform,
    wald,
    weibull_min,
)
from namedtensor.ops.random.events import (
    ball,
    categorical,
    dirichlet,
    multinomial,
    multivariate_normal,
    orthogonal,
)
from namedtensor.ops.random.keys import (
    fold_in,
    key,
    split,
)
from namedtensor.ops.random.shuffle import (
    choice,
    permutation,
)

__all__ = [
    "ball",
    "bernoulli",
    "beta",
    "binomial",
    "bits",
    "categorical",
    "cauchy",
    "chisquare",
    "choice",
    "dirichlet",
    "double_sided_maxwell",
    "exponential",
    "f",
    "fold_in",
    "gamma",
    "generalized_normal",
    "geometric",
    "gumbel",
    "key",
    "laplace",
    "loggamma",
    "logistic",
    "lognormal",
    "maxwell",
    "multinomial",
    "multivariate_normal",
    "normal",
    "orthogonal",
    "pareto",
    "permutation",
    "poisson",
    "rademacher",
    "randint",
    "rayleigh",
    "split",
    "t",
    "triangular",
    "truncated_normal",
    "uniform",
    "wald",
    "weibull_min",
]
