"""Every example runs, asserts what it claims, and leaves a picture.

Those that audit code of another library need the extra `bench`.
"""

import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("plot_*.py"))
NEEDED = {"plot_audit_pytorch": "torch", "plot_audit_jax": "jax"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example(path, tmp_path):
    if path.stem in NEEDED:
        pytest.importorskip(NEEDED[path.stem])
    figure = runpy.run_path(str(path))["figure"]
    figure.savefig(tmp_path / "figure.png")
    assert figure.axes
