"""Games and data by name; and a run's folder imports nothing."""

import sys

import numpy as np
import pytest

from tests.gan.small import SMALL, bits, outcome, varied
from tinygrad_ugan import gan
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError
from tinygrad_ugan.gan.training import registry

MODULE = """
import numpy as np
from tinygrad_ugan import gan

class Blob:
    dimension, std = 2, 1.0

    def sample(self, n, rng, dtype=np.float32):
        return rng.standard_normal((n, 2)).astype(dtype)

    def centers(self):
        return np.zeros((1, 2))

def game(config):
    return gan.Game(*config.networks.build(2), "hinge")

gan.register("blob of the plugin", Blob)
number = 3
"""


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(registry, "_THINGS", {})


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a module in the folder one stands in; it is not imported yet."""
    (tmp_path / "things_of_mine.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    yield "things_of_mine"
    sys.modules.pop("things_of_mine", None)


def hinge(config):
    return gan.Game(*config.networks.build(2), "hinge")


HINGE = varied(loss="hinge")


def test_a_registered_function_takes_the_settings():
    assert gan.register("hinge", hinge) is hinge
    assert outcome(gan.train(varied(game="hinge"))) == outcome(gan.train(HINGE))


def test_a_registered_object_is_taken_as_it_is_and_named():
    gan.register("mine", game := HINGE.build_game())
    run = gan.train(SMALL, game=game)
    assert run.config.game == "mine"
    assert run.setup.game is game
    assert run.setup.handed_in == {}


def test_register_is_a_decorator_and_a_class_is_called():
    @gan.register("grid")
    class Mine(gan.Grid):
        pass

    setup = gan.train(varied(data=gan.RegisteredData("grid"))).setup
    assert type(setup.data) is Mine


def test_a_run_of_a_registered_game_goes_on_to_the_same_bits(tmp_path):
    gan.register("hinge", hinge)
    config = varied(game="hinge")
    whole = gan.train(config, tmp_path / "run")
    gan.load(tmp_path / "run", step=2).save(tmp_path / "early")
    assert outcome(gan.resume(tmp_path / "early")) == outcome(whole)
    assert gan.load(tmp_path / "run").config == config


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"game": "ghost"},
            r"game: expected a registered name \(there are none yet\), got 'ghost'",
        ),
        ({"game": "ghost:Game"}, "game: expected a module that can be imported, got 'ghost'"),
        ({"game": "a b:Game"}, "game: expected a module that can be imported, got 'a b'"),
        ({"game": "math:Game"}, "game: expected an attribute of math, got 'math:Game'"),
        ({"game": "math:pi"}, "game: expected an object with inner and outer, or with a gen"),
        ({"data": {"kind": "registered", "name": "math:pi"}}, r"data: expected an object with sam"),
        ({"data": {"kind": "registered", "name": "x"}}, r"data.name: expected a registered name"),
        ({"game": 3}, "game: expected printable text"),
    ],
)
def test_what_is_not_there_or_of_the_wrong_kind_is_told(changes, words, tmp_path):
    with pytest.raises((ArgumentError, ArgumentTypeError), match=words):
        gan.train(SMALL.updated(changes), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "a:b", 3])
def test_names_have_no_colon(name):
    with pytest.raises(ArgumentError, match="name: expected a name without a colon"):
        gan.register(name, hinge)


def test_what_a_function_raises_is_told():
    gan.register("broken", lambda config: 1 / 0)
    with pytest.raises(ArgumentError, match=r"'broken', which raised ZeroDivisionError: .*\.py:"):
        gan.train(varied(game="broken"))


def test_a_module_that_raises_is_told(tmp_path, monkeypatch):
    (tmp_path / "broken_one.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match=r"plugin: .*'broken_one', which raised SystemExit: 3"):
        registry.import_plugin("plugin", "broken_one")


def test_settings_import_the_module_that_they_name(module):
    config = varied(game=f"{module}:game", data=gan.RegisteredData(f"{module}:Blob"))
    run = gan.train(config)
    assert run.setup.game.loss == "hinge"
    assert type(run.setup.data).__name__ == "Blob"
    assert gan.train(varied(data=gan.RegisteredData("blob of the plugin"))).finished


def test_a_folder_imports_no_module(module, tmp_path):
    config = varied(game=f"{module}:game")
    whole = gan.train(config, tmp_path / "run")
    del sys.modules[module]
    for read in (gan.load, gan.resume):
        with pytest.raises(ArgumentError, match=f"game: .* if you trust it, `--plugin {module}`"):
            read(tmp_path / "run")
    assert module not in sys.modules
    registry.import_plugin("plugin", module)
    assert outcome(gan.load(tmp_path / "run")) == outcome(whole)


class Mine(gan.Game):
    """A game that has no name."""

    def outer_on(self, samples, theta_d, batch):
        return super().outer_on(samples, theta_d, batch) + np.mean(samples**2)


def mine():
    built = SMALL.build_game()
    return Mine(built.generator, built.discriminator)


def test_what_is_not_registered_is_handed_in_again(tmp_path):
    whole = gan.train(SMALL, tmp_path / "run", game=mine())
    for read in (gan.load, gan.resume, gan.replay):
        if read is not gan.replay:
            with pytest.raises(
                ArgumentError, match=r"game: .*Mine it was trained with.* hand it in"
            ):
                read(tmp_path / "run")
    gan.load(tmp_path / "run", step=2, game=mine()).save(tmp_path / "early")
    assert outcome(gan.resume(tmp_path / "early", game=mine())) == outcome(whole)


def test_what_was_not_handed_in_is_refused(tmp_path):
    gan.train(SMALL, tmp_path / "a", game=mine())
    with pytest.raises(ArgumentError, match=r"game: expected a .*Mine, as the run was trained wi"):
        gan.load(tmp_path / "a", game=SMALL.build_game())
    gan.train(SMALL, tmp_path / "b")
    with pytest.raises(ArgumentError, match="game: expected none, as the settings"):
        gan.load(tmp_path / "b", game=mine())


def test_a_start_of_another_structure_is_refused(tmp_path):
    start = mine().generator.init(np.random.default_rng(0)), {"a": np.ones(3, np.float32)}
    game = gan.Game(SMALL.build_game().generator, lambda theta, x: x @ theta["a"][:2, None])
    whole = gan.train(SMALL, tmp_path / "run", game=game, init=start)
    with pytest.raises(
        ArgumentTypeError, match="init: expected theta_g and theta_d, got a game wh"
    ):
        gan.load(tmp_path / "run", game=game)
    other = start[0], {"b": np.ones(3, np.float32)}
    with pytest.raises(ArgumentError, match=r"init: expected parameters with .*\['.'\], as those"):
        gan.load(tmp_path / "run", game=game, init=other)
    wide = start[0], {"a": np.ones(4, np.float32)}
    with pytest.raises(ArgumentError, match=r"init: expected .* of shape \(3,\), as it was saved"):
        gan.load(tmp_path / "run", game=game, init=wide)
    again = gan.load(tmp_path / "run", game=game, init=start)
    assert bits(again.checkpoint.state) == bits(whole.checkpoint.state)
