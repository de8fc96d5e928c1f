"""A step that left the finite numbers can be repeated."""

import pytest

from tests.gan.small import SMALL, varied
from tinygrad_ugan import gan
from tinygrad_ugan.errors import ArgumentError, NonFiniteError


@pytest.mark.parametrize("on_disk", [False, True])
def test_leaving_the_finite_numbers_can_be_replayed(on_disk, tmp_path):
    wild = gan.Optimizer("sgd", lr=1e30)
    config = varied(generator_optimizer=wild, steps=20)
    words = r"training: expected finite numbers, got at step (\d+): .*\w\[0\]\['b'\]"
    with pytest.raises(NonFiniteError, match=words) as error:
        gan.train(config, folder=tmp_path if on_disk else None)
    if not on_disk:
        assert list(tmp_path.iterdir()) == []
        return
    assert f"ugan replay {tmp_path}" in str(error.value)
    with pytest.raises(NonFiniteError) as again:
        gan.replay(tmp_path)
    assert str(again.value) in str(error.value)
    assert (tmp_path / "failure/batches/batches.safetensors").exists()
    assert [row.step for row in gan.load(tmp_path).metrics] == [0]


def test_there_is_nothing_to_replay_of_a_run_that_did_not_fail(tmp_path):
    gan.train(SMALL, folder=tmp_path / "good")
    for folder, words in (("good", "where no step has failed"), ("none", "which holds no run")):
        expected = rf"folder: expected a run that left the finite numbers, got .*{folder}, {words}"
        with pytest.raises(ArgumentError, match=expected):
            gan.replay(tmp_path / folder)
