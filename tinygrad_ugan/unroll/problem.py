"""The unrolled program: a game, a starting point, K steps, and the batches that they see."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optree

from tinygrad_ugan import autodiff
from tinygrad_ugan.autodiff import Tensor
from tinygrad_ugan.autodiff.core import new_level
from tinygrad_ugan.autodiff.defensive_copies import CopyingNode
from tinygrad_ugan.autodiff.primitive import linear
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NonFiniteError
from tinygrad_ugan.nn.validation import check_array
from tinygrad_ugan.optim import Optimizer
from tinygrad_ugan.stated import stated
from tinygrad_ugan.tree import is_finite
from tinygrad_ugan.typing import PyTree
from tinygrad_ugan.unroll.dynamics import Ascent, InnerState, Optimized, UpdateRule, is_floating
from tinygrad_ugan.unroll.forms import Form, form_of
from tinygrad_ugan.unroll.game import AnyGame, Game


@dataclass(frozen=True)
class Problem:
    """f_K(theta_G) = outer(theta_G, theta_K, b_K) with everything that it depends on.

    Attributes
    ----------
    game : AnyGame
    theta_g : pytree
    state : InnerState
        theta_0, and what the inner optimiser remembers.
    batches : sequence
        b_0 ... b_K.
    rule : UpdateRule
        How theta_k moves.
    """

    game: AnyGame
    theta_g: PyTree
    state: InnerState
    batches: Sequence[Any]
    rule: UpdateRule

    @property
    def steps(self) -> int:
        """K."""
        return len(self.batches) - 1

    @functools.cached_property
    def is_fresh(self) -> bool:
        """Whether not all steps see the same batch."""
        return len(set(map(id, self.batches))) > 1

    @functools.cached_property
    def form(self) -> Form | str:
        """What game, networks and optimiser state of themselves; or what they do not, in words."""
        return form_of(self.game, self.rule)

    def gradient(self, k: int, theta_g: PyTree, theta: PyTree) -> PyTree:
        """g_k = d inner / d theta_D at (theta_G, theta).

        Raises
        ------
        ArgumentError
            If `inner` does not depend on theta_D at all: unrolling it would do nothing.
        """
        g = autodiff.grad(self.game.inner, argnums=1)(theta_g, theta, self.batches[k])
        if not any(np.any(leaf) for leaf in optree.tree_leaves(g)):  # cheap; and seldom so
            self._check_dependence(k, theta_g, theta)
        return g

    def _check_dependence(self, k: int, theta_g: PyTree, theta: PyTree) -> None:
        level = new_level()
        traced = optree.tree_map(lambda x: Tensor(x, level, CopyingNode()), theta)
        out = self.game.inner(theta_g, traced, self.batches[k])
        if not (isinstance(out, Tensor) and out.level == level):
            raise ArgumentError("game.inner", "one that does not", "an objective that uses theta_d")

    def step(self, k: int, theta_g: PyTree, state: InnerState) -> InnerState:
        """Take inner step k."""
        return self.rule.advance(k, self.gradient(k, theta_g, state.theta), state)

    def states(self) -> Iterator[InnerState]:
        """The states s_0 ... s_K, one after the other."""
        state = self.state
        yield state
        for k in range(self.steps):
            state = self.step(k, self.theta_g, state)
            yield state

    def outer(self, theta_g: PyTree, theta_K: PyTree) -> Any:
        """The outer objective on the last batch."""
        return self.game.outer(theta_g, theta_K, self.batches[-1])

    def at(self, theta_g: PyTree, theta_d: PyTree) -> Problem:
        """The same program from another point."""
        return replace(self, theta_g=theta_g, state=self.rule.start(theta_d))

    def after(self, k: int) -> Problem:
        """The same program once its first k steps have been taken, and are held constant."""
        if k == 0:
            return self
        *_, state = (s for s, _ in zip(self.states(), range(k + 1), strict=False))
        return replace(self, state=state, batches=self.batches[k:], rule=self.rule.after(k))

    def final(self, theta_g: PyTree) -> PyTree:
        """theta_K as a function of theta_G, for the engine to differentiate.

        Each step sees theta_G under a name of its own. So all that a step contributes to a
        cotangent is added up first, in the same order whether the steps are differentiated in one
        sweep or one by one.
        """
        state = self.state
        for k in range(self.steps):
            state = self.step(k, optree.tree_map(alias, theta_g), state)
        return state.theta

    def value(self, theta_g: PyTree) -> Any:
        """f_K as a function of theta_G, for the engine to differentiate."""
        return self.outer(theta_g, self.final(theta_g))


def _alias(x: Any) -> Any:
    return x


alias = linear(_alias, lambda g, x: g)


def through_samples(problem: Problem) -> tuple[Problem, Callable[[PyTree], PyTree]]:
    """Rewrite f_K as a function of the generated samples, where one batch serves every step.

    Returns the new problem, whose "theta_g" are the samples, and the pullback from a gradient with
    respect to the samples to one with respect to theta_G. Where there is nothing to gain, the
    problem stays as it is and the pullback does nothing.
    """
    form, batch = stated(problem.game, "sample_form"), problem.batches[0]
    if form is None or problem.is_fresh:
        return problem, lambda gradient: gradient
    samples, pullback = autodiff.vjp(lambda g: form.generate(g, batch), problem.theta_g)
    reduced = replace(problem, game=Game(form.inner_on, form.outer_on), theta_g=samples)
    return reduced, lambda cotangent: pullback(cotangent)[0]


def make_problem(
    game: AnyGame,
    theta_g: PyTree,
    theta_d: PyTree,
    batch: Any,
    *,
    steps: int,
    lr: float | Sequence[float] | None,
    optimizer: Optimizer | None = None,
    check: bool = True,
) -> Problem:
    """Check the arguments that all functions of this room share; the errors name them.

    With `check` false, `check_arrays` is left to the caller, who may have a quicker one.
    """
    steps = _check_steps(steps)
    rule = _rule(lr, optimizer, steps)
    if check:
        check_arrays(theta_g, theta_d, batch)
    elif optimizer is not None:  # which starts from them
        _check_params("theta_d", theta_d)
    batches = _batches(batch, steps)
    return Problem(game, theta_g, rule.start(theta_d), batches, rule)


def _check_steps(steps: Any) -> int:
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer):
        raise ArgumentTypeError("steps", repr(steps), "a whole number >= 0")
    if steps < 0:
        raise ArgumentError("steps", steps, "a whole number >= 0")
    return int(steps)


def _rule(lr: Any, optimizer: Any, steps: int) -> UpdateRule:
    if (lr is None) == (optimizer is None):
        given = "neither" if lr is None else "both"
        raise ArgumentError("lr", given, "either lr or optimizer")
    if optimizer is None:
        return Ascent(_step_sizes(lr, steps))
    if not all(callable(getattr(optimizer, name, None)) for name in ("init", "update")):
        expected = (
            "an optimiser of ug.optim, SGD, Momentum or Adam, or another with init and update"
        )
        raise ArgumentTypeError("optimizer", repr(optimizer), expected)
    return Optimized(optimizer)


def _step_sizes(lr: Any, steps: int) -> list[float]:
    if type(lr) is float and math.isfinite(lr):
        return [lr] * steps
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
    return list(batch) if fresh else [batch] * (steps + 1)


def check_arrays(theta_g: PyTree, theta_d: PyTree, batch: Any) -> None:
    """Refuse other libraries' arrays, parameters that are none, and a NaN or infinity in the batch.

    The error says where it is.
    """
    _check_params("theta_g", theta_g)
    _check_params("theta_d", theta_d)
    check_library("batch", batch)
    for i, leaf in enumerate(optree.tree_leaves(batch)):
        if is_floating(leaf) and not is_finite(leaf):
            place = _place("batch", batch, optree.tree_paths(batch)[i])
            raise NonFiniteError(place, "a NaN or infinity", "finite numbers")


def check_library(name: str, tree: PyTree) -> None:
    """Refuse another library's array; the error says where it is."""
    for i, leaf in enumerate(optree.tree_leaves(tree)):
        if type(leaf) is not np.ndarray and (hasattr(leaf, "dtype") or hasattr(leaf, "__array__")):
            check_array(_place(name, tree, optree.tree_paths(tree)[i]), leaf)


