"""A scan gives the values of the loop, and its derivatives, of every order and mode."""

import tracemalloc

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tests.oracles import relative_error
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError
from tinygrad_ugan.kernels.schedule import Advance, schedule


def loop(f, init, xs=None, length=None, *, snapshots=None):
    """The definition."""
    n = length if length is not None else len(optree.tree_leaves(xs)[0])
    carry, ys = init, []
    for k in range(n):
        carry, y = f(carry, optree.tree_map(lambda x, k=k: x[k], xs))
        ys.append(y)
    return carry, optree.tree_map(lambda *rows: ug.array(list(rows)), *ys)


# Functions of (w, x), for a scan or a loop to run: x is (5, 3), w is (3, 3).


def recurrent(scan, w, x, **options):
    """The weights are captured, and the first carry is a constant."""
    h, ys = scan(lambda h, x: ((h := np.tanh(h @ w + x)), h[0] * h), np.zeros(3), x, **options)
    return np.sum(h * h) + np.sum(np.sin(ys))


def with_everything_handed_in(scan, w, x, **options):
    def step(carry, x):
        w, h, k = carry["w"], carry["h"], carry["k"]
        h = np.tanh(h @ w + x * k)
        return {"w": w, "h": h, "k": k + 1}, (np.sum(h), {"k": k})

    carry, (sums, ks) = scan(step, {"w": w, "h": x[0] * 2, "k": 0}, x, **options)
    assert list(ks["k"]) == list(range(len(x)))
    return np.sum(carry["h"] @ carry["w"]) + np.prod(sums)


def nested(scan, w, x, **options):
    """Powers of a matrix within powers; the inner scan captures what the outer one carries."""

    def outer(h, row):
        total, _ = scan(lambda v, b: (np.tanh(w @ v + h) * b, None), row, x[:, 0], **options)
        return np.sin(h) + total, np.sum(total * total)

    h, ys = scan(outer, np.ones(3), x[:3], **options)
    return np.sum(h) + np.sum(ys)


def with_a_gradient_inside(scan, w, x, **options):
    def descend(h, x):
        return h - 0.1 * ug.grad(lambda h: np.sum(np.sin(h @ w) * x))(h), None

    return np.sum(scan(descend, x[0], x, **options)[0] ** 2)


def without_xs(scan, w, x, **options):
    return np.sum(scan(lambda v, _: (np.sin(w @ v), None), x[0], None, 6, **options)[0])


def unlike_from_step_to_step(scan, w, x, **options):
    """The weights come in late, and one part of the carry takes the place of the other."""

    def step(carry, each):
        (a, b), (k, x) = carry, each
        return (b, np.sin(a) * x + (w @ x if k == 3 else 0)), (a if k % 2 else np.ones(3))

    (a, b), ys = scan(step, (np.ones(3), np.zeros(3)), (np.arange(5), x), **options)
    return np.sum(a * b) + np.sum(ys * ys)


FUNCTIONS = (
    recurrent,
    with_everything_handed_in,
    nested,
    with_a_gradient_inside,
    without_xs,
    unlike_from_step_to_step,
)
SNAPSHOTS = (None, 1, 2)


@pytest.fixture
def args(rng):
    return rng.standard_normal((3, 3)) / 2, rng.standard_normal((5, 3))


@pytest.fixture(params=SNAPSHOTS)
def snapshots(request):
    return request.param


@pytest.fixture(params=FUNCTIONS, ids=lambda f: f.__name__)
def pair(request, snapshots):
    """A function by a scan and by a loop."""
    f = request.param
    return (lambda w, x: f(ug.scan, w, x, snapshots=snapshots)), (lambda w, x: f(loop, w, x))


def test_agrees_with_differences_to_third_order(pair, args, rng, snapshots):
    check_modes(pair[0], args, rng, order=2 if snapshots == 1 else 3)


