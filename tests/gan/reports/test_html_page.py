"""The report, read as a browser would: by a parser that knows nothing of how it was written."""

import base64
from html.parser import HTMLParser

import pytest

from tests.gan.small import SMALL, varied
from tinygrad_ugan import gan
from tinygrad_ugan.errors import ArgumentError


class Page(HTMLParser):
    VOID = ("meta", "link", "img")

    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.links, self.words, self.rows = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "img":
            self.images.append(attributes)
        self.links += [attributes[name] for name in ("href", "src") if name in attributes]
        if tag == "tr":
            self.rows.append((attributes.get("class"), []))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag  # every element is closed, in order

    def handle_data(self, text):
        self.words.append(text)
        if self.open and self.open[-1] in ("td", "th") and "tr" in self.open:
            self.rows[-1][1].append(text)


@pytest.fixture(scope="module")
def runs():
    other = varied(data=gan.Grid(side=2), unroll=gan.Unroll(0), seed=5)
    return {"K = 2 <b>": gan.train(SMALL), "other": gan.train(other)}


def test_it_stands_alone_and_says_everything(runs):
    text = gan.report(runs)
    page = Page(text)
    assert page.open == []
    assert all(link.startswith("data:") for link in page.links)
    magic = {"image/png": b"\x89PNG", "image/gif": b"GIF8"}
    for image in page.images:
        kind, _, data = image["src"].removeprefix("data:").partition(";base64,")
        assert base64.b64decode(data).startswith(magic[kind])
    assert len(page.images) == 2 + 3 + 2 + 2
    assert "<b>" not in text  # labels are escaped
    assert len(text) < 5e6
    cells = {cells[0]: (mark, cells[1:]) for mark, cells in page.rows}
    assert cells["unroll.steps"] == ("differs", ["2", "0"])
    assert cells["batch"] == (None, ["16", "16"])
    assert cells["data.side"][0] == "differs"
    assert cells["python"][1][0].count(".") == 2
    assert cells["other"][1][0] == "4"  # steps


def test_runs_without_metrics_are_refused():
    begun = gan.Run(gan.training.loop.start(SMALL))
    with pytest.raises(ArgumentError, match="runs: expected runs with metrics, got x, which"):
        gan.report({"x": begun})
    with pytest.raises(ArgumentError, match="runs: expected one run or more"):
        gan.report({})
