"""Scans in compiled functions: one instruction, whatever the number of steps."""

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.autodiff.test_scanning import DERIVATIVES, FUNCTIONS, recurrent
from tests.compile.programs import names
from tinygrad_ugan.autodiff import scan_rules
from tinygrad_ugan.autodiff.primitive import Memo
from tinygrad_ugan.compile import recorder


@pytest.fixture(params=[1, 2])
def block(request, monkeypatch):
    """Let short scans be loops, with so many steps in the body."""
    monkeypatch.setattr(scan_rules, "MOST_UNROLLED", 1)
    monkeypatch.setattr(recorder, "BLOCKS", range(request.param, request.param + 1))
    return request.param


def check(f, *args, loops=None):
    """The same values and derivatives, of a program with so many loops."""
    compiled = ug.compile(f)
    expected = optree.tree_leaves(f(*args))
    for _ in range(2):
        found = optree.tree_leaves(compiled(*args))
        for x, y in zip(found, expected, strict=True):
            assert (np.shape(x), np.asarray(x).dtype) == (np.shape(y), np.asarray(y).dtype)
            np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-11 * np.max(np.abs(y), initial=0))
    program = compiled.program(*args)
    if loops is not None:
        assert names(program).count("scan") == loops
    return program


@pytest.fixture
def args(rng):
    return rng.standard_normal((3, 3)) / 2, rng.standard_normal((7, 3))


@pytest.mark.parametrize("snapshots", [None, 2])
@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_agrees_with_the_scan_itself(f, snapshots, args, block):
    def loss(w, x):
        return f(ug.scan, w, x, snapshots=snapshots)

    w, x = args
    args = (w, x[:5]) if f.__name__ == "unlike_from_step_to_step" else args
    check(loss, *args)
    for derivative in DERIVATIVES.values():
        check(derivative(loss), *args)


def test_third_order_and_compiled_parts(args, block):
    def loss(w, x):
        return recurrent(ug.scan, w, x)

    compiled = ug.compile(loss)

    def part(w, x):
        return 2 * compiled(w, x)

    def third(f):
        inner = ug.grad(lambda w, x: np.sum(ug.grad(f)(w, x) ** 2))
        return ug.grad(lambda w, x: np.sum(np.sin(inner(w, x))))

    check(third(loss), *args)
    for a, b in ((ug.grad, 2), (ug.hessian, 2)):
        np.testing.assert_allclose(a(part)(*args), b * a(loss)(*args), rtol=1e-10)
    expected = third(lambda w, x: 2 * loss(w, x))(*args)
    np.testing.assert_allclose(third(part)(*args), expected, rtol=1e-9, atol=1e-9)


def test_a_program_is_as_long_for_any_number_of_steps(rng):
    w = rng.standard_normal((3, 3)) / 2

    def program(n):
        loss = ug.grad(lambda w, x: recurrent(ug.scan, w, x), argnums=(0, 1))
        return check(loss, w, rng.standard_normal((n, 3)), loops=2)

    short, long = program(101), program(801)
    assert long.length < 1.5 * short.length
    assert 6 < long.multiply_adds / short.multiply_adds < 9


def test_few_steps_are_written_down(rng):
    w = rng.standard_normal((3, 3)) / 2
    loss = ug.grad(lambda w, x: recurrent(ug.scan, w, x))
    check(loss, w, rng.standard_normal((30, 3)), loops=0)


def test_the_listing_shows_the_body(args, block):
    def f(w, x):
        return ug.scan(lambda h, x: (np.tanh(h @ w + x), h), x[0], x)

    program = check(f, *args, loops=1)
    listing = str(program).splitlines()
    place = next(i for i, line in enumerate(listing) if " = scan(" in line)
    assert listing[place + 1].startswith("        step(x0: float64[3], x1: float64[")
    assert "            v0: float64[" in listing[place + 2]
    explained = ug.compile(f).explain(*args)
    assert (
        f"loop of {6 // block} runs of" in explained or f"loop of {7 // block} runs of" in explained
    )


def test_what_is_the_same_in_all_steps_is_computed_once(args, block):
    def f(w, x):
        c = np.ones(3)

        def step(h, x):
            return h * np.sum(np.exp(w)) * c + x, (np.sum(w), c)

        return ug.scan(step, x[0], x)

    program = check(f, *args, loops=1)
    assert names(program).count("exp") == 1
    (loop,) = (each for each in program.instructions if each.name == "scan")
    assert "exp" not in names(loop.body)


def test_what_nothing_depends_on_is_dropped_from_the_body(args, block):
    def f(w, x):
        def step(carry, x):
            h, unused, counted = carry
            return (np.tanh(h @ w + x), np.cos(unused), counted + h), (np.sin(h), np.cosh(x))

        (h, _, _), (_, ys) = ug.scan(step, (x[0], x[1], np.zeros(3)), x)
        return h, ys

    (loop,) = (each for each in check(f, *args, loops=1).instructions if each.name == "scan")
    assert set(names(loop.body)) & {"cos", "sin", "cosh", "tanh"} == {"cosh", "tanh"}
    assert len(loop.results) == 2

    def only_the_count(w, x):
        return f(w, x)[0]

    (loop,) = (e for e in check(only_the_count, *args, loops=1).instructions if e.name == "scan")
    assert "cosh" not in names(loop.body)


