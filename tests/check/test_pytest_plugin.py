"""The plugin at work in a project of its own, found by its entry point as if it were installed."""

import configparser
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TOY = """
import numpy as np
import pytest
import tinygrad_ugan as ug

@ug.primitive(partials=[lambda ans, x: ug.stop_gradient(np.cos(x))])
def wrong_at_second_order(x):
    return np.sin(x)

def test_right(check_grads):
    check_grads(np.tanh, (np.ones(3),))

def test_wrong(check_grads):
    check_grads(wrong_at_second_order, (0.5,))

@pytest.mark.gradcheck(order=1)
def test_right_at_first_order(check_grads):
    check_grads(wrong_at_second_order, (0.5,))

@pytest.mark.gradcheck(order=1)
class TestMany:
    @pytest.mark.gradcheck(modes="forward")
    def test_markers_add_up(self, check_grads):
        assert (check_grads.keywords["order"], check_grads.keywords["modes"]) == (1, "forward")

    @pytest.mark.gradcheck(order=3)
    def test_the_closer_one_wins(self, check_grads):
        assert check_grads.keywords["order"] == 3

@pytest.mark.gradcheck(ordr=3)
def test_a_slip_of_the_pen(check_grads):
    pass
"""


def entry_points():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return f"[pytest11]{config['options.entry_points']['pytest11']}\n"


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    installed = folder / "site" / "toy_install-1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-install\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(entry_points())
    (folder / "test_toy.py").write_text(TOY)
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    paths = os.pathsep.join([str(folder / "site"), str(ROOT)])
    command = [sys.executable, "-m", "pytest", "-v", "--strict-markers", "-p", "no:cacheprovider"]
    return subprocess.run(
        command, cwd=folder, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True
    ).stdout


@pytest.mark.parametrize(
    ("test", "result"),
    [
        ("test_right", "PASSED"),
        ("test_wrong", "FAILED"),
        ("test_right_at_first_order", "PASSED"),
        ("TestMany::test_markers_add_up", "PASSED"),
        ("TestMany::test_the_closer_one_wins", "PASSED"),
        ("test_a_slip_of_the_pen", "ERROR"),
    ],
)
def test_toy_project(output, test, result):
    assert f"test_toy.py::{test} {result}" in output


def test_the_report_is_all_that_a_failure_shows(output):
    assert "GradCheckError: forward over forward is wrong, order 2" in output
    assert "    check_grads(wrong_at_second_order, (0.5,))" in output
    assert "raise GradCheckError" not in output


def test_an_unknown_option_is_named(output):
    assert "pytest.mark.gradcheck takes order, modes, rtol, atol by name, got ordr" in output
