"""``sql``: the queries of an operator, to paste elsewhere."""

from __future__ import annotations

from typing import Annotated

import typer

from assignment_pipeline.cli.failures import refuse
from assignment_pipeline.cli.output import print_json
from assignment_pipeline.cli.wiring import JsonOption
from assignment_pipeline.rollout import queries


def sql(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The name of the query.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the queries.")] = False,
    dialect: Annotated[
        str, typer.Option("--dialect", metavar="DIALECT", help=f"Of which database: {' or '.join(queries.DIALECTS)}.")
    ] = "postgres",
    schema: Annotated[
        str, typer.Option("--schema", metavar="NAME", help="The schema of the tables in PostgreSQL.")
    ] = queries.SCHEMA,
    as_json: JsonOption = False,
) -> None:
    """Print an SQL query for operators. A comment above the query says what it finds."""
    if dialect not in queries.DIALECTS:
        refuse("--dialect", " or ".join(queries.DIALECTS), repr(dialect))
    found = {each: queries.operator(each, dialect, schema=schema) for each in queries.names()}
    if listed or name is None:
        if name is None and not listed:
            refuse("NAME", "the name of a query, or --list", "neither")
        if as_json:
            print_json({each: queries.says(text) for each, text in found.items()})
            return
        width = max(map(len, found))
        for each, text in found.items():
            print(f"{each:{width}}  {queries.says(text)}")
        return
    if name not in found:
        refuse("NAME", f"one of {', '.join(found)}", repr(name))
    if as_json:
        print_json({"name": name, "dialect": dialect, "says": queries.says(found[name]), "sql": found[name]})
    else:
        print(found[name], end="")
