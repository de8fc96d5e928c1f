"""User-defined rules: `custom_vjp` for a whole function, `primitive` for an operation, and
`elementwise` for one that is a compiled function of numbers.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optree

from tinygrad_ugan.autodiff.call_tracing import TracedCall, uses_traced_value
from tinygrad_ugan.autodiff.defensive_copies import isolated
from tinygrad_ugan.autodiff.primitive import Primitive, bilinear, general, linear
from tinygrad_ugan.autodiff.primitive import elementwise as of_partials
from tinygrad_ugan.autodiff.pytrees import match_leaves, zeros_of
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NotDifferentiableError


def custom_vjp(f: Callable[..., Any]) -> CustomFunction:
    """Give a function a custom pullback; a decorator, used as in JAX.

    ``defvjp(fwd, bwd)`` of the result sets the rule. Under reverse mode ``fwd(*args)`` runs in
    place of `f` and returns ``(out, residuals)``; on the way back ``bwd(residuals, cotangent)``
    returns a tuple with the cotangent of every argument. Higher derivatives are those of the code
    of `fwd` and `bwd`.

    Parameters
    ----------
    f : callable
        ``f(*args)`` of pytrees. It runs where nothing is differentiated.

    Returns
    -------
    CustomFunction
        Takes what `f` takes and returns what it returns.

    Raises
    ------
    NotDifferentiableError
        When called: under forward mode, for which there is no rule (forward over reverse, as in
        `hvp`, works if `fwd` does not call the function itself); without a rule; or if `fwd` uses
        a traced value that is not among its arguments.
    ArgumentError, ArgumentTypeError
        When called: if `fwd` or `bwd` returns something of another structure or shape.

    Examples
    --------
    A gradient clipped on its way back:

    >>> import numpy as np
    >>> import tinygrad_ugan as ug
    >>> @ug.custom_vjp
    ... def clip_gradient(x):
    ...     return x
    >>> clip_gradient.defvjp(lambda x: (x, None), lambda residuals, g: (np.minimum(g, 1),))
    >>> ug.grad(lambda x: np.sum(5 * clip_gradient(x)))(np.zeros(2))
    array([1., 1.])
    """
    return CustomFunction(f)


class CustomFunction:
    """A function with a custom pullback; made by `custom_vjp`."""

    def __init__(self, f: Callable[..., Any]) -> None:
        functools.update_wrapper(self, f)
        self._f = f
        self._name = getattr(f, "__name__", "f")
        self._rule: tuple[Callable[..., Any], Callable[..., Any]] | None = None

    def defvjp(
        self, fwd: Callable[..., tuple[Any, Any]], bwd: Callable[[Any, Any], Sequence[Any]]
    ) -> None:
        """Set the rule.

        Parameters
        ----------
        fwd : callable
            ``fwd(*args) -> (out, residuals)``; the residuals are whatever `bwd` needs.
        bwd : callable
            ``bwd(residuals, cotangent) -> tuple``, for each argument a pytree like it, or None
            for zero.
        """
        self._rule = isolated(fwd), isolated(bwd)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluate the function."""
        if kwargs:
            bound = inspect.signature(self._f).bind(*args, **kwargs)
            bound.apply_defaults()
            args = bound.args
        leaves, treedef = optree.tree_flatten(args)
        traced = TracedCall(leaves)
        if traced.level == 0:
            return self._f(*args)
        fwd, bwd = self._rule_for(traced)
        values = optree.tree_unflatten(treedef, traced.values)
        result = fwd(*values)
        if not (isinstance(result, tuple) and len(result) == 2):
            raise ArgumentTypeError(
                f"fwd of {self._name}",
                type(result).__name__,
                "a function that returns (out, residuals)",
            )
        out, residuals = result
        if traced.reaches(out):
            raise uses_traced_value(self._name)
        out_treedef = optree.tree_structure(out)

        def pullback(cotangents: list[Any]) -> Sequence[Any]:
            pulled = bwd(residuals, optree.tree_unflatten(out_treedef, cotangents))
            flat = self._flatten_pulled(pulled, values)
            primals = [traced.values[i] for i in traced.positions]
            found = [
                zeros_of(x) if flat[i] is None else flat[i]
                for i, x in zip(traced.positions, primals, strict=True)
            ]
            return match_leaves(
                f"bwd of {self._name}", found, primals, optree.tree_structure(primals)
            )

        return traced.record(out, pullback)

    def _rule_for(self, traced: TracedCall) -> tuple[Callable[..., Any], Callable[..., Any]]:
        if traced.is_forward:
            raise NotDifferentiableError(
                f"{self._name} has a custom_vjp, which is a rule for reverse mode only; use grad "
                "or vjp, or give it both modes with ug.primitive"
            )
        if self._rule is None:
            raise NotDifferentiableError(
                f"{self._name} is a custom_vjp without a rule; call {self._name}.defvjp(fwd, bwd)"
            )
        return self._rule

    def _flatten_pulled(self, pulled: Any, args: tuple[Any, ...]) -> list[Any]:
        """Flatten the cotangents of `args`; None stands for zero."""
        name = f"bwd of {self._name}"
        if not (isinstance(pulled, tuple | list) and len(pulled) == len(args)):
            given = f"{len(pulled)}" if isinstance(pulled, tuple | list) else type(pulled).__name__
            raise ArgumentError(name, given, f"a tuple of {len(args)} cotangents, one an argument")
        flat: list[Any] = []
        for cotangent, arg in zip(pulled, args, strict=True):
            treedef = optree.tree_structure(arg)
            if cotangent is None:
                flat += [None] * treedef.num_leaves
                continue
            try:
                flat += treedef.flatten_up_to(cotangent)
            except ValueError as error:
                given = str(optree.tree_structure(cotangent))
                raise ArgumentError(name, given, f"the structure {treedef}") from error
        return flat


