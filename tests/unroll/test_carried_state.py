"""The inner optimiser from a state of its own: exact by every method, and differentiable in it."""

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.oracles import directional_derivative, dot, normal_like, relative_error
from tinygrad_ugan import optim
from tinygrad_ugan.errors import ArgumentError, NotDifferentiableError
from tinygrad_ugan.tree import vdot
from tinygrad_ugan.unroll.dynamics import split_floats

EXACT = ("tape", "adjoint", "forward")
BY_THE_KERNELS = (optim.SGD(0.1), optim.Momentum(0.1, 0.5), optim.Adam(0.05, 0.5, 0.9, eps=0.1))
OPTIMIZERS = (
    *BY_THE_KERNELS,
    optim.SGD(optim.CosineSchedule(0.1, 8)),
    optim.Momentum(optim.LinearSchedule(0.1, 0.0, 9), 0.5),
    optim.Nesterov(0.1, 0.5),
    optim.Optimistic(0.1),
    optim.RMSprop(0.05, 0.9, eps=0.1),
    optim.Adam(optim.WarmupSchedule(5, optim.ConstantSchedule(0.1)), 0.5, 0.9, eps=0.1),
    optim.AdamW(0.05, 0.5, 0.9, eps=0.1, weight_decay=0.1),
    optim.chain(optim.clip_by_norm(0.1), optim.add_decayed_weights(0.1), optim.Momentum(0.5)),
)
each = pytest.mark.parametrize(
    "optimizer", OPTIMIZERS, ids=[f"{type(o).__name__}{i}" for i, o in enumerate(OPTIMIZERS)]
)


def problem(rng, optimizer, dtype=np.float64):
    """A game, and a state that three real steps have left."""
    game = ug.gan.Game(ug.nn.MLP((2, 3, 2)), ug.nn.MLP((2, 3, 1)), "nonsaturating")
    theta_g, theta_d = (n.init(rng, dtype) for n in (game.generator, game.discriminator))
    batch = ug.gan.Batch(*(rng.standard_normal((6, 2)).astype(dtype) for _ in range(2)))
    state = optimizer.init(theta_d)
    for _ in range(3):
        _, ascent = ug.unroll.ascent(game, theta_g, theta_d, batch)
        descent = optree.tree_map(np.negative, ascent)
        theta_d, state = optim.descend(optimizer, descent, state, theta_d)
    return (game, theta_g, theta_d, batch), state


def by_definition(place, theta_g, optimizer, state, steps):
    """f_K by a loop of its own, which needs first derivatives only."""
    game, _, theta, batch = place
    for _ in range(steps):
        g = ug.grad(game.inner, argnums=1)(theta_g, theta, batch)
        updates, state = optimizer.update(optree.tree_map(np.negative, g), state, theta)
        theta = optree.tree_map(np.add, theta, updates)
    return game.outer(theta_g, theta, batch)


@each
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_the_gradient_is_exact(optimizer, steps, rng):
    place, state = problem(rng, optimizer)
    how = {"steps": steps, "optimizer": optimizer, "state": state}
    value, gradient = ug.unroll.value_and_grad(*place, **how, method="tape")
    for method in (*EXACT, "auto"):
        found = ug.unroll.value_and_grad(*place, **how, method=method)
        assert relative_error(found, (value, gradient)) < 1e-11
    v = normal_like(rng, place[1])
    numeric = directional_derivative(
        lambda g: by_definition(place, g, optimizer, state, steps), place[1], v
    )
    assert dot(gradient, v) == pytest.approx(numeric, rel=1e-7, abs=1e-10)


@each
@pytest.mark.parametrize("steps", [1, 5])
def test_value_and_gradient_can_be_differentiated_in_it(optimizer, steps, rng):
    place, state = problem(rng, optimizer)
    floats, rebuild = split_floats(state)
    if not floats:
        pytest.skip("it remembers no numbers")
    w, v = normal_like(rng, place[1]), normal_like(rng, floats)

    def run(floats, method):
        how = {"steps": steps, "optimizer": optimizer, "state": rebuild(floats), "method": method}
        value, gradient = ug.unroll.value_and_grad(*place, **how)
        return value + vdot(gradient, w)

    expected = ug.grad(lambda floats: run(floats, "tape"))(floats)
    for method in ("adjoint", "forward", "auto"):
        found = ug.grad(lambda floats, m=method: run(floats, m))(floats)
        assert relative_error(found, expected) < 1e-11
    numeric = directional_derivative(lambda floats: run(floats, "tape"), floats, v, step=1e-3)
    assert dot(expected, v) == pytest.approx(numeric, rel=1e-7, abs=1e-10)


