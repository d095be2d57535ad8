"""
What an operator is woken for, by what the store has: nothing is kept between two looks.

A look goes back over the last hours in stretches of five minutes, and finds out by itself since when it has been bad.
What was said before stands in the store's events: a watcher that starts anew says nothing twice, and forgets nothing.
"""

from __future__ import annotations

import datetime as dt
import enum
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import attrs

from assignment_pipeline.domain.events import Event, EventType, Severity, Source
from assignment_pipeline.domain.metrics import SETTLING, Bucket, MetricsQuery, Series
from assignment_pipeline.ports import MetricsStore
from assignment_pipeline.rollout.control.clusters import correlation
from assignment_pipeline.rollout.control.metrics import Count, metric_named
from assignment_pipeline.rollout.watching.cusum import Cusum
from assignment_pipeline.rollout.watching.rules import FEW, RULES, STEP, AlertRule

HOUR = dt.timedelta(hours=1)
WEEK = dt.timedelta(days=7)
"""For how long it is looked back at how alike the bookings of one hour are."""

USUALLY_ALIKE = 0.05
"""How much bookings of one hour resemble each other where nothing is known: evenings fill up."""

ALIKE_GIVE_OR_TAKE = 0.04
"""How exactly that is known: a standard deviation."""

CAREFUL = 1.0
"""By so many standard deviations more than what is found they are taken to be alike: too little is a false alarm."""

_MOST_ALIKE = 0.95
_LEAST_DAYS = 1 / 24  # The traffic is not judged by less than an hour,
_LEAST_A_DAY = 96.0  # and with fewer than four bookings an hour, alerts are as sensitive as with four.