DERIVATIVES = {
    "grad": lambda f: ug.grad(f, argnums=(0, 1)),
    "jvp": lambda f: lambda w, x: ug.jvp(f, (w, x), (w + 1, x)),
    "jvp in w": lambda f: lambda w, x: ug.jvp(lambda w: f(w, x), (w,), (w,)),
    "hvp": lambda f: lambda w, x: ug.hvp(lambda w: f(w, x), w, w + 1),
    "hessian": lambda f: ug.hessian(f, 1),
    "jacobian": lambda f: ug.jacobian(ug.grad(f, 1), mode="forward"),
    "grad of jvp": lambda f: (
        lambda w, x: ug.grad(lambda w: ug.jvp(lambda x: f(w, x), (x,), (x,))[1])(w)
    ),
    "grad of grad": lambda f: (
        lambda w, x: ug.grad(lambda w: np.sum(ug.grad(lambda x: f(w, x))(x) ** 2))(w)
    ),
    "jvp of hvp": lambda f: (
        lambda w, x: ug.jvp(lambda x: ug.hvp(lambda w: f(w, x), w, w), (x,), (x,))
    ),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_agrees_with_the_loop_under_every_transform(pair, name, args):
    f, expected = pair
    assert f(*args) == expected(*args)
    derive = DERIVATIVES[name]
    assert relative_error(derive(f)(*args), derive(expected)(*args)) < 3e-15


MOVES = (
    lambda a, b, w, x, k: (b, np.sin(a)),
    lambda a, b, w, x, k: (np.tanh(a @ w), b),
    lambda a, b, w, x, k: (a, b * x),
    lambda a, b, w, x, k: (a / 2 + x, b),
    lambda a, b, w, x, k: (a, b + np.sum(w) * a),
    lambda a, b, w, x, k: (a + w[0] if k > 1 else a, b),
)


@pytest.mark.parametrize("seed", range(20))
def test_random_steps_agree_with_the_loop(seed):
    rng = np.random.default_rng(seed)
    n, snapshots = int(rng.integers(1, 9)), (None, 1, 2, 3)[rng.integers(4)]
    w, x = rng.standard_normal((2, 2)), rng.standard_normal((n, 2))
    moves = [MOVES[i] for i in rng.integers(0, len(MOVES), 3)]
    start = rng.integers(3)

    def by(scan):
        def f(w, x):
            def step(carry, each):
                k, x = each
                for move in moves:
                    carry = move(*carry, w, x, k)
                return carry, (carry[0][0], carry[1] * 2, k)

            init = [(np.ones(2), np.zeros(2)), (x[0], np.ones(2)), (w[0], x[-1])][start]
            (a, b), (p, q, _) = scan(step, init, (np.arange(n), x), snapshots=snapshots)
            return np.sum(a * a) + np.sum(np.sin(b)) + np.sum(p) + np.sum(q * q)

        return f

    for name, derive in DERIVATIVES.items():
        found, expected = derive(by(ug.scan))(w, x), derive(by(loop))(w, x)
        assert relative_error(found, expected) < 1e-14, name


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_gradients_and_tangents_of_a_network_are_those_of_the_loop_to_the_bit(dtype, rng):
    w, u = (rng.standard_normal(s).astype(dtype) / 3 for s in [(8, 8), (4, 8)])
    x, h = (rng.standard_normal(s).astype(dtype) for s in [(50, 5, 4), (5, 8)])

    def loss(scan):
        def f(w, u, x, h):
            def step(h, x):
                h = np.tanh(h @ w + x @ u)
                return h, h[:, 0]

            h, ys = scan(step, h, x)
            return np.sum(h[:, 1:]) + np.sum(ys * ys)

        return f

    for derive in (
        lambda f: f(w, u, x, h),
        lambda f: ug.grad(f, (0, 1, 2, 3))(w, u, x, h),
        lambda f: ug.grad(f, (0, 1))(w, u, x, h),
        lambda f: ug.jvp(f, (w, u, x, h), (w, u, x, h)),
    ):
        ours, expected = map(optree.tree_leaves, (derive(loss(ug.scan)), derive(loss(loop))))
        for a, b in zip(ours, expected, strict=True):
            assert a.dtype == dtype
            np.testing.assert_array_equal(a, b)


def test_agrees_with_jax():
    jax = pytest.importorskip("jax")
    rng = np.random.default_rng(0)
    w, x = rng.standard_normal((3, 3)).astype("f"), rng.standard_normal((6, 3)).astype("f")

    def loss(scan, np):
        def f(w, x):
            def step(carry, x):
                h = np.tanh(carry["h"] @ w + x)
                return {"h": h, "k": carry["k"] + 1}, {"h": h * carry["k"], "none": None}

            out, ys = scan(step, {"h": np.ones(3, "float32"), "k": 0}, x)
            assert ys["none"] is None
            return np.sum(out["h"]) + np.sum(ys["h"]) * out["k"]

        return f

    ours, theirs = loss(ug.scan, np), loss(jax.lax.scan, jax.numpy)
    expected = jax.value_and_grad(theirs, (0, 1))(w, x)
    found = ug.value_and_grad(ours, (0, 1))(w, x)
    for a, b in zip(optree.tree_leaves(found), optree.tree_leaves(expected), strict=True):
        np.testing.assert_allclose(a, np.asarray(b), rtol=1e-5)


def test_a_step_runs_once_where_nothing_is_differentiated():
    calls = []
    ug.scan(lambda c, x: (calls.append(x) or c + x, None), 0, np.arange(4))
    assert calls == [0, 1, 2, 3]


@pytest.mark.parametrize(("n", "snapshots"), [(1, 1), (7, 1), (30, 3), (100, 4), (60, 100)])
def test_the_number_of_evaluations_is_that_of_the_binomial_schedule(n, snapshots):
    calls = []

    def step(w, h, k):
        calls.append(k)
        return np.sin(h * w), None

    ug.grad(lambda w: ug.scan(lambda h, k: step(w, h, k), w, np.arange(n), snapshots=snapshots)[0])(
        1.1
    )
    advances = sum(type(move) is Advance for move in schedule(n, snapshots))
    # Once more on the way back; one to look at; and the last step of what is scanned again.
    assert n + advances < len(calls) <= 2 * n + advances + 1


def test_memory_is_that_of_the_snapshots():
    n, width = 1000, 2000
    w = np.full(width, 1.1)

    def peak(scan, **options):
        def loss(w):
            step = lambda h, _: (np.sin(np.cos(h * w) + w), None)  # noqa: E731
            return np.sum(scan(step, np.zeros(width), None, n, **options)[0])

        tracemalloc.start()
        try:
            found = ug.grad(loss)(w)
            return tracemalloc.get_traced_memory()[1] / (8 * width), found
        finally:
            tracemalloc.stop()

    (of_loop, expected), (of_all, g), (of_ten, h) = (
        peak(loop), peak(ug.scan), peak(ug.scan, snapshots=10)
    )  # fmt: skip
    assert relative_error((g, h), (expected, expected)) < 1e-15
    assert of_ten < 100 < of_all < 1.2 * n < 4 * n < of_loop


def test_the_pullback_leaves_no_cycle_behind():
    """What a tape holds is freed when it goes, and does not wait for the garbage collector."""
    import gc

    w = np.ones((50, 50))
    gc.collect()
    gc.disable()
    try:
        tracemalloc.start()
        for _ in range(3):
            ug.grad(lambda w: np.sum(ug.scan(lambda h, _: (np.sin(h @ w), h), w, None, 20)[1]))(w)
            kept = tracemalloc.get_traced_memory()[0]
        assert kept < 10 * w.nbytes
    finally:
        tracemalloc.stop()
        gc.enable()


def test_no_steps_return_the_carry_and_results_without_rows():
    def step(h, x):
        return h * x["a"], {"y": np.log(x["a"][:2]), "none": None}

    def f(h):
        carry, ys = ug.scan(step, h, {"a": np.zeros((0, 3), np.float32)})
        assert ys["y"].shape == (0, 2)
        assert ys["y"].dtype == np.float32
        return np.sum(carry * 2)

    np.testing.assert_array_equal(ug.grad(f)(np.ones(3, np.float32)), [2, 2, 2])
    assert ug.scan(lambda h, x: (h, None), 1.0, None, 0) == (1.0, None)


def test_a_number_takes_the_dtype_of_what_follows():
    carry, ys = ug.scan(lambda c, x: (c + x, c * x), 0, np.ones(3, np.float32))
    assert (carry.dtype, ys.dtype) == (np.float32, np.float32)
    with pytest.raises(ArgumentError, match=r"carry of f: .*, got bool\[\] for int"):
        ug.scan(lambda c, x: (c > x, None), 1, np.ones(3))
    carry, _ = ug.scan(lambda c, x: ((c[0], c[1] + c[0] * x), None), (0.5, 0), np.ones(2, "f"))
    assert carry == (0.5, 1.0)
    assert carry[1].dtype == np.float32


def test_constants_may_be_of_any_dtype():
    def f(w):
        step = lambda c, x: ((c[0] * x, not c[1], c[2] * w), (c[1], c[0], "a"))  # noqa: E731
        (z, flag, out), (flags, zs, names) = ug.scan(step, (1j, True, 1.0), np.array([1j, 2, 3]))
        assert (z, flag, list(flags), list(names)) == (-6, False, [True, False, True], ["a"] * 3)
        np.testing.assert_array_equal(zs, [1j, -1, -2])
        return out

    assert ug.grad(f)(2.0) == 12.0


def test_results_are_copied_as_they_come():
    buffer = np.zeros(2)

    def step(c, x):
        buffer[:] = x
        return c, buffer

    np.testing.assert_array_equal(ug.scan(step, 0, np.arange(3))[1], [[0, 0], [1, 1], [2, 2]])


def test_infinite_slopes_of_constants_stay_outside():
    """The loop has no derivative in a constant first carry, however steep it is there."""

    def f(scan):
        return lambda x: np.sum(scan(lambda h, x: (np.sqrt(h) + x, h), np.zeros(2), x)[1])

    x = np.ones((3, 2))
    assert relative_error(ug.grad(f(ug.scan))(x), ug.grad(f(loop))(x)) < 1e-15
    assert relative_error(ug.hvp(f(ug.scan), x, x), ug.hvp(f(loop), x, x)) < 1e-15


def test_arrays_may_be_written_to_afterwards():
    xs, h = np.ones((4, 2)), np.ones(2)

    def f(w):
        out, ys = ug.scan(lambda h, x: (np.sin(h * w) * x, h), h, xs)
        xs[:] = h[:] = 7
        return np.sum(out) + np.sum(ys)

    found = ug.grad(f)(np.ones(2))
    xs[:] = h[:] = 1
    assert relative_error(found, ug.grad(f)(np.ones(2))) == 0


@pytest.mark.parametrize("snapshots", [None, 2])
def test_a_step_that_changes_is_noticed(snapshots):
    scale = np.array([1.0, 2.0])

    def f(w):
        step = lambda h, _: (np.sin(h * w * scale), None)  # noqa: E731
        out = ug.scan(step, np.ones(2), None, 6, snapshots=snapshots)[0]
        scale[0] = 3
        return np.sum(out)

    with pytest.raises(ArgumentError, match="another result when a step was evaluated again"):
        ug.grad(f)(np.ones(2))


@pytest.mark.parametrize(
    ("error", "call", "message"),
    [
        (ArgumentError, lambda: ug.scan(lambda c, x: (c, x), 1.0), "length: expected the number"),
        (
            ArgumentError,
            lambda: ug.scan(lambda c, x: (c, x), 1.0, np.ones(3), 4),
            r"xs: expected one of 4, as length says, got a leading axis of 3",
        ),
        (
            ArgumentError,
            lambda: ug.scan(lambda c, x: (c, x), 1.0, {"a": np.ones(3), "b": np.ones(2)}),
            r"xs\['b'\]: expected one of 3, as the first of xs has, got a leading axis of 2",
        ),
        (
            ArgumentTypeError,
            lambda: ug.scan(lambda c, x: (c, x), 1.0, [1.0, 2.0]),
            r"xs\[0\]: expected an array with a leading axis.*, got float; make a list one array",
        ),
        (
            ArgumentTypeError,
            lambda: ug.scan(lambda c, x: (c, x), 1.0, np.float64(1)),
            r"got float64\[\]",
        ),
        (ArgumentTypeError, lambda: ug.scan(None, 1.0, None, 2.5), "length: expected a whole"),
        (ArgumentError, lambda: ug.scan(None, 1.0, None, -1), "length: expected a whole"),
        (
            ArgumentError,
            lambda: ug.scan(None, 1.0, None, 2, snapshots=0),
            "snapshots: expected a whole number >= 1, got 0",
        ),
        (ArgumentTypeError, lambda: ug.scan(lambda c, x: c, 1.0, np.ones(2)), r"\(carry, y\)"),
        (
            ArgumentError,
            lambda: ug.scan(lambda c, x: ((c, c), x), 1.0, np.ones(2)),
            "carry of f: expected that of the carry it was given",
        ),
        (
            ArgumentError,
            lambda: ug.scan(lambda c, x: ({"h": c["h"][:1]}, x), {"h": np.ones(2)}, np.ones(2)),
            r"carry\['h'\] of f: expected .*, got float64\[1\] for float64\[2\]",
        ),
        (
            ArgumentError,
            lambda: ug.scan(lambda c, x: (c + x, x), np.ones(2, np.float32), np.ones(2)),
            r"got float64\[2\] for float32\[2\]; give init",
        ),
        (
            ArgumentError,
            lambda: ug.scan(lambda c, x: (c, (x,) * int(1 + x)), 1.0, np.arange(2.0)),
            "y of f: expected the structure, shapes and dtypes of the first step",
        ),
        (
            ArgumentError,
            lambda: ug.scan(lambda c, x: (c, np.ones(int(x))), 1.0, np.arange(2.0)),
            r"y of f: .* of \['float64\[0\]'\], got .* of \['float64\[1\]'\]",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(error, call, message):
    with pytest.raises(error, match=message):
        call()


def test_the_carry_is_checked_under_differentiation_too():
    with pytest.raises(ArgumentError, match=r"got float64\[3\] for float64\[2\]"):
        ug.grad(lambda w: np.sum(ug.scan(lambda c, x: (w, x), np.ones(2), np.ones(4))[0]))(
            np.ones(3)
        )
