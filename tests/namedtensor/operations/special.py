"""Rules U and B for special functions: the values are those of JAX's function of the same arrays.

These are slow to compile, and the builders are tried out elsewhere: one example of each shows that its line is right, and the
derivatives are left out where they take seconds.
"""

import dataclasses

from jax.scipy import special

import namedtensor as nt
from tests.namedtensor.operations.elementwise import OPTIONS, binary_row, unary_row
from tests.namedtensor.operations.row import Row, jax_only

UNARY = {
    "real": "dawsn erf erfc erfcx i0 i0e i1 i1e log_ndtr ndtr",
    "positive": "digamma entr fresnel gamma gammaln loggamma sici spence",
    "inner": "erfinv",
    "share": "logit ndtri",
    "above one": "multigammaln",
}
VALUES_ALONE = {"complex": "wofz", "positive": "factorial exp1 expi", "real": "gammasgn"}
BINARY = {("positive", "positive"): "betaln boxcox boxcox1p kl_div rel_entr xlog1py xlogy"}
BINARY_VALUES_ALONE = {
    ("count", "positive"): "comb expn polygamma",
    ("positive", "count"): "poch",
    ("positive", "positive"): "beta gammainc gammaincc owens_t",
    ("above one", "positive"): "zeta",
}
OPTIONS["multigammaln"] = {"d": 2}


def positional(name):
    options = OPTIONS.get(name, {})
    return jax_only(lambda *arrays: getattr(special, name)(*arrays, **options))


def unary_rows(table, slopes):
    for values, names in table.items():
        for name in names.split():
            yield unary_row(name, positional(name), values, slopes, 8)


def binary_rows(table, slopes):
    for values, names in table.items():
        for name in names.split():
            yield binary_row(name, positional(name), values, slopes)


def nary_row(name, signature, values, *, slopes):
    """Of three or four operands; each has a dim of its own and one that all share."""

    def spread(xp, *arrays):
        n = len(arrays)
        return positional(name)(xp, *[x.reshape(*(-1 if i == j else 1 for j in range(n)), x.shape[-1])
                                      for i, x in enumerate(arrays)])  # fmt: skip

    return Row(name, signature, lambda d, *x: getattr(nt, name)(*x), spread, values=values, slopes=slopes,
               roundings=8, nonempty="a b c d e")  # fmt: skip


def special_rows():
    yield from unary_rows(UNARY, slopes=True)
    yield from unary_rows(VALUES_ALONE, slopes=False)
    yield from binary_rows(BINARY, slopes=True)
    yield from binary_rows(BINARY_VALUES_ALONE, slopes=False)
    yield nary_row("betainc", "a e, b e, c e -> a b c e", ("positive", "positive", "share"), slopes=False)
    yield Row("betainc", "a b -> a b", lambda d, x: nt.betainc(0.5, 1.5, x),
              jax_only(lambda x: special.betainc(0.5, 1.5, x)), values=("share",), slopes=True, roundings=8,
              nonempty="a b", label="of numbers")  # fmt: skip
    yield nary_row("hyp1f1", "a e, b e, c e -> a b c e", ("positive", "positive", "real"), slopes=False)
    yield nary_row("hyp2f1", "a e, b e, c e, d e -> a b c d e", ("positive",) * 3 + ("low",), slopes=False)


ROWS = [dataclasses.replace(row, examples=1) for row in special_rows()]
