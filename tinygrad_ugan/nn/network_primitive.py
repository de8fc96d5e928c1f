"""A network as one primitive, whose derivative is one primitive, whose derivative is one primitive.

With ``y = F(p)``, p being the input x and the parameters, and a cotangent ``y_bar`` of y::

    network             y
    network_backward    p_bar = d<y_bar, F(p)> / dp                  the vjp of `network`
    network_tangents    Ry, Rp_bar along (Rp, Ry_bar)                the jvp of both, and the vjp
                                                                     of `network_backward`

An R marks the tangent of a quantity. The last line holds because second derivatives commute:
pulling a cotangent v of p_bar back to p and y_bar gives Rp_bar and Ry for ``Rp = v, Ry_bar = 0``.
`network_tangents` is differentiated through the plain composition of layers, to any order.

All three run in `tinygrad_ugan.kernels.network_programs` on bare arrays. If a result there is not
finite, the plain composition computes it again, so that NaN and infinities are those of NumPy. The
forward pass hands its activations on to the derivatives in a `Memo`, a `ForwardPass`.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from tinygrad_ugan.autodiff.operands import untrace
from tinygrad_ugan.autodiff.primitive import Memo, general
from tinygrad_ugan.autodiff.pytrees import zeros_of
from tinygrad_ugan.autodiff.transforms import jvp, vjp
from tinygrad_ugan.kernels.pass_mask import PassMask
from tinygrad_ugan.nn.activations import ACTIVATIONS

if TYPE_CHECKING:
    from tinygrad_ugan.kernels.program_cache import LRUCache

Args: TypeAlias = Sequence[Any]
Constants: TypeAlias = dict[str, Any]


class LayerForm(NamedTuple):
    """A multilayer perceptron, as the kernels know it: see `tinygrad_ugan.nn.MLP`."""

    sizes: tuple[int, ...]
    activation: str
    input_scale: float


@dataclass(slots=True, eq=False)
class ForwardPass(Memo):
    """The forward pass of one call of a network, which its derivatives continue from.

    It belongs to the bare values beneath the arguments, and so serves all levels of tracing.
    """

    programs: Any = None
    record: Any = None


def apply(net: LayerForm, x: Any, theta: Sequence[Any]) -> Any:
    """Return the output for input x and parameters ``w_1, b_1, w_2, ...``."""
    if _is_worth_it(net, x, theta):
        return network(x, *theta, net=net, memo=ForwardPass())
    return compose(net, x, *theta)


def compose(net: LayerForm, x: Any, *theta: Any) -> Any:
    """Return the output layer by layer: the definition of `network`, and its third derivative."""
    activation = ACTIVATIONS[net.activation]
    h = x if net.input_scale == 1.0 else x * net.input_scale
    for w, b in zip(theta[:-2:2], theta[1:-2:2], strict=True):
        h = activation(h @ w + b)
    return h @ theta[-2] + theta[-1]


MIN_MULTIPLY_ADDS = 2**15
"""Of a pass; below that, NumPy is as fast as a call of the kernels.

