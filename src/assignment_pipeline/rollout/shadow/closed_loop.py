"""
The closed loop: what the pipeline would have made of a whole service day, had it been in charge from the first booking.

The shadow compares booking by booking, on the floor that legacy has left: there, a planner that wastes tables looks as
good as one that keeps them. Here the pipeline lives with its own choices. Legacy has to, too: where the pipeline is in
charge, it is legacy that plays the day, by its dry run.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from assignment_pipeline.domain.booking import CANCELLED, PENDING, Booking
from assignment_pipeline.domain.days import ComparedDay, Side
from assignment_pipeline.domain.events import Event, EventType
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.metrics import MetricsQuery
from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.domain.result import LegacyOutcome
from assignment_pipeline.domain.shadow import ShadowCase
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import (
    STORE_DOWN,
    BookingUnreadableError,
    VenueNotFoundError,
)
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.planning.base import Engine, FloorSnapshot, Rule, SeatingRequest
from assignment_pipeline.ports import AssignmentContext, LegacyDryRun, LoadQuery
from assignment_pipeline.redaction import named
from assignment_pipeline.rollout.shadow.asked import asked_by
from assignment_pipeline.rollout.shadow.candidate import rehearse
from assignment_pipeline.rollout.shadow.reverse import play_legacy

_LOG = logging.getLogger("assignment_pipeline")

A_DAY = dt.timedelta(days=1)

VERDICTS = tuple(
    kind for kind in EventType if kind.value.startswith("shadow.") and kind is not EventType.SHADOW_DROPPED
)
"""The events about a booking that both planners were asked about."""


# -- A day, played ------------------------------------------------------------------------------------------------


class OwnFloor:
    """
    A restaurant that exists in memory only, with the pipeline in charge.

    Args:
        venue: The restaurant.

        taken: What is taken for others than the bookings that are played.
    """

    def __init__(self, venue: Venue, taken: Iterable[Occupied]) -> None:
        self.venue = venue
        self.moves = 0
        self._taken = tuple(taken)
        self._bookings: dict[str, Booking] = {}
        self._records: dict[str, AssignmentRecord] = {}

    def assign(self, booking: Booking, engine: Engine, settings: Settings) -> bool:
        """Seat a booking, and make room for it where that takes moves; whether it has tables."""
        now = booking.start_at - A_DAY
        asked = attrs.evolve(booking, status=PENDING)
        self._bookings[booking.id] = asked
        case = ShadowCase(id=f"day-{booking.id}", captured_at=now, booking=asked)
        trial = rehearse(case, lambda query: self._context(query, now), engine, settings, now)
        if trial.error is not None or not trial.tables:
            return False
        for change in trial.changes:
            record = change.record
            before = self._records.get(record.booking_id)
            self.moves += before is not None and before.tables != record.tables
            self._records[record.booking_id] = record
        return True

    def _context(self, query: LoadQuery, now: dt.datetime) -> AssignmentContext:
        records = {
            key: record
            for key, record in self._records.items()
            if key in query.ids or query.is_of_day(self.venue, record)
        }
        window = query.window(self.venue, records, self._bookings)
        return AssignmentContext(
            now=now,
            generation=0,
            venue=self.venue,
            records=records,
            bookings={key: self._bookings[key] for key in (*records, *query.ids) if key in self._bookings},
            taken=tuple(row for row in self._rows() if window is not None and row.window.overlaps(window)),
        )

    def _rows(self) -> Iterable[Occupied]:
        yield from self._taken
        for record in self._records.values():
            if record.allocation is not None:
                for name in record.allocation.tables:
                    window = record.allocation.blocked
                    yield Occupied(table_id=name, window=window, booking_id=record.booking_id, movable=True)


def play(
    venue: Venue,
    bookings: Sequence[Booking],
    engine: Engine,
    settings: Settings,
    *,
    taken: Iterable[Occupied] = (),
    tell: Callable[[Booking], object] = lambda _: None,
) -> tuple[frozenset[str], int]:
    """
    Have the pipeline assign the bookings, one after another, on a floor of its own.

    Args:
        venue: The restaurant.

        bookings: The bookings, in the order in which they were made.

        engine: The pipeline's.

        settings: How the flow behaves; the clock does not count.

        taken: What is taken for others.

        tell: Called with each booking when it is done.

    Returns:
        The ids of those that have tables in the end, and how many moves that took.
    """
    # A few moves at most: a full day has hundreds of refusals, and proving each takes its time.
    replayed = attrs.evolve(settings, replay=True, max_retries=0, repack_budget=settings.reseat_budget)
    floor, seated = OwnFloor(venue, taken), set()
    for booking in bookings:
        if floor.assign(booking, engine, replayed):
            seated.add(booking.id)
        tell(booking)
    return frozenset(seated), floor.moves


def is_unfair(broken: Iterable[str]) -> bool:
    """Whether tables break a rule of the restaurant. What a strategy of the pipeline's forbids is no such rule."""
    return any(rule != Rule.FORBIDDEN.value for rule in broken)


