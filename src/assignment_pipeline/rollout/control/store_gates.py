"""The gates of a store: what is measured there, held against the criteria of a phase."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from assignment_pipeline.domain.counts import Outcomes
from assignment_pipeline.domain.days import MOST, ComparedDay
from assignment_pipeline.domain.events import EventType
from assignment_pipeline.domain.metrics import (
    SETTLING,
    Bucket,
    Group,
    Metrics,
    MetricsQuery,
    Series,
    legacy_outcomes,
    own_outcomes,
)
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow, minute_of
from assignment_pipeline.errors import VenueNotFoundError
from assignment_pipeline.ports import AssignmentContext, LoadQuery, MetricsStore
from assignment_pipeline.ports.fitting import is_coroutine_function
from assignment_pipeline.rollout.control.clusters import correlation, design_effect
from assignment_pipeline.rollout.control.covariate import explained_by
from assignment_pipeline.rollout.control.exposure import Part, Stretch, exposure, moved, split, stretches_of
from assignment_pipeline.rollout.control.gates import decide, evidence
from assignment_pipeline.rollout.control.metrics import (
    INFEASIBLE_RISE,
    OF_DAYS,
    RELATIVE_CONFIRMATION,
    Count,
    metric_named,
)
from assignment_pipeline.rollout.control.phases import Criterion, Phase, is_own_day
from assignment_pipeline.rollout.control.sample_ratio import (
    OpenDay,
    a_day_of,
    asked_of,
    expected_share,
    sample_ratio,
    silent_of,
)
from assignment_pipeline.rollout.control.sequential import Counted
from assignment_pipeline.rollout.control.standing import own_days_verdict
from assignment_pipeline.rollout.control.verdicts import Answer, Verdict
from assignment_pipeline.rollout.flags.document import read_settings
from assignment_pipeline.rollout.flags.settings import DEFAULT_SALT

_MANY = 10_000

ENOUGH_ASKED = 20
"""Of so many bookings of a restaurant a share is made."""

DAY = dt.timedelta(days=1)

_BEGINNING = dt.datetime.min.replace(tzinfo=dt.UTC)

WEEKS_BEFORE = dt.timedelta(days=28)
"""What came in them says which share of the bookings a cohort has."""

END_OF_EVENING = dt.time(5)
"""Until then, by the restaurant's clock, a party counts to the evening before: see `MetricsStore.book`."""

LONGEST_EVENING = dt.timedelta(hours=17)
"""So long after midnight by UTC a service day has ended everywhere: five hours of the night, twelve to the west."""

ByRestaurant = Mapping[str, Mapping[Group, Outcomes]]
"""How assignments came out at each restaurant."""

STRETCH = dt.timedelta(minutes=15)
"""How far apart the moments are at which a phase is searched for the one that speaks most clearly against it."""


