"""Optimisers as pairs of pure functions over pytrees, in the manner of optax.

``state = optimizer.init(params)``, then ``updates, state = optimizer.update(grads, state,
params)`` and ``params = apply_updates(params, updates)``. All of them descend; to ascend, hand in
the negative gradient. Every update can itself be differentiated, at a zero gradient too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import optree

from tinygrad_ugan.autodiff.operands import shape_of, untrace
from tinygrad_ugan.compile.recorder import as_it_is
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError
from tinygrad_ugan.optim.schedules import Schedule, value_at
from tinygrad_ugan.optim.validation import checked_update, leaves_like
from tinygrad_ugan.stated import stated, states
from tinygrad_ugan.typing import PyTree

if TYPE_CHECKING:
    from tinygrad_ugan.kernels.program_cache import LRUCache


class Optimizer(Protocol):
    """Any pair of these two functions is an optimiser."""

    def init(self, params: PyTree) -> PyTree:
        """Return the state before the first step."""

    def update(self, grads: PyTree, state: PyTree, params: PyTree) -> tuple[PyTree, PyTree]:
        """Return ``(updates, state)``."""


class KernelForm(NamedTuple):
    """A statement that an optimiser's `init` and `update` are one of the rules of the kernels.

    Attributes
    ----------
    rule : str
        "ascent", "momentum" or "adam", as of `tinygrad_ugan.kernels.parameters`; momentum's state
        is a `MomentumState`, adam's an `AdamState`.
    scalars : callable
        ``scalars(count, scale=1.0)``, the numbers that the kernels read at step `count`, from 1,
        where the update is multiplied by `scale`.
    """

    rule: str
    scalars: Callable[..., tuple[float, ...]]


def _kernel_form(rule: str, scalars: Callable[..., Any], *settings: Any) -> KernelForm | None:
    """The statement, or None where a setting is no plain number, such as a tensor."""
    numbers = all(type(each) is float for each in settings)
    return KernelForm(rule, scalars) if numbers else None


def apply_updates(params: PyTree, updates: PyTree, scale: float = 1.0) -> PyTree:
    """Return ``params + scale * updates``, leaf by leaf; a schedule may lower `scale` over time."""
    return optree.tree_map(lambda p, u: p + scale * u, params, updates)


@dataclass(frozen=True)
class SGD:
    """Gradient descent, ``theta <- theta - lr g``.

    As with all optimisers here, `lr` may be a schedule, a function of the steps taken so far.

    Examples
    --------
    >>> sgd = SGD(lr=0.5)
    >>> updates, _ = sgd.update({"w": np.array([2.0])}, sgd.init(None), None)
    >>> updates
    {'w': array([-1.])}
    """

    lr: float | Schedule = 0.01

    def __post_init__(self) -> None:
        _check_positive(self, "lr")

    @states("init", "update")
    def kernel_form(self) -> KernelForm | None:
        """The optimiser as a rule of the kernels."""
        return _kernel_form("ascent", lambda count, scale=1.0: (scale * self.lr,), self.lr)

    def init(self, params: PyTree) -> tuple[int, ...]:
        """Return the state before the first step: a count of steps for a schedule, else nothing."""
        return (0,) if callable(self.lr) else ()

    def update(
        self, grads: PyTree, state: tuple[int, ...], params: PyTree
    ) -> tuple[PyTree, tuple[int, ...]]:
        """Return ``(updates, state)``."""
        lr: Any = value_at(self.lr, *state) if state else self.lr
        return optree.tree_map(lambda g: -lr * g, grads), tuple(steps + 1 for steps in state)


class MomentumState(NamedTuple):
    """The running sum of gradients, and for a schedule the number of steps taken."""

    velocity: PyTree
    steps: int | None = None


@dataclass(frozen=True)
class Momentum:
    """Heavy-ball momentum, ``v <- momentum v + g;  theta <- theta - lr v`` (Polyak 1964)."""

    lr: float | Schedule = 0.01
    momentum: float = 0.9

    def __post_init__(self) -> None:
        _check_positive(self, "lr")
        _check_fraction(self, "momentum")

    @states("init", "update", "_along")
    def kernel_form(self) -> KernelForm | None:
        """The optimiser as a rule of the kernels."""
        lr, momentum = self.lr, self.momentum
        return _kernel_form(
            "momentum", lambda count, scale=1.0: (scale * lr, momentum), lr, momentum
        )

    def init(self, params: PyTree) -> MomentumState:
        """Return the state before the first step."""
        zeros = optree.tree_map(np.zeros_like, params)
        return MomentumState(zeros, 0 if callable(self.lr) else None)

    def update(
        self, grads: PyTree, state: MomentumState, params: PyTree
    ) -> tuple[PyTree, MomentumState]:
        """Return ``(updates, state)``."""
        velocity = optree.tree_map(lambda v, g: self.momentum * v + g, state.velocity, grads)
        lr: Any = self.lr
        steps = state.steps
        if steps is not None:
            lr, steps = value_at(lr, steps), steps + 1
        updates = optree.tree_map(lambda v: -lr * v, self._along(velocity, grads))
        return updates, MomentumState(velocity, steps)

    def _along(self, velocity: PyTree, grads: PyTree) -> PyTree:
        """The direction of the step."""
        return velocity


@dataclass(frozen=True)
class Nesterov(Momentum):
    """Nesterov's momentum, ``v <- momentum v + g;  theta <- theta - lr (g + momentum v)``.

    In the form of Sutskever et al. (2013), "On the importance of initialization and momentum in
    deep learning", as PyTorch and optax have it.
    """

    def _along(self, velocity: PyTree, grads: PyTree) -> PyTree:
        return optree.tree_map(lambda v, g: g + self.momentum * v, velocity, grads)


class PreviousGradient(NamedTuple):
    """The gradient of the step before, and the number of steps taken."""

    gradient: PyTree
    steps: int


@dataclass(frozen=True)
class Optimistic:
    """Optimistic descent, ``theta <- theta - lr (2 g - g of the step before)``.

    It converges in bilinear games, where plain descent spirals out (Daskalakis et al. 2018, arXiv
    1711.00141, equation 4). The first step is a plain one.

    Examples
    --------
    >>> optimistic, x = Optimistic(lr=1.0), np.array([0.0])
    >>> updates, state = optimistic.update(np.array([1.0]), optimistic.init(x), x)
    >>> optimistic.update(np.array([3.0]), state, x)[0]
    array([-5.])
    """

    lr: float | Schedule = 0.01

    def __post_init__(self) -> None:
        _check_positive(self, "lr")

    def init(self, params: PyTree) -> PreviousGradient:
        """Return the state before the first step."""
        return PreviousGradient(optree.tree_map(np.zeros_like, params), 0)

    def update(
        self, grads: PyTree, state: PreviousGradient, params: PyTree
    ) -> tuple[PyTree, PreviousGradient]:
        """Return ``(updates, state)``."""
        lr, before = value_at(self.lr, state.steps), state.gradient if state.steps else grads
        updates = optree.tree_map(lambda g, old: -lr * (2 * g - old), grads, before)
        return updates, PreviousGradient(grads, state.steps + 1)


class RMSpropState(NamedTuple):
    """The running mean of g^2, and the number of steps taken."""

    square: PyTree
    steps: int


@dataclass(frozen=True)
class RMSprop:
    """RMSprop (Tieleman and Hinton 2012), ``v <- decay v + (1 - decay) g^2``.

    ``theta <- theta - lr g / sqrt(v + eps^2)``, with epsilon inside the root as `Adam` has it.

    Examples
    --------
    >>> rmsprop = RMSprop(lr=0.1, decay=0.75)
    >>> rmsprop.update(np.array([3.0]), rmsprop.init(np.array([0.0])), None)[0]
    array([-0.2])
    """

    lr: float | Schedule = 1e-2
    decay: float = 0.99
    eps: float = 1e-8

    def __post_init__(self) -> None:
        _check_positive(self, "lr")
        _check_eps(self)
        _check_fraction(self, "decay")

    def init(self, params: PyTree) -> RMSpropState:
        """Return the state before the first step."""
        return RMSpropState(optree.tree_map(np.zeros_like, params), 0)

    def update(
        self, grads: PyTree, state: RMSpropState, params: PyTree
    ) -> tuple[PyTree, RMSpropState]:
        """Return ``(updates, state)``."""
        square = optree.tree_map(
            lambda v, g: self.decay * v + (1 - self.decay) * (g * g), state.square, grads
        )
        lr = value_at(self.lr, state.steps)
        updates = optree.tree_map(lambda g, v: -lr * g / np.sqrt(v + self.eps**2), grads, square)
        return updates, RMSpropState(square, state.steps + 1)


class AdamState(NamedTuple):
    """Number of steps taken, and the first and second moment: running means of g and g^2."""

    steps: int
    mean: PyTree
    square: PyTree


@dataclass(frozen=True)
class Adam:
    r"""Adam (Kingma and Ba 2014, arXiv 1412.6980), algorithm 1.

    ``m <- beta1 m + (1 - beta1) g``, ``v <- beta2 v + (1 - beta2) g^2``, and with
    ``m^ = m / (1 - beta1^t)``, ``v^ = v / (1 - beta2^t)``:

    ``theta <- theta - lr m^ / sqrt(v^ + eps^2)``.

    The paper writes ``sqrt(v^) + eps``, whose derivative is infinite at ``v^ = 0``. With epsilon
    inside the root the update is smooth at a zero gradient; the two differ by less than a factor
    sqrt(2) where ``sqrt(v^)`` is as small as eps, and by a relative eps / sqrt(v^) elsewhere.

    Examples
    --------
    >>> adam = Adam(lr=0.1)
    >>> updates, state = adam.update(np.array([3.0]), adam.init(np.array([0.0])), None)
    >>> updates, state.steps
    (array([-0.1]), 1)
    """

    lr: float | Schedule = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def __post_init__(self) -> None:
        _check_positive(self, "lr")
        _check_eps(self)
        _check_fraction(self, "beta1", "beta2")

    @states("init", "update", "coefficients")
    def kernel_form(self) -> KernelForm | None:
        """The optimiser as a rule of the kernels."""
        settings = self.lr, self.beta1, self.beta2, self.eps
        return _kernel_form("adam", self.coefficients, *settings)

    def init(self, params: PyTree) -> AdamState:
        """Return the state before the first step."""
        zeros = optree.tree_map(np.zeros_like, params)
        return AdamState(0, zeros, optree.tree_map(np.zeros_like, params))

    def update(self, grads: PyTree, state: AdamState, params: PyTree) -> tuple[PyTree, AdamState]:
        """Return ``(updates, state)``."""
        steps = state.steps + 1
        mean = optree.tree_map(
            lambda m, g: self.beta1 * m + (1 - self.beta1) * g, state.mean, grads
        )
        square = optree.tree_map(
            lambda v, g: self.beta2 * v + (1 - self.beta2) * (g * g), state.square, grads
        )
        *_, step, scale = self.coefficients(steps)
        updates = optree.tree_map(
            lambda m, v: step * m / np.sqrt(scale * v + self.eps**2), mean, square
        )
        return updates, AdamState(steps, mean, square)

    @as_it_is
    def coefficients(self, steps: int, scale: float = 1.0) -> tuple[float, ...]:
        """Return what step number `steps` multiplies by, as the kernels take it.

        ``beta1, 1 - beta1, beta2, 1 - beta2, eps^2``, then ``-scale lr / (1 - beta1^steps)`` of the
        mean and ``1 / (1 - beta2^steps)`` of the square. Whoever steps takes these, since an ulp in
        the power ``beta2^steps`` is a thousand in the last.
        """
        b1, b2 = self.beta1, self.beta2
        lr = value_at(self.lr, steps - 1)
        step, correction = -scale * lr / (1 - b1**steps), 1 / (1 - b2**steps)
        return b1, 1 - b1, b2, 1 - b2, self.eps**2, step, correction


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101).

    ``theta <- theta - lr weight_decay theta`` beside the step of `Adam`, as PyTorch and optax have
    it.
    """

    weight_decay: float = 1e-2

    def update(self, grads: PyTree, state: AdamState, params: PyTree) -> tuple[PyTree, AdamState]:
        """Return ``(updates, state)``."""
        rate = value_at(self.lr, state.steps) * self.weight_decay
        updates, state = super().update(grads, state, params)
        return optree.tree_map(lambda u, p: u - rate * p, updates, params), state


