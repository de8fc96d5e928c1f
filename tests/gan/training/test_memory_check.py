"""Settings that need more memory than there is are refused by name, before anything is made."""

import dataclasses

import pytest

from tests.gan.small import SMALL, varied
from tinygrad_ugan import gan
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.training import memory_check
from tinygrad_ugan.gan.training.setup import Setup


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"batch": 10**8, "networks": {"noise": 10**5}}, "batch"),
        ({"evaluation_samples": 10**8, "networks": {"generator": [10**5]}}, "evaluation_samples"),
        ({"networks": {"generator": [10**5] * 50}}, "networks.generator"),
        ({"networks": {"discriminator": [10**5] * 50}, "unroll": {"steps": 0}},
         "networks.discriminator"),
        ({"networks": {"discriminator": [10**5] * 50}, "unroll": {"steps": 9}}, "unroll.steps"),
        ({"data": {"modes": 10**5}, "evaluation_samples": 10**8}, "data.modes"),
        ({"pictures": 400, "evaluation_samples": 10**8, "networks": {"noise": 1},
          "data": {"kind": "embedded", "rank": 1}}, "pictures"),
    ],
)  # fmt: skip
def test_too_much_for_the_memory_names_the_setting_and_the_bytes(changes, name, tmp_path):
    config = SMALL.updated(changes)
    words = rf"^{name}: expected a smaller one, got what takes [\d.,e+]+ .B of the [\d.,e+]+ .B"
    for train in (lambda: gan.train(config), lambda: gan.train(config, folder=tmp_path / "run")):
        with pytest.raises(ArgumentError, match=words):
            train()
    assert list(tmp_path.iterdir()) == []


def test_what_is_needed_is_no_more_than_what_is_used():
    """A lower bound that were too high would refuse what can be trained."""
    for config in (SMALL, gan.Config(), gan.Config.miniature()):
        assert sum(memory_check.training_needs(config).values()) < 50 * 10**6


def test_what_a_process_may_use(monkeypatch, tmp_path):
    whole = memory_check.available()
    assert 10**8 < whole < 2**63
    (tmp_path / "memory.max").write_text("123456789\n")
    monkeypatch.setattr(memory_check, "_GROUP_LIMIT", tmp_path / "memory.max")
    assert memory_check.available() == 123456789
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_check.available() == whole


def test_resuming_on_a_smaller_machine(monkeypatch, tmp_path):
    gan.train(varied(steps=2), folder=tmp_path)
    place = tmp_path / "checkpoints/00000002"
    run = gan.load(tmp_path)
    later = dataclasses.replace(run.checkpoint, setup=Setup.of(varied(steps=4)))
    gan.runs.checkpoint_files.write(place, later)
    monkeypatch.setattr(memory_check, "available", lambda: 1000)
    with pytest.raises(ArgumentError, match="this machine has 1 kB"):
        gan.resume(tmp_path)


def test_layers_by_name_are_counted_and_checked_before_a_checkpoint_is_read(monkeypatch, tmp_path):
    layers = gan.Layers(normalization="batch")
    plain, layered = (
        varied(networks=gan.Networks(4, (8,), (8,), discriminator_layers=each))
        for each in (gan.Layers(), layers)
    )
    assert memory_check.training_needs(layered) == memory_check.training_needs(plain)
    gan.train(layered, folder=tmp_path)
    monkeypatch.setattr(memory_check, "available", lambda: 1000)
    with pytest.raises(ArgumentError, match=r"networks\.\w+: expected a smaller one.*has 1 kB"):
        gan.load(tmp_path)
