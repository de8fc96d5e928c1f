"""Networks and unrolled games that are drawn keep to their bounds, and are of every kind."""

import numpy as np
from hypothesis import given, settings

import tinygrad_ugan as ug
from tinygrad_ugan.check import strategies


@given(strategies.mlps(n_in=3, n_out=2, max_width=4, max_layers=2, activations=["relu"]))
def test_networks_keep_to_their_bounds(mlp):
    assert (mlp.sizes[0], mlp.sizes[-1], mlp.activation) == (3, 2, "relu")
    assert len(mlp.sizes) <= 3
    assert max(mlp.sizes) <= 4


@given(strategies.problems(max_steps=2, optimizers=[ug.optim.SGD(0.1)]))
def test_the_parts_of_a_problem_fit_together(problem):
    *arguments, options = problem
    value, _ = ug.unroll.value_and_grad(*arguments, **options, method="detached")
    assert np.isfinite(value)
    assert problem.game.loss in strategies.SMOOTH_LOSSES
    assert all(np.all(layer["b"] != 0) for layer in (*problem.theta_g, *problem.theta_d))


def test_problems_of_every_kind_are_drawn():
    seen = set()

    @settings(max_examples=300)  # so that no kind is missed by chance
    @given(strategies.problems(max_steps=2, max_width=2, optimizers=[ug.optim.SGD(0.1)]))
    def look(problem):
        seen.update(problem.options)
        seen.add("fresh batches" if isinstance(problem.batch, list) else "one batch")
        seen.add("schedule" if np.ndim(problem.options.get("lr", 0)) else "one rate")
        seen.update([problem.game.loss, problem.game.generator.activation])

    look()
    kinds = {"optimizer", "lr", "fresh batches", "one batch", "schedule", "one rate"}
    assert seen >= kinds | {*strategies.SMOOTH_LOSSES, *strategies.SMOOTH_ACTIVATIONS}
