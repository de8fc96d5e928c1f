"""Pictures show what is in the run."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.gan.small import varied
from tinygrad_ugan import gan
from tinygrad_ugan.gan import pictures


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


def test_one_mode_in_the_middle_still_has_room():
    run = gan.train(varied(data=gan.Grid(side=1, std=0.1)))
    assert pictures.decision_surface(run).axes[0].get_xlim() == (-1, 1)
