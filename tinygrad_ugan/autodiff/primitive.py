"""The primitive: one record that serves the implementation, both modes, the tests and the docs.

A primitive is declared by what it is mathematically, and both modes follow:

============== ==================================== =======================================
kind           declared by                          examples
============== ==================================== =======================================
`elementwise`  its partial derivatives              exp, multiply, maximum
`linear`       its transpose (in the first operand) sum, reshape, indexing
`bilinear`     its two transposes                   matmul
`general`      an explicit jvp and vjp              where, concatenate, solve
============== ==================================== =======================================

`unary` declares a `general` one that differentiates in its first argument alone, such as inv or
softmax, by what it does to a tangent and to a cotangent.

A `Composite` has no rule: it is written in terms of primitives, and its derivatives follow.

Rules are written with NumPy's own functions and operators. These differentiate, so that a rule is
its own higher-order rule.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import optree

from tinygrad_ugan.autodiff.core import Params, bind
from tinygrad_ugan.autodiff.operands import (
    broadcast_like,
    is_differentiated,
    is_plain,
    match_dtype,
    unbroadcast,
    unsupported_operand,
    untrace,
)
from tinygrad_ugan.autodiff.samples import REAL, Domain
from tinygrad_ugan.autodiff.signatures import Signature
from tinygrad_ugan.autodiff.vector_forms import VectorForm, register, ufunc_form
from tinygrad_ugan.errors import NotDifferentiableError


@dataclass(frozen=True, slots=True, eq=False)
class Primitive:
    """An operation that the engine knows how to differentiate.

    Attributes
    ----------
    name : str
        The public name, such as ``"tanh"``.
    kind : str
        ``"elementwise"``, ``"linear"``, ``"bilinear"`` or ``"general"``.
    function : callable
        The NumPy function that dispatches to this primitive, or the implementation itself.
    implementation : callable
        The function itself, on bare arrays.
    jvp : callable
        ``jvp(traced, ans, args, params, tangents) -> tangent of ans``; `traced` holds the positions
        of the differentiated arguments and `tangents` their tangents.
    vjp : callable
        ``vjp(traced, ans, args, params, cotangent) -> cotangents`` of the traced arguments, None
        where there is no dependence.
    domains : tuple of Domain
        Of an elementwise function: where it is smooth, argument by argument.
    convention : str
        The value returned at points where the function has no derivative.
    signature : Signature
        The arguments of `function` that the rule understands.
    constants : tuple of (int, str)
        Place and name of the arguments in which no derivative is known: a tensor is refused there.
    reads : bool
        Whether the rule depends on the values of the arguments, not on shapes and dtypes alone.
    multiple_results : bool
        Whether `implementation` returns a tuple. Then `jvp` returns one tangent for each result,
        and `vjp` takes a list of their cotangents, None for a result that nothing depends on.
    is_composed : bool
        Whether `implementation` is written in functions of the table, and so can be recorded as
        what it is made of.
    vector : callable, optional
        ``vector(e, *args)``, the function in terms of vector arithmetic, for compilers: see
        `tinygrad_ugan.autodiff.vector_forms`.
    """

    name: str
    kind: str
    function: Callable[..., Any]
    implementation: Callable[..., Any]
    jvp: Callable[..., Any]
    vjp: Callable[..., Sequence[Any]]
    domains: tuple[Domain, ...] = ()
    convention: str = ""
    signature: Signature = field(default_factory=Signature)
    constants: tuple[tuple[int, str], ...] = ()
    reads: bool = True
    multiple_results: bool = False
    is_composed: bool = False
    vector: VectorForm | None = None

    def __post_init__(self) -> None:
        """Let the vector form be found by the implementation, which is what programs call."""
        if self.vector is not None:
            register(self.implementation, self.vector)

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Apply the operation to arrays, numbers and tensors; by keyword come constants only."""
        if params or self.constants:
            self._check_constants(args, params)
        return bind(self, args, params)

    def _check_constants(self, args: Sequence[Any], params: dict[str, Any]) -> None:
        for place, name in self.constants:
            if is_differentiated(args[place]):
                raise NotDifferentiableError(
                    f"{self.name} has no derivative rule in {name}; hand it a plain number or "
                    "array there, or cut the derivative with stop_gradient"
                )
        for name, value in params.items():
            if is_differentiated(value):
                raise NotDifferentiableError(
                    f"{self.name} got a tensor for {name}=, where its rule does not look; hand it "
                    "in by position, or cut its derivative with stop_gradient"
                )


