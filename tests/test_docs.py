"""The generated pages of the documentation are those that the code would generate now."""

from docs.make_primitives import PAGE, render


def test_the_table_of_primitives_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == render(), "run `make docs-table`"
