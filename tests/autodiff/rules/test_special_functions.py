"""The derivatives of scipy.special against mpmath, far out, and what they are at edges."""

import mpmath
import numpy as np
import pytest
from scipy import special as sp

import tinygrad_ugan as ug
from tinygrad_ugan.autodiff.rules.special.gamma_functions import polygamma_rise
from tinygrad_ugan.errors import NotDifferentiableError

POSITIVE = [1e-5, 0.1, 0.7, 1.0, 1.5, 3.3, 12.0, 40.0]
FEW = [1e-5, 0.7, 3.3, 40.0]
WIDE = [*POSITIVE, 1e3, 1e6]
BOTH = [*(-x for x in POSITIVE), *POSITIVE]
FRACTIONS = [1e-9, 1e-3, 0.1, 0.5, 0.8, 0.999]
BELOW = [-0.5, -1.3, -2.999, -7.6, -20.4]


def of(f):
    """The derivatives of an mpmath function."""
    return lambda x, order: mpmath.diff(f, x, order)


def over(slope):
    """The derivatives of an integral."""
    return lambda x, order: mpmath.diff(slope, x, order - 1)


def scaled_i(v):
    """The derivatives of ``exp(-|x|) besseli(v, x)``."""
    return of(lambda x: mpmath.exp(-abs(x)) * mpmath.besseli(v, x))


def bessel_k(v, shift=0):
    """The derivatives of ``exp(shift x) besselk(v, x)``, by the integral (DLMF 10.32.9)."""

    def derivatives(x, order):
        def integrand(t):
            decay = mpmath.cosh(t) - shift
            return (-decay) ** order * mpmath.exp(-x * decay) * mpmath.cosh(v * t)

        end = mpmath.acosh(1 + 150 / x)
        return mpmath.quad(integrand, mpmath.linspace(0, end, 9))

    return derivatives


def in_last(f, *first):
    """A function of several arguments as one of the last."""
    return lambda x: f(*first, x)


def gamma_density(a):
    return lambda x: x ** (a - 1) * mpmath.exp(-x) / mpmath.gamma(a)


def beta_density(a, b):
    return lambda x: x ** (a - 1) * (1 - x) ** (b - 1) / mpmath.beta(a, b)


def betaln(a):
    return lambda b: mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)


def pseudo_huber(d, r):
    return d**2 * (mpmath.sqrt(1 + (r / d) ** 2) - 1)


SHARE = 0.7000001
ORDERS = (0, 1, 2.5, 20)
BESSEL = [
    (sp.jv, mpmath.besselj),
    (sp.yv, mpmath.bessely),
    (sp.iv, mpmath.besseli),
]
WHOLE_ORDERS = [
    (sp.j0, mpmath.besselj, 0, BOTH),
    (sp.j1, mpmath.besselj, 1, BOTH),
    (sp.y0, mpmath.bessely, 0, FEW),
    (sp.y1, mpmath.bessely, 1, FEW),
    (in_last(sp.yn, 3), mpmath.bessely, 3, FEW),
    (sp.i0, mpmath.besseli, 0, BOTH),
    (sp.i1, mpmath.besseli, 1, BOTH),
]
SCALED = [
    *((in_last(sp.ive, v), scaled_i(v), WIDE) for v in (0, 1, 2.5)),
    *((in_last(sp.kve, v), bessel_k(v, 1), [*FEW, 1e6]) for v in (0, 1, 2.5)),
    (sp.i0e, scaled_i(0), [*BOTH, 1e6]),
    (sp.i1e, scaled_i(1), [*BOTH, 1e6]),
    (sp.k0e, bessel_k(0, 1), [*FEW, 1e6]),
    (sp.k1e, bessel_k(1, 1), [*FEW, 1e6]),
]
SECOND_MODIFIED = [
    *((in_last(sp.kv, v), bessel_k(v)) for v in ORDERS),
    (in_last(sp.kn, 3), bessel_k(3)),
    (sp.k0, bessel_k(0)),
    (sp.k1, bessel_k(1)),
]