def test_carries_that_change_their_kind_at_first(args, block):
    """Python's numbers become arrays, and constants become what depends on the arguments."""

    def f(w, x):
        def step(carry, x):
            total, h, flag = carry
            return (total + np.sum(x), h @ w + total, ~flag), flag

        return ug.scan(step, (0.0, np.zeros(3), np.array(True)), x)

    check(f, *args, loops=1)
    check(ug.grad(lambda w, x: np.sum(f(w, x)[0][1]), argnums=(0, 1)), *args, loops=2)


def test_without_a_carry_or_xs_or_results(args, block):
    check(lambda w, x: ug.scan(lambda _, x: ((), x @ w), (), x)[1], *args, loops=1)
    check(lambda w, x: ug.scan(lambda v, _: (w @ v, None), x[0], None, 7)[0], *args, loops=1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layouts_and_precisions(dtype, args, block):
    w, x = (np.asarray(a, dtype) for a in args)

    def f(w, x):
        def step(h, x):
            return np.tanh(np.transpose(h) * w + x), np.transpose(h)[::2]

        h, ys = ug.scan(step, w, x)
        return np.sum(h) + np.sum(ys**2)

    rows = np.stack([x.T[:, :3], *[x[:3]] * 6])
    for xs in (rows, rows[::-1], np.asfortranarray(rows), np.broadcast_to(x[:3], (7, 3, 3))):
        compiled, plain = ug.compile(ug.grad(f, (0, 1))), ug.grad(f, (0, 1))
        for a, b in zip(compiled(w, xs), plain(w, xs), strict=True):
            assert a.dtype == dtype
            scale = np.max(np.abs(b))
            np.testing.assert_allclose(a, b, rtol=0, atol=500 * np.finfo(dtype).eps * scale)


def test_steps_that_need_constants_are_written_down(args, block):
    """A program cannot branch on a number, but may take a number of steps that differ."""

    def f(w, x):
        def step(h, k):
            return (np.tanh(h @ w) if k % 2 else h + x[int(k)]), None

        return ug.scan(step, x[0], np.arange(7))[0]

    check(f, *args, loops=0)
    check(ug.grad(lambda w, x: np.sum(f(w, x))), *args, loops=0)


def test_networks_in_steps_and_around_them(rng, block):
    mlp = ug.nn.MLP((2, 128, 1))
    theta, x = mlp.init(rng, np.float64), rng.standard_normal((256, 2))

    def f(theta, x):
        def step(h, _):
            slope = ug.grad(lambda x: np.sum(mlp(theta, x)))(x)
            own = ug.grad(lambda h: np.sum(mlp(theta, h)))(h)
            return h - 0.1 * (slope + own), None

        return np.sum(ug.scan(step, x, None, 5)[0] ** 2)

    check(f, theta, x, loops=1)
    check(ug.grad(f), theta, x, loops=2)


class Sine(Memo):
    __slots__ = ("value",)


def fill(x, memo):
    memo.value = np.sin(x)
    return x + 0


def read(h, memo):
    return h * memo.value


def test_memos_from_around_a_step_and_of_its_own(args, block):
    """A call that is the same in all steps fills its memo before the loop."""

    def f(w, x):
        def step(h, x):
            for each in (w, h):
                memo = Sine()
                each.node.call(fill, (each,), {"memo": memo}, "fill")
                h = h.node.call(read, (h,), {"memo": memo}, "read")
            return np.tanh(h) + x, None

        return ug.scan(step, w, x[:, :, None])[0]

    w, x = args
    found = ug.compile(f)
    h = w
    for row in x[:, :, None]:
        h = np.tanh(h * np.sin(w) * np.sin(h)) + row
    np.testing.assert_allclose(found(w, x), h, rtol=1e-12)
    np.testing.assert_allclose(found(w + 0, x), h, rtol=1e-12)
    (loop,) = (e for e in found.program(w, x).instructions if e.name == "scan")
    assert "memo" in str(loop.body).splitlines()[0]
    assert names(loop.body).count("fill") == block


def test_loops_in_loops_use_values_of_both(args, block):
    def f(w, x):
        def outer(h, row):
            inner = ug.scan(lambda v, b: (np.sin(w @ v + h) * b, v), row, x[:, 0])
            return h + inner[0], np.sum(inner[1])

        return ug.scan(outer, np.zeros(3), x)

    program = check(f, *args)
    *_, loop = (each for each in program.instructions if each.name == "scan")
    assert "scan" in names(loop.body)
    check(ug.grad(lambda w, x: np.sum(f(w, x)[0])), *args)


def test_memory_and_threads(rng):
    compiled = ug.compile(ug.grad(lambda w, x: recurrent(ug.scan, w, x)))
    w, x = rng.standard_normal((3, 3)) / 2, rng.standard_normal((2000, 3))
    compiled(w, x)
    assert compiled.nbytes < 2**23
    (entry,) = compiled._programs.values()
    assert entry.nbytes > 2**12 * entry.program.length
