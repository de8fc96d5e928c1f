"""A game of one's own from the command line: killed, resumed to the same bits, and reported."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.gan.small import outcome
from tests.test_cli import HERE, TINY, exit_code, output
from tinygrad_ugan import gan, nn
from tinygrad_ugan.cli import main
from tinygrad_ugan.gan.training import registry

PLUGIN = '''
"""A gradient penalty on the data, and batch normalisation in the generator."""
import numpy as np
import tinygrad_ugan as ug


class Penalised(ug.gan.Game):
    def inner_on(self, samples, theta_d, batch):
        slope = ug.grad(lambda x: np.sum(self.discriminator(theta_d, x)))(batch.real)
        return super().inner_on(samples, theta_d, batch) - np.mean(np.sum(slope**2, axis=1))


@ug.gan.register("penalised")
def penalised(config):
    hidden, noise = 8, config.networks.noise
    generator = ug.nn.Sequential(
        ug.nn.MLP((noise, hidden)), ug.nn.BatchNorm(hidden), np.tanh, ug.nn.MLP((hidden, 2))
    )
    return Penalised(generator, ug.nn.MLP((2, 8, 1)), config.loss)
'''
PLUGGED = ["--plugin", "penalties_of_mine"]
LONG = [*TINY[:-6], "--steps", "200", "--evaluate-every", "20", "--evaluation-samples", "50"]
TRAIN = ["train", *LONG, "--pictures", "3", "--checkpoint-every", "5", *PLUGGED]
NAMES = ("penalised", "penalties_of_mine:penalised")


@pytest.fixture(autouse=True)
def plugin(tmp_path, monkeypatch):
    (tmp_path / "penalties_of_mine.py").write_text(PLUGIN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_THINGS", {})
    yield
    sys.modules.pop("penalties_of_mine", None)


def killed(arguments, folder):
    """Train in a process that is killed once it has a few checkpoints."""
    command = [sys.executable, "-m", "tinygrad_ugan", *arguments, "--out", folder]
    with subprocess.Popen(command, env=HERE, stdout=subprocess.DEVNULL) as process:
        until = time.monotonic() + 120
        while time.monotonic() < until and process.poll() is None:
            if any(
                int(p.name) >= 10
                for p in gan.runs.checkpoint_files.list_checkpoints(folder / "checkpoints")
            ):
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)


BY_NAMES = [
    *("--loss", "wasserstein", "--penalty", "wgan-gp", "--unroll.lr", "0.02", "--unroll.redraw"),
    *("--networks.generator-layers.normalization", "batch"),
    *("--networks.discriminator-layers.activation", "tanh"),
    *("--networks.discriminator-layers.dropout", "0.2", "--instance-noise", "0.1"),
]


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_the_same_by_names_of_layers_and_penalties(tmp_path):
    arguments = ["train", *LONG, "--pictures", "3", "--checkpoint-every", "5", *BY_NAMES]
    main([*arguments, "--out", "whole"])
    whole = gan.load("whole")
    assert whole.config.penalty == gan.penalties.GradientPenalty()
    assert isinstance(whole.setup.game.generator.layers[1], nn.BatchNorm)
    killed(arguments, tmp_path / "killed")
    assert 10 <= gan.load("killed").checkpoint.step < 200

    main(["resume", "killed"])
    assert outcome(gan.load("killed")) == outcome(whole)
    main(["report", "killed", "whole", "--out", "report.html"])
    assert "wgan-gp" in (tmp_path / "report.html").read_text()
    main(["sample", "killed", "--n", "7", "--out", "samples.npy"])
    expected = whole.sample(7, np.random.default_rng(0))
    np.testing.assert_array_equal(np.load("samples.npy"), expected)


def test_the_penalty_may_stand_in_a_file_or_on_the_command_line(tmp_path, capsys):
    (tmp_path / "mine.toml").write_text("[penalty]\nkind = 'r1'\nweight = 3.0\n")
    main(["train", *TINY, "--config", "mine.toml", "--out", "file"])
    assert gan.load("file").config.penalty == gan.penalties.R1(3.0)
    main(["train", *TINY, "--config", "mine.toml", "--penalty", "r2", "--out", "flag"])
    assert gan.load("flag").config.penalty == gan.penalties.R2()
    assert exit_code(["train", *TINY, "--penalty", "gp"]) == 2
    assert "penalty: expected one of" in output(capsys)


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@pytest.mark.parametrize("name", NAMES)
def test_killed_resumed_reported_and_sampled(name, tmp_path, capsys):
    main([*TRAIN, "--game", name, "--out", "whole"])
    whole = gan.load("whole")
    killed([*TRAIN, "--game", name], tmp_path / "killed")
    assert 10 <= gan.load("killed").checkpoint.step < 200

    main(["resume", "killed", *PLUGGED])
    assert outcome(gan.load("killed")) == outcome(whole)
    main(["report", "killed", "whole", *PLUGGED, "--out", "report.html"])
    assert "penalised" in (tmp_path / "report.html").read_text()
    main(["sample", "killed", *PLUGGED, "--n", "7", "--out", "samples.npy"])
    expected = whole.sample(7, np.random.default_rng(0))
    np.testing.assert_array_equal(np.load("samples.npy"), expected)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", ["resume", "report", "sample"])
def test_without_the_plugin_the_run_is_refused_and_nothing_is_lost(name, command, capsys):
    main(["train", *TINY, *PLUGGED, "--game", name, "--out", "run"])
    before = outcome(gan.load("run"))
    sys.modules.pop("penalties_of_mine")
    registry._THINGS.clear()
    assert exit_code([command, "run"]) == 2
    assert "game: expected a" in (text := output(capsys))
    assert "--plugin" in text
    assert "penalties_of_mine" not in sys.modules
    registry.import_plugin("plugin", "penalties_of_mine")
    assert outcome(gan.load("run")) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--plugin", "nowhere_at_all"], "plugin: expected a module that can be imported, got 'no"),
        (["--game", "nowhere_at_all:Game"], "game: expected a module that can be imported"),
        ([*PLUGGED, "--game", "penalized"], "game: expected a registered name ('penalised')"),
        (["--game", "penalties_of_mine:ug"], "game: expected an object with inner and outer"),
    ],
)
def test_what_cannot_be_found_is_told(arguments, words, tmp_path, capsys):
    assert exit_code(["train", *TINY, *arguments, "--out", "run"]) == 2
    assert words in output(capsys)
    assert not (tmp_path / "run").exists()


def test_a_sweep_imports_the_plugin_in_its_workers(tmp_path):
    pytest.importorskip("distributed")
    main(["sweep", *TINY, *PLUGGED, "--game", "penalised", "--workers", "1", "--seeds", "0",
          "--vary", "unroll.steps=0,1", "--out", "sweep"])  # fmt: skip
    assert len(list((tmp_path / "sweep").glob("*/checkpoints"))) == 2
    assert not list((tmp_path / "sweep").glob("*/error.txt"))
