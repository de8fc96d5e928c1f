"""The machine code that joins arrays against NumPy, and within programs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_ugan as ug
from tests.compile.forms import Compiled, between_forbidden_pages, join, unguarded
from tests.compile.test_scheduling import check
from tests.kernels.emitted import TARGETS
from tests.oracles import relative_error
from tinygrad_ugan.compile.kernel_form import JoinedForm

FORMS = [
    JoinedForm(5, 1, ((2, True), (8, True))),
    JoinedForm(3, 4, ((1, True), (17, True), (3, False))),
    JoinedForm(1, 1, ((300, True), (5, False), (64, True))),
    JoinedForm(4, 2, ((170, False), (3, True), (33, False))),
]


def arrays(form, dtype, allocate=unguarded):
    rng = np.random.default_rng(0)
    found = []
    for run in (*(run for run, is_given in form.runs if is_given), form.columns):
        shape = form.rows, form.repeats, run
        x = allocate(int(np.prod(shape)) * np.dtype(dtype).itemsize).view(dtype).reshape(shape)
        x[...] = rng.standard_normal(shape)
        found.append(x)
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("form", FORMS)
def test_code_joins_runs(form, target, dtype):
    *given, out = arrays(form, dtype)
    first = form.rows // 2
    expected = out.copy()
    join(form, given, expected, slice(first, None))
    Compiled(form, TARGETS[target], dtype)([*given, out], first, form.rows - first)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_nothing_outside_of_the_arrays_is_touched(form, at_end):
    def guarded(size):
        return between_forbidden_pages(size, at_end=at_end)

    for target in TARGETS.values():
        Compiled(form, target, np.float64)(arrays(form, np.float64, guarded), 0, form.rows)


@given(axis=st.integers(-3, 2), cuts=st.lists(st.integers(1, 4), min_size=1, max_size=5))
def test_any_axis_of_any_views_and_constants(axis, cuts):
    rng = np.random.default_rng(0)
    shape = [3, 2, 4]
    parts = []
    for n in cuts:
        shape[axis] = n
        parts.append(rng.standard_normal(shape))

    def f(*xs):
        turned = [np.transpose(x, (2, 0, 1)) for x in xs]
        joined = np.concatenate([*xs, xs[0] * 2, parts[0]], axis=axis)
        return (
            joined + 1,
            np.concatenate(turned, axis=(axis + 1) % 3) * 2,
            np.stack([xs[0]] * 3, axis),
        )

    check(f, *parts)


def test_axes_by_position_and_functions_that_join(rng):
    x, y = rng.standard_normal((2, 6, 3))

    def f(x, y):
        found = (
            np.concatenate((x, y), 1),
            np.stack((x, y), -1),
            np.hstack([x, y]),
            np.vstack([x, y]),
        )
        return [np.tanh(each) for each in found]

    for a, b in zip(ug.compile(f)(x, y), f(x, y), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)


@pytest.mark.parametrize("rows", [1, 40, 600])
def test_gradients_of_what_is_joined_take_no_call_of_numpy(rows, rng):
    x, y, w = (rng.standard_normal(s) for s in ((rows, 3), (rows, 2), (5, 4)))

    def loss(x, y, w):
        return np.mean(np.tanh(np.concatenate([np.sin(x), y], axis=1) @ w))

    gradient = ug.grad(loss, argnums=(0, 1, 2))
    compiled = ug.compile(gradient)
    assert relative_error(compiled(x, y, w), gradient(x, y, w)) < 1e-13
    assert "0 calls of NumPy" in compiled.explain(x, y, w)


@pytest.mark.parametrize(
    "pick",
    [
        lambda x: x[:, 1:3], lambda x: x[2], lambda x: x[..., -1], lambda x: x[-3:], lambda x: x[:],
        lambda x: x[:, 1, :2], lambda x: x[::2], lambda x: x[:, None, 1], lambda x: x[[1, 1]],
        lambda x: x[:, :, 1], lambda x: x[:, 0], lambda x: x[True, 1],
    ],
)  # fmt: skip
def test_cotangents_of_slices_stand_between_zeros(pick, rng):
    x = rng.standard_normal((5, 4, 3))

    def f(x):
        return ug.grad(lambda x: np.sum(np.sin(pick(x)) ** 2))(x) * 2

    np.testing.assert_allclose(ug.compile(f)(x), f(x), rtol=1e-12, atol=1e-14)


def test_slabs_take_no_call_of_numpy(rng):
    x = rng.standard_normal((5, 4, 3))
    f = ug.compile(ug.grad(lambda x: np.sum(np.sin(x[:, 1:3]) * x[:, :2]) + np.sum(x[1] ** 2)))
    assert "0 calls of NumPy" in f.explain(x)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.concatenate([x] * 20),
        lambda x: np.concatenate([x, np.arange(3)[None]]),
        lambda x: np.concatenate([x, x], axis=None),
        lambda x: np.concatenate([x, x], dtype=np.float32),
        lambda x: np.concatenate([x, x[:0]]),
        lambda x: np.concatenate([x > 0, x < 0]),
    ],
)
def test_the_rest_stays_with_numpy(f, rng):
    x = rng.standard_normal((4, 3))
    found, expected = ug.compile(lambda x: (f(x), np.sin(x) + 1))(x)[0], f(x)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
