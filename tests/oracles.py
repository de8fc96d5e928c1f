"""Oracles that share no code with the engine."""

import itertools

import numpy as np
import optree


def derivative(f, *, step=0.1, shrink=2.0, rows=9):
    """f'(0) for f of a scalar, by central differences and Richardson extrapolation.

    Ridders' method (Numerical Recipes, section 5.7): a Neville tableau over shrinking steps, of
    which the entry with the smallest error estimate wins. `f` may return an array.
    """
    best, best_error, previous = None, np.inf, []
    for row in range(rows):
        h = step / shrink**row
        current = [(np.asarray(f(h)) - np.asarray(f(-h))) / (2 * h)]
        for order, older in enumerate(previous, start=1):
            factor = shrink ** (2 * order)
            current.append((factor * current[-1] - older) / (factor - 1))
            error = max(_largest(current[-1] - current[-2]), _largest(current[-1] - older))
            if error <= best_error:
                best, best_error = current[-1], error
        previous = current
    return best


def directional_derivative(f, x, v, **options):
    """Derivative of `f`, an array, along `v`: both pytrees."""
    return derivative(lambda t: f(optree.tree_map(lambda a, b: a + t * b, x, v)), **options)


def normal_like(rng, tree):
    """Standard normal numbers in the structure of a pytree."""
    return optree.tree_map(lambda x: np.asarray(rng.standard_normal(np.shape(x)))[()], tree)


def dot(x, y):
    """Inner product of two pytrees."""
    pairs = zip(optree.tree_leaves(x), optree.tree_leaves(y), strict=True)
    return float(sum(np.sum(np.asarray(a) * np.asarray(b)) for a, b in pairs))


def relative_error(x, y):
    """``||x - y|| / max(||x||, ||y||)`` for pytrees; 0 if both are zero."""
    pairs = list(zip(optree.tree_leaves(x), optree.tree_leaves(y), strict=True))
    difference = _norm(np.asarray(a) - np.asarray(b) for a, b in pairs)
    size = max(_norm(a for a, _ in pairs), _norm(b for _, b in pairs))
    return difference / size if size else 0.0


def _norm(arrays):
    return np.sqrt(sum(np.sum(np.square(a, dtype=float)) for a in arrays))


def _largest(x):
    return float(np.max(np.abs(x), initial=0.0))


def subsets(places):
    """Every nonempty subset."""
    places = list(places)
    return itertools.chain.from_iterable(
        itertools.combinations(places, n) for n in range(1, len(places) + 1)
    )


def ulps(got, exact, dtype):
    """The distance in units of the last place of `exact`.

    It is infinite where only one is NaN, or overflows.
    """
    form = np.finfo(dtype)
    finite = np.abs(exact) <= form.max
    exponent = np.frexp(np.where(finite, exact, 0))[1] - 1
    unit = np.ldexp(exact.dtype.type(1), np.maximum(exponent, form.minexp) - form.nmant)
    distance = np.abs(got.astype(exact.dtype) - exact) / unit
    same = (got == exact.astype(dtype)) | (np.isnan(got) & np.isnan(exact))
    return np.where(np.isfinite(got) & ~np.isnan(exact), distance, np.where(same, 0, np.inf))