def descend(
    optimizer: Optimizer, grads: PyTree, state: PyTree, params: PyTree, scale: float = 1.0
) -> tuple[PyTree, PyTree]:
    """Take one whole step: `update`, then `apply_updates`; return ``(params, state)``.

    Adam's goes through the kernels where parameters are plain arrays: the same up to rounding, in
    one pass over memory instead of a dozen.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If the gradient, or the means in Adam's state, are not arrays like the parameters; or if
        the update changes the structure, a shape or a dtype of the parameters or the state.

    Examples
    --------
    >>> theta = np.array([1.0, 2.0])
    >>> theta, state = descend(SGD(lr=0.5), np.array([2.0, 0.0]), (), theta)
    >>> theta
    array([0., 2.])
    """
    leaves, structure = optree.tree_flatten(params)
    groups = [leaves, leaves_like(leaves, structure, "grads", grads)]
    form = stated(optimizer, "kernel_form")
    if form is not None and form.rule == "adam":
        if not isinstance(state, AdamState):
            raise ArgumentTypeError("state", repr(type(state)), "an AdamState, as from Adam.init")
        means = (("state.mean", state.mean), ("state.square", state.square))
        groups += (leaves_like(leaves, structure, name, mean) for name, mean in means)
        program = _adam_program(groups)
        if program is not None:
            scalars = form.scalars(state.steps + 1, scale)
            after = program.step(scalars, *groups)
            params, mean, square = (optree.tree_unflatten(structure, x) for x in after)
            return params, AdamState(state.steps + 1, mean, square)
    updated = optimizer.update(grads, state, params)
    updates, state = checked_update(optimizer, updated, state, params)
    return apply_updates(params, updates, scale), state


