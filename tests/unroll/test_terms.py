"""The decomposition: its parts add up, and each is what it says."""

import numpy as np
import optree
import pytest
from hypothesis import given
from rich.console import Console

import tinygrad_ugan as ug
from tests.oracles import derivative, directional_derivative, dot, normal_like, relative_error
from tests.unroll.test_gradient import compute, unroll
from tinygrad_ugan.check.strategies import problems
from tinygrad_ugan.errors import NonFiniteError


def decompose(problem):
    *arguments, options = problem
    return ug.unroll.decompose(*arguments, **options)


@given(problems())
def test_the_parts_add_up_to_the_exact_gradient(problem):
    terms = decompose(problem)
    value, total = compute(problem, "tape")
    assert terms.value == pytest.approx(value, rel=1e-13)
    assert relative_error(terms.total, total) < 1e-12
    assert relative_error(terms.direct, compute(problem, "detached")[1]) < 1e-12
    summed = optree.tree_map(lambda *parts: sum(parts), terms.direct, *terms.per_step)
    assert relative_error(terms.total, summed) < 1e-13
    assert len(terms.per_step) == problem.steps
    assert len(terms.trajectory) == len(terms.inner_values) == problem.steps + 1
    assert relative_error(terms.trajectory[-1], unroll(problem, problem.theta_g)[1]) < 1e-12


@given(problems())
def test_each_step_is_the_difference_of_two_truncations(problem):
    """c_k is what differentiating through one step more adds."""
    terms = decompose(problem)
    previous = compute(problem, "adjoint", truncate=0)[1]
    for m in range(1, problem.steps + 1):
        current = compute(problem, "adjoint", truncate=m)[1]
        added = optree.tree_map(np.subtract, current, previous)
        error = optree.tree_map(np.subtract, added, terms.per_step[problem.steps - m])
        size = np.sqrt(dot(current, current) + dot(previous, previous))
        assert np.sqrt(dot(error, error)) <= 1e-13 * size
        previous = current


@given(problems())
def test_derivatives_by_theta_d_and_by_step_sizes(problem):
    terms = decompose(problem)
    v = normal_like(np.random.default_rng(1), problem.theta_d)

    def of_theta_d(theta_d):
        return unroll(problem._replace(theta_d=theta_d), problem.theta_g)[0]

    numeric = directional_derivative(of_theta_d, problem.theta_d, v)
    scale = 1 + abs(terms.value) + np.sqrt(dot(terms.grad_theta_d, terms.grad_theta_d) * dot(v, v))
    assert abs(dot(terms.grad_theta_d, v) - numeric) <= 1e-8 * scale

    rates = np.broadcast_to(problem.options["lr"], problem.steps).astype(float)
    for k in range(problem.steps):

        def of_rate(t, k=k):
            options = problem.options | {"lr": rates + t * (np.arange(problem.steps) == k)}
            return unroll(problem._replace(options=options), problem.theta_g)[0]

        assert terms.grad_lr[k] == pytest.approx(derivative(of_rate), rel=1e-8, abs=1e-8 * scale)


@given(problems())
def test_response_times_outer_gradient_is_the_indirect_term(problem):
    terms = decompose(problem)
    *arguments, options = problem
    response = ug.unroll.response_jacobian(*arguments, **options)
    last = problem.batch[-1] if isinstance(problem.batch, list) else problem.batch
    by_theta = ug.grad(problem.game.outer, argnums=1)(problem.theta_g, terms.trajectory[-1], last)
    flat = [
        np.concatenate([np.ravel(leaf) for leaf in optree.tree_leaves(tree)])
        for tree in (by_theta, terms.indirect)
    ]
    scale = np.linalg.norm(response) * np.linalg.norm(flat[0])
    assert np.linalg.norm(flat[0] @ response - flat[1]) <= 1e-12 * scale


def test_adjoint_norms_are_those_of_the_adjoints(rng):
    game = ug.unroll.Game(lambda x, y, _: x * y - y**2 / 2, outer=lambda x, y, _: 3 * y)
    terms = ug.unroll.decompose(game, 1.0, 0.0, None, steps=4, lr=0.1)
    np.testing.assert_allclose(terms.adjoint_norms, 3 * 0.9 ** np.arange(4, -1, -1))


