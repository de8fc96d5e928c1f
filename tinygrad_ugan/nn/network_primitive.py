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
forward pass hands its activations on to the derivatives in a `Memo`.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_ugan.autodiff.operands import untrace
from tinygrad_ugan.autodiff.primitive import general
from tinygrad_ugan.autodiff.pytrees import zeros_of
from tinygrad_ugan.autodiff.transforms import jvp, vjp
from tinygrad_ugan.kernels.pass_mask import PassMask
from tinygrad_ugan.nn.activations import ACTIVATIONS

if TYPE_CHECKING:
    from tinygrad_ugan.kernels.program_cache import LRUCache
    from tinygrad_ugan.nn.mlp import MLP


@dataclass(slots=True, eq=False)
class Memo:
    """The forward pass of one call of a network, from which its derivatives go on.

    It belongs to the bare values beneath the arguments, and so serves all levels of tracing.
    """

    passes: Any = None
    record: Any = None


def apply(net: MLP, x: Any, theta: Sequence[Any]) -> Any:
    """The output for input x and parameters ``w_1, b_1, w_2, ...``."""
    if _is_worth_it(net, x, theta):
        return network(x, *theta, net=net, memo=Memo())
    return compose(net, x, *theta)


def compose(net: MLP, x: Any, *theta: Any) -> Any:
    """The output, layer by layer: what `network` means, and from the third derivative on, does."""
    activation = ACTIVATIONS[net.activation]
    h = x if net.input_scale == 1.0 else x * net.input_scale
    for w, b in zip(theta[:-2:2], theta[1:-2:2], strict=True):
        h = activation(h @ w + b)
    return h @ theta[-2] + theta[-1]


SMALLEST = 2**15
"""Multiply-adds of a pass, below which NumPy is as fast as the way to the kernels and back.

A network keeps to one way whether it is differentiated or not: its values are the same bits.
"""

_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def _is_worth_it(net: MLP, x: Any, theta: Sequence[Any]) -> bool:
    bare = [untrace(a) for a in (x, *theta)]
    if not all(type(a) is np.ndarray for a in bare):
        return False
    dtype = bare[0].dtype
    return (
        len(bare[0]) * sum(w.size for w in bare[1::2]) >= max(SMALLEST, 1)
        and dtype in _DTYPES
        and all(a.dtype == dtype for a in bare)
        and type(net.input_scale) is float
        and [a.shape for a in bare] == _shapes(net.sizes, len(x))
        and _target() is not None
    )


def _shapes(sizes: Sequence[int], rows: int) -> list[tuple[int, ...]]:
    """Of x, and of w and b of every layer: the kernels take no others."""
    layers = itertools.pairwise(sizes)
    return [(rows, sizes[0]), *(shape for m, n in layers for shape in ((m, n), (n,)))]


@functools.cache
def _target() -> Any:
    """What kernels are made for, or None; the compiler is not loaded before it is needed."""
    from tinygrad_ugan.kernels.target import PLAIN, host_target

    return None if host_target() == PLAIN else host_target()


MOST_KEPT = 512 * 2**20
"""Bytes of programs, and of memory for them, that are kept to be used again."""


def _passes(
    sizes: tuple[int, ...], activation: str, input_scale: float, rows: int, dtype: np.dtype
) -> Any:
    """The programs for a network, its activation and its number of rows; the latest are kept."""
    return _program_cache().get((sizes, activation, input_scale, rows, dtype), _make_passes)


def _make_passes(
    sizes: tuple[int, ...], activation: str, input_scale: float, rows: int, dtype: np.dtype
) -> Any:
    from tinygrad_ugan.kernels.network import Network
    from tinygrad_ugan.kernels.network_programs import NetworkProblem, NetworkPrograms

    net = Network(tuple(map(int, sizes)), activation, float(input_scale))
    return NetworkPrograms(NetworkProblem(net, rows, _target(), dtype), _program_cache().trim)


@functools.cache
def _program_cache() -> LRUCache:
    from tinygrad_ugan.kernels.program_cache import LRUCache

    return LRUCache(MOST_KEPT, max_entries=32)


# The rules. A place is that of an argument among x, theta and y_bar, n being the place of y_bar.


def _asked(places: Sequence[int], n: int) -> PassMask:
    """The groups that some places belong to; that of y_bar asks for the rate of y."""
    return PassMask(n in places, 0 in places, any(0 < i < n for i in places))


def _places(which: PassMask, n: int) -> list[int]:
    """The places of the groups, in the order of the results of the two derivatives."""
    return [n] * which.y + [0] * which.x + list(range(1, n)) * which.theta


def _direction(args: Sequence[Any], moving: Mapping[int, Any]) -> list[Any]:
    """How x, theta and y_bar move: None for a group that does not at all, zeros within one."""
    n = len(args) - 1
    groups = _places(_asked(list(moving), n), n)
    return [moving.get(i, zeros_of(a)) if i in groups else None for i, a in enumerate(args)]


# y


def _network(x: Any, *theta: Any, net: MLP, memo: Memo) -> Any:
    memo.passes = _passes(net.sizes, net.activation, net.input_scale, len(x), x.dtype)
    found = memo.passes.forward(x, theta)
    if found is None:  # not all finite
        return compose(net, x, *theta)
    y, memo.record = found
    return y


