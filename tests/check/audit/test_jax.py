"""JAX code: every trap gets its verdict; needs the extra `bench`."""

import numpy as np
import optree
import pytest

pytest.importorskip("jax")

import jax

from tests.check.audit.problems import random_problem
from tests.check.audit.steps import functional_step
from tests.check.audit.traps import TRAPS, Code, exact, expected, jax_library, no_create_graph
from tinygrad_ugan.check import audit, audit_step, trials


@pytest.fixture(scope="module", autouse=True)
def double_precision():
    before = jax.config.jax_enable_x64
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.mark.parametrize("steps", [1, 2, 5, 10])
@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.__name__)
def test_traps(trap, steps):
    p = random_problem(np.random.default_rng(steps), steps, "minimax")
    gradient = trap(Code(jax_library(), p))
    place = (p.game, p.theta_g, p.theta_d, p.batch)
    found = audit(gradient, *place, steps=steps, lr=p.lr)
    assert found.verdict == expected(trap, steps), found


def test_single_precision_and_arrays_of_jax_everywhere():
    p = random_problem(np.random.default_rng(0), 5)
    library = jax_library()
    single = optree.tree_map(
        lambda x: library.np.asarray(x, np.float32), (p.theta_g, p.theta_d, p.batch)
    )
    code = Code(library, p._replace(theta_g=single[0], theta_d=single[1], batch=single[2]))
    found = audit(exact(code), p.game, *single, steps=5, lr=p.lr)
    assert (found.verdict, found.dtype) == ("exact", "float32"), found


def test_steps():
    right = audit_step(functional_step(jax_library()), trials(steps=[2]))
    assert right.ok, right
    wrong = audit_step(functional_step(jax_library(), no_create_graph, "last"), trials(steps=[2]))
    assert (wrong.verdict, wrong.left) == ("detached", "theta_D^K"), wrong
