"""``console``: the pages for staff on a database or an application, for a try."""

from __future__ import annotations

from typing import Annotated

import typer

from assignment_pipeline.cli.failures import refuse
from assignment_pipeline.cli.output import print_line
from assignment_pipeline.cli.wiring import AppOption, DbOption, a_name, opened


def console(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0 for any that is free.")] = 8080,
    actor: Annotated[
        str, typer.Option("--actor", metavar="NAME", callback=a_name, help="Your name in the history.")
    ] = "console",
    app: AppOption = None,
    db: DbOption = None,
) -> None:
    """
    Serve pages for staff: the floor, bookings, the queue, the service and the rollout.

    Only this machine can reach them. The command prints an address with a token that
    lets one browser in, once. It runs until interrupted. Needs the extra console.
    """
    from assignment_pipeline.console.standalone import LOOPBACK, serve  # noqa: PLC0415 - an extra

    with opened(app, db) as coordinator:
        try:
            serve(coordinator, actor=actor, port=port, ready=_say_where)
        except OSError as error:
            refuse("--port", f"a port of {LOOPBACK} that is free", f"{port}: {error.strerror or error}")


def _say_where(address: str) -> None:
    print_line(f"{address} lets one browser in, once. Ctrl-C ends it.")
