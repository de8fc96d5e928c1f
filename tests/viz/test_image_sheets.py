import numpy as np
import pytest

from tinygrad_ugan import viz
from tinygrad_ugan.viz.image_sheets import contact_sheet


@pytest.mark.parametrize("channels", [1, 3])
def test_every_image_is_in_its_place(channels, rng):
    images = rng.random((9, 2 * 4 * channels))
    sheet = contact_sheet(images, (2, 4, channels), 3)
    assert sheet.shape[:2] == (6, 12)
    for i, image in enumerate(images):
        row, column = divmod(i, 3)
        tile = sheet[2 * row : 2 * row + 2, 4 * column : 4 * column + 4]
        np.testing.assert_array_equal(tile.ravel(), image)


def test_few_images_repeat():
    assert contact_sheet(np.array([[1], [2]]), (1, 1, 1), 2).tolist() == [[1, 2], [1, 2]]


def test_sheets_are_as_light_as_the_data():
    target = np.array([[0.0, 20.0]] * 4)
    over_time = np.array([[[10.0, 40.0]] * 4])
    runs = {"a": ((5,), over_time), "b": ((), over_time[:0])}
    figure = viz.sheets_over_time(runs, target, shape=(1, 2, 1), side=2)
    generated, data, ended, again = figure.axes
    assert [axis.get_title() for axis in (generated, data)] == ["step 5", "data"]
    np.testing.assert_array_equal(generated.images[0].get_array(), [[0.5, 1, 0.5, 1]] * 2)
    np.testing.assert_array_equal(data.images[0].get_array(), [[0, 1, 0, 1]] * 2)
    assert not ended.axison
    assert again.get_title() == "data"
