"""``shadow``: what the pipeline would have done, against what legacy did."""

from __future__ import annotations

import datetime as dt
import time
from typing import Annotated, Any

import typer

from assignment_pipeline.cli.failures import refuse
from assignment_pipeline.cli.moments import local, zone_of
from assignment_pipeline.cli.output import bare_table, print_json, say, stdout
from assignment_pipeline.cli.rollout.numbers import compared_in, print_with_headlines
from assignment_pipeline.cli.shadow.bundles import SHORT, difference, found_in, kept_by, readable, tables
from assignment_pipeline.cli.wiring import JsonOption, RestaurantOption, command, read_only, require_restaurant
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.shadow import KEPT_VERDICTS, ShadowBundle, ShadowVerdict

app = typer.Typer(help="Show where the pipeline and the legacy planner differ.", no_args_is_help=True)

_VERDICTS = sorted(verdict.value for verdict in KEPT_VERDICTS)

WIDEST = len("at a cost of")

BundleArgument = Annotated[str, typer.Argument(metavar="BUNDLE", help="The id of a bundle, or its first characters.")]


@command(app, "list", opened=read_only)
def show_all(
    coordinator: Coordinator,
    restaurant: RestaurantOption = None,
    verdict: Annotated[
        str | None, typer.Option("--verdict", metavar="VERDICT", help=f"Only this verdict: {', '.join(_VERDICTS)}.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="The largest number of entries.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """List the bundles of shadow runs, latest first."""
    if verdict is not None and verdict not in _VERDICTS:
        refuse("--verdict", f"one of {', '.join(_VERDICTS)}", repr(verdict))
    wanted = ShadowVerdict(verdict) if verdict is not None else None
    found = kept_by(coordinator).bundles(restaurant_id=restaurant, verdict=wanted, limit=limit)
    require_restaurant(coordinator.store, restaurant, found=bool(found))
    print_with_headlines(
        compared_in(coordinator.store, restaurant),
        lambda: {"bundles": [_entry(bundle) for bundle in found]},
        lambda: _print_all(coordinator, found),
        as_json=as_json,
    )


def _entry(bundle: ShadowBundle) -> dict[str, Any]:
    return {
        "id": bundle.id,
        "captured_at": bundle.captured_at.isoformat(timespec="seconds"),
        "restaurant_id": bundle.restaurant_id,
        "booking_id": bundle.booking_id,
        "verdict": bundle.verdict.value,
        "kind": bundle.kind,
        "cost_difference": bundle.cost_difference,
        "candidate": bundle.candidate.value,
    }


def _print_all(coordinator: Coordinator, found: tuple[ShadowBundle, ...]) -> None:
    console = stdout()
    if not found:
        console.print("No shadow run has left a bundle.")
        return
    zones = {name: zone_of(coordinator, name) for name in {bundle.restaurant_id for bundle in found}}
    table = bare_table()
    table.add_column("Bundle", no_wrap=True)
    table.add_column("At", no_wrap=True)
    table.add_column("Booking", overflow="fold")
    table.add_column("Verdict", no_wrap=True)
    table.add_column("What is different", ratio=1)
    for bundle in found:
        table.add_row(
            bundle.id[:SHORT],
            local(bundle.captured_at, zones[bundle.restaurant_id]),
            bundle.booking_id,
            bundle.verdict.value,
            difference(bundle.kind, bundle.cost_difference, reverse=bundle.candidate is Owner.LEGACY),
        )
    console.print(table)


@command(app, opened=read_only)
def show(coordinator: Coordinator, bundle: BundleArgument, as_json: JsonOption = False) -> None:
    """
    Show a bundle: the booking, and both planners' results.

    --json prints the whole bundle. Replay reads it from a file.
    """
    found: Any = found_in(coordinator, bundle)
    if as_json:
        print_json(found)
        return
    with readable(bundle):
        for name, said in _facts(found, coordinator).items():
            say(f"{name:<{WIDEST}}  {said}")


def _facts(found: Any, coordinator: Coordinator) -> dict[str, str]:
    """What there is to say of a bundle."""
    case, candidate = found["case"], found["candidate"]
    booking, legacy = case["booking"], case["legacy"] or {}
    plan = candidate["plan"] or {}
    facts = {
        "Verdict": f"{found['verdict']}: {difference(found['kind'], found['cost_difference'])}",
        "Candidate": "legacy, in reverse shadow" if case.get("pipeline") else "the pipeline",
        "Booking": f"{booking['id']} at {booking['restaurant_id']}, a party of {booking['party_size']}",
        "At": local(dt.datetime.fromisoformat(booking["start_at"]), zone_of(coordinator, booking["restaurant_id"])),
        "Legacy": case["error"] or tables(legacy.get("tables")),
        "which costs": _cost(found["legacy_cost"]),
        "and breaks": ", ".join(found["legacy_broken"]),
        "Pipeline": candidate["error"] or tables(candidate["tables"]),
        "at a cost of": _cost(plan.get("cost")),
        "made of": ", ".join(f"{name} {part:.2f}" for name, part in plan.get("parts", {}).items() if part),
        "because": (candidate["reason"] or "").replace("_", " "),
        "Took": f"{candidate['duration_ms']:.1f} ms",
    }
    return {name: said for name, said in facts.items() if said}


def _cost(cost: float | None) -> str:
    return "" if cost is None else f"{cost:.2f} seats"


@command(app)
def days(coordinator: Coordinator, as_json: JsonOption = False) -> None:
    """
    Compare whole service days: what each planner seats when it lives with its own choices.

    Takes the days that are over and that the shadow has seen, in either direction. Each is
    compared once and kept for the gates. A worker does the same every ten minutes.
    """
    shadow = coordinator.shadow
    if shadow is None:
        refuse("--app", "a coordinator with a shadow", "one without")
    found = shadow.compare_days()
    if as_json:
        print_json({"days": [{"restaurant_id": day.restaurant_id, **day.facts} for day in found]})
        return
    if not found:
        stdout().print("No service day is over that the shadow has seen and that was not compared before.")
        return
    table = bare_table()
    table.add_column("Restaurant", overflow="fold")
    table.add_column("Day", no_wrap=True)
    for name in ("Bookings", "Seated", "by us", "Covers", "by us", "Moves"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for day in found:
        legacy, ours = day.legacy, day.pipeline
        sides = (legacy.seated, ours.seated, legacy.covers, ours.covers, ours.moves)
        charge = "" if day.candidate is Owner.PIPELINE else "reverse"
        table.add_row(day.restaurant_id, str(day.date), str(day.bookings), *map(str, sides), charge)
    stdout().print(table)


@command(app)
def work(
    coordinator: Coordinator,
    once: Annotated[bool, typer.Option("--once", help="Run the stored cases and exit.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="The number of cases in one round.")] = 100,
    pause: Annotated[float, typer.Option("--pause", min=0.01, max=3600, help="Seconds between two rounds.")] = 1.0,
) -> None:
    """
    Run the shadow cases that shadow="worker" has stored.

    Several may run at once. Without --once, runs until interrupted.
    """
    shadow = coordinator.shadow
    if shadow is None:
        refuse("--app", "a coordinator with a shadow", "one without")
    done = 0
    while True:
        found = shadow.work(limit)
        done += found
        if not found:
            if once:
                break
            time.sleep(pause)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(shadow.counts.verdicts.items()))
    say(f"{done} cases{f': {counts}' if counts else ''}.")
