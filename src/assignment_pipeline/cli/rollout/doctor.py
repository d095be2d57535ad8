"""``doctor``: what may be wrong."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import attrs
import typer

from assignment_pipeline.cli.apps import from_app, itself
from assignment_pipeline.cli.database import Database
from assignment_pipeline.cli.databases import keeps_bookings
from assignment_pipeline.cli.failures import GOOD, NO, BadInputError, refuse
from assignment_pipeline.cli.output import print_json, stdout
from assignment_pipeline.cli.rollout.numbers import counted, counting
from assignment_pipeline.cli.rollout.steering import up_to_date
from assignment_pipeline.cli.wiring import AppOption, DbOption, JsonOption
from assignment_pipeline.errors import (
    STORE_DOWN,
    AssignmentPipelineError,
    FlagError,
)
from assignment_pipeline.rollout.doctor import (
    AppFlags,
    Finding,
    Health,
    Restaurants,
    examine,
    examine_clock,
    examine_host,
    examine_room,
    examine_timezones,
    examine_venues,
)

_MARKS = {Health.GOOD: ("ok   ", "green"), Health.NOTE: ("note ", "yellow"), Health.WRONG: ("WRONG", "bold red")}


def doctor(
    app: AppOption = None,
    db: DbOption = None,
    security: Annotated[
        bool,
        typer.Option("--security", help="Check what other roles of the server, or other users, may do. Needs --db."),
    ] = False,
    restaurant: Annotated[
        list[str] | None,
        typer.Option("--restaurant", metavar="ID", help="A restaurant to look at. By default all, or 50. Repeatable."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """
    Check flags, shadow, reviews, contention, sweep, events, schema and host for faults.

    Each finding has its evidence, its likely cause, and what to do. Exits with 1 if
    there is a finding. Changes nothing.
    """
    if security:
        raise typer.Exit(_secure(db, as_json=as_json))
    named = restaurant or ()
    findings = _of_app(app, named) if db is None and app is not None else _of_db(db, named)
    if as_json:
        print_json({"findings": [{**attrs.asdict(finding), "health": finding.health.value} for finding in findings]})
    else:
        _show(findings)
    raise typer.Exit(NO if any(finding.health is Health.WRONG for finding in findings) else GOOD)


def _secure(db: Database | None, *, as_json: bool) -> int:
    """What is open, in one line each; the exit code."""
    if db is None:
        refuse("--security", "a database, --db", "none")
    found = db.openings()
    if as_json:
        facts = {"health": Health.WRONG.value, "cause": None}
        print_json(
            {"findings": [{"check": check, "evidence": what, "fix": fix, **facts} for check, what, fix in found]}
        )
    else:
        console = stdout()
        for check, what, fix in found:
            mark, style = _MARKS[Health.WRONG]
            console.print(f"{mark} {check}: {what}; do: {fix}", style=style, soft_wrap=True)
        if not found:
            mark, style = _MARKS[Health.GOOD]
            console.print(f"{mark} security: nothing is open to others", style=style, soft_wrap=True)
    return NO if found else GOOD


def _of_app(app: str, named: Sequence[str]) -> Sequence[Finding]:
    with from_app(app) as coordinator:
        store: Any = counting(app, coordinator.store)
        if not hasattr(store, "rollout"):
            refuse(f"--app {app}", "a store that keeps a rollout", f"a {type(itself(store)).__name__}")
        try:
            restaurants = Restaurants.of(store, named)
            flags = AppFlags.of(up_to_date(coordinator.flags), restaurants.ids)
        except FlagError:  # The finding of the flags in the database says so.
            flags = None
        except AssignmentPipelineError:  # The first finding says what is wrong with the store.
            return examine(store, os.environ)
        found = examine(store, os.environ, _dropped(coordinator, store), flags)
        if found[0].health is Health.WRONG:
            return found
        now, here = store.now(), dt.datetime.now(dt.UTC)
        return (
            *found,
            examine_clock(now, here),
            *examine_timezones(store, now, restaurants),
            *examine_venues(store, now, restaurants),
            *examine_host(store, now, restaurants),
            *examine_room(store),
        )


def _of_db(db: Database | None, named: Sequence[str]) -> Sequence[Finding]:
    if db is not None:
        try:
            db.check(standalone=False)
            if keeps_bookings(db):
                db.check(standalone=True)
        except STORE_DOWN as error:
            return examine(_Broken(error), os.environ)  # type: ignore[arg-type]  # Nothing else of it is asked.
        except BadInputError:
            raise
    with counted(None, db) as store:
        found = examine(store, os.environ)
        if found[0].health is Health.WRONG:
            return found
        unknown = sorted({*named}.difference(store.restaurants()))
        if unknown:
            refuse("--restaurant", "a restaurant that the database knows", repr(unknown[0]))
        now, here = store.now(), dt.datetime.now(dt.UTC)
        restaurants = Restaurants.of(store, named)
        return (
            *found,
            examine_clock(now, here),
            *examine_timezones(store, now, restaurants),
            *examine_venues(store, now, restaurants),
            *examine_room(store),
        )


@attrs.frozen
class _Broken:
    """A store whose schema does not fit."""

    error: Exception

    def check_schema(self) -> None:
        raise self.error


def _dropped(coordinator: Any, store: Any) -> Mapping[str, int]:
    counts = {
        "sinks that were slow": getattr(coordinator, "dropped_events", 0),
        "sinks that failed": getattr(coordinator, "failed_events", 0),
        "the store": getattr(store, "lost", 0),
    }
    return {whose: number for whose, number in counts.items() if isinstance(number, int)}


def _show(findings: Sequence[Finding]) -> None:
    console = stdout()
    for finding in findings:
        mark, style = _MARKS[finding.health]
        console.print(f"{mark} {finding.check}: {finding.evidence}", style=style, soft_wrap=True)
        if finding.cause:
            console.print(f"      likely: {finding.cause}", soft_wrap=True)
        if finding.fix:
            console.print(f"      do:     {finding.fix}", soft_wrap=True)
