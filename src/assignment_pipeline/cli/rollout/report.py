"""``rollout report`` and ``rollout archive``: the rollout as a page to look at, and as numbers to keep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from assignment_pipeline.cli.output import require_place, stdout, write_file
from assignment_pipeline.cli.rollout.numbers import counting, span_of
from assignment_pipeline.cli.rollout.steering import steered
from assignment_pipeline.cli.wiring import AppOption, DbOption
from assignment_pipeline.rollout.report import Findings, archived, find, page

WindowOption = Annotated[
    Any, typer.Option("--window", parser=span_of, metavar="SPAN", help="The time window, such as 24h or 7d.")
]


def report(
    html: Annotated[Path, typer.Option("--html", metavar="FILE", help="The file to write.")],
    window: WindowOption = "7d",
    app: AppOption = None,
    db: DbOption = None,
) -> None:
    """
    Write a page with the phases, the gates, rates over time, the shadow's verdicts, reviews and changes.

    The page is one file and needs no network. Needs the extra report.
    """
    require_place(html, "--html")
    write_file(html, "--html", page(_found(app, db, window)))
    stdout().print(f"{html}: the report.", soft_wrap=True)


def archive(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The JSON file to write.")],
    window: WindowOption = "7d",
    app: AppOption = None,
    db: DbOption = None,
) -> None:
    """Write the final metrics and every change with its verdicts to a file."""
    require_place(file, "FILE")
    text = json.dumps(archived(_found(app, db, window)), indent=2, ensure_ascii=False)
    write_file(file, "FILE", f"{text}\n")
    stdout().print(f"{file}: the archive.", soft_wrap=True)


def _found(app: str | None, db: Any, window: Any) -> Findings:
    with steered(app, db, heeds_environment=False) as steering:
        return find(steering.rollout, counting(app or "", steering.rollout.store), window)