def extragradient(
    optimizer: Optimizer,
    gradient: Callable[[PyTree], PyTree],
    params: PyTree,
    state: PyTree,
    scale: float = 1.0,
) -> tuple[PyTree, PyTree]:
    """Take one step by the gradient that there is after a step; return ``(params, state)``.

    The extra-gradient method (Korpelevich 1976; for GANs, Gidel et al. 2019, arXiv 1802.10551): it
    converges in bilinear games, where plain descent spirals out. Of the step that is taken ahead
    the parameters alone are used.

    Parameters
    ----------
    optimizer, params, state, scale
        See `descend`.
    gradient : callable
        ``gradient(params)``, to be descended: of a game, that of every player's own loss.

    Examples
    --------
    In min over x, max over y of x y the players descend y and -x.

    >>> players = np.array([1.0, 0.0])
    >>> sgd, slopes = SGD(lr=0.5), lambda players: np.array([players[1], -players[0]])
    >>> extragradient(sgd, slopes, players, sgd.init(players))[0]
    array([0.75, 0.5 ])
    """
    ahead, _ = descend(optimizer, gradient(params), state, params, scale)
    return descend(optimizer, gradient(ahead), state, params, scale)


def _adam_program(groups: Sequence[Sequence[Any]]) -> Any:
    """The program of a step of Adam for these arrays, or None where NumPy has to take it."""
    every = [leaf for group in groups for leaf in group]
    if not every or any(type(leaf) is not np.ndarray for leaf in every):
        return None
    dtypes = {leaf.dtype for leaf in every}
    if len(dtypes) > 1 or every[0].dtype not in (np.float32, np.float64):
        return None
    return _program_cache().get(
        (tuple(leaf.shape for leaf in groups[0]), every[0].dtype), _make_program
    )


