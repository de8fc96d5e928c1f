"""Audit of a whole training step: drive it, and say what it does to both players."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from tinygrad_ugan import tree
from tinygrad_ugan.check.audit import mistakes
from tinygrad_ugan.check.audit.classify import Classifier
from tinygrad_ugan.check.audit.discriminator_endpoint import AfterStep, find_endpoint, real_step
from tinygrad_ugan.check.audit.foreign_arrays import coarsest, readings
from tinygrad_ugan.check.audit.gradient import convert
from tinygrad_ugan.check.audit.report import Audit, StepAudit, TrialAudit
from tinygrad_ugan.check.audit.step_size import with_other_step_size
from tinygrad_ugan.check.audit.trials import Trial, trials
from tinygrad_ugan.check.audit.verdicts import ORDER
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError
from tinygrad_ugan.typing import Array, PyTree
from tinygrad_ugan.unroll.problem import Problem

TrainingStep: TypeAlias = Callable[[PyTree, PyTree, Any], tuple[PyTree, PyTree]]

MOVED_FIRST = "the discriminator takes its real step first"


def audit_step(
    make_step: Callable[[Trial], TrainingStep], on: Iterable[Trial] | None = None
) -> StepAudit:
    """Say what a training step does: to the generator, to the discriminator, to its optimiser.

    The step is code of any library behind two functions::

        def make_step(trial):                        # sizes, activation, loss, K, step sizes
            def step(theta_g, theta_d, batch):       # NumPy arrays, yours to convert and change
                ...
                return new_theta_g, new_theta_d      # arrays of any library
            return step

    It takes one whole step of training from the parameters given: the generator descends f_K by
    plain gradient descent of size ``trial.generator_lr``, so that its gradient can be read off;
    the discriminator takes one real step, by plain ascent of size ``trial.discriminator_lr`` (or
    ``trial.lr``), or by ``trial.optimizer``. The losses are means over the batch, as `gan.Game`
    states them. A step that is made for one game is driven on this one alone: ``audit_step(lambda
    trial: step, on=[trial])``.

    Parameters
    ----------
    make_step : callable
        As above; called once for each trial.
    on : iterable of Trial, optional
        What to drive it on; ``trials()`` if not given: minimax, K = 1, 2, 5 and 10.

    Returns
    -------
    StepAudit
        ``.verdict`` on the generator's gradient, as `audit` gives it, the least favourable of all
        trials; ``.left`` says where the discriminator ended, ``.state`` what its optimiser
        remembers, and ``.ok`` whether all is as in Metz et al. (2016).

    Raises
    ------
    ArgumentError, ArgumentTypeError, NonFiniteError
        If the step returns anything but two pytrees of finite numbers like those it was given.

    Examples
    --------
    >>> import tinygrad_ugan as ug
    >>> def make_step(trial):
    ...     def step(theta_g, theta_d, batch):
    ...         how = {"steps": trial.steps, "lr": trial.lr}
    ...         _, g = ug.unroll.value_and_grad(trial.game, theta_g, theta_d, batch, **how)
    ...         path = ug.unroll.trajectory(trial.game, theta_g, theta_d, batch, **how)
    ...         theta_g = [{k: x[k] - trial.generator_lr * y[k] for k in x}
    ...                    for x, y in zip(theta_g, g)]
    ...         return theta_g, path.thetas[-1]    # a mistake
    ...     return step
    >>> found = audit_step(make_step, trials(steps=[2]))
    >>> found.verdict, found.left, found.ok
    ('exact', 'theta_D^K', False)
    """
    chosen = tuple(trials() if on is None else on)
    if not chosen:
        raise ArgumentError("on", "no trials", "one trial or more")
    return StepAudit(tuple(_audit(make_step, trial) for trial in chosen))


def _audit(make_step: Callable[[Trial], TrainingStep], trial: Trial) -> TrialAudit:
    step = make_step(trial)
    if not callable(step):
        raise ArgumentTypeError("make_step(trial)", repr(step), "a function: the step")
    place = (trial.game, trial.theta_g, trial.theta_d, trial.batch)
    problem = convert(*place, **trial.dynamics)
    after = _take(step, trial)
    found = _on_the_generator(problem, trial, after)
    left = find_endpoint(problem, trial, after)
    state = ""
    if trial.optimizer is not None and trial.steps > 0:
        state = _on_the_state(problem, trial, found, _take(step, trial))
        if left.remembers:
            state = "not restored"
    return TrialAudit(trial.name, found, left, state)


def _take(step: TrainingStep, trial: Trial) -> AfterStep:
    given = step(*trial.start())
    if not (isinstance(given, tuple | list) and len(given) == 2):
        raise ArgumentTypeError("step", type(given).__name__, "(new_theta_g, new_theta_d)")
    theta_g = _vector("step(...)[0]", given[0], trial.theta_g)
    theta_d = _vector("step(...)[1]", given[1], trial.theta_d)
    return AfterStep(theta_g, theta_d, coarsest(given))


def _vector(name: str, given: PyTree, like: PyTree) -> Array:
    first, *others = readings(name, given, like)
    if others:
        raise ArgumentError(name, "arrays in an order that is not told", "the structure given")
    return first


def _gradient(trial: Trial, after: AfterStep) -> tuple[Array, float]:
    """Read off the generator's gradient, and how far the rounding of its parameters hides it."""
    before = tree.ravel(trial.theta_g)[0].astype(np.float64)
    eps = float(np.finfo(after.dtype).eps)
    slack = 4 * eps * tree.norm(before) / trial.generator_lr
    return (before - after.theta_g) / trial.generator_lr, slack


