"""Gradients with their parameters and data in archives."""

import numpy as np
import pytest

from tinygrad_ugan.check.audit.game_file import GameFile, MLPSettings
from tinygrad_ugan.check.audit.gradient_file import read_gradient
from tinygrad_ugan.errors import ArgumentError


@pytest.fixture
def game():
    return GameFile(
        steps=2, generator=MLPSettings((3, 4, 2)), discriminator=MLPSettings((2, 1), "relu")
    )


def numbers(**changes):
    rng = np.random.default_rng(0)
    shapes = {
        "theta_g.0.w": (3, 4), "theta_g.0.b": (4,), "theta_g.1.w": (4, 2), "theta_g.1.b": (2,),
        "theta_d.0.w": (2, 1), "theta_d.0.b": (1,), "gradient": (26,),
        "real": (5, 2), "noise": (5, 3),
    }  # fmt: skip
    drawn = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    return {name: x for name, x in (drawn | changes).items() if x is not None}


def test_numbers(game, tmp_path):
    given = numbers()
    np.savez(tmp_path / "x.npz", **given)
    read = read_gradient(tmp_path / "x.npz", game)
    assert (read.gradient == given["gradient"]).all()
    assert (read.theta_g[1]["w"] == given["theta_g.1.w"]).all()
    assert (read.theta_d[0]["b"] == given["theta_d.0.b"]).all()
    assert (read.batch.noise == given["noise"]).all()


def test_a_gradient_of_arrays_and_fresh_batches(game, tmp_path):
    rng = np.random.default_rng(1)
    layers = {n.replace("theta", "gradient").replace("_g", ""): x for n, x in numbers().items()
              if n.startswith("theta_g")}  # fmt: skip
    fresh = {"real": rng.standard_normal((3, 5, 2)), "noise": rng.standard_normal((3, 5, 3))}
    np.savez(tmp_path / "x.npz", **numbers(gradient=None, **layers, **fresh))
    read = read_gradient(tmp_path / "x.npz", game)
    assert (read.gradient[1]["b"] == layers["gradient.1.b"]).all()
    assert [batch.real.shape for batch in read.batch] == [(5, 2)] * 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"theta_g.1.w": None}, r"theta_g\.1\.w: expected an array of shape \(4, 2\)"),
        ({"theta_g.1.w": np.ones((2, 4))}, r"theta_g\.1\.w.*hand in \.T"),
        ({"gradient": np.ones(25)}, r"gradient: expected shape \(26,\)"),
        ({"gradient": None}, r"gradient\.0\.w: expected an array"),
        ({"reel": np.ones(2)}, "reel: expected one of.*did you mean 'real'"),
        ({"noise": None}, "noise: expected an array"),
        ({"noise": np.ones((5, 4))}, r"noise: expected shape \(batch, 3\)"),
        ({"real": np.ones((2, 5, 2)), "noise": np.ones((2, 5, 3))}, r"or \(3, batch, 2\)"),
        ({"real": np.ones((0, 2))}, r"real: expected shape"),
    ],
)
def test_wrong_numbers_are_named(changes, words, game, tmp_path):
    np.savez(tmp_path / "x.npz", **numbers(**changes))
    with pytest.raises(ArgumentError, match=words):
        read_gradient(tmp_path / "x.npz", game)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_archive_is_refused(content, game, tmp_path):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(ArgumentError, match=r"x\.npz"):
        read_gradient(tmp_path / "x.npz", game)
