"""The documentation's queries for PostgreSQL run there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

psycopg = pytest.importorskip("psycopg")

from assignment_pipeline.adapters.postgres import init  # noqa: E402

DOCS = Path(__file__).parents[2] / "docs"
BLOCKS = [
    (page.stem, block)
    for page in sorted(DOCS.rglob("*.md"))
    for block in re.findall(r"^```postgresql\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE)
]


@pytest.mark.parametrize(("page", "block"), BLOCKS, ids=[f"{page}-{index}" for index, (page, _) in enumerate(BLOCKS)])
def test_every_query_runs(postgres_database, page, block):
    """As it stands, in a database that `db init` has made."""
    init(postgres_database, standalone=True)
    with psycopg.connect(postgres_database) as connection:
        connection.execute(block)
        connection.rollback()


def test_there_are_some():
    """So that a change of their form is noticed."""
    assert {page for page, _ in BLOCKS} >= {"postgres", "scale"}
