"""The pytest plugin `pytest_tinygrad_ugan`: a fixture `check_grads` and a marker `gradcheck`.

It is there as soon as the package is installed::

    def test_my_layer(check_grads):
        check_grads(my_layer, (np.ones(3),))

    @pytest.mark.gradcheck(order=3, modes="reverse")
    def test_my_loss(check_grads):
        check_grads(my_loss, (np.ones(3),))

The marker sets what the fixture does by default, for a test, a class, or a module
(``pytestmark = pytest.mark.gradcheck(rtol=1e-3)``); the closer one wins, and an argument of the
call wins over all. ``-m gradcheck`` selects the tests that carry it.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable
from typing import Any

import pytest

OPTIONS = ("order", "modes", "rtol", "atol")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "gradcheck(order=2, modes=('forward', 'reverse'), rtol=None, atol=None): what the fixture "
        "check_grads checks by default.",
    )


@pytest.fixture
def check_grads(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Check the derivatives of a function: `tinygrad_ugan.check.check_grads`.

    ``check_grads(f, args, order=2, modes=("forward", "reverse"), rtol=None, atol=None)``. Its
    random directions depend on the name of the test alone.
    """
    import numpy as np

    from tinygrad_ugan.check import grads

    rng = np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))
    return functools.partial(grads.check_grads, rng=rng, **_defaults(request.node))


def _defaults(node: Any) -> dict[str, Any]:
    defaults: dict[str, Any] = {}
    for marker in node.iter_markers("gradcheck"):  # the closest first
        unknown = [*map(repr, marker.args), *sorted(marker.kwargs.keys() - set(OPTIONS))]
        if unknown:
            raise pytest.UsageError(
                f"pytest.mark.gradcheck takes {', '.join(OPTIONS)} by name, got {unknown[0]}"
            )
        defaults = dict(marker.kwargs) | defaults
    return defaults
