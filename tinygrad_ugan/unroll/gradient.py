"""The value and gradient of f_K, by a choice of methods."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from tinygrad_ugan.compile.recorder import numbers_of, recording_of
from tinygrad_ugan.errors import ArgumentError, check_choice
from tinygrad_ugan.optim import Optimizer
from tinygrad_ugan.typing import PyTree
from tinygrad_ugan.unroll.adjoint import adjoint
from tinygrad_ugan.unroll.compiled import compiled, if_possible
from tinygrad_ugan.unroll.detached import detached
from tinygrad_ugan.unroll.forward import forward
from tinygrad_ugan.unroll.fusable import why_not_fused
from tinygrad_ugan.unroll.fused import fused
from tinygrad_ugan.unroll.game import AnyGame
from tinygrad_ugan.unroll.implicit import implicit
from tinygrad_ugan.unroll.method import Method, checked
from tinygrad_ugan.unroll.problem import Problem, make_problem
from tinygrad_ugan.unroll.tape import tape

METHODS: MappingProxyType[str, Method] = MappingProxyType(
    {
        "tape": checked(tape),
        "adjoint": checked(adjoint),
        "compiled": checked(compiled),
        "forward": checked(forward),
        "fused": fused,
        "detached": detached,
        "implicit": checked(implicit),
    }
)
_compiled_or_adjoint = checked(if_possible(compiled, adjoint))
_CHOICES = ("auto", *METHODS)
_WITH_SNAPSHOTS = ("auto", "tape", "adjoint", "compiled", "fused")


def value_and_grad(
    game: AnyGame,
    theta_g: PyTree,
    theta_d: PyTree,
    batch: Any,
    *,
    steps: int,
    lr: float | Sequence[float] | None = None,
    optimizer: Optimizer | None = None,
    state: PyTree = None,
    method: str = "auto",
    truncate: int | None = None,
    snapshots: int | None = None,
) -> tuple[Any, PyTree]:
    """Return the generator's objective after K unrolled discriminator steps, and its gradient.

    f_K(theta_G) = outer(theta_G, theta_K, b_K), where theta_0 = theta_D and
    theta_{k+1} = theta_k + eta_k d inner(theta_G, theta_k, b_k) / d theta_D: equations 5 to 8 of
    Metz et al. (2016), arXiv 1611.02163. The gradient is the total derivative with respect to
    theta_G, through every step, unless `method` or `truncate` says otherwise.

    Value and gradient can be differentiated in turn: with respect to `lr`, the settings of
    `optimizer`, `state`, `theta_d`, `theta_g`, `batch` and whatever `game` uses, to any order.

    Parameters
    ----------
    game : gan.Game or unroll.Game
        Anything with ``inner`` and ``outer``, functions of ``(theta_g, theta_d, batch)``; methods
        that a subclass overrides are honoured.
    theta_g, theta_d : pytree of float arrays
        The players' parameters.
    batch : pytree, or list (or plain tuple) of ``steps + 1`` pytrees
        One batch for every step; or fresh ones, the last of them for `outer`. A named tuple, such
        as `gan.Batch`, is one batch.
    steps : int
        K. With 0 this is the ordinary GAN gradient.
    lr : float or sequence of `steps` floats
        The inner step sizes eta_k.
    optimizer : optim.SGD, optim.Momentum, optim.Adam, or another with `init` and `update`
        Takes the inner steps, in place of plain ascent by `lr`; the gradient goes through its
        updates and its state.
    state : pytree, optional
        The state of `optimizer` at theta_0, as its `init` and `update` return it: such as that of
        the discriminator's real optimiser, whose next steps are then looked ahead. A fresh one if
        not given.
    method : {"auto", "fused", "compiled", "adjoint", "tape", "forward", "detached", "implicit"}
        "fused", "compiled", "adjoint", "tape" and "forward" are exact and agree to rounding.
        "fused" is by far the fastest and takes games between `nn.MLP`, such as `gan.Game`;
        "compiled" takes all games made of this package's parts and of functions of `ug.compile`.
        Neither takes arguments that are traced for a further derivative. "auto" takes the first of
        "fused", "compiled" and "adjoint" that it can (`explain_method` says why). "forward" is for
        small generators: it takes one sweep per element of theta_G. "detached" treats theta_K as a
        constant: the direct term alone. "implicit" treats theta_K as the discriminator's optimum:
        see `implicit_grad`.
    truncate : int, optional
        Differentiate through the last `truncate` steps only; by default through all of them.
    snapshots : int, optional
        Keep only this many of the states theta_0 ... theta_K, and recompute the others when they
        are needed ("fused", "compiled", "adjoint" and "tape"): the same bits in less memory and
        more time.

    Returns
    -------
    value : float
        f_K, in the dtype of the parameters.
    gradient : pytree like `theta_g`
        d f_K / d theta_G.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If an argument makes no sense; the message names it.
    NonFiniteError
        If `batch` holds a NaN or an infinity, or the unrolled game produces one; the message names
        the step.

    Examples
    --------
    One step in the bilinear game V = x y: theta_1 = y + eta x, f_1 = x (y + eta x), and its
    derivative is y + 2 eta x, of which y + eta x is the direct term.

    >>> import tinygrad_ugan as ug
    >>> game = ug.unroll.Game(lambda x, y, batch: x * y)
    >>> value, gradient = ug.unroll.value_and_grad(game, 2.0, 3.0, None, steps=1, lr=0.5)
    >>> float(value), float(gradient)
    (8.0, 5.0)
    >>> _, direct = ug.unroll.value_and_grad(
    ...     game, 2.0, 3.0, None, steps=1, lr=0.5, method="detached")
    >>> float(direct)
    4.0

    Hyper-gradients: d f_1/d eta = x^2, and d f_1/dy = x.

    >>> def after_a_step(lr, y):
    ...     return ug.unroll.value_and_grad(game, 2.0, y, None, steps=1, lr=lr)[0]
    >>> [float(slope) for slope in ug.grad(after_a_step, argnums=(0, 1))(0.5, 3.0)]
    [4.0, 2.0]
    """

    def problem_of(theta_g: PyTree, theta_d: PyTree, batch: Any, lr: Any, state: PyTree) -> Problem:
        return make_problem(
            game, theta_g, theta_d, batch,
            steps=steps, lr=lr, optimizer=optimizer, state=state,
            truncate=truncate, snapshots=snapshots, check_arrays=False,
        )  # fmt: skip

    arguments = theta_g, theta_d, batch, lr, state
    recording = recording_of(arguments) if method in ("auto", "fused") else None
    if recording is not None and why_not_fused(problem_of(*numbers_of(arguments))) is None:
        results: tuple[Any, PyTree] = recording.call(
            lambda *args: fused(problem_of(*args)), arguments, {}, "fused"
        )
        return results
    problem = problem_of(*arguments)
    return _choose(method, problem)(problem)


def _choose(method: str, problem: Problem) -> Method:
    check_choice("method", method, _CHOICES)
    if method == "auto":
        return fused if why_not_fused(problem) is None else _compiled_or_adjoint
    if method == "fused" and (reason := why_not_fused(problem)) is not None:
        raise ArgumentError("method", "'fused'", "another method for this game", reason)
    if problem.snapshots is not None and method not in _WITH_SNAPSHOTS:
        raise ArgumentError("snapshots", f"method {method!r}", f"one of {_WITH_SNAPSHOTS}")
    return METHODS[method]


def explain_method(
    game: AnyGame,
    theta_g: PyTree,
    theta_d: PyTree,
    batch: Any,
    *,
    steps: int,
    lr: float | Sequence[float] | None = None,
    optimizer: Optimizer | None = None,
    state: PyTree = None,
) -> str:
    """Return which method "auto" takes for these arguments of `value_and_grad`, and why.

    Raises
    ------
    ArgumentError, ArgumentTypeError, NonFiniteError
        As `value_and_grad`.

    Examples
    --------
    >>> import tinygrad_ugan as ug
    >>> game = ug.unroll.Game(lambda x, y, batch: x * y)
    >>> ug.unroll.explain_method(game, 2.0, 3.0, None, steps=1, lr=0.5)
    'adjoint: the game is not one of logits, such as ug.gan.Game; not compiled: <lambda> may look
     at what changes; ug.compile(f) says that f does not'
    >>> game = ug.unroll.Game(ug.compile(lambda x, y, batch: x * y))
    >>> ug.unroll.explain_method(game, 2.0, 3.0, None, steps=1, lr=0.5)
    'compiled: the game is not one of logits, such as ug.gan.Game'
    """
    problem = make_problem(
        game, theta_g, theta_d, batch, steps=steps, lr=lr, optimizer=optimizer, state=state
    )
    not_fused = why_not_fused(problem)
    if not_fused is None:
        return "fused"
    try:
        compiled(problem)
    except Exception as error:
        return f"adjoint: {not_fused}; not compiled: {error}"
    return f"compiled: {not_fused}"
