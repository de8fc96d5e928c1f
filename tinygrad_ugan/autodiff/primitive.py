"""The primitive: one record that serves the implementation, both modes, the tests and the docs.

A primitive is declared by what it is mathematically, and both modes follow:

============== ==================================== =======================================
kind           declared by                          examples
============== ==================================== =======================================
`elementwise`  its partial derivatives              exp, multiply, maximum
`linear`       its transpose (in the first operand) sum, reshape, indexing
`bilinear`     its two transposes                   matmul
`general`      an explicit jvp and vjp              max, where, concatenate
============== ==================================== =======================================

A `Composite` has no rule: it is written in terms of primitives, and its derivatives follow.

Rules are written with NumPy's own functions and operators. These differentiate, so that a rule is
its own higher-order rule.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optree

from tinygrad_ugan.autodiff.core import Tracer, bind
from tinygrad_ugan.autodiff.operands import is_plain, made_plain, refused
from tinygrad_ugan.autodiff.signatures import Arguments
from tinygrad_ugan.errors import NotDifferentiableError


@dataclass(frozen=True, slots=True)
class Domain:
    """An open interval on which a function is smooth; samples are drawn from within it."""

    low: float
    high: float


#: The samples of functions that are smooth everywhere stay where float64 differences are accurate.
REAL = Domain(-3.0, 3.0)
POSITIVE = Domain(0.2, 3.0)


@dataclass(frozen=True, slots=True)
class Operand:
    """Stands for a random array in a sample call, drawn from `domain`.

    Where a function wants more than numbers of an interval, such as a symmetric matrix,
    `structure` makes it from the array that was drawn; it is part of what is differentiated, so
    that no perturbation leaves the structure.
    """

    shape: tuple[int, ...]
    domain: Domain = REAL
    structure: Callable[[Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One example call of a primitive: `Operand` in place of the arrays to differentiate.

    Where a result is not unique, such as an eigenvector with its free sign, `invariant` maps it to
    what is.
    """

    args: tuple[Any, ...]
    params: dict[str, Any] = field(default_factory=dict)
    invariant: Callable[[Any], Any] | None = None


def sample(*args: Any, **params: Any) -> Sample:
    """Write a `Sample` like the call itself: ``sample(Operand((3, 4)), axis=0)``."""
    return Sample(args, params)


@dataclass(frozen=True, slots=True, eq=False)
class Primitive:
    """An operation that the engine knows how to differentiate.

    Attributes
    ----------
    name : str
        As users know it, such as ``"tanh"``.
    kind : str
        ``"elementwise"``, ``"linear"``, ``"bilinear"`` or ``"general"``.
    function : callable
        The NumPy function that dispatches to this primitive, or the implementation itself.
    implementation : callable
        What runs on bare arrays.
    jvp : callable
        ``jvp(traced, ans, args, params, tangents) -> tangent of ans``; `traced` holds the places
        of the differentiated arguments and `tangents` their tangents.
    vjp : callable
        ``vjp(traced, ans, args, params, cotangent) -> cotangents`` of the traced arguments, None
        where there is no dependence.
    samples : tuple of Sample
        Calls inside the domain of smoothness; the test-suite checks the rule on each.
    convention : str
        What is returned at points where the function has no derivative.
    arguments : Arguments
        The arguments of `function` that the rule understands.
    constants : tuple of (int, str)
        Place and name of the arguments in which no derivative is known: a tensor is refused there.
    reads : bool
        Whether the rule depends on the values of the arguments, not on shapes and dtypes alone.
    """

    name: str
    kind: str
    function: Callable[..., Any]
    implementation: Callable[..., Any]
    jvp: Callable[..., Any]
    vjp: Callable[..., Sequence[Any]]
    samples: tuple[Sample, ...]
    convention: str = ""
    arguments: Arguments = field(default_factory=Arguments)
    constants: tuple[tuple[int, str], ...] = ()
    reads: bool = True

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Apply the operation to arrays, numbers and tensors; by keyword come constants only."""
        if params or self.constants:
            self._check_constants(args, params)
        return bind(self, args, params)

    def _check_constants(self, args: Sequence[Any], params: dict[str, Any]) -> None:
        for place, name in self.constants:
            if isinstance(args[place], Tracer):
                raise NotDifferentiableError(
                    f"{self.name} has no derivative rule in {name}; hand it a plain number or "
                    "array there, or cut the derivative with stop_gradient"
                )
        for name, value in params.items():
            if isinstance(value, Tracer):
                raise NotDifferentiableError(
                    f"{self.name} got a tensor for {name}=, where its rule does not look; hand it "
                    "in by position, or cut its derivative with stop_gradient"
                )


@dataclass(frozen=True, slots=True, eq=False)
class Composite:
    """A NumPy function written in terms of others. The fields are those of `Primitive`.

    A traced value is to be that of `function` to the last bit. Where the implementation
    `rounds_differently`, its results keep their derivatives and take the values of `function`.
    """

    name: str
    function: Callable[..., Any]
    implementation: Callable[..., Any]
    samples: tuple[Sample, ...]
    convention: str = ""
    arguments: Arguments = field(default_factory=Arguments)
    rounds_differently: bool = False
    kind: str = "composite"

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Apply the function to arrays, numbers and tensors."""
        results = self.implementation(*args, **params)
        if not self.rounds_differently:
            return results
        args, params = optree.tree_map(strip, (args, params))
        return optree.tree_map(_with_value, results, self.function(*args, **params))