@pytest.mark.parametrize("optimizer", BY_THE_KERNELS, ids=lambda o: type(o).__name__)
@pytest.mark.parametrize("options", [{}, {"truncate": 2}, {"snapshots": 2}])
def test_the_kernels_read_it(optimizer, options, rng):
    place, state = problem(rng, optimizer)
    how = {"steps": 5, "optimizer": optimizer, "state": state}
    expected = ug.unroll.value_and_grad(*place, **how, **options, method="adjoint")
    for _ in range(2):  # from a fresh state in between, which the program must not remember
        found = ug.unroll.value_and_grad(*place, **how, **options, method="fused")
        assert relative_error(found, expected) < 1e-12
        ug.unroll.value_and_grad(*place, steps=5, optimizer=optimizer, **options, method="fused")


@each
def test_it_goes_on_where_the_real_optimiser_stands(optimizer, rng):
    place, _ = problem(rng, optimizer)
    whole = ug.unroll.trajectory(*place, steps=5, optimizer=optimizer)
    state, theta = optimizer.init(place[2]), place[2]
    for _ in range(3):
        _, ascent = ug.unroll.ascent(place[0], place[1], theta, place[3])
        updates, state = optimizer.update(optree.tree_map(np.negative, ascent), state, theta)
        theta = optim.apply_updates(theta, updates)
    ahead = (*place[:2], theta, place[3])
    rest = ug.unroll.trajectory(*ahead, steps=2, optimizer=optimizer, state=state)
    assert relative_error(rest.thetas[-1], whole.thetas[-1]) < 1e-12
    jacobian = ug.unroll.response_jacobian(*ahead, steps=2, optimizer=optimizer, state=state)
    assert jacobian.shape == (13, 17)


def test_a_fresh_state_is_the_default(rng):
    optimizer = optim.Adam(0.05)
    place, _ = problem(rng, optimizer)
    how = {"steps": 3, "optimizer": optimizer}
    default = ug.unroll.value_and_grad(*place, **how)
    fresh = ug.unroll.value_and_grad(*place, **how, state=optimizer.init(place[2]))
    assert relative_error(default, fresh) == 0


def test_a_traced_state_is_not_for_the_kernels(rng):
    optimizer = optim.Momentum(0.1)
    place, state = problem(rng, optimizer)

    def explain(velocity):
        how = {"steps": 1, "optimizer": optimizer, "state": state._replace(velocity=velocity)}
        said.append(ug.unroll.explain_method(*place, **how))
        return ug.unroll.value_and_grad(*place, **how)[0]

    said = []
    ug.grad(explain)(state.velocity)
    assert said[0].startswith("adjoint: state is traced")
    with pytest.raises(NotDifferentiableError):
        float(ug.grad(lambda v: float(explain(v)))(state.velocity))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: (), r"state: expected the structure .*AdamState.*, got"),
        (lambda state: state._replace(mean=state.mean[:1]), "state: expected .*structure"),
        (
            lambda state: state._replace(mean=optree.tree_map(np.float32, state.mean)),
            r"state\.mean\[0\]\['b'\]: expected float64 of shape \(3,\), as from .*got float32",
        ),
        (
            lambda state: state._replace(square=optree.tree_map(lambda x: x[:1], state.square)),
            r"state\.square\[0\]\['b'\]: .*got float64 of shape \(1,\)",
        ),
        (lambda state: state._replace(steps=3.0), r"state\.steps: .*int64.*got float64"),
    ],
)
def test_another_kind_of_state_is_refused(change, words, rng):
    optimizer = optim.Adam()
    place, state = problem(rng, optimizer)
    for call in (ug.unroll.value_and_grad, ug.unroll.trajectory, ug.unroll.explain_method):
        with pytest.raises(ArgumentError, match=words):
            call(*place, steps=1, optimizer=optimizer, state=change(state))


def test_plain_ascent_has_no_state(rng):
    place, state = problem(rng, optim.Adam())
    with pytest.raises(ArgumentError, match="state: expected none"):
        ug.unroll.value_and_grad(*place, steps=1, lr=0.1, state=state)