class StoreGates:
    """
    `Gates` that measure in a store: what `Rollout` asks before it advances.

    Args:
        store: Where the numbers are.

        restaurant_id: Of that restaurant only; None for all.

        salt: What the flags draw restaurants with.
    """

    def __init__(self, store: MetricsStore, *, restaurant_id: str | None = None, salt: str = DEFAULT_SALT) -> None:
        self._store = store
        self._restaurant_id = restaurant_id
        self._salt = salt

    def __call__(self, phase: Phase, since: dt.datetime, now: dt.datetime) -> Sequence[Verdict]:
        """
        One verdict for each of the phase's criteria, on what has happened since it began.

        Before them comes whether what ran is what the flags said, if the store keeps the rollout and anything ran.
        """
        if since >= now:
            return judge_criteria(phase, None, since, now)
        metrics, course = self.measure(since, now), self.stretches(phase, since, now)
        asks = phase.own_days or any(compares(criterion) for criterion in phase.criteria)
        found = self._by_restaurant(since + SETTLING, now) if asks else {}
        compared = self._compared(phase, found, since, now)
        metrics = attrs.evolve(metrics, days=self.days(phase, since, now), rises=self.rises(phase, since, now))
        verdicts = judge_criteria(phase, metrics, since, now, course=course, compared=compared)
        others = (
            self._exposure(phase, since, now),
            self._sample_ratio(phase, found, since, now),
            self._own_days(phase, found, since, now),
        )
        return (*(each for each in others if each is not None), *verdicts)

    def _by_restaurant(self, since: dt.datetime, until: dt.datetime) -> ByRestaurant:
        query = MetricsQuery(since=since, until=until, restaurant_id=self._restaurant_id)
        return self._store.by_restaurant(query) if since < until else {}

    def _sample_ratio(self, phase: Phase, found: ByRestaurant, since: dt.datetime, now: dt.datetime) -> Verdict | None:
        """Whether the cohort has the share of the bookings that its restaurants had in the weeks before."""
        cohorts = self.cohorts(since, now)
        if len(cohorts) != 1 or not any(compares(criterion) for criterion in phase.criteria):
            return None
        before = self._by_restaurant(since - WEEKS_BEFORE, since)
        # Who was there before: a restaurant that has joined, or has left, is in no ratio.
        known = [name for name, groups in before.items() if any(came.asked for came in groups.values())]
        own = [name for name in known if cohorts[0].mode(name, self._salt) is Mode.ACTIVE]
        verdict = sample_ratio(
            asked_of(found, own), asked_of(found, known), asked_of(before, own), asked_of(before, known)
        )
        if verdict is None or verdict.answer is Answer.PASS:
            return verdict
        # Before it is told: a side whose restaurants were closed has fewer, and has lost none.
        days, past = self._open_days(since + SETTLING, now), self._open_days(since - WEEKS_BEFORE, since)
        a_day = {name: asked for name, asked in a_day_of(past).items() if name in set(known)}
        silent = tuple(name for name in silent_of(days, a_day) if self._is_open(name, since, now))
        return sample_ratio(
            asked_of(found, own),
            asked_of(found, known),
            round(asked_of(before, known) * expected_share(days, a_day, own), 3),
            asked_of(before, known),
            silent,
        )

    def _open_days(self, since: dt.datetime, now: dt.datetime) -> list[OpenDay]:
        begins = [since + day * DAY for day in range(max(-((since - now) // DAY), 0))]
        days = []
        for begin in begins:
            end = min(begin + DAY, now)
            found = self._by_restaurant(begin, end)
            days.append(OpenDay({name: asked_of(found, (name,)) for name in found}, (end - begin) / DAY))
        return days

    def _is_open(self, restaurant_id: str, since: dt.datetime, now: dt.datetime) -> bool:
        """Whether its calendar has a service in that time; taken for granted where the store cannot say."""
        if not self._can_load:
            return True
        venue = self._venue(restaurant_id)
        if venue is None or not venue.policy.has_hours:
            return True
        return bool(venue.services(TimeWindow(minute_of(since), minute_of(now) + dt.timedelta(minutes=1))))

    def _own_days(self, phase: Phase, found: ByRestaurant, since: dt.datetime, now: dt.datetime) -> Verdict | None:
        """Whether enough service days were the pipeline's, at the restaurants that it is in charge of."""
        cohorts = self.cohorts(since, now)
        if not phase.own_days or not cohorts:
            return None
        query = MetricsQuery(since=since, until=now, restaurant_id=self._restaurant_id)
        active = [name for name in sorted(found) if cohorts[-1].mode(name, self._salt) is Mode.ACTIVE]
        book = self._store.book(query, active) if active else {}
        today = (now - LONGEST_EVENING).date()
        over = {day: seated for day, seated in book.items() if day < today}
        return own_days_verdict(phase, self._with_the_hosts(over, active, phase.own_days))

    def _with_the_hosts(
        self, book: Mapping[dt.date, tuple[int, int]], active: Sequence[str], enough: int
    ) -> Mapping[dt.date, tuple[int, int]]:
        """
        The same days with the bookings that only the host shows: legacy seated them, and nobody has adopted them.

        Looked at are days that would be the pipeline's, the latest first, until *enough* of them are.
        """
        if not self._can_load:
            return book
        found, own = dict(book), 0
        for day in sorted(book, reverse=True):
            if own < enough and is_own_day(*book[day]):
                seated, whole = book[day]
                found[day] = seated, whole + sum(self._shown_by_host(name, day) for name in active)
                own += is_own_day(*found[day])
        return found

    def _shown_by_host(self, restaurant_id: str, day: dt.date) -> int:
        """How many bookings of a service day have tables by the host's word alone."""
        venue = self._venue(restaurant_id)
        if venue is None:
            return 0
        begin = dt.datetime.combine(day, END_OF_EVENING, venue.zone).astimezone(dt.UTC)
        context = self._loaded(LoadQuery(restaurant_id=restaurant_id, day=TimeWindow(begin, begin + DAY)))
        shown = (row for row in context.taken if begin <= row.window.start < begin + DAY)
        return len({row.booking_id for row in shown if row.booking_id is not None} - context.records.keys())

    @property
    def _can_load(self) -> bool:
        """Whether the store tells of floors here: one for asyncio has no way for threads."""
        load = getattr(self._store, "load", None)
        return load is not None and not is_coroutine_function(load)

    def _venue(self, restaurant_id: str) -> Venue | None:
        """The restaurant; None if the host has it no more."""
        try:
            return self._loaded(LoadQuery(restaurant_id=restaurant_id)).venue
        except VenueNotFoundError:
            return None

    def _loaded(self, query: LoadQuery) -> AssignmentContext:
        store: Any = self._store
        context: AssignmentContext = store.load(query)
        return context

    def _exposure(self, phase: Phase, since: dt.datetime, now: dt.datetime) -> Verdict | None:
        if not phase.criteria:
            return None
        return exposure(self._store, self.cohorts(since, now), salt=self._salt, restaurant_id=self._restaurant_id)

    def parts(self, since: dt.datetime, now: dt.datetime) -> tuple[Part, ...]:
        """What came of each cohort of a phase, where it was changed in mid-phase."""
        return split(self._store, self.cohorts(since, now), now)

    def cohorts(self, since: dt.datetime, now: dt.datetime) -> tuple[Stretch, ...]:
        """What the flags said since a phase began, and when."""
        revisions = getattr(self._store, "revisions", None)  # Not every store that counts keeps the rollout, too.
        return stretches_of(revisions(_MANY), since, now) if revisions is not None else ()

    def measure(self, since: dt.datetime, now: dt.datetime) -> Metrics:
        """What has happened since a phase began; assignments that settled before then were of another."""
        query = MetricsQuery(since=since, until=now, restaurant_id=self._restaurant_id)
        settled = self._store.measure(attrs.evolve(query, since=since + SETTLING))
        return attrs.evolve(self._store.measure(query), outcomes=settled.outcomes, volume=settled.volume)

    def _compared(self, phase: Phase, found: ByRestaurant, since: dt.datetime, now: dt.datetime) -> Count | None:
        """Both planners, at the restaurants that the flags have drawn; None where they are not compared."""
        if since + SETTLING >= now or not any(compares(criterion) for criterion in phase.criteria):
            return None
        return compare(found, self.picked() | moved(self.cohorts(since, now), found, self._salt), self._past())

    def _past(self) -> Mapping[str, float]:
        """What each restaurant's own weeks before the pipeline was in charge explain of it: see `explained_by`."""
        charge = self._in_charge_since()
        if charge is None:
            return {}
        halves = []
        for begin in (charge - WEEKS_BEFORE, charge - WEEKS_BEFORE / 2):
            by_legacy = {
                name: legacy_outcomes(groups)
                for name, groups in self._by_restaurant(begin, begin + WEEKS_BEFORE / 2).items()
            }
            halves.append({name: (came.confirmed, came.asked) for name, came in by_legacy.items()})
        return explained_by(*halves)

    def days(self, phase: Phase, since: dt.datetime, now: dt.datetime) -> tuple[ComparedDay, ...]:
        """The service days that were compared since the phase began, each once, in the order in which they were."""
        if not any(criterion.metric in OF_DAYS for criterion in phase.criteria):
            return ()
        query = MetricsQuery(since=since, until=now, restaurant_id=self._restaurant_id)
        found: dict[tuple[str, dt.date], ComparedDay] = {}
        for day in map(ComparedDay.of, self._store.events_of(query, (EventType.DAY_COMPARED,))):
            found.setdefault((day.restaurant_id, day.date), day)
        return tuple(found.values())

    def rises(self, phase: Phase, since: dt.datetime, now: dt.datetime) -> tuple[int, ...]:
        """How many more bookings were proved impossible since the phase began than in each restaurant's own past."""
        charge = self._in_charge_since()
        if charge is None or not any(criterion.metric == INFEASIBLE_RISE.name for criterion in phase.criteria):
            return ()
        past, begin = self._by_restaurant(charge - WEEKS_BEFORE, charge), since + SETTLING
        begins = [begin + day * DAY for day in range(max(-((begin - now) // DAY), 0))]
        days = (self._by_restaurant(each, min(each + DAY, now)) for each in begins)
        return tuple(rises_of(past, days))

    def _in_charge_since(self) -> dt.datetime | None:
        """Since when the pipeline has been in charge of some restaurants, without a break."""
        found = None
        for stretch in reversed(self.cohorts(_BEGINNING, self._store.now())):
            if not (stretch.settings.enabled and (stretch.settings.percent or stretch.settings.restaurants)):
                break
            found = stretch.since
        return found

    def picked(self) -> frozenset[str]:
        """The restaurants that somebody has chosen, and no bucket: they are like themselves only."""
        rollout = getattr(self._store, "rollout", None)  # Not every store that counts keeps the rollout, too.
        if rollout is None:
            return frozenset()
        lists = read_settings(rollout().settings)
        return lists.restaurants | lists.exclude | lists.shadow_restaurants

    def stretches(self, phase: Phase, since: dt.datetime, now: dt.datetime) -> Series:
        """How a phase came to where it is; only outcomes, which count in one stretch each."""
        begin = (since + SETTLING).replace(microsecond=0) + dt.timedelta(seconds=1)
        if begin >= now or not any(has_stretches(criterion) for criterion in phase.criteria):
            return ()
        return self._store.series(MetricsQuery(since=begin, until=now, restaurant_id=self._restaurant_id), STRETCH)


def rises_of(past: ByRestaurant, days: Iterable[ByRestaurant]) -> Iterator[int]:
    """
    By how many percent more was proved impossible than was refused in the past, as `ComparedDay` counts: see `MOST`.

    Args:
        past: How assignments came out at each restaurant before the pipeline was in charge.

        days: The same for each day since, in order.
    """
    before = {}
    for name, groups in past.items():
        own, legacy = own_outcomes(groups), legacy_outcomes(groups)
        asked = own.asked + legacy.asked
        if asked >= ENOUGH_ASKED:
            before[name] = (own.infeasible + legacy.review) / asked
    so_far: dict[str, Outcomes] = {}
    for day in days:
        for name in sorted(day.keys() & before.keys()):
            came = so_far.pop(name, Outcomes()) + own_outcomes(day[name])
            if came.asked < ENOUGH_ASKED:
                so_far[name] = came
            else:
                yield min(max(round(100 * (came.infeasible / came.asked - before[name])), -MOST), MOST)


def compares(criterion: Criterion) -> bool:
    """Whether a criterion holds the pipeline's restaurants against legacy's."""
    return criterion.metric == RELATIVE_CONFIRMATION.name


def compare(
    found: ByRestaurant, picked: frozenset[str] = frozenset(), explained: Mapping[str, float] | None = None
) -> Count:
    """
    What the pipeline seated of all who asked, beside what legacy did, as restaurants tell of it.

    Args:
        found: How assignments came out at each restaurant.

        picked: Restaurants that are left aside.

        explained: How far each restaurant's rate is expected above that of all, by its own past: see `explained_by`.
    """
    past = explained or {}
    sides: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
    adjusted: tuple[list[Counted], list[Counted]] = ([], [])
    shifts = [0.0, 0.0]
    for restaurant_id, groups in found.items():
        if restaurant_id in picked:
            continue
        for place, came in enumerate((own_outcomes(groups), legacy_outcomes(groups))):
            if came.asked:
                shift = past.get(restaurant_id, 0.0) * came.asked
                sides[place].append((came.confirmed, came.asked))
                adjusted[place].append((min(max(came.confirmed - shift, 0.0), came.asked), came.asked))
                shifts[place] += shift
    alike = correlation(*adjusted)
    (part, whole), (other_part, other_whole) = ((sum(p for p, _ in side), sum(w for _, w in side)) for side in sides)
    return Count(
        part,
        whole,
        other_part,
        other_whole,
        effect=design_effect(sides[0], alike),
        other_effect=design_effect(sides[1], alike),
        explained=round(shifts[0], 6),
        other_explained=round(shifts[1], 6),
        restaurants=len(sides[0]),
        other_restaurants=len(sides[1]),
    )


def has_stretches(criterion: Criterion) -> bool:
    """Whether a criterion's numbers of several stretches add up to those of all."""
    metric = metric_named(criterion.metric)
    return metric.in_stretches and metric.settles


def judge_criteria(
    phase: Phase,
    metrics: Metrics | None,
    since: dt.datetime,
    now: dt.datetime,
    *,
    course: Series = (),
    compared: Count | None = None,
) -> tuple[Verdict, ...]:
    """
    A phase's criteria, held against what was measured.

    Args:
        phase: The phase.

        metrics: What was measured since it began; None for nothing.

        since: When it began.

        now: The time.

        course: The outcomes since then in stretches, oldest first. A criterion that failed after one has failed.

        compared: Both planners beside each other: see `compare`. None to compare all bookings as if they came from one
            restaurant each.

    Raises:
        ValueError: There is no metric of a criterion's name.
    """
    mode = phase.mode
    hours, min_hours = (now - since) / dt.timedelta(hours=1), phase.min_time / dt.timedelta(hours=1)
    verdicts = []
    for criterion in phase.criteria:
        metric = metric_named(criterion.metric)
        counted = Count() if metrics is None else metric.count(metrics, mode)
        if criterion.optional and counted.value is None:
            continue
        is_whole = True
        if compared is not None and compares(criterion):
            is_whole = (counted.whole, counted.other_whole) == (compared.whole, compared.other_whole)
            counted = compared
        # The stretches tell of all restaurants: nothing of those that are left aside is to last.
        worst = _worst(criterion, counted, course, mode) if is_whole and has_stretches(criterion) else None
        if criterion.metric in OF_DAYS and metrics is not None:
            worst = _worst(criterion, counted, [attrs.evolve(metrics, days=(day,)) for day in metrics.days], mode)
        if criterion.metric == INFEASIBLE_RISE.name and metrics is not None:
            worst = _worst(criterion, counted, [attrs.evolve(metrics, rises=(rise,)) for rise in metrics.rises], mode)
        if worst is not None:
            counted = counted.with_worst(worst)
        timed = attrs.evolve(counted, hours=max(hours, 0.0), min_hours=min_hours)
        verdicts.append(decide(criterion, timed, since, sharing=len(phase.criteria)))
    return tuple(verdicts)


def _worst(criterion: Criterion, now: Count, course: Iterable[Bucket | Metrics], mode: Mode) -> Count | None:
    """What had been counted at the end of the stretch after which the numbers spoke most clearly against it."""
    metric, so_far = metric_named(criterion.metric), Count()
    worst: Count | None = None
    most = 0.0
    for bucket in course:
        found = metric.count(bucket, mode)
        if not found.whole and not found.other_whole and not found.days:
            continue
        so_far += found
        value = so_far.value
        if value is None or not criterion.bound.is_beyond(value):
            continue
        against = evidence(criterion, so_far.with_effects_of(now), criterion.threshold)
        if against > most:
            worst, most = so_far, against
    return worst
