"""Products of matrices, vectors and tensors: contractions over axes, all of them by `matmul`."""

from __future__ import annotations

import functools
import math
import string
from collections.abc import Container, Hashable, Sequence
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.operands import as_operand, shape_of
from tinygrad_ugan.autodiff.primitive import Primitive, bilinear, composite
from tinygrad_ugan.autodiff.samples import Random, SampleCall, Samples, sample
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.kernels import blas_threads


def _matmul_left(g: Any, x: Any, y: Any) -> Any:
    """Cotangent of x in ``x @ y``."""
    if y.ndim == 1:
        return _column(g) * y
    if x.ndim == 1:
        return y @ g if y.ndim == 2 else (y @ _column(g)).reshape(y.shape[:-1])
    return matmul_nt(g, y)


def _matmul_right(g: Any, x: Any, y: Any) -> Any:
    """Cotangent of y in ``x @ y``."""
    if x.ndim == 1:
        return x * g if y.ndim == 1 else _column(x) * _row(g)
    if y.ndim == 1:
        return g @ x if x.ndim == 2 else (_row(g) @ x).reshape((*x.shape[:-2], x.shape[-1]))
    return matmul_tn(x, g)


def _column(x: Any) -> Any:
    return x.reshape((*x.shape, 1))


def _row(x: Any) -> Any:
    return x.reshape((*x.shape[:-1], 1, x.shape[-1]))


# The transposes of a product are products too, with one factor transposed; together the three are
# closed under transposition. np.dot gives the same bits as matmul, sooner: by far where the inner
# dimension is 1.
def _matmul_nt(x: Any, y: Any) -> Any:
    """Multiply x by y transposed: ``x @ y.mT``."""
    return blas_threads.product(np.dot if x.ndim == y.ndim == 2 else np.matmul, x, y.mT)


def _matmul_tn(x: Any, y: Any) -> Any:
    """Multiply x transposed by y: ``x.mT @ y``."""
    return blas_threads.product(np.dot if x.ndim == y.ndim == 2 else np.matmul, x.mT, y)


def mT(x: Any) -> Any:
    """The transposed matrix, or stack of matrices."""
    return np.swapaxes(x, -1, -2)


matmul: Primitive = bilinear(
    np.matmul, _matmul_left, _matmul_right, functools.partial(blas_threads.product, np.matmul)
)
matmul_nt: Primitive = bilinear(
    _matmul_nt,
    lambda g, x, y: matmul(g, y),
    lambda g, x, y: matmul_tn(g, x),
)
matmul_tn: Primitive = bilinear(
    _matmul_tn,
    lambda g, x, y: matmul_nt(y, g),
    lambda g, x, y: matmul(x, g),
)

Labels = Sequence[Hashable]
"""One label for each axis of an array, all different."""


def _contract(
    x: Any, of_x: Labels, y: Any, of_y: Labels, keep: Container[Hashable]
) -> tuple[Any, Labels]:
    """Multiply and sum over the shared axes not in `keep`; return an array and its labels."""
    size = _size(x, of_x) | _size(y, of_y)
    for c, n in _size(x, of_x).items():
        if size[c] != n:
            raise ArgumentError("operands", f"axes of lengths {n} and {size[c]}", "equal lengths")
    shared = [c for c in of_x if c in of_y]
    batch = [c for c in shared if c in keep]
    summed = [c for c in shared if c not in keep]
    left = [c for c in of_x if c not in of_y]
    right = [c for c in of_y if c not in of_x]
    labels = batch + left + right
    if summed:
        stack = [batch] if batch else []
        x = _arranged(x, of_x, [*stack, left, summed])
        y = _arranged(y, of_y, [*stack, summed, right])
        product = np.matmul(x, y)
    else:
        x = _arranged(x, of_x, [batch, left, []])
        y = _arranged(y, of_y, [batch, [], right])
        product = np.multiply(x, y)
    return _reshaped(product, tuple(size[c] for c in labels)), labels


def _size(x: Any, labels: Labels) -> dict[Hashable, int]:
    return dict(zip(labels, shape_of(x), strict=True))


def _arranged(x: Any, labels: Labels, groups: Sequence[Labels]) -> Any:
    """Transpose and reshape x so that each group of labels becomes one axis."""
    size = _size(x, labels)
    x = _permuted(x, labels, [c for group in groups for c in group])
    return _reshaped(x, tuple(math.prod(size[c] for c in group) for group in groups))