# Ours, mpmath's derivatives, the points, and the largest relative error of the first three
# derivatives. A sum of a few terms of one size loses a digit or two, and SciPy's own values some.
CASES = [
    (sp.gamma, of(mpmath.gamma), [*POSITIVE, 150.0, *BELOW], 1e-13),
    (sp.loggamma, over(lambda x: mpmath.psi(0, x)), WIDE, 1e-13),
    (sp.gammaln, over(lambda x: mpmath.psi(0, x)), [*WIDE, *BELOW], 1e-12),
    (sp.rgamma, of(mpmath.rgamma), [*POSITIVE, *BELOW, 0.0, -1.0, -2.0, -7.0, 100.0], 1e-12),
    (sp.psi, of(lambda x: mpmath.psi(0, x)), [*WIDE, *BELOW], 1e-12),
    *(
        (in_last(sp.beta, a), of(in_last(mpmath.beta, a)), WIDE[:-1], 5e-12)
        for a in (0.3, 2.0, 1e3)
    ),
    *((in_last(sp.betaln, a), of(betaln(a)), WIDE, 1e-12) for a in (0.3, 2.0, 1e6)),
    *(
        (in_last(sp.gammainc, a), over(gamma_density(a)), POSITIVE, 1e-12)
        for a in (0.3, 1.0, 2.0, 2.5, 50.0)
    ),
    (in_last(sp.gammaincc, 2.0), over(lambda x: -gamma_density(2)(x)), POSITIVE, 1e-12),
    *(
        (in_last(sp.betainc, a, b), over(beta_density(a, b)), FRACTIONS, 1e-12)
        for a, b in ((0.3, 2.0), (1.0, 1.5), (2.0, 3.0), (20.0, 30.0))
    ),
    (in_last(sp.betaincc, 2.0, 3.0), over(lambda x: -beta_density(2, 3)(x)), FRACTIONS, 1e-12),
    *((in_last(sp.zeta, s), of(in_last(mpmath.zeta, s)), WIDE, 1e-13) for s in (1.5, 3.0)),
    *((in_last(f, v), of(in_last(g, v)), FEW, 1e-12) for f, g in BESSEL for v in ORDERS),
    *((f, of(in_last(g, v)), points, 1e-12) for f, g, v, points in WHOLE_ORDERS),
    *((f, oracle, FEW, 1e-12) for f, oracle in SECOND_MODIFIED),
    *((f, oracle, points, 5e-11) for f, oracle, points in SCALED),
    (
        sp.erfcx,
        of(lambda x: mpmath.exp(x * x) * mpmath.erfc(x)),
        [*WIDE, -0.5, -3.0, 1.49, 1.51],
        1e-12,
    ),
    (sp.erfi, of(mpmath.erfi), [-5.0, -0.7, 1e-5, 0.1, 3.3, 20.0], 1e-12),
    (sp.erfcinv, of(lambda p: mpmath.erfinv(1 - p)), [*FRACTIONS, 1.7], 1e-12),
    (sp.ndtri, of(lambda p: mpmath.sqrt(2) * mpmath.erfinv(2 * p - 1)), FRACTIONS, 1e-12),
    (sp.expi, over(lambda x: mpmath.exp(x) / x), [x for x in BOTH if x != 1], 1e-12),
    (sp.exp1, over(lambda x: -mpmath.exp(-x) / x), POSITIVE, 1e-12),
    (in_last(sp.expn, 4), of(in_last(mpmath.expint, 4)), POSITIVE[1:], 1e-12),
    (sp.exprel, of(lambda x: mpmath.expm1(x) / x), [*BOTH, -1e3, 300.0], 1e-12),
    (
        sp.spence,
        over(lambda x: mpmath.log(x) / (1 - x)),
        [*[x for x in POSITIVE if x != 1], 0.999999, 1.000001, 1e3],
        1e-12,
    ),
    (sp.ellipk, of(mpmath.ellipk), [*FRACTIONS, *(-x for x in POSITIVE)], 1e-12),
    (sp.ellipe, of(mpmath.ellipe), [*FRACTIONS, *(-x for x in POSITIVE)], 1e-12),
    (lambda x: sp.rel_entr(x, SHARE), of(lambda x: x * mpmath.log(x / SHARE)), WIDE, 1e-13),
    (lambda x: sp.kl_div(x, SHARE), of(lambda x: x * mpmath.log(x / SHARE) - x), WIDE, 1e-13),
    (in_last(sp.kl_div, SHARE), of(lambda y: y - SHARE * mpmath.log(y)), WIDE, 1e-13),
    (in_last(sp.pseudo_huber, 2.0), of(in_last(pseudo_huber, 2)), WIDE, 1e-12),
    (lambda d: sp.pseudo_huber(d, 2.0), of(lambda d: pseudo_huber(d, 2)), WIDE, 1e-12),
]


