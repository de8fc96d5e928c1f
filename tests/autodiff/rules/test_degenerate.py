"""Equal and zero eigen- and singular values, singular matrices, corners: right, or NaN.

Each function here is smooth where it is taken, though what it is made of is not. A derivative may
come out as NaN there, which says so, but not as another number; and where the rules are said to be
right, as for determinants, NaN is not good enough.
"""

import itertools

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.oracles import derivative

WEIGHTS = np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [-2.0, 1.0, 0.5]])


def turned(values, seed=0):
    """A symmetric matrix with these eigenvalues, equal ones but for their rounding."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values))))
    return (q * values) @ q.T


def rectangle(values, rows, columns, seed=1):
    """A matrix with these singular values, equal ones but for their rounding."""
    rng = np.random.default_rng(seed)
    u, _ = np.linalg.qr(rng.standard_normal((rows, rows)))
    v, _ = np.linalg.qr(rng.standard_normal((columns, columns)))
    k = min(rows, columns)
    return (u[:, :k] * values) @ v[:k]


def weighted(x):
    m, n = x.shape[-2:]
    return np.sum(x * np.resize(WEIGHTS, (m, n)))


def of_eigenvectors(f):
    """sum(weights * V f(W) V^T) of the symmetric matrix (A + A^T) / 2."""

    def g(a):
        w, v = np.linalg.eigh((a + np.swapaxes(a, -1, -2)) / 2)
        return weighted(v * f(w) @ np.swapaxes(v, -1, -2))

    return g


def recomposed(a):
    u, s, vT = np.linalg.svd(a, full_matrices=False)
    return weighted((u * s[..., None, :]) @ vT)


def projected(a):
    u, _, _ = np.linalg.svd(a, full_matrices=False)
    return weighted(u @ np.swapaxes(u, -1, -2) @ np.resize(WEIGHTS, (len(a), len(a))))


def multiplied(a):
    q, r = np.linalg.qr(a)
    return weighted(q @ r)


def of_any_eigenvectors(a):
    """V W^2 V^-1, which is A^2."""
    w, v = np.linalg.eig(a)
    return weighted((v * w[..., None, :] ** 2) @ np.linalg.inv(v))


def upper_triangular(values, seed=0):
    """A matrix with these eigenvalues and, where they are equal, too few eigenvectors."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values))))
    return q @ (np.diag(values) + np.eye(len(values), k=1)) @ q.T


