"""Conditional games: labels from the data into the batch, through training, and out by class."""

import os

import numpy as np
import pytest

from tests.gan.small import SMALL, outcome
from tests.test_cli import TINY, exit_code, output
from tests.test_own_game import LONG, killed
from tinygrad_ugan import data, gan, nn
from tinygrad_ugan.cli import main
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.training import registry

RING = SMALL.updated({"data": {"modes": 3, "labelled": True}, "networks.conditional": True})


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_THINGS", {})
    rng = np.random.default_rng(0)
    lines = [f"{170 + 10 * rng.random()};{kind}" for kind in ("cat", "dog", "eel") * 50]
    (tmp_path / "points.csv").write_text("\n".join(["height;kind", *lines]))
    return tmp_path


LABELLED = [
    "--data", "points.csv", "--data.labels", "kind", "--data.delimiter", ";",
    "--networks.conditional",
]  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_labelled_file_is_killed_resumed_reported_and_sampled_by_class(elsewhere, capsys):
    train = ["train", *LONG, "--pictures", "3", "--checkpoint-every", "5", *LABELLED]
    main([*train, "--out", "whole"])
    whole = gan.load("whole")
    assert whole.setup.classes == 3
    killed(train, elsewhere / "killed")
    assert 10 <= gan.load("killed").checkpoint.step < 200
    main(["resume", "killed"])
    run = gan.load("killed")
    assert outcome(run) == outcome(whole)
    main(["report", "killed", "whole", "--out", "report.html"])
    assert "own_class" in (elsewhere / "report.html").read_text()
    for label, number in (("dog", 1), ("2", 2)):
        main(["sample", "killed", "--n", "9", "--label", label, "--out", "x.npy"])
        expected = run.sample(9, np.random.default_rng(0), labels=number)
        np.testing.assert_array_equal(np.load("x.npy"), expected)
    assert exit_code(["sample", "killed", "--label", "dgo"]) == 2
    assert "label: expected one of" in output(capsys)


def test_batches_have_the_labels_of_their_rows():
    config = RING.updated({"unroll": {"steps": 2, "fresh": True}})
    batches = gan.Draws(config, np.random.default_rng(0)).next()
    assert len(batches) == 3
    centers = config.data.centers()
    for batch in batches:
        distance = np.linalg.norm(batch.real[:, None] - centers, axis=2)
        np.testing.assert_array_equal(batch.labels, distance.argmin(axis=1))
    without = config.updated({"networks.conditional": False, "data.labelled": False})
    plain = gan.Draws(without, np.random.default_rng(0)).next()
    for batch, other in zip(batches, plain, strict=True):
        assert isinstance(other, gan.Batch)
        np.testing.assert_array_equal(batch.real, other.real)
        np.testing.assert_array_equal(batch.noise, other.noise)


def test_a_run_by_name_and_one_of_a_game_handed_in_are_the_same():
    named = gan.train(RING)
    game = named.setup.game
    assert game.generator.sizes == (4 + 3, 8, 2)
    assert game.discriminator.sizes == (2 + 3, 8, 1)
    handed_in = gan.train(RING.updated({"networks.conditional": False}), game=game)
    assert outcome(handed_in) == outcome(named)
    assert 0 <= named.metrics[-1].own_class <= 1
    assert named.metrics[-1].accuracy_d is not None
    gan.register("mine", game)
    by_name = gan.train(RING.updated({"game": "mine"}), "run")
    assert outcome(gan.load("run")) == outcome(by_name) == outcome(named)


def test_samples_are_of_the_classes_asked_for():
    run = gan.train(RING)
    labels = [2, 0, 1, 1]
    one, two = (np.random.default_rng(1) for _ in range(2))
    samples = run.sample(4, one, labels=labels)
    noise = two.standard_normal((4, 4), np.float32)
    batch = gan.FullBatch(None, noise, np.array(labels))
    np.testing.assert_array_equal(samples, run.setup.game.generate(run.theta_g, batch))
    assert run.sample(4, one).shape == (4, 2)
    with pytest.raises(ArgumentError, match="labels: expected one, or one for each of 4"):
        run.sample(4, one, labels=[1, 2])
    with pytest.raises(ArgumentError, match="label: expected one of '0', '1', '2', got '3'"):
        run.sample(4, one, labels=3)
    with pytest.raises(ArgumentError, match="label: expected none, as the game is not conditional"):
        gan.train(SMALL).sample(4, one, labels=0)


def test_labels_that_a_game_does_not_take_are_left_out_and_it_is_said():
    labelled = RING.updated({"networks.conditional": False})
    with pytest.warns(UserWarning, match="the labels of the data are left out"):
        run = gan.train(labelled)
    plain = gan.train(labelled.updated({"data.labelled": False}))
    assert outcome(run) == outcome(plain)
    assert run.metrics[-1].own_class is None


def test_a_conditional_game_needs_labels_of_its_classes(capsys):
    words = "networks.conditional: expected data with labels, got true; data.labels names"
    with pytest.raises(ArgumentError, match=words):
        gan.train(RING.updated({"data.labelled": False}))
    game = gan.Game(nn.MLP((4 + 5, 2)), nn.MLP((2 + 5, 1)), classes=5)
    with pytest.raises(ArgumentError, match=r"data: expected labels of 5 classes.*got labels of 3"):
        gan.train(RING, game=game)
    with pytest.raises(ArgumentError, match=r"data: expected labels of 5 classes.*got no labels"):
        gan.train(SMALL, game=game, data=data.Moons())
    assert exit_code(["train", *TINY, "--networks.conditional", "--out", "run"]) == 2
    assert "networks.conditional" in output(capsys)


def test_penalties_noise_and_pictures_go_with_labels(elsewhere):
    text = "[data]\nlabelled = true\n[networks]\nconditional = true\n"
    text += '[penalty]\nkind = "wgan-gp"\n[networks.discriminator_layers]\ndropout = 0.1\n'
    (elsewhere / "some.toml").write_text(text)
    main(["train", *TINY, "--config", "some.toml", "--out", "run"])
    assert gan.load("run").setup.classes == 8
    assert (elsewhere / "run/samples.png").exists()
