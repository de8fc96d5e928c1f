"""The functions of the table on arrays of jets: NumPy's own, and stand-ins by their definitions."""

import numpy as np
import optree
from flint import arb

from tests import jet_special
from tests.jets import Jet, lift
from tests.kernels.test_windows import places


def function_of(record):
    """A record's NumPy function, for arrays of jets.

    It raises TypeError or AttributeError where NumPy cannot work on objects and nobody stands in.
    """
    function = STAND_INS.get(record.name, record.function)

    def on_jets(*args, **params):
        out = function(*args, **params)
        return optree.tree_map(lambda x: np.asarray(lift(x), dtype=object), out)

    return on_jets


def _each(method):
    """A method of `Jet` applied element by element."""
    return np.frompyfunc(lambda x, *rest: method(Jet.of(x), *rest), 1, 1)


_erf, _erfc, _trunc = _each(Jet.erf), _each(Jet.erfc), _each(Jet.trunc)


def _expit(x):
    return 1 / (1 + np.exp(-x))


def _sinc(x):
    return np.sin(_PI * x) / (_PI * x)


def _logsumexp(x, axis=None, b=None, keepdims=False):
    weighted = np.exp(x) if b is None else b * np.exp(x)
    return np.log(np.sum(weighted, axis=axis, keepdims=keepdims))


def _softmax(x, axis=None):
    return np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True)


def _eliminate(a, b):
    """Gauss-Jordan elimination: ``a^-1 b`` and det a."""
    a, b, determinant = lift(a), lift(b), Jet(1)
    for k in range(len(a)):
        pivot = k + max(range(len(a) - k), key=lambda i: abs(float(a[k + i, k].value.mid())))
        if pivot != k:
            a[[k, pivot]], b[[k, pivot]] = a[[pivot, k]], b[[pivot, k]]
            determinant = -determinant
        determinant = determinant * a[k, k]
        a[k], b[k] = a[k] / a[k, k], b[k] / a[k, k]
        for i in range(len(a)):
            if i != k:
                a[i], b[i] = a[i] - a[i, k] * a[k], b[i] - a[i, k] * b[k]
    return b, determinant


_solve_matrix = np.vectorize(
    lambda a, b: _eliminate(a, b)[0], otypes=[object], signature="(n,n),(n,m)->(n,m)"
)
_det = np.vectorize(
    lambda a: _eliminate(a, np.eye(len(a)))[1], otypes=[object], signature="(n,n)->()"
)


def _solve(a, b):
    return _solve_matrix(a, b) if np.ndim(b) > 1 else _solve_matrix(a, b[:, None])[..., 0]


def _inv(a):
    return _solve_matrix(a, np.eye(a.shape[-1]))


def _solve_triangular(a, b, lower, unit_diagonal):
    read = np.tril(a) if lower else np.triu(a)
    return _solve_matrix(np.where(np.eye(len(a)) * unit_diagonal == 1, 1, read), b)


def _solve_banded(ab, b, lower, upper):
    n = ab.shape[1]
    bands = [(i, j) for i in range(n) for j in range(n) if -upper <= i - j <= lower]
    a = lift(np.zeros((n, n)))
    for i, j in bands:
        a[i, j] = ab[upper + i - j, j]
    return _solve_matrix(a, b)


def _solve_sylvester(a, b, q):
    """By the rows of x, one behind another."""
    matrix = np.kron(a, np.eye(len(b))) + np.kron(np.eye(len(a)), b.T)
    return np.reshape(_solve(matrix, np.ravel(q)), q.shape)


def _slogdet(a):
    return np.sign(_det(a)), np.log(abs(_det(a)))


def _cholesky(a, *, upper=False):
    a = np.swapaxes(a, -1, -2) if upper else a
    a, lower = lift(a), lift(np.zeros(a.shape))
    for j in range(a.shape[-1]):
        rest = a[..., j:, j] - np.sum(lower[..., j:, :j] * lower[..., j : j + 1, :j], axis=-1)
        lower[..., j:, j] = rest / np.sqrt(rest[..., :1])
    return np.swapaxes(lower, -1, -2) if upper else lower


def _cond(x, p):
    return np.linalg.norm(x, p) * np.linalg.norm(_inv(x), p)


def _tensorinv(a, ind=2):
    rows, columns = a.shape[:ind], a.shape[ind:]
    return np.reshape(_inv(np.reshape(a, (int(np.prod(rows)), -1))), columns + rows)


