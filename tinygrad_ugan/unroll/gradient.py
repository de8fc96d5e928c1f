"""The value and the gradient of f_K by a method of one's choice."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import optree

from tinygrad_ugan import autodiff
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NonFiniteError, check_choice
from tinygrad_ugan.unroll.adjoint import adjoint
from tinygrad_ugan.unroll.detached import detached
from tinygrad_ugan.unroll.dynamics import ascend
from tinygrad_ugan.unroll.game import AnyGame, Game, SampleGame
from tinygrad_ugan.unroll.tape import tape

PyTree = Any

METHODS: MappingProxyType[str, Callable[..., tuple[Any, PyTree]]] = MappingProxyType(
    {"tape": tape, "adjoint": adjoint, "detached": detached}
)


def value_and_grad(
    game: AnyGame,
    theta_g: PyTree,
    theta_d: PyTree,
    batch: Any,
    *,
    steps: int,
    lr: float | Sequence[float],
    method: str = "auto",
) -> tuple[Any, PyTree]:
    """Value and gradient of the generator's objective after K unrolled discriminator steps.

    f_K(theta_G) = outer(theta_G, theta_K, b_K), where theta_0 = theta_D and
    theta_{k+1} = theta_k + eta_k d inner(theta_G, theta_k, b_k) / d theta_D: equations 5 to 8 of
    Metz et al. (2016), arXiv 1611.02163. The gradient is the total derivative with respect to
    theta_G, through every step, unless `method` says otherwise.

    Parameters
    ----------
    game : gan.Game or unroll.Game
        Anything with ``inner`` and ``outer``, functions of ``(theta_g, theta_d, batch)``.
    theta_g, theta_d : pytree of float arrays
        The players' parameters.
    batch : pytree, or list (or plain tuple) of ``steps + 1`` pytrees
        One batch for every step; or fresh ones, the last of them for `outer`. A named tuple, such
        as `gan.Batch`, is one batch.
    steps : int
        K. With 0 this is the ordinary GAN gradient.
    lr : float or sequence of `steps` floats
        The inner step sizes eta_k.
    method : {"auto", "adjoint", "tape", "detached"}
        "adjoint" and "tape" are exact and agree to rounding; "adjoint" (which "auto" takes) needs
        less memory. "detached" treats theta_K as a constant: the direct term alone.

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
        If `batch` holds a NaN or an infinity, or the unrolled game produces one.

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
    """
    steps = _check_steps(steps)
    etas = _step_sizes(lr, steps)
    batches = _batches(batch, steps)
    check_choice("method", method, ("auto", *METHODS))
    _check_params("theta_g", theta_g)
    _check_params("theta_d", theta_d)
    compute = METHODS["adjoint" if method == "auto" else method]

    if isinstance(game, SampleGame) and _is_shared(batches):
        value, gradient = _through_samples(compute, game, theta_g, theta_d, batches, etas)
    else:
        value, gradient = compute(game, theta_g, theta_d, batches, etas)
    if not _is_finite((value, gradient)):
        _explain_non_finite(game, theta_g, theta_d, batches, etas)
    return value, gradient


def _through_samples(
    compute: Callable[..., tuple[Any, PyTree]],
    game: Any,
    theta_g: PyTree,
    theta_d: PyTree,
    batches: Sequence[Any],
    etas: Sequence[float],
) -> tuple[Any, PyTree]:
    """Unroll as a function of the generated samples, then apply the chain rule once."""
    generate = functools.partial(game.generate, batch=batches[0])
    samples, pullback = autodiff.vjp(generate, theta_g)
    on_samples = Game(game.inner_on, game.outer_on)
    value, cotangent = compute(on_samples, samples, theta_d, batches, etas)
    return value, pullback(cotangent)[0]


def _check_steps(steps: Any) -> int:
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer):
        raise ArgumentTypeError("steps", repr(steps), "a whole number >= 0")
    if steps < 0:
        raise ArgumentError("steps", steps, "a whole number >= 0")
    return int(steps)


def _step_sizes(lr: Any, steps: int) -> list[float]:
    try:
        etas = np.asarray(lr, float)
    except (TypeError, ValueError) as error:
        raise ArgumentTypeError("lr", repr(lr), "a number or a sequence of numbers") from error
    if etas.ndim == 0:
        etas = np.full(steps, etas)
    if etas.shape != (steps,):
        raise ArgumentError("lr", f"shape {etas.shape}", f"one number, or {steps} (one a step)")
    if not np.all(np.isfinite(etas)):
        raise NonFiniteError("lr", repr(lr), "finite numbers")
    return etas.tolist()


def _batches(batch: Any, steps: int) -> list[Any]:
    """The batches b_0 ... b_K."""
    fresh = isinstance(batch, list) or type(batch) is tuple
    if fresh and len(batch) != steps + 1:
        raise ArgumentError(
            "batch",
            f"{len(batch)} batches",
            f"one batch, or steps + 1 = {steps + 1}",
            "a single batch that is a list or tuple is to be given as a named tuple or a dict",
        )
    for path, leaf in zip(optree.tree_paths(batch), optree.tree_leaves(batch), strict=True):
        if _is_floating(leaf) and not _is_finite(leaf):
            place = _place("batch", batch, path)
            raise NonFiniteError(place, "a NaN or infinity", "finite numbers")
    return list(batch) if fresh else [batch] * (steps + 1)


def _is_shared(batches: Sequence[Any]) -> bool:
    return all(batch is batches[0] for batch in batches)


def _check_params(name: str, params: PyTree) -> None:
    for path, leaf in zip(optree.tree_paths(params), optree.tree_leaves(params), strict=True):
        if not _is_floating(leaf):
            raise ArgumentTypeError(
                _place(name, params, path),
                f"dtype {leaf.dtype}" if hasattr(leaf, "dtype") else repr(leaf),
                "floating-point parameters",
                "convert them with .astype(np.float32) or .astype(np.float64)",
            )


def _place(name: str, tree: PyTree, path: tuple[Any, ...]) -> str:
    """Write the way to a leaf as one would in Python: ``theta_d[0]['w']``, ``batch.real``."""
    for key in path:
        fields = getattr(tree, "_fields", None)
        name += f".{fields[key]}" if fields else f"[{key!r}]"
        tree = tree[key]
    return name


def _is_floating(leaf: Any) -> bool:
    return isinstance(leaf, float) or getattr(getattr(leaf, "dtype", None), "kind", "") == "f"


def _is_finite(tree: PyTree) -> bool:
    return all(np.all(np.isfinite(leaf)) for leaf in optree.tree_leaves(tree))


def _explain_non_finite(
    game: AnyGame, theta_g: PyTree, theta_d: PyTree, batches: Sequence[Any], etas: Sequence[float]
) -> None:
    """Find the first inner step that leaves the finite numbers, and raise naming it."""
    for name, params in (("theta_g", theta_g), ("theta_d", theta_d)):
        if not _is_finite(params):
            raise NonFiniteError(name, "a NaN or infinity", "finite parameters")
    thetas = ascend(game, theta_g, theta_d, batches, etas)
    for k, theta in enumerate(thetas):
        if not _is_finite(theta):
            raise NonFiniteError(
                "theta_d",
                f"a NaN or infinity after step {k} of {len(etas)}",
                "an inner ascent that stays finite",
                "try a smaller lr or fewer steps",
            )
    raise NonFiniteError("game", "a NaN or infinity in its value or gradient", "finite numbers")
