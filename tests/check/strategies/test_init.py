"""The names of the strategies."""

import pytest

from tinygrad_ugan.check import strategies


@pytest.mark.parametrize(
    ("old", "new"),
    [("Problem", strategies.UnrolledGame), ("Program", strategies.RandomProgram)],
)
def test_renamed_classes_keep_their_old_names_for_a_release(old, new):
    with pytest.warns(DeprecationWarning, match=f"{old} is called {new.__name__} now"):
        assert getattr(strategies, old) is new
