"""Every experiment bears out its claims in miniature, and leaves a page behind."""

import json
import re

import pytest

from tinygrad_ugan import experiments
from tinygrad_ugan.cli import main
from tinygrad_ugan.errors import ArgumentError


@pytest.mark.parametrize("name", experiments.names())
def test_in_miniature(name, tmp_path, capsys):
    main(["run", name, "--quick", "--out", str(tmp_path)])
    record = json.loads((tmp_path / "results.json").read_text())
    assert record["claims"]
    assert all(claim["holds"] for claim in record["claims"])
    page = (tmp_path / "README.md").read_text()
    assert page.startswith(f"# {name}: ")
    pictures = sorted(path.name for path in tmp_path.glob("*.png"))
    assert pictures
    assert all(f"({picture})" in page for picture in pictures)
    assert "holds" in capsys.readouterr().out


@pytest.mark.parametrize("name", experiments.names())
def test_said_in_one_line(name):
    experiment = experiments.find(name)
    assert experiment.name == name
    assert len(experiment.summary) <= 100
    assert "\n" not in experiment.summary
    assert experiment.source
    assert not re.search(r"\bseeds? 0\d\d|\bthe seeds'", experiment.source + experiment.page)


def test_unknown_name():
    with pytest.raises(ArgumentError, match="did you mean 'bilinear'"):
        experiments.find("bilinaer")


def test_list(capsys):
    main(["list"])
    _, *lines = capsys.readouterr().out.splitlines()
    for line, name in zip(lines, experiments.names(), strict=True):
        experiment = experiments.find(name)
        assert name == line.split()[0]
        assert experiment.summary in line
        assert line.rstrip().endswith(experiment.source)