@pytest.mark.parametrize(("f", "derivatives", "points", "rtol"), CASES)
def test_derivatives_to_third_order(f, derivatives, points, rtol):
    for order in (1, 2, 3):
        f = ug.grad(f)
        for x in points:
            with mpmath.workdps(40):
                exact = float(derivatives(mpmath.mpf(x), order))
            # below 1e-35 is what is 0 and only mpmath's own error
            assert f(x) == pytest.approx(exact, rel=rtol, abs=1e-35), (order, x)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_the_rise_of_polygamma_against_mpmath(n):
    for x in (1e-8, 0.3, 2.0, 1e4, -0.5):
        for step in (1e-12, 1e-3, 1.0, 50.0, 1e12):
            with mpmath.workdps(50):
                rise = mpmath.psi(n, mpmath.mpf(x) + step) - mpmath.psi(n, mpmath.mpf(x))
            # below 0 there is no more than the difference of two numbers of their size
            atol = 1e-14 * abs(float(mpmath.psi(n, x))) if x < 0 else 0
            assert polygamma_rise(n, x, step) == pytest.approx(float(rise), rel=1e-13, abs=atol)


@pytest.mark.parametrize("a", [3.0, 9.9, 10.0, 300.0, 1e4, 1e8])
def test_densities_of_large_shapes(a):
    """The logarithms are of size a log(a), and cancel to the size of 1."""
    for factor in (0.5, 0.999, 1.0, 1.02):
        x, b = a * factor, 2.5 * a
        y = factor / 3.5
        with mpmath.workdps(40):
            ma, mx, mb, my = map(mpmath.mpf, (a, x, b, y))
            log_gamma = (ma - 1) * mpmath.log(mx) - mx - mpmath.loggamma(ma)
            log_beta = (ma - 1) * mpmath.log(my) + (mb - 1) * mpmath.log1p(-my)
            log_beta -= mpmath.loggamma(ma) + mpmath.loggamma(mb) - mpmath.loggamma(ma + mb)
            log_t = mpmath.loggamma((ma + 1) / 2) - mpmath.loggamma(ma / 2)
            log_t -= (ma + 1) / 2 * mpmath.log1p(4 / ma) + mpmath.log(mpmath.pi * ma) / 2
            exact = [float(mpmath.exp(v)) for v in (log_gamma, log_beta, log_t)]
        found = [
            ug.grad(in_last(sp.gammainc, a))(x),
            ug.grad(in_last(sp.betainc, a, b))(y),
            ug.grad(in_last(sp.stdtr, a))(2.0),
        ]
        # an error of eps in x is one of (x - a) eps in the logarithm of the density
        np.testing.assert_allclose(found[:2], exact[:2], rtol=1e-14 + 4e-16 * abs(x - a), atol=0)
        assert found[2] == pytest.approx(exact[2], rel=1e-14)


