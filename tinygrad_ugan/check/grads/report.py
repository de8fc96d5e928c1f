"""The report on a derivative that is wrong, which tells whether it is that or the differences that
are to blame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinygrad_ugan.check.grads.compare import CAUTION, UNSETTLED, Comparator, random_direction
from tinygrad_ugan.check.grads.derivatives import FlatFunction, Mode, join
from tinygrad_ugan.check.grads.differences import SMOOTH, Slopes
from tinygrad_ugan.typing import Array


class GradCheckError(AssertionError):
    """A derivative is wrong; its text is the report.

    Attributes
    ----------
    finding : Finding or None
        The same as data; None if the derivative has not even the right form.
    """

    def __init__(self, report: object) -> None:
        super().__init__(str(report))
        self.finding = report if isinstance(report, Finding) else None


@dataclass(frozen=True, eq=False)
class Derivative:
    """A derivative under check.

    Attributes
    ----------
    modes : tuple of str
        The modes, the first derivative's first.
    flat : FlatFunction
        The function that the last of them differentiates.
    """

    modes: tuple[str, ...]
    flat: FlatFunction

    def __str__(self) -> str:
        what = " over ".join(reversed(self.modes)) if self.order > 1 else f"{self.modes[0]} mode"
        return f"{what} is wrong, order {self.order}"

    @property
    def order(self) -> int:
        """The order of the derivative."""
        return len(self.modes)

    @property
    def function(self) -> str:
        """The function that is differentiated here, in words."""
        return "f" if self.order == 1 else f"the derivative of order {self.order - 1}"


@dataclass(frozen=True)
class Finding:
    """A derivative that is wrong.

    Attributes
    ----------
    derivative : Derivative
    argument : str
        Such as ``"args[0]['w']"``; several, if it takes several to show the error.
    element : tuple of int or None
        Which element of it; None if it takes several to show the error.
    result : str
        The quantity that is differentiated.
    found, expected, tolerance : float
    is_settled : bool
        Whether `expected` is known well enough to tell.
    adds_up : bool
        Whether slopes along some elements and along others add up to the slope along all of them.
    by : str
        The method by which `expected` is known.
    slopes : Slopes
    """

    derivative: Derivative
    argument: str
    element: tuple[int, ...] | None
    result: str
    found: float
    expected: float
    tolerance: float
    is_settled: bool
    adds_up: bool
    by: str
    slopes: Slopes

    def __str__(self) -> str:
        off = abs(self.found - self.expected)
        relative = off / abs(self.expected) if self.expected else np.inf
        return "\n".join(
            [
                str(self.derivative),
                f"  derivative of  {self.result}",
                f"  in             {self.argument}{self._index}",
                f"  found          {self.found:.12g}",
                f"  expected       {self.expected:.12g}, by {self.by}",
                f"  off by         {off:.2g}, {relative:.2g} of it; allowed: {self.tolerance:.2g}",
                "",
                *self._table(),
                "",
                self._conclusion(),
            ]
        )

    @property
    def _index(self) -> str:
        if self.element is None:
            return ", along a direction"
        return f"[{', '.join(map(str, self.element))}]" if self.element else ""

    def _table(self) -> list[str]:
        rows = zip(self.slopes.steps, self.slopes.central, strict=True)
        return [
            f"  {'step':<10}{'central difference':<22}minus the one found",
            *(f"  {h:<10.1e}{slope:<22.12g}{slope - self.found:.1e}" for h, slope in rows),
        ]

    def _conclusion(self) -> str:
        f, power = self.derivative.function, self.slopes.smoothness
        if power < -0.2:
            return f"{f} looks non-smooth here: it jumps, is infinitely steep, or noisy."
        if power < 0.2:
            left, right = self.slopes.left[-1], self.slopes.right[-1]
            return (
                f"{f} looks non-smooth here, it has a kink: its slope is {left:.6g} on one side "
                f"and {right:.6g} on the other."
            )
        if power < SMOOTH:
            return f"{f} looks non-smooth here: its second derivative looks infinite."
        if not self.adds_up:
            return f"{f} looks non-smooth here: its slopes along several directions do not add up."
        if not self.is_settled:
            return "The differences do not settle: it may be they that are off."
        return (
            f"The differences settle on another number, and {f} looks smooth here: it is the "
            "derivative that is wrong."
        )


def check_form(derivative: Derivative, mode: Mode) -> None:
    """Raise unless a derivative has the shapes and dtypes that it must have, and is finite."""
    __tracebackhide__ = True
    computed = mode.derivative
    for name, x, like in zip(computed.output_names, computed.outputs, mode.like, strict=True):
        for what, given, right in (
            ("shape", np.shape(x), np.shape(like)),
            ("dtype", x.dtype, like.dtype),
        ):
            if given != right:
                raise GradCheckError(f"{derivative}\n  {name} has {what} {given}, expected {right}")
        if not np.all(np.isfinite(x)):
            raise GradCheckError(f"{derivative}\n  {name} is not finite: {x}")


def find(derivative: Derivative, comparator: Comparator, v: Array) -> Finding:
    """Narrow a direction along which a derivative is wrong down to one element, if one will do."""
    flat = derivative.flat
    v = _narrowed(comparator, v)
    moving = np.flatnonzero(v)
    leaves, elements = zip(*(_element(flat.inputs, int(i)) for i in moving), strict=True)
    unit = v[moving[0]] if len(moving) == 1 else 1.0
    agreement = comparator(v, comparator.oracle.rates(v))
    j = agreement.worst
    return Finding(
        derivative,
        argument=", ".join(flat.input_names[i] for i in sorted(set(leaves))),
        element=elements[0] if len(moving) == 1 else None,
        result=_result(derivative, j),
        found=float(agreement.found[j] / unit),
        expected=float(agreement.expected[j] / unit),
        tolerance=float(agreement.tolerance[j] / abs(unit)),
        is_settled=bool(agreement.is_settled[j]),
        adds_up=_adds_up(flat, comparator, v, j),
        by="the complex step" if comparator.oracle.is_complex else "central differences",
        slopes=comparator.slopes(v).of(j, unit),
    )


def _adds_up(flat: FlatFunction, comparator: Comparator, v: Array, j: int) -> bool:
    """Whether slopes along one part and along another add up, as those of a smooth f do.

    The parts are the first of the elements that move along v, and the others of these; or, if it
    moves alone, all others.
    """
    first, second = v.copy(), v.copy()
    moving = np.flatnonzero(v)
    first[moving[1:]] = 0
    second[moving[0]] = 0
    if len(moving) == 1:
        second = random_direction(join(flat.inputs), np.random.default_rng(0))
        second[moving] = 0
    rates = comparator.oracle.rates
    a, b, both = rates(first), rates(second), rates(first + second)
    gap = comparator.mode.project(both.value - a.value - b.value)[j]
    errors = comparator.mode.bound(a.error + b.error + both.error)[j]
    size = comparator.mode.bound(np.abs(a.value) + np.abs(b.value))[j]
    return not abs(gap) > CAUTION * errors + UNSETTLED * size


def _narrowed(comparator: Comparator, v: Array) -> Array:
    """Halve the elements that move for as long as one half alone still shows the error."""
    moving = np.flatnonzero(v)
    for half in np.array_split(moving, 2):
        part = np.zeros(v.shape)
        part[half] = v[half]
        is_less = len(half) < len(moving)
        if is_less and np.any(comparator(part, comparator.oracle.rates(part)).is_wrong):
            return _narrowed(comparator, part)
    return v


def _element(arrays: list[Array], place: int) -> tuple[int, tuple[int, ...]]:
    """Find the array, and the element of it, at a place of all of them in one vector."""
    for i, x in enumerate(arrays):
        if place < np.size(x):
            return i, tuple(map(int, np.unravel_index(place, np.shape(x))))
        place -= np.size(x)
    raise IndexError(place)


def _result(derivative: Derivative, j: int) -> str:
    """Name the quantity whose derivative is the number at place j of a mode."""
    flat = derivative.flat
    if derivative.modes[-1] == "reverse":
        return f"{' and '.join(flat.output_names)}, times a random cotangent"
    leaf, element = _element(flat.outputs, j)
    index = f"[{', '.join(map(str, element))}]" if element else ""
    return flat.output_names[leaf] + index
