"""The tables of the documentation are the code's."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
_spec = importlib.util.spec_from_file_location("tables", DOCS / "tables.py")
tables = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tables)


@pytest.mark.parametrize("page", tables.pages(), ids=lambda page: str(page.relative_to(DOCS)))
def test_the_tables_of_a_page_are_the_codes(page):
    """``python docs/tables.py`` changes nothing."""
    text = page.read_text(encoding="utf-8")
    assert tables.written(text) == text, "run: python docs/tables.py"


def test_every_table_is_shown():
    """Nothing is made for no page."""
    text = "".join(page.read_text(encoding="utf-8") for page in tables.pages())
    assert [name for name in tables.TABLES if f"<!-- table: {name} -->" not in text] == []
