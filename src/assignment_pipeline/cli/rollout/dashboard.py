"""``dashboard``: dashboards to import elsewhere."""

from __future__ import annotations

from typing import Annotated

import typer

from assignment_pipeline.rollout.queries import SCHEMA

app = typer.Typer(help="Print dashboards.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps the group a group, of one command."""


@app.command()
def grafana(
    schema: Annotated[str, typer.Option("--schema", metavar="NAME", help="The schema of the tables.")] = SCHEMA,
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="The dashboard's name.")] = "Table assignment",
    uid: Annotated[
        str, typer.Option("--uid", metavar="ID", help="The dashboard's UID. An import replaces the same UID.")
    ] = "assignment-pipeline",
) -> None:
    """
    Print a Grafana dashboard as JSON for import.

    Needs the extra grafana. You choose the PostgreSQL data source on import.
    """
    from assignment_pipeline.rollout.exports import dashboard  # noqa: PLC0415 - an extra

    print(dashboard.grafana(schema=schema, title=title, uid=uid))
