"""Every verdict on a gradient of an unrolled GAN, with cause and cure.

This table is the one source: of the verdicts that `audit` gives, of the words that it prints, and
of docs/verdicts.md.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple


class Meaning(NamedTuple):
    """The explanation of a verdict.

    Attributes
    ----------
    words : str
        The verdict in a few words, as `audit` prints them.
    formula : str
        The quantity that was computed in place of d f_K / d theta_G.
    cause : str
        The mistake in the code that leads to it.
    cure : str
        The change that corrects it.
    """

    words: str
    formula: str
    cause: str
    cure: str


VERDICTS: MappingProxyType[str, Meaning] = MappingProxyType(
    {
        "exact": Meaning(
            "the full derivative, through every step",
            "d f_K / d theta_G",
            "The steps are functions of theta_G, and are differentiated.",
            "Nothing: this is a truly unrolled GAN.",
        ),
        "transposed": Meaning(
            "the exact gradient, with every matrix transposed",
            "d f_K / d theta_G, weights as (n_out, n_in)",
            "torch.nn.Linear holds the transpose of a weight, and its gradient is laid out alike; "
            "parameters_to_vector puts these end to end.",
            "Nothing in the code under audit: hand in weight.grad.T.",
        ),
        "wrong_sign": Meaning(
            "the exact gradient with the opposite sign",
            "-c d f_K / d theta_G",
            "The generator's loss is -f_K, or it is handed the update in place of the gradient.",
            "Descend f_K, or declare the outer objective that is descended.",
        ),
        "wrong_scale": Meaning(
            "a multiple of the exact gradient",
            "c d f_K / d theta_G",
            "A sum over the batch in place of the mean, a loss halved, a gradient accumulated.",
            "Take means over the batch, and clear gradients before each step.",
        ),
        "wrong_step_size": Meaning(
            "exact for another inner step: is the discriminator's loss halved, or its mean a sum?",
            "d f_K / d theta_G with inner steps of c eta_k",
            "The discriminator's loss is (real + fake) / 2, or a sum over the batch, or its "
            "unrolled steps have not the step size of its real ones.",
            "Take the step size that is meant, or declare the one that is taken.",
        ),
        "detached": Meaning(
            "the direct term alone: theta_D^K was taken for a constant",
            "d outer / d theta_G at theta_D^K",
            "K discriminator steps, one generator step, old weights put back: an optimiser writes "
            "weights in place and no derivative passes; also create_graph left out, generated "
            "data under no_grad or detached, stop_gradient around the steps, or a generator's "
            "gradient formed first and the new discriminator substituted into it.",
            "Write the steps as functions, theta = theta + eta * grad(inner, theta, "
            "create_graph=True), with samples that depend on theta_G.",
        ),
        "truncated": Meaning(
            "differentiated through the last steps only",
            "direct term + c_k of the last m steps",
            "The discriminator's weights are cut off from their past m steps before the end: "
            "detached, or copied, or restarted as leaves.",
            "Detach nothing between theta_D^0 and theta_D^K, or declare the truncation.",
        ),
        "no_curvature": Meaning(
            "each step was differentiated by theta_G, but not by the discriminator before it",
            "direct term + sum_k eta_k d<g_k, lambda_K> / d theta_G",
            "g_k is computed at a detached copy of theta_k, so that the Hessian of inner is lost "
            "on the way back.",
            "Compute g_k at theta_k itself.",
        ),
        "lookahead": Meaning(
            "the ordinary GAN gradient: the K steps had no effect on it",
            "d outer / d theta_G at theta_D^0",
            "The gradient is taken before the unrolled discriminator is put in place, or after "
            "the old one is put back.",
            "Evaluate the generator's loss with theta_D^K.",
        ),
        "stale": Meaning(
            "the gradient of the first step was used again at every step",
            "theta_D^K = theta_D^0 + sum_k eta_k g_0",
            "The loss was evaluated once, before the loop: exact for K = 1, broken from K = 2 on.",
            "Evaluate inner again, with theta_k, at each step.",
        ),
        "replaced": Meaning(
            "every weight of the unrolled discriminator is 1",
            "d outer / d theta_G at theta_D = 1",
            "The loss does not depend on the new variables, its gradients are None, and "
            "`x + eta * g if g is not None else 1` yields 1: broken from K = 2 on.",
            "Evaluate inner again, with theta_k, at each step; treat a None gradient as an error.",
        ),
        "wrong_steps": Meaning(
            "as many steps as were declared is not how many were taken",
            "d f_j / d theta_G with j != K",
            "The loop runs once too often or too seldom, or the real step counts as one of K.",
            "Count the steps, or declare the K that is meant.",
        ),
        "wrong_direction": Meaning(
            "the unrolled discriminator goes down where it should go up",
            "theta_{k+1} = theta_k - eta_k g_k",
            "A loss and an objective were mixed up: one descends the loss, or ascends the "
            "objective.",
            "Let the unrolled steps improve the discriminator.",
        ),
        "kept": Meaning(
            "the steps start from theta_D^K of an earlier unrolling",
            "d f_K / d theta_G from theta_D^K",
            "The unrolled weights were kept in place of theta_D^1.",
            "Put theta_D^0 back after the generator's step, then take one real step.",
        ),
        "moved_first": Meaning(
            "the steps start from theta_D^1",
            "d f_K / d theta_G from theta_D^1",
            "The discriminator took its real step before the generator's gradient was taken.",
            "Nothing, if that order is meant; then audit with theta_D^1.",
        ),
        "state_not_restored": Meaning(
            "the inner optimiser remembers an earlier unrolling",
            "d f_K / d theta_G from theta_D^0, with the optimiser's memory of theta_D^K",
            "The discriminator's weights are put back, its optimiser's state is not.",
            "Save and restore both, or start a fresh optimiser for each unrolling.",
        ),
        "wrong_loss": Meaning(
            "the gradient of another loss than was declared",
            "d f_K / d theta_G of another game",
            "Code and declaration differ: minimax here and non-saturating there, for instance.",
            "Declare the loss that the code uses, or use the one declared.",
        ),
        "indirect_only": Meaning(
            "the indirect term alone: the direct one is missing",
            "sum_k c_k",
            "The generated samples in the outer objective were detached.",
            "Detach nothing in the outer objective.",
        ),
        "zero": Meaning(
            "nothing reaches the generator",
            "0",
            "Every way from theta_G to the loss is cut, or gradients were cleared before they "
            "were read.",
            "Compute samples and loss while gradients are recorded.",
        ),
        "unknown": Meaning(
            "none of the known mistakes",
            "?",
            "A mistake that is not in this table; or game, point, step size or batch are not what "
            "was declared.",
            "Check the declaration first, with steps=0, then steps=1.",
        ),
    }
)
"""The verdicts, from the most favourable down."""

ORDER: tuple[str, ...] = tuple(VERDICTS)
