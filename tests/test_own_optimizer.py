"""Optimisers of one's own and by name from the command line: killed, resumed to the same bits."""

import os
import sys

import pytest

from tests.gan.small import outcome
from tests.test_cli import TINY, exit_code, output
from tests.test_own_game import killed
from tinygrad_ugan import gan, optim
from tinygrad_ugan.cli import main
from tinygrad_ugan.gan.training import registry

PLUGIN = '''
"""Lion, which steps by signs: Chen et al. (2023), arXiv 2302.06675."""
import numpy as np
import optree
import tinygrad_ugan as ug


class Lion:
    def __init__(self, lr):
        self.lr = lr

    def init(self, params):
        return optree.tree_map(np.zeros_like, params)

    def update(self, grads, mean, params):
        step = optree.tree_map(lambda m, g: -self.lr * np.sign(0.9 * m + 0.1 * g), mean, grads)
        return step, optree.tree_map(lambda m, g: 0.99 * m + 0.01 * g, mean, grads)


@ug.gan.register("lion")
def lion(settings):
    return Lion(settings.lr)
'''
PLUGGED = ["--plugin", "lions_of_mine"]
NAMES = ("lion", "lions_of_mine:lion")
OPTIONS = [
    *("--steps", "200", "--evaluate-every", "20", "--evaluation-samples", "50", "--pictures", "3"),
    *("--checkpoint-every", "5", "--generator-optimizer.schedule", "cosine"),
    *("--generator-optimizer.warmup", "20", "--discriminator-optimizer.method", "rmsprop"),
    *("--discriminator-optimizer.weight-decay", "0.01", "--unroll.optimizer", "nesterov"),
    *("--unroll.steps", "2", "--unroll.lr", "0.1", "0.05"),
]


@pytest.fixture(autouse=True)
def plugin(tmp_path, monkeypatch):
    (tmp_path / "lions_of_mine.py").write_text(PLUGIN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_THINGS", {})
    yield
    sys.modules.pop("lions_of_mine", None)


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@pytest.mark.parametrize("name", NAMES)
def test_killed_and_resumed_to_the_same_bits(name, tmp_path, capsys):
    named = ["--generator-optimizer.registered", name]
    command = ["train", *TINY[:-6], *OPTIONS, *PLUGGED, *named]
    main([*command, "--out", "whole"])
    whole = gan.load("whole")
    assert whole.config.unroll.lr == (0.1, 0.05)
    assert whole.setup.optimizers["generator"].lr == whole.config.generator_optimizer.lr
    killed(command, tmp_path / "killed")
    assert 10 <= gan.load("killed").checkpoint.step < 200

    sys.modules.pop("lions_of_mine")
    registry._THINGS.clear()
    assert exit_code(["resume", "killed"]) == 2
    assert "generator_optimizer.registered: expected a" in output(capsys)
    main(["resume", "killed", *PLUGGED])
    assert outcome(gan.load("killed")) == outcome(whole)


def test_a_file_of_settings_says_the_same(tmp_path):
    text = """
    generator_optimizer = {method = "adamw", weight_decay = 0.2, warmup = 1}
    unroll = {optimizer = "adam", lr = [0.1, 0.2, 0.3], steps = 3, eps = 1e-3}
    update.scheme = "extragradient"
    """
    (tmp_path / "mine.toml").write_text(text)
    main(["train", *TINY[:-6], "--steps", "2", "--config", "mine.toml", "--out", "run"])
    config = gan.load("run").config
    assert gan.Config.from_json((tmp_path / "run/config.json").read_text()) == config
    assert config.generator_optimizer.build() == optim.AdamW(1e-4, 0.5, weight_decay=0.2)
    assert config.unroll.lr == (0.1, 0.2, 0.3)
