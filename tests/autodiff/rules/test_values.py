"""Under differentiation every function returns the very bits that it returns without."""

from dataclasses import replace

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.autodiff.rules.test_table import CASES
from tinygrad_ugan.autodiff.operands import untrace
from tinygrad_ugan.autodiff.rules import TABLE
from tinygrad_ugan.check.strategies.samples import call, drawn, operands, samples_of, with_shapes

# How f(*args) is evaluated; `see` is handed the result.
TRACINGS = {
    "vjp": lambda f, args: ug.vjp(f, *args),
    "jvp": lambda f, args: ug.jvp(f, args, args),
    "vjp of vjp": lambda f, args: ug.vjp(lambda *xs: ug.vjp(f, *xs)[0], *args),
    "jvp of vjp": lambda f, args: ug.jvp(lambda *xs: ug.vjp(f, *xs)[0], args, args),
    "vjp of jvp": lambda f, args: ug.vjp(lambda *xs: ug.jvp(f, xs, xs)[0], *args),
    "jvp of jvp": lambda f, args: ug.jvp(lambda *xs: ug.jvp(f, xs, xs)[0], args, args),
}


def function_of(record):
    """What users call: NumPy's function, or the record where it is a function of ours."""
    is_theirs = isinstance(record.function, np.ufunc) or (
        record.function in TABLE and record.function.__module__.startswith("numpy")
    )
    return record.function if is_theirs else record


def leaves(result):
    return [as_real(np.asarray(untrace(x))) for x in optree.tree_leaves(result)]


def as_real(x):
    """Real eigenvalues, which NumPy makes complex numbers from 2.5 on, as they are here."""
    return x.real if np.iscomplexobj(x) and not np.any(x.imag) else x


def check_bits(f, args, tracings):
    expected = leaves(f(*args))
    for name, trace in tracings.items():
        seen = []

        def watched(*xs, seen=seen):
            seen.append(f(*xs))
            return 0.0

        trace(watched, args)
        found = leaves(seen[0])
        assert [x.dtype for x in found] == [x.dtype for x in expected], name
        assert [x.shape for x in found] == [x.shape for x in expected], name
        assert [x.tobytes() for x in found] == [x.tobytes() for x in expected], name


@pytest.mark.parametrize(("record", "sample"), CASES)
def test_a_traced_value_has_the_bits_of_the_untraced_one(record, sample):
    sample = replace(sample, invariant=None)
    arrays = tuple(drawn(sample, np.random.default_rng(0)))
    check_bits(lambda *xs: call(sample, xs, function_of(record)), arrays, TRACINGS)


def enlarged(sample):
    """The sample with every axis longer than 1 eleven times as long.

    Sums of many are rounded in an order that a sum of three does not show.
    """
    shapes = [tuple(n if n == 1 else 11 * n for n in x.shape) for x in operands(sample)]
    return with_shapes(replace(sample, invariant=None), shapes)


def is_a_call(record, sample):
    """Whether the sample has real values: some are tied to the shapes that they have."""
    try:
        result = call(sample, drawn(sample, np.random.default_rng(0)), function_of(record))
    except (ValueError, IndexError, TypeError, RuntimeError, RuntimeWarning):
        return False
    return not any(map(np.iscomplexobj, optree.tree_leaves(result)))


@pytest.mark.parametrize(
    "record", dict.fromkeys(case.values[0] for case in CASES), ids=lambda record: record.name
)
def test_so_it_has_at_larger_shapes(record):
    for sample in map(enlarged, samples_of(record)):
        if not is_a_call(record, sample):
            continue
        arrays = tuple(drawn(sample, np.random.default_rng(0)))
        check_bits(
            lambda *xs, sample=sample: call(sample, xs, function_of(record)),
            arrays,
            {"vjp": TRACINGS["vjp"]},
        )


def test_eigenvectors_of_the_upper_triangle_keep_their_signs():
    """Once an algorithm for the lower triangle of the transpose: equal but for signs."""
    a = np.array([[2.0, 1.0, 0.3], [9.0, 3.0, -0.4], [9.0, 9.0, 1.0]])
    for function in (np.linalg.eigh, np.linalg.eigvalsh):
        for triangle in "LU":
            check_bits(lambda x, u=triangle, f=function: f(x, u), (a,), TRACINGS)


@pytest.mark.parametrize("n", [-3, -1, 0, 1, 2, 3, 4, 5, 7, 8])
def test_powers_of_matrices_are_multiplied_in_the_order_of_numpy(n, rng):
    check_bits(lambda a: np.linalg.matrix_power(a, n), (rng.standard_normal((6, 6)),), TRACINGS)


def test_partition_leaves_the_elements_where_numpy_does(rng):
    x = rng.integers(0, 20, 200).astype(float)  # with ties
    for kth in (3, [10, 50], 199):
        check_bits(lambda x, k=kth: np.partition(x, k), (x,), TRACINGS)
    distinct = rng.standard_normal(200)
    pushed = ug.jvp(lambda x: np.partition(x, 50), (distinct,), (2 * distinct,))[1]
    np.testing.assert_array_equal(pushed, 2 * np.partition(distinct, 50))


@pytest.mark.filterwarnings("ignore")  # overflow in half precision
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, int])
@pytest.mark.parametrize(
    "function", [np.sum, np.mean, np.var, np.std, np.prod, np.cumsum, np.cumprod, np.nansum]
)
def test_reductions_in_another_dtype(function, dtype, rng):
    """The sum of more elements than NumPy casts at once."""
    for x in (rng.standard_normal(20_000), rng.standard_normal((3, 5, 7)).astype(np.float16)):
        check_bits(lambda x: function(x, dtype=dtype), (x,), {"vjp": TRACINGS["vjp"]})
        check_bits(lambda x: function(x, axis=-1), (x,), {"vjp": TRACINGS["vjp"]})


def test_clip_keeps_the_sign_of_zero_that_numpy_keeps():
    x = np.array([-1.0, -0.0, 0.0, 1.0, np.nan])
    for low, high in ((-0.0, 0.0), (0.0, None), (None, -0.0), (0.0, 1.0)):
        check_bits(lambda x, low=low, high=high: np.clip(x, low, high), (x,), TRACINGS)