def primitive(
    implementation: Callable[..., Any] | None = None,
    *,
    partials: Sequence[Callable[..., Any]] | None = None,
    transpose: Callable[..., Any] | None = None,
    transposes: tuple[Callable[..., Any], Callable[..., Any]] | None = None,
    jvp: Callable[..., Any] | None = None,
    vjp: Callable[..., Sequence[Any]] | None = None,
    vector: Callable[..., Any] | None = None,
) -> Any:
    """Make an operation that the engine knows how to differentiate, in both modes, to any order.

    Say what the operation is mathematically by one of four ways. All rules are to be written with
    NumPy's functions and operators, or other primitives: these differentiate, and so the rule is
    its own higher-order rule. The arrays that they are handed are copies, theirs to write to.

    Parameters
    ----------
    implementation : callable
        The function on bare arrays, ``implementation(*args, **params)``. Omitted in the use as a
        decorator.
    partials : sequence of callable
        For a function applied element by element: one partial derivative for each argument, as an
        expression in ``(ans, *args)``.
    transpose : callable
        For a function linear in its first argument: ``transpose(cotangent, x, *rest, **params)``,
        the transposed map.
    transposes : pair of callable
        For a function linear in each of its two arguments: ``transpose(cotangent, x, y,
        **params)``, the cotangent of x and that of y.
    jvp, vjp : callable
        For any other: ``jvp(traced, ans, args, params, tangents)``, the tangent of `ans`, where
        `traced` holds the positions of the differentiated arguments and `tangents` their tangents;
        and ``vjp(traced, ans, args, params, cotangent)``, the list of their cotangents.
    vector : callable, optional
        For a function applied element by element: ``vector(e, *args)``, the function in terms of
        operators and of functions of `e` by NumPy's names, such as ``e.exp`` and ``e.where``, so
        that it can be part of a kernel. See `tinygrad_ugan.autodiff.vector_forms`.

    Returns
    -------
    Primitive or decorator
        Call the primitive with arrays, numbers and tensors; keyword arguments are constants.

    Raises
    ------
    ArgumentError
        Unless exactly one of the four is given; and for `vector` without `partials`.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_ugan as ug
    >>> @ug.primitive(partials=[lambda ans, x: ans * (1 - ans)])
    ... def logistic(x):
    ...     return 1 / (1 + np.exp(-x))
    >>> float(ug.grad(logistic)(0.0)), float(ug.grad(ug.grad(logistic))(0.0))
    (0.25, 0.0)

    >>> reverse = ug.primitive(lambda x: x[::-1], transpose=lambda g, x: reverse(g))
    >>> ug.grad(lambda x: reverse(x)[0])(np.zeros(3))
    array([0., 0., 1.])
    """
    rules = {"partials": partials, "transpose": transpose, "transposes": transposes}
    given = [name for name, rule in rules.items() if rule is not None]
    given += [name for name, rule in (("jvp", jvp), ("vjp", vjp)) if rule is not None]
    if given not in (["partials"], ["transpose"], ["transposes"], ["jvp", "vjp"]):
        raise ArgumentError(
            "primitive",
            " and ".join(given) or "no rule",
            "one way of saying what it is: partials=, transpose=, transposes=, or jvp= and vjp=",
        )
    if vector is not None and partials is None:
        raise ArgumentError("vector", given[0], "partials=: it is of functions of single elements")

    def declare(function: Callable[..., Any]) -> Primitive:
        @functools.wraps(function)
        def numbers(*args: Any, **params: Any) -> Any:
            out = function(*args, **params)
            return out if hasattr(out, "dtype") else np.asarray(out)[()]  # math.erf and its like

        bare = isolated(numbers)
        if jvp is not None and vjp is not None:
            return general(bare, isolated(jvp), isolated(vjp))
        if transpose is not None:
            return linear(bare, isolated(transpose))
        if transposes is not None:
            left, right = map(isolated, transposes)
            return bilinear(bare, left, right)
        return of_partials(bare, *map(isolated, partials or ()), vector=vector)

    return declare if implementation is None else declare(implementation)


