"""Who waits for tables is seated once the restaurant or its host allows it, though no commit has said so."""

from __future__ import annotations

import asyncio
import datetime as dt

import attrs
import pytest

from assignment_pipeline import (
    AssignmentState,
    AsyncCoordinator,
    Booking,
    Coordinator,
    FixedFlags,
    FloorPlan,
    Mode,
    Outcome,
    Reason,
    Settings,
    Table,
    Venue,
    VenuePolicy,
)
from assignment_pipeline.adapters.memory import MemoryHost
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.policy import ServicePeriod
from assignment_pipeline.domain.result import WAITS_FOR_TABLES
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.ports import RecordQuery
from assignment_pipeline.testing import FakeClock
from assignment_pipeline.testing.harnesses import MemoryHarness, SQLiteHarness

MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)

PATIENT = Settings(max_retries=0)


@attrs.define(slots=False)
class Evening:
    """Two tables for two, one of them the host's, two that may not be joined, one out of use; a party waits."""

    harness: object
    clock: FakeClock
    venue: Venue
    held: Occupied

    @property
    def store(self):
        return self.harness.store

    def coordinator(self, mode=Mode.ACTIVE, **options):
        return Coordinator(
            self.store, flags=FixedFlags(mode), clock=self.clock, sinks=(), **{"settings": PATIENT, **options}
        )

    def record(self, booking_id="waits"):
        return self.store.records(RecordQuery(booking_ids=(booking_id,))).records[0]

    def becomes(self, *tables, **policy):
        floor = FloorPlan(tables or self.venue.floor.tables, [("T3a", "T3b")])
        self.venue = Venue(self.venue.id, self.venue.timezone, floor, attrs.evolve(self.venue.policy, **policy))
        self.harness.put_venue(self.venue)


def begin(harness, clock):
    """The evening, before anybody has come."""
    tables = (Table("T1", 2), Table("T2", 2), Table("T3a", 1), Table("T3b", 1), Table("T4", 2, active=False))
    venue = Venue("R1", "Europe/London", FloorPlan(tables, [("T3a", "T3b")]), VenuePolicy(max_tables=1))
    start = clock.now().replace(second=0, microsecond=0) + DAY
    made = Evening(harness, clock, venue, Occupied(table_id="T1", window=TimeWindow(start, start + 2 * HOUR)))
    harness.put_venue(venue)
    harness.occupy("R1", made.held)
    for name in ("sits", "waits"):
        harness.put_booking(Booking(name, "R1", 2, start))
    return made


@pytest.fixture(scope="module")
def servers(postgres_database):
    """What makes harnesses on PostgreSQL, for threads and for asyncio."""
    from tests.servers.postgres_harness import PostgresBackend  # noqa: PLC0415 - its packages may be missing

    kinds = {"postgres": False, "postgres-async": True}
    made = {name: PostgresBackend(postgres_database, asynchronous=is_async) for name, is_async in kinds.items()}
    yield made
    for backend in made.values():
        backend.close()


@pytest.fixture(params=["memory", "sqlite", "postgres", "postgres-async"])
def evening(request):
    clock = FakeClock()
    if "postgres" not in request.param:
        harness = {"memory": MemoryHarness, "sqlite": SQLiteHarness}[request.param].new(clock)
        yield begin(harness, clock)
        harness.close()
        return
    backend = request.getfixturevalue("servers")[request.param]
    yield begin(backend.harness(clock), clock)
    backend.reset()


@pytest.fixture
def coordinator(evening):
    """One that has asked a person, and has looked at the floor."""
    with evening.coordinator() as made:
        assert made.assign_id("sits", "R1").outcome is Outcome.CONFIRMED
        assert made.assign_id("waits", "R1").reason in (Reason.NO_FIT, Reason.INFEASIBLE)
        sweep(evening, made)
        assert evening.record().state is AssignmentState.MANUAL_REVIEW
        assert evening.record().next_attempt_at is None
        yield made


