"""The folder of a run, as people find it."""

import csv
import json

import numpy as np
import pytest

from tests.gan.small import SMALL, varied
from tinygrad_ugan import gan
from tinygrad_ugan.errors import ArgumentError


def test_the_folder(tmp_path):
    run = gan.train(varied(steps=6), folder=tmp_path / "run")
    names = {str(p.relative_to(tmp_path / "run")) for p in (tmp_path / "run").rglob("*")}
    last = {f"checkpoints/0000000{step}" for step in (4, 6)}
    files = {f"{c}/{f}" for c in last for f in ("state.safetensors", "state.json", "SHA256SUMS")}
    assert names == {"config.json", "metrics.csv", "checkpoints"} | last | files
    assert gan.Config.from_json((tmp_path / "run/config.json").read_text()) == run.config
    with (tmp_path / "run/metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [0, 2, 4, 6]
    assert list(rows[0]) == list(run.columns())
    rest = json.loads((tmp_path / "run/checkpoints/00000006/state.json").read_text())
    assert rest["environment"]["numpy"] == np.__version__


def test_no_result_is_overwritten(tmp_path):
    run = gan.train(SMALL, folder=tmp_path)
    for write in (lambda: gan.train(SMALL, folder=tmp_path), lambda: run.save(tmp_path)):
        with pytest.raises(ArgumentError, match=r"folder: expected a new folder.*ugan resume"):
            write()
