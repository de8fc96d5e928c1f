import numpy as np

from tinygrad_ugan import data
from tinygrad_ugan.data.mixture import Mixture

CENTERS = np.array([[0.0, 0.0, 5.0], [3.0, 0.0, 0.0]])


def test_moments_and_shares(rng):
    n = 20_000
    x = Mixture(CENTERS, 0.1).sample(n, rng)
    nearest = np.linalg.norm(x[:, None] - CENTERS, axis=2).argmin(axis=1)
    np.testing.assert_allclose(nearest.mean(), 0.5, atol=4 * 0.5 / np.sqrt(n))  # 4 standard errors
    np.testing.assert_allclose((x - CENTERS[nearest]).std(), 0.1, rtol=4 / np.sqrt(6 * n))


def test_without_spread_the_samples_are_the_centres(rng):
    x = Mixture(CENTERS, 0.0).sample(20, rng, np.float32)
    assert x.dtype == np.float32
    assert {tuple(row) for row in x} == {tuple(row) for row in CENTERS.astype(np.float32)}


def test_a_random_mixture_is_one_dataset_around_its_centres(rng):
    toy = data.GaussianMixture(modes=5, dimension=3, std=0.01)
    centers = toy.centers()
    np.testing.assert_array_equal(centers, toy.centers())
    assert not np.array_equal(centers, data.GaussianMixture(5, 3, centers_seed=1).centers())
    distance = np.linalg.norm(toy.sample(500, rng)[:, None] - centers, axis=2).min(axis=1)
    assert distance.max() < 0.06
    many = data.GaussianMixture(modes=4_000, spread=3.0).centers()
    np.testing.assert_allclose(many.std(axis=0), 3.0, rtol=4 / np.sqrt(2 * 4_000))