def _on_the_generator(problem: Problem, trial: Trial, after: AfterStep) -> Audit:
    """Judge the generator's gradient from theta_D^0; or from theta_D^1, if that fits better."""
    gradient, slack = _gradient(trial, after)
    classifier = Classifier.of(problem, after.dtype, slack)
    found = classifier(gradient)
    if found.ok:
        return found
    first = real_step(problem, trial, problem.state, problem.theta_g)
    starts = [mistakes.started_at(problem, first.theta)]
    if trial.optimizer is not None:
        starts.append(replace(problem, state=first))
    later = [Classifier.of(start, after.dtype, slack)(gradient) for start in starts]
    best = min(later, key=lambda audit: ORDER.index(audit.verdict))
    if best.verdict == found.verdict == "unknown":
        return with_other_step_size(classifier, gradient) or found
    if ORDER.index(best.verdict) >= ORDER.index(found.verdict):
        return found
    return replace(best, notes=(*best.notes, MOVED_FIRST))


def _on_the_state(problem: Problem, trial: Trial, found: Audit, again: AfterStep) -> str:
    """Find out what the inner optimiser remembers when the same step is taken a second time."""
    gradient, slack = _gradient(trial, again)
    second = Classifier.of(problem, again.dtype, slack)(gradient)
    if second.verdict == "state_not_restored":
        return "not restored"
    if second.verdict == found.verdict != "unknown":
        return "fresh"
    for memory, name in _memories(problem, trial, again):
        classifier = Classifier.of(mistakes.with_memory(problem, memory), again.dtype, slack)
        if classifier(gradient).verdict == found.verdict != "unknown":
            return name
    return "unknown"


def _memories(problem: Problem, trial: Trial, after: AfterStep) -> Iterator[tuple[PyTree, str]]:
    """Every memory that a training step can leave in its optimiser, and what to call it."""
    new_theta_g = tree.ravel(trial.theta_g)[1](after.theta_g)
    for each in filter(None, (problem, mistakes.with_adam_of_pytorch(problem))):
        unrolled = each.state._replace(memory=mistakes.last_state(each).memory)
        for state, name in ((each.state, "restored"), (unrolled, "not restored")):
            for theta_g in (each.theta_g, new_theta_g):
                yield real_step(each, trial, state, theta_g).memory, name
