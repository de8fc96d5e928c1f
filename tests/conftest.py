"""Settings that every test shares."""

import os
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from tinygrad_ugan.compile import entries, stages

hypothesis.settings.register_profile("quick", max_examples=25, deadline=None, derandomize=True)
hypothesis.settings.register_profile("deep", max_examples=1000, deadline=None)
hypothesis.settings.register_profile(  # a failure is all that matters, not the smallest one
    "mutants",
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
BY_NUMPY = ("check", "experiments", "gan", "unroll")


@pytest.fixture(autouse=True)
def programs_by_numpy(request, monkeypatch):
    """Leave machine code to other tests, and to the deep profile.

    For the hundreds of small games that these rooms unroll, it would be minutes of LLVM.
    """
    room = request.path.relative_to(Path(__file__).parent).parts[0]
    if not DEEP and room in BY_NUMPY and not request.node.get_closest_marker("kernels"):
        monkeypatch.setattr(entries, "with_kernels", lambda program: program)
        monkeypatch.setattr(stages.Stage, "piece", lambda stage, dtype: None)


@pytest.fixture
def rng():
    return np.random.default_rng(0)
