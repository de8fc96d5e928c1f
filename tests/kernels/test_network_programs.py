"""The three programs of a network on every target, against the engine's own composition."""

import itertools

import numpy as np
import pytest

from tests.kernels.emitted import TARGETS
from tests.oracles import relative_error
from tinygrad_ugan import jvp, nn, vjp
from tinygrad_ugan.kernels import network_programs
from tinygrad_ugan.kernels.network import Network
from tinygrad_ugan.kernels.network_programs import BufferPool, NetworkProblem, NetworkPrograms
from tinygrad_ugan.kernels.pass_mask import PassMask
from tinygrad_ugan.kernels.program import Program
from tinygrad_ugan.nn import network_primitive

NETWORKS = [
    (nn.MLP((3, 1), "tanh"), 1),
    (nn.MLP((7, 9), "tanh", input_scale=0.5), 5),
    (nn.MLP((2, 17, 1, 3), "tanh", input_scale=0.25), 33),
    (nn.MLP((19, 8, 33, 6), "softplus"), 17),
    (nn.MLP((20, 48, 48, 2), "elu"), 300),
]
GROUPS = [PassMask(*flags) for flags in itertools.product([False, True], repeat=3)]


def arguments(mlp, rows):
    rng = np.random.default_rng(rows)
    layers = list(itertools.pairwise(mlp.sizes))
    shapes = [(rows, mlp.sizes[0]), *(s for m, n in layers for s in ((m, n), (n,)))]
    q, direction = (
        [rng.standard_normal(s) / np.sqrt(s[0]) for s in (*shapes, (rows, mlp.sizes[-1]))]
        for _ in range(2)
    )
    return q, direction


def restrict(chosen, y, x, theta):
    return [y] * chosen.y + [x] * chosen.x + list(theta) * chosen.theta


@pytest.mark.parametrize(("mlp", "rows"), NETWORKS)
@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_agree_with_the_engine(target, mlp, rows):
    def both(*q):
        y, pullback = vjp(lambda *p: network_primitive.compose(mlp, *p), *q[:-1])
        return y, *pullback(q[-1])

    network = Network(mlp.sizes, mlp.activation, mlp.input_scale)
    passes = NetworkPrograms(NetworkProblem(network, rows, target, np.dtype(np.float64)))
    (x, *theta, y_bar), (Rx, *Rtheta, Ry_bar) = arguments(mlp, rows)
    found, record = passes.forward(x, theta)
    y, x_bar, *theta_bar = both(x, *theta, y_bar)
    assert relative_error(found, y) < 1e-13
    for needed in GROUPS[1:4]:
        exact = restrict(needed, y, x_bar, theta_bar)
        assert relative_error(passes.backward(record, y_bar, needed), exact) < 1e-13
    for has_tangent, needed in itertools.product(GROUPS[1:], GROUPS[1:]):
        is_second = needed.x or needed.theta
        if not is_second and has_tangent.y:
            continue
        v = [Rx * has_tangent.x, *(R * has_tangent.theta for R in Rtheta), Ry_bar * has_tangent.y]
        Ry, Rx_bar, *Rtheta_bar = jvp(both, [x, *theta, y_bar], v)[1]
        inputs = [
            *(Rtheta if has_tangent.theta else []),
            *([y_bar] if is_second else []),
            *([Ry_bar] if has_tangent.y else []),
            *([Rx] if has_tangent.x else []),
        ]
        exact = restrict(needed, Ry, Rx_bar, Rtheta_bar)
        assert relative_error(passes.tangents(record, inputs, has_tangent, needed), exact) < 1e-13


def test_a_program_is_compiled_once_for_each_thread_that_runs_it(monkeypatch):
    compiled, compile_really = [], Program.compile

    def spy(program):
        compiled.append(program)
        return compile_really(program)

    monkeypatch.setattr(Program, "compile", spy)
    problem = NetworkProblem(Network((3, 2), "tanh"), 4, TARGETS["avx2"], np.dtype(np.float64))
    here, (q, _) = NetworkPrograms(problem), arguments(nn.MLP((3, 2), "tanh"), 4)
    records = [here.forward(q[0], q[1:-1])[1] for _ in range(3)]
    for record in records:
        here.backward(record, q[-1], PassMask(x=True))
    assert len(compiled) == 2


@pytest.mark.parametrize(
    ("sizes", "rows", "chunks"),
    [
        ((2, 5, 1), 1, 1),
        ((2, 5, 1), 10_000, 1),  # 210,000 multiply-adds
        ((100, 100), 100, 1),
        ((100, 100), 104, 4),  # 1,050,400, which are more than 2^20
        ((2000, 1000), 8, 1),  # of two tiles, for one chunk takes two at least
        ((2000, 1000), 20, 2),
    ],
)
def test_threads_share_what_is_worth_it(sizes, rows, chunks):
    problem = NetworkProblem(Network(sizes, "tanh"), rows, TARGETS["avx2"], np.dtype(np.float64))
    assert network_programs._Forward(problem).chunks == chunks


def test_a_shelf_keeps_a_bounded_amount_of_memory():
    pool = BufferPool(BufferPool._MAX_BYTES // 3)
    taken = [pool.acquire() for _ in range(5)]
    for memory in taken:
        pool.release(memory)
    assert len(pool._free) == 3
    assert pool.acquire() is taken[2]
