"""Pictures show what is in the run."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.gan.small import varied
from tinygrad_ugan import data, gan
from tinygrad_ugan.gan import pictures
from tinygrad_ugan.gan.reports.plane import Plane


@pytest.fixture(scope="module")
def run():
    return gan.train(varied(pictures=3))


def test_curves_show_the_metrics(run):
    figure = pictures.curves({"one": run, "two": run}, {"modes": "m", "cosine": "c"})
    for axis, name in zip(figure.axes, ("modes", "cosine"), strict=True):
        drawn = [line.get_xydata() for line in axis.lines]
        expected = np.column_stack([run.columns()["step"], run.columns()[name]])
        assert len(drawn) == 2
        np.testing.assert_array_equal(drawn[1], expected)


def test_every_panel_is_a_column_of_the_table():
    panels = pictures.OBJECTIVES | pictures.QUALITY | pictures.ANATOMY
    assert panels.keys() <= set(gan.Row._fields)


def test_the_decision_surface_is_the_discriminators(run):
    axis = pictures.decision_surface(run).axes[0]
    [image] = axis.images
    shades, (left, right, bottom, top) = image.get_array(), image.get_extent()
    assert (left, right) == (bottom, top) == (-3, 3)
    logit = run.config.build_game().discriminator(
        run.theta_d, np.array([[right, bottom]], np.float32)
    )
    assert shades[0, -1] == pytest.approx(1 / (1 + np.exp(-logit.item())), rel=1e-5)
    assert [len(points.get_offsets()) for points in axis.collections[-2:]] == [500, 500]


def test_the_animation_has_a_frame_for_every_moment(run):
    with Image.open(io.BytesIO(pictures.animation(run))) as animation:
        assert animation.n_frames == 3
        frames = []
        for i in range(3):
            animation.seek(i)
            frames.append(np.asarray(animation.convert("L")))
    # shaded where samples are: the frame's darkest place is near the densest sample
    row, column = np.unravel_index(frames[-1][30:].argmin(), frames[-1][30:].shape)
    place = np.array([column, 239 - (row + 30)]) / 239 * 6 - 3
    assert np.linalg.norm(run.samples[-1] - place, axis=1).min() < 0.2


def test_the_moving_average_has_rows_and_panels_of_its_own():
    run = gan.train(varied(ema=0.5), metrics={"largest": lambda state, x: x.max()})
    assert len(generated(pictures.samples_over_time({"a": run}))) == 4
    panels = pictures.filled({"a": run}, pictures.EMA_QUALITY | pictures.own_panels({"a": run}))
    assert panels["ema_modes"] == "modes covered, EMA"
    assert panels["ema_largest"] == "largest, EMA"
    assert "modes covered, EMA" in gan.report({"a": run})


def test_one_mode_in_the_middle_still_has_room():
    run = gan.train(varied(data=gan.Grid(side=1, std=0.1)))
    assert pictures.decision_surface(run).axes[0].get_xlim() == (-1, 1)


def generated(figure):
    return [axis for axis in figure.axes if axis.get_title().startswith("step")]


def test_data_of_one_dimension_have_histograms_in_their_own_units():
    rows = np.linspace(160.0, 180.0, 50)
    run = gan.train(varied(), data=data.Samples(rows))
    axes = generated(pictures.samples_over_time({"a": run}))
    assert len(axes) == 2
    low, high = axes[0].get_xlim()
    assert (low, high) == pytest.approx((154, 186))
    assert not pictures.has_plane(run)
    assert not pictures.has_surface(run)
    limits = generated(
        pictures.samples_over_time({"a": gan.train(varied(data=data.Gaussian1D(mean=3.0)))})
    )[0].get_xlim()
    assert limits == (-22, 28)


def test_images_have_sheets(rng):
    run = gan.train(varied(), data=data.Samples(rng.integers(0, 255, (30, 4, 3), np.uint8)))
    figure = pictures.density(run, run.generate(30, rng))
    [first, last] = [axis.images[0].get_array() for axis in figure.axes]
    assert first.shape == last.shape == (20, 15)
    assert not pictures.has_plane(run)
    assert "<img" in gan.report({"images": run})


def test_the_surface_of_standardised_data_is_the_discriminators(rng):
    rows = rng.standard_normal((200, 2)) * [1e-3, 50] + [5, 1000]
    run = gan.train(varied(), data=data.Samples(rows))
    axis = pictures.decision_surface(run).axes[0]
    [image] = axis.images
    plane = Plane.of(run.setup.data, run.setup.data.sample(2_500, np.random.default_rng(0)))
    corner = plane.lift(np.array([[-3.0, -3.0]], np.float32))
    logit = run.setup.game.discriminator(run.theta_d, corner).item()
    assert image.get_array()[0, 0] == pytest.approx(1 / (1 + np.exp(-logit)), rel=1e-5)
    assert len(axis.get_xticks()) == 0  # its units are nobody's


def test_data_of_many_dimensions_are_points(rng):
    run = gan.train(varied(pictures=3), data=data.Samples(rng.standard_normal((100, 6))))
    assert pictures.has_plane(run)
    assert not pictures.has_surface(run)
    assert len(generated(pictures.samples_over_time({"a": run}, scatter=True))) == 6
    with Image.open(io.BytesIO(pictures.animation(run))) as animation:
        assert animation.n_frames == 3