SYMMETRIC = {
    "identity": np.eye(3),
    "diag(1, 1, 2)": np.diag([1.0, 1, 2]),
    "zero": np.zeros((3, 3)),
    "turned (1, 1, 2)": turned([1.0, 1, 2]),
    "turned (0, 0, 1)": turned([0.0, 0, 1]),
    "distinct": turned([-1.0, 0.5, 2]),
}
MATRICES = {
    "identity": np.eye(2),
    "diag(1, 0)": np.diag([1.0, 0]),
    "zero": np.zeros((3, 3)),
    "diag(3, 1, 0)": np.diag([3.0, 1, 0]),
    "diag(3, 0, 0)": np.diag([3.0, 0, 0]),
    "tall, equal": rectangle([2.0, 2.0], 3, 2),
    "tall, lower rank": rectangle([2.0, 0.0], 3, 2),
    "tall, zero": np.zeros((3, 2)),
    "wide, equal": rectangle([2.0, 2.0], 2, 3),
    "wide, lower rank": rectangle([2.0, 0.0], 2, 3),
    "square, equal": rectangle([1.0, 1.0, 2.0], 3, 3),
    "square, lower rank": rectangle([2.0, 1.0, 0.0], 3, 3),
    "square, rank 1": np.ones((3, 3)),
    "distinct": rectangle([3.0, 2.0, 1.0], 3, 3),
}
GENERAL = {
    "identity": np.eye(2),
    "one vector": np.array([[1.0, 1.0], [0.0, 1.0]]),
    "one vector of zero": np.array([[0.0, 1.0], [0.0, 0.0]]),
    "two vectors": np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 3.0]]),
    "equal": turned([1.0, 1.0, 2.0]),
    "distinct": upper_triangular([1.0, 2.0, 4.0]),
}
SMOOTH = {
    **{f"V exp(W) V^T at {name}": (of_eigenvectors(np.exp), a) for name, a in SYMMETRIC.items()},
    **{
        f"V W^3 V^T at {name}": (of_eigenvectors(lambda w: w**3), a)
        for name, a in SYMMETRIC.items()
    },
    **{
        f"sum W^2 at {name}": (lambda a: np.sum(np.linalg.eigvalsh(a) ** 2), a)
        for name, a in SYMMETRIC.items()
    },
    **{
        f"sum exp(W) at {name}": (lambda a: np.sum(np.exp(np.linalg.eigh(a).eigenvalues)), a)
        for name, a in SYMMETRIC.items()
    },
    **{f"U S V^T at {name}": (recomposed, a) for name, a in MATRICES.items()},
    **{
        f"sum S^2 at {name}": (lambda a: np.sum(np.linalg.svd(a, compute_uv=False) ** 2), a)
        for name, a in MATRICES.items()
    },
    **{
        f"sum S^4 of U, S, V at {name}": (lambda a: np.sum(np.linalg.svd(a, False).S ** 4), a)
        for name, a in MATRICES.items()
    },
    **{f"Q R at {name}": (multiplied, a) for name, a in MATRICES.items() if len(a) >= len(a.T)},
    **{
        f"norm^2 of order {order} at {name}": (lambda a, p=order: np.linalg.norm(a, p) ** 2, a)
        for name, a in MATRICES.items()
        for order in (None, "fro")
    },
    **{
        f"sum of squared eigenvalues at {name}": (lambda a: np.sum(np.linalg.eigvals(a) ** 2), a)
        for name, a in GENERAL.items()
    },
    **{f"V W^2 V^-1 at {name}": (of_any_eigenvectors, a) for name, a in GENERAL.items()},
    "U U^T at tall, equal": (projected, MATRICES["tall, equal"]),
    "std^2": (lambda x: np.std(x) ** 2, np.full(4, 2.0)),
    "std^2 of rows": (lambda x: np.sum(np.std(x, axis=1) ** 2), np.array([[1.0, 1, 1], [1, 2, 4]])),
    "hypot^2": (lambda x: np.hypot(x[0], x[1]) ** 2, np.zeros(2)),
    "norm^2": (lambda x: np.linalg.norm(x) ** 2, np.zeros(3)),
    "norm^2 of one element": (lambda x: np.linalg.vector_norm(x) ** 2, np.zeros(1)),
    "norm^2 of order 2": (lambda x: np.linalg.norm(x, 2) ** 2, np.zeros(3)),
    "norm^4 of order 4": (lambda x: np.linalg.norm(x, 4) ** 4, np.zeros(3)),
    "norm of order 4, a zero": (lambda x: np.linalg.norm(x, 4), np.array([1.0, 0, 2])),
    "abs^2": (lambda x: np.sum(np.abs(x) ** 2), np.zeros(2)),
    "abs^4": (lambda x: np.sum(np.abs(x) ** 4), np.zeros(2)),
    "fabs^2": (lambda x: np.sum(np.fabs(x) ** 2), np.zeros(2)),
    "copysign^2": (lambda x: np.sum(np.copysign(x, -1.0) ** 2), np.zeros(2)),
    "r cos(angle)": (lambda x: np.hypot(x[0], x[1]) * np.cos(np.arctan2(x[1], x[0])), np.zeros(2)),
    "det at zero": (np.linalg.det, np.zeros((3, 3))),
}
EXACT = [
    "norm of order 4, a zero",
    *(f"sum W^2 at {name}" for name in SYMMETRIC),
    *(f"sum exp(W) at {name}" for name in SYMMETRIC),
    *(f"sum S^2 at {name}" for name in MATRICES),
]
FIRST_BY_CONVENTION = {"r cos(angle)"}  # 0 at the origin, as the table of functions says of hypot


