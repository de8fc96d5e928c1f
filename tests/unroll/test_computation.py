"""The graph of f_K, against what each stage is known to be computed from."""

import numpy as np
import pytest

import tinygrad_ugan as ug


def gan(loss="minimax"):
    rng = np.random.default_rng(0)
    game = ug.gan.Game(ug.nn.MLP((3, 4, 2)), ug.nn.MLP((2, 4, 1)), loss)
    players = (n.init(rng, np.float64) for n in (game.generator, game.discriminator))
    return game, *players, ug.gan.Batch(*(rng.standard_normal((8, n)) for n in (2, 3)))


def stages(steps):
    """The edges by hand; the gradient does not go to what is given."""
    for k in range(steps):
        yield from ((f"theta_{k}", f"g_{k}"), (f"theta_{k}", f"theta_{k + 1}"))
        yield from (("samples", f"g_{k}"), (f"g_{k}", f"theta_{k + 1}"))
    yield from (("theta_G", "samples"), ("samples", "f"), (f"theta_{steps}", "f"))


@pytest.mark.parametrize("steps", [0, 1, 2, 5])
@pytest.mark.parametrize("loss", ["minimax", "nonsaturating"])
def test_the_stages_of_a_gan(loss, steps):
    graph = ug.unroll.computation_graph(*gan(loss), steps=steps, lr=0.1)
    assert graph.edges == set(stages(steps))
    assert graph.direct == {("theta_G", "samples"), ("samples", "f")}
    given = {edge for edge in graph.edges if edge[0] == "theta_0"}
    assert graph.indirect == graph.edges - graph.direct - given
    assert list(graph.operations)[:3] == ["theta_G", "theta_0", "samples"]
    assert graph.operations["theta_G"] == graph.operations["theta_0"] == 0
    assert all(graph.operations[name] > 0 for name in list(graph.operations)[2:])


def test_each_step_takes_as_many_operations():
    graph = ug.unroll.computation_graph(*gan(), steps=4, lr=0.1)
    for name in ("g", "theta"):
        first = 0 if name == "g" else 1
        counts = {graph.operations[f"{name}_{k + first}"] for k in range(4)}
        assert len(counts) == 1


def test_a_steps_own_batch_makes_samples_of_its_own():
    game, theta_g, theta_d, batch = gan()
    graph = ug.unroll.computation_graph(
        game, theta_g, theta_d, [batch, batch._replace()], steps=1, lr=0.1
    )
    assert "samples" not in graph.operations
    assert {("theta_G", "g_0"), ("theta_G", "f")} <= graph.edges


def test_what_does_not_depend_is_not_joined():
    """inner knows nothing of theta_G, and outer nothing of theta_D."""
    game = ug.unroll.Game(lambda x, y, _: -(y**2), outer=lambda x, y, _: x**2)
    graph = ug.unroll.computation_graph(game, 1.0, 2.0, None, steps=2, lr=0.1)
    assert {target for source, target in graph.edges if source == "theta_G"} == {"f"}
    assert not graph.indirect
    assert ("theta_2", "f") not in graph.edges


def test_a_gradient_that_does_not_depend_on_theta_d_is_no_edge():
    graph = ug.unroll.computation_graph(*bilinear(), steps=2, lr=0.1)
    assert ("theta_G", "g_1") in graph.edges
    assert ("theta_1", "g_1") not in graph.edges


def bilinear():
    return ug.unroll.Game(lambda x, y, _: x * y), 1.0, 2.0, None
