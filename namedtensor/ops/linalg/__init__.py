"""Rule L: linear algebra over two named dims, ``nt.linalg.inv(x, "row col")``.

The first dim of ``over`` counts the rows of a matrix and the second its columns; all others are batch dims.
Much of `numpy.linalg` is a contraction or a change of names and needs no function here: ``matmul``,
``vecdot``, ``tensordot`` and ``multi_dot`` are `nt.dot`, ``outer`` is ``x * y``, ``kron`` is that and
`nt.merge`, ``matrix_transpose`` is nothing at all, and ``tensorinv`` and ``tensorsolve`` are `inv` and
`solve` of merged dims.
"""

from namedtensor.ops.linalg.factors import cholesky, eig, eigh, eigvals, eigvalsh, qr, svd, svdvals
from namedtensor.ops.linalg.inverses import expm, inv, matrix_power, pinv
from namedtensor.ops.linalg.measures import det, matrix_rank, slogdet, trace
from namedtensor.ops.linalg.norms import cond, matrix_norm, norm, vector_norm
from namedtensor.ops.linalg.products import cross
from namedtensor.ops.linalg.systems import lstsq, solve, solve_triangular

__all__ = [
    "cholesky",
    "cond",
    "cross",
    "det",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "expm",
    "inv",
    "lstsq",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "svdvals",
    "trace",
    "vector_norm",
]
