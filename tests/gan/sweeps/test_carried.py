"""Things of one's own in the processes of a sweep: carried there, or refused by name."""

import importlib
import pickle
import sys
import types

import numpy as np
import pytest

from tests.gan.small import SMALL, outcome, varied
from tinygrad_ugan import data, gan, nn, optim
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError
from tinygrad_ugan.gan.sweeps.carried import carry
from tinygrad_ugan.gan.training import registry

GAME = gan.Game(nn.MLP((4, 6, 2)), nn.MLP((2, 6, 1)))
VARY = {"unroll.steps": [0, 1]}
PLUGIN = """
import tinygrad_ugan as ug
ug.gan.register("narrow", lambda config: ug.gan.Game(ug.nn.MLP((4, 3, 2)), ug.nn.MLP((2, 3, 1))))
"""


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch):
    monkeypatch.setattr(registry, "_THINGS", {})


def circle(n, rng):
    angles = 2 * np.pi * rng.random(n)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def spread(state, samples):
    return samples.std()


def start(rng):
    return GAME.generator.init(rng, np.float32), GAME.discriminator.init(rng, np.float32)


def test_parts_that_are_handed_in_train_as_they_do_here_and_go_on(tmp_path):
    parts = {
        "game": GAME,
        "data": data.Function(circle),
        "init": start,
        "metrics": {"spread": spread},
        "optimizers": {"generator": optim.Adam(lr=1e-2)},
    }
    table = gan.sweep(SMALL, VARY, tmp_path / "sweep", workers=2, progress=False, **parts)
    assert table["status"].tolist() == ["done", "done"], table["error"].tolist()
    for steps, row in zip(VARY["unroll.steps"], table.rows, strict=True):
        serial = gan.train(SMALL.updated({"unroll.steps": steps}), **parts)
        run = gan.load(tmp_path / "sweep" / row["folder"], **parts)
        assert outcome(run) == outcome(serial)
        assert row["spread"] == serial.metrics[-1].own["spread"]
    again = gan.sweep(SMALL, VARY, tmp_path / "sweep", workers=1, progress=False, **parts)
    assert again["seconds"].tolist() == table["seconds"].tolist()


def test_what_is_registered_here_is_registered_there(tmp_path):
    gan.register("mine", GAME)
    gan.register("circle", data.Function(circle))
    config = varied(game="mine", data=gan.RegisteredData("circle"))
    table = gan.sweep(config, {}, tmp_path / "named", workers=1, progress=False)
    handed = {"game": GAME, "data": registry.registered("circle")}
    other = gan.sweep(SMALL, {}, tmp_path / "handed in", workers=1, progress=False, **handed)
    assert table["status"].tolist() == other["status"].tolist() == ["done"]
    runs = [gan.load(tmp_path / name / "seed=0") for name in ("named", "handed in")]
    assert runs[0].config == runs[1].config
    assert outcome(runs[0]) == outcome(runs[1]) == outcome(gan.train(config))


def test_a_lambda_that_a_plugin_registers_is_found_by_the_plugin(tmp_path, monkeypatch):
    (tmp_path / "narrow_plugin.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("narrow_plugin")
    config = varied(game="narrow")
    with pytest.raises(ArgumentTypeError, match=r"the registered 'narrow': .*plugins="):
        gan.sweep(config, {}, tmp_path / "sweep", workers=1)
    assert not (tmp_path / "sweep").exists()
    carried = carry({}, [config], ["narrow_plugin"])
    registry._THINGS.clear()
    sys.modules.pop("narrow_plugin")
    assert carried.unpack() == {}
    assert registry.registered("narrow") is not None
    sys.modules.pop("narrow_plugin")


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"game": gan.Game(lambda t, x: x @ t, nn.MLP((2, 1)))}, "game: expected one that can be"),
        ({"data": data.Function(lambda n, rng: circle(n, rng))}, "data: expected one that can be"),
        ({"metrics": {"m": lambda s, x: 1.0}}, r"metrics\['m'\]: expected one that can be pickled"),
        ({"init": lambda rng: start(rng)}, "init: expected one .*define it at the top of a module"),
    ],
)
def test_what_cannot_be_pickled_is_named_and_nothing_is_written(parts, words, tmp_path):
    with pytest.raises(ArgumentTypeError, match=words):
        gan.sweep(SMALL, VARY, tmp_path / "sweep", **parts)
    assert not (tmp_path / "sweep").exists()


def test_what_is_defined_in_an_interactive_session_is_refused(monkeypatch):
    session = types.ModuleType("__main__")
    exec("class Mine:\n    pass", session.__dict__)
    monkeypatch.setitem(sys.modules, "__main__", session)
    with pytest.raises(ArgumentTypeError, match=r"game: .*of an interactive session; a lambda"):
        carry({"game": session.Mine()}, [])
    session.__file__ = __file__
    carry({"game": session.Mine()}, [])


def test_what_is_not_there_in_the_other_process_is_named():
    carried = carry({"metrics": {"spread": spread}}, [])
    before = pickle.dumps(spread)
    broken = type(carried)((), {}, {"metrics": {"spread": before.replace(b"spread", b"sprawl")}})
    with pytest.raises(ArgumentError, match=r"metrics\['spread'\]: .*AttributeError"):
        broken.unpack()


@pytest.mark.parametrize(
    ("vary", "parts", "name"),
    [
        ({"game": ["a"]}, {"game": GAME}, "game"),
        ({"networks.generator": [[3], [4]]}, {"game": GAME}, "game"),
        ({"data.std": [0.1, 0.2]}, {"data": data.Function(circle)}, "data"),
        (
            {"generator_optimizer.lr": [0.1, 0.2]},
            {"optimizers": {"generator": optim.SGD(0.1)}},
            "optimizers.generator",
        ),
        ({"networks.gain": [0.5, 1.0]}, {"game": GAME}, "game"),
        (
            {"unroll.lr": [0.1, 0.2]},
            {"optimizers": {"unroll": optim.SGD(0.1)}},
            "optimizers.unroll",
        ),
    ],
)
def test_a_setting_that_would_change_nothing_is_refused(vary, parts, name, tmp_path):
    gan.register("a", GAME)
    parts = {
        k: v if v is not GAME else gan.Game(*SMALL.networks.build(2)) for k, v in parts.items()
    }
    with pytest.raises(ArgumentError, match=f"vary: .*in whose place {name} is handed in"):
        gan.sweep(SMALL, vary, tmp_path / "sweep", **parts)
