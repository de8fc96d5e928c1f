"""Compiled functions against the functions themselves: all calls, both modes, both orders."""

import contextlib
import copy
import functools
import itertools
import os
import pickle
import threading
import zlib

import numpy as np
import optree
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import tinygrad_ugan as ug
from tinygrad_ugan.check.strategies.programs import evaluate, programs
from tinygrad_ugan.check.strategies.samples import TABLE as ALL
from tinygrad_ugan.check.strategies.samples import call, drawn, joined, samples_of
from tinygrad_ugan.compile import Compiled
from tinygrad_ugan.errors import ArgumentTypeError, NotCompilableError, NotDifferentiableError

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
EXAMPLES = 5_000 if DEEP else 10
MOST_CALLS = 1_000 if DEEP else 25
DTYPES = (np.float64, np.float32)

#: What one program for all numbers cannot do: the shape, or the way to the result, depends on them.
REFUSED = {
    *("unique", "unique_all", "unique_counts", "unique_inverse", "unique_values"),
    *("union1d", "intersect1d", "setdiff1d", "setxor1d", "trim_zeros"),
    *("polymul", "polydiv", "polyfit", "roots"),  # leading zeros, and the rank
    *("lstsq", "det"),  # the rank, and how singular the matrix is
}
#: Whose sample's second operand is no function of the first, as it has to be.
BARE = {"expm1_plus_one"}
COMPILABLE = [record for record in ALL if record.name not in REFUSED | BARE]


def same(found, expected, units=8):
    """Compare leaves, their dtypes and shapes: equal to some units of the largest element.

    Kernels add up in another order than NumPy, and their exponentials differ in the last place;
    sums of terms that cancel keep that difference. The largest of all primitives' is 4 units.
    """
    found, expected = optree.tree_leaves(found), optree.tree_leaves(expected)
    assert len(found) == len(expected)
    for x, y in zip(map(np.asarray, found), map(np.asarray, expected), strict=True):
        assert (np.shape(x), x.dtype) == (np.shape(y), y.dtype)
        if y.dtype.kind == "f":
            finite = np.abs(y[np.isfinite(y)])
            tolerance = units * np.finfo(y.dtype).eps
            scale = max(1.0, finite.max(initial=0.0))
            np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * scale)
        else:
            np.testing.assert_array_equal(x, y)


def pulled_back(f, xs, cotangent):
    _, pullback = ug.vjp(f, *xs)
    return pullback(cotangent)


def orders(f, xs, ts):
    """The function and its derivatives, with their arguments."""
    out = f(*xs)
    ones = np.ones_like(out)
    reverse = functools.partial(pulled_back, f)
    yield f, xs
    yield lambda *xs: ug.jvp(f, xs, ts), xs
    yield lambda *xs: reverse(xs, ones), xs
    yield lambda *xs: ug.jvp(lambda *xs: reverse(xs, ones), xs, ts), xs
    yield lambda *xs: pulled_back(lambda *xs: reverse(xs, ones), xs, ts), xs


def sample_calls(record, dtype):
    rng = np.random.default_rng(zlib.crc32(record.name.encode()))
    for sample in samples_of(record):
        xs = [np.asarray(x, dtype)[()] for x in drawn(sample, rng)]
        ts = tuple(np.asarray(rng.uniform(-1, 1, np.shape(x)), dtype)[()] for x in xs)

        def f(*xs, sample=sample):
            return joined(call(sample, xs, record))

        yield f, xs, ts


def turn(record, count):
    """Some number below `count`: which of several things a primitive is tested on."""
    return zlib.crc32(record.name.encode()) // 7 % count


def differentiable(calls):
    """The functions of some calls and their derivatives that exist, with arguments and values."""
    for f, xs, ts in calls:
        for g, args in orders(f, xs, ts):
            with contextlib.suppress(NotDifferentiableError):
                yield g, args, g(*args)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("record", COMPILABLE, ids=lambda record: record.name)