def _permuted(x: Any, labels: Labels, order: Labels) -> Any:
    labels = list(labels)
    return x if labels == list(order) else np.transpose(x, [labels.index(c) for c in order])


def _reshaped(x: Any, shape: tuple[int, ...]) -> Any:
    return x if shape_of(x) == shape else np.reshape(x, shape)


def _einsum(*operands: Any, optimize: Any = False) -> Any:
    terms, output = _parse(operands)
    longest: dict[Hashable, int] = {}
    for x, labels in terms:
        for c, n in zip(labels, shape_of(x), strict=True):
            longest[c] = n if n != 1 else longest.get(c, 1)
    terms = [_without_repeats(x, labels, longest) for x, labels in terms]
    terms = [
        _without_lonely(x, labels, {*output, *_labels_of(terms[:i] + terms[i + 1 :])})
        for i, (x, labels) in enumerate(terms)
    ]
    for places in _path(terms, output, optimize):
        chosen = [terms[i] for i in places]
        terms = [term for i, term in enumerate(terms) if i not in places]
        while len(chosen) > 1:
            (x, of_x), (y, of_y), *chosen = chosen
            keep = {*output, *_labels_of(chosen + terms)}
            chosen = [_contract(x, of_x, y, of_y, keep), *chosen]
        terms += chosen
    ((result, labels),) = terms
    return _permuted(result, labels, output)


def _labels_of(terms: Sequence[tuple[Any, Labels]]) -> set[Hashable]:
    return {c for _, labels in terms for c in labels}


def _parse(operands: Sequence[Any]) -> tuple[list[tuple[Any, Labels]], Labels]:
    """The arrays with their labels, and the labels of the result.

    A label is a letter, or for the axes of an ellipsis a number: -1 for the last of them.
    """
    subscripts, arrays = _as_text(operands)
    inputs, arrow, result = subscripts.replace(" ", "").partition("->")
    if len(inputs.split(",")) != len(arrays):
        raise ArgumentError("subscripts", repr(subscripts), f"{len(arrays)} operands")

    terms, width = [], 0
    for text, x in zip(inputs.split(","), arrays, strict=True):
        rank = len(shape_of(x)) - len(text.replace("...", ""))
        if rank < 0 or (rank > 0 and "..." not in text):
            raise ArgumentError("subscripts", repr(text), f"{len(shape_of(x))} axes")
        terms.append((x, _labels(text, rank)))
        width = max(width, rank)

    every = [c for _, labels in terms for c in labels]
    if arrow:
        output = _labels(result, width)
    else:
        once = sorted(c for c in inputs if c.isalpha() and inputs.count(c) == 1)
        output = [*range(-width, 0), *once]
    if len(set(output)) != len(output) or not set(range(-width, 0)) <= set(output) <= set(every):
        raise ArgumentError(
            "subscripts", repr(result), "labels of the operands, once each, and any '...' of theirs"
        )
    return terms, output


def _as_text(operands: Sequence[Any]) -> tuple[str, list[Any]]:
    """Return the subscripts as one string, also if given as lists of integers, and the arrays."""
    if isinstance(operands[0], str):
        return operands[0], [as_operand(x) for x in operands[1:]]
    letters = string.ascii_uppercase + string.ascii_lowercase
    n = len(operands) // 2
    texts = [
        "".join("..." if i is Ellipsis else letters[i] for i in labels)
        for labels in [*operands[1 : 2 * n : 2], *operands[2 * n :]]
    ]
    arrow = "->" + texts[n] if len(texts) > n else ""
    return ",".join(texts[:n]) + arrow, [as_operand(x) for x in operands[: 2 * n : 2]]


def _labels(text: str, rank: int) -> Labels:
    """One label for each axis; the ellipsis stands for `rank` of them."""
    if "..." not in text:
        return list(text)
    before, after = text.split("...")
    return [*before, *range(-rank, 0), *after]


def _without_repeats(x: Any, labels: Labels, longest: dict[Hashable, int]) -> tuple[Any, Labels]:
    """Take diagonals where a label is repeated; drop axes of length 1 that others stretch."""
    labels = list(labels)
    while len(set(labels)) < len(labels):
        c = next(c for c in labels if labels.count(c) > 1)
        first = labels.index(c)
        second = labels.index(c, first + 1)
        if x.shape[first] != x.shape[second]:
            raise ArgumentError("operands", f"shape {x.shape}", f"equal lengths of axes {c!r}")
        x = np.diagonal(x, 0, first, second)
        labels = [k for i, k in enumerate(labels) if i not in (first, second)] + [c]
    size = _size(x, labels)
    kept = [c for c in labels if size[c] != 1 or longest[c] == 1]
    return _reshaped(x, tuple(size[c] for c in kept)), kept


