"""``db``: the database's schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assignment_pipeline.adapters.sqlite import SCHEMA_VERSION, STANDALONE_VERSION
from assignment_pipeline.adapters.sqlite import check as check_schema
from assignment_pipeline.adapters.sqlite import init as init_schema
from assignment_pipeline.cli.failures import RefusedError, refuse
from assignment_pipeline.cli.output import stdout
from assignment_pipeline.cli.wiring import require_sqlite
from assignment_pipeline.errors import SchemaMismatchError

app = typer.Typer(help="Make and check the database's tables.", no_args_is_help=True)

DbOption = Annotated[Path, typer.Option("--db", metavar="PATH", help="The SQLite database.")]
StandaloneOption = Annotated[
    bool,
    typer.Option(
        "--standalone/--embedded",
        help="Whether restaurants and bookings are kept there too, or by an application of yours.",
    ),
]


@app.command()
def init(db: DbOption, standalone: StandaloneOption = True) -> None:
    """
    Make the tables, or bring them up to date. Safe to repeat.

    The database may be the application's own, with --embedded.
    """
    require_sqlite(db, may_be_missing=True)
    try:
        init_schema(db, standalone=standalone)
    except SchemaMismatchError as error:
        refuse(str(db), error.expected, error.found)
    stdout().print(f"{db}: {_what(standalone=standalone)}.", soft_wrap=True)


@app.command()
def check(db: DbOption, standalone: StandaloneOption = True) -> None:
    """Say whether the tables are there and of this version: exits with 0 if so, 1 if not."""
    require_sqlite(db)
    try:
        check_schema(db, standalone=standalone)
    except SchemaMismatchError as error:
        raise RefusedError(str(error)) from None
    stdout().print(f"{db}: {_what(standalone=standalone)}.", soft_wrap=True)


def _what(*, standalone: bool) -> str:
    if standalone:
        return f"version {STANDALONE_VERSION} of the standalone schema"
    return f"version {SCHEMA_VERSION} of the embedded schema"
