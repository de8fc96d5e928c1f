"""Solutions of ordinary differential equations that differentiate, as in scipy.integrate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optree
from scipy import integrate

from tinygrad_ugan.autodiff.call_tracing import TracedCall, uses_traced_value
from tinygrad_ugan.autodiff.core import Tracer
from tinygrad_ugan.autodiff.defensive_copies import private_copy
from tinygrad_ugan.autodiff.functions import array
from tinygrad_ugan.autodiff.operands import as_array, shape_of
from tinygrad_ugan.autodiff.pytrees import restrict
from tinygrad_ugan.autodiff.transforms import jvp, vjp
from tinygrad_ugan.errors import ArgumentError, check_choice

__all__ = ["odeint"]

_OPTIONS = ("rtol", "atol", "h0", "hmax", "hmin", "mxstep", "mxordn", "mxords")


def odeint(
    func: Callable[..., Any], y0: Any, t: Any, args: Sequence[Any] = (), **options: float
) -> Any:
    r"""Solve ``dy/dt = func(y, t, *args)`` with ``y(t[0]) = y0``, as `scipy.integrate.odeint`.

    The derivatives are solutions of differential equations in their turn, of the same solver. In
    forward mode, that of the tangent; in reverse mode, backwards, that of the adjoint
    :math:`\lambda`, from one time to the one before:

    .. math:: \frac{d\lambda}{dt} = -\left(\frac{\partial f}{\partial y}\right)^T \lambda,
              \qquad \frac{dL}{d\theta}
              = \int \left(\frac{\partial f}{\partial \theta}\right)^T \lambda \, dt

    They are as accurate as the tolerances say, not to rounding.

    Parameters
    ----------
    func : callable
        ``func(y, t, *args)``, of which everything to be differentiated is an argument.
    y0 : array_like, shape (d,)
        The state at the first time.
    t : array_like, shape (n,)
        The times, increasing or decreasing.
    args : sequence of pytrees, optional
        The further arguments of `func`.
    **options : float
        The numerical options of `scipy.integrate.odeint`: rtol, atol (1.49e-8 each by
        default), h0, hmax, hmin, mxstep, mxordn, mxords.

    Returns
    -------
    array, shape (n, d)
        The states at all times. Differentiable in `y0`, `t` and `args`, to any order.

    Raises
    ------
    ArgumentError
        For an unknown option, or arrays of other shapes.
    NotDifferentiableError
        If `func` uses a traced value that is not among its arguments.

    References
    ----------
    L. S. Pontryagin et al., *The Mathematical Theory of Optimal Processes*, 1962; F. Froehlich et
    al., *Scalable parameter estimation for genome-scale biochemical reaction networks*, PLOS
    Computational Biology 13, 2017.

    Examples
    --------
    The decay ``exp(-k t)``, with the derivative ``-t exp(-k t)`` in k:

    >>> import tinygrad_ugan as ug
    >>> def decay(y, t, k):
    ...     return -k * y
    >>> slope = ug.grad(lambda k: odeint(decay, [1.0], [0.0, 2.0], (k,))[-1, 0])(0.5)
    >>> float(np.round(slope, 6))
    -0.735759
    """
    for name in options:
        check_choice("options", name, _OPTIONS)
    y0, t = np.atleast_1d(_floating(y0)), _floating(t)
    if len(shape_of(y0)) != 1 or len(shape_of(t)) != 1:
        raise ArgumentError("y0, t", f"shapes {shape_of(y0)}, {shape_of(t)}", "vectors")
    leaves, treedef = optree.tree_flatten((y0, t, tuple(args)))
    problem = _InitialValueProblem(func, treedef, options)
    if any(isinstance(x, Tracer) for x in leaves):
        leaves = [private_copy(x) for x in leaves]
    return problem.solve(leaves)


class _InitialValueProblem:
    """A differential equation whose data come as the leaves of ``(y0, t, args)``."""

    def __init__(self, func: Callable[..., Any], treedef: Any, options: dict[str, float]) -> None:
        self._func, self._treedef, self._options = func, treedef, options

    def solve(self, leaves: Sequence[Any]) -> Any:
        """The states at all times, traced as the leaves are."""
        traced = TracedCall(leaves)
        if traced.level == 0:
            return self._solve_bare(leaves)
        values, positions = traced.values, traced.positions
        out = self.solve(values)
        if traced.is_forward:
            tangents = {i: n.tangent for i, n in zip(positions, traced.nodes, strict=True)}
            return traced.push(out, self._push(values, tangents, out))
        return traced.record(
            out, lambda cotangents: self._pull(values, positions, out, *cotangents)
        )

    def _solve_bare(self, leaves: Sequence[Any]) -> Any:
        y0, t, _ = optree.tree_unflatten(self._treedef, leaves)

        def slope(y: Any, now: float) -> Any:
            value = self._slope(y.copy(), now, leaves[2:])  # the solver writes to its y again
            if isinstance(value, Tracer):
                raise uses_traced_value("func of odeint")
            return value

        return integrate.odeint(slope, y0, t, **self._options)

    def _slope(self, y: Any, now: Any, rest: Sequence[Any]) -> Any:
        """``func(y, t, *args)`` for the leaves of args."""
        *_, args = optree.tree_unflatten(self._treedef, [y, now, *rest])
        return array(self._func(y, now, *args))

    def _slope_at(
        self, y: Any, now: Any, rest: Sequence[Any], positions: Sequence[int]
    ) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """The slope as a function of the state and of the leaves at `positions`; and these."""
        return restrict(
            lambda y, *rest: self._slope(y, now, rest),
            [0, *(i - 1 for i in positions)],
            (y, *rest),
            {},
        )

    def _push(self, leaves: Sequence[Any], tangents: dict[int, Any], out: Any) -> Any:
        """The tangent of the states, the solution of the variational equation."""
        y0, t, *rest = leaves
        d = shape_of(y0)[0]
        positions = [i for i in tangents if i > 1]
        start = tangents.get(0, np.zeros(d))
        if 1 in tangents:
            start = start - self._slope(y0, t[0], rest) * tangents[1][0]

        def augmented(state: Any, now: Any, rest: Sequence[Any], directions: Sequence[Any]) -> Any:
            f, primals = self._slope_at(state[:d], now, rest, positions)
            return np.concatenate(jvp(f, primals, (state[d:], *directions)))

        directions = [tangents[i] for i in positions]
        state = np.concatenate([y0, start])
        pushed = odeint(augmented, state, t, (rest, directions), **self._options)[:, d:]
        if 1 in tangents:
            pushed = pushed + self._slopes(out, t, rest) * np.expand_dims(tangents[1], -1)
        return pushed

    def _pull(
        self, leaves: Sequence[Any], positions: Sequence[int], out: Any, cotangent: Any
    ) -> Sequence[Any]:
        """The cotangents of the leaves at `positions`, by the adjoint equation."""
        y0, t, *rest = leaves
        d = shape_of(y0)[0]
        in_args = [i for i in positions if i > 1]

        def augmented(state: Any, now: Any, rest: Sequence[Any]) -> Any:
            f, primals = self._slope_at(state[:d], now, rest, in_args)
            slope, pullback = vjp(f, *primals)
            return np.concatenate([slope, *map(np.ravel, pullback(-state[d : 2 * d]))])

        adjoint = cotangent[-1]
        ends = np.cumsum([0, *(np.size(leaves[i]) for i in in_args)]).tolist()
        integrals = np.zeros(ends[-1])
        for i in reversed(range(1, shape_of(t)[0])):
            state = np.concatenate([out[i], adjoint, integrals])
            back = odeint(augmented, state, t[i - 1 : i + 1][::-1], (rest,), **self._options)[1]
            adjoint, integrals = back[d : 2 * d] + cotangent[i - 1], back[2 * d :]
        found = {0: adjoint}
        if 1 in positions:
            moving = np.sum(cotangent * self._slopes(out, t, rest), axis=1)
            first = -np.sum((adjoint - cotangent[0]) * self._slope(y0, t[0], rest), keepdims=True)
            found[1] = np.concatenate([first, moving[1:]])
        for i, begin, end in zip(in_args, ends[:-1], ends[1:], strict=True):
            found[i] = np.reshape(integrals[begin:end], shape_of(leaves[i]))
        return [found[i].astype(leaves[i].dtype) for i in positions]

    def _slopes(self, out: Any, t: Any, rest: Sequence[Any]) -> Any:
        return np.stack([self._slope(y, now, rest) for y, now in zip(out, t, strict=True)])


def _floating(x: Any) -> Any:
    x = array(x) if isinstance(x, list | tuple) else as_array(x)
    return x if x.dtype.kind == "f" else x.astype(float)
