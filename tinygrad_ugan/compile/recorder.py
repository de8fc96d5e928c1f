"""The recorder: a function runs once, and the calls on bare arrays beneath it are written down.

The arguments come as `Recorded` values, tracers of level 0. Every transform inside the function
opens a level above them and is gone by the time that its arithmetic arrives here, so that what is
recorded, under any nesting of `grad`, `jvp` and `vjp`, is plain NumPy.

A recorded value knows its number, for the function to run on, and gives it to nobody: a program
serves all numbers. Shapes and dtypes are known.

A step of a loop has a recording of its own, which becomes the body of one instruction.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
import optree

from tinygrad_ugan.autodiff.defensive_copies import private_copy
from tinygrad_ugan.autodiff.operands import is_differentiated
from tinygrad_ugan.autodiff.primitive import Memo
from tinygrad_ugan.autodiff.rules import IN_PLACE
from tinygrad_ugan.autodiff.scan_rules import Leaves, Results, Step, row, unrolled
from tinygrad_ugan.autodiff.tensor import Tensor
from tinygrad_ugan.compile.loop import Loop
from tinygrad_ugan.compile.passes import improved
from tinygrad_ugan.compile.program import Instruction, StraightLineProgram, Symbol
from tinygrad_ugan.errors import NotCompilableError, NotDifferentiableError

BLOCKS = range(16, 33)
"""Numbers of steps that the body of a loop may have: every run of it costs several microseconds."""


def _bitwise(ufunc: np.ufunc) -> Callable[[Any, Any], Any]:
    return lambda self, other: ufunc(self, other)


def _number_operator(name: str) -> Callable[..., Any]:
    """An operator by which numbers of Python's stay such, weak beside arrays of float32."""
    is_reflected = not hasattr(operator, name)
    function = getattr(operator, name.replace("__r", "__", 1) if is_reflected else name)

    def method(self: Any, *others: Any) -> Any:
        if self.variable.kind == "number" and all(map(_is_number, others)):
            operands = (*others, self) if is_reflected else (self, *others)
            return self.node.call(function, operands, {}, function.__name__, AS_IT_IS)
        return getattr(Tensor, name)(self, *others)

    return method


def _is_number(x: Any) -> bool:
    """Whether a value is one of Python's floats or ints, or stands for a float."""
    return type(x) in (float, int) or (isinstance(x, Recorded) and x.variable.kind == "number")


class Recorded(Tensor):
    """An array (or NumPy scalar, or Python float) that stands for all values of its shape."""

    __slots__ = ("variable",)

    def __init__(self, value: Any, recording: Recording, variable: Symbol) -> None:
        self.value = value
        self.level = 0
        self.node = recording
        self.variable = variable

    # NumPy's protocols: whatever is under differentiation goes its way, all else is recorded.

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "at" or kwargs.get("out") is not None or _any_differentiated(inputs):
            return super().__array_ufunc__(ufunc, method, *inputs, **kwargs)
        kind = "elementwise" if ufunc.signature is None and method == "__call__" else ""
        if method == "__call__":
            return self.node.call(ufunc, inputs, kwargs, ufunc.__name__, kind)
        name = f"{ufunc.__name__}.{method}"
        return self.node.call(getattr(ufunc, method), inputs, kwargs, name)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: Any, kwargs: dict[str, Any]
    ) -> Any:
        refused = function in IN_PLACE or kwargs.get("out") is not None
        if refused or _any_differentiated((args, kwargs)):
            return super().__array_function__(function, types, args, kwargs)
        if function in _OF_SHAPES:
            return function(*optree.tree_map(_value, args), **kwargs)
        return self.node.call(function, args, kwargs, function.__name__)

    def astype(self, dtype: Any, **kwargs: Any) -> Any:
        """See `numpy.ndarray.astype`."""
        return self.node.call(_astype, (self, np.dtype(dtype)), kwargs, "astype")

    # Attributes that are the same in every run.

    shape = property(lambda self: self.variable.shape, doc="Shape of the array.")
    dtype = property(lambda self: self.variable.dtype, doc="Data type of the elements.")
    ndim = property(lambda self: len(self.variable.shape), doc="Number of axes.")
    size = property(lambda self: self.variable.size, doc="Number of elements.")
    itemsize = property(lambda self: self.variable.dtype.itemsize, doc="Bytes of an element.")
    nbytes = property(lambda self: self.variable.nbytes, doc="Bytes of the elements.")

    def __repr__(self) -> str:
        return f"Recorded({self.variable})"

    __and__, __rand__ = _bitwise(np.bitwise_and), _bitwise(np.bitwise_and)
    __or__, __ror__ = _bitwise(np.bitwise_or), _bitwise(np.bitwise_or)
    __xor__, __rxor__ = _bitwise(np.bitwise_xor), _bitwise(np.bitwise_xor)

    def __invert__(self) -> Any:
        return np.invert(self)

    __neg__, __pos__, __abs__ = map(_number_operator, ("__neg__", "__pos__", "__abs__"))
    __add__, __radd__ = map(_number_operator, ("__add__", "__radd__"))
    __sub__, __rsub__ = map(_number_operator, ("__sub__", "__rsub__"))
    __mul__, __rmul__ = map(_number_operator, ("__mul__", "__rmul__"))
    __truediv__, __rtruediv__ = map(_number_operator, ("__truediv__", "__rtruediv__"))
    __floordiv__, __rfloordiv__ = map(_number_operator, ("__floordiv__", "__rfloordiv__"))
    __mod__, __rmod__ = map(_number_operator, ("__mod__", "__rmod__"))
    __pow__, __rpow__ = map(_number_operator, ("__pow__", "__rpow__"))

    # Ways to a number: all of them raise.

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotCompilableError(
            "a compiled function handed an argument, or what follows from one, to code that needs "
            "its numbers (np.array or np.asarray of it, a[i] with a plain array a, a random "
            "generator, another library): build arrays with ug.array, np.stack or np.concatenate, "
            "hand in an array that is picked from, as well as i, and do the rest outside"
        )

    def __bool__(self) -> NoReturn:
        raise NotCompilableError(
            "a compiled function cannot branch on a number (if, while, and, or, assert): a program "
            "serves all numbers of a shape; use np.where(condition, a, b), np.logical_and and "
            "np.logical_or, or hand in what decides as a Python int, bool or str, which are part "
            "of the program"
        )

    def _leaves(self, *args: Any) -> NoReturn:
        raise NotCompilableError(
            "a compiled function cannot read a number (float(x), int(x), x.item(), range(x)): a "
            "program serves all numbers of a shape; keep it an array (np.sqrt, not math.sqrt), "
            "return it and read it outside, or hand it in as a Python int, which is part of the "
            "program"
        )

    __float__ = __int__ = __index__ = __complex__ = __round__ = __trunc__ = _leaves
    item = tolist = _leaves


