"""``sweep``: what is due."""

from __future__ import annotations

import collections
from typing import Annotated

import typer

from assignment_pipeline.cli import words
from assignment_pipeline.cli.failures import GOOD, NO
from assignment_pipeline.cli.output import print_json, result_document, stdout
from assignment_pipeline.cli.wiring import AppOption, DbOption, JsonOption, opened


def sweep(
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many bookings.")] = 100,
    app: AppOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    See once to what is due: retries, freed tables, expired holds, bookings that nobody enqueued.

    Exits with 1 if a booking made it raise; such a booking is due again in a minute.
    """
    with opened(app, db) as coordinator:
        done = coordinator.sweep(limit=limit)
    if as_json:
        print_json(
            {
                "results": [result_document(result) for result in done.results],
                "enqueued": list(done.enqueued),
                "errors": [{"booking_id": booking_id, "error": error} for booking_id, error in done.errors],
            }
        )
    else:
        console = stdout()
        counts = collections.Counter(result.outcome.value for result in done.results)
        outcomes = ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items()))
        seen_to = f"Saw to {words.count(len(done.results), 'booking')}"
        console.print(f"{seen_to}: {outcomes}." if outcomes else "Nothing was due.")
        if done.enqueued:
            console.print(f"Enqueued {words.count(len(done.enqueued), 'booking')} that nobody had.")
        for booking_id, error in done.errors:
            console.print(f"{booking_id}: {error}", style="red")
    raise typer.Exit(NO if done.errors else GOOD)
