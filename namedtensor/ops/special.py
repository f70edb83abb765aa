"""Rules U and B for the special functions of `jax.scipy.special`, under SciPy's names."""

from jax.scipy import special

from namedtensor.ops._build import binary, nary, unary
from namedtensor.ops._table import alias, public

# one line an operation ------------------------------------------------------------------------
dawsn = unary("dawsn", special.dawsn)
digamma = unary("digamma", special.digamma)
entr = unary("entr", special.entr)
erf = unary("erf", special.erf)
erfc = unary("erfc", special.erfc)
erfcx = unary("erfcx", special.erfcx)
erfinv = unary("erfinv", special.erfinv)
exp1 = unary("exp1", special.exp1)
expi = unary("expi", special.expi)
factorial = unary("factorial", special.factorial)
fresnel = unary("fresnel", special.fresnel, results=2)
gamma = unary("gamma", special.gamma)
gammaln = unary("gammaln", special.gammaln)
gammasgn = unary("gammasgn", special.gammasgn)
i0 = unary("i0", special.i0)
i0e = unary("i0e", special.i0e)
i1 = unary("i1", special.i1)
i1e = unary("i1e", special.i1e)
log_ndtr = unary("log_ndtr", special.log_ndtr)
loggamma = unary("loggamma", special.loggamma)
logit = unary("logit", special.logit)
multigammaln = unary("multigammaln", special.multigammaln, d=int)
ndtr = unary("ndtr", special.ndtr)
ndtri = unary("ndtri", special.ndtri)
sici = unary("sici", special.sici, results=2)
spence = unary("spence", special.spence)
wofz = unary("wofz", special.wofz)

beta = binary("beta", special.beta)
betaln = binary("betaln", special.betaln)
boxcox = binary("boxcox", special.boxcox)
boxcox1p = binary("boxcox1p", special.boxcox1p)
comb = binary("comb", special.comb, repetition=False)
expn = binary("expn", special.expn)
gammainc = binary("gammainc", special.gammainc)
gammaincc = binary("gammaincc", special.gammaincc)
kl_div = binary("kl_div", special.kl_div)
owens_t = binary("owens_t", special.owens_t)
poch = binary("poch", special.poch)
polygamma = binary("polygamma", special.polygamma)
rel_entr = binary("rel_entr", special.rel_entr)
xlog1py = binary("xlog1py", special.xlog1py)
xlogy = binary("xlogy", special.xlogy)
zeta = binary("zeta", special.zeta)

betainc = nary("betainc", special.betainc, "a b x")
hyp1f1 = nary("hyp1f1", special.hyp1f1, "a b x")
hyp2f1 = nary("hyp2f1", special.hyp2f1, "a b c x")

# the second names that jax.lax has
bessel_i0e = alias("bessel_i0e", i0e)
bessel_i1e = alias("bessel_i1e", i1e)
erf_inv = alias("erf_inv", erfinv)
igamma = alias("igamma", gammainc)
igammac = alias("igammac", gammaincc)
lgamma = alias("lgamma", gammaln)


__all__ = public(globals())
