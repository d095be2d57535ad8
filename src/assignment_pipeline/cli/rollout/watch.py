"""``rollout watch``: what a breach leads to, without anybody awake."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import typer

from assignment_pipeline.cli.failures import GOOD, NO
from assignment_pipeline.cli.output import complain, print_line
from assignment_pipeline.cli.rollout.numbers import counting
from assignment_pipeline.cli.rollout.steering import steered
from assignment_pipeline.cli.supervisor import Stop
from assignment_pipeline.cli.wiring import AppOption, DbOption, JsonOption
from assignment_pipeline.errors import MissingRightsError, StoreUnavailableError
from assignment_pipeline.redaction import redacted
from assignment_pipeline.rollout.watching import Alerts, Demote, Watcher, WatchReport


def watch(
    interval: Annotated[
        float, typer.Option("--interval", min=0.05, max=3600, metavar="SECONDS", help="Seconds between two checks.")
    ] = 30.0,
    once: Annotated[
        bool, typer.Option("--once", help="Check once. Exits with 1 if an alert fires, or it is unhealthy.")
    ] = False,
    demote: Annotated[
        Demote, typer.Option("--demote", help="What a firing alert does: one phase back, off everywhere, or nothing.")
    ] = Demote.STEP,
    app: AppOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Check the alerts in a loop, and roll back when one fires.

    It never advances: a person decides that. It keeps no state between two checks, so you
    may restart it or run it twice. SIGTERM or Ctrl-C ends it.
    """
    with steered(app, db, heeds_environment=False) as steering:
        store: Any = counting(app or "", steering.rollout.store)
        watcher = Watcher(store, steering.rollout, alerts=Alerts(store), demote=demote)
        _require_rights(watcher)
        if once:
            look = watcher.look()
            _tell(look, as_json=as_json)
            if look.error is not None:
                complain(look.error)
            raise typer.Exit(NO if look.firing or look.unhealthy else GOOD)
        last: list[Any] = [None]

        def seen(look: WatchReport) -> None:
            facts = (look.phase, tuple((alert.rule.name, alert.state) for alert in look.alerts), look.unhealthy is None)
            if facts != last[0] or look.demoted is not None or look.error is not None:
                _tell(look, as_json=as_json)
            last[0] = facts

        watcher.run(dt.timedelta(seconds=interval), Stop(), seen, complain)


def _require_rights(watcher: Watcher) -> None:
    """
    Refuse a role that could not roll back when an alert fires: until then, nobody would notice.

    Raises:
        MissingRightsError: It is one.
    """
    try:
        watcher.require_rights()
    except MissingRightsError:
        raise
    except StoreUnavailableError:
        pass  # Each look says so, and it may be back for the next.


def _tell(look: WatchReport, *, as_json: bool) -> None:
    if as_json:
        print_line(
            {
                "at": look.at.isoformat(),
                "phase": look.phase,
                "alerts": [alert.document() for alert in look.alerts],
                "told": [event.type.value for event in look.told],
                "demoted_to": look.demoted.phase if look.demoted else None,
                "why": look.why,
                "error": redacted(look.error) if look.error is not None else None,
                "unhealthy": look.unhealthy,
            }
        )
        return
    print_line(f"{look.at:%Y-%m-%d %H:%M:%S} UTC, phase {look.phase or 'none'}")
    for alert in look.alerts:
        print_line(f"  {alert.sentence}")
    if look.unhealthy is not None:
        print_line(f"  UNHEALTHY: {look.unhealthy}")
    if look.demoted is not None:
        print_line(f"  Rolled back to {look.demoted.phase}: {look.why}")
    elif look.why is not None:
        print_line(f"  Not rolled back: {look.why}")
