"""Every Python block of the README runs, in order, as one reader would type them."""

import re
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_code_blocks_run(capsys):
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 2
    namespace = {}
    for block in blocks:
        exec(block, namespace)
    shown = capsys.readouterr().out
    assert re.match(r"f_K = -1\.\d{4}, \|indirect\| / \|direct\| = \d", shown)
    assert shown.rstrip().endswith("exact")


def test_the_links_lead_somewhere():
    targets = re.findall(r"\]\(([^)h#][^)]*)\)", README)
    assert targets
    assert all(
        (Path(__file__).parents[1] / target.partition("#")[0]).exists() for target in targets
    )