def composite(
    function: Callable[..., Any],
    implementation: Callable[..., Any],
    samples: Sequence[Sample],
    convention: str = "",
    *,
    rounds_differently: bool = False,
) -> Composite:
    """Declare a NumPy function by an implementation in terms of functions of the table.

    The parameters of `implementation` say which of the arguments of `function` are supported; all
    others are refused when they are given. `rounds_differently` says that its values may differ
    from those of `function`, see `Composite`.
    """
    return Composite(
        name=_name(function),
        function=function,
        implementation=implementation,
        samples=tuple(samples),
        convention=convention,
        arguments=Arguments.of(implementation),
        rounds_differently=rounds_differently,
    )


def elementwise(
    function: Callable[..., Any],
    *partials: Callable[..., Any] | int | None,
    implementation: Callable[..., Any] | None = None,
    domain: Domain | Sequence[Domain] = REAL,
    samples: Sequence[Sample] | None = None,
    convention: str = "",
) -> Primitive:
    """Declare a function applied element by element, with broadcasting.

    Parameters
    ----------
    function : callable
        A NumPy ufunc, or any function with its manners.
    *partials : callable or int
        One for each argument: the partial derivative as an expression in ``(ans, *args)``, or the
        integer 1, -1 or 0 where it is that constant, or None where none is known.
    implementation : callable, optional
        What runs on bare arrays, where that is not `function` itself.
    domain : Domain or sequence of Domain
        Where the function is smooth, for all arguments or one by one.
    samples : sequence of Sample, optional
        In place of those drawn from `domain`, where not every argument is to be differentiated.
    convention : str, optional
        See `Primitive`.
    """

    def jvp(
        traced: Sequence[int], ans: Any, args: Sequence[Any], params: dict, tangents: Sequence[Any]
    ) -> Any:
        total = None
        for i, tangent in zip(traced, tangents, strict=True):
            term = times[i](tangent, ans, args)
            total = term if total is None else total + term
        return broadcast_like(total, ans)

    def vjp(
        traced: Sequence[int], ans: Any, args: Sequence[Any], params: dict, cotangent: Any
    ) -> Sequence[Any]:
        return [unbroadcast(times[i](cotangent, ans, args), args[i]) for i in traced]

    times = [_times(partial) for partial in partials]
    domains = [domain] * len(partials) if isinstance(domain, Domain) else list(domain)
    return Primitive(
        name=_name(function),
        kind="elementwise",
        function=function,
        implementation=implementation or function,
        jvp=jvp,
        vjp=vjp,
        samples=_broadcasting_samples(domains) if samples is None else tuple(samples),
        convention=convention,
        arguments=Arguments(len(partials), len(partials), frozenset()),
        constants=_constants(partials),
        reads=not all(isinstance(partial, int) for partial in partials),
    )


