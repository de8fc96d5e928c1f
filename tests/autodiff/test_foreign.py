"""What is no array of NumPy's is no operand: it is refused in words, from either side."""

import decimal
import fractions
import operator

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import tinygrad_ugan as ug
from tinygrad_ugan.errors import ArgumentTypeError, NotDifferentiableError

X = np.array([1.0, 2.0, 3.0])


class ArrayLike:
    """As an array of PyTorch or JAX meets operators: it gives way to what it does not know."""

    shape, dtype, __array_priority__ = (3,), np.dtype(float), 1000

    def __array__(self, dtype=None, copy=None):
        return np.array(X)

    def _give_way(self, other):
        return NotImplemented

    __mul__ = __add__ = __matmul__ = __sub__ = __truediv__ = __pow__ = _give_way


class Container:
    """As xarray holds arrays: whatever looks like one, be it a tensor, and computes with that."""

    def __init__(self, data):
        self.data, self.shape, self.dtype = data, data.shape, data.dtype

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.data)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        bare = [x.data if isinstance(x, Container) else x for x in inputs]
        return Container(getattr(ufunc, method)(*bare, **kwargs))

    def __mul__(self, other):
        return Container(self.data * other)


FOREIGN = {
    "Series": pd.Series(X),
    "Series of another index": pd.Series(X, index=[2, 0, 1]),
    "DataFrame": pd.DataFrame(np.diag(X)),
    "Index": pd.Index(X),
    "matrix": np.matrix(X),
    "masked array": np.ma.array(X, mask=[False, True, False]),
    "sparse matrix": scipy.sparse.csr_matrix(np.diag(X)),
    "sparse array": scipy.sparse.coo_array(np.diag(X)),
    "look-alike": ArrayLike(),
    "container": Container(X),
    "decimal": decimal.Decimal("0.5"),
    "array of objects": np.array([fractions.Fraction(1, 2)] * 3, dtype=object),
    "text": "a",
    "array of text": np.array(["a", "b", "c"]),
    "array of dates": np.array(["2001-01-01"] * 3, "M8[D]"),
    "time span": np.timedelta64(3, "s"),
}
OPERATIONS = {
    "*": operator.mul,
    "+": operator.add,
    "-": operator.sub,
    "/": operator.truediv,
    "**": operator.pow,
    "np.multiply": np.multiply,
    "np.maximum": np.maximum,
    "np.dot": np.dot,
    "np.cross": np.cross,
    "np.interp": lambda x, y: np.interp(x, y, y),
    "np.clip": lambda x, y: np.clip(x, y, 5.0),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", FOREIGN)
def test_refused_from_the_right(name, operation):
    with pytest.raises(NotDifferentiableError):
        ug.vjp(lambda x: OPERATIONS[operation](x, FOREIGN[name]), X)


# What Python hands to `**` on its left can only answer for itself.
OWN_POWERS = ("sparse matrix", "sparse array", "matrix")


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", FOREIGN)
def test_refused_from_the_left(name, operation):
    error = Exception if operation == "**" and name in OWN_POWERS else NotDifferentiableError
    with pytest.raises(error):
        ug.vjp(lambda x: OPERATIONS[operation](FOREIGN[name], x), X)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("Series", r"pandas Series .*a\.to_numpy\(\)"),
        ("DataFrame", r"pandas DataFrame .*a\.to_numpy\(\)"),
        ("matrix", r"numpy matrix .*np\.asarray\(a\)"),
        ("masked array", r"MaskedArray .*a\.filled\(value\)"),
        ("sparse matrix", r"csr_matrix .*a\.toarray\(\)"),
        ("look-alike", r"ArrayLike .*np\.asarray\(a\)"),
        ("decimal", r"Decimal .*float\(q\)"),
        ("array of objects", r"dtype object .*a\.astype\(float\)"),
        ("text", r"str .*plain NumPy array"),
    ],
)
def test_the_error_names_the_class_and_the_way(name, advice):
    for f in (lambda x: x * FOREIGN[name], lambda x: np.add(x, FOREIGN[name])):
        with pytest.raises(NotDifferentiableError, match=advice):
            ug.vjp(f, X)


