"""Kernels by their content: a loop nest over a few arrays, as data that compares by value.

A kernel runs through the points of its *space*, a product of ranges. At every point it has
*values*, numbered from 0: first what it loads, then the sum of products if it has one, then the
results of its steps, one by one. Some values are stored, and some are added up, or reduced
otherwise, over some axes of the space::

    for i in first .. first + rows:          axis 0, of which a call may run a part
        for j in range(space[1]): ...
            values[0] = load 0 ...           at the offset  i * strides[0] + j * strides[1] + ...
            values[n] = sum_s sum_k a_s[i, k] b_s[k, j]
            values[m] = operation(values[...], ...)
            store, reduce

Shapes and strides are constants of a kernel, and addresses are its arguments, in this order: the
number `first`; then the addresses of loads, of a and b of every product, of stores and of
reductions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from tinygrad_ugan.kernels.windows import Windows


@dataclass(frozen=True, slots=True)
class Access:
    """Reading or writing an array along the space.

    Attributes
    ----------
    strides : tuple of int
        Distance of neighbours along each axis of the space, in elements: 0 along an axis that the
        array does not have.
    is_mask : bool
        Whether the elements are booleans, bytes of 0 or 1, and not floating-point numbers.
    """

    strides: tuple[int, ...]
    is_mask: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """One term ``sum_k a[i, k] b[k, j]`` of a sum of products, in a space of two axes.

    Attributes
    ----------
    depth : int
        Number of k.
    a, b : Access
        Along (i, k), and along (k, j).
    """

    depth: int
    a: Access
    b: Access


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One operation on the values at a point.

    Steps are equal if nobody can tell them apart: 0 is the number of a value, 0.0 a constant, and
    -0.0 another.

    Attributes
    ----------
    operation : str
        The name of a vector form.
    operands : tuple
        Numbers of earlier values (an int), and constants (a float).
    """

    operation: str
    operands: tuple[int | float, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Step) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))


@dataclass(frozen=True, slots=True)
class Store:
    """Write a value at every point."""

    value: int
    access: Access


@dataclass(frozen=True, slots=True)
class Reduction:
    """Combine a value over all points along the kernel's reduced axes, and write the results.

    Attributes
    ----------
    value : int
    operation : {"add", "maximum", "minimum"}
        A NaN among the values makes the result NaN.
    access : Access
        Its strides are 0 along the reduced axes.
    """

    value: int
    operation: str
    access: Access


@dataclass(frozen=True, slots=True)
class KernelForm:
    """A kernel: see the module's text.

    Attributes
    ----------
    space : tuple of int
        Extents, none of them 0; that of axis 0 is an upper bound, as calls run parts of it.
    loads : tuple of Access
    segments : tuple of Segment
        Terms of the sum of products; none if the kernel has no such value.
    steps : tuple of Step
    stores : tuple of Store
    reductions : tuple of Reduction
        Over the rows of a call, if axis 0 is among the reduced ones. There are none where there
        are products.
    reduced : tuple of bool
        The axes of the space over which they run; empty without reductions.
    is_whole : bool
        Whether every call runs through all of axis 0, whatever its part.
    """

    space: tuple[int, ...]
    loads: tuple[Access, ...] = ()
    segments: tuple[Segment, ...] = ()
    steps: tuple[Step, ...] = ()
    stores: tuple[Store, ...] = ()
    reductions: tuple[Reduction, ...] = ()
    reduced: tuple[bool, ...] = ()
    is_whole: bool = False

    def reduces(self, axis: int) -> bool:
        """Whether the reductions run over an axis."""
        return bool(self.reduced) and self.reduced[axis]

    @property
    def arguments(self) -> tuple[Access, ...]:
        """Its arrays, in the order of the arguments after `first`."""
        products = (x for each in self.segments for x in (each.a, each.b))
        stored = (each.access for each in self.stores)
        return (*self.loads, *products, *stored, *(each.access for each in self.reductions))


@dataclass(frozen=True, slots=True)
class JoinedForm:
    """A kernel that joins arrays: in every row and repetition a run of each stands side by side.

    Its arguments are the number `first`, of a row, and the addresses of the arrays and the result.
    Some runs are zeros, and of no array.

    Attributes
    ----------
    rows : int
        An upper bound of the rows, as calls run parts of them.
    repeats : int
    runs : tuple of (int, bool)
        The elements of every run, and whether they are those of an array.
    """

    rows: int
    repeats: int
    runs: tuple[tuple[int, bool], ...]

    @property
    def columns(self) -> int:
        """Elements of all runs."""
        return sum(run for run, _ in self.runs)


@dataclass(frozen=True, slots=True)
class WindowsForm:
    """A kernel that takes the windows of some images, or sums up windows at their places.

    Its arguments are the number `first`, of an image, and the addresses of what it reads, images or
    windows, and of what it writes.

    Attributes
    ----------
    windows : Windows
    images, channels : int
        An upper bound of the images, as calls run parts of them; and their channels.
    is_sum : bool
    """

    windows: Windows
    images: int
    channels: int
    is_sum: bool

    @property
    def image(self) -> int:
        """Elements of an image."""
        return math.prod(self.windows.size) * self.channels

    @property
    def view(self) -> int:
        """Elements of all windows of an image."""
        return math.prod((*self.windows.counts, *self.windows.kernel, self.channels))


AnyForm: TypeAlias = KernelForm | WindowsForm | JoinedForm
"""All that a kernel may be."""
