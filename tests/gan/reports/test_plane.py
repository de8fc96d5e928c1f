import numpy as np
import pytest

from tinygrad_ugan import data
from tinygrad_ugan.gan.reports.plane import EXTENT, Plane, principal_axes


def plane_of(dataset, n=2_000):
    target = dataset.sample(n, np.random.default_rng(0))
    return Plane.of(dataset, target), target


def test_data_with_centres_are_drawn_as_they_are():
    plane, target = plane_of(data.Ring())
    assert plane.is_space
    assert plane.extent == 3
    assert plane.project(target) is target
    assert plane.lift(target) is target


@pytest.mark.parametrize("dataset", [data.Moons(), data.Samples([[7e3, 1.0], [9e3, 2.0]])])
def test_other_data_of_two_dimensions_fill_the_picture(dataset):
    plane, target = plane_of(dataset)
    points = plane.project(target)
    assert EXTENT / 2 < np.abs(points).max() < EXTENT
    back = plane.lift(points.astype(np.float32))
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, target, atol=1e-5)
    assert not plane.is_space


def test_shapes_are_not_stretched():
    plane, _ = plane_of(data.Samples([[0.0, 0.0], [4.0, 1.0]], standardize=False))
    first, second = plane.project(np.eye(2)) - plane.project(np.zeros((1, 2)))
    assert np.linalg.norm(first) == pytest.approx(np.linalg.norm(second))


def test_one_point_has_a_picture():
    plane, target = plane_of(data.Samples([[5.0, 5.0]], standardize=False))
    np.testing.assert_array_equal(plane.project(target), 0)


def test_of_more_dimensions_the_plane_of_most_variance_is_drawn(rng):
    turned = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    x = rng.standard_normal((4_000, 5)) * [5, 3, 0.1, 0.1, 0.1] @ turned + 20
    mean, axes = principal_axes(x, most=4_000)
    np.testing.assert_allclose(mean, x.mean(axis=0))
    values, vectors = np.linalg.eigh(np.cov(x.T))
    for axis, expected in zip(axes, vectors.T[::-1], strict=False):
        assert abs(axis @ expected) == pytest.approx(1)
        assert axis[np.abs(axis).argmax()] > 0
    plane, target = plane_of(data.Samples(x, standardize=False))
    points = plane.project(target)
    assert EXTENT / 2 < np.abs(points).max() < EXTENT
    assert points.var(axis=0).sum() / np.var(target, axis=0).sum() > 0.99 * (EXTENT / 20) ** 2
    assert values[-1] > values[-2]


def test_one_sample_has_axes_as_well():
    _, axes = principal_axes(np.array([[1.0, 2.0, 3.0]]))
    assert np.linalg.norm(axes, axis=1) == pytest.approx([1, 1])
