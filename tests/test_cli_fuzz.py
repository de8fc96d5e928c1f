"""Arguments that make no sense: exit code 2, a message that names the field, nothing written."""

import contextlib
import io
import json
import os
import re
from unittest import mock

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_ugan import gan
from tinygrad_ugan.check.audit.game_file import GameFile
from tinygrad_ugan.cli import main

EXAMPLES = 2_000 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 40


def leaves(group, place=""):
    for name, value in group.items():
        nested = isinstance(value, dict)
        yield from leaves(value, f"{place}{name}.") if nested else [(place + name, value)]


ANY_NAME = ("data.kind", "game", "unroll.registered", "generator_optimizer.registered",
            "discriminator_optimizer.registered", "early_stop.metric")  # fmt: skip
FIELDS = {name: value for name, value in leaves(gan.Config().to_dict()) if name not in ANY_NAME}
GAME_FIELDS = dict(leaves(GameFile().to_dict()))
WORDS = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=3, max_size=12).map("q".__add__)
NOT_NUMBERS = st.sampled_from(["nan", "inf", "-inf", "1,5", "0x10", "1/2", ""]) | WORDS
NEGATIVE = st.integers(-(10**30), -1).map(str)


def bad_argument(name):
    """Arguments that give the field a value that it cannot have."""
    value = FIELDS[name]
    flag = "--" + name.replace("_", "-")
    if isinstance(value, bool):
        return WORDS.map(lambda word: [f"{flag}={word}"])
    if isinstance(value, str):
        return WORDS.map(lambda word: [flag, word])
    bad = NOT_NUMBERS | NEGATIVE
    if isinstance(value, int | list):
        bad = bad | st.floats(-1e6, 1e6).map(lambda x: f"{x}.0" if "." not in str(x) else str(x))
    return bad.map(lambda text: [f"{flag}={text}"])


def bad_json(value):
    """Values of another kind than this one, as a file may hold them."""
    wrong = [st.just({}), st.just(float("nan")), st.just(float("inf")), st.integers(max_value=-1)]
    wrong += [] if isinstance(value, str) else [WORDS]
    wrong += [] if isinstance(value, bool) else [st.booleans()]
    wrong += [] if isinstance(value, list) else [st.lists(st.integers())]
    wrong += [WORDS] if isinstance(value, str) else []
    wrong += [st.none()] if value is not None else []
    return st.one_of(wrong)


@st.composite
def mistakes(draw):
    """The field, the arguments, and the text of a file of settings, if there is one."""
    name = draw(st.sampled_from(sorted(FIELDS)))
    kind = draw(st.sampled_from(["value", "name", "file", "file name", "vary"]))
    command = draw(st.sampled_from(["train", "compare", "sweep"]))
    if kind == "value":
        return name, [command, *draw(bad_argument(name))], None
    if kind == "name":
        wrong = f"{name}{draw(WORDS)}"
        return wrong, [command, f"--{wrong}", "1"], None
    if kind == "vary":
        value = json.dumps(draw(bad_json(FIELDS[name])))
        return name, ["sweep", "--vary", f"{name}={value}"], None
    wrong = name if kind == "file" else name + draw(WORDS)
    tree = draw(bad_json(FIELDS[name]))
    for part in reversed(wrong.split(".")):
        tree = {part: tree}
    return wrong, [command, "--config", "settings.json"], json.dumps(tree)


@pytest.fixture(scope="module", autouse=True)
def elsewhere(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    with contextlib.chdir(folder):
        yield folder


@settings(max_examples=EXAMPLES)
@given(mistake=mistakes())
def test_mistakes(elsewhere, mistake):
    field, arguments, text = mistake
    if text is not None:
        (elsewhere / "settings.json").write_text(text)
    before = sorted(elsewhere.iterdir())
    shown = io.StringIO()
    trained = AssertionError("it trained")
    with (
        contextlib.redirect_stdout(shown),
        contextlib.redirect_stderr(shown),
        mock.patch("tinygrad_ugan.gan.train", side_effect=trained),
        mock.patch("tinygrad_ugan.gan.sweeps.hyperparameter_grid.train", side_effect=trained),
        mock.patch("tinygrad_ugan.gan.sweeps.cluster.carry", side_effect=trained),
        pytest.raises(SystemExit) as error,
    ):
        main(arguments)
    message = shown.getvalue()
    assert error.value.code == 2, message
    assert "Traceback" not in message
    letters = re.sub(r"[\W_]", "", message)
    assert re.sub(r"[\W_]", "", field.rpartition(".")[2]) in letters, message
    assert "\n\n" not in message.strip()
    assert sorted(elsewhere.iterdir()) == before


@st.composite
def mistakes_in_a_game(draw):
    """The field, and the file that states the game of an audit."""
    name = draw(st.sampled_from(sorted(GAME_FIELDS)))
    value = draw(bad_json(GAME_FIELDS[name]).filter(lambda value: value is not None))
    wrong = name if draw(st.booleans()) else name + draw(WORDS)
    game = {"generator": {"sizes": [3, 2]}, "discriminator": {"sizes": [2, 1]}}
    *groups, last = wrong.split(".")
    place = game[groups[0]] if groups else game
    place[last] = value
    return wrong, tomli_w.dumps(game)


@settings(max_examples=EXAMPLES)
@given(mistake=mistakes_in_a_game(), source=st.sampled_from(["--gradient=x", "--callable=x:y"]))
def test_mistakes_in_a_game(elsewhere, mistake, source):
    field, text = mistake
    (elsewhere / "game.toml").write_text(text)
    shown = io.StringIO()
    with contextlib.redirect_stderr(shown), pytest.raises(SystemExit) as error:
        main(["audit", source, "--game=game.toml"])
    message = shown.getvalue()
    assert error.value.code == 2, message
    assert "Traceback" not in message
    assert field.rpartition(".")[2] in message
