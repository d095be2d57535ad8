"""The queries of operators and dashboards, each in a file with a comment above it that says what it finds."""

from __future__ import annotations

import datetime as dt
import importlib.resources

from assignment_pipeline.domain.in_sql import in_sql
from assignment_pipeline.errors import InvalidValueError

SCHEMA = "assignment_pipeline"
"""The schema that the files for PostgreSQL name."""


def postgres(name: str, *, schema: str = SCHEMA) -> str:
    """The text of ``postgres/NAME.sql``, on the tables of that schema."""
    return _text("postgres", name, schema)


DIALECTS = ("postgres", "sqlite")
"""The databases that there is an operator's query for."""

_FOLDER = "operator"


def names() -> tuple[str, ...]:
    """The operator's queries, by name."""
    folder = importlib.resources.files(__package__) / _FOLDER / DIALECTS[0]
    files = (file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    return tuple(sorted(name.removesuffix(".sql").replace("_", "-") for name in files))


def operator(name: str, dialect: str, *, schema: str = SCHEMA) -> str:
    """
    The text of an operator's query.

    Args:
        name: One of `names`.

        dialect: One of `DIALECTS`.

        schema: The schema that the tables are in; in PostgreSQL only.

    Raises:
        ValueError: There is no such query, or no such dialect.
    """
    if dialect not in DIALECTS:
        raise InvalidValueError("dialect", f"one of {', '.join(DIALECTS)}", repr(dialect))
    if name not in names():
        raise InvalidValueError("name", f"one of {', '.join(names())}", repr(name))
    return _text(f"{_FOLDER}/{dialect}", name.replace("-", "_"), schema)


def rule(metric: str, *, over: dt.timedelta, schema: str = SCHEMA) -> str:
    """
    What an alert in Grafana asks PostgreSQL for that metric.

    Args:
        metric: Its name.

        over: The time that it is looked at, in whole minutes.

        schema: The schema that the tables are in.
    """
    return _text("rules", metric, schema).replace("{over}", f"interval '{over // dt.timedelta(minutes=1)} minutes'")


def says(text: str) -> str:
    """What a query's comment says of it."""
    return " ".join(line.removeprefix("-- ") for line in text.splitlines() if line.startswith("-- "))


def _text(folder: str, name: str, schema: str) -> str:
    text = in_sql((importlib.resources.files(__package__) / folder / f"{name}.sql").read_text("utf-8"))
    quoted = schema.replace('"', '""')
    return text if schema == SCHEMA else text.replace(f"{SCHEMA}.", f'"{quoted}".')