def sweep(evening, *coordinators):
    """Nobody does anything for five minutes, and then for five more."""
    for _ in range(2):
        evening.clock.advance(5 * MINUTE)
        for one in coordinators:
            assert one.sweep().errors == ()


def row_back(evening):
    evening.harness.vacate("R1", evening.held)


def table_added(evening):
    evening.becomes(*evening.venue.floor.tables, Table("T5", 2))


def table_back_in_use(evening):
    evening.becomes(*(attrs.evolve(table, active=True) for table in evening.venue.floor.tables))


def policy_allows_more(evening):
    evening.becomes(max_tables=2)


ALLOWED_MORE = [row_back, table_added, table_back_in_use, policy_allows_more]


@pytest.mark.parametrize("happens", ALLOWED_MORE)
def test_it_is_seated_by_the_sweep(evening, coordinator, happens):
    """Within two sweeps, with no call about it."""
    happens(evening)
    sweep(evening, coordinator)
    assert evening.record().state is AssignmentState.CONFIRMED


@pytest.mark.parametrize("happens", ALLOWED_MORE)
def test_a_process_that_begins_later_finds_it_too(evening, coordinator, happens):
    """What happened while nobody swept is no different."""
    happens(evening)
    with evening.coordinator() as another:
        sweep(evening, another)
    assert evening.record().state is AssignmentState.CONFIRMED


def commits_of(store, monkeypatch):
    """The changes that are committed from now on."""
    made = []
    commit = store.commit
    monkeypatch.setattr(store, "commit", lambda changes: (made.extend(changes), commit(changes))[1])
    return made


def test_while_nothing_happens_nothing_is_written(evening, coordinator, monkeypatch):
    """Neither by a process that goes on, nor by one that begins at each sweep, as from cron."""
    made = commits_of(evening.store, monkeypatch)
    for _ in range(5):
        with evening.coordinator() as another:
            sweep(evening, coordinator, another)
    assert made == []


def test_a_table_that_is_taken_is_no_news(evening, coordinator, monkeypatch):
    """Only less on the floor is: nobody is woken by more."""
    made = commits_of(evening.store, monkeypatch)
    for table_id in ("T2", "T3a", "T1"):
        evening.harness.occupy("R1", attrs.evolve(evening.held, table_id=table_id))
        sweep(evening, coordinator)
    assert made == []


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.SHADOW])
def test_where_the_pipeline_is_not_in_charge_it_waits(evening, coordinator, monkeypatch, mode):
    """Nobody is woken, and nothing written, until it is."""
    made = commits_of(evening.store, monkeypatch)
    table_added(evening)
    with evening.coordinator(mode) as aside:
        sweep(evening, aside)
    assert made == []
    sweep(evening, coordinator)
    assert evening.record().state is AssignmentState.CONFIRMED


@pytest.mark.parametrize("status", ["cancelled", "payment_open"])
def test_who_wants_no_table_is_not_woken(evening, coordinator, monkeypatch, status):
    """The host's booking has to be pending."""
    evening.harness.put_booking(attrs.evolve(evening.store.booking("waits"), status=status))
    made = commits_of(evening.store, monkeypatch)
    table_added(evening)
    sweep(evening, coordinator)
    assert made == []


def test_a_change_that_nobody_told_of_is_found(evening, coordinator):
    """What is free at the new time counts, and what comes free there from then on."""
    later = attrs.evolve(evening.store.booking("waits"), start_at=evening.held.window.start + 4 * HOUR)
    evening.harness.put_booking(later)
    sweep(evening, coordinator)
    assert evening.record().state is AssignmentState.CONFIRMED


MORNING = ServicePeriod("morning", dt.time(6), dt.time(7))

NOT_ALLOWED = {
    Reason.PARTY_TOO_LARGE: ({"party_size": 6}, lambda evening: add(evening, Table("T6", 6))),
    Reason.PARTY_TOO_SMALL: ({"party_size": 1}, lambda evening: add(evening, Table("T7", 2))),
    Reason.NO_SUCH_SEATING: ({"zone": "window"}, lambda evening: add(evening, Table("T8", 2, zone="window"))),
    Reason.OUTSIDE_SERVICE: ({}, lambda evening: evening.becomes(service_periods=())),
}


