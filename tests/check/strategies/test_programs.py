"""Random programs are smooth functions of one array, and print as what they compute."""

import numpy as np
from hypothesis import given

from tinygrad_ugan.autodiff.samples import Random, sample
from tinygrad_ugan.check import strategies
from tinygrad_ugan.check.strategies.programs import ProgramStep, RandomProgram, fit
from tinygrad_ugan.check.strategies.samples import TABLE, samples_of


@given(strategies.programs(min_steps=2, max_steps=6))
def test_a_program_keeps_to_its_number_of_steps_and_has_a_finite_value(program):
    assert 2 <= len(program.steps) <= 6
    assert np.ndim(program(program.x)) == 0
    assert np.isfinite(program(program.x))


def test_what_is_fitted_stays_inside_and_has_no_ties():
    fitted = fit(np.array([1.0, -1e9]), (3, 4), 0.5, 2.0, 1)
    assert fitted.shape == (3, 4)
    assert np.all((fitted > 0.5) & (fitted < 2.0))
    assert len(np.unique(fitted)) == 12


def test_a_program_prints_readably():
    add = next(record for record in TABLE if record.name == "add")
    call = sample(Random((2,)), Random((), samples_of(add)[0].args[0].domain))
    program = RandomProgram(
        np.ones(2), (ProgramStep(add, call, (0, 0)), ProgramStep(add, call, (1, 0)))
    )
    assert str(program).splitlines() == [
        "v0 = [1.0, 1.0]",
        "v1 = add(fit(v0, (2,), -3.0, 3.0, 0), fit(v0, (), -3.0, 3.0, 1))",
        "v2 = add(fit(v1, (2,), -3.0, 3.0, 0), fit(v0, (), -3.0, 3.0, 1))",
        "return the weighted sum of v2",
    ]
