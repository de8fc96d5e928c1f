"""Every setting has a largest value."""

import dataclasses
import math
import re

import pytest

from tinygrad_ugan import data, gan, optim
from tinygrad_ugan.check.audit.game_file import GameFile
from tinygrad_ugan.checked_dataclass import Settings
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.training.registry import OwnData

GROUPS = [
    gan.Config, gan.Ring, gan.Grid, gan.DoubleRing, gan.Embedded, gan.Networks, gan.Layers,
    gan.Optimizer, gan.Unroll, gan.Update, gan.EarlyStop,
    gan.RegisteredData, GameFile,
    GameFile().generator.__class__, data.Moons, data.Circles, data.SwissRoll, data.Spirals,
    data.Pinwheel, data.Checkerboard, data.GaussianMixture, data.Gaussian1D, data.File, OwnData,
    gan.penalties.NoPenalty, gan.penalties.GradientPenalty, gan.penalties.R1, gan.penalties.R2,
]  # fmt: skip
WORDS = (
    "game",
    "activation",
    "columns",
    "grey",
    "registered",
    "metric",
)  # that have no default of their type
NUMBERS = [
    (group, field)
    for group in GROUPS
    for field in dataclasses.fields(group)
    if not isinstance(getattr(group(), field.name), str | bool | Settings)
    and field.name not in WORDS
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


def test_adams_epsilon_has_a_square():
    for eps in (1e308, 1e-200):
        with pytest.raises(ArgumentError, match="eps: expected a positive number whose square"):
            optim.Adam(eps=eps)