def test_what_leaves_the_engine_is_an_array():
    """Containers and arrays of objects could hold tensors that nobody sees."""

    def objects(x):
        a = np.empty(2, object)
        a[0], a[1] = x[0], x[1]
        return a

    for f in (lambda x: Container(X) * x, lambda x: Container(x), objects):
        with pytest.raises(NotDifferentiableError):
            ug.vjp(f, X)
        with pytest.raises(NotDifferentiableError):
            ug.jvp(f, (X,), (X,))
        with pytest.raises(NotDifferentiableError):
            ug.jacobian(f)(X)


@pytest.mark.parametrize("name", ["Series", "matrix", "masked array", "array of objects"])
def test_no_primal_and_no_cotangent(name):
    with pytest.raises(ArgumentTypeError, match=r"convert|filled"):
        ug.grad(np.sum)(FOREIGN[name])
    with pytest.raises(NotDifferentiableError):
        ug.vjp(np.sin, X)[1](FOREIGN[name])
    with pytest.raises(NotDifferentiableError):
        ug.jvp(np.sin, (X,), (FOREIGN[name],))


def test_functions_that_hand_on_a_masked_array_refuse_it():
    masked = FOREIGN["masked array"]
    for f in (
        lambda x: np.concatenate([x, masked]),
        lambda x: np.where(X > 1, x, masked),
        lambda x: np.einsum("i,i", x, masked),
        lambda x: np.average(x, weights=masked),
        lambda x: np.stack([masked, x]),
        lambda x: np.select([X > 1], [masked], x),
    ):
        with pytest.raises(NotDifferentiableError):
            ug.vjp(f, X)


def test_protocols_of_other_libraries():
    """PyTorch and JAX call these before they take a foreign object for an array of theirs."""

    def torch(x):
        return type(x).__torch_function__(None, (type(x),), (x,), {})

    for f, library in ((torch, "PyTorch"), (lambda x: x.__jax_array__(), "JAX")):
        with pytest.raises(NotDifferentiableError, match=f"{library} .*NumPy's functions"):
            ug.grad(f)(X)


@pytest.mark.parametrize("library", ["torch", "xarray", "jax.numpy"])
def test_the_libraries_themselves(library):
    module = pytest.importorskip(library)
    make = {"torch": "tensor", "xarray": "DataArray", "jax.numpy": "asarray"}[library]
    other = getattr(module, make)(X)
    for f in (lambda x: x * other, lambda x: other * x, lambda x: np.multiply(x, other)):
        with pytest.raises(NotDifferentiableError):
            ug.vjp(f, X)


def test_memory_maps_and_numbers_of_python_are_plain(tmp_path):
    mapped = np.memmap(tmp_path / "x", dtype=float, mode="w+", shape=3)
    mapped[:] = X
    (gradient,) = ug.vjp(lambda x: x * mapped, X)[1](np.ones(3))
    assert type(gradient) is np.ndarray
    np.testing.assert_array_equal(gradient, X)
    gradient = ug.grad(lambda x: np.sum(x * np.concatenate([x, mapped])[:3]))(mapped)
    assert type(gradient) is np.ndarray
    np.testing.assert_array_equal(gradient, 2 * X)


class Scaled:
    """A class of the user's own that knows how to be multiplied by whatever multiplies."""

    def __init__(self, factor):
        self.factor = factor

    def __mul__(self, other):
        return self.factor * other

    __rmul__ = __mul__


def test_an_object_with_an_operator_of_its_own_is_left_to_it():
    for f in (lambda x: x * Scaled(3.0), lambda x: Scaled(3.0) * x):
        np.testing.assert_array_equal(ug.vjp(f, X)[1](X)[0], 3 * X)
    with pytest.raises(TypeError, match="unsupported operand"):
        ug.vjp(lambda x: x + None, X)
