"""The standalone host: bookings and venues in tables of ours."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assignment_pipeline.adapters.sqlite import StandaloneHost
from assignment_pipeline.domain.booking import SeatingPreference
from assignment_pipeline.domain.combination import Combination
from assignment_pipeline.domain.floor import FloorPlan, Table, TableOffer
from assignment_pipeline.domain.policy import (
    AdjacencyMode,
    TurnBand,
    VenuePolicy,
    Weights,
)
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.errors import VenueNotFoundError
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.ports import LoadQuery
from assignment_pipeline.testing import strategies
from assignment_pipeline.testing.store_harness import (
    CONFIRM,
    DINNER,
    HOUR,
    QUEUE,
    REVIEW,
    make_booking,
    make_change,
    make_venue,
)

NAMES = st.text("aZé東 '\"%:;", min_size=1, max_size=8).filter(str.strip)
WEIGHTS = st.one_of(st.integers(0, 1000), st.floats(0, 1000))


@st.composite
def tables(draw, table_id):
    capacity = draw(st.integers(1, 20))
    low = draw(st.integers(1, capacity))
    return Table(
        table_id,
        capacity,
        min_party_size=low,
        max_party_size=draw(st.integers(low, capacity + 2)),
        zone=draw(st.none() | NAMES),
        seating=draw(st.sampled_from([place for place in SeatingPreference if place is not SeatingPreference.ANY])),
        accessible=draw(st.booleans()),
        active=draw(st.booleans()),
        priority=draw(st.integers(-5, 5)),
        offer=draw(st.sampled_from([None, *TableOffer])),
        held_until_minutes=draw(st.sampled_from([None, 90])),
        tags=draw(st.sets(NAMES, max_size=3)),
    )


@st.composite
def venues(draw):
    ids = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    pairs = (
        draw(st.sets(st.sets(st.sampled_from(ids), min_size=2, max_size=2).map(frozenset), max_size=5))
        if ids[1:]
        else ()
    )
    sizes = sorted(draw(st.sets(st.integers(1, 500), min_size=1, max_size=4)))
    calendar = draw(strategies.policies())
    policy = VenuePolicy(
        service_periods=calendar.service_periods,
        special_days=calendar.special_days,
        offer_within_minutes=calendar.offer_within_minutes,
        turn_bands=[TurnBand(size, draw(st.integers(15, 1440))) for size in sizes],
        pre_buffer_minutes=draw(st.integers(0, 360)),
        post_buffer_minutes=draw(st.integers(0, 360)),
        max_tables=draw(st.integers(1, 8)),
        max_overage=draw(st.none() | st.integers(0, 500)),
        adjacency=draw(st.sampled_from(AdjacencyMode)),
        retry_cutoff_minutes=draw(st.integers(0, 1440)),
        weights=draw(st.builds(Weights, waste=WEIGHTS, join=WEIGHTS, scarcity=WEIGHTS, gap=WEIGHTS)),
    )
    named = [
        Combination(name, draw(st.permutations(ids)), 500, min_party_size=draw(st.none() | st.just(9)), priority=-3)
        for name in draw(st.sets(NAMES, max_size=1) if ids[1:] else st.just(()))
    ]
    placed = [draw(tables(table_id)) for table_id in ids]
    floor = FloorPlan(placed, pairs, named, zones=draw(strategies.zones(placed)))
    timezone = draw(st.sampled_from(["Europe/London", "Australia/Lord_Howe"]))
    return Venue(draw(st.sampled_from(["r-1", "r-2"])), timezone, floor, policy)


@pytest.fixture
def host():
    return StandaloneHost()


@pytest.fixture
def put(opened, host):
    """Has the host have a booking or a venue."""
    store = opened(host, synchronous="OFF")

    def put(thing):
        keep = host.put_venue if isinstance(thing, Venue) else host.put_booking
        store.write(lambda connection: keep(connection, thing))
        return store

    return put


@given(venue=venues())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_venue_comes_back_as_it_was(put, host, venue):
    """Every table, tag, pair and rule, whatever the restaurant was before; and a known version is not read again."""
    store = put(venue)
    found = store.load(LoadQuery(restaurant_id=venue.id)).venue
    assert found == venue
    assert attrs.evolve(found, version="other").policy == venue.policy
    assert store.write(lambda connection: host.venue(connection, venue.id, venue.version)) is None
    assert store.write(lambda connection: host.venue(connection, venue.id, "older")) == venue


def test_a_cached_venue_is_not_read_again(put, host):
    """The store keeps the venue, and hands out the same one until it changes."""
    store = put(make_venue())
    first, second = (store.load(LoadQuery(restaurant_id="r-1")).venue for _ in range(2))
    assert first is second
    put(make_venue(tables=2))
    assert [table.id for table in store.load(LoadQuery(restaurant_id="r-1")).venue.floor.tables] == ["T1", "T2"]


def test_an_unknown_venue_is_named(put):
    """There is no planning for a restaurant that nobody has."""
    store = put(make_venue())
    with pytest.raises(VenueNotFoundError) as refused:
        store.load(LoadQuery(restaurant_id="r-9"))
    assert refused.value.restaurant_id == "r-9"


@pytest.mark.parametrize(
    "booking",
    [
        make_booking(end_at=None),
        make_booking(
            "Zoë's 1%", seating=SeatingPreference.BAR, zone="東", accessible=True, status="waitlisted", party_size=500
        ),
    ],
)
def test_a_booking_comes_back_as_it_was(put, booking):
    """Every field, with what the guest left open left open."""
    assert put(booking).booking(booking.id) == booking


def test_a_booking_can_be_changed(put):
    """Putting it again changes it, its status included while the pipeline has nothing to do with it."""
    put(make_booking())
    changed = make_booking(party_size=4, at=DINNER + HOUR, status="seated")
    assert put(changed).booking("b-1") == changed
    assert put(make_booking()).booking("b-1") == make_booking()


def test_what_came_of_a_booking_is_kept(put):
    """A booking that comes again as pending does not lose its confirmation; what else the host says of it holds."""
    put(make_booking()).commit([make_change(make_booking(), *CONFIRM, tables=("T1",))])
    assert put(make_booking(party_size=3)).booking("b-1") == make_booking(party_size=3, status="confirmed")
    assert put(make_booking(status="no_show")).booking("b-1").status == "no_show"


@pytest.mark.parametrize(
    ("before", "triggers", "status"),
    [
        ((), CONFIRM, "confirmed"),
        ((), QUEUE, "pending"),
        ((), REVIEW, "pending"),
        ((), (*REVIEW, Trigger.FAIL), "failed"),
        ((), (Trigger.CANCEL,), "cancelled"),
        (CONFIRM, (Trigger.CANCEL,), "cancelled"),
        (CONFIRM, (Trigger.REQUEUE,), "pending"),
        (CONFIRM, (Trigger.REQUEUE, Trigger.BEGIN, Trigger.ESCALATE), "pending"),
        (CONFIRM, (Trigger.MOVE,), "confirmed"),
        (CONFIRM, (), "confirmed"),
    ],
)
def test_a_commit_tells_the_guest(put, before, triggers, status):
    """The booking, added if it was passed in, says what the assignment means to the guest, and where that stands."""
    store = put(make_venue())
    record = None
    for fired in filter(None, (before, triggers)) if triggers else (before, ()):
        change = make_change(
            make_booking(),
            *fired,
            before=record,
            tables=("T2",) if set(fired) & {Trigger.SEAT, Trigger.MOVE} else (),
            strategy="optimal_fit",
        )
        store.commit([change])
        record = change.record
    assert store.booking("b-1") == make_booking(status=status)
    row = store.write(
        lambda connection: connection.execute(
            "SELECT assignment_state, assignment_state_version, assignment_strategy FROM bookings"
        ).fetchone()
    )
    assert row == (record.state, record.version, "optimal_fit")


def test_a_status_of_the_hosts_own_stays(put):
    """Who has been seated is not merely confirmed again because a table was changed or pinned."""
    store = put(make_venue())
    first = make_change(make_booking(), *CONFIRM, tables=("T1",))
    store.commit([first])
    put(make_booking(status="seated"))
    moved = make_change(make_booking(), Trigger.MOVE, before=first.record, tables=("T2",))
    store.commit([moved])
    store.commit([make_change(make_booking(), before=moved.record, pinned=True)])
    assert store.booking("b-1").status == "seated"


def test_only_who_was_never_enqueued_is_unassigned(put):
    """Pending bookings without a record, soonest first, at most so many."""
    store = put(make_venue())
    for number, at in enumerate((DINNER + 2 * HOUR, DINNER, DINNER + HOUR, DINNER - HOUR), 1):
        put(make_booking(f"b-{number}", at=at))
    put(make_booking("b-5", status="cancelled"))
    put(make_booking("b-6", at=DINNER + HOUR))
    store.commit([make_change(make_booking("b-6", at=DINNER + HOUR), *QUEUE)])
    since = DINNER - HOUR
    assert [booking.id for booking in store.unassigned(since, 10)] == ["b-2", "b-3", "b-1"]
    assert [booking.id for booking in store.unassigned(since, 2)] == ["b-2", "b-3"]
    assert store.unassigned(since, 0) == ()


def test_a_host_that_does_not_know_our_records_hides_nobody(opened):
    """However many bookings with a record come first, the one without is found."""

    class Forgetful(StandaloneHost):
        def unassigned(self, connection, since, limit):
            rows = connection.execute("SELECT id FROM bookings ORDER BY id LIMIT ?", (limit,)).fetchall()
            return [self.booking(connection, booking_id) for (booking_id,) in rows]

    host = Forgetful()
    store = opened(host, synchronous="OFF")
    store.commit([make_change(make_booking(f"b-{number:02}"), *QUEUE) for number in range(50)])
    store.write(lambda connection: host.put_booking(connection, make_booking("late")))
    assert [booking.id for booking in store.unassigned(DINNER - HOUR, 3)] == ["late"]