class AlertState(enum.StrEnum):
    """How an alert stands, in Prometheus' words."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@attrs.frozen(kw_only=True)
class Alert:
    """
    How a rule stands.

    Attributes:
        rule: The rule.

        state: How it stands.

        restaurant_id: Of that restaurant only; None for all.

        since: Since when it has been bad; None where it is not.

        at: The moment that it was last held against the numbers.

        value: What was found; None where too little was.

        sample: Of how many.

        low: Where the true value lies above, with 95 % confidence.

        high: Where it lies below.

        announced: The event that reported the firing, if no later event reported its end.
    """

    rule: AlertRule
    state: AlertState
    restaurant_id: str | None = None
    since: dt.datetime | None = None
    at: dt.datetime
    value: float | None = None
    sample: int = 0
    low: float = 0.0
    high: float = 1.0
    announced: Event | None = None

    @property
    def sentence(self) -> str:
        """The same for people."""
        where = f" at {self.restaurant_id}" if self.restaurant_id else ""
        since = f" since {self.since:%Y-%m-%d %H:%M} UTC" if self.since else ""
        if self.value is None and self.state is AlertState.RESOLVED:
            return f"{self.rule.name}{where}: resolved, too little was counted since"
        if self.value is None:
            return f"{self.rule.name}{where}: {self.state.value}{since}, of {self.sample} nothing can be said"
        bound = f"{self.rule.bound.bad_side} {self.rule.threshold:.0%}"
        found = f"{self.value:.1%} of {self.sample}"
        return f"{self.rule.name}{where}: {self.state.value}{since}, {found} ({bound} is bad)"

    def document(self) -> dict[str, Any]:
        """The same as JSON, and as the evidence of a rollback."""
        return {
            "alert": self.rule.name,
            "state": self.state.value,
            "restaurant_id": self.restaurant_id,
            "metric": self.rule.metric,
            "value": self.value,
            "sample": self.sample,
            "low": self.low,
            "high": self.high,
            "threshold": self.rule.threshold,
            "direction": self.rule.bound.bad_side,
            "since": self.since.isoformat() if self.since else None,
            "at": self.at.isoformat(),
        }


def evaluate(
    rule: AlertRule,
    buckets: Sequence[Bucket],
    at: dt.datetime,
    *,
    restaurant_id: str | None = None,
    announced: Event | None = None,
    from_start: bool = False,
    goes_on: bool = True,
    past: Callable[[], Sequence[Bucket]] = tuple,
) -> Alert:
    """
    How *rule* stands, given stretches of `STEP` that end at *at*. Pure.

    See `AlertRule` for when it fires. It is pending while it is bad, but not yet for as long as the rule says.

    What was told to fire goes on until numbers show that it is over: a night without bookings shows nothing. See
    `Cusum.is_over` for a rate. A difference is over once one can be said that is not bad.

    Args:
        rule: The rule.

        buckets: What was counted, oldest first.

        at: When the last of them ends.

        restaurant_id: Whose they are; None for all.

        announced: The event about its firing.

        from_start: Whether they begin with the rollout's last change.

        goes_on: Whether what was *announced* is about the same phase of the rollout. If not, it is over.

        past: Reads what was counted before, in stretches of an hour: how far bookings of one hour resemble each other.
            It is asked where there could be an alarm. Without it, bookings are taken to be independent.
    """
    counts = [rule.count(bucket) for bucket in buckets]
    found = _look_back(rule, counts)
    looks = _bad_looks(rule, counts)
    bad_since = at - (looks - 1) * STEP if looks else None
    begin = at - len(counts) * STEP
    change = None if rule.is_of_difference else _change(rule, counts, begin, past, from_start=from_start)
    if change is not None:
        found = sum(counts[change:], Count())
        changed = at - (len(counts) - change) * STEP
        bad_since = changed if bad_since is None else min(changed, bad_since)
    is_told = announced is not None and goes_on and not _is_over(rule, counts, begin, announced.created_at, past)
    if is_told and announced is not None:
        told_since = _since_of(announced)
        bad_since = told_since if bad_since is None else min(bad_since, told_since)
        if change is None:
            found = sum(counts, Count())
    low, high = found.bounds
    if bad_since is None:
        state = AlertState.INACTIVE if announced is None else AlertState.RESOLVED
    else:
        state = AlertState.FIRING if is_told or at - bad_since >= rule.hold else AlertState.PENDING
    return Alert(
        rule=rule,
        state=state,
        restaurant_id=restaurant_id,
        since=bad_since,
        at=at,
        value=found.value if change is not None or is_told or found.sample >= FEW else None,
        sample=found.sample,
        low=low,
        high=high,
        announced=announced,
    )


def _is_over(
    rule: AlertRule,
    counts: Sequence[Count],
    begin: dt.datetime,
    told: dt.datetime,
    past: Callable[[], Sequence[Bucket]],
) -> bool:
    """Whether what was counted since an alert was *told* shows that it is over."""
    if rule.is_of_difference:
        found = _look_back(rule, counts)
        return found.value is not None and found.sample >= FEW and not rule.is_beyond(found.value)
    marks = [(rule.badly(count), count.whole) for count in counts]
    if told >= begin:
        hours = _by_hour(marks[(floor(told) - begin) // STEP :], floor(told))
        return rule.cusum(_LEAST_A_DAY).is_over(hours, at_most=True)
    before = [hour for hour in past() if hour.start >= told and hour.start + HOUR <= begin]
    earlier = [[(rule.badly(count), count.whole)] for count in map(rule.count, before)]
    return rule.cusum(_LEAST_A_DAY).is_over(
        [*earlier, *_by_hour(marks, begin)], at_most=told >= begin + len(counts) * STEP - WEEK
    )


def _since_of(announced: Event) -> dt.datetime:
    """When the bad time began, as the event of an alert says; if it does not say so, when the event was written."""
    since = announced.context.get("since")
    return dt.datetime.fromisoformat(since) if isinstance(since, str) else announced.created_at


def _bad_looks(rule: AlertRule, counts: Sequence[Count]) -> int:
    """At how many of the last looks what was seen then was bad by itself."""
    looks = 0
    while looks <= len(counts) and rule.is_bad(_look_back(rule, counts[: len(counts) - looks])):
        looks += 1
    return looks


def _change(
    rule: AlertRule,
    counts: Sequence[Count],
    begin: dt.datetime,
    past: Callable[[], Sequence[Bucket]],
    *,
    from_start: bool,
) -> int | None:
    """The stretch with which the likeliest change for the worse began, if a test shows one now; else None."""
    whole = sum(count.whole for count in counts)
    if whole < FEW:
        return None
    days = max(len(counts) * STEP / dt.timedelta(days=1), _LEAST_DAYS)
    a_day = max(whole / days, _LEAST_A_DAY)
    marks = _by_hour([(rule.badly(count), count.whole) for count in counts], begin)
    tests = [rule.cusum(a_day), *([rule.cusum(a_day, USUALLY_ALIKE)] if rule.is_of_outcomes else ())]
    shown = [_shown(rule, test, marks, from_start=from_start) for test in tests]
    change = shown[0]
    found = next((each for each in shown if each is not None), None)
    before = past() if found is not None and rule.is_of_outcomes else ()
    if found is not None and before:
        until = begin + found * STEP
        if not any(count.whole for count in counts[:found]):
            # It may have been bad for longer: hours of the same change tell nothing of what is usual.
            until = min(until, _began(rule, tests[0], before, until))
        alike = _alike(rule, before, until)
        change = _shown(rule, rule.cusum(a_day, alike), marks, from_start=from_start)
    if change is None:
        return None
    value = sum(counts[change:], Count()).value
    return change if value is not None and rule.is_beyond(value) else None


def _by_hour(marks: Sequence[tuple[int, int]], begin: dt.datetime) -> Sequence[Sequence[tuple[int, int]]]:
    """Stretches of `STEP` from *begin* on, by the hour of the clock in which they are."""
    width = HOUR // STEP
    first = (begin - floor(begin, HOUR)) // STEP
    return [marks[max(start, 0) : start + width] for start in range(-first, len(marks), width)]


def _shown(rule: AlertRule, test: Cusum, marks: Sequence[Sequence[tuple[int, int]]], *, from_start: bool) -> int | None:
    """The stretch of the change that *test* shows; None if it shows none."""
    change, since_change, _ = test.sums(marks, test.limit)
    if since_change >= test.limit:
        return change
    limit = -math.log(rule.at_start)
    if from_start and test.sums(marks, max(limit, test.limit))[2] >= limit:
        return change
    return None


def _began(rule: AlertRule, test: Cusum, past: Sequence[Bucket], until: dt.datetime) -> dt.datetime:
    """When the change for the worse began that goes on at *until*, by the hours that ended by then."""
    hours = [hour for hour in past if hour.start + HOUR <= until]
    counts = [rule.count(hour) for hour in hours]
    change, _, _ = test.sums([[(rule.badly(count), count.whole)] for count in counts], test.limit)
    return hours[change].start if change < len(hours) else until


def _alike(rule: AlertRule, past: Sequence[Bucket], until: dt.datetime) -> float:
    """
    How far bookings of one hour resemble each other, by the hours that ended by then; legacy's tell of it, too.

    What is found counts by how exactly it is known, beside what is usual: few bookings an hour say little. So does
    `CAREFUL`: without any hours, they are as alike as usual.
    """
    own, legacy = [], []
    for hour in past:
        if hour.start + HOUR <= until:
            count = rule.count(hour)
            own.append((count.part, count.whole))
            legacy.append((hour.legacy.confirmed, hour.legacy.asked))
    known = [whole for _, whole in (*own, *legacy) if whole]
    size = sum(known) / len(known) - 1 if known else 0.0
    usual, found = 1 / ALIKE_GIVE_OR_TAKE**2, len(known) * size * size / 2  # The variance of the estimate, inverted.
    alike = (usual * USUALLY_ALIKE + found * correlation(own, legacy)) / (usual + found)
    more = CAREFUL / math.sqrt(usual + found) * found / (usual + found)
    return min(round(alike + more, 3), _MOST_ALIKE)


def _look_back(rule: AlertRule, counts: Sequence[Count]) -> Count:
    found = Count()
    for steps, count in enumerate(reversed(counts)):
        if (steps >= rule.over // STEP and found.sample >= FEW) or steps >= rule.within // STEP:
            break
        found += count
    return found


class Alerts:
    """
    The alerts of a store.

    Args:
        store: Where the numbers are.

        rules: What is bad; the guide's unless told otherwise.

        restaurant_id: Of that restaurant only; None for all.
    """

    def __init__(
        self, store: MetricsStore, *, rules: Iterable[AlertRule] = RULES, restaurant_id: str | None = None
    ) -> None:
        self._store = store
        self._rules = tuple(rules)
        self._restaurant_id = restaurant_id

    def check(self, now: dt.datetime, since: dt.datetime | None = None) -> tuple[Alert, ...]:
        """
        How they stand.

        Args:
            now: The store's time.

            since: Leave what settled before then aside: when the rollout last changed. What went wrong in a phase that
                was left is not held against the one that followed.
        """
        at = floor(now)
        told = self._announced()
        begins = {rule: at - rule.within - rule.hold - STEP for rule in self._rules}
        starts = {rule: self._start(rule, since) for rule in self._rules if since is not None}
        series = self._series(min([*begins.values(), at]), at)
        past = lru_cache(lambda: self._series(floor(at - WEEK, HOUR), at, HOUR))
        alerts = []
        for rule in self._rules:
            start = starts.get(rule)
            begin = begins[rule] if start is None else max(begins[rule], start)
            alert = evaluate(
                rule,
                [bucket for bucket in series if bucket.start >= begin],
                at,
                restaurant_id=self._restaurant_id,
                announced=told.get(rule.name),
                from_start=begin == start,
                goes_on=since is None or rule.name not in told or told[rule.name].created_at > since,
                past=past,
            )
            alerts.append(alert)
        return tuple(alerts)

    def _series(self, begin: dt.datetime, at: dt.datetime, width: dt.timedelta = STEP) -> Series:
        query = MetricsQuery(since=begin, until=at, restaurant_id=self._restaurant_id)
        return self._store.series(query, width) if begin < at else ()

    @staticmethod
    def _start(rule: AlertRule, since: dt.datetime) -> dt.datetime:
        """The first stretch with nothing in it from before the rollout's last change."""
        return _ceiling(since + SETTLING) if metric_named(rule.metric).settles else _ceiling(since)

    def _announced(self) -> Mapping[str, Event]:
        """The alerts that were told to fire, and not told to be over."""
        last: dict[str, Event] = {}
        for event in self._store.alarms():
            name = event.context.get("alert")
            if isinstance(name, str) and event.restaurant_id == self._restaurant_id:
                last.setdefault(name, event)
        return {name: event for name, event in last.items() if event.type is EventType.ALERT_FIRING}