def _tensorsolve(a, b, axes=()):
    a = np.moveaxis(a, axes, range(a.ndim - len(axes), a.ndim))
    return np.reshape(_solve(np.reshape(a, (b.size, b.size)), np.ravel(b)), a.shape[b.ndim :])


def _corrcoef(x, y=None, rowvar=True):
    parts = [np.atleast_2d(z) if rowvar or z.ndim == 1 else z.T for z in (x, y) if z is not None]
    rows = np.concatenate(parts)
    rows = rows - np.sum(rows, axis=1, keepdims=True) / rows.shape[1]
    unit = rows / np.sqrt(np.sum(rows * rows, axis=1, keepdims=True))
    return np.squeeze(unit @ unit.T)


def _bincount(x, weights, minlength=0):
    places = np.arange(max(minlength, max(x) + 1))
    return np.sum(np.where(places[:, None] == x, weights, 0), axis=1)


_PI = Jet(arb.pi())
_SQRT2 = Jet(arb(2).sqrt())
_LOG2 = Jet(arb(2).log())


# By the names of their records: functions that NumPy and SciPy do not run on objects.
def _pair_signs(p):
    return np.sign(p[..., :, None] - p[..., None, :])


def _gather(x, windows):
    out = np.zeros((len(x), *windows.counts, *windows.kernel, x.shape[-1]), object)
    for window, place in places(windows):
        if place is not None:
            out[:, *window] = x[:, *place]
    return out


def _scatter(g, windows):
    out = np.zeros((len(g), *windows.size, g.shape[-1]), object)
    for window, place in places(windows):
        if place is not None:
            out[:, *place] += g[:, *window]
    return out


STAND_INS = {
    **jet_special.STAND_INS,
    "signed_differences": lambda v, p: np.sum(
        _pair_signs(p) * (v[..., :, None] - v[..., None, :]), axis=0
    ),
    "signed_sums": lambda g, p: np.sum(_pair_signs(p) * (g + np.swapaxes(g, 1, 2)), axis=-1),
    "gather": _gather,
    "scatter": _scatter,
    "astype": lambda x, dtype: x,
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    "logaddexp": lambda x, y: np.log(np.exp(x) + np.exp(y)),
    "logaddexp2": lambda x, y: np.log(np.exp(_LOG2 * x) + np.exp(_LOG2 * y)) / _LOG2,
    "float_power": lambda x, y: x**y,
    "sinc": _sinc,
    "copysign": lambda x, y: abs(x) * np.sign(y),
    "expit": _expit,
    "log_expit": lambda x: -np.log(1 + np.exp(-x)),
    "logit": lambda x: np.log(x / (1 - x)),
    "erf": _erf,
    "erfc": _erfc,
    "erfinv": _each(Jet.erfinv),
    "ndtr": lambda x: _erfc(-x / _SQRT2) / 2,
    "log_ndtr": lambda x: np.log(_erfc(-x / _SQRT2) / 2),
    "gammaln": _each(Jet.gammaln),
    "psi": _each(Jet.psi),
    "xlogy": lambda x, y: x * np.log(y),
    "xlog1py": lambda x, y: x * np.log1p(y),
    "entr": lambda x: -x * np.log(x),
    "i0": _each(lambda x: x.bessel_i(0)),
    "i1": _each(lambda x: x.bessel_i(1)),
    "logsumexp": _logsumexp,
    "softmax": _softmax,
    "log_softmax": lambda x, axis=None: x - _logsumexp(x, axis, keepdims=True),
    "solve": _solve,
    "solve_triangular": _solve_triangular,
    "solve_banded": _solve_banded,
    "solve_sylvester": _solve_sylvester,
    "inv": _inv,
    "det": _det,
    "slogdet": _slogdet,
    "cholesky": _cholesky,
    "cond": _cond,
    "tensorinv": _tensorinv,
    "tensorsolve": _tensorsolve,
    "bincount": _bincount,
    "corrcoef": _corrcoef,
    "cosine": lambda x, y: x / np.sqrt(x * x + y * y),
    "regular_det": _det,
    "fraction": lambda x: x - _trunc(x),
    "modf": lambda x: (x - _trunc(x), _trunc(x)),
    "bare_logsumexp": lambda a, axis, keepdims: _logsumexp(a, axis, None, keepdims),
    "bare_log_softmax": lambda a, axis: a - _logsumexp(a, axis, keepdims=True),
    "log_sigmoid": lambda x: -np.log(1 + np.exp(-x)),
    "logabsdet": lambda a: _slogdet(a)[1],
    "divmod": lambda x, y: (x // y, x % y),
    "ldexp": lambda x, n: x * 2.0**n,
}
