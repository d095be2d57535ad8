"""The queries of operators and dashboards, each in a file with a comment above it that says what it finds."""

from __future__ import annotations

import importlib.resources

SCHEMA = "assignment_pipeline"
"""The schema that the files for PostgreSQL name."""


def postgres(name: str, *, schema: str = SCHEMA) -> str:
    """The text of ``postgres/NAME.sql``, on the tables of that schema."""
    text = (importlib.resources.files(__package__) / "postgres" / f"{name}.sql").read_text("utf-8")
    quoted = schema.replace('"', '""')
    return text if schema == SCHEMA else text.replace(f"{SCHEMA}.", f'"{quoted}".')
