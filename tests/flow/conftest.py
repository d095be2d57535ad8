"""A small restaurant, a clock that stands still, and a coordinator over the reference adapters."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from assignment_pipeline import Booking, Coordinator, FloorPlan, Mode, Table, Venue, VenuePolicy
from assignment_pipeline.adapters.memory import MemoryHost, MemorySink, MemoryStore
from assignment_pipeline.domain.event_fields import unexpected
from assignment_pipeline.domain.events import Event, EventType
from assignment_pipeline.ports import RecordQuery
from assignment_pipeline.rollout.flags import FixedFlags
from assignment_pipeline.testing import FakeClock
from assignment_pipeline.testing.harnesses import MemoryHarness, SQLiteHarness

DAY = dt.timedelta(days=1)


Happening = Exception | Callable[[], object]


class LossyStore(MemoryStore):
    """A memory store to which things happen, before or behind its work: exceptions are raised, functions called."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.before: dict[str, list[Happening]] = {}
        self.behind: dict[str, list[Happening]] = {}
        self.asked: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        method = super().__getattribute__(name)
        if name not in {"load", "commit", "knows", "due", "put_back", "waiting", "records", "booking", "unassigned"}:
            return method

        def asked(*args: Any) -> Any:
            self.asked.append(name)
            happen(self.before, name)
            answer = method(*args)
            happen(self.behind, name)
            return answer

        return asked


def happen(happenings: dict[str, list[Happening]], name: str) -> None:
    """The next thing that is to happen there, if there is one."""
    if happenings.get(name):
        happening = happenings[name].pop(0)
        if isinstance(happening, Exception):
            raise happening
        happening()


@attrs.define(slots=False)
class House:
    """Everything that a test of a flow wants to look at or to break."""

    clock: FakeClock
    host: MemoryHost
    store: LossyStore
    sink: MemorySink
    venue: Venue
    options: dict[str, Any]

    def coordinator(self, **options: Any) -> Coordinator:
        return Coordinator(self.store, **{**self.options, **options})

    def booking(self, name: str = "B1", party_size: int = 2, **facts: Any) -> Booking:
        start_at = facts.pop("start_at", self.clock.now().replace(second=0, microsecond=0) + DAY)
        booking = Booking(name, self.venue.id, party_size, start_at, **facts)
        self.host.put_booking(booking)
        return booking

    def record(self, name: str = "B1") -> Any:
        page = MemoryStore.records(self.store, RecordQuery(booking_ids=(name,)))
        return page.records[0] if page.records else None

    def told(self) -> list[str]:
        return [event.type.value for event in self.sink.events]


@pytest.fixture
def house() -> House:
    clock = FakeClock()
    floor = FloorPlan((Table("T1", 2), Table("T2", 2), Table("T3", 4)), [("T1", "T2")])
    venue = Venue("R1", "Europe/London", floor, VenuePolicy(reseat="off"))
    host = MemoryHost(venue)
    store = LossyStore(host, clock=clock)
    sink = MemorySink()
    options = {"flags": FixedFlags(Mode.ACTIVE), "clock": clock, "sinks": (sink,)}
    return House(clock, host, store, sink, venue, options)


@pytest.fixture
def coordinator(house: House) -> Coordinator:
    return house.coordinator()


@pytest.fixture(scope="module")
def server(postgres_database: str) -> Iterator[Any]:
    """PostgreSQL, for the tests of a module: `harness` empties it after each."""
    from tests.servers.postgres_harness import PostgresBackend  # noqa: PLC0415 - its packages may be missing

    made = PostgresBackend(postgres_database)
    yield made
    made.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def harness(request: pytest.FixtureRequest, clock: FakeClock) -> Iterator[Any]:
    """One on each store."""
    if request.param == "postgres":
        server = request.getfixturevalue("server")
        yield server.harness(clock)
        server.reset()
    else:
        made = {"memory": MemoryHarness, "sqlite": SQLiteHarness}[request.param].new(clock)
        yield made
        made.close()


@pytest.fixture(autouse=True)
def every_event_is_as_the_table_says(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No event of any flow carries what `domain.event_fields` does not say."""
    made: list[Event] = []
    begin = Event.__init__

    def noting(event: Event, *args: Any, **given: Any) -> None:
        begin(event, *args, **given)
        made.append(event)

    monkeypatch.setattr(Event, "__init__", noting)
    yield
    # A rehearsal by a candidate reports its transitions alone.
    told = [event for event in made if event.type is EventType.STATE_TRANSITION or "rehearsed" not in event.context]
    assert sorted({line for event in told for line in unexpected(event)}) == []