def _check_params(name: str, params: PyTree) -> None:
    if _are_layers(params):
        return
    leaves = optree.tree_leaves(params)
    if all(map(is_floating, leaves)):
        return
    i, leaf = next((i, leaf) for i, leaf in enumerate(leaves) if not is_floating(leaf))
    check_library(name, params)
    raise ArgumentTypeError(
        _place(name, params, optree.tree_paths(params)[i]),
        f"dtype {leaf.dtype}" if hasattr(leaf, "dtype") else repr(leaf),
        "floating-point parameters",
        "convert them with .astype(np.float32) or .astype(np.float64)",
    )


def _are_layers(params: PyTree) -> bool:
    """Whether parameters are floating-point arrays of layers, as most are: seen quickly."""
    if type(params) is not list:
        return False
    for layer in params:
        if type(layer) is not dict:
            return False
        for x in layer.values():
            if type(x) is not np.ndarray or x.dtype.kind != "f":
                return False
    return True


def _place(name: str, tree: PyTree, path: tuple[Any, ...]) -> str:
    """Write the way to a leaf as one would in Python: ``theta_d[0]['w']``, ``batch.real``."""
    for key in path:
        fields = getattr(tree, "_fields", None)
        name += f".{fields[key]}" if fields else f"[{key!r}]"
        tree = tree[key]
    return name


def check_parameters(problem: Problem) -> None:
    """Refuse parameters that are not finite."""
    if not is_finite((problem.theta_g, problem.state.theta)):
        raise explain_non_finite(problem)


def explain_non_finite(problem: Problem) -> NonFiniteError:
    """Find the first inner step that leaves the finite numbers; the error names it."""
    for name, params in (("theta_g", problem.theta_g), ("theta_d", problem.state.theta)):
        if not is_finite(params):
            return NonFiniteError(name, "a NaN or infinity", "finite parameters")
    for k, state in enumerate(problem.states()):
        if k == 1 and not is_finite(problem.gradient(0, problem.theta_g, problem.state.theta)):
            return NonFiniteError(
                "game.inner",
                "a NaN or infinity in its gradient at the theta_d given",
                "a derivative that is finite there",
                "no step size helps: sqrt and norms, say, have none at zero",
            )
        if not is_finite(state.theta):
            return NonFiniteError(
                "theta_d",
                f"a NaN or infinity after step {k} of {problem.steps}",
                "an inner ascent that stays finite",
                "try a smaller lr or fewer steps",
            )
    return NonFiniteError("game", "a NaN or infinity in its value or gradient", "finite numbers")
