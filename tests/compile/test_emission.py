"""The machine code of kernel forms against what they mean in NumPy."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compile.forms import (
    VECTOR,
    Compiled,
    arrays,
    between_forbidden_pages,
    interpret,
    nests,
    parts,
    products,
    unguarded,
)
from tests.kernels.emitted import TARGETS
from tinygrad_ugan.compile.emission import emit_module
from tinygrad_ugan.compile.kernel_form import Access, KernelForm, Reduction, Segment, Step, Store
from tinygrad_ugan.kernels.jit_cache import compile_module

DTYPES = (np.float32, np.float64)


def check(form, target, dtype, first, rows, allocate=unguarded):
    """Run the machine code, and compare all arrays after it, also those that are only read."""
    given, expected = (arrays(form, dtype, allocate=allocate) for _ in range(2))
    wide = [x if x.dtype == bool else x.astype(np.float64) for x in expected]
    interpret(form, wide, first, rows)
    Compiled(form, target, dtype)(given, first, rows)
    depth = sum(s.depth for s in form.segments)
    tolerance = 50 * np.finfo(dtype).eps * (1 + depth)
    for x, y in zip(given, wide, strict=True):
        scale = max(1.0, np.abs(y).max(initial=0.0)) if y.dtype != bool else 1.0
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * scale)


@settings(deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("forms", [nests, products])
def test_code_does_what_the_form_says(forms, target, dtype, data):
    form = data.draw(forms())
    check(form, TARGETS[target], dtype, *data.draw(parts(form)))


C, T = (lambda n: Access((n, 1))), (lambda n: Access((1, n)))  # in the order of C, transposed


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("space", "segments", "addend"),
    [
        ((5, 7), [Segment(2500, C(2500), C(7))], C(7)),  # a sum in parts
        ((5, 7), [Segment(1024, C(1024), T(1024)), Segment(1025, T(5), C(7))], C(7)),
        ((9, 2), [Segment(2500, C(2500), T(2500)), Segment(9, C(9), C(2))], C(2)),  # dot products
        ((3, 2), [Segment(20000, C(20000), C(2))], T(3)),  # with an operand that is not copied
        ((1, 70), [Segment(50, C(50), T(50))], C(70)),  # of a single row
        ((70, 2), [Segment(50, T(70), C(2))], C(2)),  # along the rows
        ((40, 530), [Segment(20, C(20), C(530))] * 3, C(530)),  # copied, as rows are far apart
        ((300, 130), [Segment(9, C(9), T(9)), Segment(9, C(9), C(130))], C(130)),  # prefetched
    ],
)
def test_large_products(space, segments, addend, target, dtype):
    for steps in [Step("add", (0, 1))], [Step("add", (0, 1)), *[Step("tanh", (2,))] * 2]:
        stored = Store(1 + len(steps), C(space[1]))
        form = KernelForm(space, (addend,), tuple(segments), tuple(steps), (stored,))
        check(form, TARGETS[target], dtype, 0, space[0])


def run_guarded(target, at_end):
    """Random forms, on arrays between forbidden pages."""

    def allocate(size):
        return between_forbidden_pages(size, at_end=at_end)

    @settings(deadline=None)
    @given(form=st.one_of(nests(), products()), data=st.data())
    def run(form, data):
        for dtype in DTYPES:
            check(form, target, dtype, *data.draw(parts(form)), allocate)

    run()


@pytest.mark.skipif(sys.platform == "win32", reason="needs mprotect")
@pytest.mark.parametrize("at_end", [True, False])
@pytest.mark.parametrize("target", TARGETS)
def test_nothing_outside_of_the_arrays_is_touched(target, at_end):
    code = f"""
import tests.conftest
from tests.compile.test_emission import TARGETS, run_guarded
run_guarded(TARGETS[{target!r}], {at_end})
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=200)


def test_the_same_numbers_give_the_same_bits():
    form = KernelForm(
        (37, 45),
        (Access((45, 1)),),
        (Segment(50, Access((50, 1)), Access((45, 1))),),
        (Step("tanh", (1,)), Step("add", (0, 2))),
        (Store(3, Access((45, 1))),),
    )
    run = Compiled(form, TARGETS["generic"], np.float64)
    results = []
    for offset in (0, 8, 24, 40):  # wherever the arrays are in memory
        given = arrays(
            form, np.float64, allocate=lambda n, at=offset: np.zeros(n + at, np.uint8)[at:]
        )
        run(given)
        results.append(given[-1].tobytes())
    assert len(set(results)) == 1


@pytest.mark.parametrize("target", TARGETS)
def test_long_sums_are_as_exact_as_those_of_numpy(target, rng):
    n = 10**6
    x = rng.random((n, 1), np.float32) + np.float32(0.1)
    for space, strides, axes in [((n,), (1,), (True,)), ((n, 3), (1, 0), (True, False))]:
        out = Access(tuple(int(not r) for r in axes))
        form = KernelForm(
            space, (Access(strides),), reductions=(Reduction(0, "add", out),), reduced=axes
        )
        total = np.zeros(3, np.float32)
        Compiled(form, TARGETS[target], np.float32)([x, total])
        exact = x.sum(dtype=np.float64)
        assert abs(total[0] / exact - 1) < 2 * np.finfo(np.float32).eps


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("operation", ["add", "maximum", "minimum"])
@pytest.mark.parametrize("axis", [0, 1])
def test_nan_propagates(operation, axis, target, dtype):
    space = (70, 5) if axis == 0 else (5, 70)
    reduced = (axis == 0, axis == 1)
    out = Access(tuple(int(not r) for r in reduced))
    reduction = Reduction(0, operation, out)
    form = KernelForm(space, (Access((space[1], 1)),), reductions=(reduction,), reduced=reduced)
    run = Compiled(form, TARGETS[target], dtype)
    for place in (0, 1, 33, 68, 69):
        x, out = np.zeros(space, dtype), np.zeros(5, dtype)
        np.moveaxis(x, axis, 0)[place, 2] = np.nan
        run([x, out])
        assert np.isnan(out).tolist() == [False, False, True, False, False]


def test_several_kernels_share_a_module():
    copy = KernelForm((5,), (Access((1,)),), stores=(Store(0, Access((1,))),))
    module = emit_module(["one", "two"], [copy, copy], VECTOR, TARGETS["generic"], np.float32)
    assert {"one", "two"} <= set(module.globals)
    compile_module(module, TARGETS["generic"])
