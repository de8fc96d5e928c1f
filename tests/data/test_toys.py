"""Toys against scikit-learn's, which take another kind of generator, or their definitions."""

import numpy as np
import pytest

from tinygrad_ugan import data
from tinygrad_ugan.errors import ArgumentError

N = 4_000
TOYS = [
    data.Moons(),
    data.Circles(),
    data.SwissRoll(),
    data.Spirals(),
    data.Pinwheel(),
    data.Checkerboard(),
    data.GaussianMixture(modes=3, dimension=4),
    data.Gaussian1D(mean=-3.0, std=2.0),
]


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.kind)
def test_the_draws_are_those_of_the_seed_in_every_dtype(toy):
    one, two = (toy.sample(9, np.random.default_rng(3), np.float64) for _ in range(2))
    single = toy.sample(9, np.random.default_rng(3))
    assert one.tobytes() == two.tobytes()
    assert single.dtype == np.float32
    assert single.shape == (9, toy.dimension)
    np.testing.assert_array_equal(single, one.astype(np.float32))


@pytest.mark.parametrize(
    "toy", [t for t in TOYS if hasattr(t, "plot_limits")], ids=lambda t: t.kind
)
def test_nearly_all_is_within_the_limits_of_the_picture(toy, rng):
    low, high = toy.plot_limits
    x = toy.sample(N, rng)
    assert np.mean((low < x) & (x < high)) > 0.999
    assert np.ptp(x, axis=0).max() > (high - low) / 2


@pytest.mark.parametrize(
    ("toy", "make", "columns", "options"),
    [
        (data.Moons(noise=0), "make_moons", [0, 1], {}),
        (data.Circles(noise=0, factor=0.7), "make_circles", [0, 1], {"factor": 0.7}),
        (data.SwissRoll(noise=0), "make_swiss_roll", [0, 2], {}),
    ],
)
def test_curves_are_scikit_learns(toy, make, columns, options, rng):
    datasets = pytest.importorskip("sklearn.datasets")
    theirs = getattr(datasets, make)(20_000, noise=0, random_state=0, **options)[0][:, columns]
    theirs = theirs / 5 if toy.kind == "swiss-roll" else theirs
    ours = toy.sample(1_000, rng, np.float64)
    gaps = np.linalg.norm(ours[:, None] - theirs, axis=2)
    assert gaps.min(axis=1).max() < 0.01  # all of ours on their curve
    assert gaps.min(axis=0).max() < 0.1  # all of their curve covered
    spread = ours.std(axis=0) / np.sqrt(len(ours))
    assert (np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) < 4 * spread + 0.01).all()


def test_noise_is_added_to_both_coordinates(rng):
    radii = np.linalg.norm(data.Circles(factor=1.0, noise=0.02).sample(N, rng), axis=1)
    assert radii.std() == pytest.approx(0.02, rel=4 / np.sqrt(2 * N))


def test_every_arm_of_the_spirals_is_the_first_one_turned(rng):
    toy = data.Spirals(arms=3, turns=1.25, radius=2.0, noise=0)
    x, y = toy.sample(N, rng, np.float64).T
    r = np.hypot(x, y) / 2
    turned = (np.arctan2(y, x) / (2 * np.pi) - 1.25 * r) * 3
    np.testing.assert_allclose(turned, turned.round(), atol=1e-9)
    shares = np.bincount(turned.round().astype(int) % 3) / N
    np.testing.assert_allclose(shares, 1 / 3, atol=4 * np.sqrt(2 / 9 / N))  # 4 standard errors
    assert (r**2).mean() == pytest.approx(0.5, abs=4 / np.sqrt(12 * N))


def test_an_unbent_pinwheel_is_a_wheel_of_gaussians(rng):
    toy = data.Pinwheel(arms=4, rate=0.0, radial_std=0.1, tangential_std=0.05)
    x = toy.sample(N, rng, np.float64) / 2
    arm = np.abs(x).argmax(axis=1)
    along = np.abs(x[np.arange(N), arm])
    across = x[np.arange(N), 1 - arm]
    assert along.mean() == pytest.approx(1, abs=4 * 0.1 / np.sqrt(N))
    assert along.std() == pytest.approx(0.1, rel=4 / np.sqrt(2 * N))
    assert across.std() == pytest.approx(0.05, rel=4 / np.sqrt(2 * N))


def test_the_pinwheel_is_bent_by_the_distance(rng):
    bent, unbent = (
        data.Pinwheel(arms=1, rate=rate).sample(N, np.random.default_rng(0), np.float64)
        for rate in (0.5, 0.0)
    )
    turn = np.exp(1j * 0.5 * np.exp(_a(unbent)))
    np.testing.assert_allclose(_complex(bent), _complex(unbent) * turn, atol=1e-12)


def _complex(x):
    return x[:, 0] + 1j * x[:, 1]


def _a(unbent):
    """The first coordinate before the turn, which for one arm is none."""
    return unbent[:, 0] / 2


@pytest.mark.parametrize("side", [1, 3, 4])
def test_the_checkerboard_is_uniform_on_black_squares(side, rng):
    x = data.Checkerboard(side=side, width=0.5).sample(N, rng, np.float64) / 0.5 + side / 2
    column, row = np.floor(x).astype(int).T
    assert (((column + row) % 2 == 0) & (np.minimum(column, row) >= 0)).all()
    assert np.maximum(column, row).max() < side
    black = (side * side + 1) // 2
    shares = np.unique(column * side + row, return_counts=True)[1] / N
    assert len(shares) == black
    np.testing.assert_allclose(shares, 1 / black, atol=4 / np.sqrt(black * N))
    assert (x % 1).mean() == pytest.approx(0.5, abs=4 / np.sqrt(24 * N))


def test_settings_without_sense_are_refused():
    with pytest.raises(ArgumentError, match=r"noise: expected a number from 0 to 1e\+06, got -1"):
        data.Moons(noise=-1)
    with pytest.raises(ArgumentError, match="factor"):
        data.Circles(factor=1.5)