The choice does not depend on what is differentiated, so that values are always the same bits.
"""

_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def _is_worth_it(net: LayerForm, x: Any, theta: Sequence[Any]) -> bool:
    bare = [untrace(a) for a in (x, *theta)]
    if not all(type(a) is np.ndarray for a in bare):  # a recorded one: what it is made of is
        return False
    dtype = bare[0].dtype
    return (
        len(bare[0]) * sum(w.size for w in bare[1::2]) >= max(MIN_MULTIPLY_ADDS, 1)
        and dtype in _DTYPES
        and all(a.dtype == dtype for a in bare)
        and type(net.input_scale) is float
        and [a.shape for a in bare] == _shapes(net.sizes, len(x))
    )


def _shapes(sizes: Sequence[int], rows: int) -> list[tuple[int, ...]]:
    """Shapes of x, and of w and b of every layer: the kernels take no others."""
    layers = itertools.pairwise(sizes)
    return [(rows, sizes[0]), *(shape for m, n in layers for shape in ((m, n), (n,)))]


def _programs(net: LayerForm, rows: int, dtype: np.dtype[Any]) -> Any:
    """The programs of a network for a number of rows; the latest are cached."""
    return _program_cache().get((net, rows, dtype), _make_programs)


def _make_programs(net: LayerForm, rows: int, dtype: np.dtype[Any]) -> Any:
    from tinygrad_ugan.kernels.network import Network
    from tinygrad_ugan.kernels.network_programs import NetworkProblem, NetworkPrograms
    from tinygrad_ugan.kernels.target import host_target

    problem = NetworkProblem(Network(*net), rows, host_target(), dtype)
    return NetworkPrograms(problem, _program_cache().trim)


@functools.cache
def _program_cache() -> LRUCache:
    from tinygrad_ugan.kernels.program_cache import LRUCache

    return LRUCache(max_bytes=512 * 2**20, max_entries=32)


# The rules. A position is that of an argument among (x, *theta, y_bar); that of y_bar is n, and in
# a mask it stands for y. The kernels know three groups only: all of theta has tangents, or none.


def _mask(positions: Sequence[int], n: int) -> PassMask:
    """The groups that the positions belong to."""
    return PassMask(n in positions, 0 in positions, any(0 < i < n for i in positions))


def _positions(mask: PassMask, n: int) -> list[int]:
    """All positions of the groups, in the order of the results of the two derivatives."""
    return [n] * mask.y + [0] * mask.x + list(range(1, n)) * mask.theta


def _direction(args: Args, tangents: Mapping[int, Any]) -> list[Any]:
    """Tangents of all arguments: None for a group that has none, zeros where only others have."""
    n = len(args) - 1
    group = _positions(_mask(list(tangents), n), n)
    return [tangents.get(i, zeros_of(a)) if i in group else None for i, a in enumerate(args)]


# y


def _network(x: Any, *theta: Any, net: LayerForm, memo: ForwardPass) -> Any:
    memo.programs = _programs(net, len(x), x.dtype)
    found = memo.programs.forward(x, theta)
    if found is None:  # not all finite
        return compose(net, x, *theta)
    y, memo.record = found
    return y


def _network_jvp(
    traced: Sequence[int],
    ans: Any,
    args: Args,
    params: Constants,
    tangents: Args,
) -> Any:
    direction = _direction([*args, None], dict(zip(traced, tangents, strict=True)))
    (Ry,) = network_tangents(*args, None, *direction, needed=PassMask(y=True), **params)
    return Ry


def _network_vjp(
    traced: Sequence[int], ans: Any, args: Args, params: Constants, y_bar: Any
) -> Args:
    n = len(args)
    needed = _mask(traced, n)
    found = network_backward(*args, y_bar, needed=needed, **params)
    p_bar = dict(zip(_positions(needed, n), found, strict=True))
    return [p_bar[i] for i in traced]


network = general(_network, _network_jvp, _network_vjp)


# p_bar


def _backward(*args: Any, net: LayerForm, memo: ForwardPass, needed: PassMask) -> tuple[Any, ...]:
    found = memo.record and memo.programs.backward(memo.record, args[-1], needed)
    return _compose_backward(net, needed, args) if found is None else tuple(found)


def _compose_backward(net: LayerForm, needed: PassMask, args: Args) -> tuple[Any, ...]:
    """`network_backward` by the engine, from the plain composition."""
    *p, y_bar = args
    p_bar = vjp(lambda *p: compose(net, *p), *p)[1](y_bar)
    return tuple(p_bar[i] for i in _positions(needed, len(p)))


def _backward_jvp(
    traced: Sequence[int],
    ans: Any,
    args: Args,
    params: Constants,
    tangents: Args,
) -> tuple[Any, ...]:
    direction = _direction(args, dict(zip(traced, tangents, strict=True)))
    rates: tuple[Any, ...] = network_tangents(*args, *direction, **params)
    return rates


def _backward_vjp(
    traced: Sequence[int],
    ans: Any,
    args: Args,
    params: Constants,
    cotangents: Args,
) -> Args:
    """By the symmetry of second derivatives: see the module's text."""
    n = len(args) - 1
    v = zip(_positions(params["needed"], n), cotangents, strict=True)
    direction = _direction(args, {i: c for i, c in v if c is not None})
    needed = _mask(traced, n)
    found = network_tangents(*args, *direction, **{**params, "needed": needed})
    q_bar = dict(zip(_positions(needed, n), found, strict=True))
    return [q_bar[i] for i in traced]


