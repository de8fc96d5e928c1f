r"""Losses: the objectives of both players as functions of logits.

With logits r of the real and s of the generated batch, D(x) = sigmoid(logit). The discriminator
ascends `inner`, the generator descends `outer`. Every logarithm is taken of a sigmoid through
``log sigmoid(r) = -log(1 + exp(-r))``, which is finite for every finite logit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from tinygrad_ugan.errors import ArgumentError, check_choice
from tinygrad_ugan.nn.activations import log_sigmoid
from tinygrad_ugan.unroll.game import LogitTerms

Objective = Callable[[Any, Any], Any]


class Loss(NamedTuple):
    """The objectives of both players.

    Attributes
    ----------
    inner, outer : callable
        Functions of the logits ``(r, s)``.
    """

    inner: Objective
    outer: Objective


def _cross_entropy(r: Any, s: Any) -> Any:
    """``mean(log D(x)) + mean(log(1 - D(G(z))))``, Goodfellow et al. (2014), equation 1."""
    return np.mean(log_sigmoid(r)) + np.mean(log_sigmoid(-s))


def _nonsaturating(r: Any, s: Any) -> Any:
    return -np.mean(log_sigmoid(s))


def _max_likelihood(r: Any, s: Any) -> Any:
    """Goodfellow (2016), tutorial, exercise 7.3: the gradient of KL(data || model) if D = D*."""
    return -np.mean(np.exp(s)) / 2


def _wasserstein(r: Any, s: Any) -> Any:
    return np.mean(r) - np.mean(s)


def _least_squares_inner(r: Any, s: Any) -> Any:
    return -np.mean((r - 1) ** 2) / 2 - np.mean(s**2) / 2


def _least_squares_outer(r: Any, s: Any) -> Any:
    return np.mean((s - 1) ** 2) / 2


def _hinge_inner(r: Any, s: Any) -> Any:
    return -np.mean(np.maximum(0, 1 - r)) - np.mean(np.maximum(0, 1 + s))


def _hinge_outer(r: Any, s: Any) -> Any:
    return -np.mean(s)


def _smooth_cross_entropy(r: Any, s: Any, amount: float) -> Any:
    real = (1 - amount) * np.mean(log_sigmoid(r)) + amount * np.mean(log_sigmoid(-r))
    return real + np.mean(log_sigmoid(-s))


def _smooth_least_squares(r: Any, s: Any, amount: float) -> Any:
    return -np.mean((r - (1 - amount)) ** 2) / 2 - np.mean(s**2) / 2


TERMS: MappingProxyType[Objective, LogitTerms] = MappingProxyType(
    {
        _cross_entropy: (("log_sigmoid", 1.0), ("log_sigmoid_of_minus", 1.0)),
        _nonsaturating: (None, ("log_sigmoid", -1.0)),
        _max_likelihood: (None, ("exp", -0.5)),
        _wasserstein: (("identity", 1.0), ("identity", -1.0)),
        _least_squares_inner: (("half_square_from_one", -1.0), ("half_square", -1.0)),
        _least_squares_outer: (None, ("half_square_from_one", 1.0)),
        _hinge_inner: (("hinge_below_one", -1.0), ("hinge_above_minus_one", -1.0)),
        _hinge_outer: (None, ("identity", -1.0)),
    }
)
"""The objectives in the form of the kernels: see `tinygrad_ugan.unroll.LogitForm`."""

LOSSES: MappingProxyType[str, Loss] = MappingProxyType(
    {
        "minimax": Loss(_cross_entropy, _cross_entropy),
        "nonsaturating": Loss(_cross_entropy, _nonsaturating),
        "max_likelihood": Loss(_cross_entropy, _max_likelihood),
        "wasserstein": Loss(_wasserstein, _wasserstein),
        "least_squares": Loss(_least_squares_inner, _least_squares_outer),
        "hinge": Loss(_hinge_inner, _hinge_outer),
    }
)
"""The losses by name, as `Game` takes them."""

_SMOOTH: MappingProxyType[Objective, Callable[..., Any]] = MappingProxyType(
    {_cross_entropy: _smooth_cross_entropy, _least_squares_inner: _smooth_least_squares}
)


def label_smoothing(loss: str, amount: float) -> Loss:
    """Return a loss with one-sided label smoothing: Salimans et al. (2016), section 3.4.

    The discriminator's target is ``1 - amount`` for real samples, in place of 1, and 0 for
    generated ones as before. With "minimax", where both players have one objective, so they still
    do; with the other losses the generator's stays as it is.

    Parameters
    ----------
    loss : str
        The name of a loss with targets: not "wasserstein" or "hinge".
    amount : float
        From 0, which changes nothing, to 1, excluded.

    Returns
    -------
    Loss
        For `Game`.

    Raises
    ------
    ArgumentError
        If the loss has no targets, or the amount is not in [0, 1).

    Examples
    --------
    >>> smooth = label_smoothing("minimax", 0.1)
    >>> sure, unsure = np.array([9.0]), np.array([2.0])
    >>> bool(smooth.inner(unsure, -unsure) > smooth.inner(sure, -sure))
    True
    """
    check_choice("loss", loss, LOSSES)
    if not 0 <= amount < 1:
        raise ArgumentError("label_smoothing", amount, "a number in [0, 1)")
    inner, outer = LOSSES[loss]
    if amount == 0:
        return LOSSES[loss]
    if inner not in _SMOOTH:
        expected = f"0 with the loss {loss!r}, which has no targets to smooth"
        raise ArgumentError("label_smoothing", amount, expected)
    smooth = partial(_SMOOTH[inner], amount=amount)
    return Loss(smooth, smooth if outer is inner else outer)
