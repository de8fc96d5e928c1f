"""What counts as a constant does not depend: every function that runs on bare values is moved."""

import math

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.autodiff.rules.test_values import function_of
from tests.oracles import directional_derivative
from tinygrad_ugan.autodiff.operands import untrace
from tinygrad_ugan.autodiff.rules import CONSTANTS
from tinygrad_ugan.autodiff.samples import Random
from tinygrad_ugan.check.strategies.samples import TABLE, joined, samples_of
from tinygrad_ugan.errors import NotDifferentiableError

# Away from whole numbers and halves of them, from each other and from zero.
X = np.array([0.7, -1.3, 2.2, 0.21])
Y = np.array([1.6, 0.4, -0.8, 2.9])
M = np.array([[0.7, -1.3, 2.2], [0.21, 1.7, -0.6], [-2.3, 0.9, 1.1]])
HOLED = np.array([0.7, np.nan, 2.2, 0.21])

# How to call those that take something else than one array, or two of a ufunc.
CALLS = {
    np.allclose: (X, Y),
    np.argpartition: (X, 2),
    np.array_equal: (X, Y),
    np.array_equiv: (X, Y),
    np.common_type: (X, Y),
    np.diag_indices_from: (M,),
    np.digitize: (X, np.sort(Y)),
    np.einsum_path: ("ij,jk->ik", M, M),
    np.isclose: (X, Y),
    np.isin: (X, Y),
    np.lexsort: ((X, Y),),
    np.linalg.matrix_rank: (M,),
    np.min_scalar_type: (X[0],),
    np.nanargmax: (HOLED,),
    np.nanargmin: (HOLED,),
    np.result_type: (X, Y),
    np.round: (X, 1),
    np.around: (X, 1),
    np.searchsorted: (np.sort(Y), X),
    np.tril_indices_from: (M,),
    np.triu_indices_from: (M,),
}
# Memory that nobody has written to.
OF_ANY_VALUE = (np.empty_like,)


def arguments_of(function):
    number = function.nin if isinstance(function, np.ufunc) else 1
    return CALLS.get(function, (X, Y)[:number])


def is_floating(x):
    return isinstance(x, float | np.floating | np.ndarray)


def moved(args, rng, size):
    return optree.tree_map(
        lambda x: x + size * rng.uniform(-1, 1, np.shape(x)) if is_floating(x) else x, args
    )


def check_same(found, expected):
    found, expected = optree.tree_leaves(found), optree.tree_leaves(expected)
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        assert not isinstance(x, ug.Tensor)
        assert np.array_equal(x, y) if isinstance(x, np.ndarray | np.generic) else x == y


@pytest.mark.filterwarnings("ignore:numpy.fix is deprecated:DeprecationWarning")
@pytest.mark.parametrize(
    "function", sorted(CONSTANTS, key=lambda f: f.__name__), ids=lambda f: f.__name__
)
def test_a_constant_stays_the_same_wherever_its_arguments_move(function):
    args, rng = arguments_of(function), np.random.default_rng(0)
    expected, seen = function(*args), []
    leaves, treedef = optree.tree_flatten(args)
    places = [i for i, x in enumerate(leaves) if is_floating(x)]

    def call(*operands):
        full = list(leaves)
        for i, x in zip(places, operands, strict=True):
            full[i] = x
        seen.append(function(*optree.tree_unflatten(treedef, full)))
        return np.sum(operands[0])

    ug.vjp(call, *(leaves[i] for i in places))
    if function in OF_ANY_VALUE:
        assert (seen[0].shape, seen[0].dtype) == (expected.shape, expected.dtype)
        return
    check_same(seen[0], expected)
    for size in (1e-9, 1e-6, 1e-3):
        for _ in range(5):
            check_same(function(*moved(args, rng, size)), expected)