def compared_day(
    restaurant_id: str,
    date: dt.date,
    bookings: Sequence[Booking],
    *,
    by_legacy: frozenset[str],
    broken: frozenset[str],
    seated: frozenset[str],
    moves: int,
    candidate: Owner = Owner.PIPELINE,
) -> ComparedDay:
    """
    The day as both have it.

    Args:
        restaurant_id: The restaurant.

        date: The service day.

        bookings: Those that both were asked about.

        by_legacy: The ids of those that legacy seated.

        broken: Those at tables that break a rule. Where the pipeline, which may not do that, seats no such party, it
            counts for nobody.

        seated: Those that the pipeline seats.

        moves: How many moves that took.

        candidate: Which of the two was not in charge.
    """
    fairly = by_legacy - (broken - seated)
    covers = {each.id: each.party_size for each in bookings}
    return ComparedDay(
        restaurant_id=restaurant_id,
        date=date,
        bookings=len(bookings),
        legacy=Side(seated=len(fairly), covers=sum(covers[name] for name in fairly)),
        pipeline=Side(seated=len(seated), covers=sum(covers[name] for name in seated), moves=moves),
        candidate=candidate,
    )


def keep_days(store: Any, days: Sequence[ComparedDay], generation: int) -> None:
    """
    Write days down as events, for the gates. The same day of the same revision of the rollout is written once.

    Args:
        store: A store that counts (`MetricsStore`) and is an `EventSink`.

        days: The days.

        generation: The rollout's generation.
    """
    names = [f"{generation}:{day.restaurant_id}:{day.date}:{day.candidate}" for day in days]
    ids = [f"{EventType.DAY_COMPARED.value}:{uuid.uuid5(uuid.NAMESPACE_OID, name)}" for name in names]
    if days:
        now = store.now()
        store.emit([day.event(name, now) for name, day in zip(ids, days, strict=True)])


# -- The days of a shadow -----------------------------------------------------------------------------------------


@attrs.frozen
class _Answered:
    """What the planner in charge made of a booking, as the shadow's last verdict on it has it."""

    booking: Booking
    tables: tuple[str, ...]
    seated: bool
    moves: int = 0

    @classmethod
    def of(cls, event: Event, candidate: Owner) -> _Answered:
        facts: Any = event.context
        if candidate is Owner.LEGACY:
            tables = tuple(facts.get("tables", ()))
            return cls(asked_by(event), tables, bool(tables), facts.get("moves", 0))
        seated = facts.get("legacy_outcome") == LegacyOutcome.SUCCEEDED.value
        return cls(asked_by(event), tuple(facts.get("legacy_tables", ())), seated)


