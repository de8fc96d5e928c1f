"""Are the derivatives of a function right? Both modes, to third order, any pytree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_ugan.check.grads.compare import Comparator, Oracle, directions
from tinygrad_ugan.check.grads.derivatives import MODES, FlatFunction, flatten
from tinygrad_ugan.check.grads.report import Derivative, GradCheckError, check_form, find
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, check_choice


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    order: int = 2,
    modes: str | Sequence[str] = ("forward", "reverse"),
    rtol: float | None = None,
    atol: float | None = None,
    rng: np.random.Generator | None = None,
) -> None:
    """Check the derivatives of a function against differences; raise if one is wrong.

    Every derivative of order n + 1 is compared with differences of that of order n: along each
    element if they are few, else along random directions, in which every element takes part. The
    differences are central ones with Richardson extrapolation, over steps that shrink until the
    extrapolated value is accurate; or the complex step, where f takes complex numbers and it agrees
    with the differences. They are taken in float64, whatever the dtype of `args`.

    Parameters
    ----------
    f : callable
        ``f(*args)``, a pytree of floating-point arrays.
    args : tuple of pytrees
        The point. All floating-point arrays in it are differentiated; anything else is constant.
    order : int
        1, 2 or 3.
    modes : {"forward", "reverse"} or a sequence of them
        `jvp`, `vjp`; beyond order 1 every combination, such as forward over reverse.
    rtol, atol : float, optional
        A derivative may differ by ``atol + rtol * |expected|``, and by the error of the
        differences. If neither is given: by the rounding that its dtype and its terms account for;
        where that is not enough, by how much the derivative varies a few roundings around the
        point. The point itself has no say in that, so that a rule which is wrong at this point
        alone, on ties, at zeros or whole numbers, is found as any other.
    rng : numpy.random.Generator, optional
        Draws the directions; the same ones each time if not given.

    Raises
    ------
    GradCheckError
        If a derivative is wrong: an AssertionError that says which and where, what was found and
        expected, how the difference depends on the step, and whether f looks smooth.
    ArgumentError, ArgumentTypeError, NonFiniteError
        If there is nothing to check: an argument makes no sense, or f is not finite there.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_ugan as ug
    >>> ug.check.check_grads(lambda x, w: np.tanh(x @ w), (np.ones((2, 3)), np.eye(3)), order=3)

    A gradient that comes from elsewhere, from other code or another framework, is the rule of a
    `custom_vjp`:

    >>> @ug.custom_vjp
    ... def norm(x):
    ...     return np.sqrt(np.sum(x**2))
    >>> norm.defvjp(lambda x: (norm(x), x), lambda x, g: (g * x,))  # forgets to divide
    >>> point = (np.array([3.0, 4.0]),)
    >>> ug.check.check_grads(norm, point, order=1, modes="reverse")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    tinygrad_ugan.check.grads.report.GradCheckError: reverse mode is wrong, order 1
      derivative of  result, times a random cotangent
      in             args[0][0]
    ...
    """
    __tracebackhide__ = True
    if isinstance(order, bool) or order not in (1, 2, 3):
        raise ArgumentError("order", order, "1, 2 or 3")
    chosen = (modes,) if isinstance(modes, str) else tuple(modes)
    if not chosen:
        raise ArgumentError("modes", modes, "at least one of 'forward' and 'reverse'")
    for mode in chosen:
        check_choice("modes", mode, MODES)
    if rng is None:
        rng = np.random.default_rng(0)
    elif not isinstance(rng, np.random.Generator):
        raise ArgumentTypeError("rng", type(rng).__name__, "a numpy.random.Generator")
    allowed = _allowed(rtol, atol)
    _Checks(chosen, allowed, rng).run(flatten(f, args), order, ())


@dataclass(frozen=True)
class _Checks:
    modes: tuple[str, ...]
    allowed: tuple[float, float] | None
    rng: np.random.Generator

    def run(self, flat: FlatFunction, order: int, taken: tuple[str, ...]) -> None:
        """Check `order` more derivatives of what is the derivative in the modes `taken`."""
        __tracebackhide__ = True
        oracle = Oracle(flat, self.rng)
        comparators = {}
        for name in self.modes:
            derivative, mode = Derivative((*taken, name), flat), MODES[name](flat, self.rng)
            check_form(derivative, mode)
            comparators[derivative] = Comparator(flat, mode, oracle, self.allowed, self.rng)
        for v in directions(flat, self.rng):
            rates = oracle.rates(v)
            for derivative, comparator in comparators.items():
                if np.any(comparator(v, rates).is_wrong):
                    raise GradCheckError(find(derivative, comparator, v))
        if order > 1:
            for derivative, comparator in comparators.items():
                self.run(comparator.mode.derivative, order - 1, derivative.modes)


def _allowed(rtol: float | None, atol: float | None) -> tuple[float, float] | None:
    for name, value in (("rtol", rtol), ("atol", atol)):
        if value is not None and not (np.isfinite(value) and value >= 0):
            raise ArgumentError(name, value, "a number >= 0")
    return None if rtol is None and atol is None else (rtol or 0.0, atol or 0.0)