def gradients(f, a):
    """The gradient in both modes."""
    directions = np.eye(a.size).reshape(a.size, *a.shape)
    forward = np.array([ug.jvp(f, (a,), (t,))[1] for t in directions])
    return {"reverse": ug.grad(f)(a).ravel(), "forward": forward}


def second(f, a):
    """The Hessian by reverse over reverse and by forward over reverse."""
    hessian = ug.hessian(f)(a).reshape(a.size, a.size)
    directions = np.eye(a.size).reshape(a.size, *a.shape)
    products = np.array([ug.hvp(f, a, t).ravel() for t in directions])
    return {"hessian": hessian, "hvp": products}


def differences(f, a):
    directions = np.eye(a.size).reshape(a.size, *a.shape)
    return np.array([derivative(lambda h, t=t: f(a + h * t)) for t in directions])


@pytest.mark.parametrize("name", [name for name in SMOOTH if name not in FIRST_BY_CONVENTION])
def test_first_derivative_is_right_or_nan(name):
    f, a = SMOOTH[name]
    expected = differences(f, a)
    for mode, gradient in gradients(f, a).items():
        known = ~np.isnan(gradient)
        # the differences leave 1e-8; a gap of 1 in the values loses nothing
        np.testing.assert_allclose(gradient[known], expected[known], atol=1e-7, err_msg=mode)
        assert np.all(known) or name not in EXACT


def mixed_differences(f, a):
    """The Hessian by differences of differences."""

    def entry(s, t):
        return derivative(lambda h: derivative(lambda k: f(a + h * s + k * t), rows=4), rows=4)

    directions = np.eye(a.size).reshape(a.size, *a.shape)
    upper = [
        [entry(s, t) if i <= j else 0.0 for j, t in enumerate(directions)]
        for i, s in enumerate(directions)
    ]
    return np.triu(upper) + np.triu(upper, 1).T


@pytest.mark.parametrize("name", SMOOTH)
def test_second_derivative_is_right_or_nan(name):
    f, a = SMOOTH[name]
    expected = mixed_differences(f, a)
    for mode, hessian in second(f, a).items():
        known = ~np.isnan(hessian)
        # differences of differences leave 1e-5 of terms up to 30
        np.testing.assert_allclose(hessian[known], expected[known], atol=1e-3, err_msg=mode)


def test_the_numbers_that_were_wrong():
    weights = np.arange(4.0).reshape(2, 2)

    def f(a):
        u, s, vT = np.linalg.svd(a)
        return np.sum((u * s) @ vT * weights)

    assert np.all(np.isnan(ug.grad(f)(np.eye(2))))
    np.testing.assert_allclose(ug.grad(f)(np.diag([2.0, 0])), weights, atol=1e-15)


def test_one_degenerate_member_leaves_the_others_alone():
    stack = np.stack([np.diag([1.0, 2.0]), np.eye(2), np.zeros((2, 2))])
    for f in (np.linalg.det, lambda a: np.linalg.slogdet(a).logabsdet, lambda a: np.linalg.qr(a).Q,
              lambda a: np.linalg.eigh(a).eigenvectors, lambda a: np.linalg.svd(a).U):  # fmt: skip
        together, pullback = ug.vjp(f, stack)
        (gradients,) = pullback(np.ones_like(together))
        _, pullback = ug.vjp(f, stack[0])
        np.testing.assert_allclose(gradients[0], pullback(np.ones_like(together[0]))[0], atol=1e-15)
        assert np.all(np.isfinite(gradients[0]))


def leibniz(a):
    """The determinant by permutations: a polynomial, whatever the rank."""
    total = 0.0
    for permutation in itertools.permutations(range(len(a))):
        inversions = sum(i > j for i, j in itertools.combinations(permutation, 2))
        term = 1.0 - 2 * (inversions % 2)
        for i, j in enumerate(permutation):
            term = term * a[i, j]
        total = total + term
    return total