class Memo:
    """Memory that one evaluation of a primitive leaves to the derivatives of the same evaluation.

    It goes from rule to rule among the parameters, and a rule must be able to do without. A program
    that is run many times makes a fresh one for every run.
    """

    __slots__ = ()

    def fresh(self) -> Memo:
        """Return an empty one of the same kind."""
        return type(self)()


@dataclass(frozen=True, slots=True, eq=False)
class Composite:
    """A NumPy function written in terms of others; the fields are those of `Primitive`.

    The value of a traced call equals that of `function` to the last bit. If the implementation
    `rounds_differently`, its results keep their derivatives but take the values of `function`.
    """

    name: str
    function: Callable[..., Any]
    implementation: Callable[..., Any]
    convention: str = ""
    signature: Signature = field(default_factory=Signature)
    rounds_differently: bool = False
    vector: VectorForm | None = None
    kind: str = "composite"

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Apply the function to arrays, numbers and tensors."""
        results = self.implementation(*args, **params)
        if not self.rounds_differently:
            return results
        args, params = optree.tree_map(untrace, (args, params))
        return optree.tree_map(_with_value, results, self.function(*args, **params))


def composite(
    function: Callable[..., Any],
    implementation: Callable[..., Any],
    convention: str = "",
    *,
    rounds_differently: bool = False,
    vector: VectorForm | None = None,
) -> Composite:
    """Declare a NumPy function by an implementation in terms of functions of the table.

    The parameters of `implementation` say which of the arguments of `function` are supported; all
    others are refused when they are given. `rounds_differently` says that its values may differ
    from those of `function`, see `Composite`; for `vector`, see `Primitive`.
    """
    return Composite(
        name=_name(function),
        function=function,
        implementation=implementation,
        convention=convention,
        signature=Signature.of(implementation),
        rounds_differently=rounds_differently,
        vector=vector,
    )


def elementwise(
    function: Callable[..., Any],
    *partials: Callable[..., Any] | int | None,
    implementation: Callable[..., Any] | None = None,
    domain: Domain | Sequence[Domain] = REAL,
    convention: str = "",
    vector: VectorForm | None = None,
) -> Primitive:
    """Declare a function applied element by element, with broadcasting.

    Parameters
    ----------
    function : callable
        A NumPy ufunc, or any function that broadcasts like one.
    *partials : callable or int
        One for each argument: the partial derivative as an expression in ``(ans, *args)``, or the
        integer 1, -1 or 0 where it is that constant, or None where none is known.
    implementation : callable, optional
        The function on bare arrays, if that is not `function` itself.
    domain : Domain or sequence of Domain
        The intervals on which the function is smooth, for all arguments or one by one.
    convention : str, optional
        See `Primitive`.
    vector : callable, optional
        See `Primitive`; by default that of the ufunc, if it is in vector arithmetic.
    """

    def jvp(
        traced: Sequence[int],
        ans: Any,
        args: Sequence[Any],
        params: Params,
        tangents: Sequence[Any],
    ) -> Any:
        total = None
        for i, tangent in zip(traced, tangents, strict=True):
            term = times[i](tangent, ans, args)
            total = term if total is None else total + term
        return broadcast_like(total, ans)

    def vjp(
        traced: Sequence[int], ans: Any, args: Sequence[Any], params: Params, cotangent: Any
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
        domains=tuple(domains),
        convention=convention,
        signature=Signature(len(partials), len(partials), frozenset()),
        constants=_constants(partials),
        reads=not all(isinstance(partial, int) for partial in partials),
        vector=vector or ufunc_form(function),
    )


def linear(
    function: Callable[..., Any],
    transpose: Callable[..., Any],
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
    implementation : callable, optional
        The function on bare arrays, if that is not `function` itself.
    """

    def jvp(
        traced: Sequence[int],
        ans: Any,
        args: Sequence[Any],
        params: Params,
        tangents: Sequence[Any],
    ) -> Any:
        if traced != [0]:
            raise not_linear(traced)
        return primitive(tangents[0], *args[1:], **params)

    def vjp(
        traced: Sequence[int], ans: Any, args: Sequence[Any], params: Params, cotangent: Any
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
        signature=Signature.of(transpose, skip=1),
    )
    return primitive


