"""Steps that leave the discriminator where it should not be."""

import pytest

from tests.check.audit import traps
from tests.check.audit.steps import functional_step
from tinygrad_ugan.check import audit_step, trials


@pytest.mark.parametrize(
    ("keep", "left"),
    [("last", "theta_D^K"), ("last and a real step", "theta_D^K+1"), ("none", "theta_D^0")],
)
@pytest.mark.parametrize("order", ["simultaneous", "alternating"])
def test_where_the_discriminator_is_left(keep, left, order):
    found = audit_step(functional_step(traps.NUMPY, keep=keep, order=order), trials(steps=[3])[1:])
    assert (found.verdict, found.left, found.ok) == ("exact", left, False), found
