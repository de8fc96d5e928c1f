"""Every example runs, asserts what it claims, and leaves a picture."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("plot_*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example(path, tmp_path):
    figure = runpy.run_path(str(path))["figure"]
    figure.savefig(tmp_path / "figure.png")
    assert figure.axes