def linear(
    function: Callable[..., Any],
    transpose: Callable[..., Any],
    samples: Sequence[Sample],
    implementation: Callable[..., Any] | None = None,
) -> Primitive:
    """Declare a function that is linear in its first argument; the others are parameters.

    Parameters
    ----------
    function : callable
        ``function(x, *rest, **params)``.
    transpose : callable
        ``transpose(cotangent, x, *rest, **params)`` -> array like `x`: the transposed map. Its
        parameters say which of the arguments of `function` are supported.
    samples : sequence of Sample
        See `Primitive`.
    implementation : callable, optional
        What runs on bare arrays, where that is not `function` itself.
    """

    def jvp(
        traced: Sequence[int], ans: Any, args: Sequence[Any], params: dict, tangents: Sequence[Any]
    ) -> Any:
        if traced != [0]:
            raise not_linear(traced)
        return primitive(tangents[0], *args[1:], **params)

    def vjp(
        traced: Sequence[int], ans: Any, args: Sequence[Any], params: dict, cotangent: Any
    ) -> Sequence[Any]:
        if traced != [0]:
            raise not_linear(traced)
        return [transpose(cotangent, *args, **params)]

    def not_linear(traced: Sequence[int]) -> NotDifferentiableError:
        return NotDifferentiableError(
            f"{primitive.name} is known as linear in its first argument, and differentiated in "
            f"argument {traced[-1] + 1}; cut that derivative with stop_gradient, or declare the "
            "function in all of its arguments"
        )

    primitive = Primitive(
        name=_name(function),
        kind="linear",
        function=function,
        implementation=implementation or function,
        jvp=jvp,
        vjp=vjp,
        samples=tuple(samples),
        arguments=Arguments.of(transpose, skip=1),
    )
    return primitive


def bilinear(
    function: Callable[..., Any],
    transpose_left: Callable[..., Any],
    transpose_right: Callable[..., Any],
    samples: Sequence[Sample],
) -> Primitive:
    """Declare a function that is linear in each of its two arguments.

    The transposes are ``transpose(cotangent, x, y, **params)`` -> array like `x` (like `y`), or
    one still to be summed over the axes along which that was repeated.
    """
    transposes = (transpose_left, transpose_right)

    def jvp(
        traced: Sequence[int], ans: Any, args: Sequence[Any], params: dict, tangents: Sequence[Any]
    ) -> Any:
        x, y = args
        terms = [
            primitive(tangent, y, **params) if i == 0 else primitive(x, tangent, **params)
            for i, tangent in zip(traced, tangents, strict=True)
        ]
        return terms[0] if len(terms) == 1 else terms[0] + terms[1]

    def vjp(
        traced: Sequence[int], ans: Any, args: Sequence[Any], params: dict, cotangent: Any
    ) -> Sequence[Any]:
        return [unbroadcast(transposes[i](cotangent, *args, **params), args[i]) for i in traced]

    primitive = Primitive(
        name=_name(function),
        kind="bilinear",
        function=function,
        implementation=function,
        jvp=jvp,
        vjp=vjp,
        samples=tuple(samples),
        arguments=Arguments.of(transpose_left, skip=1),
    )
    return primitive


def general(
    function: Callable[..., Any],
    jvp: Callable[..., Any],
    vjp: Callable[..., Sequence[Any]],
    samples: Sequence[Sample],
    convention: str = "",
    signature: Callable[..., Any] | None = None,
) -> Primitive:
    """Declare a function by an explicit jvp and vjp, with the signatures given in `Primitive`.

    The parameters of `signature` say which of the arguments of `function` are supported, where
    that is not all of them.
    """
    return Primitive(
        name=_name(function),
        kind="general",
        function=function,
        implementation=function,
        jvp=jvp,
        vjp=vjp,
        samples=tuple(samples),
        convention=convention,
        arguments=Arguments.of(signature or function),
    )


def unbroadcast(cotangent: Any, x: Any) -> Any:
    """Undo broadcasting: sum `cotangent` over the axes along which `x` was repeated."""
    shape, given = x.shape, cotangent.shape
    if given != shape:
        extra = len(given) - len(shape)
        repeated = [i + extra for i, n in enumerate(shape) if n == 1 != given[i + extra]]
        cotangent = cotangent.sum((*range(extra), *repeated), keepdims=not extra)
        if extra and repeated:
            cotangent = cotangent.reshape(shape)
    return cotangent if cotangent.dtype == x.dtype else cotangent.astype(x.dtype)