class Recording:
    """The instructions of a function that is running, or of a step of a loop in it.

    A step may use values of the recordings around it. What depends on these alone is computed once,
    before the loop; everything else captures them as inputs of the step.
    """

    def __init__(self, around: Recording | None = None) -> None:
        self._instructions: list[Instruction] = []
        self._memos: dict[Memo, Memo] = {}
        self._finished = False
        self._around = around
        self._depth: int = 0 if around is None else around._depth + 1
        self._captured: dict[Any, tuple[Any, Symbol]] = {}

    def record_call(self, primitive: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """Run a primitive on the bare values of recorded ones, and write it down."""
        if primitive.is_composed:
            return primitive.implementation(*args, **params)
        return self.call(primitive.implementation, args, params, primitive.name, primitive.kind)

    def call(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        params: dict[str, Any],
        name: str,
        kind: str = "",
    ) -> Any:
        """Run a function on the bare values of recorded ones, and write it down."""
        if self._finished:
            raise NotCompilableError(
                "a value of a compiled function was kept beyond the call, by a side effect such as "
                "an append to a list outside; return it instead"
            )
        leaves, treedef = optree.tree_flatten((tuple(args), params))
        inner = self._innermost(leaves)
        if inner is not self:
            return inner.call(function, args, params, name, kind)
        _refuse_masks(name, leaves)
        operands = tuple(map(self._operand, leaves))
        args, params = optree.tree_unflatten(treedef, map(_value, leaves))
        state = np.random.get_state()  # noqa: NPY002
        values, out_treedef = optree.tree_flatten(function(*args, **params))
        np.random.set_state(state)  # noqa: NPY002 (SciPy draws numbers for some of its estimates)
        arrays = np.ndarray | np.generic if kind != AS_IT_IS else np.ndarray | np.generic | float
        if not all(isinstance(y, arrays) for y in values):
            raise NotCompilableError(
                f"a compiled function cannot read a number, and {name} returns one of Python's; "
                "use a function that returns an array, such as np.all(x == y) for np.array_equal"
            )
        results = tuple(map(Symbol.like, values))
        several = not out_treedef.is_leaf()
        call = Instruction(
            name, function, operands, treedef, results, several, kind == "elementwise"
        )
        self._instructions.append(call)
        recorded = [Recorded(y, self, v) for y, v in zip(values, results, strict=True)]
        return optree.tree_unflatten(out_treedef, recorded)

    def record_loop(
        self, step: Step, carry: Leaves, xs: Leaves, n: int, first: Results
    ) -> Results | None:
        """Write down a loop of `autodiff.scan_rules` as one instruction.

        Before it come its first steps, one by one, until the parts of the carry are of one kind
        before and after a step, and what is left can be cut into blocks. None if it cannot be done:
        too few steps are left, or a step uses its values otherwise than a program can. If all are
        written down one by one it may, where they are constants.
        """
        outer = self._innermost(optree.tree_leaves((carry, xs, first)))
        try:
            return outer._alike(step, carry, xs, n, first)
        except (NotCompilableError, NotDifferentiableError, TypeError, ValueError):
            return None

    def _alike(
        self, step: Step, carry: Leaves, xs: Leaves, n: int, first: Results
    ) -> Results | None:
        """Write down the first steps, and those that are all alike in blocks."""
        m, before, outs = 0, carry, first
        while _kinds(before) != _kinds(outs[0]):
            m, before = m + 1, outs[0]
            if n - m < BLOCKS[0]:
                return None
            outs = step(before, row(xs, m))
        if not all(x is None or isinstance(x, Recorded | np.ndarray | np.generic) for x in before):
            return None
        size = min(BLOCKS, key=lambda size: ((n - m) % size, -size))
        m += (n - m) % size

        def block(carry: Leaves, xs: Leaves) -> Results:
            return unrolled(step, carry, xs, size)

        columns = [None if isinstance(x, list) else x for x in xs]  # a list has marks of steps
        rest = [x if x is None else _in_blocks(x[m:] if m else x, size) for x in columns]
        start, ys, totals = unrolled(step, carry, xs, m, first)
        last, more, totals = self._loop(block, start, totals, rest, (n - m) // size)
        pairs = zip(ys or [None] * len(more), more, strict=True)
        return last, [_joined(y, z, m, n - m) for y, z in pairs], totals

    def _loop(self, step: Step, carry: Leaves, totals: Leaves, xs: Leaves, n: int) -> Results:
        """Write down steps that are all alike; the sums of their terms start from `totals`."""
        body, inputs = Recording(self), list[Symbol]()

        def varying(x: Any) -> Any:
            """Put a value of the body in the place of one that differs from step to step."""
            if x is None:
                return None
            inputs.append(replace(Symbol.like(x), is_view=False))
            return Recorded(x, body, inputs[-1])

        rows = row(list(map(_value, xs)), 0)
        found = step([varying(_value(x)) for x in carry], list(map(varying, rows)))
        new, ys, terms = ([x if hasattr(x, "dtype") else None for x in part] for part in found)
        if _kinds(new) != _kinds(carry):
            raise NotCompilableError("a loop needs a carry of one kind")
        totals = totals or [None for _ in terms]
        program = improved(body._step(inputs, _given([*new, *ys, *terms])))
        function = Loop(program, n, len(_given(new)), len(_given(ys)))
        started = [x for x, term in zip(totals, terms, strict=True) if term is not None]
        captured = [x for x, _ in body._captured.values()]
        args = _given(carry), started, _given(xs), captured
        results = iter(self.call(function, args, {}, "scan"))
        new, ys, sums = ([x if x is None else next(results) for x in p] for p in (new, ys, terms))
        return new, ys, [x if y is None else y for x, y in zip(totals, sums, strict=True)]

    def _step(self, inputs: Sequence[Symbol], out: Leaves) -> StraightLineProgram:
        """Return what was written down as the body of a loop, whose outputs are all variables."""
        self._finished = True
        own = (x.variable if getattr(x, "node", None) is self else self._capture(x) for x in out)
        outputs = tuple(own)
        captured = (variable for _, variable in self._captured.values())
        return StraightLineProgram("step", (*inputs, *captured), tuple(self._instructions), outputs)

    def _innermost(self, leaves: Sequence[Any]) -> Recording:
        """The recording of the innermost step that leaves come from, or this one."""
        nodes: Iterator[Recording] = (x.node for x in leaves if isinstance(x, Recorded))
        return max((self, *nodes), key=lambda recording: recording._depth)

    def _knows(self, x: Any) -> bool:
        """Whether this recording, or one around it, has computed a value or filled a memo."""
        mine = x in self._memos if isinstance(x, Memo) else getattr(x, "node", None) is self
        return mine or (self._around is not None and self._around._knows(x))

    def _capture(self, x: Any) -> Symbol:
        """Make a value from around a step, a memo or a constant, an input of the step."""
        key = x.variable if isinstance(x, Recorded) else x if isinstance(x, Memo) else id(x)
        _, variable = self._captured.setdefault(key, (x, Symbol.like(_value(x))))
        return variable

    def _operand(self, x: Any) -> Any:
        """Turn a leaf of a call into a variable or a constant."""
        if self._around is not None and self._around._knows(x):
            return self._capture(x)
        if isinstance(x, Recorded):
            if x.node is not self:
                raise NotCompilableError(
                    "a value of one compiled function came up in another, or in a later call, "
                    "other than by an argument or a result; return it, and hand it in"
                )
            return x.variable
        if isinstance(x, Memo):
            return self._memos.setdefault(x, x.fresh())
        return private_copy(x)

    def program(self, name: str, inputs: Sequence[Symbol], out: Any) -> StraightLineProgram:
        """Return what was written down, as a program that computes the leaves of `out`."""
        self._finished = True
        outputs = tuple(self._operand(x) for x in optree.tree_leaves(out))
        return StraightLineProgram(name, tuple(inputs), tuple(self._instructions), outputs)


def _in_blocks(column: Any, size: int) -> Any:
    """Make a row of every so many rows."""
    return np.reshape(column, (-1, size, *column.shape[1:]))


def _given(leaves: Leaves) -> Leaves:
    return [x for x in leaves if x is not None]


def _kinds(leaves: Leaves) -> list[Any]:
    """The kinds of the parts of a carry; None stays."""
    symbols = (x.variable if isinstance(x, Recorded) else Symbol.like(x) for x in _given(leaves))
    kinds = iter([(x.shape, x.dtype, x.kind) for x in symbols])
    return [None if x is None else next(kinds) for x in leaves]


def _joined(y: Any, more: Any, m: int, n: int) -> Any:
    """A column of m rows, and of n more in blocks; None is zero."""
    y = None if isinstance(y, list) else y
    more = more if more is None else np.reshape(more, (n, *more.shape[2:]))
    like = more if y is None else y
    if like is None or not m:
        return like
    shapes = ((k, *like.shape[1:]) for k in (m, n))
    parts = zip((y, more), shapes, strict=True)
    return np.concatenate([np.zeros(s, like.dtype) if x is None else x for x, s in parts])


def recording_of(tree: Any) -> Recording | None:
    """The recording that leaves of a tree belong to; None if any is under differentiation."""
    found = [x.node for x in optree.tree_leaves(tree) if isinstance(x, Recorded)]
    return found[0] if found and not _any_differentiated(tree) else None


def as_it_is(f: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a function of numbers that reads them, and has no derivative: programs call it.

    Its results are arrays and Python floats, for positional arguments; whole numbers reach it as
    Python's, which are as weak as they would be without a program.

    Examples
    --------
    >>> import tinygrad_ugan as ug
    >>> sign = as_it_is(lambda x: 1.0 if x > 0 else -1.0)
    >>> ug.compile(lambda x: x * sign(x))(np.float64(-2.0))
    np.float64(2.0)
    """

    def of_numbers(*args: Any) -> Any:
        return f(*(int(x) if isinstance(x, np.integer) else x for x in args))

    @functools.wraps(f)
    def wrapped(*args: Any) -> Any:
        recording = recording_of(args)
        if recording is None:
            return f(*args)
        return recording.call(of_numbers, args, {}, f.__name__, AS_IT_IS)

    return wrapped


AS_IT_IS = "as it is"
"""The kind of such calls."""


def numbers_of(tree: Any) -> Any:
    """A tree with the numbers that its recorded leaves have just now: a sample of their kind."""
    return optree.tree_map(_value, tree)


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Recorded) else x


def _any_differentiated(tree: Any) -> bool:
    return any(map(is_differentiated, optree.tree_leaves(tree)))


def _astype(x: Any, dtype: np.dtype[Any], **kwargs: Any) -> Any:
    return dtype.type(x) if type(x) is float else x.astype(dtype, **kwargs)


def _refuse_masks(name: str, leaves: Sequence[Any]) -> None:
    """Refuse indices that are a recorded mask: how many elements they pick depends on numbers."""
    masked = any(isinstance(x, Recorded) and x.dtype.kind == "b" for x in leaves[1:])
    alone = name == "where" and len(leaves) == 1
    alone = alone or (name in ("compress", "extract") and isinstance(leaves[0], Recorded))
    if name in _OF_NUMBERS or alone or (masked and name in _BY_INDEX):
        raise NotCompilableError(
            f"the shape of what {name} returns depends on numbers (with a mask among them), and a "
            "program has fixed shapes; use np.where(mask, x, 0) and sums over it"
        )


_OF_SHAPES = frozenset(
    {np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.isrealobj, np.iscomplexobj}
    | {np.zeros_like, np.ones_like, np.empty_like}
)
_OF_NUMBERS = frozenset(
    {"nonzero", "flatnonzero", "argwhere", "trim_zeros", "union1d"}
    | {"unique", "unique_all", "unique_counts", "unique_inverse", "unique_values"}
    | {"intersect1d", "setdiff1d", "setxor1d"}
)
_BY_INDEX = frozenset({"getitem", "scatter_add", "index_set", "delete", "insert"})
