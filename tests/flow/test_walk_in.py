"""A party at the door: tables now, and until when, on every store."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading

import attrs
import pytest

from assignment_pipeline import (
    AssignmentPipelineError,
    AsyncCoordinator,
    Booking,
    Coordinator,
    FloorPlan,
    LegacyResult,
    Mode,
    Outcome,
    Reason,
    Table,
    TableConflictError,
    Venue,
    VenuePolicy,
)
from assignment_pipeline.adapters.memory import MemoryStore
from assignment_pipeline.domain.pacing import PacingRule
from assignment_pipeline.domain.periods import Arrivals, ServicePeriod
from assignment_pipeline.errors import (
    IllegalTransitionError,
    InvalidValueError,
    OtherRestaurantError,
    PlacementRefusedError,
)
from assignment_pipeline.ports import RecordQuery
from assignment_pipeline.rollout.flags import FixedFlags

MINUTE = dt.timedelta(minutes=1)
FLOOR = FloorPlan([Table("T1", 2), Table("T2", 4)])


@pytest.fixture(scope="module")
def server(postgres_database):
    """PostgreSQL with the bundled host, whose bookings the call makes."""
    from tests.servers.postgres_harness import PostgresBackend  # noqa: PLC0415 - its packages may be missing

    made = PostgresBackend(postgres_database, alone=True)
    yield made
    made.close()


class Corner:
    """A restaurant with two tables on a store."""

    def __init__(self, harness, clock, **policy):
        self.harness, self.clock = harness, clock
        self.rules(**policy)
        self.coordinator = Coordinator(harness.store, flags=FixedFlags(Mode.ACTIVE), clock=clock, sinks=(), shadow=None)

    def rules(self, **policy):
        self.venue = Venue("corner", "Europe/London", FLOOR, VenuePolicy(**{"reseat": "off", **policy}))
        self.harness.put_venue(self.venue)

    @property
    def now(self):
        return self.clock.now().replace(second=0, microsecond=0)

    def booked(self, key, table, minutes, party=2):
        """A booking in so many minutes, at that table."""
        booking = Booking(key, "corner", party, self.now + minutes * MINUTE)
        self.harness.put_booking(booking)
        return self.coordinator.place(booking, [table], actor="ann", pin=False)

    def walk_in(self, party=2, **options):
        return self.coordinator.walk_in("corner", party, actor="ann", **options)

    def lasts(self, result):
        """For how many minutes a party may stay."""
        return (result.until - self.now) // MINUTE

    def records(self):
        return self.coordinator.store.records(RecordQuery(limit=100)).records


@pytest.fixture
def corner(harness, clock):
    return Corner(harness, clock)


def test_it_sits_in_the_same_commit(corner):
    """One call: tables, until when, a booking of the channel walk_in that has sat down, and who did it."""
    corner.clock.advance(dt.timedelta(seconds=31))
    result = corner.walk_in()
    assert (result.outcome, result.reason, result.tables) == (Outcome.CONFIRMED, Reason.SEATED, ("T1",))
    assert (corner.lasts(result), result.displaced) == (90, ())
    record = corner.coordinator.record(result.booking_id)
    assert (record.booking.channel, record.booking.party_size, record.booking.end_at) == ("walk_in", 2, None)
    assert record.allocation.seated_at == corner.clock.now()
    assert (record.allocation.blocked.start, record.pinned) == (corner.now, True)
    assert {step.actor for step in corner.coordinator.history(result.booking_id)} == {"ann"}
    assert corner.coordinator.store.booking(result.booking_id).status == "confirmed"
    assert [party.booking_id for table in corner.coordinator.floor("corner").tables for party in table.parties] == [
        result.booking_id
    ]


def test_twice_with_one_id_is_once(corner):
    """A lost answer is asked for again, also once the party has left; another id is another party."""
    first = corner.walk_in(booking_id="w-1")
    again = corner.walk_in(booking_id="w-1")
    assert (again.outcome, again.reason, again.tables) == (Outcome.NOOP, None, first.tables)
    assert again.until == first.until
    assert again.record == first.record
    corner.coordinator.left("w-1", actor="ann")
    assert corner.walk_in(booking_id="w-1").outcome is Outcome.NOOP
    assert corner.walk_in(booking_id="w-2").outcome is Outcome.CONFIRMED


def test_many_at_once_with_one_id_are_one_party(corner):
    """Whoever is first seats it, and the others say the same."""
    results, gate = [], threading.Barrier(4)

    def ask():
        gate.wait()
        results.append(corner.walk_in(booking_id="w-1"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({result.tables for result in results}) == 1
    assert sorted(result.outcome for result in results) == ["confirmed", "noop", "noop", "noop"]


def test_a_stay_is_shortened_up_to_the_next_booking(corner):
    """Only where the policy says how far; who is next is named, and the booking has that end."""
    corner.booked("next", "T1", 75)
    corner.booked("big", "T2", 0, 4)
    assert corner.walk_in().reason is Reason.NO_FIT
    corner.rules(shortest_stay_minutes=60, post_buffer_minutes=10)
    result = corner.walk_in(booking_id="w-1")
    assert (result.tables, corner.lasts(result), result.displaced) == (("T1",), 65, ("next",))
    assert result.record.booking.end_at == result.until
    assert result.record.allocation.blocked.end == corner.now + 75 * MINUTE
    assert corner.coordinator.conflicts("corner") == ()


@pytest.mark.parametrize(("shortest", "minutes"), [(65, 65), (66, None)])
def test_no_stay_is_shorter_than_the_policy_allows(corner, shortest, minutes):
    """To the minute."""
    corner.rules(shortest_stay_minutes=shortest, post_buffer_minutes=10)
    corner.booked("next", "T1", 75)
    corner.booked("big", "T2", 0, 4)
    result = corner.walk_in()
    assert (result.until and corner.lasts(result)) == minutes
    assert len(corner.records()) == (2 if minutes is None else 3)


def test_the_longest_stay_wins(corner):
    """A larger table for the whole time goes before a shorter stay at the one that fits."""
    corner.rules(shortest_stay_minutes=30)
    corner.booked("next", "T1", 45)
    assert corner.walk_in(offer=True).tables == ("T2",)


def test_others_make_room(corner):
    """Where the policy lets bookings be moved, no stay is shortened for them."""
    corner.rules(reseat="auto", shortest_stay_minutes=30)
    corner.booked("next", "T1", 60)
    corner.booked("big", "T2", 0, 4)
    corner.coordinator.cancel("big")
    corner.booked("soon", "T2", 10, 4)
    corner.coordinator.cancel("soon")
    corner.coordinator.walk_in("corner", 4, actor="ann", until=corner.now + 50 * MINUTE)
    result = corner.walk_in(booking_id="w-1")
    assert (result.tables, result.moved, corner.lasts(result)) == (("T1",), ("next",), 90)
    assert corner.coordinator.record("next").tables == ("T2",)


def test_an_offer_writes_nothing_and_is_kept(corner):
    """It says which tables and until when; the second call seats the party there, or says that they are gone."""
    corner.rules(shortest_stay_minutes=30)
    corner.booked("next", "T1", 45)
    corner.booked("big", "T2", 0, 4)
    before = corner.records()
    offer = corner.walk_in(offer=True)
    assert (offer.outcome, offer.reason, offer.tables) == (Outcome.NOOP, Reason.OFFERED, ("T1",))
    assert (corner.lasts(offer), offer.displaced, offer.record) == (45, ("next",), None)
    assert corner.records() == before
    result = corner.walk_in(tables=offer.tables, until=offer.until)
    assert (result.tables, result.until) == (offer.tables, offer.until)
    before = corner.records()
    with pytest.raises(TableConflictError):
        corner.walk_in(tables=offer.tables, until=offer.until)
    assert corner.records() == before


def test_an_offer_with_moves_is_taken_up_with_them(corner):
    """As `place` takes those of a suggestion."""
    corner.rules(reseat="auto")
    corner.booked("next", "T1", 60)
    corner.coordinator.walk_in("corner", 4, actor="ann", until=corner.now + 50 * MINUTE)
    offer = corner.walk_in(offer=True)
    assert [move.booking_id for move in offer.decision.plan.moves] == ["next"]
    result = corner.walk_in(tables=offer.tables, until=offer.until, moves=offer.decision.plan.moves)
    assert (result.tables, result.moved) == (("T1",), ("next",))


def test_a_chosen_table_is_shortened_too(corner):
    """Its own next booking counts, and no other."""
    corner.rules(shortest_stay_minutes=30)
    corner.booked("next", "T2", 50)
    result = corner.walk_in(tables=["T2"])
    assert (result.tables, corner.lasts(result)) == (("T2",), 50)


def test_hours_hold_unless_a_person_overrules_them(corner):
    """The last party leaves when the restaurant closes; times for arrivals are for those who book."""
    opened = corner.now.astimezone(corner.venue.zone)
    ends = (opened + 60 * MINUTE).time()
    period = ServicePeriod("lunch", opened.time(), ends, arrivals=Arrivals(every=60))
    corner.rules(service_periods=[period])
    corner.clock.advance(MINUTE)
    assert corner.walk_in().reason is Reason.OUTSIDE_SERVICE
    corner.rules(service_periods=[period], shortest_stay_minutes=45)
    assert corner.lasts(corner.walk_in(offer=True)) == 59
    corner.rules(service_periods=[period])
    result = corner.walk_in(allow=["outside_service"])
    assert corner.lasts(result) == 90
    assert corner.coordinator.show(result.booking_id).attempts[-1].metadata["overruled"] == "outside_service"
    corner.clock.advance(60 * MINUTE)
    assert corner.walk_in().reason is Reason.OUTSIDE_SERVICE


def test_what_is_left_of_the_service_is_no_stay_if_it_is_too_short(corner):
    """Also in a period in which parties sit to its end. Who overrules the hours has the shortest stay."""
    opened = corner.now.astimezone(corner.venue.zone)
    ends = (opened + 60 * MINUTE).time()
    period = ServicePeriod("lunch", opened.time(), ends, arrivals=Arrivals(every=60), turn="to_end")
    corner.rules(service_periods=[period], shortest_stay_minutes=45)
    corner.clock.advance(15 * MINUTE)
    assert corner.lasts(corner.walk_in(offer=True)) == 45
    corner.clock.advance(MINUTE)
    result = corner.walk_in()
    assert (result.outcome, result.reason) == (Outcome.KEPT, Reason.OUTSIDE_SERVICE)
    assert corner.lasts(corner.walk_in(offer=True, allow=["outside_service"])) == 45
    assert corner.lasts(corner.walk_in(offer=True, until=corner.now + 20 * MINUTE)) == 20
    corner.rules(service_periods=[period])
    assert corner.lasts(corner.walk_in(offer=True)) == 44


def test_it_counts_towards_caps_on_arrivals(corner):
    """A person may go beyond one by name."""
    corner.rules(pacing=[PacingRule(minutes=60, parties=1)])
    corner.walk_in()
    assert corner.walk_in().reason is Reason.PACING
    result = corner.walk_in(allow=["pacing"])
    assert result.outcome is Outcome.CONFIRMED
    assert corner.coordinator.show(result.booking_id).attempts[-1].metadata["overruled"] == "pacing"


def test_a_cap_that_is_reached_meanwhile_is_overruled_in_writing(corner, monkeypatch):
    """Whoever may go beyond a cap, and was to be the last below it, is on record as beyond it once another is there."""
    corner.rules(pacing=[PacingRule(minutes=60, parties=1)])
    store, commit = corner.harness.store, corner.harness.store.commit

    def slow(changes):
        monkeypatch.setattr(store, "commit", commit)
        corner.walk_in()
        commit(changes)

    monkeypatch.setattr(store, "commit", slow, raising=False)
    result = corner.walk_in(4, allow=["pacing"])
    assert result.outcome is Outcome.CONFIRMED
    assert corner.coordinator.show(result.booking_id).attempts[-1].metadata["overruled"] == "pacing"


def test_a_large_party_needs_no_review(corner):
    """A person stands there already."""
    corner.rules(review_from_party=3)
    assert corner.walk_in(4).tables == ("T2",)


def test_the_row_of_the_host_is_taken_up(corner):
    """It says where they want to sit; what the call says of their number holds."""
    corner.harness.put_booking(Booking("row", "corner", 3, corner.now, zone="nowhere"))
    assert corner.walk_in(booking_id="row").reason is Reason.NO_SUCH_SEATING
    corner.harness.put_booking(Booking("row", "corner", 3, corner.now))
    result = corner.walk_in(2, booking_id="row")
    assert (result.outcome, result.record.booking.party_size) == (Outcome.CONFIRMED, 2)


def test_a_booking_with_tables_is_no_walk_in(corner):
    """Nor one that has ended, or is another restaurant's: nothing is written."""
    corner.booked("held", "T1", 60)
    corner.booked("gone", "T2", 60)
    corner.coordinator.cancel("gone")
    corner.harness.put_venue(attrs.evolve(corner.venue, id="other", version="1"))
    corner.harness.put_booking(Booking("theirs", "other", 2, corner.now))
    before = corner.records()
    for key, error in (
        ("held", IllegalTransitionError),
        ("gone", IllegalTransitionError),
        ("theirs", OtherRestaurantError),
    ):
        with pytest.raises(error):
            corner.walk_in(booking_id=key)
    assert corner.records() == before


