"""A whole sweep as one program against `unroll`, and the same bits however it is run."""

import concurrent.futures
import os
import subprocess
import sys

import hypothesis
import numpy as np
import pytest
from hypothesis import given

from tests.kernels.emitted import TARGETS
from tests.kernels.sweeps import Setting, distance, flat, settings
from tinygrad_ugan import gan, nn, unroll
from tinygrad_ugan.kernels import threads
from tinygrad_ugan.kernels.sweep import RULES
from tinygrad_ugan.kernels.sweep_program import SweepProgram
from tinygrad_ugan.kernels.target import PLAIN

# Odd sizes: no width is a whole vector, no batch a whole tile, and a width of one within. The rows
# are enough for four chunks.
ODD = Setting(
    gan.Game(
        nn.MLP((5, 13, 1, 9, 3), "tanh"), nn.MLP((3, 17, 1, 7, 1), "softplus", input_scale=0.25)
    ),
    real=167,
    fake=133,
    steps=3,
)
# One hidden layer between a thin input and one output: `one_hidden_forward` knows how.
LONE = Setting(
    gan.Game(nn.MLP((3, 6, 2)), nn.MLP((2, 21, 1), "sigmoid"), loss="nonsaturating"),
    real=19,
    fake=70,
    steps=2,
)
ALL_TARGETS = TARGETS | {"plain": PLAIN}
some_examples = hypothesis.settings(max_examples=hypothesis.settings().max_examples // 2)
each_target = pytest.mark.parametrize("target", ALL_TARGETS.values(), ids=list(ALL_TARGETS))


@pytest.fixture
def restored_threads():
    before = threads.get_num_threads()
    yield
    threads.set_num_threads(before)


@each_target
@some_examples
@given(setting=settings())
def test_float64_is_the_adjoint_recursion(target, setting):
    value, gradient = setting.run(target)
    expected_value, expected = setting.expected()
    assert value == pytest.approx(expected_value, rel=1e-12, abs=1e-14)
    assert distance(gradient, expected) < 1e-12


@each_target
@pytest.mark.parametrize("setting", [ODD, LONE], ids=["odd", "one_hidden_forward"])
def test_fresh_batches_and_all_parts(target, setting):
    theta_g, theta_d, _ = setting.inputs()
    batches = [setting._replace(seed=seed).inputs()[2] for seed in range(setting.steps + 1)]
    game = unroll.Game(setting.game.inner, setting.game.outer)  # which the kernels do not take
    expected = unroll.decompose(game, theta_g, theta_d, batches, steps=setting.steps, lr=setting.lr)
    sweep = setting.sweep()._replace(fresh=True, terms=True)
    program = SweepProgram(sweep, target, np.float64)
    etas = np.full((setting.steps, 1), setting.lr)
    found = program.run(flat(theta_g), flat(theta_d), *zip(*batches, strict=True), etas)
    assert found.value == pytest.approx(expected.value, rel=1e-12)
    assert found.is_finite
    for part, exact in zip(found.gradients, [*expected.per_step, expected.direct], strict=True):
        assert distance(part, flat(exact)) < 1e-11
    sums = program.inner_values(), program.step_size_gradients(), program.adjoint_norms()
    exact = expected.inner_values, expected.grad_lr, expected.adjoint_norms
    for got, right in zip(sums, exact, strict=True):  # lambda and g may be nearly orthogonal
        np.testing.assert_allclose(got, right, rtol=1e-10)


@each_target
@some_examples
@given(setting=settings())
def test_float32_is_float64_to_rounding(target, setting):
    value, gradient = setting.run(target, np.float32)
    expected_value, expected = setting.expected()
    assert all(x.dtype == np.float32 for x in gradient)
    assert value == pytest.approx(expected_value, rel=2e-5, abs=2e-5)
    assert distance(gradient, expected) < 2e-5


@pytest.mark.usefixtures("restored_threads")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_same_bits_on_any_number_of_threads_and_every_time(target, dtype):
    program = SweepProgram(ODD.sweep(), target, dtype)
    assert program.chunks == 4
    expected = bits(ODD.run_again(program))
    for n in (1, 2, 3, 4):
        threads.set_num_threads(n)
        for _ in range(25):
            assert bits(ODD.run_again(program)) == expected


SCALARS = {
    "ascent": [0.02],
    "momentum": [0.02, 0.7],
    "adam": [0.9, 0.1, 0.99, 0.01, 1e-4, 0.01, 1.7],
}


@pytest.mark.parametrize("is_full", [False, True])
@pytest.mark.parametrize("rule", SCALARS)
def test_a_run_knows_nothing_of_the_runs_before(rule, is_full):
    sweep = ODD.sweep()._replace(rule=rule, keep=is_full, terms=is_full)
    program = SweepProgram(sweep, TARGETS["avx2"], np.float64)

    def run(setting):
        theta_g, theta_d, batch = setting.inputs()
        scalars = np.tile(SCALARS[rule], (setting.steps, 1))
        memory = [0.1 * (1 + x) ** 2 for _ in RULES[rule].memory for x in flat(theta_d)]
        batches = ([x] for x in batch)
        value, parts, _ = program.run(flat(theta_g), flat(theta_d), *batches, scalars, memory)
        sums = program.inner_values(), program.step_size_gradients(), program.adjoint_norms()
        return bits((value, [x for part in parts for x in part])), bits((value, sums * is_full))

    first = run(ODD)
    assert run(ODD._replace(seed=1)) != first
    assert run(ODD) == first


@pytest.mark.usefixtures("restored_threads")
def test_several_python_threads_at_once():
    threads.set_num_threads(2)
    target = TARGETS["avx2"]
    programs = [SweepProgram(ODD.sweep(), target, np.float64) for _ in range(4)]
    expected = bits(ODD.run_again(programs[0]))
    with concurrent.futures.ThreadPoolExecutor(len(programs)) as executor:
        for _ in range(20):
            results = executor.map(ODD.run_again, programs)
            assert all(bits(result) == expected for result in results)


@pytest.mark.usefixtures("restored_threads")
def test_threads_may_be_set_while_programs_run():
    target = TARGETS["avx2"]
    program = SweepProgram(ODD.sweep(), target, np.float64)
    expected = bits(ODD.run_again(program))
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        runs = executor.submit(lambda: [bits(ODD.run_again(program)) for _ in range(200)])
        while not runs.done():
            for n in (1, 2, 3):
                threads.set_num_threads(n)
    assert set(runs.result()) == {expected}


AFTER_FORK = """
import os, sys
from tests.kernels.test_sweep_program import ODD, TARGETS, bits
from tinygrad_ugan.kernels import threads
from tinygrad_ugan.kernels.sweep_program import SweepProgram

threads.set_num_threads(2)
program = SweepProgram(ODD.sweep(), TARGETS["avx2"], "float64")
expected = bits(ODD.run_again(program))
for generation in range(2):  # a child, and a child of it
    child = os.fork()
    if child:
        assert bits(ODD.run_again(program)) == expected
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    assert threads.get_num_threads() == 2
    for _ in range(10):
        assert bits(ODD.run_again(program)) == expected
    other = SweepProgram(ODD.sweep(), TARGETS["neon"], "float32")  # kernels of its own
    ODD.run_again(other)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_runs_after_fork():
    subprocess.run([sys.executable, "-c", AFTER_FORK], check=True, timeout=60)


def bits(result):
    """A value and gradient, to the bit."""
    value, gradient = result
    return value.tobytes(), *(x.tobytes() for x in gradient)