def changes(alerts: Iterable[Alert], now: dt.datetime) -> tuple[Event, ...]:
    """
    The events to send: one when an alert fires, and one when it is over.

    Two checks at the same time send the same event, which a store keeps once.
    """
    events = []
    for alert in alerts:
        if alert.state is AlertState.FIRING and alert.announced is None:
            events.append(_event(alert, EventType.ALERT_FIRING, Severity.ERROR, now, alert.since or alert.at))
        elif alert.state is AlertState.RESOLVED and alert.announced is not None:
            began = alert.announced.created_at
            events.append(_event(alert, EventType.ALERT_RESOLVED, Severity.INFO, now, began))
    return tuple(events)


def _event(alert: Alert, kind: EventType, severity: Severity, now: dt.datetime, began: dt.datetime) -> Event:
    facts = {key: value for key, value in alert.document().items() if value is not None and key != "restaurant_id"}
    scope = alert.restaurant_id or "*"
    return Event(
        f"{kind.value}:{alert.rule.name}:{scope}:{began.isoformat()}",
        now,
        Source.ROLLOUT,
        kind,
        severity=severity,
        restaurant_id=alert.restaurant_id,
        context=facts,
    )


def floor(moment: dt.datetime, step: dt.timedelta = STEP) -> dt.datetime:
    """The last full five minutes, or the last full *step*, by the clock: as ``time_bucket`` has them."""
    return moment - (moment - _EPOCH) % step


def _ceiling(moment: dt.datetime) -> dt.datetime:
    return floor(moment + STEP - dt.timedelta(microseconds=1))


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
