"""``db``: the database's schema."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from typing import Annotated

import typer

from assignment_pipeline.cli.database import Database
from assignment_pipeline.cli.databases import database
from assignment_pipeline.cli.failures import NO, RefusedError, refuse
from assignment_pipeline.cli.output import say, stdout
from assignment_pipeline.cli.postgres_database import PostgresDatabase
from assignment_pipeline.cli.wiring import DB_VARIABLE
from assignment_pipeline.errors import SchemaMismatchError

app = typer.Typer(help="Create and check the tables in a database.", no_args_is_help=True)

_QUOTED = re.compile(r'"(?:[^"]|"")*"')

DbOption = Annotated[
    Database,
    typer.Option(
        "--db",
        metavar="PATH-or-DSN",
        parser=database,
        envvar=DB_VARIABLE,
        help="A SQLite file, or a PostgreSQL address.",
    ),
]
StandaloneOption = Annotated[
    bool,
    typer.Option(
        "--standalone/--embedded",
        help="Whether restaurants and bookings are stored there too, or by your application.",
    ),
]


@app.command()
def init(
    db: DbOption,
    standalone: StandaloneOption = True,
    host_bookings: Annotated[
        str | None,
        typer.Option(
            "--host-bookings",
            metavar="TABLE",
            help="Also make bookings a view of this table of your application (PostgreSQL, with --embedded).",
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="NAME=COLUMN", help="Your application's name of a column. Repeatable."),
    ] = None,
    statuses: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="WORD=STATUS",
            help="The meaning of your application's status word: pending, confirmed, cancelled or failed. Repeatable.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the view's SQL instead, to change and run by hand.")
    ] = False,
) -> None:
    """
    Create the tables, or update them. Safe to repeat.

    With --embedded, the database may be your application's own.
    """
    if host_bookings is None:
        if columns or statuses or dry_run:
            refuse("--column, --status and --dry-run", "--host-bookings beside them", "none")
        db.init(standalone=standalone)
        stdout().print(f"{db}: {_what(db, standalone=standalone)}.", soft_wrap=True)
        return
    if not isinstance(db, PostgresDatabase):
        refuse("--host-bookings", "a PostgreSQL address for --db", str(db))
    if _QUOTED.sub("", host_bookings).count(".") > 1:
        refuse("--host-bookings", "a table, such as reservations or public.reservations", repr(host_bookings))
    names = _named("--column", "NAME=COLUMN, such as party_size=covers", "column", columns or ())
    words = _named("--status", "WORD=STATUS, such as booked=confirmed", "status", statuses or ())
    text = db.bookings_view(
        host_bookings, names, words, apply=False
    )  # What is wrong with it is said before anything is made.
    if not dry_run:
        db.init(standalone=False)
        db.bookings_view(host_bookings, names, words, apply=True)
    if dry_run:
        print(text)
    else:
        what = _what(db, standalone=False)
        stdout().print(f"{db}: {what}, and bookings as a view over {host_bookings}.", soft_wrap=True)


def _named(option: str, form: str, what: str, given: Sequence[str]) -> dict[str, str]:
    pairs = dict[str, str]()
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            refuse(option, form, repr(text))
        if name in pairs:
            refuse(option, f"one {what} for {name}", f"{pairs[name]!r} and {value!r}")
        pairs[name] = value
    return pairs


@app.command()
def check(db: DbOption, standalone: StandaloneOption = True) -> None:
    """Check whether the tables exist and have this version. Exits with 0 if so, 1 if not."""
    try:
        db.check(standalone=standalone)
    except SchemaMismatchError as error:
        raise RefusedError(str(error)) from None
    stdout().print(f"{db}: {_what(db, standalone=standalone)}.", soft_wrap=True)


class RolePurpose(enum.StrEnum):
    """What a role is for; `adapters.postgres.Purpose`, whose package may be missing, has what each may do."""

    WEB = "web"
    WORKER = "worker"
    OPERATOR = "operator"
    READER = "reader"


@app.command()
def grants(
    db: DbOption,
    role: Annotated[str, typer.Option("--role", metavar="NAME", help="The role of the server.")],
    purpose: Annotated[RolePurpose, typer.Option("--as", help="What the role is for.")],
    check: Annotated[
        bool, typer.Option("--check", help="Say what the role lacks, and what it may do beyond its purpose.")
    ] = False,
) -> None:
    """
    Print the statements that give a role of PostgreSQL what it needs, and no more. Changes nothing.

    With --check it exits with 1 if the role lacks anything, or may do more.
    """
    if not isinstance(db, PostgresDatabase):
        refuse("--db", "a PostgreSQL address", str(db))
    if not check:
        print(db.grants(role, purpose.value))
        return
    found = db.check_grants(role, purpose.value)
    for sentence in found:
        say(sentence)
    if found:
        raise typer.Exit(NO)
    stdout().print(f"{db}: {role} may do what its purpose {purpose.value} takes, and no more.", soft_wrap=True)


def _what(db: Database, *, standalone: bool) -> str:
    pipeline, ours = db.versions
    if standalone:
        return f"version {ours} of the standalone schema"
    return f"version {pipeline} of the embedded schema"
