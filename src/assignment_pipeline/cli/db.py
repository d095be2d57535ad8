"""``db``: the database's schema."""

from __future__ import annotations

from typing import Annotated

import typer

from assignment_pipeline.cli.databases import Database, database
from assignment_pipeline.cli.failures import RefusedError
from assignment_pipeline.cli.output import stdout
from assignment_pipeline.errors import SchemaMismatchError

app = typer.Typer(help="Make and check the database's tables.", no_args_is_help=True)

DbOption = Annotated[
    Database,
    typer.Option("--db", metavar="PATH-or-DSN", parser=database, help="A SQLite file, or a PostgreSQL address."),
]
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
    db.init(standalone=standalone)
    stdout().print(f"{db}: {_what(db, standalone=standalone)}.", soft_wrap=True)


@app.command()
def check(db: DbOption, standalone: StandaloneOption = True) -> None:
    """Say whether the tables are there and of this version: exits with 0 if so, 1 if not."""
    try:
        db.check(standalone=standalone)
    except SchemaMismatchError as error:
        raise RefusedError(str(error)) from None
    stdout().print(f"{db}: {_what(db, standalone=standalone)}.", soft_wrap=True)


def _what(db: Database, *, standalone: bool) -> str:
    pipeline, ours = db.versions
    if standalone:
        return f"version {ours} of the standalone schema"
    return f"version {pipeline} of the embedded schema"