def _without_lonely(x: Any, labels: Labels, wanted: Container[Hashable]) -> tuple[Any, Labels]:
    """Sum over the axes whose label occurs nowhere else."""
    lonely = tuple(i for i, c in enumerate(labels) if c not in wanted)
    return np.sum(x, lonely) if lonely else x, [c for c in labels if c in wanted]


def _path(terms: Sequence[tuple[Any, Labels]], output: Labels, optimize: Any) -> Any:
    """The order of contraction: for each step, positions in the list of remaining terms."""
    if len(terms) <= 2:
        return [range(len(terms))]
    number = {c: i for i, c in enumerate(_labels_of(terms))}
    operands: list[Any] = []
    for x, labels in terms:
        operands += [np.broadcast_to(0.0, shape_of(x)), [number[c] for c in labels]]
    operands.append([number[c] for c in output])
    return np.einsum_path(*operands, optimize=optimize or "greedy")[0][1:]


def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    a, b = as_operand(a), as_operand(b)
    ranks = len(shape_of(a)), len(shape_of(b))
    if isinstance(axes, int | np.integer):
        axes = range(ranks[0] - axes, ranks[0]), range(axes)
    of_a, of_b = list(range(ranks[0])), list(range(-ranks[1], 0))
    for i, j in zip(np.ravel(axes[0]).tolist(), np.ravel(axes[1]).tolist(), strict=True):
        of_b[j] = of_a[i]
    return _contract(a, of_a, b, of_b, keep=())[0]


def _dot(a: Any, b: Any) -> Any:
    """``np.dot`` in terms of the matrix product; the remaining axes of b come last."""
    a, b = as_operand(a), as_operand(b)
    if not shape_of(a) or not shape_of(b):
        return np.multiply(a, b)
    if max(len(shape_of(a)), len(shape_of(b))) <= 2:
        return np.matmul(a, b)
    return _dot_of_stacks(a, b)


_dot_of_stacks = composite(
    np.dot,
    lambda a, b: _tensordot(a, b, (-1, max(-2, -len(shape_of(b))))),
    rounds_differently=True,
)


def _inner(a: Any, b: Any) -> Any:
    a, b = as_operand(a), as_operand(b)
    if not shape_of(a) or not shape_of(b):
        return np.multiply(a, b)
    return np.tensordot(a, b, (-1, -1))


def _vdot(a: Any, b: Any) -> Any:
    return np.matmul(np.ravel(as_operand(a)), np.ravel(as_operand(b)))


def _outer(a: Any, b: Any) -> Any:
    return np.multiply(np.reshape(as_operand(a), (-1, 1)), np.ravel(as_operand(b)))


def _kron(a: Any, b: Any) -> Any:
    a, b = as_operand(a), as_operand(b)
    rank = max(len(shape_of(a)), len(shape_of(b)))
    of_a, of_b = ((1,) * (rank - len(shape_of(x))) + shape_of(x) for x in (a, b))
    spread_a = np.reshape(a, tuple(k for n in of_a for k in (n, 1)))
    spread_b = np.reshape(b, tuple(k for n in of_b for k in (1, n)))
    shape = tuple(m * n for m, n in zip(of_a, of_b, strict=True))
    return np.reshape(np.multiply(spread_a, spread_b), shape)


def _cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(as_operand(a), axisa, -1), np.moveaxis(as_operand(b), axisb, -1)
    for name, x in (("a", a), ("b", b)):
        if shape_of(x)[-1] != 3:
            raise ArgumentError(name, f"vectors of length {shape_of(x)[-1]}", "length 3")
    following, preceding = np.array([1, 2, 0]), np.array([2, 0, 1])
    product = a[..., following] * b[..., preceding] - a[..., preceding] * b[..., following]
    return np.moveaxis(product, -1, axisc)


def _trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return np.sum(np.diagonal(a, offset, axis1, axis2), -1)


