"""Our own methods on the conformance cases, and the files as their program writes them."""

import os
import re
from pathlib import Path

import numpy as np
import optree
import pytest
from flint import arb

import tinygrad_ugan as ug
from tests.check import make_cases
from tests.oracles import relative_error
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.unroll.problem import make_problem

CASES = ug.check.cases()
each = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
WRITTEN_AGAIN = list(make_cases.CASES) if DEEP else ["quadratic", "gan-k1"]

# A few dozen roundings of 1e-16, relative to the norm.
TOLERANCE = 1e-13


def value_and_grad(case, method):
    arguments = (case.game, case.theta_g, case.theta_d, case.batch)
    return ug.unroll.value_and_grad(*arguments, method=method, **case.options)


@pytest.mark.parametrize(
    ("case", "method"),
    [
        pytest.param(case, method, id=f"{case.name}-{method}")
        for case in CASES
        for method in ("tape", "adjoint", "forward", "fused", "detached")
        if method != "fused" or isinstance(case.game, ug.gan.Game)
    ],
)
def test_every_method(case, method):
    value, gradient = value_and_grad(case, method)
    right = case.expected.direct if method == "detached" else case.expected.gradient
    assert value == pytest.approx(case.expected.value, rel=TOLERANCE)
    assert relative_error(gradient, right) < TOLERANCE


@each
def test_final_discriminator_and_sensitivity_to_the_first(case):
    arguments = (case.game, case.theta_g, case.theta_d, case.batch)
    path = ug.unroll.trajectory(*arguments, **case.options)
    assert relative_error(path.thetas[-1], case.expected.theta_d) < TOLERANCE

    problem = make_problem(*arguments, **{"lr": None} | case.options)
    lambda_0 = ug.grad(lambda d: problem.at(case.theta_g, d).value(case.theta_g))(case.theta_d)
    assert relative_error(lambda_0, case.expected.lambda_0) < TOLERANCE
    if "lr" in case.options:
        terms = ug.unroll.decompose(*arguments, **case.options)
        assert relative_error(terms.grad_theta_d, case.expected.lambda_0) < TOLERANCE


@each
def test_the_direct_term_is_not_all_there_is(case):
    error = relative_error(case.expected.direct, case.expected.gradient)
    assert error > 0.05 if case.options["steps"] else error == 0


@each
def test_numbers_are_exact_in_float32_and_results_have_30_digits(case):
    inputs = optree.tree_leaves((case.theta_g, case.theta_d, case.batch))
    assert all(np.array_equal(np.float32(x), x) for x in inputs)
    numbers = optree.tree_leaves(case.document["expected"])
    assert all(re.fullmatch(r"-?\d\.\d{29}e[+-]\d+|0", x) for x in numbers)


@pytest.mark.parametrize("name", WRITTEN_AGAIN)
def test_other_steps_and_more_bits_give_the_same_bytes(name, monkeypatch):
    monkeypatch.setattr(make_cases, "BITS", 900)
    monkeypatch.setattr(make_cases, "INNER_STEP", arb(2) ** -230)
    monkeypatch.setattr(make_cases, "OUTER_STEP", arb(2) ** -130)
    path = make_cases.FOLDER / f"{name}.json"
    assert path.read_text(encoding="utf-8") == make_cases.text(name)


def test_there_is_a_file_for_every_case_and_a_case_for_every_file():
    assert [case.name for case in CASES] == sorted(make_cases.CASES)
    with pytest.raises(ArgumentError, match=r"name: .*did you mean 'bilinear'"):
        ug.check.cases("bilinaer")


def test_the_reader_of_the_page(monkeypatch):
    monkeypatch.chdir(PAGE.parents[1])
    [reader, use] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len([line for line in reader.splitlines() if line]) <= 15
    namespace = {"my_gradient": lambda case: case["expected"]["gradient"]}
    exec(reader, namespace)
    exec(use, namespace)
    assert len(namespace["cases"]) == len(CASES)
    for case in namespace["cases"]:
        [ours] = ug.check.cases(case["name"])
        assert relative_error(case["expected"]["gradient"], ours.expected.gradient) == 0
        assert relative_error(case["theta_g"], ours.theta_g) == 0
        assert namespace["error"](case["expected"]["direct"], case["expected"]["gradient"]) == (
            pytest.approx(relative_error_to(ours.expected.direct, ours.expected.gradient))
        )


def relative_error_to(found, right):
    pairs = zip(optree.tree_leaves(found), optree.tree_leaves(right), strict=True)
    largest = max(np.max(np.abs(x - y)) for x, y in pairs)
    return largest / max(np.max(np.abs(x)) for x in optree.tree_leaves(right))