def _network_jvp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: dict, tangents: Sequence[Any]
) -> Any:
    moving = dict(zip(traced, tangents, strict=True))
    direction = _direction([*args, None], moving)
    (Ry,) = network_tangents(*args, None, *direction, needed=PassMask(y=True), **params)
    return Ry


def _network_vjp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: dict, y_bar: Any
) -> Sequence[Any]:
    n = len(args)
    needed = _asked(traced, n)
    found = network_backward(*args, y_bar, needed=needed, **params)
    p_bar = dict(zip(_places(needed, n), found, strict=True))
    return [p_bar[i] for i in traced]


network = general(_network, _network_jvp, _network_vjp, ())


# p_bar


def _backward(*args: Any, net: MLP, memo: Memo, needed: PassMask) -> tuple[Any, ...]:
    found = memo.record and memo.passes.backward(memo.record, args[-1], needed)
    return _compose_backward(net, needed, args) if found is None else tuple(found)


def _compose_backward(net: MLP, needed: PassMask, args: Sequence[Any]) -> tuple[Any, ...]:
    """`network_backward` by the engine, from the plain composition."""
    *p, y_bar = args
    p_bar = vjp(lambda *p: compose(net, *p), *p)[1](y_bar)
    return tuple(p_bar[i] for i in _places(needed, len(p)))


def _backward_jvp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: dict, tangents: Sequence[Any]
) -> tuple[Any, ...]:
    direction = _direction(args, dict(zip(traced, tangents, strict=True)))
    return network_tangents(*args, *direction, **params)


def _backward_vjp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: dict, cotangents: Sequence[Any]
) -> Sequence[Any]:
    """Second derivatives commute: see the module's text."""
    n = len(args) - 1
    v = zip(_places(params["needed"], n), cotangents, strict=True)
    direction = _direction(args, {i: c for i, c in v if c is not None})
    needed = _asked(traced, n)
    found = network_tangents(*args, *direction, **{**params, "needed": needed})
    q_bar = dict(zip(_places(needed, n), found, strict=True))
    return [q_bar[i] for i in traced]


network_backward = general(_backward, _backward_jvp, _backward_vjp, (), multiple_results=True)


# Ry and Rp_bar, for (x, *theta, y_bar, Rx, *Rtheta, Ry_bar), with None for what does not move


def _tangents(*args: Any, net: MLP, memo: Memo, needed: PassMask) -> tuple[Any, ...]:
    half = len(args) // 2
    y_bar, Rx, *Rtheta, Ry_bar = args[half - 1 :]
    has_tangent = PassMask(Ry_bar is not None, Rx is not None, Rtheta[0] is not None)
    inputs = [a for a in (*Rtheta, y_bar, Ry_bar, Rx) if a is not None]
    found = memo.record and memo.passes.tangents(memo.record, inputs, has_tangent, needed)
    return _compose_tangents(net, needed, args) if found is None else tuple(found)


def _compose_tangents(net: MLP, needed: PassMask, args: Sequence[Any]) -> tuple[Any, ...]:
    """`network_tangents` by the engine, from the plain composition."""
    half = len(args) // 2
    q, direction = args[:half], args[half:]
    moving = [i for i, R in enumerate(direction) if R is not None]

    def passes(*chosen: Any) -> tuple[Any, ...]:
        *p, y_bar = _with(q, moving, chosen)
        y, pullback = vjp(lambda *p: compose(net, *p), *p)
        p_bar = pullback(y_bar) if y_bar is not None else ()
        return tuple({half - 1: y, **dict(enumerate(p_bar))}[i] for i in _places(needed, half - 1))

    return jvp(passes, [q[i] for i in moving], [direction[i] for i in moving])[1]


def _with(args: Sequence[Any], places: Sequence[int], chosen: Sequence[Any]) -> list[Any]:
    """The arguments, with those at some places exchanged."""
    full = list(args)
    for i, x in zip(places, chosen, strict=True):
        full[i] = x
    return full


def _tangents_of(
    traced: Sequence[int], args: Sequence[Any], params: dict
) -> tuple[Callable[..., Any], list[Any]]:
    """`network_tangents` as a function of the arguments at some places, and these arguments."""

    def f(*chosen: Any) -> tuple[Any, ...]:
        return _compose_tangents(params["net"], params["needed"], _with(args, traced, chosen))

    return f, [args[i] for i in traced]


def _tangents_jvp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: dict, tangents: Sequence[Any]
) -> tuple[Any, ...]:
    f, primals = _tangents_of(traced, args, params)
    return jvp(f, primals, tangents)[1]


def _tangents_vjp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: dict, cotangents: Sequence[Any]
) -> Sequence[Any]:
    f, primals = _tangents_of(traced, args, params)
    full = (zeros_of(y) if c is None else c for y, c in zip(ans, cotangents, strict=True))
    return vjp(f, *primals)[1](tuple(full))


network_tangents = general(_tangents, _tangents_jvp, _tangents_vjp, (), multiple_results=True)
