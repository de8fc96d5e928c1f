"""Complex values that depend on what is differentiated are refused, wherever they come from."""

import numpy as np
import optree
import pytest
import scipy.fft

import tinygrad_ugan as ug
from tests.autodiff.rules.test_table import CASES, realise
from tinygrad_ugan.errors import ArgumentTypeError, NotDifferentiableError

X = np.array([0.5, 1.0, 2.0])
FACTOR = 0.3 + 0.4j
SPINNING = np.exp(1j * X)
TRANSFORMS = {
    "vjp": lambda f, x: ug.vjp(f, x),
    "jvp": lambda f, x: ug.jvp(f, (x,), (x,)),
    "hvp": lambda f, x: ug.hvp(lambda x: np.sum(f(x)), x, x),
    "checkpoint": lambda f, x: ug.grad(lambda x: np.sum(ug.checkpoint(f)(x)))(x),
    "stacked": lambda f, x: ug.jvp(lambda y: ug.jvp(f, (y,), (y,)), (x,), (x,)),
}
WAYS_IN = {
    "abs": lambda x: np.abs(x * (1 + 0.2j)),
    "real": lambda x: np.real((x + 2j) ** 2),
    "scalar from the left": lambda x: (1j * x).real,
    "scalar of NumPy": lambda x: np.imag(np.complex64(1j) * x),
    "scalar of NumPy from the right": lambda x: np.imag(x * np.complex64(1j)),
    "array": lambda x: np.abs(x + SPINNING),
    "array from the left": lambda x: np.abs(SPINNING - x),
    "list": lambda x: np.abs(x * [1j, 2j, 3j]),
    "ufunc": lambda x: np.abs(np.multiply(SPINNING, x)),
    "power": lambda x: np.abs(1j**x),
    "exponent": lambda x: np.abs(x**1j),
    "square root": lambda x: np.real(np.sqrt(x + 0j)),
    "astype": lambda x: np.abs(x.astype(complex)),
    "astype of single": lambda x: np.abs(x.astype(np.complex64)),
    "dtype of a sum": lambda x: np.real(np.sum(x, dtype=complex)),
    "dtype of a mean": lambda x: np.real(x.mean(dtype=complex)),
    "dtype of a running sum": lambda x: np.real(np.cumsum(x, dtype=complex)),
    "matmul": lambda x: np.abs(SPINNING @ x),
    "matmul of operators": lambda x: np.abs(x @ SPINNING),
    "einsum": lambda x: np.abs(np.einsum("i,i", SPINNING, x)),
    "dot": lambda x: np.abs(np.dot(x, SPINNING)),
    "vdot": lambda x: np.abs(np.vdot(SPINNING, x)),
    "outer": lambda x: np.abs(np.outer(SPINNING, x)),
    "kron": lambda x: np.abs(np.kron(x, SPINNING)),
    "convolve": lambda x: np.abs(np.convolve(x, SPINNING)),
    "concatenate": lambda x: np.abs(np.concatenate([x, SPINNING])),
    "stack": lambda x: np.abs(np.stack([SPINNING, x])),
    "where": lambda x: np.abs(np.where(X > 0.7, x, 1j)),
    "where, the other side": lambda x: np.abs(np.where(X > 0.7, SPINNING, x)),
    "select": lambda x: np.abs(np.select([X > 0.7], [x], 1j)),
    "maximum": lambda x: np.abs(np.maximum(x, 1j)),
    "clip": lambda x: np.abs(np.clip(x, None, 1 + 0j)),
    "weights": lambda x: np.abs(np.average(x, weights=SPINNING)),
    "weighted": lambda x: np.abs(np.average(SPINNING, weights=x)),
    "solve": lambda x: np.abs(np.linalg.solve(np.diag(x), SPINNING)),
    "interp": lambda x: np.abs(np.interp(x, X, SPINNING)),
    "array of ours": lambda x: np.abs(ug.array([x[0], 1j])),
    "update": lambda x: np.abs(ug.at(x)[0].set(1j)),
    "updates": lambda x: np.abs(ug.at(x)[:].set(SPINNING)),
    "update by adding": lambda x: np.abs(ug.at(x)[0].add(1j)),
    "updated": lambda x: np.abs(ug.at(SPINNING)[0].set(x[0])),
    "fft": lambda x: np.abs(np.fft.fft(x)),
    "rfft": lambda x: np.abs(np.fft.rfft(x)),
    "SciPy's fft": lambda x: np.abs(scipy.fft.fft(x)),
    "there and back": lambda x: np.real(np.fft.ifft(np.fft.fft(x))),
    "roots": lambda x: np.abs(np.roots(x)),
    "eig": lambda x: np.abs(np.linalg.eig(np.outer(x, X) * 1j)[0]),
    "emath": lambda x: np.abs(np.emath.sqrt(-x)),
    "scimath": lambda x: np.real(np.lib.scimath.log(-x)),
    "complex()": lambda x: abs(complex(x[0])),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("way", WAYS_IN)
def test_a_complex_value_raises(way, transform):
    with pytest.raises(NotDifferentiableError):
        TRANSFORMS[transform](WAYS_IN[way], X)


@pytest.mark.parametrize("way", ["abs", "real", "array from the left", "astype", "where", "update"])
def test_the_error_says_what_to_do(way):
    with pytest.raises(NotDifferentiableError, match="imaginary parts as two real arrays"):
        ug.vjp(WAYS_IN[way], X)


@pytest.mark.parametrize(("record", "sample"), CASES)
def test_no_function_returns_a_number_for_complex_operands(record, sample):
    """The first operand is turned complex, or each of them where another one is traced."""
    places, restrict = realise(sample, np.random.default_rng(0))
    f, operands = restrict(record, places)
    for turned in places:

        def turning(*args, turned=turned):
            return f(*(x * FACTOR if i == turned else x for i, x in enumerate(args)))

        with pytest.raises(NotDifferentiableError):
            ug.vjp(turning, *operands)
        with pytest.raises(NotDifferentiableError):
            ug.jvp(turning, operands, operands)


# ug.at alone reaches it, and looks at the values first.
BEHIND_AT = ("index_set",)


@pytest.mark.parametrize(
    ("record", "sample"), [case for case in CASES if case.values[0].name not in BEHIND_AT]
)
def test_no_function_returns_a_number_beside_complex_constants(record, sample):
    places, restrict = realise(sample, np.random.default_rng(0))
    for constant in places:
        traced = [i for i in places if i != constant]
        f, operands = restrict(record, places)

        def beside(*args, traced=traced, constant=constant, f=f, operands=operands):
            full = list(operands)
            full[constant] = operands[constant] * FACTOR
            for i, x in zip(traced, args, strict=True):
                full[i] = x
            return f(*full)

        if traced:
            # NumPy itself refuses some, such as np.hypot, by a TypeError.
            with pytest.raises((TypeError, ValueError)):
                ug.vjp(beside, *(operands[i] for i in traced))


def test_primals_tangents_and_cotangents_are_real():
    with pytest.raises(ArgumentTypeError, match="two real arrays"):
        ug.grad(np.abs)(1 + 2j)
    with pytest.raises(ArgumentTypeError, match="two real arrays"):
        ug.jvp(np.sin, (SPINNING,), (SPINNING,))
    with pytest.raises(NotDifferentiableError, match="two real arrays"):
        ug.jvp(np.sin, (X,), (SPINNING,))
    with pytest.raises(NotDifferentiableError, match="two real arrays"):
        ug.jvp(np.sin, (1.0,), (1j,))
    pullback = ug.vjp(np.sin, X)[1]
    with pytest.raises(NotDifferentiableError, match="two real arrays"):
        pullback(SPINNING)


def custom():
    @ug.custom_vjp
    def f(x):
        return x * 1j

    f.defvjp(lambda x: (x * 1j, None), lambda residuals, g: (g,))
    return f


RULES_OF_ONES_OWN = {
    "partials": ug.primitive(lambda x: x * 1j, partials=[lambda ans, x: 1.0]),
    "transpose": ug.primitive(lambda x: x * 1j, transpose=lambda g, x: g),
    "jvp and vjp": ug.primitive(
        lambda x: x * 1j, jvp=lambda *args: args[-1][0], vjp=lambda *args: [args[-1]]
    ),
    "custom_vjp": custom(),
}


@pytest.mark.parametrize("name", RULES_OF_ONES_OWN)
def test_a_rule_of_ones_own_returns_real_values(name):
    with pytest.raises(NotDifferentiableError, match="two real arrays"):
        ug.vjp(lambda x: np.abs(RULES_OF_ONES_OWN[name](x)), X)


def test_complex_constants_remain():
    """What does not depend on the argument may be complex; so may the inside of a primitive."""
    assert ug.grad(lambda x: x * np.abs(3 + 4j))(2.0) == 5
    smooth = ug.primitive(
        lambda x: np.fft.ifft(np.fft.fft(x)).real, transpose=lambda g, x: smooth(g)
    )
    # two transforms of size one, a few roundings each
    np.testing.assert_allclose(ug.grad(lambda x: np.sum(smooth(x) * X))(X), X, rtol=1e-14)


def test_real_functions_of_the_complex_plane_keep_their_rules():
    """Of real input, np.real and its kin are what they are, and differentiate."""
    for f in (np.real, np.conjugate, lambda x: x.real, lambda x: x.conj(), lambda x: x + x.imag):
        assert optree.tree_leaves(ug.vjp(f, X)[1](X))[0].tolist() == X.tolist()