@pytest.mark.parametrize(
    "options",
    [
        {"party": 0},
        {"party": None},
        {"booking_id": ""},
        {"booking_id": "x" * 1_000_000},
        {"until": dt.datetime(2031, 5, 1)},  # noqa: DTZ001 - without an offset, it is refused
        {"until": dt.datetime(2001, 5, 1, tzinfo=dt.UTC)},
        {"until": dt.datetime(2091, 5, 1, tzinfo=dt.UTC)},
        {"allow": ["taken"]},
        {"seating": "roof"},
        {"moves": ["x"]},
    ],
)
def test_what_makes_no_sense_is_refused(corner, options):
    """In a sentence, with nothing written."""
    with pytest.raises((InvalidValueError, ValueError)) as caught:
        corner.walk_in(**options)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 1_000
    assert corner.records() == ()


def test_unknown_tables_are_refused(corner):
    """By their rule."""
    with pytest.raises(PlacementRefusedError, match="unknown_table"):
        corner.walk_in(tables=["T9"])
    with pytest.raises(AssignmentPipelineError):
        corner.coordinator.walk_in("nowhere", 2, actor="ann")


def test_under_asyncio(corner):
    """The same."""
    coordinator = AsyncCoordinator(corner.harness.store, flags=FixedFlags(Mode.ACTIVE), sinks=(), shadow=None)
    result = asyncio.run(coordinator.walk_in("corner", 2, actor="ann", booking_id="w-1"))
    assert (result.outcome, result.tables) == (Outcome.CONFIRMED, ("T1",))


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.SHADOW])
def test_where_the_pipeline_is_not_in_charge_a_person_chooses(corner, mode):
    """It chooses no tables there; those of a person are theirs."""
    coordinator = Coordinator(
        corner.harness.store, flags=FixedFlags(mode), sinks=(), shadow=None, legacy=lambda _: LegacyResult(())
    )
    result = coordinator.walk_in("corner", 2, actor="ann")
    assert (result.outcome, result.reason, corner.records()) == (Outcome.NOOP, Reason.PIPELINE_DISABLED, ())
    assert coordinator.walk_in("corner", 2, actor="ann", tables=["T1"]).outcome is Outcome.CONFIRMED


