"""Data of one's own from the command line and from Python: trained, resumed, reported, refused."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.gan.small import SMALL, outcome
from tests.test_cli import TINY, exit_code, output
from tests.test_own_game import LONG, killed
from tinygrad_ugan import data, gan
from tinygrad_ugan.cli import main
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.runs import checkpoint_files
from tinygrad_ugan.gan.training import registry

UNITS = np.array([10.0, 2e-4]), np.array([170.0, 7e-4])  # of heights, say, and of rates


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_THINGS", {})
    rng = np.random.default_rng(0)
    angles = 2 * np.pi * rng.random(300)
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1) * UNITS[0] + UNITS[1]
    np.savetxt("points.csv", rows, delimiter=",", header="height,rate", comments="", fmt="%.17g")
    return tmp_path


def rows():
    return np.loadtxt("points.csv", delimiter=",", skiprows=1)


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_file_is_killed_resumed_reported_and_sampled_in_its_own_units(elsewhere, capsys):
    train = ["train", *LONG, "--pictures", "3", "--checkpoint-every", "5", "--data", "points.csv"]
    main([*train, "--out", "whole"])
    whole = gan.load("whole")
    killed(train, elsewhere / "killed")
    assert 10 <= gan.load("killed").checkpoint.step < 200

    main(["resume", "killed"])
    assert outcome(gan.load("killed")) == outcome(whole)
    assert "precision" in output(capsys)
    main(["report", "killed", "whole", "--out", "report.html"])
    page = (elsewhere / "report.html").read_text()
    assert whole.config.data.sha256 in page
    assert "two_sample" in page
    assert "modes" not in page
    assert "high-quality" not in page
    main(["sample", "killed", "--n", "500", "--seed", "3", "--out", "x.csv"])
    assert (elsewhere / "x.csv").read_text().startswith("height,rate\n")
    found = np.loadtxt("x.csv", delimiter=",", skiprows=1)
    noise = gan.load("killed").generate(500, np.random.default_rng(3))
    np.testing.assert_allclose(found, noise * rows().std(axis=0) + rows().mean(axis=0), rtol=1e-12)
    for name in ("x.png", "x.npy"):
        main(["sample", "killed", "--out", name])
    assert np.load("x.npy").dtype == np.float64


def test_the_folder_records_the_data_and_other_data_are_refused(elsewhere, capsys):
    shutil.copy("points.csv", "before.csv")
    arguments = ["train", *TINY, "--data", "points.csv", "--data.columns", "rate", "--out", "run"]
    main(arguments)
    recorded = json.loads((elsewhere / "run/config.json").read_text())["data"]
    assert recorded == {
        "kind": "file", "path": str(elsewhere / "points.csv"), "columns": ["rate"],
        "standardize": True, "size": [], "grey": None, "labels": "", "delimiter": ",",
        "sha256": data.Samples(rows()[:, 1]).sha256,
    }  # fmt: skip
    main(["sample", "run", "--n", "3", "--out", "x.csv"])
    assert (elsewhere / "x.csv").read_text().startswith("rate\n")

    (elsewhere / "points.csv").write_text("height,rate\n1,2\n3,4\n")
    capsys.readouterr()
    for command in ("resume", "report", "sample"):
        assert exit_code([command, "run"]) == 2
        message = output(capsys)
        assert "data.path: expected the data that the run was trained on" in message
        assert "which has changed" in message
        assert "put them back; other data need a new run" in message
    (elsewhere / "points.csv").unlink()
    assert exit_code(["resume", "run"]) == 2
    assert "which is not there; put them back, or hand them in from elsewhere" in output(capsys)

    moved = data.Samples("before.csv", columns=["rate"])
    assert gan.load("run", data=moved).sample(3, np.random.default_rng(0)).shape == (3, 1)
    for other in (data.Samples("before.csv"), data.Samples(np.eye(2)), data.Moons()):
        with pytest.raises(ArgumentError, match="data: expected none, as the settings of the run"):
            gan.load("run", data=other)


def test_a_run_of_a_file_is_the_same_from_python(elsewhere):
    main(["train", *TINY, "--data", "points.csv", "--out", "run"])
    given = gan.load("run").config.updated({"data": gan.Ring().to_dict()})
    one = gan.train(given, "python", data=data.Samples("points.csv"))
    assert outcome(one) == outcome(gan.load("run"))
    assert one.config == gan.load("run").config
    assert not one.setup.handed_in
    toml = one.config.to_toml()
    assert outcome(gan.train(gan.Config.from_toml(toml))) == outcome(one)


def test_samples_of_a_run_are_in_the_datas_own_units():
    run = gan.train(SMALL, data=data.Samples(rows()))
    raw = np.stack([*run.checkpoint.pictures.values()])
    np.testing.assert_array_equal(run.samples, run.setup.data.inverse(raw))
    one, two = (np.random.default_rng(1) for _ in range(2))
    expected = run.setup.data.inverse(run.generate(9, one))
    np.testing.assert_array_equal(run.sample(9, two), expected)
    plain = gan.train(SMALL, data=data.Samples(rows().astype("f4"), standardize=False))
    np.testing.assert_array_equal(plain.samples[0], plain.checkpoint.pictures[0])


def test_an_array_has_to_be_handed_in_again_and_be_the_same():
    whole = gan.train(SMALL, "run", data=data.Samples(rows()))
    gan.load("run", step=2, data=data.Samples(rows())).save("early")
    again = gan.resume("early", data=data.Samples(rows()))
    assert outcome(again) == outcome(whole)
    recorded = json.loads(Path("run/config.json").read_text())["data"]
    assert recorded["kind"] == "own"
    assert data.Samples(rows()).sha256 in recorded["identity"]
    with pytest.raises(ArgumentError, match=r"data: expected the tinygrad_ugan.*, got none, in "):
        gan.resume("early")
    for other in (data.Samples(rows() + 1), data.Samples(rows(), standardize=False)):
        with pytest.raises(ArgumentError, match="another data is another run: train"):
            gan.resume("early", data=other)
    with pytest.raises(ArgumentError, match=r"data: expected the .*; hand them in: train\(config"):
        gan.train(whole.config)


def uniform(n, rng):
    return rng.random((n, 2))


def normal(n, rng):
    return rng.standard_normal((n, 2))


def test_a_function_is_known_by_its_name():
    whole = gan.train(SMALL, "run", data=data.Function(uniform))
    gan.load("run", step=2, data=data.Function(uniform)).save("early")
    assert outcome(gan.resume("early", data=data.Function(uniform))) == outcome(whole)
    with pytest.raises(ArgumentError, match=r"Function of uniform, as .*, got a .* of normal"):
        gan.resume("early", data=data.Function(normal))


def test_registered_data_that_have_changed_are_refused():
    gan.register("mine", data.Samples(rows()))
    config = SMALL.updated({"data": {"kind": "registered", "name": "mine"}})
    whole = gan.train(config, "run")
    assert outcome(gan.load("run")) == outcome(whole)
    gan.register("mine", data.Samples(rows() + 1))
    with pytest.raises(ArgumentError, match=r"data\.name: expected a .*another run"):
        gan.load("run")


def test_a_run_that_an_earlier_version_began_goes_on(elsewhere, monkeypatch):
    """Its rows lack the later columns."""
    written = checkpoint_files._to_json
    later = checkpoint_files._LATER_COLUMNS
    config = SMALL.updated({"data": {"kind": "moons"}})
    whole = gan.train(config)
    with monkeypatch.context() as earlier:
        earlier.setattr(
            checkpoint_files,
            "_to_json",
            lambda row: {name: x for name, x in written(row).items() if name not in later},
        )
        gan.train(config, "run")
    shutil.rmtree(elsewhere / "run/checkpoints/00000004")
    run = gan.resume("run")
    assert outcome(run)[0] == outcome(whole)[0]
    assert np.isnan(run.columns()["precision"][:2]).all()
    assert run.columns()["precision"][2] == whole.columns()["precision"][2]
    assert ",,," in Path("run/metrics.csv").read_text()
    assert "precision" in gan.report({"run": run})


def test_toys_by_name(capsys):
    main(["train", *TINY, "--data", "moons", "--data.noise", "0.2", "--out", "run"])
    assert gan.load("run").config.data == data.Moons(noise=0.2)
    assert "precision" in output(capsys)
    Path("some.toml").write_text('data.kind = "file"\ndata.path = "points.csv"\n')
    main(["train", *TINY, "--config", "some.toml", "--out", "file"])
    assert gan.load("file").config.data.kind == "file"


def test_every_kind_of_data_trains_and_is_drawn(elsewhere):
    for kind in ("spirals", "gaussian-1d", "gaussian-mixture"):
        main(["train", *TINY, "--data", kind, "--out", kind])
        assert (elsewhere / kind / "samples.png").exists()
    (elsewhere / "images").mkdir()
    for i in range(5):
        Image.new("RGB", (3, 4), (i, 50 * i, 200)).save(elsewhere / f"images/{i}.png")
    main(["train", *TINY, "--data", "images", "--data.grey", "True", "--out", "run"])
    assert gan.load("run").setup.data.image_shape == (4, 3, 1)
    assert not (elsewhere / "run/samples.gif").exists()
    np.save("wide.npy", np.random.default_rng(0).standard_normal((50, 7)))
    main(["train", *TINY, "--data", "wide.npy", "--data.no-standardize", "--out", "wide"])
    assert (elsewhere / "wide/samples.gif").exists()


def test_a_sweep_over_a_file_leaves_out_the_modes(elsewhere, capsys):
    pytest.importorskip("pandas")
    sweep = ["sweep", *TINY, "--data", "points.csv", "--vary", "unroll.steps=0,1"]
    main([*sweep, "--seeds", "0", "--workers", "1", "--out", "out"])
    header = (elsewhere / "out/table.csv").read_text().splitlines()[0].split(",")
    assert {"precision", "recall", "two_sample"} <= set(header)
    assert not {"modes", "high_quality", "reverse_kl", "js"} & set(header)
    shown = output(capsys)
    assert "two-sample accuracy" in shown
    assert "modes" not in shown
    stamp = os.stat(elsewhere / "out/unroll.steps=0,seed=0/checkpoints").st_mtime_ns
    main([*sweep, "--seeds", "0", "--workers", "1", "--out", "out"])  # what is there is kept
    assert os.stat(elsewhere / "out/unroll.steps=0,seed=0/checkpoints").st_mtime_ns == stamp


BAD = {
    "text.csv": "a,b\n1,x\n",
    "nan.csv": "a,b\n1,nan\n",
    "empty.csv": "",
    "semicolons.csv": "1;2\n3;4\n",
    "ragged.csv": "1,2\n3\n",
    "x.npy": "nonsense",
}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "text.csv"], "path: expected a finite number, got .*text.csv, line 2"),
        (["--data", "nan.csv"], "path: expected a finite number, got .*nan.csv, line 2"),
        (["--data", "empty.csv"], "which is empty"),
        (["--data", "semicolons.csv"], "delimiter=';', say"),
        (["--data", "ragged.csv"], "line 2: 1 values"),
        (["--data", "x.npy"], "a file of numbers that np.save"),
        (["--data", "no.csv"], "which is not there"),
        (["--data", "folder"], "a folder of images"),
        (["--data", "sizes"], "images of one size"),
        (["--data", "monns"], "did you mean 'moons'"),
        (["--data", "points.csv", "--data.columns", "foo"], "columns: expected one of 'height'"),
        (["--data", "points.csv", "--data.size", "3", "3"], "size: expected none"),
        (["--data", "no.such_module:thing"], "data.name: expected a module"),
        (["--data", "mine", "--plugin", "os"], "data.name: expected a registered name"),
    ],
)
def test_bad_data_end_with_code_2_and_write_nothing(arguments, words, elsewhere, capsys):
    for name, text in BAD.items():
        (elsewhere / name).write_text(text)
    (elsewhere / "folder").mkdir()
    (elsewhere / "sizes").mkdir()
    for i in (1, 2):
        Image.new("L", (i, i)).save(elsewhere / f"sizes/{i}.png")
    assert exit_code(["train", *TINY, *arguments, "--out", "run"]) == 2
    message = output(capsys)
    assert "Traceback" not in message
    assert re.search(words, message), message
    assert not (elsewhere / "run").exists()


class Wrong:
    dimension = 2

    def sample(self, n, rng, dtype):
        return rng.random((n, 3)).astype(dtype)


def test_a_sample_of_another_shape_is_named_before_anything_is_written(elsewhere):
    with pytest.raises(ArgumentError, match="data: expected a sample of shape"):
        gan.train(SMALL, "run", data=Wrong())