def broadcast_like(tangent: Any, ans: Any) -> Any:
    """Give a tangent the shape and dtype of the value it belongs to."""
    if tangent.shape != ans.shape:
        tangent = np.broadcast_to(tangent, ans.shape)
    return tangent if tangent.dtype == ans.dtype else tangent.astype(ans.dtype)


def match_dtype(derivative: Any, x: Any) -> Any:
    """Cast a derivative to the dtype of `x`, where operands of two dtypes were mixed."""
    dtype = getattr(x, "dtype", None)
    if dtype is None or derivative.dtype == dtype:
        return derivative
    return derivative.astype(dtype)


def in_common_dtype(result: Any, *operands: Any) -> Any:
    """A result in the dtype that its operands have in common; Python's numbers are weak."""
    return np.asarray(result, np.result_type(*operands))[()]


def double(constant: Any) -> Any:
    """A constant as float64, so that sums and products of constants are not rounded to float32."""
    return np.asarray(constant, float)[()]


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of an array, a tensor or a Python number."""
    return getattr(x, "shape", ())


def as_array(x: Any) -> Any:
    """An array of whatever is not a tensor, if it is one of real numbers."""
    return x if isinstance(x, Tracer) else as_operand(np.asarray(x))


def as_operand(x: Any) -> Any:
    """Turn a list or tuple of numbers into an array, as NumPy does; refuse what is no operand."""
    return x if isinstance(x, Tracer) or is_plain(x) else made_plain(x)


def strip(x: Any) -> Any:
    """The bare value beneath all levels."""
    while isinstance(x, Tracer):
        x = x.value
    return x


def _with_value(x: Any, value: Any) -> Any:
    """The tensor x with another bare value; of the same dtype, if both are floating."""
    if isinstance(x, Tracer):
        return x.__class__(_with_value(x.value, value), x.level, x.node)
    if not is_plain(x):  # a container, which could hold a tensor
        raise refused(x)
    return match_dtype(value, x) if value.dtype.kind == x.dtype.kind == "f" else value


def _name(function: Callable[..., Any]) -> str:
    return function.__name__.lstrip("_")


def _constants(partials: Sequence[Any]) -> tuple[tuple[int, str], ...]:
    """Place and name of the arguments without a partial derivative; the others' tell the names."""
    places = [i for i, partial in enumerate(partials) if partial is None]
    if not places:
        return ()
    _, *names = inspect.signature(next(filter(callable, partials))).parameters
    return tuple((i, names[i]) for i in places)


def _times(partial: Any) -> Callable[[Any, Any, Any], Any]:
    """Make the multiplication of a derivative by a partial derivative."""
    if partial == 0:
        return lambda derivative, ans, args: np.zeros(derivative.shape, derivative.dtype)
    if partial == 1:
        return lambda derivative, ans, args: derivative
    if partial == -1:
        return lambda derivative, ans, args: -derivative
    return lambda derivative, ans, args: derivative * partial(ans, *args)


def samples_with(*rows: tuple[Any, ...], domain: Domain = REAL) -> tuple[Sample, ...]:
    """Sample calls of which all arguments but the last are constants, a row of them each.

    The constants are float32, so that they leave the operand its own dtype: some of SciPy's
    functions take Python's numbers for float64.
    """
    shapes = itertools.cycle([(3,), (), (2, 1)])
    return tuple(
        Sample((*map(np.float32, row), Operand(shape, domain)))
        for row, shape in zip(rows, shapes, strict=False)
    )


def _broadcasting_samples(domains: Sequence[Domain]) -> tuple[Sample, ...]:
    """Calls whose operands broadcast against each other in every way that NumPy knows."""
    shapes: list[list[tuple[int, ...]]] = [
        [(), (), ()],
        [(3,), (3,), (3,)],
        [(2, 3), (3,), (2, 1)],
        [(), (4,), (1,)],
        [(2, 1, 3), (4, 1), (1, 1, 1)],
    ]
    return tuple(
        Sample(tuple(Operand(s, d) for s, d in zip(row, domains, strict=False))) for row in shapes
    )
