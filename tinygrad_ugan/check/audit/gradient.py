"""Audit of a gradient: is it exact, or the result of which known mistake."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from tinygrad_ugan.check.audit.classify import Classifier
from tinygrad_ugan.check.audit.foreign_arrays import (
    coarsest,
    readings,
    transposed_readings,
    tree_as_numpy,
)
from tinygrad_ugan.check.audit.report import Audit
from tinygrad_ugan.check.audit.step_size import with_other_step_size
from tinygrad_ugan.check.audit.verdicts import ORDER
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.optim import Optimizer
from tinygrad_ugan.typing import Array, PyTree
from tinygrad_ugan.unroll.game import AnyGame
from tinygrad_ugan.unroll.problem import Problem, make_problem


def audit(
    gradient: PyTree,
    game: AnyGame,
    theta_g: PyTree,
    theta_d: PyTree,
    batch: Any,
    *,
    steps: int,
    lr: float | Sequence[float] | None = None,
    optimizer: Optimizer | None = None,
) -> Audit:
    r"""Say what a gradient of f_K is: exact, or which known mistake it is the result of.

    The gradient is compared with d f_K / d theta_G (see `unroll.value_and_grad`), and with what is
    computed in its place by code that detaches the steps, truncates them, reuses a stale gradient,
    takes another number of them, and so on: `VERDICTS` lists them all. It fits a candidate h if
    ``||gradient - h|| <= 32 eps (size + change)``, where eps is that of the coarsest dtype among
    gradient and parameters, `size` the largest norm of the gradient's two terms and their sum, and
    `change` what a relative change of 1 of all parameters and data would do to it; and never less
    than ``1e-9 size``. If several fit, the verdict is the most favourable of them, and `also` lists
    the others: then the game, at this point, cannot tell them apart. All but "exact" are also
    tried times a factor. If none fits, each matrix is taken for its transpose, as
    ``torch.nn.Linear`` holds it; and after that all candidates are tried with another size of the
    inner steps, which is fitted to the gradient.

    Parameters
    ----------
    gradient : pytree like `theta_g`
        The result of the code under audit: arrays of NumPy, PyTorch, JAX, or any others that speak
        ``__array__`` or DLPack. Also a flat sequence of them, such as ``torch.autograd.grad``
        returns, or one vector, with the weights as they are or all transposed. None stands for
        zeros.
    game, theta_g, theta_d, batch, steps, lr, optimizer
        The arguments of `unroll.value_and_grad`, also as arrays of other libraries.

    Returns
    -------
    Audit
        ``.verdict``, ``.relative_error``, and a table by ``print``.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If the gradient has not the structure or the shapes of `theta_g`, or another argument makes
        no sense; the message names it.
    NonFiniteError
        If gradient or game hold a NaN or an infinity.

    Notes
    -----
    It costs about 25 + 3 K gradients of f_K, by the adjoint recursion in float64; and up to 20
    times as many before a gradient is said to be unknown.

    Examples
    --------
    In the bilinear game V = x y, with K = 3 steps of size 0.5, f_K = x (y + 1.5 x). Its derivative
    is y + 3 x; with y_K = y + 1.5 x held constant it is y_K.

    >>> import tinygrad_ugan as ug
    >>> game = ug.unroll.Game(lambda x, y, batch: x * y)
    >>> ug.check.audit(9.0, game, 2.0, 3.0, None, steps=3, lr=0.5).verdict
    'exact'
    >>> print(ug.check.audit(6.0, game, 2.0, 3.0, None, steps=3, lr=0.5).summary)
    detached: the direct term alone: theta_D^K was taken for a constant
    relative error of the gradient: 0.33; rounding in float64 explains 1e-09
    """
    problem = convert(game, theta_g, theta_d, batch, steps=steps, lr=lr, optimizer=optimizer)
    vectors, turned = _all_readings(gradient, problem.theta_g)
    classifier = Classifier.of(problem, coarsest(gradient, theta_g, theta_d))
    return _first_known(_findings(classifier, vectors, turned))


def _all_readings(gradient: PyTree, theta_g: PyTree) -> tuple[list[Array], list[Array]]:
    """The gradient as vectors: as it is, and with each matrix transposed."""
    turned = transposed_readings("gradient", gradient, theta_g)
    try:
        return readings("gradient", gradient, theta_g), turned
    except ArgumentError:
        if turned:  # it fits so only
            return [], turned
        raise


def _findings(
    classifier: Classifier, vectors: list[Array], turned: list[Array]
) -> Iterator[list[Audit]]:
    """The verdicts on every reading, group by group, the explanations that assume least first."""
    yield [classifier(vector) for vector in vectors]
    yield [_transposed(classifier(vector)) for vector in turned]
    search = functools.partial(with_other_step_size, classifier)
    yield [found for found in map(search, vectors) if found]
    yield [_transposed(found) for found in map(search, turned) if found]


def _first_known(groups: Iterable[list[Audit]]) -> Audit:
    """The most favourable verdict of the first group that has one; else the first unknown."""
    unknown = None
    for group in groups:
        best = min(group, key=lambda found: ORDER.index(found.verdict), default=None)
        if best is not None and best.verdict != "unknown":
            return best
        unknown = unknown or best
    assert unknown is not None  # there is a reading, and a verdict on it
    return unknown


def _transposed(found: Audit) -> Audit:
    """Say that a gradient was found to be so with each of its matrices transposed."""
    if found.ok:
        return replace(found, verdict="transposed", transposed=True)
    detail = "; ".join(filter(None, (found.detail, "every matrix transposed")))
    return replace(found, detail=detail, transposed=True)


def convert(
    game: AnyGame, theta_g: PyTree, theta_d: PyTree, batch: Any, **dynamics: Any
) -> Problem:
    """Make the problem that the arguments of `audit` state, in NumPy arrays of float64."""
    trees = {"theta_g": theta_g, "theta_d": theta_d, "batch": batch}
    converted = {name: tree_as_numpy(name, tree) for name, tree in trees.items()}
    return make_problem(game, **converted, **dynamics)
