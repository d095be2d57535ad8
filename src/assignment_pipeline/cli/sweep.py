"""``sweep``: what is due."""

from __future__ import annotations

import collections
from typing import Annotated, Any

import typer

from assignment_pipeline.cli import words
from assignment_pipeline.cli.failures import GOOD, NO
from assignment_pipeline.cli.output import print_json, result_document, say
from assignment_pipeline.cli.wiring import AppOption, DbOption, JsonOption, opened
from assignment_pipeline.flow.sweeping.sweep import SweepReport


def sweep(
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=10_000, help="The largest number of bookings to process.")
    ] = 100,
    app: AppOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Process due bookings once: retries, freed tables, expired holds, bookings that nobody enqueued.

    Exits with 1 if a booking raised an error. Such a booking is due again in a minute.
    """
    with opened(app, db) as coordinator:
        done = coordinator.sweep(limit=limit)
    if as_json:
        print_json(document(done))
    else:
        for line in sentences(done) or ["Nothing was due."]:
            say(line)
    raise typer.Exit(NO if done.errors else GOOD)


def document(done: SweepReport) -> dict[str, Any]:
    """What a sweep did, as commands print it for programs."""
    return {
        "results": [result_document(result) for result in done.results],
        "enqueued": list(done.enqueued),
        "errors": [{"booking_id": booking_id, "error": error} for booking_id, error in done.errors],
    }


def sentences(done: SweepReport) -> list[str]:
    """The same, for people: nothing if there was nothing to do."""
    counts = collections.Counter(result.outcome.value for result in done.results)
    outcomes = ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items()))
    lines = [f"Processed {words.count(len(done.results), 'booking')}: {outcomes}."] if outcomes else []
    if done.enqueued:
        lines.append(f"Enqueued {words.count(len(done.enqueued), 'booking')} that nobody had.")
    return [*lines, *(f"{booking_id or 'the host'}: {error}" for booking_id, error in done.errors)]
