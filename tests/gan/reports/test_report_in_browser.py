"""The report in a real browser, where there is one: playwright, and Chromium on the path."""

import shutil

import pytest

from tests.gan.small import SMALL, varied
from tinygrad_ugan import gan

playwright = pytest.importorskip("playwright.sync_api")
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_no_message_no_broken_picture_no_sideways_scrolling(tmp_path):
    page = tmp_path / "report.html"
    page.write_text(gan.report({"a": gan.train(SMALL), "b": gan.train(varied(seed=1))}))
    messages = []
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        view = browser.new_page(viewport={"width": 800, "height": 600})
        for event in ("console", "pageerror", "requestfailed"):
            view.on(event, lambda message: messages.append(message))
        view.goto(page.as_uri())
        view.screenshot(path=tmp_path / "report.png", full_page=True)
        pictures = view.evaluate("[...document.images].map(i => i.naturalWidth)")
        width = view.evaluate("document.documentElement.scrollWidth")
        browser.close()
    assert messages == []
    assert len(pictures) == 1 + 3 + 2 + 2
    assert min(pictures) > 100
    assert width <= 800