def add(evening, table):
    evening.becomes(*evening.venue.floor.tables, table)


@pytest.fixture(params=NOT_ALLOWED)
def refused(request, evening):
    """A booking in review for what the restaurant does not allow, the reason, and what allows it after all."""
    wish, allows = NOT_ALLOWED[request.param]
    tables = [Table(table.id, 2, min_party_size=2, active=table.active) for table in evening.venue.floor.tables]
    evening.becomes(*tables, service_periods=(MORNING,) if request.param is Reason.OUTSIDE_SERVICE else ())
    evening.harness.put_booking(attrs.evolve(evening.store.booking("waits"), **wish))
    with evening.coordinator() as made:
        assert made.assign_id("waits", "R1").reason == request.param
        sweep(evening, made)
        yield made, request.param, lambda: allows(evening)


def test_what_the_restaurant_did_not_allow_is_seated_once_it_does(evening, refused):
    """A larger table, a smaller one, a window, other hours: within two sweeps, with no call about it."""
    coordinator, _, allows = refused
    allows()
    sweep(evening, coordinator)
    assert evening.record().state is AssignmentState.CONFIRMED


def test_what_the_restaurant_allows_while_nobody_sweeps_is_found(evening, refused):
    """A process that begins later seats it, too."""
    _, _, allows = refused
    allows()
    with evening.coordinator() as another:
        sweep(evening, another)
    assert evening.record().state is AssignmentState.CONFIRMED


def test_what_the_restaurant_still_does_not_allow_stays(evening, refused, monkeypatch):
    """Another version, and freed tables, are no news to it: each process plans once, and writes nothing."""
    coordinator, reason, _ = refused
    evening.becomes(post_buffer_minutes=5)
    made, asked, plan = commits_of(evening.store, monkeypatch), [], TableEngine.plan
    monkeypatch.setattr(TableEngine, "plan", lambda *args, **how: (asked.append(1), plan(*args, **how))[1])
    row_back(evening)
    with evening.coordinator() as another:
        sweep(evening, coordinator, another)
    assert (made, evening.record().reason) == ([], reason)
    reviews = evening.store.records(RecordQuery(states=(AssignmentState.MANUAL_REVIEW,))).records
    assert len(asked) == 2 * len(reviews)


def test_what_is_allowed_now_waits_for_tables_where_there_are_none(evening, refused):
    """Every table is taken: from then on, it waits for one."""
    coordinator, _, allows = refused
    allows()
    taken = [attrs.evolve(evening.held, table_id=table.id) for table in evening.venue.floor.tables]
    for row in taken:
        evening.harness.occupy("R1", row)
    sweep(evening, coordinator)
    assert evening.record().reason in WAITS_FOR_TABLES
    for row in taken:
        evening.harness.vacate("R1", row)
    sweep(evening, coordinator)
    assert evening.record().state is AssignmentState.CONFIRMED


def test_a_wish_that_the_restaurant_allows_is_found(evening, refused):
    """Without a report, the party is two now, wants no window and comes in the morning."""
    coordinator, _, _ = refused
    wish = attrs.evolve(evening.store.booking("waits"), party_size=2, zone=None)
    if evening.venue.policy.service_periods:
        wish = attrs.evolve(wish, start_at=wish.start_at.replace(hour=5), end_at=wish.start_at.replace(hour=6))
    evening.harness.put_booking(wish)
    sweep(evening, coordinator)
    assert evening.record().state is AssignmentState.CONFIRMED


