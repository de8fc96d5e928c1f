"""The gradient as each library writes it."""

import dataclasses

import pytest

from tinygrad_ugan import bench

TINY = bench.Workload((3, 4, 2), (2, 4, 1), batch=5, steps=2)


@pytest.mark.parametrize(
    ("name", "module"), [("jax jit", "jax"), ("torch", "torch"), ("autograd", "autograd")]
)
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_rivals_compute_the_same(name, module, activation):
    pytest.importorskip(module)
    workload = dataclasses.replace(TINY, activation=activation, input_scale=0.25)
    with bench.Arena([name], threads=1) as arena:
        assert name in arena.prepare(workload)
