"""The table's functions come and refuse as NumPy's do: containers of results, errors."""

import inspect

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.autodiff.rules.test_table import realise
from tests.oracles import normal_like
from tinygrad_ugan.autodiff.rules import TABLE
from tinygrad_ugan.check.strategies.samples import samples_of
from tinygrad_ugan.errors import ArgumentError, NotDifferentiableError

A = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]])
TALL = np.vstack([A, A[:1] + 1])


def traced(f, x):
    """What f returns inside of a differentiated function."""
    seen = []
    ug.jvp(lambda x: seen.append(f(x)) or 0.0, (x,), (x,))
    return seen[0]


@pytest.mark.parametrize(
    "f",
    [
        np.linalg.eigh,
        np.linalg.slogdet,
        np.linalg.qr,
        np.linalg.svd,
        lambda a: np.linalg.lstsq(a, np.ones(3), rcond=None),
        lambda a: np.split(a, 3),
        lambda a: np.hsplit(a, 3),
        lambda a: np.meshgrid(a[0], a[1]),
        lambda a: np.broadcast_arrays(a, a[0]),
        lambda a: np.atleast_2d(a, a[0, 0]),
        np.gradient,
    ],
)
def test_several_results_come_in_the_container_that_numpy_uses(f):
    result, expected = traced(f, A), f(A)
    assert type(result) is type(expected)
    assert [np.shape(x) for x in result] == [np.shape(x) for x in expected]


def named(function):
    """The function, called with a name for every argument that has one."""

    def call(*args, **kwargs):
        arguments = signature.bind(*args, **kwargs).arguments
        unnamed = [arguments.pop(name) for name in nameless if name in arguments]
        return function(*unnamed, **arguments)

    signature = inspect.signature(function)
    nameless = [p.name for p in signature.parameters.values() if p.kind is p.POSITIONAL_ONLY]
    return call


# Their dispatchers take no names, whatever their signatures say.
NAMELESS = (np.unique_all, np.unique_counts, np.unique_inverse, np.unique_values)


def takes_names(function):
    """Whether it is NumPy's, and its arguments are neither any number nor without names."""
    if function in NAMELESS:
        return False
    try:
        kinds = {p.kind for p in inspect.signature(function).parameters.values()}
    except ValueError:  # written in C, and does not tell
        return False
    return function.__module__.startswith("numpy") and not (
        kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    )


@pytest.mark.parametrize("function", [*filter(takes_names, TABLE)], ids=lambda f: f.__name__)
def test_every_argument_may_be_given_by_its_name(function):
    rng = np.random.default_rng(0)
    for sample in samples_of(TABLE[function]):
        places, restrict = realise(sample, rng)
        by_place, operands = restrict(function, places)
        by_name, _ = restrict(named(function), places)
        out, pullback = ug.vjp(by_place, *operands)
        same_out, same_pullback = ug.vjp(by_name, *operands)
        cotangent = normal_like(rng, out)
        np.testing.assert_array_equal(same_out, out)
        for x, y in zip(same_pullback(cotangent), pullback(cotangent), strict=True):
            np.testing.assert_array_equal(x, y)


def test_out_is_refused_by_place_too():
    for f in (
        lambda a: np.take(a, [0, 1], 0, np.zeros((2, 3))),
        lambda a: a.take([0, 1], 0, np.zeros((2, 3))),
        lambda a: np.sum(a, 0, None, np.zeros(3)),
    ):
        with pytest.raises(NotDifferentiableError, match="out= writes in place"):
            traced(f, TALL)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (np.linalg.svd, "full_matrices=False"),
        (lambda a: np.linalg.qr(a, mode="complete"), "mode='complete'"),
        (lambda a: np.linalg.qr(a.T), "3 rows and 4 columns"),
        (lambda a: np.pad(a, 1, "linear_ramp"), "mode='linear_ramp'"),
        (lambda a: np.pad(a, 1, "reflect", reflect_type="odd"), "reflect_type='odd'"),
        (lambda a: np.interp(a, [0.0, 1], [0.0, 1], period=2.0), "period="),
        (lambda a: np.reshape(a, -1, order="A"), "order='A'"),
    ],
)
def test_what_has_no_rule_says_so_at_the_call(f, message):
    with pytest.raises(NotDifferentiableError, match=message):
        traced(f, TALL)


@pytest.mark.parametrize(
    ("f", "argument"),
    [
        (lambda a: np.einsum("ij,jk->ik", a, a), "operands"),
        (lambda a: np.einsum("ii", a), "operands"),
        (lambda a: np.einsum("ij->k", a), "subscripts"),
        (lambda a: np.einsum("ij->ii", a), "subscripts"),
        (lambda a: np.einsum("...i->i", a), "subscripts"),
        (lambda a: np.einsum("i", a), "subscripts"),
        (lambda a: np.einsum("ij,jk", a), "subscripts"),
        (lambda a: np.tensordot(a, a, 1), "operands"),
        (lambda a: np.cross(a[:, :1], a[:, :1]), "length 3"),
        (lambda a: np.linalg.norm(a, 3), "ord"),
        (lambda a: np.linalg.norm(a[0], "fro"), "ord"),
        (lambda a: np.linalg.norm(a[None], 2), "axis"),
        (lambda a: np.gradient(a, 1.0, 2.0, 3.0), "varargs"),
        (lambda a: np.gradient(a, np.arange(3.0)), "varargs"),
        (lambda a: np.gradient(a, np.arange(2.0), axis=0), "varargs"),
        (lambda a: np.gradient(a, edge_order=3), "edge_order"),
        (lambda a: np.gradient(a[:1]), "f: "),
        (lambda a: np.diff(a, -1), "n: "),
    ],
)
def test_what_numpy_refuses_is_refused_with_the_argument_named(f, argument):
    with pytest.raises(ArgumentError, match=argument):
        traced(f, TALL)
    with pytest.raises((ValueError, TypeError)):
        f(TALL)
