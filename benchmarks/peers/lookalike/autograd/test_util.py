"""Autograd's checks: both modes against central differences, to its own tolerance.

Complex numbers are refused by the engine; points with some are left out, and `points` counts both.
"""

import collections
import itertools

import numpy as np
import optree

from autograd import core
from autograd.wrap_util import floats, unary_to_nary

EPS = TOL = RTOL = 1e-6

points = collections.Counter()


def scalar_close(a, b):
    """Whether a difference is small, absolutely or relatively."""
    return abs(a - b) < TOL or abs(a - b) / abs(a + b) < RTOL


def _random_like(tree):
    return optree.tree_map(lambda x: np.asarray(np.random.randn(*np.shape(x)))[()], tree)


def _dot(a, b):
    pairs = zip(optree.tree_leaves(a), optree.tree_leaves(b), strict=True)
    return sum(np.sum(x * y) for x, y in pairs)


def _signature(tree):
    """Structure, shapes and kinds of numbers."""
    leaves, treedef = optree.tree_flatten(tree)
    return treedef, [(np.shape(x), np.iscomplexobj(x)) for x in leaves]


def _difference(f, x, v):
    """The derivative of f at x along v, by central differences."""

    def at(t):
        return f(optree.tree_map(lambda a, b: a + t * b, x, v))

    return optree.tree_map(lambda a, b: (a - b) / EPS, at(EPS / 2), at(-EPS / 2))


def check_equivalent(x, y):
    """Fail unless two pytrees are alike, and equal along a random direction."""
    assert _signature(floats(x)) == _signature(floats(y)), f"{x}\n{y}"
    v = _random_like(x)
    assert scalar_close(_dot(x, v), _dot(y, v)), f"Value mismatch:\n{x}\n{y}"


def check_vjp(f, x):
    """Fail unless the pullback is the transpose of the differences."""
    vjp, y = core.make_vjp(f, x)
    x_v, y_v = _random_like(x), _random_like(y)
    pulled = vjp(y_v)
    assert _signature(pulled) == _signature(x)
    exact, numeric = _dot(x_v, pulled), _dot(y_v, _difference(f, x, x_v))
    assert scalar_close(numeric, exact), (
        f"Derivative (VJP) check of {_name(f)} failed with arg {x}: {exact}, not {numeric}"
    )


def check_jvp(f, x):
    """Fail unless the derivative along a direction is that of the differences."""
    v = _random_like(x)
    check_equivalent(core.make_jvp(f, x)(v)[1], _difference(f, x, v))


def _name(f):
    return getattr(f, "__name__", "[unknown name]")


def _is_complex(*trees):
    return any(np.iscomplexobj(x) for x in optree.tree_leaves(trees))


@unary_to_nary
def check_grads(f, x, modes=("fwd", "rev"), order=2):
    """Fail unless the derivatives of f at x agree with differences up to an order."""
    is_complex = _is_complex(x) or _is_complex(f(x))
    points["complex" if is_complex else "real"] += 1
    if is_complex:
        return
    x = floats(x)
    if "fwd" in modes:
        check_jvp(f, x)
        if order > 1:
            pushed = lambda x, v: core.make_jvp(f, x)(v)[1]  # noqa: E731
            pushed.__name__ = f"jvp_{_name(f)}"
            check_grads(pushed, (0, 1), modes, order - 1)(x, _random_like(x))
    if "rev" in modes:
        check_vjp(f, x)
        if order > 1:
            pulled = lambda x, v: core.make_vjp(f, x)[0](v)  # noqa: E731
            pulled.__name__ = f"vjp_{_name(f)}"
            check_grads(pulled, (0, 1), modes, order - 1)(x, _random_like(f(x)))


def combo_check(fun, *options, **named_options):
    """Check a function on all combinations of arguments and keyword arguments."""

    def check(*args, **kwargs):
        for chosen in itertools.product(*args):
            for values in itertools.product(*kwargs.values()):
                named = dict(zip(kwargs, values, strict=True))
                check_grads(fun, *options, **named_options)(*chosen, **named)

    return check