SINGULAR = {
    "0 by 0": np.zeros((0, 0)),
    "0": np.zeros((1, 1)),
    "zero": np.zeros((4, 4)),
    "rank 1": np.outer([1.0, 2, 3, -1], [2.0, 0, 1, 1]),
    "rank 2": rectangle([3.0, 1.0, 0, 0], 4, 4),
    "rank 3": rectangle([3.0, 1.0, 0.5, 0], 4, 4),
    "nearly rank 3": rectangle([3.0, 1.0, 0.5, 1e-12], 4, 4),
    "graded": rectangle([1.0, 1e-4, 1e-8, 1e-12], 4, 4),
    "zero row": np.diag([1.0, 2, 0, 3]),
    "small": 1e-30 * np.ones((3, 3)),
    "regular": rectangle([3.0, 2.0, 1.0, 0.5], 4, 4),
}


def along(f, t):
    """The derivative of f in the direction t."""
    return lambda a: ug.jvp(f, (a,), (t,))[1]


@pytest.mark.parametrize("name", SINGULAR)
def test_determinants_to_third_order_at_any_rank(name):
    """Against the sum over permutations, which is differentiated by its products alone."""
    a, rng = SINGULAR[name], np.random.default_rng(0)
    directions = rng.standard_normal((3, *a.shape))
    f, exact = np.linalg.det, leibniz
    scale = np.linalg.norm(a, 2) if a.size else 0.0
    assert ug.vjp(f, a)[0] == f(a)
    for order in range(1, 4):
        f, exact = (along(g, directions[order - 1]) for g in (f, exact))
        if not a.size:
            continue
        # products of so many singular values; a few dozen roundings of them
        atol = 1e-13 * scale ** float(len(a) - order) if scale else 0.0
        np.testing.assert_allclose(f(a), exact(a), rtol=1e-12, atol=atol)
        atol = atol / scale if scale else 0.0
        np.testing.assert_allclose(ug.grad(f)(a), ug.grad(exact)(a), rtol=1e-12, atol=atol)


def test_the_adjugate_of_a_stack_with_a_singular_member():
    stack = np.stack([np.array([[1.0, 2], [2, 4]]), np.array([[1.0, 2], [3, 4]]), np.zeros((2, 2))])
    gradient = ug.grad(lambda a: np.sum(np.linalg.det(a)))(stack)
    expected = [[[m[1, 1], -m[1, 0]], [-m[0, 1], m[0, 0]]] for m in stack]
    np.testing.assert_allclose(gradient, expected, atol=1e-15)
    value, _ = ug.vjp(np.linalg.det, stack)
    np.testing.assert_array_equal(value, np.linalg.det(stack))
    gradient = ug.grad(lambda a: np.sum(np.linalg.slogdet(a).logabsdet[1:2]))(stack)
    np.testing.assert_allclose(gradient[1], np.linalg.inv(stack[1]).T, rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_that_rounding_tells_apart_count_as_equal(dtype):
    a = turned([1.0, 1, 2]).astype(dtype)
    lower = np.tril(np.ones((3, 3), bool))
    assert np.all(np.isnan(ug.grad(of_eigenvectors(np.exp))(a)[lower]))
    close = turned([1.0, 1 + 1e-3, 2]).astype(dtype)
    assert np.all(np.isfinite(ug.grad(of_eigenvectors(np.exp))(close)))


def test_the_gradient_of_a_norm_at_zero_is_zero_and_its_second_derivative_is_not():
    for order in (None, 2, "fro", "nuc"):
        x = np.zeros((2, 2)) if isinstance(order, str) else np.zeros(2)
        assert not np.any(ug.grad(np.linalg.norm)(x, order))
        assert np.all(np.isnan(ug.hessian(np.linalg.norm)(x, order)))
