"""``alerts`` and ``metrics``: the numbers, and the alerts on them."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer

from assignment_pipeline.cli.failures import GOOD, NO, refuse
from assignment_pipeline.cli.output import print_json, stdout
from assignment_pipeline.cli.rollout.numbers import counted, counted_beside, span_of
from assignment_pipeline.cli.wiring import (
    AppOption,
    DbOption,
    JsonOption,
    RestaurantOption,
    command,
    require_restaurant,
)
from assignment_pipeline.domain.metrics import Metrics, MetricsQuery
from assignment_pipeline.rollout.control.exposure import exposure_lately
from assignment_pipeline.rollout.exports import exposition
from assignment_pipeline.rollout.flags.layered import salt_of
from assignment_pipeline.rollout.queries import SCHEMA
from assignment_pipeline.rollout.watching import Alert, Alerts, AlertState

app = typer.Typer(help="Check alerts, and print alert rules for other systems.", no_args_is_help=True)

_STYLES = {AlertState.FIRING: "bold red", AlertState.PENDING: "yellow", AlertState.RESOLVED: "green"}


@command(app, opened=counted)
def check(store: Any, restaurant: RestaurantOption = None, as_json: JsonOption = False) -> None:
    """Show the state of each alert. Exits with 1 if one fires. Changes nothing and sends nothing."""
    alerts = _alerts(store, restaurant)
    require_restaurant(store, restaurant, found=any(alert.sample for alert in alerts))
    if as_json:
        print_json({"alerts": [alert.document() for alert in alerts]})
    else:
        for alert in alerts:
            stdout().print(alert.sentence, style=_STYLES.get(alert.state), soft_wrap=True)
    raise typer.Exit(NO if any(alert.state is AlertState.FIRING for alert in alerts) else GOOD)


@app.command()
def prometheus() -> None:
    """Print a Prometheus rule file for the metrics that `metrics --prometheus` writes."""
    print(exposition.prometheus_rules(), end="")


@app.command()
def grafana(
    schema: Annotated[str, typer.Option("--schema", metavar="NAME", help="The schema of the tables.")] = SCHEMA,
    datasource: Annotated[
        str, typer.Option("--datasource", metavar="UID", help="The UID of Grafana's data source for the database.")
    ] = "postgres",
) -> None:
    """Print a provisioning file with Grafana alerts. The alerts query PostgreSQL."""
    if not datasource.strip():
        refuse("--datasource", "the UID of a data source of Grafana's", "nothing")
    print(exposition.grafana_rules(schema=schema, datasource=datasource), end="")


def metrics(
    over: Annotated[
        dt.timedelta, typer.Option("--over", metavar="SPAN", parser=span_of, help="The time window, such as 30m or 7d.")
    ] = "24h",  # type: ignore[assignment]  # Typer parses the default, too.
    prometheus: Annotated[bool, typer.Option("--prometheus", help="Print Prometheus' text format.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Replace that file in one step, with --prometheus."),
    ] = None,
    restaurant: RestaurantOption = None,
    app: AppOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the metrics that gates, alerts and the doctor use."""
    if out is not None and not prometheus:
        refuse("--out", "--prometheus beside it", "none")
    if prometheus and as_json:
        refuse("--prometheus and --json", "one of them", "both")
    with counted_beside(app, db) as (store, flags):
        now = store.now()

        def measured(window: dt.timedelta) -> Metrics:
            measured: Metrics = store.measure(MetricsQuery(since=now - window, restaurant_id=restaurant))
            return measured

        found = measured(over)
        require_restaurant(store, restaurant, found=not _is_empty(found))
        windows = {window: measured(window) for window in exposition.windows()} if prometheus else {}
        states = _alerts(store, restaurant) if prometheus else ()
        ran = exposure_lately(store, salt=salt_of(flags), restaurant_id=restaurant) if prometheus else None
    if prometheus:
        text = exposition.prometheus_text(found, windows, states, ran=ran)
        print(text, end="") if out is None else _replace(out, text)
    elif as_json:
        print_json(document(found))
    else:
        for line in sentences(found):
            stdout().print(line, soft_wrap=True)