EDGES = [
    # at the edge of a density, orders 1 to 3, with a = 1, 2, 2.5
    (in_last(sp.gammainc, 1.0), 0.0, [1, -1, 1]),
    (in_last(sp.gammainc, 2.0), 0.0, [0, 1, -2]),
    (in_last(sp.gammainc, 0.5), 0.0, [np.inf, -np.inf, np.inf]),
    (in_last(sp.gammainc, 2.5), np.inf, [0, 0, 0]),
    (in_last(sp.gammaincc, 2.0), 0.0, [0, -1, 2]),
    (in_last(sp.betainc, 1.0, 3.0), 0.0, [3, -6, 6]),
    (in_last(sp.betainc, 2.0, 1.0), 0.0, [0, 2, 0]),
    (in_last(sp.betainc, 2.0, 1.0), 1.0, [2, 2, 0]),
    (in_last(sp.betainc, 0.5, 3.0), 0.0, [np.inf, -np.inf, np.inf]),
    (in_last(sp.betainc, 3.0, 0.5), 1.0, [np.inf, np.inf, np.inf]),
    (sp.i0e, 0.0, [0, 1.5, 0]),
    (sp.i1e, 0.0, [0.5, 0, 15 / 8]),
    (in_last(sp.jv, 0), 0.0, [0, -0.5, 0]),
    (in_last(sp.iv, 2), 0.0, [0, 0.25, 0]),
    (sp.k0, 0.0, [-np.inf]),
    (in_last(sp.kve, 1), 0.0, [-np.inf]),
    (sp.erfcx, np.inf, [0, 0, 0]),
    (sp.exprel, 0.0, [1 / 2, 1 / 3, 1 / 4]),
    (sp.spence, 0.0, [-np.inf]),
    (sp.spence, 1.0, [-1, 1 / 2, -2 / 3]),
    (sp.ellipk, 0.0, [np.pi / 8, 9 * np.pi / 64]),
    (sp.erfcinv, 0.0, [-np.inf]),
    (sp.rgamma, np.inf, [0]),
    (sp.gamma, 0.0, [-np.inf]),
    (sp.gamma, -1.0, [np.nan]),
    (sp.loggamma, -0.5, [np.nan]),
    (sp.gammasgn, -1.5, [0, 0]),
    (in_last(sp.kl_div, 0.0), 0.0, [1, 0]),
    (in_last(sp.rel_entr, 0.0), 0.0, [0]),
    (in_last(sp.rel_entr, 1.0), 0.0, [-np.inf]),
    (lambda x: sp.kl_div(x, 1.0), 0.0, [-np.inf]),
    (lambda x: sp.kl_div(x, -1.0), 0.5, [np.nan]),
    (lambda x: sp.kl_div(x, 1e300), 1e-300, [np.log(1e-300) - np.log(1e300)]),
    (in_last(sp.huber, 1.0), 1.0, [1, 1]),
    (in_last(sp.huber, 1.0), -5.0, [-1, 0]),
    (in_last(sp.huber, -1.0), 0.5, [np.nan]),
    (in_last(sp.pseudo_huber, 0.0), 0.0, [0]),
    (in_last(sp.pseudo_huber, 1.0), 1e300, [1, 0]),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("f", "x", "expected"), EDGES)
def test_edges(f, x, expected):
    for value in expected:
        f = ug.grad(f)
        assert f(x) == pytest.approx(value, rel=1e-13, nan_ok=True)


@pytest.mark.parametrize(
    ("f", "argument"),
    [
        (lambda v: sp.jv(v, 1.0), "v"),
        (lambda v: sp.kve(v, 1.0), "v"),
        (lambda n: sp.yn(n, 1.0), "n"),
        (lambda a: sp.gammainc(a, 1.0), "a"),
        (lambda b: sp.betainc(1.0, b, 0.5), "b"),
        (lambda s: sp.zeta(s, 1.0), "x"),
        (lambda a: sp.hyp2f1(a, 1.0, 1.0, 0.5), "a"),
    ],
)
def test_what_is_a_constant_to_a_rule_is_refused_by_name(f, argument):
    with pytest.raises(NotDifferentiableError, match=f"no derivative rule in {argument};"):
        ug.vjp(f, 2.0)


def test_integer_orders():
    for bessel in (sp.jv, sp.yv, sp.yn, sp.iv, sp.kv, sp.kn, sp.ive, sp.kve):
        orders = np.array([0, 3])
        x = np.array([1.5, 2.5])
        value, pullback = ug.vjp(lambda x, f=bessel, v=orders: f(v, x), x)
        np.testing.assert_array_equal(value, bessel(orders, x))
        steps = (bessel(orders, x + 1e-6) - bessel(orders, x - 1e-6)) / 2e-6
        np.testing.assert_allclose(pullback(np.ones(2))[0], steps, rtol=1e-8)


@pytest.mark.parametrize(
    ("f", "constants"),
    [
        (sp.gammainc, (2.6,)),
        (sp.betainc, (2.6, 3.1)),
        (sp.zeta, (2.6,)),
        *((f, (2.6,)) for f in (sp.jv, sp.yv, sp.iv, sp.kv, sp.ive, sp.kve)),
        (sp.hyp2f1, (0.3, 1.1, 2.7)),
    ],
)
def test_constants_in_single_precision_do_not_make_the_derivatives_single(f, constants):
    single = [np.float32(c) for c in constants]
    double = [float(c) for c in single]
    slope, curvature = (
        [g(lambda x, c=c: f(*c, x))(0.4) for c in (single, double)]
        for g in (ug.grad, lambda h: ug.grad(ug.grad(h)))
    )
    assert slope[0] == pytest.approx(slope[1], rel=1e-14)
    assert curvature[0] == pytest.approx(curvature[1], rel=1e-14)