def test_a_host_with_rows_of_its_own_has_one_first(clock):
    """The call makes no row there: it says so, and takes up the row that is there."""

    class Host:
        """One with rows of its own."""

        def __init__(self):
            self.rows = {}

        def booking(self, _, booking_id):
            return self.rows.get(booking_id)

        def venue(self, _, restaurant_id, known_version):
            found = Venue(restaurant_id, "Europe/London", FLOOR)
            return None if found.version == known_version else found

        def occupied(self, *_):
            return ()

        def unassigned(self, *_):
            return ()

        def on_commit(self, _, changes):
            for change in changes:
                row = self.rows[change.record.booking_id]
                self.rows[row.id] = attrs.evolve(row, status=change.guest_status or row.status)

    host = Host()
    coordinator = Coordinator(MemoryStore(host, clock=clock), flags=FixedFlags(Mode.ACTIVE), sinks=(), shadow=None)
    with pytest.raises(InvalidValueError, match="your row of the party"):
        coordinator.walk_in("corner", 2, actor="ann")
    assert coordinator.walk_in("corner", 2, actor="ann", offer=True).tables == ("T1",)
    now = clock.now().replace(second=0, microsecond=0)
    host.rows["7"] = Booking("7", "corner", 2, now)
    assert coordinator.walk_in("corner", 2, actor="ann", booking_id="7").tables == ("T1",)
    assert host.rows["7"].status == "confirmed"


def test_the_next_party_sits_down_when_the_one_before_has_left(corner):
    """A few seconds later, in the same minute: at the best table, and at one that a person chose."""
    for key, table in (("a", "T1"), ("b", "T2")):
        corner.booked(key, table, 1)
    corner.clock.advance(30 * MINUTE)
    for key in ("a", "b"):
        corner.coordinator.seated(key, actor="ann")
    corner.clock.advance(20 * MINUTE + dt.timedelta(seconds=10))
    for key, options in (("a", {}), ("b", {"tables": ["T2"]})):
        corner.coordinator.left(key, actor="ann")
        corner.clock.advance(dt.timedelta(seconds=5))
        assert corner.walk_in(**options).reason == "seated"
