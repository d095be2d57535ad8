"""What the commands that count have in common: how a store is found, and how times are told."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import typer

from assignment_pipeline.cli.apps import from_app, itself
from assignment_pipeline.cli.database import Database
from assignment_pipeline.cli.databases import of_rollout
from assignment_pipeline.cli.failures import refuse
from assignment_pipeline.cli.output import print_json, stdout
from assignment_pipeline.domain.metrics import Metrics, MetricsQuery
from assignment_pipeline.ports import FlagResolver, MetricsStore
from assignment_pipeline.rollout.report import headlines

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST = dt.timedelta(days=3650)


def span_of(text: str) -> dt.timedelta:
    """
    A span of time such as ``30m``, ``24h`` or ``7d``.

    Raises:
        typer.BadParameter: It is none.
    """
    match = _SPAN.fullmatch(text.strip())
    if match is None or not float(match[1]):
        raise typer.BadParameter(f"expected a span of time such as 30m, 24h or 7d, got {text!r}")
    try:
        span = dt.timedelta(**{_UNITS[match[2]]: float(match[1])})
    except OverflowError:
        span = dt.timedelta.max
    if span > _LONGEST:
        raise typer.BadParameter(f"expected a span of time of {_LONGEST.days} days at most, got {text!r}")
    return span


@contextlib.contextmanager
def counted(app: str | None, db: Database | None) -> Iterator[Any]:
    """
    The store that the options name, for the length of the block: it counts.

    Raises:
        BadInputError: They name none, or one that does not count.
    """
    with counted_beside(app, db) as (store, _):
        yield store


@contextlib.contextmanager
def counted_beside(app: str | None, db: Database | None) -> Iterator[tuple[Any, FlagResolver | None]]:
    """
    The same, with the flags of the application; None for a database.

    Raises:
        BadInputError: They name none, or one that does not count.
    """
    if db is not None:
        with of_rollout(db) as store:
            yield store, None
    elif app is not None:
        with from_app(app) as coordinator:
            yield counting(app, coordinator.store), coordinator.flags
    else:
        refuse("--db or --app", "one of them", "none")


HEADLINES_OVER = dt.timedelta(days=7)


def compared_in(store: Any, restaurant_id: str | None = None) -> Metrics | None:
    """How the two planners' answers compare in the last week; None for a store that does not count."""
    if not hasattr(store, "measure"):
        return None
    query = MetricsQuery(since=store.now() - HEADLINES_OVER, restaurant_id=restaurant_id)
    found: Metrics = store.measure(query)
    return found


def print_with_headlines(
    found: Metrics | None, document: Callable[[], dict[str, Any]], show: Callable[[], None], *, as_json: bool
) -> None:
    """
    What a command found, with what is to be known about the old planner.

    Args:
        found: How the two planners' answers compare.

        document: Makes what a program reads of the rest.

        show: Prints the rest for people.

        as_json: Whether a program reads it.
    """
    lines = headlines(found) if found is not None else ()
    if as_json:
        facts: dict[str, Any] = {"headlines": list(lines)}
        if found is not None:
            counts = ("incomparable", "unreadable", "double_seated")
            facts["shadow"] = {name: getattr(found.agreement, name) for name in counts}
            facts["reverse"] = attrs.asdict(found.reverse)
        print_json({**document(), **facts})
        return
    for line in lines:
        stdout().print(line, style="bold", soft_wrap=True)
    show()


def counting(app: str, store: Any) -> MetricsStore:
    """
    The store of an application, if it counts.

    Raises:
        BadInputError: It does not.
    """
    if not hasattr(store, "measure"):
        refuse(f"--app {app}", "a store that counts (`MetricsStore`)", f"a {type(itself(store)).__name__}")
    found: MetricsStore = store
    return found
