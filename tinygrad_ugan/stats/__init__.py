"""Differentiable versions of scipy.stats: densities and distribution functions, with SciPy's
arguments and values, in all arguments in which a derivative is known.
"""

from tinygrad_ugan.stats.multivariate import dirichlet, multivariate_normal
from tinygrad_ugan.stats.univariate import (
    Continuous,
    Discrete,
    bernoulli,
    beta,
    chi2,
    expon,
    gamma,
    norm,
    poisson,
    t,
    uniform,
)

__all__ = [
    "Continuous",
    "Discrete",
    "bernoulli",
    "beta",
    "chi2",
    "dirichlet",
    "expon",
    "gamma",
    "multivariate_normal",
    "norm",
    "poisson",
    "t",
    "uniform",
]
