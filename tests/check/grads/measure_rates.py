"""How often the gradient checker is wrong: ``python -m tests.check.grads.measure_rates --help``.

False alarms are counted over random smooth functions: calls of the engine's table, programs made of
them, and unrolled games. Misses, over the same with an error planted into the derivative in one
argument: into all of its elements, or into one that matters (its derivative is not below a
thousandth of the largest).
"""

import argparse
import collections
import warnings

import numpy as np
import optree
from hypothesis import HealthCheck, Phase, given, seed, settings

import tinygrad_ugan as ug
from tests.check.grads.planted import spoiled
from tinygrad_ugan.check import GradCheckError, check_grads, strategies
from tinygrad_ugan.check.strategies import Call

MATTERS = 1e-3


def unrolled(problem):
    """f_K as a function of the arrays of theta_G, by a loop of its own."""
    game, theta_g, theta, batch, options = problem
    batches = batch if isinstance(batch, list) else [batch] * (problem.steps + 1)
    rates = np.broadcast_to(options["lr"], problem.steps)
    leaves, treedef = optree.tree_flatten(theta_g)

    def f(*leaves):
        theta_g, theta_k = optree.tree_unflatten(treedef, leaves), theta
        for b, eta in zip(batches, rates, strict=False):
            g = ug.grad(game.inner, argnums=1)(theta_g, theta_k, b)
            theta_k = optree.tree_map(lambda t, d, eta=eta: t + eta * d, theta_k, g)
        return game.outer(theta_g, theta_k, batches[-1])

    return Call(f, tuple(leaves))


FAMILIES = {
    "calls": strategies.calls(),
    "programs": strategies.programs(max_steps=20).map(lambda p: Call(p, (p.x,))),
    "games": strategies.problems(max_steps=3, max_rows=3, max_width=4).map(unrolled),
}


def alarm(call, **options):
    """The report of a check, or nothing."""
    try:
        check_grads(call.f, call.args, **options)
    except GradCheckError as error:
        return str(error)
    return ""


def planted(call, size, whole, rng):
    """The call with an error in its derivative; None if there is none to spoil."""
    out, pullback = ug.vjp(call.f, *call.args)
    sizes = [np.abs(g) for g in pullback(rng.standard_normal(np.shape(out)))]
    least = MATTERS * max(np.max(g, initial=0) for g in sizes)
    places = [(i, e) for i, g in enumerate(sizes) for e in np.ndindex(g.shape) if g[e] >= least > 0]
    if not places:
        return None
    place, element = places[rng.integers(len(places))]
    plant = spoiled(size, np.shape(call.args[place]), ... if whole else element)

    def f(*args):
        return call.f(*(plant(x) if i == place else x for i, x in enumerate(args)))

    return Call(f, call.args)


def single(call):
    return Call(call.f, tuple(np.float32(x) for x in call.args))


def measure(family, cases, number, order, size, is_single):
    """Counts of what happened over `cases` random functions, and the false reports."""
    counts, reports = collections.Counter(), []

    @seed(number)
    @settings(
        max_examples=cases,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(FAMILIES[family])
    def run(call):
        if not np.size(call.f(*call.args)) or not any(map(np.size, call.args)):
            return  # an empty array has no derivative
        rng = np.random.default_rng([number, counts["functions"]])
        call = single(call) if is_single else call
        counts["functions"] += 1
        report = alarm(call, order=order, rng=rng)
        if report:
            counts["false alarms"] += 1
            reports.append(report)
        for whole in (True, False):
            wrong = planted(call, size, whole, rng)
            if wrong is not None:
                what = "argument" if whole else "element"
                counts[f"wrong in one {what}"] += 1
                counts[f"of which missed ({what})"] += not alarm(wrong, order=1, rng=rng)

    run()
    return counts, reports


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100, help="of each family")
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--order", type=int, default=2)
    parser.add_argument("--single", action="store_true", help="float32")
    parser.add_argument("--size", type=float, default=1e-6, help="relative, of planted errors")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    for family in args.families:
        counts, reports = measure(family, args.cases, args.seed, args.order, args.size, args.single)
        print(family, dict(counts), flush=True)
        for report in reports:
            print(report)


if __name__ == "__main__":
    main()
