"""How the discriminator responds, by the mode that is asked for and by the cheaper one."""

import numpy as np
import pytest

import tinygrad_ugan as ug
from tinygrad_ugan import autodiff
from tinygrad_ugan.errors import ArgumentError


def response(n_g, n_d, mode):
    game = ug.unroll.Game(lambda x, y, _: np.sum(x) * np.sum(y) - np.sum(y**2) / 2)
    return ug.unroll.response_jacobian(
        game, np.ones(n_g), np.ones(n_d), None, steps=2, lr=0.1, mode=mode
    )


@pytest.mark.parametrize(("n_g", "n_d", "cheaper"), [(2, 3, "forward"), (3, 2, "reverse")])
def test_auto_takes_the_mode_of_fewer_sweeps(n_g, n_d, cheaper, monkeypatch):
    modes, jacobian = [], autodiff.jacobian
    monkeypatch.setattr(
        autodiff, "jacobian", lambda f, mode: modes.append(mode) or jacobian(f, mode=mode)
    )
    found = response(n_g, n_d, "auto")
    assert modes == [cheaper]
    for mode in ("forward", "reverse"):
        np.testing.assert_allclose(found, response(n_g, n_d, mode), rtol=1e-14)


def test_an_unknown_mode_is_named():
    with pytest.raises(ArgumentError, match=r"mode: .*'auto', .*did you mean 'reverse'"):
        response(2, 2, "revers")
