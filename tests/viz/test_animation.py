import io

import numpy as np
from PIL import Image

from tinygrad_ugan import viz


def test_a_frame_for_every_step_and_the_last_one_stays(rng):
    samples = rng.uniform(-1, 1, (3, 50, 2))
    content = viz.animation([0, 10, 20], samples, extent=1.0, milliseconds=100)
    with Image.open(io.BytesIO(content)) as animation:
        assert animation.n_frames == 3
        durations = []
        for i in range(3):
            animation.seek(i)
            durations.append(animation.info["duration"])
    assert durations == [100, 100, 400]


def test_up_is_up():
    content = viz.animation([0], np.full((1, 9, 2), 0.5), extent=1.0)  # to the right, above
    with Image.open(io.BytesIO(content)) as animation:
        green = np.asarray(animation.convert("RGB"))[30:, :, 0]  # below the text; white is 255
    rows, columns = np.nonzero(green < 200)
    assert rows.mean() + 30 < 120 < columns.mean()
