"""A tensor handed to a function of SciPy that does not dispatch: the error names ours."""

import numpy as np
import pytest
import scipy.fft
import scipy.integrate
import scipy.linalg
import scipy.optimize
import scipy.signal
import scipy.special
import scipy.stats

import tinygrad_ugan as ug
from tinygrad_ugan import integrate, linalg, special
from tinygrad_ugan.errors import NotDifferentiableError

X = np.array([[2.0, 0.5], [0.5, 1.0]])
ROW = X[0]
ARGUMENTS = {
    "special.multigammaln": (X, 2),
    "special.polygamma": (1, X),
    "linalg.cho_solve": ((np.eye(2), True), X),
    "linalg.solve_banded": ((1, 0), X, np.ones(2)),
    "linalg.solve_sylvester": (X, X, X),
    "linalg.solve_triangular": (X, np.ones(2)),
    "linalg.solve": (X, np.ones(2)),
    "linalg.toeplitz": (ROW,),
    "integrate.odeint": (lambda y, t: -y, ROW, [0, 1.0]),
    "stats.t.cdf": (X, 3.0),
    "stats.gamma.logpdf": (X, 3.0),
    "stats.poisson.pmf": (1, X),
    "stats.dirichlet.logpdf": (ROW, ROW),
}
OURS = [
    *(f"special.{name}" for name in special.__all__),
    *(f"linalg.{name}" for name in linalg.__all__),
    *(f"integrate.{name}" for name in integrate.__all__),
    "stats.norm.logpdf",
    "stats.norm.sf",
    "stats.multivariate_normal.logpdf",
    *(name for name in ARGUMENTS if name.startswith("stats")),
]
NUMPYS = [
    "linalg.inv",
    "linalg.det",
    "linalg.svd",
    "linalg.eigh",
    "linalg.cholesky",
    "linalg.solve",
]


def traced_call(module, name):
    """What a call in a differentiated function raises, X being the tensor wherever it is used."""
    function = module
    for part in name.split("."):
        function = getattr(function, part)
    args = ARGUMENTS.get(name, (X,))

    def f(x):
        tensors = [x if a is X else x[0] if a is ROW else a for a in args]
        return function(*tensors)

    with pytest.raises(NotDifferentiableError) as error:
        ug.vjp(f, X)
    return str(error.value)


@pytest.mark.parametrize("name", OURS)
def test_ours_is_named(name):
    assert traced_call(scipy, name).startswith(
        f"scipy.{name} makes a plain array of a traced value"
    )
    assert traced_call(scipy, name).endswith(f"call ug.{name} instead")


@pytest.mark.parametrize("name", NUMPYS)
def test_numpys_is_named(name):
    assert traced_call(scipy, name).endswith(f"call np.{name} instead")


def test_a_frozen_distribution():
    with pytest.raises(NotDifferentiableError, match=r"call ug\.stats\.norm\.logpdf instead"):
        ug.grad(scipy.stats.norm(1.0).logpdf)(1.0)


@pytest.mark.parametrize(
    ("name", "f"),
    [
        ("signal.convolve", lambda x: scipy.signal.convolve(x, x)),
        ("optimize.minimize", lambda x: scipy.optimize.minimize(np.sum, x[0])),
        ("integrate.simpson", scipy.integrate.simpson),
        ("stats.lognorm.pdf", lambda x: scipy.stats.lognorm.pdf(x, 1.0)),
        ("special.factorial", scipy.special.factorial),
    ],
)
def test_what_has_no_counterpart_says_what_to_do(name, f):
    with pytest.raises(NotDifferentiableError, match=f"^scipy.{name} .*ug.special, ug.linalg"):
        ug.vjp(f, X)


def test_an_array_made_by_somebody_else_inside_of_scipy_is_not_its_fault():
    def slope(y, t, k):
        return np.array([k]) * y

    with pytest.raises(
        NotDifferentiableError, match=r"^a traced value cannot become a plain array"
    ):
        ug.grad(lambda k: ug.integrate.odeint(slope, [1.0], [0, 1.0], (k,))[1, 0])(0.5)
    with pytest.raises(
        NotDifferentiableError, match=r"^a traced value cannot become a plain array"
    ):
        ug.grad(lambda k: scipy.integrate.quad(lambda t: np.array([k])[0] * t, 0, 1)[0])(0.5)
