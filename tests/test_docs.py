"""The generated pages of the documentation are those that the code would generate now."""

from docs import make_primitives, make_results


def test_the_table_of_primitives_is_up_to_date():
    page = make_primitives.PAGE.read_text(encoding="utf-8")
    assert page == make_primitives.render(), "run `make docs-table`"


def test_the_list_of_results_is_up_to_date():
    page = make_results.PAGE.read_text(encoding="utf-8")
    assert page == make_results.render(), "run `python -m docs.make_results`"
