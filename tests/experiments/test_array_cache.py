"""Arrays come back as they were written, and never for other settings."""

import numpy as np

from tinygrad_ugan.experiments import array_cache

ARRAYS = {"x": np.linspace(0, 1, 5, dtype=np.float32), "n": np.array([[1, 2]])}


def test_they_come_back(tmp_path):
    path = tmp_path / "new" / "some.safetensors"
    array_cache.write(path, "settings", ARRAYS, 1.5)
    found = array_cache.read(path, "settings")
    assert found.seconds == 1.5
    assert found.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(found.arrays[name], array)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_arrays_that_lie_otherwise_in_memory_come_back_the_same(tmp_path):
    table = np.arange(6.0).reshape(2, 3)
    arrays = {"column": table[:, 1], "transposed": table.T, "backwards": table[::-1]}
    array_cache.write(tmp_path / "some", "settings", arrays, 0.0)
    for name, array in array_cache.read(tmp_path / "some", "settings").arrays.items():
        np.testing.assert_array_equal(array, arrays[name])


def test_nothing_for_other_settings_or_without_a_file(tmp_path):
    array_cache.write(tmp_path / "some", "settings", ARRAYS, 0.0)
    assert array_cache.read(tmp_path / "some", "others") is None
    assert array_cache.read(tmp_path / "other", "settings") is None