OPERATORS = {
    "==": lambda x: x == Y,
    "!=": lambda x: x != Y,
    "<": lambda x: x < Y,
    "<=": lambda x: x <= Y,
    ">": lambda x: x > Y,
    ">=": lambda x: x >= Y,
    "//": lambda x: x // 0.5,
    "// from the right": lambda x: 0.5 // x,
    "divmod": lambda x: divmod(x, 0.4)[0],
    "bool": lambda x: bool(x[0]),
    "len": len,
    "astype(int)": lambda x: x.astype(int),
    "astype(bool)": lambda x: x.astype(bool),
    "round": lambda x: x.round(1),
    "argmax": lambda x: x.argmax(),
    "argsort": lambda x: x.argsort(),
    "nonzero": lambda x: x.nonzero(),
    "any": lambda x: x.any(),
    "imag": lambda x: x.imag,
    "where alone": lambda x: np.where(x > 0),
    "sum of integers": lambda x: np.sum(x, dtype=int),
    "running sum of integers": lambda x: np.cumsum(x, dtype=int),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_so_does_what_operators_and_methods_return(name):
    f, rng, seen = OPERATORS[name], np.random.default_rng(0), []
    ug.grad(lambda x: seen.append(f(x)) or np.sum(x))(X)
    check_same(seen[0], f(X))
    for _ in range(5):
        check_same(f(moved(X, rng, 1e-3)), f(X))


# There is no derivative there, and the table says what is taken for one.
AT_A_KINK = {
    "heaviside": "the step",
    "quantile": "q at a place of the sample",
    "percentile": "q at a place of the sample",
    "nanquantile": "q at a place of the sample",
    "nanpercentile": "q at a place of the sample",
    "power": "an exponent at base 0",
    "float_power": "an exponent at base 0",
    "power_derivative": "an exponent at base 0",
    "apply_along_axis": "the exponent of a negative number",
    "polymul": "a leading zero, which is trimmed",
    "root": "its degree, which norm refuses",
}


def numbers_of(sample):
    """The leaves of a sample call, how to put them together, and where there are floats."""
    leaves, treedef = optree.tree_flatten((sample.args, sample.params), none_is_leaf=True)
    places = [i for i, x in enumerate(leaves) if is_floating(x) and np.asarray(x).dtype.kind == "f"]
    return leaves, treedef, places


def with_operands_drawn(leaves, rng):
    def draw(x):
        if not isinstance(x, Random):
            return x
        array = rng.uniform(x.domain.low, x.domain.high, x.shape)[()]
        return array if x.structure is None else x.structure(array)

    return [draw(x) for x in leaves]


CASES = [
    pytest.param(record, sample, id=f"{record.name}-{i}")
    for record in TABLE
    for i, sample in enumerate(samples_of(record))
    if record.name not in AT_A_KINK and numbers_of(sample)[2]
]


@pytest.mark.parametrize(("record", "sample"), CASES)
def test_a_number_that_the_samples_hold_constant_is_differentiated_too_or_refused(record, sample):
    leaves, treedef, places = numbers_of(sample)
    base = with_operands_drawn(leaves, np.random.default_rng(3))
    traced = [i for i, x in enumerate(leaves) if isinstance(x, Random)]
    function = function_of(record)

    def f(*values, places=()):
        full = list(base)
        for i, x in zip(places, values, strict=True):
            full[i] = x
        args, params = optree.tree_unflatten(treedef, full)
        return joined(function(*args, **params))

    for place in places:
        chosen = [place, *traced]
        primals = [np.asarray(base[i], float)[()] for i in chosen]
        tangents = [np.ones_like(primals[0]), *map(np.zeros_like, primals[1:])]

        def of_chosen(*values, chosen=chosen):
            return f(*values, places=chosen)

        try:
            out, pushed = ug.jvp(of_chosen, primals, tangents)
            pulled = ug.vjp(of_chosen, *primals)[1](np.ones_like(out))[0]
        except (TypeError, ValueError):
            continue
        numeric = directional_derivative(
            lambda x, place=place: f(x, places=[place]), primals[0], tangents[0], step=1e-3
        )
        # differences with steps of 1e-3 lose ten digits of sixteen at the second order
        np.testing.assert_allclose(pushed, numeric, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(np.sum(pulled), np.sum(numeric), rtol=1e-6, atol=1e-6)


def test_unique_differentiates_its_values():
    x = np.array([2.0, 1.0, 2.0, 3.0])
    f = lambda x: np.sum(np.unique(x) * np.array([1.0, 10.0, 100.0]))  # noqa: E731
    assert ug.grad(f)(x).tolist() == [10, 1, 0, 100]
    assert ug.jvp(f, (x,), (x,))[1] == 321

    seen = []
    ug.grad(lambda x: np.sum(seen.append(np.unique(x, True, True, True)) or seen[0][0]))(x)
    check_same([untrace(y) for y in seen[0]], np.unique(x, True, True, True))
    rows = np.array([[1.0, 2.0], [0.0, 5.0], [1.0, 2.0]])
    gradient = ug.grad(lambda x: np.sum(np.unique(x, axis=0)[0] * [3.0, 4.0]))(rows)
    assert gradient.tolist() == [[0, 0], [3, 4], [0, 0]]


def test_full_like_differentiates_what_it_is_filled_with():
    gradient = ug.grad(lambda x: np.sum(np.full_like(X * x, x) * X))(2.0)
    assert gradient == pytest.approx(np.sum(X), rel=1e-15)
    out, pushed = ug.jvp(lambda x: np.full_like(x, x[0], np.float32, shape=2), (X,), (X,))
    assert out.dtype == pushed.dtype == np.float32
    assert pushed.tolist() == [np.float32(X[0])] * 2
    assert ug.grad(lambda x: np.sum(np.full_like(x, 3) + x))(X).tolist() == [1] * 4


def test_nan_to_num_differentiates_what_it_puts_there():
    x = np.array([1.0, np.nan, np.inf, -np.inf])

    def f(x, nan, posinf, neginf):
        return np.sum(np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf) * X)

    gradients = ug.grad(f, (0, 1, 2, 3))(x, 5.0, 6.0, 7.0)
    assert gradients[0].tolist() == [X[0], 0, 0, 0]
    assert [float(g) for g in gradients[1:]] == X[1:].tolist()


def test_the_order_of_a_norm_is_refused():
    for function in (np.linalg.norm, lambda x, p: np.linalg.vector_norm(x, ord=p)):
        with pytest.raises(NotDifferentiableError, match=r"in ord; write np\.sum"):
            ug.grad(lambda p, f=function: f(X * p, p))(3.0)


def test_a_linear_primitive_is_differentiated_in_its_first_argument_alone():
    scaled = ug.primitive(lambda x, s: x * s, transpose=lambda g, x, s: g * s)
    assert ug.grad(lambda x: scaled(x, 3.0))(2.0) == 3
    for f in (lambda s: scaled(2.0, s), lambda s: scaled(s, s)):
        with pytest.raises(NotDifferentiableError, match="linear in its first argument"):
            ug.grad(f)(3.0)
        with pytest.raises(NotDifferentiableError, match="linear in its first argument"):
            ug.jvp(f, (3.0,), (1.0,))


def test_gradients_pass_by_constants_unharmed():
    def f(x):
        steps = np.floor(x) + np.round(x) + np.sign(x) + x // 0.3 + np.argsort(x)
        return np.sum(steps * x * (x > 0))

    numeric = directional_derivative(f, X, np.ones(4), step=1e-3)
    assert math.isclose(np.sum(ug.grad(f)(X)), numeric, rel_tol=1e-9)