@pytest.mark.parametrize("reason", ["no tables", "not allowed"])
def test_a_wish_for_another_restaurant_is_followed(evening, coordinator, reason):
    """The host has moved it there without a report: it is seated there, and no table here makes it due."""
    evening.harness.put_venue(Venue("R2", "Europe/London", evening.venue.floor, evening.venue.policy))
    name = "waits"
    if reason == "not allowed":
        name = "large"
        evening.harness.put_booking(attrs.evolve(evening.store.booking("waits"), id=name, party_size=9))
        assert coordinator.assign_id(name, "R1").reason == Reason.PARTY_TOO_LARGE
    moved = attrs.evolve(evening.store.booking(name), restaurant_id="R2", party_size=2)
    evening.harness.put_booking(moved)
    sweep(evening, coordinator)
    sweep(evening, coordinator)
    record = evening.record(name)
    assert (record.state, record.restaurant_id) == (AssignmentState.CONFIRMED, "R2")


def fleet(clock, restaurants, waiting):
    """So many full restaurants, each with so many who wait."""
    start = clock.now().replace(second=0, microsecond=0) + DAY
    names = [f"R{number:03}" for number in range(restaurants)]
    host = MemoryHost(*(Venue(name, "UTC", FloorPlan([Table("T1", 2)])) for name in names))
    bookings = [
        Booking(f"{name}-{number}", name, 2, start + number * MINUTE) for name in names for number in range(1 + waiting)
    ]
    for booking in bookings:
        host.put_booking(booking)
    return host, bookings


def test_a_look_is_one_load_a_restaurant(monkeypatch):
    """However many wait there that day; no sweep looks at more of them than a page has."""
    from assignment_pipeline.adapters.memory import MemoryStore  # noqa: PLC0415

    clock = FakeClock()
    host, bookings = fleet(clock, 30, 4)
    store = MemoryStore(host, clock=clock)
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), clock=clock, sinks=(), settings=PATIENT) as coordinator:
        for booking in bookings:
            coordinator.assign(booking)
        for _ in range(6):
            coordinator.sweep()
        asked = []
        load = store.load
        monkeypatch.setattr(store, "load", lambda query: (asked.append(query), load(query))[1])
        for _ in range(2):
            coordinator.sweep()
        assert len(asked) == 30  # The first 100 of the 120 who wait, then the others.
        assert max(len(query.ids) for query in asked) == 4


def test_one_restaurant_keeps_nobody_from_the_others(monkeypatch):
    """A host that raises for one of them is told of, and the next is looked at."""
    from assignment_pipeline.adapters.memory import MemoryStore  # noqa: PLC0415

    clock = FakeClock()
    host, bookings = fleet(clock, 3, 1)
    store = MemoryStore(host, clock=clock)
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), clock=clock, sinks=(), settings=PATIENT) as coordinator:
        for booking in bookings:
            coordinator.assign(booking)
        coordinator.sweep()
        coordinator.sweep()
        occupied = host.occupied

        def raises(connection, restaurant_id, window):
            if restaurant_id == "R000":
                raise RuntimeError(restaurant_id)
            return occupied(connection, restaurant_id, window)

        monkeypatch.setattr(host, "occupied", raises)
        for name in ("R001", "R002"):
            host.put_venue(Venue(name, "UTC", FloorPlan([Table("T1", 2), Table("T2", 2)])))
        report = coordinator.sweep()
        assert {result.booking_id: result.outcome for result in report.results} == {
            "R001-1": Outcome.CONFIRMED,
            "R002-1": Outcome.CONFIRMED,
        }
        assert [name for name, _ in report.errors] == ["R000-1"]


def test_asyncio_hosts_have_it_too(house):
    """The same flow, awaited."""
    coordinator = AsyncCoordinator(house.store, **house.options, settings=PATIENT)

    async def evening():
        async with coordinator:
            for name in ("F1", "F2", "F3"):
                assert (await coordinator.assign(house.booking(name))).outcome is Outcome.CONFIRMED
            assert (await coordinator.assign(house.booking())).outcome is Outcome.MANUAL_REVIEW
            await coordinator.sweep()
            await coordinator.sweep()
            floor = attrs.evolve(house.venue.floor, tables=(*house.venue.floor.tables, Table("T9", 2)))
            house.host.put_venue(Venue(house.venue.id, house.venue.timezone, floor, house.venue.policy))
            await coordinator.sweep()

    asyncio.run(evening())
    assert house.record().state is AssignmentState.CONFIRMED