class ShadowDays:
    """
    Compares the service days of a shadow that are over, and keeps each as an event.

    Args:
        store: The store. It has to count, to be an `EventSink`, and to have a rollout.

        engine: The pipeline's engine.

        settings: How the flow behaves.

        read: Awaits what an async store answers.

        dry_run: Legacy's; if None, no days are compared on which the pipeline was in charge.
    """

    def __init__(
        self,
        store: Any,
        engine: Engine,
        settings: Settings,
        *,
        read: Callable[[Any], Any],
        dry_run: LegacyDryRun | None,
    ) -> None:
        self._store = store
        self._engine = engine
        self._settings = settings
        self._read = read
        self._dry_run = dry_run

    def compare(self, since: dt.datetime) -> tuple[ComparedDay, ...]:
        """
        Compare the days that are over and that nobody has compared yet.

        Args:
            since: Only bookings on which the shadow has had a verdict since then.

        Raises:
            StoreUnavailableError: The store cannot be reached.
        """
        soon = self._store.now() + A_DAY  # What was told in this very moment counts, too.
        query = MetricsQuery(since=since, until=soon)
        done = {(day.restaurant_id, day.date.isoformat(), day.candidate) for day in self.known(query)}
        answers: defaultdict[tuple[str, str, Owner], dict[str, _Answered]] = defaultdict(dict)
        for event in self._store.events_of(query, VERDICTS):
            if event.restaurant_id is not None and event.booking_id is not None and "date" in event.context:
                facts: Any = event.context
                candidate = Owner(facts.get("candidate", Owner.PIPELINE))
                day = (event.restaurant_id, str(facts["date"]), candidate)
                if day in done or (candidate is Owner.LEGACY and self._dry_run is None):
                    continue
                answer, asked = _Answered.of(event, candidate), answers[day]
                before = asked.setdefault(answer.booking.id, answer)
                asked[answer.booking.id] = attrs.evolve(
                    answer, moves=answer.moves + before.moves * (before is not answer)
                )
        found, venues = (
            [],
            {restaurant: self._loaded(restaurant) for restaurant in sorted({one for one, *_ in answers})},
        )
        for (restaurant, name, candidate), asked in sorted(answers.items()):
            date, loaded = dt.date.fromisoformat(name), venues[restaurant]
            if loaded is None or loaded[0].service_day(date).end > loaded[1]:
                continue
            with self._apart(f"{name} at restaurant {restaurant!r}"):
                compared = self._compared(loaded[0], date, asked, candidate)
                found += [] if compared is None else [compared]
        return tuple(found)

    def known(self, query: MetricsQuery) -> tuple[ComparedDay, ...]:
        """The days that were compared, in the order in which they were."""
        return tuple(map(ComparedDay.of, self._store.events_of(query, (EventType.DAY_COMPARED,))))

    def keep(self, days: Sequence[ComparedDay]) -> None:
        """Write days down: see `keep_days`."""
        keep_days(self._store, days, self._read(self._store.rollout()).generation)

    def _loaded(self, restaurant_id: str) -> tuple[Venue, dt.datetime] | None:
        """The restaurant as it is, and the store's time; None for one that cannot be read, or has closed down."""
        with self._apart(f"restaurant {restaurant_id!r}"), contextlib.suppress(VenueNotFoundError):
            context: AssignmentContext = self._read(self._store.load(LoadQuery(restaurant_id=restaurant_id)))
            return context.venue, context.now
        return None

    @contextlib.contextmanager
    def _apart(self, what: str) -> Iterator[None]:
        """What a host's code, or legacy's, raises in the block leaves out that much, and keeps nobody from the rest."""
        try:
            yield
        except STORE_DOWN:
            raise
        except Exception as error:  # noqa: BLE001 - an application's code may raise anything
            _LOG.warning("not compared: %s: %s", what, named(error, show=self._settings.show_errors))

    def _compared(
        self, venue: Venue, date: dt.date, asked: Mapping[str, _Answered], candidate: Owner
    ) -> ComparedDay | None:
        """The day; None if nothing of it can be compared."""
        bookings = [self._at_host(answer.booking) for answer in asked.values()]
        # Who has cancelled, or comes on another day now, was on no floor that evening.
        bookings = [
            each
            for each in bookings
            if each.status != CANCELLED
            and each.restaurant_id == venue.id
            and venue.service_date(venue.turn(each).start) == date
        ]
        if not bookings:
            return None
        window = TimeWindow.around([venue.planning_window(each) for each in bookings])
        seen: AssignmentContext = self._read(self._store.load(LoadQuery(restaurant_id=venue.id, day=window)))
        names = frozenset(each.id for each in bookings)
        others = [attrs.evolve(row, movable=False) for row in seen.taken if row.booking_id not in names]
        answered = [asked[each.id] for each in bookings]
        in_charge = frozenset(each.booking.id for each in answered if each.seated)
        if candidate is Owner.PIPELINE:
            by_legacy, (seated, moves) = in_charge, play(venue, bookings, self._engine, self._settings, taken=others)
        else:
            assert self._dry_run is not None  # noqa: S101 - `compare` has looked
            seats = play_legacy(venue, bookings, self._dry_run, others)
            if seats is None:
                return None
            answered = [attrs.evolve(each, tables=seats[each.booking.id]) for each in answered]
            by_legacy = frozenset(each.booking.id for each in answered if each.tables)
            seated, moves = in_charge, sum(each.moves for each in answered)
        broken = self._broken(venue, answered, others)
        return compared_day(
            venue.id,
            date,
            bookings,
            by_legacy=by_legacy,
            broken=broken,
            seated=seated,
            moves=moves,
            candidate=candidate,
        )

    def _broken(self, venue: Venue, asked: Iterable[_Answered], others: Iterable[Occupied]) -> frozenset[str]:
        """The bookings for which legacy broke a rule of the restaurant, on the floor as it had left it."""
        rows, found = list(others), set()
        for each in asked:
            request = SeatingRequest.at(venue, each.booking, None)
            # A candidate that cannot score has nothing to say against legacy.
            with contextlib.suppress(Exception):
                scored = self._engine.evaluate(request, each.tables, FloorSnapshot.of(venue, rows))
                if is_unfair(rule.value for rule in scored.broken):
                    found.add(each.booking.id)
            names = each.tables
            rows += [Occupied(table_id=name, window=request.blocked, booking_id=each.booking.id) for name in names]
        return frozenset(found)

    def _at_host(self, booking: Booking) -> Booking:
        """The booking as the host has it now; as it was given where the host does not know it, or cannot read it."""
        try:
            found: Booking | None = self._read(self._store.booking(booking.id))
        except BookingUnreadableError:
            found = None
        return found or booking