def _is_empty(found: Metrics) -> bool:
    return found == Metrics(since=found.since, until=found.until, restaurant_id=found.restaurant_id)


def _alerts(store: Any, restaurant: str | None) -> tuple[Alert, ...]:
    revision = store.rollout() if hasattr(store, "rollout") else None
    return Alerts(store, restaurant_id=restaurant).check(store.now(), revision.created_at if revision else None)


def _replace(path: Path, text: str) -> None:
    """Write a file beside, and put it in its place: who reads it finds the old one or the new one, whole."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        refuse(f"--out {path}", "a file that can be written to", error.strerror or type(error).__name__)


def document(metrics: Metrics) -> dict[str, Any]:
    """Them as JSON."""
    return {
        "since": metrics.since.isoformat(),
        "until": metrics.until.isoformat(),
        "restaurant_id": metrics.restaurant_id,
        "groups": [
            {
                "owner": owner.value,
                "mode": mode.value if mode else None,
                "outcomes": _counts(metrics.outcomes.get((owner, mode)), "confirmation_rate", "review_rate"),
                "calls": _counts(metrics.calls.get((owner, mode)), "error_rate"),
                "latency_ms": _counts(metrics.latency.get((owner, mode))),
            }
            for owner, mode in dict.fromkeys((*metrics.outcomes, *metrics.calls))
        ],
        "agreement": _counts(metrics.agreement, "rate", "comparable"),
        "reverse": _counts(metrics.reverse, "rate", "comparable"),
        "volume": {mode.value: _counts(volume, "rate") for mode, volume in metrics.volume.items()},
        "attempts": metrics.attempts,
        "attempts_per_booking": metrics.attempts_per_booking,
        "strategies": dict(metrics.strategies),
        "reasons": dict(metrics.reasons),
        "review_queue": metrics.backlog.review,
        "review_overdue": metrics.backlog.review_overdue,
        "overdue": metrics.backlog.overdue,
        "events_lost": metrics.lost,
    }


def _counts(found: Any, *rates: str) -> dict[str, Any] | None:
    return None if found is None else {**attrs.asdict(found), **{name: getattr(found, name) for name in rates}}


def sentences(metrics: Metrics) -> list[str]:
    """Them for people."""
    lines = [f"{metrics.since:%Y-%m-%d %H:%M} to {metrics.until:%Y-%m-%d %H:%M} UTC"]
    for group in dict.fromkeys((*metrics.outcomes, *metrics.calls)):
        owner, mode = group
        parts = []
        if (outcomes := metrics.outcomes.get(group)) is not None and outcomes.confirmation_rate is not None:
            parts.append(f"{outcomes.confirmation_rate:.1%} confirmed and {outcomes.review_rate:.1%} in review")
            parts[-1] += f" of {outcomes.sample:,}"
        if (calls := metrics.calls.get(group)) is not None and calls.error_rate is not None:
            parts.append(f"{calls.error_rate:.1%} of {calls.bookings:,} bookings met an error")
        if (took := metrics.latency.get(group)) is not None:
            parts.append(f"p50 {took.p50:g} ms, p95 {took.p95:g} ms, p99 {took.p99:g} ms")
        lines.append(
            f"{owner.value}, {mode.value if mode else 'mode unknown'}: {'; '.join(parts) or 'nothing to rate'}"
        )
    agreement = metrics.agreement
    if agreement.rate is not None:
        lines.append(f"shadow: {agreement.rate:.1%} of {agreement.comparable:,} as good as legacy")
    if metrics.reverse.rate is not None:
        reverse = metrics.reverse
        lines.append(f"reverse shadow: {reverse.rate:.1%} of {reverse.comparable:,} as good as legacy would have been")
    backlog = metrics.backlog
    waiting = f"{backlog.review:,} in review, {backlog.review_overdue:,} of them overdue"
    lines.append(f"now: {waiting}; {backlog.overdue:,} overdue; {metrics.lost:,} events lost")
    return lines