def example():
    rng = np.random.default_rng(0)
    game = ug.gan.Game(ug.nn.MLP((3, 8, 2)), ug.nn.MLP((2, 8, 1)))
    theta = game.generator.init(rng, np.float64), game.discriminator.init(rng, np.float64)
    batch = ug.gan.Batch(rng.standard_normal((9, 2)), rng.standard_normal((9, 3)))
    return ug.unroll.decompose(game, *theta, batch, steps=3, lr=0.2)


def test_norm_ratio_and_cosine():
    terms = example()
    direct, indirect = (
        np.concatenate([np.ravel(x) for x in optree.tree_leaves(t)])
        for t in (terms.direct, terms.indirect)
    )
    sizes = np.linalg.norm(direct), np.linalg.norm(indirect)
    assert terms.norm_ratio == pytest.approx(sizes[1] / sizes[0])
    assert terms.cosine == pytest.approx(direct @ indirect / (sizes[0] * sizes[1]))


def test_table_holds_norms_shares_and_cosines():
    total, direct, indirect = np.array([3.0, 4.0]), np.array([3.0, 0.0]), np.array([0.0, 4.0])
    terms = ug.unroll.Terms(
        1.0, total, direct, indirect, (indirect,), (), np.ones(2), None, np.ones(1), np.ones(2)
    )
    columns = terms.table().columns
    assert [column.header for column in columns][:3] == ["term", "norm", "norm / total"]
    assert list(zip(*(column.cells for column in columns), strict=True)) == [
        ("total", "5", "1.000", "+1.000", "+0.600"),
        ("direct", "3", "0.600", "+0.600", "+1.000"),
        ("indirect", "4", "0.800", "+0.800", "+0.000"),
        ("  c_0", "4", "0.800", "+0.800", "+0.000"),
    ]


def test_without_a_direct_term_the_ratio_is_infinite():
    game = ug.unroll.Game(lambda x, y, _: x * y, outer=lambda x, y, _: y)
    terms = ug.unroll.decompose(game, 2.0, 3.0, None, steps=1, lr=0.5)
    assert terms.norm_ratio == np.inf
    assert np.isnan(terms.cosine)
    constant = ug.unroll.Game(game.inner, outer=lambda x, y, _: np.float64(1.0))
    assert ug.unroll.decompose(constant, 2.0, 3.0, None, steps=1, lr=0.5).norm_ratio == 0


def test_table_and_plot_show_every_term(tmp_path):
    terms = example()
    console = Console(record=True, width=100)
    console.print(terms.table())
    text = console.export_text()
    assert all(name in text for name in ("total", "direct", "indirect", "c_0", "c_1", "c_2"))
    figure = terms.plot()
    figure.savefig(tmp_path / "terms.png")
    (axis,) = figure.axes
    assert axis.get_ylabel() == "component along the total"
    assert axis.get_title().endswith(f"|indirect| / |direct| = {terms.norm_ratio:.3g}")
    assert [line.get_ydata() for line in axis.lines] == [[0, 0]]
    heights = [bar.get_height() for bar in axis.patches]
    assert len(heights) == 4
    assert sum(heights) == pytest.approx(np.sqrt(dot(terms.total, terms.total)))


def test_every_bar_of_the_plot_has_its_room():
    game = ug.unroll.Game(lambda x, y, _: x * y)
    short, long = (
        ug.unroll.decompose(game, 2.0, 3.0, None, steps=steps, lr=0.1).plot().get_figwidth()
        for steps in (20, 40)
    )
    assert (long - short) / 20 == pytest.approx(0.5)


def test_a_batch_that_is_not_finite_is_named():
    game = ug.unroll.Game(lambda x, y, batch: batch["b"] * x * y)
    for function in (ug.unroll.decompose, ug.unroll.trajectory):
        with pytest.raises(NonFiniteError, match=r"batch\['b'\]: expected finite numbers"):
            function(game, 2.0, 3.0, {"b": np.inf}, steps=1, lr=0.1)


def test_a_game_without_steps_has_no_indirect_term():
    game = ug.unroll.Game(lambda x, y, _: x * y)
    terms = ug.unroll.decompose(game, 2.0, 3.0, None, steps=0, lr=1.0)
    assert (terms.total, terms.indirect, terms.per_step, terms.norm_ratio) == (3.0, 0.0, (), 0.0)
    assert np.isnan(terms.cosine)
    assert terms.grad_lr.shape == (0,)
