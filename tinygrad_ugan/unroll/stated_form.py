"""The statements of game, networks and inner optimiser, all of them together.

The kernels may run in the place of their methods only where each of them states what the kernels
need: see `tinygrad_ugan.stated`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tinygrad_ugan.autodiff import Tensor
from tinygrad_ugan.nn.network_primitive import LayerForm
from tinygrad_ugan.stated import stated, why_not
from tinygrad_ugan.unroll.dynamics import Ascent, UpdateRule
from tinygrad_ugan.unroll.game import LogitTerms

TRACED = "is traced, and the kernels' results cannot be differentiated again"


class StatedForm(NamedTuple):
    """A game of logits between multilayer perceptrons, and the update rule of theta_D."""

    generator: LayerForm
    discriminator: LayerForm
    inner: LogitTerms
    outer: LogitTerms
    rule: str


def stated_form(game: Any, rule: UpdateRule) -> StatedForm | str:
    """Return what is stated; or, in words, what is not."""
    logits = stated(game, "logit_form")
    if logits is None:
        reason = why_not(game, "logit_form")
        return reason or "the game is not one of logits, such as ug.gan.Game"
    if isinstance(logits, str):
        return logits
    generator = stated(logits.generator, "layer_form")
    if generator is None:
        return _no_mlp("generator", logits.generator)
    discriminator = stated(logits.discriminator, "layer_form")
    if discriminator is None:
        return _no_mlp("discriminator", logits.discriminator)
    name = "ascent"
    if isinstance(rule, Ascent):
        if not {*map(type, rule.etas)} <= {float}:
            return f"lr {TRACED}"
    else:
        update = stated(rule.optimizer, "kernel_form")
        if update is None:
            reason = why_not(rule.optimizer, "kernel_form")
            return reason or _no_rule(rule.optimizer)
        name = update.rule
    return StatedForm(generator, discriminator, logits.inner_terms, logits.outer_terms, name)


def _no_rule(optimizer: Any) -> str:
    if any(isinstance(setting, Tensor) for setting in getattr(optimizer, "__dict__", {}).values()):
        return f"a setting of the optimizer {TRACED}"
    return "the optimizer is not SGD, Momentum or Adam of ug.optim, with numbers"


def _no_mlp(name: str, network: Any) -> str:
    reason = why_not(network, "layer_form")
    return f"the {name} is not a ug.nn.MLP" + (f": {reason}" if reason else "")