def elementwise(
    f: Callable[..., Any] | None = None,
    derivative: Callable[..., Any] | Sequence[Callable[..., Any]] | None = None,
) -> Any:
    """Make an elementwise operation of a scalar Python function, compiled by numba.

    It takes arrays, numbers and tensors, with broadcasting, and differentiates in both modes, to
    any order. float32 stays float32, and whole numbers become float64. Branches and arithmetic run
    at the speed of vector code; functions such as exp are called number by number, for which NumPy
    is often faster.

    Parameters
    ----------
    f : callable
        ``f(*numbers)``, a function of one or more numbers that returns a number, in the part of
        Python and NumPy that numba compiles, which happens on the first call for each dtype. What
        it reads from outside is a constant from then on. Omitted in the use as a decorator.
    derivative : callable, or sequence of callable
        ``derivative(*arguments)``, the derivative as a function of arrays, written with NumPy's
        functions or others like this one. For an `f` of several numbers a sequence, one partial
        derivative for each.

    Returns
    -------
    Primitive or decorator
        Call the primitive with arrays, numbers and tensors.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If `f` is no function of one or more numbers, or has not one derivative for each; and when
        called, if numba cannot compile it, or for arguments of other dtypes.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_ugan as ug
    >>> @ug.elementwise(derivative=lambda x: np.where(x > 0, 2 * x, 0))
    ... def squared_relu(x):
    ...     return x * x if x > 0 else 0.0
    >>> x = np.array([-1.0, 3.0])
    >>> squared_relu(x)
    array([0., 9.])
    >>> ug.grad(lambda x: np.sum(squared_relu(x)))(x)
    array([0., 6.])

    A function that is its own derivative:

    >>> growth = ug.elementwise(lambda t: 1.05**t, lambda t: np.log(1.05) * growth(t))
    >>> round(float(ug.grad(ug.grad(growth))(0.0)), 6)
    0.00238
    """
    if derivative is None:
        raise ArgumentError(
            "derivative", "none", "derivative=, a function, or a sequence with one an argument"
        )
    partials = [derivative] if callable(derivative) else list(derivative)

    def declare(function: Callable[..., Any]) -> Primitive:
        _check_scalar_function(function, len(partials))

        @functools.cache
        def loops() -> Callable[..., Any]:
            from tinygrad_ugan.kernels.scalar_ufunc import ScalarUfunc  # numba is slow to import

            return ScalarUfunc(function)

        @functools.wraps(function)
        def numbers(*args: Any) -> Any:
            return loops()(*args)

        return of_partials(numbers, *map(_ignoring_the_answer, partials))

    return declare if f is None else declare(f)


def _check_scalar_function(f: Any, derivatives: int) -> None:
    if not inspect.isroutine(f):
        raise ArgumentTypeError("f", type(f).__name__, "a Python function of numbers")
    parameters = inspect.signature(f).parameters.values()
    named = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    if not parameters or any(p.kind not in named for p in parameters):
        given = f"{f.__name__}{inspect.signature(f)}"
        raise ArgumentError("f", given, "a function of a fixed number of numbers, one at least")
    if derivatives != len(parameters):
        expected = f"{len(parameters)}, one for each argument of {f.__name__}"
        raise ArgumentError("derivative", str(derivatives), expected)


def _ignoring_the_answer(derivative: Callable[..., Any]) -> Callable[..., Any]:
    """The derivative as a partial of the table, a function of ``(ans, *args)``."""
    isolated_derivative = isolated(derivative)
    return lambda ans, *args: isolated_derivative(*args)
