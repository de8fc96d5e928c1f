"""Every setting has a largest value, and says when memory is what would not suffice."""

import dataclasses
import math
import re

import pytest

from tests.gan.small import SMALL, varied
from tinygrad_ugan import gan, optim
from tinygrad_ugan.check.audit.game_file import GameFile
from tinygrad_ugan.checked_dataclass import Settings
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.training import memory_check

GROUPS = [
    gan.Config, gan.Ring, gan.Grid, gan.DoubleRing, gan.Embedded, gan.Networks, gan.Optimizer,
    gan.Unroll, gan.Update, GameFile, GameFile().generator.__class__,
]  # fmt: skip
WORDS = str | bool
NUMBERS = [
    (group, field)
    for group in GROUPS
    for field in dataclasses.fields(group)
    if not isinstance(getattr(group(), field.name), str | bool | Settings)
]


@pytest.mark.parametrize(
    ("group", "field"), NUMBERS, ids=lambda x: getattr(x, "name", "") or x.__name__
)
def test_every_number_has_a_largest_value(group, field):
    most = field.metadata["most"]
    assert math.isfinite(most)
    listed = isinstance(getattr(group(), field.name), tuple)
    for beyond in (most * 1.5, int(most * 2), 10**400, float("inf")):
        value = (beyond,) if listed else beyond
        with pytest.raises(ArgumentError, match=rf"^{field.name}: expected ") as error:
            group(**{field.name: value})
        if beyond in (most * 1.5, int(most * 2)):  # the message says how much is too much
            assert re.search(r"<= [\d,]+|to [\d.e+]+|in \[0, 1\)|>= ", str(error.value))


def test_every_settings_class_is_in_the_list():
    def classes(base):
        return {base, *(c for child in base.__subclasses__() for c in classes(child))}

    ours = {c for c in classes(Settings) if c.__module__.startswith("tinygrad_ugan")}
    assert ours - {Settings} == set(GROUPS)


@pytest.mark.parametrize("deep", [False, True])
def test_the_message_stays_short_whatever_came(deep):
    value = [[]]
    if deep:
        for _ in range(10**5):
            value = [value]
    for given in (value, "x" * 10**6, 10**5000, [1] * 10**6, {"a" * 10**6: 1}):
        for field in ("seed", "loss", "decay", "clip", "threads"):
            with pytest.raises(ArgumentError) as error:
                gan.Config().updated({field: given})
            assert len(str(error.value)) < 600


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
    later = dataclasses.replace(run.checkpoint, config=varied(steps=4))
    gan.runs.checkpoint_files.write(place, later)
    monkeypatch.setattr(memory_check, "available", lambda: 1000)
    with pytest.raises(ArgumentError, match="this machine has 1 kB"):
        gan.resume(tmp_path)


def test_adams_epsilon_has_a_square():
    for eps in (1e308, 1e-200):
        with pytest.raises(ArgumentError, match="eps: expected a positive number whose square"):
            optim.Adam(eps=eps)