def bilinear(
    function: Callable[..., Any],
    transpose_left: Callable[..., Any],
    transpose_right: Callable[..., Any],
    implementation: Callable[..., Any] | None = None,
    *,
    is_composed: bool = False,
) -> Primitive:
    """Declare a function that is linear in each of its two arguments.

    The transposes are ``transpose(cotangent, x, y, **params)`` -> array like `x` (like `y`), or
    one still to be summed over the axes along which that was repeated. The implementation is the
    function on bare arrays, if that is not `function` itself. For `is_composed`, see `Primitive`.
    """
    transposes = (transpose_left, transpose_right)

    def jvp(
        traced: Sequence[int],
        ans: Any,
        args: Sequence[Any],
        params: Params,
        tangents: Sequence[Any],
    ) -> Any:
        x, y = args
        terms = [
            primitive(tangent, y, **params) if i == 0 else primitive(x, tangent, **params)
            for i, tangent in zip(traced, tangents, strict=True)
        ]
        return terms[0] if len(terms) == 1 else terms[0] + terms[1]

    def vjp(
        traced: Sequence[int], ans: Any, args: Sequence[Any], params: Params, cotangent: Any
    ) -> Sequence[Any]:
        return [unbroadcast(transposes[i](cotangent, *args, **params), args[i]) for i in traced]

    primitive = Primitive(
        name=_name(function),
        kind="bilinear",
        function=function,
        implementation=implementation or function,
        jvp=jvp,
        vjp=vjp,
        signature=Signature.of(transpose_left, skip=1),
        is_composed=is_composed,
    )
    return primitive


def unary(
    function: Callable[..., Any],
    push: Callable[..., Any],
    pull: Callable[..., Any],
    convention: str = "",
    *,
    multiple_results: bool = False,
    is_composed: bool = False,
) -> Primitive:
    """Declare a function that differentiates in its first argument, by an explicit jvp and vjp.

    With t for the tangent of x and g for the cotangent of the result, ``push(t, ans, x, *rest,
    **params)`` is the tangent of the result, and ``pull(g, ans, x, *rest, **params)`` the cotangent
    of x. For the other arguments, see `Primitive`.
    """

    def jvp(
        traced: Sequence[int],
        ans: Any,
        args: Sequence[Any],
        params: Params,
        tangents: Sequence[Any],
    ) -> Any:
        return push(tangents[0], ans, *args, **params)

    def vjp(
        traced: Sequence[int], ans: Any, args: Sequence[Any], params: Params, cotangent: Any
    ) -> Sequence[Any]:
        return [pull(cotangent, ans, *args, **params)]

    primitive = general(function, jvp, vjp, convention, multiple_results=multiple_results)
    return replace(primitive, is_composed=is_composed)


def general(
    function: Callable[..., Any],
    jvp: Callable[..., Any],
    vjp: Callable[..., Sequence[Any]],
    convention: str = "",
    signature: Callable[..., Any] | None = None,
    *,
    multiple_results: bool = False,
    vector: VectorForm | None = None,
) -> Primitive:
    """Declare a function by an explicit jvp and vjp, with the signatures given in `Primitive`.

    The parameters of `signature` say which of the arguments of `function` are supported, where
    that is not all of them. For `vector`, see `Primitive`.
    """
    return Primitive(
        name=_name(function),
        kind="general",
        function=function,
        implementation=function,
        jvp=jvp,
        vjp=vjp,
        convention=convention,
        signature=Signature.of(signature or function),
        multiple_results=multiple_results,
        vector=vector,
    )


def _with_value(x: Any, value: Any) -> Any:
    """Replace the bare value of x, cast to its dtype if both are floating."""
    if is_differentiated(x):
        return x.__class__(_with_value(x.value, value), x.level, x.node)
    if not is_plain(x):  # a container, which could hold a tensor
        raise unsupported_operand(x)
    return match_dtype(value, x) if value.dtype.kind == x.dtype.kind == "f" else value


def _name(function: Callable[..., Any]) -> str:
    return function.__name__.lstrip("_")


def _constants(partials: Sequence[Any]) -> tuple[tuple[int, str], ...]:
    """Position and name of the arguments without a partial; the other partials give the names."""
    positions = [i for i, partial in enumerate(partials) if partial is None]
    if not positions:
        return ()
    _, *names = inspect.signature(next(filter(callable, partials))).parameters
    return tuple((i, names[i]) for i in positions)


def _times(partial: Any) -> Callable[[Any, Any, Any], Any]:
    """Return a function that multiplies a tangent or cotangent by a partial derivative."""
    if partial == 0:
        return lambda derivative, ans, args: np.zeros(derivative.shape, derivative.dtype)
    if partial == 1:
        return lambda derivative, ans, args: derivative
    if partial == -1:
        return lambda derivative, ans, args: -derivative
    return lambda derivative, ans, args: derivative * partial(ans, *args)
