"""``audit``: the bookings ahead, held against the restaurant as it is now."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from assignment_pipeline.cli import words
from assignment_pipeline.cli.failures import GOOD, NO
from assignment_pipeline.cli.labels import joined, labels_of
from assignment_pipeline.cli.moments import read_time
from assignment_pipeline.cli.output import print_json, say
from assignment_pipeline.cli.wiring import AppOption, DbOption, JsonOption, opened
from assignment_pipeline.planning.sentences import RULES
from assignment_pipeline.planning.venue_audit import VenueAudit


def audit(
    restaurant: Annotated[str, typer.Option("--restaurant", metavar="ID", help="The restaurant.")],
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="The first arrival to look at, with an offset. Default: now."),
    ] = None,
    app: AppOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    List the bookings ahead that break rules of their restaurant as it is now.

    Looks at hours, closed days, tables that are gone, out of use or out of service, sizes,
    wishes and pacing. Changes nothing.

    Exits with 1 if there is one.
    """
    first = None if since is None else read_time("--since", since)
    with opened(app, db) as coordinator:
        found = coordinator.audit(restaurant, since=first)
        labels = labels_of(coordinator, restaurant)
    if as_json:
        print_json(document(found))
    else:
        zone = ZoneInfo(found.timezone)
        for finding in found.findings:
            guests = words.count(finding.party_size, "guest")
            when = f"{finding.start_at.astimezone(zone):%Y-%m-%d %H:%M}"
            rules = ", ".join(RULES.get(rule, rule.value.replace("_", " ")) for rule in finding.rules)
            by_hand = " (by hand)" if finding.is_by_hand else ""
            say(f"{when}  {finding.booking_id}, {guests} at {joined(finding.tables, labels)}: {rules}{by_hand}")
        say(f"{words.count(found.checked, 'booking')} ahead, {len(found.findings)} against the rules.")
    raise typer.Exit(NO if found.findings else GOOD)


def document(found: VenueAudit) -> dict[str, Any]:
    """What ``audit --json`` prints."""
    zone = ZoneInfo(found.timezone)

    def local(moment: dt.datetime) -> str:
        return moment.astimezone(zone).isoformat(timespec="minutes")

    return {
        "restaurant": found.restaurant_id,
        "timezone": found.timezone,
        "since": local(found.since),
        "checked": found.checked,
        "findings": [
            {
                "booking_id": finding.booking_id,
                "start_at": local(finding.start_at),
                "party_size": finding.party_size,
                "tables": list(finding.tables),
                "rules": [rule.value for rule in finding.rules],
                "strategy": finding.strategy,
                "has_come": finding.has_come,
                "by_hand": finding.is_by_hand,
            }
            for finding in found.findings
        ],
    }