RULES = (
    matmul,
    matmul_nt,
    matmul_tn,
    composite(np.dot, _dot),
    composite(np.vdot, _vdot),
    composite(np.inner, _inner, rounds_differently=True),
    composite(np.outer, _outer),
    composite(np.tensordot, _tensordot, rounds_differently=True),
    composite(np.einsum, _einsum, rounds_differently=True),
    composite(np.kron, _kron),
    composite(np.cross, _cross),
    composite(np.trace, _trace),
)

_SHAPES = [
    ((2, 3), (3, 4)),
    ((3,), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3,)),
    ((2, 2, 3), (3, 4)),
    ((3,), (2, 3, 4)),
    ((2, 2, 3), (3,)),
    ((2, 1, 2, 3), (4, 3, 2)),
]


def _pairs(*shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> list[SampleCall]:
    return [sample(Random(a), Random(b)) for a, b in shapes]


_S, _V, _M, _N, _A = (
    Random(()),
    Random((3,)),
    Random((2, 3)),
    Random((3, 4)),
    Random((2, 4, 3)),
)
_Q, _W = Random((3, 3)), Random((2,))

SAMPLES: Samples = {
    np.matmul: [sample(Random(left), Random(right)) for left, right in _SHAPES],
    _matmul_nt: [
        sample(Random((2, 3)), Random((4, 3))),
        sample(Random((2, 1, 2, 3)), Random((4, 2, 3))),
    ],
    _matmul_tn: [
        sample(Random((3, 2)), Random((3, 4))),
        sample(Random((2, 1, 3, 2)), Random((4, 3, 2))),
    ],
    np.dot: _pairs(
        *(((3,), (3,)), ((2, 3), (3,)), ((4, 2, 3), (3, 5)), ((2, 3), (4, 3, 5)), ((), (2,)))
    ),
    np.vdot: _pairs(((3,), (3,)), ((2, 3), (2, 3)), ((), ())),
    np.inner: _pairs(((3,), (3,)), ((2, 3), (3,)), ((2, 3), (4, 2, 3)), ((2,), ())),
    np.outer: _pairs(((2,), (3,)), ((2, 2), (3,)), ((), (2,))),
    np.tensordot: [
        *(sample(_M, _N, 1), sample(_A, Random((4, 3, 2))), sample(_M, _A, 0)),
        *(sample(_A, _M, ((0, 2), (0, -1))), sample(_A, _N, axes=(1, 1)), sample(_V, _V, 1)),
        sample(_A, _A, 3),
    ],
    np.einsum: [
        *(sample("ij,jk->ik", _M, _N), sample("ij,jk", _M, _N), sample("ij->ji", _M)),
        *(sample("ba", _M), sample("i,i", _V, _V), sample("i,j->ji", _V, _W)),
        *(sample("ii", _Q), sample("ii->i", _Q), sample("iij->j", Random((2, 2, 3)))),
        *(sample("iii->i", Random((2, 2, 2))), sample("ij->", _M), sample("ijk->k", _A)),
        *(sample("bij,jk->bik", _A, _N), sample("bij,bkj->bik", _A, Random((2, 5, 3)))),
        *(
            sample("...ij,jk->...ik", _A, _N),
            sample("i...->...", _A),
            sample("...i,...i", _A, _V),
        ),
        *(sample("i...,...", _M, Random((4, 1))), sample("ij,ij->i", _M, Random((2, 1)))),
        *(sample("ij,ij->ij", _M, Random((1, 3))), sample("i,ij,j->", _W, _M, _V)),
        sample("ij,jk,kl->il", _M, _N, Random((4, 2)), optimize=True),
        sample("ij,jk,ik->", _M, _N, Random((2, 4)), optimize="optimal"),
        sample("ij,ik,il->jkl", _M, Random((2, 2)), Random((2, 4)), optimize=False),
        *(sample(_M, [0, 1], _N, [1, 2], [2, 0]), sample(_A, [Ellipsis, 1], [1, Ellipsis])),
        *(sample(" ij , j -> i", _M, _V), sample(",i", _S, _V), sample("...", _M)),
    ],
    np.kron: _pairs(((2,), (3,)), ((2, 3), (3, 2)), ((2, 3), (2,)), ((), (2, 2))),
    np.cross: [
        *_pairs(((3,), (3,)), ((2, 3), (3,)), ((2, 1, 3), (4, 3))),
        *(sample(_N, _N, axis=0), sample(_N, _A, 0, -1), sample(_A, _V, axisc=0)),
    ],
    np.trace: [sample(_Q), sample(_N, 1), sample(_A, -1, 1, 2), sample(_A, axis1=-1, axis2=0)],
}
