"""scipy.special: far out, at corners, against mpmath; and not imported before it is needed."""

import subprocess
import sys

import mpmath
import pytest
from scipy import special as sp

from tinygrad_ugan import grad, vjp
from tinygrad_ugan.autodiff import rules
from tinygrad_ugan.autodiff.rules.special.gamma_functions import polygamma
from tinygrad_ugan.errors import NotDifferentiableError

NAMES = """
    expit logit log_expit erf erfc erfinv ndtr log_ndtr gammaln psi xlogy xlog1py entr i0 i1
"""


@pytest.mark.parametrize("name", NAMES.split())
def test_has_a_rule(name):
    record = rules.find(getattr(sp, name))
    assert record.name == name


def test_ufuncs_without_a_rule_say_so():
    with pytest.raises(NotDifferentiableError, match=r"^gammaincinv has no derivative rule"):
        grad(lambda x: sp.gammaincinv(x, 0.5))(1.0)
    with pytest.raises(NotDifferentiableError, match="where="):
        grad(lambda x: sp.expit(x, where=False))(1.0)


def test_scipy_is_imported_only_by_those_who_use_it():
    program = """
import sys
import numpy as np
import tinygrad_ugan as ug
try:
    ug.grad(np.spacing)(1.0)
except TypeError:
    pass
ug.grad(lambda x: ug.logsumexp(np.stack([x, x])))(1.0)
assert "scipy" not in sys.modules
from scipy.special import expit
assert ug.grad(expit)(0.0) == 0.25
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def slopes(f, *args):
    return [float(g) for g in vjp(f, *args)[1](1.0)]


@pytest.mark.parametrize(
    ("f", "args", "expected"),
    [
        (sp.expit, [700.0], [mpmath.exp(-700)]),
        (sp.expit, [-1e300], [0]),
        (sp.log_expit, [-1e300], [1]),
        (sp.log_expit, [1e300], [0]),
        (sp.log_ndtr, [1e300], [0]),
        (sp.log_ndtr, [-1e300], [1e300]),
        (sp.log_ndtr, [-30.0], [mpmath.npdf(30) / mpmath.ncdf(-30)]),
        (sp.xlogy, [0.0, 2.0], [mpmath.log(2), 0]),
        (sp.xlogy, [2.0, 4.0], [mpmath.log(4), 0.5]),
        (sp.xlog1py, [2.0, 1e-20], [1e-20, 2]),
        (sp.gammaln, [-1.5], [mpmath.psi(0, -1.5)]),
        (sp.psi, [1e-3], [mpmath.psi(1, 1e-3)]),
        (sp.i0, [0.0], [0]),
        (sp.i1, [0.0], [0.5]),
    ],
)
def test_derivatives_at_chosen_points(f, args, expected):
    assert slopes(f, *args) == pytest.approx([float(x) for x in expected], rel=1e-13, abs=0)


@pytest.mark.parametrize("f", [sp.xlogy, lambda x, y: sp.xlog1py(x, y - 1)])
def test_entropy_terms_at_zero(f):
    assert slopes(lambda y: f(0.0, y), 0.0) == [0]
    # d2/dxdy (x log y) = 1 / y, at x = 0 as anywhere
    assert grad(lambda y: grad(lambda x: f(x, y))(0.0))(2.0) == 0.5
    assert grad(lambda x: grad(lambda y: f(x, y))(2.0))(0.0) == 0.5


@pytest.mark.parametrize("order", [1, 2, 5])
@pytest.mark.parametrize("x", [1e-3, 0.7, 30.0, 1e6, -0.5, -8.7])
def test_polygamma_against_mpmath(order, x):
    assert polygamma(order, x) == pytest.approx(float(mpmath.psi(order, x)), rel=1e-13)


@pytest.mark.parametrize("order", [-1, 0, 1, 4])
@pytest.mark.parametrize("x", [-2.5, 0.0, 0.1, 30.0])
def test_bessel_functions_against_mpmath(order, x):
    assert sp.iv(order, x) == pytest.approx(float(mpmath.besseli(order, x)), rel=1e-13)


def test_the_derivatives_of_i1_at_zero_to_any_order():
    # i1(x) = x / 2 + (x / 2)^3 / 2 + (x / 2)^5 / 12 + ...
    f = sp.i1
    for value in [0, 1 / 2, 0, 3 / 8, 0, 5 / 16]:
        assert f(0.0) == pytest.approx(value, rel=1e-15)
        f = grad(f)


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_the_mixed_derivative_of_an_entropy_term_at_zero_is_infinite():
    # d2/dxdy (x log y) = 1 / y
    assert grad(lambda x: grad(lambda y: sp.xlogy(x, y))(0.0))(0.0) == float("inf")
    assert grad(lambda x: grad(lambda y: sp.xlog1py(x, y))(-1.0))(0.0) == float("inf")
