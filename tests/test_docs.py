"""The generated pages of the documentation are those that the code would generate now."""

import pytest

from docs import make_primitives, make_results, make_verdicts


@pytest.mark.parametrize("page", [make_primitives, make_results, make_verdicts])
def test_the_generated_pages_are_up_to_date(page):
    assert page.PAGE.read_text(encoding="utf-8") == page.render(), (
        f"run `python -m {page.__name__}`"
    )