def test_every_primitive_in_both_modes_to_second_order(record):
    """All calls make one program, as LLVM takes its time for each."""
    for dtype in DTYPES if DEEP else [DTYPES[turn(record, 2)]]:
        found = list(differentiable(sample_calls(record, dtype)))
        step = -(-len(found) // MOST_CALLS)
        functions, arguments, expected = zip(*found[turn(record, step) :: step], strict=True)
        compiled = ug.compile(
            lambda every, functions=functions: [
                f(*args) for f, args in zip(functions, every, strict=True)
            ]
        )
        for _ in range(2):
            same(compiled(arguments), expected)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("record", COMPILABLE, ids=lambda record: record.name)
def test_derivatives_of_compiled_primitives(record):
    """In both modes to second order: one of them in its turn."""
    f, xs, ts = next(sample_calls(record, np.float64))
    pairs = list(zip(orders(f, xs, ts), orders(ug.compile(f), xs, ts), strict=True))
    for (g, args), (outside, _) in pairs if DEEP else [pairs[turn(record, len(pairs))]]:
        with contextlib.suppress(NotDifferentiableError):
            same(outside(*args), g(*args))


@pytest.mark.parametrize("record", [r for r in ALL if r.name in REFUSED], ids=lambda r: r.name)
def test_what_cannot_be_a_program_is_refused(record):
    f, xs, ts = next(sample_calls(record, np.float64))
    with pytest.raises(NotCompilableError):
        ug.compile(lambda *xs: ug.jvp(f, xs, ts))(*xs)


CALLS = [
    (record, sample)
    for record in COMPILABLE
    for sample in samples_of(record)
    if (values := evaluate(sample, drawn(sample, np.random.default_rng(0)), record))
    and all(x.dtype == np.float64 for x in values)
]


@settings(
    max_examples=EXAMPLES,
    phases=set(Phase) - {Phase.explain},
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(program=programs(CALLS, max_steps=15), dtype=st.sampled_from(DTYPES))
def test_random_programs(program, dtype):
    """With their derivatives: what rounding does to one value, all later ones make more of."""
    x, v = np.asarray(program.x, dtype), np.ones(program.x.shape, dtype)
    functions = [
        program,
        ug.grad(program),
        lambda x: ug.hvp(program, x, v),
        ug.grad(lambda x: np.sum(ug.grad(program)(x) * v)),
    ]
    found = ug.compile(lambda x: [f(x) for f in functions])(x)
    same(found, [f(x) for f in functions], units=1e3)


def loss(w, x):
    return np.sum(np.tanh(x @ w) ** 2)


@pytest.fixture
def point(rng):
    return rng.standard_normal((3, 2)), rng.standard_normal((5, 3))


@pytest.mark.parametrize("transform", [ug.grad, ug.hessian, ug.jacobian, ug.value_and_grad])
def test_transforms_inside_and_outside(transform, point):
    expected = transform(loss)(*point)
    same(ug.compile(transform(loss))(*point), expected)
    same(transform(ug.compile(loss))(*point), expected)
    same(transform(part(ug.compile(loss)))(*point), expected)
    same(ug.compile(transform(ug.compile(loss)))(*point), expected)


def part(compiled):
    """A function that calls a compiled one, and is none itself."""
    return lambda *args: compiled(*args)


def test_a_transform_of_a_compiled_function_is_compiled(point):
    compiled = ug.compile(loss)
    assert ug.grad(compiled) is ug.grad(compiled)
    assert ug.grad(compiled, argnums=[0]) is not ug.grad(compiled, argnums=[1])
    inside, outside = ug.compile(ug.grad(loss)), ug.grad(compiled)
    assert str(outside.program(*point)) == str(inside.program(*point))

    class Doubled(Compiled):
        def __call__(self, *args):
            return 2 * super().__call__(*args)

    doubled = Doubled(loss, compiled._programs)
    same(ug.grad(doubled)(*point), 2 * ug.grad(loss)(*point))


def test_third_order_in_every_nesting(point):
    w, x = point

    def third(f, a, b, c):
        first = a(ug.grad(f))
        second = b(ug.grad(lambda w, x: np.sum(first(w, x) ** 2)))
        return c(ug.grad(lambda w, x: np.sum(np.sin(second(w, x)))))(w, x)

    def plain(f):
        return f

    expected = third(loss, plain, plain, plain)

    def within(f):
        return part(ug.compile(f))

    for f in (loss, ug.compile(loss), within(loss)):
        for nesting in itertools.product((plain, ug.compile, within), repeat=3):
            same(third(f, *nesting), expected, units=300)  # sines of large numbers


def test_forward_and_reverse_of_a_compiled_function_of_pytrees(rng):
    def f(params, flag):
        h = np.tanh(params["x"] @ params["w"][0])
        return {"h": h, "n": 3, "count": np.sum(h > 0)} if flag else h

    params = {"x": rng.standard_normal((2, 3)), "w": [rng.standard_normal((3, 2))]}
    tangents = optree.tree_map(np.ones_like, params)
    compiled = ug.compile(f)
    same(compiled(params, flag=True), f(params, flag=True))
    expected = ug.jvp(lambda p: f(p, True)["h"], (params,), (tangents,))
    same(ug.jvp(lambda p: compiled(p, True)["h"], (params,), (tangents,)), expected)
    expected = ug.grad(lambda p: np.sum(f(p, False)))(params)
    same(ug.grad(lambda p: np.sum(compiled(p, False)))(params), expected)


def counted(f):
    def g(*args, **kwargs):
        g.calls += 1
        return f(*args, **kwargs)

    g.calls = 0
    return g


def test_records_once_for_each_structure_shape_and_dtype():
    f = counted(lambda x, n=1, scale=1.0: x * scale + n)
    compiled = ug.compile(f)
    for _ in range(3):
        compiled(np.ones(3))
        compiled(np.ones(4))
        compiled(np.ones(3, np.float32), scale=0.5)
        compiled(np.ones(3, np.float32), scale=1.5)  # a float is an argument
        compiled(np.ones(3), 2)
        compiled(np.ones(3), True)  # equal to 1, and something else
    assert f.calls == 5
    assert compiled(np.ones(3, np.float32), scale=0.5).dtype == np.float32  # and weak, as in NumPy


def test_python_floats_are_as_weak_as_in_numpy():
    single = np.ones(2, np.float32)
    for f in (lambda x, s: x * s, ug.grad(lambda x, s: np.sum(x * s)), lambda x, s: s):
        for args in ((single, 0.1), (single, np.float64(0.1)), (0.1, single)):
            expected, found = f(*args), ug.compile(f)(*args)
            same(np.asarray(found), np.asarray(expected))
            assert type(found) is type(expected)
    slope = ug.grad(lambda s: np.sum(s * single))
    assert ug.compile(slope)(0.5).dtype == slope(0.5).dtype


def test_results_belong_to_the_caller(rng):
    x, c = rng.standard_normal((40, 50)), np.ones(3)
    compiled = ug.compile(lambda x: (x, x, x.T, c, np.exp(x), np.exp(x)[0], np.exp(np.exp(x))))
    first, copy = compiled(x), x.copy()
    for y in first:
        y += 1
    same(x, copy)
    same(c, np.ones(3))
    second = compiled(x)
    third = compiled(-x)
    same(second[4], np.exp(x))
    assert not any(np.shares_memory(y, z) for y in second for z in third)
    assert not any(np.shares_memory(y, z) for i, y in enumerate(second) for z in second[:i])


def test_layouts_of_arguments(rng):
    x = rng.standard_normal((64, 64))
    f = ug.compile(lambda x: np.sum(np.reshape(np.exp(x), -1)[:100] * np.reshape(x, -1)[:100]))
    for y in (x, x.T, np.broadcast_to(x[0], x.shape), np.repeat(x, 2, 1)[:, ::2]):
        same(f(y), np.sum(np.reshape(np.exp(y), -1)[:100] * np.reshape(y, -1)[:100]))


def test_memory_stays_below_the_cap():
    compiled = ug.compile(lambda x: np.exp(np.tanh(x) * 2) + 1, max_bytes=2**17)
    for n in range(1000, 1000 + (5000 if DEEP else 30)):
        compiled(np.ones(10 * n))
    assert compiled.nbytes <= 2**17
    compiled.clear()
    assert compiled.nbytes == 0
    same(compiled(np.zeros(2)), np.full(2, 2.0))


def test_threads_run_one_program_at_once(rng):
    compiled = ug.compile(ug.grad(lambda x: np.sum(np.tanh(x * 2) ** 2 * np.exp(x))))
    points = [rng.standard_normal(5000) for _ in range(4)]
    expected = [compiled(x) for x in points]
    wrong = []

    def work(i):
        wrong.extend(i for _ in range(50) if not np.array_equal(compiled(points[i]), expected[i]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_network_is_evaluated_once_for_all_its_derivatives(rng):
    mlp = ug.nn.MLP((2, 128, 128, 1))
    theta, x = mlp.init(rng, np.float64), rng.standard_normal((64, 2))

    def penalty(theta, x):
        slope = ug.grad(lambda x: np.sum(mlp(theta, x)))(x)
        return np.mean(np.sum(slope**2, axis=1)) + np.mean(mlp(theta, x))

    compiled = ug.compile(ug.value_and_grad(penalty))
    same(compiled(theta, x), ug.value_and_grad(penalty)(theta, x))
    names = [each.name for each in compiled.program(theta, x).instructions]
    assert names.count("tanh") == 2


@pytest.mark.parametrize("method", ["auto", "adjoint", "tape"])
def test_unrolled_gradients(method, rng):
    game = ug.gan.Game(ug.nn.MLP((4, 8, 2)), ug.nn.MLP((2, 8, 1)))
    theta_g = game.generator.init(rng, np.float64)
    theta_d = game.discriminator.init(rng, np.float64)
    batch = ug.gan.Batch(rng.standard_normal((16, 2)), rng.standard_normal((16, 4)))

    def unrolled(theta_g, theta_d, batch, lr):
        return ug.unroll.value_and_grad(
            game, theta_g, theta_d, batch, steps=3, lr=lr, method=method
        )

    compiled = ug.compile(unrolled)
    for lr in (0.1, 0.2):
        args = theta_g, theta_d, batch, lr
        same(compiled(*args), unrolled(*args))
    names = {each.name for each in compiled.program(*args).instructions}
    assert ("fused" in names) == (method == "auto")


def test_scans(rng):
    w, xs = rng.standard_normal((4, 4)) / 3, rng.standard_normal((10, 4))

    def f(w, xs):
        h, firsts = ug.scan(lambda h, x: (np.tanh(h @ w + x), h[0]), np.zeros(4), xs)
        return np.sum(h * h) + np.mean(firsts)

    for transform in (lambda f: f, ug.grad, ug.hessian):
        same(ug.compile(transform(f))(w, xs), transform(f)(w, xs))


def test_methods_and_other_compiled_functions():
    class Line:
        @ug.jit
        def __call__(self, x):
            return 3 * x

    inner = ug.compile(lambda x: x * 2)
    outer = ug.compile(lambda x: Line()(inner(x)))
    same(outer(np.ones(2)), np.full(2, 6.0))
    assert [i.name for i in outer.program(np.ones(2)).instructions] == ["multiply", "multiply"]


def test_no_arguments_and_constant_results():
    assert ug.compile(lambda: np.ones(2))().tolist() == [1, 1]
    assert ug.compile(lambda x: None)(np.ones(2)) is None
    assert ug.compile(lambda x: ("a", 3))(np.ones(2)) == ("a", 3)


def test_captured_tensors_are_refused():
    def f(w):
        return np.sum(ug.compile(lambda x: w * x)(np.ones(2)))

    with pytest.raises(NotDifferentiableError, match="not among its arguments"):
        ug.grad(f)(3.0)


@pytest.mark.parametrize("argument", [bytearray(2), {1, 2}])
def test_constants_have_to_be_hashable(argument):
    with pytest.raises(ArgumentTypeError, match="args"):
        ug.compile(lambda x, c: x)(np.ones(2), argument)


def test_a_program_is_shown_for_plain_arrays():
    compiled = ug.compile(lambda x: x)
    with pytest.raises(ArgumentTypeError, match="args"):
        ug.grad(lambda x: compiled.program(x))(1.0)


def test_the_object_of_a_method_is_looked_at_in_every_call():
    class Line:  # of attributes that may change; two of them are equal to nobody
        def __init__(self, slope):
            self.slope = slope

        @ug.compile
        def __call__(self, x):
            return self.slope * x

    line = Line(2.0)
    assert line(np.float64(3.0)) == 6.0
    line.slope = 3.0
    assert line(np.float64(3.0)) == 9.0
    assert ug.grad(line)(np.float64(3.0)) == 3.0
    assert Line(3.0)(np.float64(1.0)) == 3.0


@ug.compile
def of_this_module(x):
    return 2 * x


def test_it_is_pickled_and_copied_as_a_function_is():
    assert pickle.loads(pickle.dumps(of_this_module)) is of_this_module  # noqa: S301
    assert copy.deepcopy(of_this_module) is of_this_module
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(ug.compile(lambda x: x))


@pytest.mark.parametrize("f", [np.sin, np.tan, np.arcsin, np.arctan, np.sinh, np.cbrt, np.log2])
def test_functions_that_compute_in_float64_meet_others_of_float32(f):
    def g(x):
        return 2 * f(x) + x * f(0.5 * x)

    x = np.linspace(0.1, 0.9, 100, dtype=np.float32)
    np.testing.assert_allclose(ug.compile(g)(x), g(x), rtol=1e-6)