network_backward = general(_backward, _backward_jvp, _backward_vjp, multiple_results=True)


# Ry and Rp_bar, for (x, *theta, y_bar, Rx, *Rtheta, Ry_bar), with None for tangents that are zero


def _tangents(*args: Any, net: LayerForm, memo: ForwardPass, needed: PassMask) -> tuple[Any, ...]:
    half = len(args) // 2
    y_bar, Rx, *Rtheta, Ry_bar = args[half - 1 :]
    has_tangent = PassMask(Ry_bar is not None, Rx is not None, Rtheta[0] is not None)
    inputs = [a for a in (*Rtheta, y_bar, Ry_bar, Rx) if a is not None]
    found = memo.record and memo.programs.tangents(memo.record, inputs, has_tangent, needed)
    return _compose_tangents(net, needed, args) if found is None else tuple(found)


def _compose_tangents(net: LayerForm, needed: PassMask, args: Args) -> tuple[Any, ...]:
    """`network_tangents` by the engine, from the plain composition."""
    half = len(args) // 2
    q, direction = args[:half], args[half:]
    moved = [i for i, R in enumerate(direction) if R is not None]

    def passes(*chosen: Any) -> tuple[Any, ...]:
        *p, y_bar = _replaced(q, moved, chosen)
        y, pullback = vjp(lambda *p: compose(net, *p), *p)
        p_bar = pullback(y_bar) if y_bar is not None else ()
        return tuple(
            {half - 1: y, **dict(enumerate(p_bar))}[i] for i in _positions(needed, half - 1)
        )

    tangents: tuple[Any, ...]
    _, tangents = jvp(passes, [q[i] for i in moved], [direction[i] for i in moved])
    return tangents


def _replaced(args: Args, positions: Sequence[int], values: Args) -> list[Any]:
    """The arguments, with other values at some positions."""
    full = list(args)
    for i, x in zip(positions, values, strict=True):
        full[i] = x
    return full


def _tangents_of(
    traced: Sequence[int], args: Args, params: Constants
) -> tuple[Callable[..., Any], list[Any]]:
    """`network_tangents` as a function of its traced arguments alone, and these arguments."""

    def f(*chosen: Any) -> tuple[Any, ...]:
        return _compose_tangents(params["net"], params["needed"], _replaced(args, traced, chosen))

    return f, [args[i] for i in traced]


def _tangents_jvp(
    traced: Sequence[int],
    ans: Any,
    args: Args,
    params: Constants,
    tangents: Args,
) -> tuple[Any, ...]:
    f, primals = _tangents_of(traced, args, params)
    Rans: tuple[Any, ...]
    _, Rans = jvp(f, primals, tangents)
    return Rans


def _tangents_vjp(
    traced: Sequence[int],
    ans: Any,
    args: Args,
    params: Constants,
    cotangents: Args,
) -> Args:
    f, primals = _tangents_of(traced, args, params)
    full = (zeros_of(y) if c is None else c for y, c in zip(ans, cotangents, strict=True))
    return vjp(f, *primals)[1](tuple(full))


network_tangents = general(_tangents, _tangents_jvp, _tangents_vjp, multiple_results=True)