@functools.cache
def _program_cache() -> LRUCache:
    """The programs that were used last."""
    from tinygrad_ugan.kernels.program_cache import LRUCache

    return LRUCache(max_bytes=256 * 2**20, max_entries=32)


def _make_program(shapes: tuple[tuple[int, ...], ...], dtype: np.dtype[Any]) -> Any:
    from tinygrad_ugan.kernels.adam import AdamProgram
    from tinygrad_ugan.kernels.target import host_target

    return AdamProgram(shapes, host_target(), dtype, _program_cache().trim)


def _check_positive(settings: Any, *names: str) -> None:
    for name in names:
        value = _as_python(settings, name)
        if not callable(value) and not (np.isfinite(value) and value > 0):
            raise ArgumentError(name, untrace(value), "a positive number")


def _check_eps(settings: Any) -> None:
    _check_positive(settings, "eps")
    if not 0 < settings.eps * settings.eps < np.inf:
        raise ArgumentError(
            "eps", untrace(settings.eps), "a positive number whose square is one too"
        )


def _check_fraction(settings: Any, *names: str) -> None:
    for name in names:
        value = _as_python(settings, name)
        if not 0 <= value < 1:
            raise ArgumentError(name, untrace(value), "a number in [0, 1)")


def _as_python(settings: Any, name: str) -> Any:
    """Make a setting Python's number: one of NumPy would turn float32 into float64."""
    value = getattr(settings, name)
    if isinstance(value, Real):
        object.__setattr__(settings, name, value := float(value))
    elif shape_of(value):
        hint = "for a step size of each leaf, chain the optimiser with ug.optim.scale"
        raise ArgumentError(name, f"shape {shape_of(value)}", "one number", hint)
    return value
